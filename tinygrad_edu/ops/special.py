"""Probabilities of the normal distribution, Bessel functions and the like: what `torch.special` has beyond the everyday functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import op
from .elementwise import _special, exp, log, log1p, sign, square
from .indexing import where

__all__ = ["entr", "erfcx", "i0", "i0e", "i1", "i1e", "log_ndtr", "ndtr", "ndtri", "xlog1py"]


# -- logarithms ------------------------------------------------------------------------------------------------------
@op(dtype="float", dx=lambda g, z, x: -g * (log(x) + 1))
def entr(x: Any) -> Any:
    """What a probability adds to an entropy: 0 for 0, and -∞ for what is no probability because it is negative.

    z = -x·ln x;  ∂x = -g·(ln x + 1)
    """
    return _special("entr", x)


@op(
    dtype="float",
    dx=lambda g, z, x, y: where((x == 0) & (y <= -1), 0, g * log1p(y)),
    dy=lambda g, z, x, y: g * x / (y + 1),
)
def xlog1py(x: Any, y: Any) -> Any:
    """x·ln(1 + y), exact for small y, and 0 where x is 0.

    z = x·ln(1 + y);  ∂x = g·ln(1 + y);  ∂y = g·x / (y + 1)
    """
    zero = (x == 0) & ~np.isnan(y)
    return x * np.log1p(np.where(zero, 0, y).astype(np.result_type(x, y)))


# -- the normal distribution -----------------------------------------------------------------------------------------
@op(dtype="float", dx=lambda g, z, x: g * exp(square(x) * -0.5) * (1 / math.sqrt(2 * math.pi)))
def ndtr(x: Any) -> Any:
    """The probability that a number of the standard normal distribution is less than x.

    z = Φ(x) = ∫ e^(-t²/2) dt / √(2·π) from -∞ to x;  ∂x = g·e^(-x²/2) / √(2·π)
    """
    return _special("ndtr", x)


@op(dtype="float", dx=lambda g, z, x: g * math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5)))
def log_ndtr(x: Any) -> Any:
    """The logarithm of `ndtr`, also where that is too small for a float.

    z = ln Φ(x);  ∂x = g·√(2 / π) / erfcx(-x / √2), which is g·Φ'(x) / Φ(x)
    """
    return _special("log_ndtr", x)


@op(dtype="float", dx=lambda g, z, x: g * math.sqrt(2 * math.pi) * exp(square(z) * 0.5))
def ndtri(x: Any) -> Any:
    """The number below which standard normal numbers are with probability x: the inverse of `ndtr`.

    z = Φ⁻¹(x);  ∂x = g·√(2·π)·e^(z²/2)
    """
    return _special("ndtri", x)


@op(dtype="float", dx=lambda g, z, x: g * (2 * x * z - 2 / math.sqrt(math.pi)))
def erfcx(x: Any) -> Any:
    """erfc, scaled so that it does not vanish for large x.

    z = e^(x²)·erfc x;  ∂x = g·(2·x·z - 2 / √π)
    """
    return _special("erfcx", x)


# -- modified Bessel functions ---------------------------------------------------------------------------------------
def _over_x(z: Any, x: Any) -> Any:
    """z / x for functions that are x/2 near 0."""
    return where(x == 0, 0.5, z / where(x == 0, 1, x))


@op(dtype="float", dx=lambda g, z, x: g * i1(x))
def i0(x: Any) -> Any:
    """The modified Bessel function of order 0.

    z = I₀(x) = Σ (x²/4)ᵏ / (k!)²;  ∂x = g·I₁(x)
    """
    return _special("i0", x)


@op(dtype="float", dx=lambda g, z, x: g * (i1e(x) - sign(x) * z))
def i0e(x: Any) -> Any:
    """`i0`, scaled so that it does not overflow.

    z = e^(-|x|)·I₀(x);  ∂x = g·(e^(-|x|)·I₁(x) - sign(x)·z)
    """
    return _special("i0e", x)


@op(dtype="float", dx=lambda g, z, x: g * (i0(x) - _over_x(z, x)))
def i1(x: Any) -> Any:
    """The modified Bessel function of order 1.

    z = I₁(x) = Σ (x/2)^(2·k + 1) / (k!·(k + 1)!);  ∂x = g·(I₀(x) - z / x)
    """
    return _special("i1", x)


@op(dtype="float", dx=lambda g, z, x: g * (i0e(x) - _over_x(z, x) - sign(x) * z))
def i1e(x: Any) -> Any:
    """`i1`, scaled so that it does not overflow.

    z = e^(-|x|)·I₁(x);  ∂x = g·(e^(-|x|)·I₀(x) - z / x - sign(x)·z)
    """
    return _special("i1e", x)
