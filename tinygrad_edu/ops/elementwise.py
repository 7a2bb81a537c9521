"""Functions of one tensor, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..backend import number
from ..errors import DtypeError, describe
from ..op import cast, no_derivative, op
from ..tensor import Tensor
from .arithmetic import _zero, over
from .indexing import _where
from .shape import ints

__all__ = [
    "abs", "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh",
    "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "cos", "cosh", "deg2rad", "digamma", "erf", "erfc",
    "erfinv", "exp", "exp2", "expm1", "fix", "floor", "frac", "heaviside", "lgamma", "log", "log10", "log1p", "log2", "logit",
    "nan_to_num", "polygamma", "rad2deg", "round", "rsqrt", "sgn", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt", "square",
    "tan", "tanh", "trunc",
]  # fmt: skip


# -- powers, exponentials and logarithms -----------------------------------------------------------------------------
@op(dx=lambda g, z, x: g * (2 * x))
def square(x: Any) -> Any:
    """The square.

    z = x²;  ∂x = 2·g·x
    """
    return x * x if x.dtype != np.bool_ else x.astype(np.int64)


@op(dtype="float", dx=lambda g, z, x: g / (2 * z))
def sqrt(x: Any) -> Any:
    """The square root; its slope is infinite at 0.

    z = √x;  ∂x = g / (2·z)
    """
    return np.sqrt(x)


@op(dtype="float", dx=lambda g, z, x: g * (z * z * z) * -0.5)
def rsqrt(x: Any) -> Any:
    """One divided by the square root.

    z = 1 / √x;  ∂x = -g·z³ / 2
    """
    return 1 / np.sqrt(x)


@op(dtype="float", dx=lambda g, z, x: g * z)
def exp(x: Any) -> Any:
    """The exponential, which is its own slope.

    z = eˣ;  ∂x = g·z
    """
    return np.exp(x)


@op(dtype="float", dx=lambda g, z, x: g * z * math.log(2))
def exp2(x: Any) -> Any:
    """The power of 2.

    z = 2ˣ;  ∂x = g·z·ln 2
    """
    return np.exp2(x)


@op(dtype="float", dx=lambda g, z, x: g * (z + 1))
def expm1(x: Any) -> Any:
    """The exponential minus 1, exact for small x.

    z = eˣ - 1;  ∂x = g·(z + 1)
    """
    return np.expm1(x)


@op(dtype="float", dx=lambda g, z, x: g / x)
def log(x: Any) -> Any:
    """The natural logarithm.

    z = ln x;  ∂x = g / x
    """
    return np.log(x)


@op(dtype="float", dx=lambda g, z, x: g / (x * math.log(2)))
def log2(x: Any) -> Any:
    """The logarithm to base 2.

    z = log₂ x;  ∂x = g / (x·ln 2)
    """
    return np.log2(x)


@op(dtype="float", dx=lambda g, z, x: g / (x * math.log(10)))
def log10(x: Any) -> Any:
    """The logarithm to base 10.

    z = log₁₀ x;  ∂x = g / (x·ln 10)
    """
    return np.log10(x)


@op(dtype="float", dx=lambda g, z, x: g / (1 + x))
def log1p(x: Any) -> Any:
    """The logarithm of 1 + x, exact for small x.

    z = ln(1 + x);  ∂x = g / (1 + x)
    """
    return np.log1p(x)


# -- angles ----------------------------------------------------------------------------------------------------------
@op(dtype="float", dx=lambda g, z, x: g * cos(x))
def sin(x: Any) -> Any:
    """The sine.

    z = sin x;  ∂x = g·cos x
    """
    return np.sin(x)


@op(dtype="float", dx=lambda g, z, x: -g * sin(x))
def cos(x: Any) -> Any:
    """The cosine.

    z = cos x;  ∂x = -g·sin x
    """
    return np.cos(x)


@op(dtype="float", dx=lambda g, z, x: g * (1 + z * z))
def tan(x: Any) -> Any:
    """The tangent.

    z = tan x;  ∂x = g·(1 + z²)
    """
    return np.tan(x)


@op(dtype="float", dx=lambda g, z, x: g * rsqrt(1 - x * x))
def asin(x: Any) -> Any:
    """The angle whose sine is x.

    z = asin x;  ∂x = g / √(1 - x²)
    """
    return np.arcsin(x)


@op(dtype="float", dx=lambda g, z, x: -g * rsqrt(1 - x * x))
def acos(x: Any) -> Any:
    """The angle whose cosine is x.

    z = acos x;  ∂x = -g / √(1 - x²)
    """
    return np.arccos(x)


@op(dtype="float", dx=lambda g, z, x: g / (1 + x * x))
def atan(x: Any) -> Any:
    """The angle whose tangent is x.

    z = atan x;  ∂x = g / (1 + x²)
    """
    return np.arctan(x)


@op(dtype="float", dx=lambda g, z, x: g * cosh(x))
def sinh(x: Any) -> Any:
    """The hyperbolic sine.

    z = (eˣ - e⁻ˣ) / 2;  ∂x = g·cosh x
    """
    return np.sinh(x)


@op(dtype="float", dx=lambda g, z, x: g * sinh(x))
def cosh(x: Any) -> Any:
    """The hyperbolic cosine.

    z = (eˣ + e⁻ˣ) / 2;  ∂x = g·sinh x
    """
    return np.cosh(x)


@op(dtype="float", dx=lambda g, z, x: g * (number(1, z) - z * z))
def tanh(x: Any) -> Any:
    """Squash to (-1, 1): steep near 0 and flat where it saturates, so saturated elements let almost no gradient through.

    z = tanh x;  ∂x = g·(1 - z²)
    """
    return np.tanh(x)


@op(dtype="float", dx=lambda g, z, x: g * rsqrt(x * x + 1))
def asinh(x: Any) -> Any:
    """The inverse of sinh.

    z = asinh x;  ∂x = g / √(x² + 1)
    """
    return np.arcsinh(x)


@op(dtype="float", dx=lambda g, z, x: g * rsqrt((x - 1) * (x + 1)))
def acosh(x: Any) -> Any:
    """The inverse of cosh.

    z = acosh x;  ∂x = g / √(x² - 1)
    """
    return np.arccosh(x)


@op(dtype="float", dx=lambda g, z, x: g / (1 - x * x))
def atanh(x: Any) -> Any:
    """The inverse of tanh.

    z = atanh x;  ∂x = g / (1 - x²)
    """
    return np.arctanh(x)


arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh


@op(dtype="float", dx=lambda g, z, x: g * (math.pi / 180))
def deg2rad(x: Any) -> Any:
    """Degrees to radians.

    z = x·π / 180;  ∂x = g·π / 180
    """
    return x * (math.pi / 180)


@op(dtype="float", dx=lambda g, z, x: g * (180 / math.pi))
def rad2deg(x: Any) -> Any:
    """Radians to degrees.

    z = x·180 / π;  ∂x = g·180 / π
    """
    return x * (180 / math.pi)


@op(dtype="float", dx=lambda g, z, x: g * _sinc_slope(x, z))
def sinc(x: Any) -> Any:
    """sin(πx) / (πx), and 1 at 0.

    z = sin(πx) / (πx);  ∂x = g·(cos(πx) - z) / x, 0 at 0
    """
    return np.sinc(x)


def _sinc_slope(x: Any, z: Any) -> Any:
    """(cos πx - z) / x; at 0 it is 0, and changes by -π²/3."""
    return over(cos(math.pi * x) - z, x) - _where(x == 0, x, 0) * (math.pi**2 / 3)


# -- signs and rounding ----------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x: g * sign(x))
def abs(x: Any) -> Any:
    """The size without the sign; the slope at 0 counts as 0.

    z = |x|;  ∂x = g·sign x
    """
    return np.abs(x)


absolute = abs


def _staircase(name: str, sentence: str, formula: str, compute: Any) -> Any:
    """A function that is flat between its steps: its gradient is 0."""

    def forward(x: Any) -> Any:
        return compute(x) if x.dtype.kind == "f" else x.copy()

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = (
        f"{sentence} It is flat between its steps, so its gradient is 0.\n\nz = {formula};  ∂x = 0\n\n"
        f"Source: https://pytorch.org/docs/stable/generated/torch.{name}.html"
    )
    return op(dx=lambda g, z, x: _zero(g))(forward)


floor = _staircase("floor", "The next integer below.", "⌊x⌋", np.floor)
ceil = _staircase("ceil", "The next integer above.", "⌈x⌉", np.ceil)
trunc = fix = _staircase("trunc", "The next integer towards 0.", "x without its fraction", np.trunc)


@op(dx=lambda g, z, x: _zero(g))
def sign(x: Any) -> Any:
    """-1, 0 or 1, as x is negative, 0 (or NaN) or positive; flat, so its gradient is 0.

    z = sign x;  ∂x = 0
    """
    return (x > 0).astype(x.dtype) - (x < 0) if x.dtype != np.bool_ else x.copy()


sgn = sign


@op(dx=lambda g, z, x, decimals: _zero(g))
def round(x: Any, *, decimals: int = 0) -> Any:
    """The nearest integer, or number with so many decimals; halves go to the even one. Flat, so its gradient is 0.

    z = round(x);  ∂x = 0

    Source: https://pytorch.org/docs/stable/generated/torch.round.html
    """
    if x.dtype.kind == "f":
        return np.round(x, decimals)
    if decimals:
        raise DtypeError(f"round: decimals={decimals} is for floating-point tensors, and this one is {x.dtype}.")
    return x.copy()


@op(dx=lambda g, z, x: g)
def frac(x: Any) -> Any:
    """The part behind the point, with x's sign.

    z = x - trunc(x);  ∂x = g
    """
    if x.dtype.kind != "f":
        raise DtypeError(f"frac: integers have no fraction, and this tensor is {x.dtype}.")
    return x - np.trunc(x)


@op(dtype="same", joint=no_derivative)
def heaviside(x: Any, values: Any) -> Any:
    """0 below 0, 1 above, and `values` at 0.

    z = 0 if x < 0, 1 if x > 0, else values;  ∂x is not offered;  ∂values is not offered

    Source: https://pytorch.org/docs/stable/generated/torch.heaviside.html
    """
    return np.where(x == 0, values, x > 0).astype(x.dtype)


# -- limits ----------------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, low, high: _where(_within(x, low, high), g, 0))
def _clamp(x: Any, *, low: Any, high: Any) -> Any:
    """Keep within limits; elements outside get no gradient.

    z = low if x < low, high if x > high, else x;  ∂x = g where low ≤ x ≤ high, else 0
    """
    return x.clip(low, high)


def _within(x: Any, low: Any, high: Any) -> Any:
    return x >= low if high is None else x <= high if low is None else (x >= low) & (x <= high)


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """Keep within limits: numbers or tensors, one of them may be None; elements outside get no gradient.

    z = min if x < min, max if x > max, else x

    Source: https://pytorch.org/docs/stable/generated/torch.clamp.html
    """
    if min is None and max is None:
        raise RuntimeError("clamp needs a lower limit, an upper limit or both.")
    tensors = isinstance(min, Tensor) or isinstance(max, Tensor)
    if isinstance(x, Tensor) and (tensors or x.dtype.kind != "f"):
        dtype = dtypes.result_dtype((x, min, max))
        if dtype == np.bool_ and not tensors:
            raise DtypeError(f"clamp: bools have no limits to keep within; this is {describe(x)}.")
        if dtype != x.dtype:
            x = cast(x, dtype=dtype)
    if not tensors:
        return _clamp(x, low=min, high=max)
    z = x if min is None else _clamp_low(x, min)
    return z if max is None else _clamp_high(z, max)


@op(dtype="common", dx=lambda g, z, x, low: _where(x >= low, g, 0), dlow=lambda g, z, x, low: _where(x < low, g, 0))
def _clamp_low(x: Any, low: Any) -> Any:
    """Not below a limit; the limit gets the gradient where it holds.

    z = max(x, low);  ∂x = g where x ≥ low, else 0;  ∂low = g where x < low, else 0
    """
    return np.maximum(x, low)


@op(dtype="common", dx=lambda g, z, x, high: _where(x <= high, g, 0), dhigh=lambda g, z, x, high: _where(x > high, g, 0))
def _clamp_high(x: Any, high: Any) -> Any:
    """Not above a limit; the limit gets the gradient where it holds.

    z = min(x, high);  ∂x = g where x ≤ high, else 0;  ∂high = g where x > high, else 0
    """
    return np.minimum(x, high)


clip = clamp


def clamp_min(x: Any, min: Any) -> Any:
    """Not below a limit, a number or a tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.clamp.html
    """
    return clamp(x, min)


def clamp_max(x: Any, max: Any) -> Any:
    """Not above a limit, a number or a tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.clamp.html
    """
    return clamp(x, None, max)


@op(dx=lambda g, z, x, low: g)
def at_least(x: Any, *, low: float) -> Any:
    """Raise what is below a limit to it, and let the gradient pass as if nothing had been raised: a safe divisor.

    z = max(x, low);  ∂x = g
    """
    return np.maximum(x, low)


@op(dx=lambda g, z, x, nan, posinf, neginf: _where(x - x == 0, g, 0))
def nan_to_num(x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Replace NaN and infinities by numbers (infinities by the largest ones there are); those get no gradient.

    z = x, or a number in place of NaN, ∞ and -∞;  ∂x = g where x is finite, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.nan_to_num.html
    """
    return np.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf) if x.dtype.kind == "f" else x.copy()


# -- special functions -----------------------------------------------------------------------------------------------
@op(dtype="float", dx=lambda g, z, x: g * (z * (number(1, z) - z)))
@np.errstate(over="ignore")  # where e⁻ˣ overflows, 1 / ∞ is the right 0
def sigmoid(x: Any) -> Any:
    """Squash to (0, 1); steepest at 0 (slope 1/4), flat where it saturates.

    z = 1 / (1 + e⁻ˣ);  ∂x = g·z·(1 - z)
    """
    one = number(1, x)
    z = np.exp(-x)
    z += one
    return one / z


def logit(x: Any, eps: float | None = None) -> Any:
    """The inverse of sigmoid; with eps, x is kept within [eps, 1 - eps] first.

    z = ln(x / (1 - x))

    Source: https://pytorch.org/docs/stable/generated/torch.logit.html
    """
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return _logit(x)


@op(dtype="float", dx=lambda g, z, x: g / (x * (1 - x)))
def _logit(x: Any) -> Any:
    """The inverse of sigmoid.

    z = ln(x / (1 - x));  ∂x = g / (x·(1 - x))
    """
    return np.log(x / (1 - x))


def _special(function: str, x: Any, *before: Any) -> Any:
    """A special function of SciPy's (CuPy's), in x's own dtype."""
    z = getattr(backend.special(x), function)(*before, x.astype(np.float32) if x.dtype == np.float16 else x)
    return z.astype(x.dtype, copy=False)


@op(dtype="float", dx=lambda g, z, x: g * exp(-x * x) * (2 / math.sqrt(math.pi)))
def erf(x: Any) -> Any:
    """The error function.

    z = 2/√π·∫₀ˣ e⁻ᵗ² dt;  ∂x = g·2/√π·e⁻ˣ²
    """
    return _special("erf", x)


@op(dtype="float", dx=lambda g, z, x: g * exp(-x * x) * (-2 / math.sqrt(math.pi)))
def erfc(x: Any) -> Any:
    """1 - erf x, exact for large x.

    z = 1 - erf x;  ∂x = -g·2/√π·e⁻ˣ²
    """
    return _special("erfc", x)


@op(dtype="float", dx=lambda g, z, x: g * exp(z * z) * (math.sqrt(math.pi) / 2))
def erfinv(x: Any) -> Any:
    """The inverse of erf.

    z = erf⁻¹ x;  ∂x = g·√π/2·e^z²
    """
    return _special("erfinv", x)


@op(dtype="float", dx=lambda g, z, x: g * digamma(x))
def lgamma(x: Any) -> Any:
    """The logarithm of the size of the gamma function.

    z = ln|Γ(x)|;  ∂x = g·ψ(x)
    """
    return _special("gammaln", x)


@op(dtype="float", dx=lambda g, z, x: g * _polygamma(x, n=1))
def digamma(x: Any) -> Any:
    """The slope of lgamma.

    z = ψ(x) = Γ'(x) / Γ(x);  ∂x = g·ψ⁽¹⁾(x)
    """
    return np.where(x == 0, np.copysign(math.inf, -x), _special("psi", x))  # ∓∞ at ±0, where SciPy has -∞ or NaN


@op(dtype="float", dx=lambda g, z, x, n: g * _polygamma(x, n=n + 1))
def _polygamma(x: Any, *, n: int) -> Any:
    """The n-th derivative of digamma.

    z = ψ⁽ⁿ⁾(x);  ∂x = g·ψ⁽ⁿ⁺¹⁾(x)
    """
    return _special("polygamma", x, np.asarray(n, like=x))


def polygamma(n: int, input: Any) -> Any:
    """The n-th derivative of digamma.

    z = ψ⁽ⁿ⁾(input)

    Source: https://pytorch.org/docs/stable/special.html#torch.special.polygamma
    """
    (n,) = ints((n,))
    if n < 0:
        raise RuntimeError(f"polygamma: n must not be negative, and it is {n}.")
    return digamma(input) if n == 0 else _polygamma(input, n=n)
