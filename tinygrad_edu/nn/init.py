"""First values of weights, as `torch.nn.init`: every function fills a tensor in place, without recording, and returns it.

A layer that adds up n products makes numbers √n times as large as its weights. What these functions choose is the size at which
signals neither grow nor fade on their way through many layers: the fan-in is how many numbers a unit reads (forward), the fan-out
how many units read it (backward).

Source: https://pytorch.org/docs/stable/nn.init.html
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..absent import missing
from ..errors import ShapeError, describe
from ..grad_mode import no_grad
from ..ops.creation import eye
from ..ops.random import rand, randn
from ..tensor import Tensor, wrap


def _in_place(fill: Callable) -> Callable:
    """Run without recording; an empty tensor stays as it is."""

    @functools.wraps(fill)
    def run(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            fill(tensor, *args, **kwargs)
        return tensor

    return run


def draw_parameters(layer: Any, inputs: int) -> None:
    """All parameters of a layer uniform in ±1/√inputs: how most layers start, with so many inputs to each output."""
    bound = 1 / math.sqrt(inputs) if inputs else 0.0
    for p in layer.parameters():
        p.data.uniform_(-bound, bound)


# -- the size of weights ---------------------------------------------------------------------------------------------
_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_GAINS |= {f"conv{t}{d}d": 1.0 for t in ("", "_transpose") for d in (1, 2, 3)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much an activation function shrinks its input on average, and weights must make up for.

    relu √2, leaky_relu √(2 / (1 + slope²)), tanh 5/3, selu 3/4, sigmoid and linear layers 1

    Args:
        param: the slope of leaky_relu (default 0.01).

    >>> round(calculate_gain("leaky_relu", 0.2), 4)
    1.3868

    Source: https://pytorch.org/docs/stable/nn.init.html#torch.nn.init.calculate_gain
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"the slope of leaky_relu must be a number, not {param!r}.")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"no gain is known for {nonlinearity!r}; there are {', '.join([*_GAINS, 'leaky_relu'])}.")
    return _GAINS[nonlinearity]


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, ...), whose further dims are a kernel that is applied at many places."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan-in and fan-out are of weights with at least 2 dims, and this is {describe(tensor)}.")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


_calculate_fan_in_and_fan_out = _fans  # its name in PyTorch, which layers of one's own ask for their first values


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode must be "fan_in" or "fan_out", not {mode!r}.')
    return _fans(tensor)[mode == "fan_out"]


# -- plain fills -----------------------------------------------------------------------------------------------------
@_in_place
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Uniform numbers between a and b."""
    return tensor.uniform_(a, b, generator=generator)


@_in_place
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Normally distributed numbers."""
    return tensor.normal_(mean, std, generator=generator)


@_in_place
def constant_(tensor: Tensor, val: float) -> Any:
    """One number everywhere."""
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Any:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Any:
    """0 everywhere."""
    return constant_(tensor, 0.0)


@_in_place
def eye_(tensor: Tensor) -> Any:
    """The identity: a linear layer that passes its inputs on."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_ takes a matrix, not {describe(tensor)}.")
    return tensor.copy_(eye(*tensor.shape))


@_in_place
def dirac_(tensor: Tensor, groups: int = 1) -> Any:
    """The identity of convolutions: each channel passes on the middle of what it sees."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_ takes the weight of a convolution, with 3, 4 or 5 dims, not {describe(tensor)}.")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {tensor.shape[0]} output channels cannot be cut into {groups} groups.")
    tensor.zero_()
    outputs = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(outputs, tensor.shape[1])):
            tensor[(group * outputs + channel, channel, *middle)] = 1
    return tensor


@_in_place
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Normally distributed numbers of which none lies outside [a, b], as if such were drawn again."""
    from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

    if not a <= b:
        raise ValueError(f"trunc_normal_: there are no numbers from a = {a} to b = {b}.")
    if (mean < a - 2 * std) or (mean > b + 2 * std):
        warnings.warn(
            f"trunc_normal_: the mean {mean} is more than 2 standard deviations outside [{a}, {b}], so the numbers may be badly "
            "distributed.",
            stacklevel=3,
        )
    low, high = ndtr((a - mean) / std), ndtr((b - mean) / std)
    u = rand(tensor.shape, generator=generator, dtype="float64", device="cpu").numpy()
    return tensor.copy_(wrap(np.clip(mean + std * ndtri(low + (high - low) * u), a, b)))


# -- by fan-in and fan-out -------------------------------------------------------------------------------------------
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Any:
    """Uniform in ±gain·√(6 / (fan-in + fan-out)): a compromise between forward and backward, for tanh and sigmoid.

    Source: Glorot, Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks"
    """
    bound = gain * math.sqrt(6 / max(sum(_fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Any:
    """Normal with standard deviation gain·√(2 / (fan-in + fan-out)).

    Source: Glorot, Bengio 2010
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(sum(_fans(tensor)), 1)), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    return calculate_gain(nonlinearity, a) / math.sqrt(max(_fan(tensor, mode), 1))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Uniform in ±gain·√(3 / fan), for relu and its kin with the slope `a` on the negative side.

    Source: He et al. 2015, "Delving deep into rectifiers"
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity) if tensor.numel() else 0.0
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Normal with standard deviation gain / √fan.

    Source: He et al. 2015
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity) if tensor.numel() else 0.0
    return normal_(tensor, 0.0, std, generator)


@_in_place
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Any:
    """A matrix (all dims behind the first are one) whose rows or columns are at right angles and have the length `gain`.

    Source: Saxe et al. 2013, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ takes at least 2 dims, not {describe(tensor)}.")
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    drawn = randn(rows, columns, generator=generator, dtype="float64", device="cpu").numpy()
    q, r = np.linalg.qr(drawn if rows >= columns else drawn.T)
    q = q * np.sign(np.diag(r))  # so that all of them are equally likely
    return tensor.copy_(wrap(gain * (q if rows >= columns else q.T)).reshape(tensor.shape))


@_in_place
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Normal numbers, of which this share in each column is 0.

    Source: Martens 2010, "Deep learning via Hessian-free optimization"
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ takes a matrix, not {describe(tensor)}.")
    rows, columns = tensor.shape
    tensor.normal_(0, std, generator=generator)
    empty = math.ceil(sparsity * rows)
    order = np.argsort(rand(rows, columns, generator=generator, device="cpu").numpy(), axis=0)[:empty]
    tensor[wrap(order), wrap(np.arange(columns))] = 0
    return tensor


def __getattr__(name: str) -> Any:
    """Their names before 2018 had no underscore: `xavier_uniform(w)`."""
    if name.startswith("_") or f"{name}_" not in globals():
        raise missing(__name__, name)
    return globals()[f"{name}_"]
