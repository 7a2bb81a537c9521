"""How variables vary together, and the area under measured values and their slopes."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, describe
from ..tensor import Tensor
from .creation import ones
from .joining import cat, diff
from .shape import axes, one_dim, reshape, squeeze, unsqueeze
from .splitting import narrow

__all__ = ["corrcoef", "cov", "cumulative_trapezoid", "gradient", "trapezoid", "trapz"]


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
    return _strips(y, x, dx, dim).sum(dim)


trapz = trapezoid


def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The area up to each point but the first, as `trapezoid` measures it.

    zᵢ = Σⱼ≤ᵢ (yⱼ + yⱼ₊₁)/2 · (xⱼ₊₁ - xⱼ)

    Source: https://pytorch.org/docs/stable/generated/torch.cumulative_trapezoid.html
    """
    dim = one_dim(dim, y.ndim)
    return _strips(y, x, dx, dim).cumsum(dim)


def _strips(y: Any, x: Any, dx: float, dim: int) -> Any:
    """The areas between neighbouring points."""
    count = y.shape[dim]
    if not count:
        return y * dx
    means = (y.narrow(dim, 1, count - 1) + y.narrow(dim, 0, count - 1)) / 2
    if not isinstance(x, Tensor):
        return means * dx
    if x.ndim == 1:
        if x.shape[0] != count:
            raise RuntimeError(f"trapezoid: there must be one x for each of {count} points, but x is {describe(x)}.")
        x = reshape(x, (-1,) + (1,) * (y.ndim - 1 - dim))
    x = reshape(x, (1,) * (y.ndim - x.ndim) + tuple(x.shape))
    return means * diff(x, dim=dim)


def gradient(input: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Any, ...]:
    """The slopes of measured values, along each dim, by finite differences.

    Inside, the slopes to both neighbours, each weighted with the distance of the other one; so a parabola's are exact.

    Args:
        spacing: how far apart the values stand (1), or vectors of where they stand; a list has one for each dim.
        dim: along which dims; all by default.
        edge_order: at both ends 1 takes the slope to the neighbour, 2 that of the parabola through three values.

    >>> from tinygrad_edu import tensor
    >>> gradient(tensor([0.0, 1.0, 4.0]))
    (tensor([1., 2., 3.]),)

    Source: https://pytorch.org/docs/stable/generated/torch.gradient.html
    """
    dims = axes(dim, input.ndim)
    spacings = spacing if isinstance(spacing, list | tuple) else [1 if spacing is None else spacing] * len(dims)
    if len(spacings) != len(dims) or edge_order not in (1, 2):
        raise RuntimeError(
            f"gradient: {len(dims)} dims need as many spacings, not {len(spacings)}; edge_order, {edge_order}, is 1 or 2."
        )
    return tuple(_slopes(input, d, apart, edge_order) for d, apart in zip(dims, spacings, strict=True))


def _slopes(y: Any, dim: int, spacing: Any, edge_order: int) -> Any:
    count = y.shape[dim]
    if count <= edge_order or (isinstance(spacing, Tensor) and spacing.shape not in ((), (count,))):
        raise RuntimeError(
            f"gradient: edge_order={edge_order} takes more than {edge_order} values and one place for each, but {describe(y)} has {count} "
            f"along dim {dim}, and the spacing is {spacing!r:.80}."
        )
    steps = left = right = spacing
    if isinstance(spacing, Tensor) and spacing.ndim:
        steps = reshape(diff(spacing), (-1,) + (1,) * (y.ndim - 1 - dim))
        left, right = (narrow(steps, 0, i, count - 2) for i in (0, 1))
    slopes = diff(y, dim=dim) / steps
    before, after = (narrow(slopes, dim, i, count - 2) for i in (0, 1))
    inside = (left * after + right * before) / (left + right)
    first, last = narrow(slopes, dim, 0, 1), narrow(slopes, dim, count - 2, 1)
    if edge_order == 2:  # a parabola's slope is linear: between first and second value it is the mean of both ends
        first, last = 2 * first - narrow(inside, dim, 0, 1), 2 * last - narrow(inside, dim, count - 3, 1)
    return cat([first, inside, last], dim)
