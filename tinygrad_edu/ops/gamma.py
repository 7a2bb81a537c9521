"""Probabilities of the gamma distribution: by their slopes gradients pass through what is drawn from it."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .. import backend
from ..errors import GraphError
from ..op import op
from .elementwise import exp, lgamma

_NEAR_0 = -37.0  # below it 1 + eˣ is 1 in float64


@op(
    dtype="float",
    da=lambda g, z, a, y: g * _log_gammainc_slope(a, y),
    dy=lambda g, z, a, y: g * exp(a * y - exp(y) - lgamma(a) - z),
)
def log_gammainc(a: Any, y: Any) -> Any:
    """The logarithm of the probability that a number of the gamma distribution of shape a is less than eʸ.

    z = ln P(a, eʸ), P(a, x) = ∫₀ˣ tᵃ⁻¹·e⁻ᵗ dt / Γ(a);  ∂a = g·∂z/∂a, by differences;  ∂y = g·exp(a·y - eʸ - ln Γ(a) - z)
    """
    special, wide_a, wide_y = backend.special(a), a.astype(np.float64), y.astype(np.float64)
    with np.errstate(over="ignore", divide="ignore"):
        x = np.exp(wide_y)
        below = np.where(x < wide_a, np.log(special.gammainc(wide_a, x)), np.log1p(-special.gammaincc(wide_a, x)))
    return np.where(wide_y < _NEAR_0, wide_a * wide_y - special.gammaln(wide_a + 1), below).astype(a.dtype, copy=False)


def _only_once(*_: Any) -> NoReturn:
    raise GraphError("the derivative of log_gammainc by the shape of the distribution is not offered to be differentiated again.")


@op(da=_only_once, dy=_only_once)
def _log_gammainc_slope(a: Any, y: Any) -> Any:
    """How the logarithm of the probability to be less than eʸ changes with the shape a of the gamma distribution.

    z = ∂ ln P(a, eʸ)/∂a, by central differences of fourth order, to about 10 digits;  ∂a is not offered;  ∂y is not offered
    """
    special, wide_a, wide_y = backend.special(a), a.astype(np.float64), y.astype(np.float64)
    step = 1e-3 * np.minimum(wide_a, np.sqrt(wide_a))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        x = np.exp(wide_y)
        lower = special.gammainc(wide_a, x)

        def at(a: Any) -> Any:  # of the two sides of x that which is less likely, as it has more digits
            return np.where(x < wide_a, np.log(special.gammainc(a, x)), -special.gammaincc(a, x) / lower)

        near, far = (at(wide_a + n * step) - at(wide_a - n * step) for n in (1, 2))
        slope = (8 * near - far) / (12 * step)
    return np.where(wide_y < _NEAR_0, wide_y - special.digamma(wide_a + 1), slope).astype(a.dtype, copy=False)
