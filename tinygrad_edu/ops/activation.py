"""Activation functions: the bends between the layers of a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import choose, number
from ..errors import ShapeError, describe
from ..op import op
from .elementwise import abs, clamp, erf, exp, sigmoid, square, tanh
from .indexing import _where, where
from .shape import one_dim, reshape
from .splitting import chunk

__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish",
    "prelu", "relu", "relu6", "rrelu", "selu", "silu", "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
]  # fmt: skip


@op(dx=lambda g, z, x: _where(z != number(0, z), g, 0))  # a NaN is not 0: it passes, and so does its gradient
def relu(x: Any) -> Any:
    """Positive elements pass, negative ones become 0 and get no gradient.

    z = max(x, 0);  ∂x = g where x > 0, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    if x.size > 4096 and x.dtype.kind == "f":
        return x.clip(0, math.inf)  # a third of the time that np.maximum takes to compare many numbers with one
    return np.maximum(x, number(0, x))


@op(dx=lambda g, z, x: _where((x > 0) & (x < 6), g, 0))
def relu6(x: Any) -> Any:
    """relu that stops at 6.

    z = min(max(x, 0), 6);  ∂x = g where 0 < x < 6, else 0
    """
    return x.clip(0, 6)


@op(dtype="float", dx=lambda g, z, x, negative_slope: where(x > 0, g, g * negative_slope))
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    """relu with a small slope on the negative side, so that no gradient dies.

    z = x where x > 0, else slope·x;  ∂x = g where x > 0, else slope·g

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.leaky_relu.html
    """
    if 0 < negative_slope <= 1:
        return np.maximum(x, x * negative_slope)
    return choose(x > 0, x, x * negative_slope)


@op(dtype="same", dx=lambda g, z, x, a: where(x > 0, g, g * a), da=lambda g, z, x, a: _where(x <= 0, g * x, 0))
def _prelu(x: Any, a: Any) -> Any:
    """leaky relu whose slope is learnt.

    z = x where x > 0, else a·x;  ∂x = g where x > 0, else a·g;  ∂a = g·x where x ≤ 0
    """
    return choose(x > 0, x, x * a)


def prelu(x: Any, weight: Any) -> Any:
    """leaky relu whose slope is learnt: one for all, or one per channel (dim 1).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html
    """
    if weight.ndim > 1:
        raise ShapeError(f"prelu: the weight must hold one slope, or one per channel; it is {describe(weight)}.")
    if weight.ndim and weight.shape[0] != 1:
        channels = x.shape[1] if x.ndim > 1 else 1
        if weight.shape[0] != channels:
            raise ShapeError(f"prelu: {weight.shape[0]} slopes for {channels} channels of {describe(x)}.")
        weight = reshape(weight, shape=(-1,) + (1,) * (x.ndim - 2))
    elif weight.ndim:
        weight = reshape(weight, shape=(1,) * x.ndim)
    return _prelu(x, weight)


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """leaky relu whose slopes are drawn anew for every element while training, and are the mean of the limits afterwards.

    z = x where x > 0, else slope·x

    Source: Xu et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.functional.rrelu.html
    """
    if lower > upper:
        raise RuntimeError(f"rrelu: the lower limit {lower} is above the upper one {upper}.")
    if not training:
        return leaky_relu(x, negative_slope=(lower + upper) / 2)
    from .random import rand_like

    return _prelu(x, lower + (upper - lower) * rand_like(x))


@op(
    dtype="float",
    dx=lambda g, z, x, alpha, scale, input_scale: where(x > 0, g * scale, g * ((z + alpha * scale) * input_scale)),
)
def _elu(x: Any, *, alpha: float, scale: float, input_scale: float) -> Any:
    """x on the positive side, a falling exponential on the negative one.

    z = s·x where x > 0, else s·α·(e^(t·x) - 1);  ∂x = g·s where x > 0, else g·t·(z + s·α)
    """
    t = np.tanh((0.5 * input_scale) * x.clip(-math.inf, 0))  # a third of the time of np.minimum
    return scale * relu(x) + (2 * scale * alpha) * (t / (1 - t))  # eˣ - 1 = 2t / (1 - t), faster than np.expm1


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x on the positive side, α·(eˣ - 1) on the negative one.

    z = x where x > 0, else α·(eˣ - 1)

    Source: Clevert et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.functional.elu.html
    """
    return _elu(x, alpha=alpha, scale=1.0, input_scale=1.0)


def selu(x: Any) -> Any:
    """elu with the two constants that keep mean 0 and variance 1 from layer to layer.

    z = 1.0507·(x where x > 0, else 1.6733·(eˣ - 1))

    Source: Klambauer et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.functional.selu.html
    """
    return _elu(x, alpha=1.6732632423543772848170429916717, scale=1.0507009873554804934193349852946, input_scale=1.0)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """elu whose slope is continuous for every α.

    z = x where x > 0, else α·(e^(x/α) - 1)

    Source: Barron 2017; https://pytorch.org/docs/stable/generated/torch.nn.functional.celu.html
    """
    if not alpha:
        raise ZeroDivisionError("celu: alpha must not be 0.")
    return _elu(x, alpha=alpha, scale=1.0, input_scale=1.0 / alpha)


def gelu(x: Any, approximate: str = "none") -> Any:
    """x times the probability that a standard normal number is smaller; or its approximation by tanh.

    z = x·Φ(x) = x·(1 + erf(x/√2)) / 2

    Source: Hendrycks, Gimpel 2016; https://pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}.')
    return x * _normal_cdf(x) if approximate == "none" else _gelu_tanh(x)


def _normal_density(x: Any) -> Any:
    return exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))


@op(dtype="float", keeps="density", dx=lambda g, z, x, density: g * (_normal_density(x) if density is None else density))
def _normal_cdf(x: Any) -> Any:
    """The probability that a standard normal number is smaller.

    z = Φ(x) = (1 + erf(x/√2)) / 2;  ∂x = g·φ(x) = g·e^(-x²/2) / √(2π)

    Below float64 a formula that is exact to 1e-7, to 3e-7 with float32's rounding, replaces erf, which is several times slower.
    Source: Abramowitz, Stegun, Handbook of Mathematical Functions, 26.2.17
    """
    density = _normal_density(x)
    if x.dtype == np.float64:
        return 0.5 + 0.5 * erf(x * math.sqrt(0.5)), density
    t = 1 / (1 + 0.2316419 * np.abs(x))
    above = t * 1.330274429  # the probability that a number is larger than |x|
    for coefficient in (-1.821255978, 1.781477937, -0.356563782, 0.319381530):
        above += coefficient
        above *= t
    above *= density
    return np.abs((x > 0) - above), density  # 1 - above, or above


@op(dtype="float", dx=lambda g, z, x: g * _gelu_tanh_slope(x))
def _gelu_tanh(x: Any) -> Any:
    """gelu, approximated.

    z = x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2;  ∂x = g·slope of this
    """
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def _gelu_tanh_slope(x: Any) -> Any:
    t = tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x))


@op(dtype="float", keeps="gate", dx=lambda g, z, x, gate: g * _silu_slope(z, sigmoid(x) if gate is None else gate))
def silu(x: Any) -> Any:
    """x times its sigmoid.

    z = x·σ(x);  ∂x = g·(σ(x) + z·(1 - σ(x)))

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.silu.html
    """
    gate = sigmoid(x)
    return x * gate, gate


def _silu_slope(z: Any, gate: Any) -> Any:
    return gate + z * (1 - gate)


def mish(x: Any) -> Any:
    """x times the tanh of its softplus.

    z = x·tanh(ln(1 + eˣ))

    Source: Misra 2019; https://pytorch.org/docs/stable/generated/torch.nn.functional.mish.html
    """
    return x * tanh(softplus(x))


@op(dtype="float", dx=lambda g, z, x: g * sigmoid(-x))
def logsigmoid(x: Any) -> Any:
    """The logarithm of the sigmoid, without overflow.

    z = ln σ(x) = min(x, 0) - ln(1 + e^-|x|);  ∂x = g·σ(-x)
    """
    return x.clip(-math.inf, 0) - _log1p(np.exp(-np.abs(x)))


def _log1p(u: Any) -> Any:
    """ln(1 + u) of 0 ≤ u ≤ 1, several times as fast as np.log1p: the second term is what rounding 1 + u lost."""
    v = 1 + u
    return np.log(v) - ((v - 1) - u) / v


@op(dtype="float", dx=lambda g, z, x, beta, threshold: where(x * beta > threshold, g, g * sigmoid(x * beta)))
def softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """A smooth relu; where β·x is above the threshold it is x.

    z = ln(1 + e^(β·x)) / β;  ∂x = g·σ(β·x)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html
    """
    scaled = x * beta
    smooth = (relu(scaled) + _log1p(np.exp(-np.abs(scaled)))) / beta
    return choose(scaled > threshold, x, smooth)


@op(dtype="float", dx=lambda g, z, x, lambd: _where((x > lambd) | (x < -lambd), g, 0))
def softshrink(x: Any, *, lambd: float = 0.5) -> Any:
    """Everything moved towards 0 by lambd; what would pass 0 becomes 0 and gets no gradient.

    z = x - λ where x > λ, x + λ where x < -λ, else 0;  ∂x = g where |x| > λ, else 0
    """
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, and it is {lambd}.")
    return x - x.clip(-lambd, lambd)


@op(dtype="float", dx=lambda g, z, x, lambd: _where(~((x >= -lambd) & (x <= lambd)), g, 0))
def hardshrink(x: Any, *, lambd: float = 0.5) -> Any:
    """Elements up to lambd in size become 0 and get no gradient.

    z = x where |x| > λ, else 0;  ∂x = g where |x| > λ, else 0
    """
    return choose((x >= -lambd) & (x <= lambd), 0, x)


def tanhshrink(x: Any) -> Any:
    """What tanh takes away.

    z = x - tanh x
    """
    return x - tanh(x)


@op(dx=lambda g, z, x, min_val, max_val: _where((x > min_val) & (x < max_val), g, 0))
def hardtanh(x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """A tanh of straight lines: elements outside the limits stay at them and get no gradient.

    z = min(max(x, low), high);  ∂x = g where low < x < high, else 0
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is larger than max_val {max_val}.")
    return x.clip(min_val, max_val).astype(x.dtype, copy=False)  # integers with fractional limits stay integers


@op(dtype="float", dx=lambda g, z, x: _where((x > -3) & (x < 3), g / 6, 0))
def hardsigmoid(x: Any) -> Any:
    """A sigmoid of straight lines.

    z = min(max(x + 3, 0), 6) / 6;  ∂x = g/6 where -3 < x < 3, else 0
    """
    return (x + 3).clip(0, 6) / 6


@op(dtype="float", dx=lambda g, z, x: _where(~(x <= -3), g, 0) * _hardswish_slope(x))
def hardswish(x: Any) -> Any:
    """x times its hardsigmoid.

    z = x·min(max(x + 3, 0), 6) / 6;  ∂x = 0 where x ≤ -3, g where x ≥ 3, else g·(x/3 + 1/2)

    Source: Howard et al. 2019; https://pytorch.org/docs/stable/generated/torch.nn.functional.hardswish.html
    """
    return x * ((x + 3).clip(0, 6) / 6)


def _hardswish_slope(x: Any) -> Any:
    sixth = clamp(x, -3, 3) / 6  # x·h has the slope h + x·h', and h is 1/2 + x/6 and flat outside
    return 0.5 + sixth + sixth * (abs(x) < 3)


@op(dtype="float", dx=lambda g, z, x: g / square(1 + abs(x)))
def softsign(x: Any) -> Any:
    """Squash to (-1, 1), more slowly than tanh.

    z = x / (1 + |x|);  ∂x = g / (1 + |x|)²
    """
    return x / (1 + np.abs(x))


@op(dx=lambda g, z, x, threshold, value: _where(~(x <= threshold), g, 0))
def threshold(x: Any, *, threshold: float, value: float) -> Any:
    """Elements above the threshold pass, the others become `value` and get no gradient.

    z = x where x > threshold, else value;  ∂x = g where x > threshold, else 0
    """
    return choose(x <= threshold, number(value, x), x)


def glu(x: Any, dim: int = -1) -> Any:
    """The first half of a dim, let through as far as the sigmoid of the second half says.

    z = a·σ(b), where x = (a, b)

    Source: Dauphin et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.functional.glu.html
    """
    if not x.ndim or x.shape[one_dim(dim, x.ndim)] % 2:
        raise RuntimeError(f"glu halves dim {dim}, which must be of even size; this is {describe(x)}.")
    first, second = chunk(x, 2, dim)
    return first * sigmoid(second)
