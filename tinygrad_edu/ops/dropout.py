"""Functions that draw random numbers in the forward pass: dropout, and choosing with a gradient.

What is drawn is an input of the operation and gets no gradient: a second pass through the same graph meets the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..dtypes import float32
from ..errors import ShapeError, describe
from ..op import op
from ..tensor import Tensor, wrap
from .creation import zeros_like
from .elementwise import log
from .random import rand, rand_like
from .reduction import argmax, floating
from .scatter import scatter
from .softmax import softmax

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout", "gumbel_softmax"]


# -- what the dropouts share -----------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, mask: g * mask)
def _dropout(x: Any, mask: Any) -> Any:
    """Drop what the mask says and enlarge the rest; what is dropped gets no gradient.

    z = x·mask, with mask 0 where x is dropped;  ∂x = g·mask
    """
    return x * mask


def _off(p: float, training: bool) -> bool:
    """Whether nothing is dropped."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is the probability that an element is dropped, so it lies in [0, 1]; it is {p}.")
    return not training or p == 0


def _kept(x: Tensor, p: float, shape: tuple[int, ...]) -> Any:
    """An array of True with probability 1 - p, else False."""
    return rand(shape, dtype=float32, device=x.device).array >= p


def _each(x: Tensor) -> tuple[int, ...]:
    """The shape of a mask with one number for each element."""
    return x.shape


def _each_channel(x: Tensor) -> tuple[int, ...]:
    """The shape of a mask with one number for each channel of each sample."""
    if x.ndim < 2:
        raise ShapeError(f"dropout of whole channels takes a batch of samples with channels, (N, C, ...), not {describe(x)}.")
    return x.shape[:2] + (1,) * (x.ndim - 2)


def _each_row(x: Tensor) -> tuple[int, ...]:
    """The shape of a mask with one number for each channel of the one sample that x is."""
    return x.shape[:1] + (1,) * (x.ndim - 1)


def _zeroed(x: Tensor, p: float, training: bool, mask: Callable) -> Tensor:
    """x with some of it 0 and the rest enlarged, so that the mean stays."""
    if _off(p, training):
        return x
    return _dropout(floating("dropout", x), wrap(_kept(x, p, mask(x)) * x.dtype.type(1 / (1 - p) if p < 1 else 0)))


# -- dropout ---------------------------------------------------------------------------------------------------------
def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """While training, every element becomes 0 with probability p, and the others are enlarged so that the mean stays.

    z = x·mask, with mask 0 with probability p, else 1 / (1 - p)

    Source: Srivastava et al. 2014; https://pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """
    return _zeroed(input, p, training, _each)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Dropout of whole channels of (N, C, L) or (C, L).

    z = x·mask, with mask 0 with probability p, else 1 / (1 - p), the same for a whole channel

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.dropout1d.html
    """
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d: expected (N, C, L) or (C, L), but got {describe(input)}.")
    return _zeroed(input, p, training, _each_channel if input.ndim == 3 else _each_row)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Dropout of whole channels of (N, C, ...): (C, H, W) would be taken for (N, C, L), as in PyTorch.

    z = x·mask, with mask 0 with probability p, else 1 / (1 - p), the same for a whole channel

    Source: Tompson et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.functional.dropout2d.html
    """
    return _zeroed(input, p, training, _each_channel)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W).

    z = x·mask, with mask 0 with probability p, else 1 / (1 - p), the same for a whole channel

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.dropout3d.html
    """
    return _zeroed(input, p, training, _each_row if input.ndim == 4 else _each_channel)


# -- dropout that keeps mean and variance ----------------------------------------------------------------------------
_SATURATED = -1.7580993408473766  # where selu ends on the negative side: -scale·alpha


def _saturated(x: Tensor, p: float, training: bool, mask: Callable) -> Tensor:
    """x with some of it at selu's lower end, then scaled and shifted so that mean 0 and variance 1 stay."""
    if _off(p, training):
        return x
    kept = _kept(floating("alpha_dropout", x), p, mask(x))
    scale = 1 / math.sqrt((_SATURATED**2 * p + 1) * (1 - p)) if p < 1 else 0.0
    shift = x.dtype.type(scale * _SATURATED) * ~kept - x.dtype.type(scale * p * _SATURATED)
    return _dropout(x, wrap(kept * x.dtype.type(scale))) + wrap(shift)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False) -> Tensor:
    """Dropout for selu networks: dropped elements take selu's lowest value, and mean 0 and variance 1 stay as they are.

    z = a·(x where kept, else α') + b, with α' = -1.7581, a = 1/√((1 - p)·(1 + p·α'²)), b = -a·p·α'

    Source: Klambauer et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.functional.alpha_dropout.html
    """
    return _saturated(input, p, training, _each)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False) -> Tensor:
    """alpha_dropout of whole channels of (N, C, ...).

    z = a·(x where kept, else α') + b, as alpha_dropout, the same choice for a whole channel

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.feature_alpha_dropout.html
    """
    return _saturated(input, p, training, _each_channel)


# -- choosing with a gradient ----------------------------------------------------------------------------------------
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Draw a category with the probabilities softmax(logits), softly, so that a gradient passes.

    z = softmax((logits + G) / tau), with G = -ln(-ln U) for a uniform U

    The largest element is at category i with probability softmax(logits)[i]; the smaller tau, the closer z is to one-hot.

    Args:
        hard: return one-hot vectors, whose gradient is that of the soft ones.
        eps: accepted for PyTorch's sake, and ignored.

    Source: Jang et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.functional.gumbel_softmax.html
    """
    gumbel = -log(-log(1 - rand_like(logits)))  # 1 - U lies in (0, 1], whose logarithm is finite
    soft = softmax((floating("gumbel_softmax", logits) + gumbel) / tau, dim)
    if not hard:
        return soft
    one_hot = scatter(zeros_like(soft), dim, argmax(soft, dim, keepdim=True), value=1.0)
    return one_hot - soft.detach() + soft
