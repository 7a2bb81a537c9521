"""How variables vary together, and the area under measured values."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, describe
from ..tensor import Tensor
from .creation import ones
from .joining import diff
from .shape import one_dim, reshape, squeeze, unsqueeze

__all__ = ["corrcoef", "cov", "trapezoid", "trapz"]


def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariances of variables, each a row of observations: (variables, variables), or a number for a single row.

    C = Σₙ wₙ·(xₙ - μ)(xₙ - μ)ᵀ / (Σ w - correction),  μ = Σₙ wₙ·xₙ / Σ w

    Args:
        input: (variables, observations) or (observations,).
        correction: 1 for the unbiased estimate from a sample.
        fweights: how often each observation was made, as integers.
        aweights: how much each observation counts.

    Source: https://pytorch.org/docs/stable/generated/torch.cov.html
    """
    if input.ndim > 2:
        raise ShapeError(f"cov takes (variables, observations) or (observations,), not {describe(input)}.")
    x = reshape(input, (1, -1)) if input.ndim < 2 else input
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is not None and (weights.shape != x.shape[1:] or (weights < 0).any()):
            raise RuntimeError(f"cov: {name} must be {x.shape[1]} numbers, none negative; they are {describe(weights)}.")
    if fweights is not None and fweights.is_floating_point():
        raise RuntimeError(f"cov: fweights counts observations, so it must hold integers; it is {describe(fweights)}.")
    w = ones(x.shape[1], dtype=x.dtype if x.is_floating_point() else None, device=x.device) if fweights is None else fweights
    if aweights is not None:
        w = aweights if fweights is None else w * aweights
    count = w.sum()
    lost = correction if aweights is None else correction * (w * aweights).sum() / count
    deviation = x - unsqueeze((x * w).sum(1) / count, 1)
    found = (deviation * w) @ deviation.mT / (count - lost).clamp(min=0)
    return squeeze(found) if x.shape[0] == 1 else found


def corrcoef(input: Any) -> Any:
    """Pearson's correlations of variables, each a row of observations: covariances divided by both standard deviations.

    Source: https://pytorch.org/docs/stable/generated/torch.corrcoef.html
    """
    covariances = cov(input)
    if not covariances.ndim:
        return covariances / covariances
    deviation = covariances.diagonal().sqrt()
    return (covariances / unsqueeze(deviation, 1) / deviation).clamp(-1, 1)


def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The area under points that straight lines join: Σ (yᵢ + yᵢ₊₁)/2 · (xᵢ₊₁ - xᵢ).

    Args:
        y: the heights, along `dim`.
        x: where they stand: one vector for all, or in the shape of y; without it they stand `dx` apart.

    >>> from tinygrad_edu import tensor
    >>> trapezoid(tensor([0.0, 1.0, 4.0]), tensor([0.0, 1.0, 2.0]))
    tensor(3.)

    Source: https://pytorch.org/docs/stable/generated/torch.trapezoid.html
    """
    dim = one_dim(dim, y.ndim)
    count = y.shape[dim]
    if not count:
        return y.sum(dim)
    means = (y.narrow(dim, 1, count - 1) + y.narrow(dim, 0, count - 1)) / 2
    if not isinstance(x, Tensor):
        return (means * dx).sum(dim)
    if x.ndim == 1:
        if x.shape[0] != count:
            raise RuntimeError(f"trapezoid: there must be one x for each of {count} points, but x is {describe(x)}.")
        x = reshape(x, (-1,) + (1,) * (y.ndim - 1 - dim))
    x = reshape(x, (1,) * (y.ndim - x.ndim) + tuple(x.shape))
    return (means * diff(x, dim=dim)).sum(dim)


trapz = trapezoid
