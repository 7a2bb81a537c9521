"""Arithmetic of two tensors, or of a tensor and a number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import DtypeError, describe
from ..op import cast, op
from ..spelling import factor_first
from ..tensor import Tensor
from .indexing import _where, where

__all__ = [
    "add", "addcdiv", "addcmul", "arctan2", "atan2", "copysign", "div", "divide", "float_power", "floor_divide", "fmax",
    "fmin", "fmod", "gcd", "hypot", "lcm", "lerp", "logaddexp", "logaddexp2", "maximum", "minimum", "mul", "multiply", "neg",
    "negative", "positive", "pow", "reciprocal", "remainder", "rsub", "sub", "subtract", "true_divide", "xlogy",
]  # fmt: skip


# -- the four operations ---------------------------------------------------------------------------------------------
@op(dtype="common", dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: g)
def _add(x: Any, y: Any) -> Any:
    """Add element by element; the gradient passes to both unchanged.

    z = x + y;  ∂x = g;  ∂y = g
    """
    return x + y


@factor_first
def add(x: Any, other: Any, *, alpha: Any = 1) -> Any:
    """x + alpha·other, element by element; the gradient passes to both.

    Source: https://pytorch.org/docs/stable/generated/torch.add.html
    """
    return _add(x, other if alpha == 1 else _scaled("add", x, other, alpha))


@op(dtype="common", dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: -g)
def _sub(x: Any, y: Any) -> Any:
    """Subtract element by element; the gradient passes to the second with its sign turned.

    z = x - y;  ∂x = g;  ∂y = -g
    """
    try:
        return x - y
    except TypeError:
        _no_bools("subtract", x, y)
        raise


@factor_first
def sub(x: Any, other: Any, *, alpha: Any = 1) -> Any:
    """x - alpha·other, element by element.

    Source: https://pytorch.org/docs/stable/generated/torch.sub.html
    """
    _no_bools("subtract", x, other)
    return _sub(x, other if alpha == 1 else _scaled("sub", x, other, alpha))


def rsub(x: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha·x.

    Source: https://pytorch.org/docs/stable/generated/torch.rsub.html
    """
    return sub(other, x, alpha=alpha)


subtract = sub


def _scaled(name: str, x: Any, other: Any, alpha: Any) -> Any:
    """alpha·other in the dtype of the result; a fractional alpha is refused where that is of integers."""
    dtype = dtypes.result_dtype((x, other)) if isinstance(x, Tensor) or isinstance(other, Tensor) else dtypes.float64
    if isinstance(alpha, bool) and dtype.kind != "b":
        raise DtypeError(f"{name}: alpha must be a number, not {alpha}, for tensors that are not of bools.")
    if isinstance(alpha, float) and dtype.kind != "f":
        raise DtypeError(f"{name}: alpha={alpha} is a fraction, but the tensors hold integers; convert them with .float().")
    if isinstance(other, Tensor) and other.dtype != dtype:
        other = cast(other, dtype=dtype)
    return other * (bool(alpha) if dtype.kind == "b" else alpha)


def _no_bools(what: str, *tensors: Any) -> None:
    for x in tensors:
        if isinstance(x, bool) or getattr(x, "dtype", None) == np.bool_:
            raise DtypeError(f"cannot {what} bools: use logical_not, ^ or logical_xor, or convert to numbers first.")


@op(dtype="common", precise=True, dx=lambda g, z, x, y: g * y, dy=lambda g, z, x, y: g * x)
def mul(x: Any, y: Any) -> Any:
    """Multiply element by element; each factor's gradient is scaled by the other factor.

    z = x·y;  ∂x = g·y;  ∂y = g·x

    Source: https://pytorch.org/docs/stable/generated/torch.mul.html
    """
    return x * y


multiply = mul


@op(dtype="float", precise=True, dx=lambda g, z, x, y: g / y, dy=lambda g, z, x, y: -g * z / y)
def _div(x: Any, y: Any) -> Any:
    """Divide element by element.

    z = x / y;  ∂x = g / y;  ∂y = -g·z / y
    """
    return x / y


@op(dx=lambda g, z, x: _zero(g))
def _zero(x: Any) -> Any:
    """Zeros in place of all numbers, also of infinite ones: the gradient where a function is flat.

    z = 0;  ∂x = 0
    """
    return np.zeros_like(x)


@op(dtype="common", precise=True, dx=lambda g, z, x, y, down: _zero(g), dy=lambda g, z, x, y, down: _zero(g))
def _div_rounded(x: Any, y: Any, *, down: bool = True) -> Any:
    """Divide and round, towards minus infinity if `down`, else towards zero: a staircase, so its gradient is 0.

    z = ⌊x / y⌋;  ∂x = 0;  ∂y = 0
    """
    integers = not _floating(x, y)
    y = _divisor(x, y)
    if down:
        z = np.floor_divide(x, y)
        return z if integers else np.where(np.equal(y, 0), x / y, z)  # as PyTorch: 1 // 0 is inf, and inf // 1 is NaN
    if not integers:
        return np.trunc(x / y)
    z = np.floor_divide(x, y)
    return z + ((z < 0) & (z * y != x))  # a negative quotient that is not exact was rounded away from zero


def over(g: Any, y: Any) -> Any:
    """g / y, and 0 where y is 0; the derivatives are 0 there, too."""
    zero = y == 0
    return _where(~zero, g, 0) / (y + zero)


def div(x: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide element by element: exactly (None), rounded towards zero ("trunc") or down ("floor").

    z = x / other

    Source: https://pytorch.org/docs/stable/generated/torch.div.html
    """
    if rounding_mode is None:
        return _div(x, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(f'div: rounding_mode must be None, "trunc" or "floor", not {rounding_mode!r}.')
    return _div_rounded(x, other, down=rounding_mode == "floor")


divide = true_divide = div


def floor_divide(x: Any, other: Any) -> Any:
    """x / other, rounded down.

    Source: https://pytorch.org/docs/stable/generated/torch.floor_divide.html
    """
    return _div_rounded(x, other, down=True)


@op(dtype="common", dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: -g * _div_rounded(x, y, down=True))
def remainder(x: Any, y: Any) -> Any:
    """What is left of x after division by y, with the sign of y.

    z = x - y·⌊x/y⌋;  ∂x = g;  ∂y = -g·⌊x/y⌋

    Source: https://pytorch.org/docs/stable/generated/torch.remainder.html
    """
    return np.remainder(x, _divisor(x, y))


@op(dtype="common", dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: -g * _div_rounded(x, y, down=False))
def fmod(x: Any, y: Any) -> Any:
    """What is left of x after division by y, with the sign of x.

    z = x - y·trunc(x/y);  ∂x = g;  ∂y = -g·trunc(x/y)

    Source: https://pytorch.org/docs/stable/generated/torch.fmod.html
    """
    return np.fmod(x, _divisor(x, y))


def _divisor(x: Any, y: Any) -> Any:
    """y, refused if integers would be divided by zero."""
    if not _floating(x, y) and not np.all(y):
        raise ZeroDivisionError("integers cannot be divided by zero")
    return y


def _floating(*arrays: Any) -> bool:
    return any(isinstance(a, float) or (hasattr(a, "dtype") and a.dtype.kind == "f") for a in arrays)


@op(dx=lambda g, z, x: -g)
def _neg(x: Any) -> Any:
    """The sign turned.

    z = -x;  ∂x = -g
    """
    try:
        return -x
    except TypeError:
        _no_bools("negate", x)
        raise


def neg(x: Any) -> Any:
    """The sign turned.

    Source: https://pytorch.org/docs/stable/generated/torch.neg.html
    """
    return _neg(x)


negative = neg


def positive(x: Any) -> Any:
    """The tensor itself; refused for bools."""
    _no_bools("take +x of", x)
    return x


@op(dtype="float", dx=lambda g, z, x: -g * z * z)
def reciprocal(x: Any) -> Any:
    """One divided by x.

    z = 1 / x;  ∂x = -g·z²

    Source: https://pytorch.org/docs/stable/generated/torch.reciprocal.html
    """
    return 1 / x


# -- powers ----------------------------------------------------------------------------------------------------------
def _pow_base(g: Any, z: Any, x: Any, exponent: Any) -> Any:
    if not hasattr(exponent, "shape"):
        return g * (exponent * pow(x, exponent - 1)) if exponent else _zero(g)
    flat = exponent == 0  # x⁰ is 1 everywhere, also at 0, where x⁻¹ is infinite
    return where(flat, 0, g * (exponent * pow(x, exponent - 1 + flat)))


def _pow_exponent(g: Any, z: Any, x: Any, exponent: Any) -> Any:
    from .elementwise import log

    flat = (x == 0) & (exponent >= 0)
    if hasattr(x, "shape"):
        return where(flat, 0, g * (z * log(x + flat)))
    return where(flat, 0, g * (z * (math.log(x) if x > 0 else math.nan if x else -math.inf)))


@op(dtype="common", dx=_pow_base, dexponent=_pow_exponent)
def pow(x: Any, exponent: Any) -> Any:
    """Raise to a power, element by element; one of the two may be a number.

    z = xⁿ;  ∂x = g·n·xⁿ⁻¹ (0 where n = 0);  ∂n = g·z·ln x (0 where x = 0 and n ≥ 0)

    Raises:
        RuntimeError: integers to a negative number.

    Source: https://pytorch.org/docs/stable/generated/torch.pow.html
    """
    if _floating(x, exponent):
        return _power(x, exponent)
    if isinstance(exponent, int) and exponent < 0:
        raise RuntimeError(f"integers to a negative power ({exponent}) are fractions: convert them with .float() first.")
    if all(isinstance(a, bool) or getattr(a, "dtype", None) == np.bool_ for a in (x, exponent)):
        raise DtypeError("pow: bools to the power of bools are not offered: convert them with .long().")
    return np.power(x, abs(exponent)) * ((exponent >= 0) | (abs(x) == 1))  # 2⁻¹ is a fraction and becomes 0, as in PyTorch


def _power(x: Any, n: Any) -> Any:
    """xⁿ of floats. NumPy takes 80 ns for each negative x, a hundred times as long as for others; so whole n are taken of |x|."""
    if type(n) not in (int, float) or n in (-1, 0, 0.5, 1, 2) or not float(n).is_integer():
        return x**n
    if n == 3:
        return x * x * x
    z = np.abs(x) ** n
    return np.copysign(z, x) if n % 2 else z


def float_power(x: Any, exponent: Any) -> Any:
    """`pow` in float64.

    Source: https://pytorch.org/docs/stable/generated/torch.float_power.html
    """
    return pow(*(cast(a, dtype=dtypes.float64) if isinstance(a, Tensor) else float(a) for a in (x, exponent)))


# -- the larger, the smaller -----------------------------------------------------------------------------------------
@op(dtype="common", dx=lambda g, z, x, y: _chosen(g, x, y), dy=lambda g, z, x, y: _chosen(g, y, x))
def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element; it gets the gradient, and equal ones get half each.

    z = max(x, y);  ∂x = g where x > y, g/2 where x = y;  ∂y likewise

    Source: https://pytorch.org/docs/stable/generated/torch.maximum.html
    """
    return np.maximum(x, y)


@op(dtype="common", dx=lambda g, z, x, y: _chosen(g, y, x), dy=lambda g, z, x, y: _chosen(g, x, y))
def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element; it gets the gradient, and equal ones get half each.

    z = min(x, y);  ∂x = g where x < y, g/2 where x = y;  ∂y likewise

    Source: https://pytorch.org/docs/stable/generated/torch.minimum.html
    """
    return np.minimum(x, y)


def _chosen(g: Any, larger: Any, smaller: Any) -> Any:
    """g, 0 where the first is not the larger, half where they are equal; all of it where one is NaN, as the result is."""
    return _where(larger == smaller, g * 0.5, _where(~(larger < smaller), g, 0))


@op(
    dtype="common",
    dx=lambda g, z, x, y: _where(_first_wins(x, y, 1), g, 0),
    dy=lambda g, z, x, y: _where(~_first_wins(x, y, 1), g, 0),
)
def fmax(x: Any, y: Any) -> Any:
    """The larger of two, where a NaN counts as missing; the first one gets the gradient of equal ones.

    z = max(x, y);  ∂x = g where x ≥ y or y is NaN, else 0;  ∂y = 0 where x ≥ y or y is NaN, else g

    Source: https://pytorch.org/docs/stable/generated/torch.fmax.html
    """
    return np.fmax(x, y)


@op(
    dtype="common",
    dx=lambda g, z, x, y: _where(_first_wins(x, y, -1), g, 0),
    dy=lambda g, z, x, y: _where(~_first_wins(x, y, -1), g, 0),
)
def fmin(x: Any, y: Any) -> Any:
    """The smaller of two, where a NaN counts as missing; the first one gets the gradient of equal ones.

    z = min(x, y);  ∂x = g where x ≤ y or y is NaN, else 0;  ∂y = 0 where x ≤ y or y is NaN, else g

    Source: https://pytorch.org/docs/stable/generated/torch.fmin.html
    """
    return np.fmin(x, y)


def _first_wins(x: Any, y: Any, sign: int) -> Any:
    return (x >= y if sign > 0 else x <= y) | (y != y)


# -- other functions of two tensors ----------------------------------------------------------------------------------
@op(dtype="float", dx=lambda g, z, x, y: g * (x / z), dy=lambda g, z, x, y: g * (y / z))
def hypot(x: Any, y: Any) -> Any:
    """The length of the hypotenuse.

    z = √(x² + y²);  ∂x = g·x / z;  ∂y = g·y / z

    Source: https://pytorch.org/docs/stable/generated/torch.hypot.html
    """
    return np.hypot(x, y)


@op(dtype="float", dx=lambda g, z, x, y: _angle_gradient(g, x, y) * y, dy=lambda g, z, x, y: _angle_gradient(g, x, y) * -x)
def atan2(x: Any, y: Any) -> Any:
    """The angle of the point (y, x): arctan(x / y) in the right quadrant.

    z = atan2(x, y);  ∂x = g·y / (x² + y²);  ∂y = -g·x / (x² + y²)  (0 at the origin)

    Source: https://pytorch.org/docs/stable/generated/torch.atan2.html
    """
    return np.arctan2(x, y)


def _angle_gradient(g: Any, x: Any, y: Any) -> Any:
    return over(g, x * x + y * y)


arctan2 = atan2


def _first_share(x: Any, y: Any) -> Any:
    """eˣ / (eˣ + eʸ)."""
    from .elementwise import sigmoid

    return sigmoid(x - y)


@op(dtype="float", dx=lambda g, z, x, y: g * _first_share(x, y), dy=lambda g, z, x, y: g * _first_share(y, x))
def logaddexp(x: Any, y: Any) -> Any:
    """The logarithm of a sum of exponentials, without overflow; each gets its share of the gradient.

    z = ln(eˣ + eʸ);  ∂x = g·σ(x - y);  ∂y = g·σ(y - x)

    Source: https://pytorch.org/docs/stable/generated/torch.logaddexp.html
    """
    top = np.maximum(x, y)
    most = np.finfo(top.dtype).max
    return top + np.log1p(np.exp(np.minimum(x, y) - top.clip(-most, most)))  # a sixth of the time of np.logaddexp


LN2 = math.log(2)


@op(
    dtype="float",
    dx=lambda g, z, x, y: g * _first_share(x * LN2, y * LN2),
    dy=lambda g, z, x, y: g * _first_share(y * LN2, x * LN2),
)
def logaddexp2(x: Any, y: Any) -> Any:
    """The base-2 logarithm of a sum of powers of 2, without overflow; each gets its share of the gradient.

    z = log₂(2ˣ + 2ʸ);  ∂x = g·σ((x - y)·ln 2);  ∂y = g·σ((y - x)·ln 2)

    Source: https://pytorch.org/docs/stable/generated/torch.logaddexp2.html
    """
    return np.logaddexp2(x, y)


@op(dtype="float", dx=lambda g, z, x, y: where((x == 0) & (y <= 0), 0, xlogy(g, y)), dy=lambda g, z, x, y: g * x / y)
def xlogy(x: Any, y: Any) -> Any:
    """x·ln y, and 0 where x is 0.

    z = x·ln y;  ∂x = g·ln y;  ∂y = g·x / y

    Source: https://pytorch.org/docs/stable/generated/torch.special.xlogy.html
    """
    zero = (x == 0) & ~np.isnan(y)
    return x * np.log(np.where(zero, 1, y).astype(np.result_type(x, y)))


def _copysign_x(g: Any, z: Any, x: Any, y: Any) -> Any:
    from .elementwise import sign

    return g * sign(x) * sign(z)


@op(dtype="float", dx=_copysign_x, dy=lambda g, z, x, y: _zero(g))
def copysign(x: Any, y: Any) -> Any:
    """The size of x with the sign of y; the second one's gradient is 0.

    z = |x|·sign y;  ∂x = g where the sign stayed, -g where it turned, 0 at 0;  ∂y = 0

    Source: https://pytorch.org/docs/stable/generated/torch.copysign.html
    """
    return np.copysign(x, y)


@factor_first
def addcmul(x: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """x + value·tensor1·tensor2.

    Source: https://pytorch.org/docs/stable/generated/torch.addcmul.html
    """
    return add(x, tensor1 * tensor2, alpha=value)


@factor_first
def addcdiv(x: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """x + value·tensor1 / tensor2.

    Source: https://pytorch.org/docs/stable/generated/torch.addcdiv.html
    """
    if not _floating(tensor1, tensor2):
        raise DtypeError(f"addcdiv divides, and integers do not divide evenly: {describe(tensor1)}; convert with .float().")
    return add(x, tensor1 / tensor2, alpha=value)


@op(
    dtype="same",
    dx=lambda g, z, x, end, weight: g * (1 - weight),
    dend=lambda g, z, x, end, weight: g * weight,
    dweight=lambda g, z, x, end, weight: g * (end - x),
)
def lerp(x: Any, end: Any, weight: Any) -> Any:
    """The point that lies `weight` of the way from x to end; counted from the nearer one, so that both are met exactly.

    z = x + weight·(end - x);  ∂x = g·(1 - weight);  ∂end = g·weight;  ∂weight = g·(end - x)

    Source: https://pytorch.org/docs/stable/generated/torch.lerp.html
    """
    way = end - x
    if isinstance(weight, int | float):
        return x + weight * way if abs(weight) < 0.5 else end - (1 - weight) * way
    return np.where(np.abs(weight) < 0.5, x + weight * way, end - (1 - weight) * way)


def _integers(name: str, x: Any, y: Any) -> None:
    if _floating(x, y):
        raise DtypeError(f"{name}: only integers have common divisors and multiples; convert floats with .long().")


@op(dtype="common")
def gcd(x: Any, y: Any) -> Any:
    """The greatest common divisor of integers.

    z = gcd(x, y)
    """
    _integers("gcd", x, y)
    return np.gcd(x, y)


@op(dtype="common")
def lcm(x: Any, y: Any) -> Any:
    """The least common multiple of integers.

    z = lcm(x, y)
    """
    _integers("lcm", x, y)
    return np.lcm(x, y)
