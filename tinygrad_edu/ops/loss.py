"""Losses: how far a model's outputs are from what they should be, as one number (or one per sample). Here those of numbers, pairs and
triplets, and what all losses share; classification.py has those of classes, likelihood.py those of probabilities.

Each loss is a formula for every sample or element; `reduction` then says what is made of them: their "mean", their "sum", or
"none" for all of them. Where an exponential or a logarithm could overflow, the formula is written so that it does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..callsite import warn
from ..errors import ShapeError
from ..op import op
from ..tensor import Tensor
from .arithmetic import minimum
from .distance import pairwise_distance
from .elementwise import abs, clamp, clamp_min, sqrt, square
from .indexing import where
from .reduction import _total, mean, sum
from .shape import broadcast_tensors

__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "huber_loss", "l1_loss", "margin_ranking_loss", "mse_loss",
    "smooth_l1_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


# -- what losses share -------------------------------------------------------------------------------------------------
def reduction_of(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """The reduction that is meant, also by PyTorch's old arguments `size_average` and `reduce`."""
    if isinstance(size_average, Tensor) or isinstance(reduce, Tensor):
        raise TypeError("a loss module is made first and called then: loss = nn.CrossEntropyLoss(); loss(prediction, target).")
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is not None and not reduce else "mean" if size_average is None or size_average else "sum"
        warn(f"size_average and reduce are PyTorch's old arguments; write reduction={reduction!r} instead.")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction must be "mean", "sum" or "none", not {reduction!r}.')
    return reduction


def reduced(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else mean(losses) if reduction == "mean" else sum(losses)


def _weighted(losses: Any, weight: Any, input: Any, reduction: str) -> Any:
    """The reduction of losses that are multiplied by weights; the mean is one in which each counts by its weight."""
    if weight.shape != input.shape:
        raise ValueError(f"the weight {tuple(weight.shape)} must have the input's shape {tuple(input.shape)}.")
    losses = losses * weight
    return sum(losses) / sum(weight) if reduction == "mean" else reduced(losses, reduction)


def _pair(name: str, input: Any, target: Any) -> tuple[Any, Any]:
    """Input and target in one shape, with a warning if they had two."""
    if input.shape == target.shape:
        return input, target
    wide = broadcast_tensors(input, target)
    warn(
        f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} have different shapes, so each is repeated to "
        f"{tuple(wide[0].shape)}: every output is compared with several targets, which is hardly meant. Give both one shape, for "
        f"example with target.reshape(input.shape), input.squeeze(1) or target.unsqueeze(1)."
    )
    return wide[0], wide[1]


def equal_shapes(name: str, input: Any, target: Any) -> None:
    if input.shape != target.shape:
        raise ShapeError(
            f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} must have the same shape; reshape one of them, "
            "for example with target.reshape(input.shape)."
        )


# -- regression ----------------------------------------------------------------------------------------------------------
def _mean_slope(g: Any, x: Any, y: Any) -> Any:
    return (x - y) * (g * (2 / max(math.prod(x.shape), 1)))


@op(dtype="common", dx=lambda g, z, x, y: _mean_slope(g, x, y), dy=lambda g, z, x, y: _mean_slope(g, y, x))
def _mean_squared_error(x: Any, y: Any) -> Any:
    """The average of the squared differences of two tensors of one shape.

    z = Σ (x - y)² / n;  ∂x = 2·g·(x - y) / n;  ∂y = 2·g·(y - x) / n
    """
    d = x - y
    d *= d
    return _total(d, None, False, d.size)


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """The mean squared error: large differences cost most.

    z = mean of (input - target)²

    Args:
        input, target: of one shape; if they have to be broadcast, a warning says so.
        weight: of the same shape; the mean is then a weighted one.

    >>> from tinygrad_edu import tensor
    >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    x, y = _pair("mse_loss", input, target)
    if weight is not None:
        return _weighted(square(x - y), weight, input, reduction)
    return _mean_squared_error(x, y) if reduction == "mean" else reduced(square(x - y), reduction)


def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """The mean absolute error: a few wild targets do not dominate it.

    z = mean of |input - target|

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.l1_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    x, y = _pair("l1_loss", input, target)
    losses = abs(x - y)
    return reduced(losses, reduction) if weight is None else _weighted(losses, weight, input, reduction)


@op(dtype="float", dx=lambda g, z, x, delta: g * clamp(x, -delta, delta))
def _huber(x: Any, *, delta: float) -> Any:
    """A parabola around 0 that goes on as straight lines from ±δ.

    z = x²/2 where |x| ≤ δ, else δ·(|x| - δ/2);  ∂x = g·x where |x| ≤ δ, else g·δ·sign x
    """
    inner = x.clip(-delta, delta)
    return inner * (x - 0.5 * inner)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """The absolute error with its kink at 0 rounded off: `huber_loss` divided by beta.

    z = d² / (2β) where |d| < β, else |d| - β/2, with d = input - target

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.smooth_l1_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, and it is {beta}.")
    x, y = _pair("smooth_l1_loss", input, target)
    losses = _huber(x - y, delta=beta) if beta else abs(x - y)
    return reduced(losses if beta in (0, 1) else losses / beta, reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """The squared error of small differences, and the absolute error of large ones.

    z = d²/2 where |d| ≤ δ, else δ·(|d| - δ/2), with d = input - target

    Source: Huber 1964; https://pytorch.org/docs/stable/generated/torch.nn.functional.huber_loss.html
    """
    reduction = reduction_of(reduction)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, and it is {delta}.")
    x, y = _pair("huber_loss", input, target)
    losses = _huber(x - y, delta=delta)
    if weight is not None and weight.shape != input.shape:
        raise ValueError(f"huber_loss: the weight {tuple(weight.shape)} must have the input's shape {tuple(input.shape)}.")
    return reduced(losses if weight is None else losses * weight, reduction)


# -- pairs and triplets ----------------------------------------------------------------------------------------------------
def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Distances of pairs: those of like ones (target 1) should be small, those of unlike ones (-1) above the margin.

    z = input where target = 1, max(0, margin - input) where target = -1

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.hinge_embedding_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    losses = where(target != 1, clamp_min(margin - input, 0), 0) + where(target != -1, input, 0)
    return reduced(losses, reduction)


def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Which of two should rank higher: the first where target is 1, the second where it is -1, by the margin.

    z = max(0, -target·(input1 - input2) + margin)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.margin_ranking_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            f"margin_ranking_loss: both inputs and the target must have equally many dims; they are {tuple(input1.shape)}, "
            f"{tuple(input2.shape)} and {tuple(target.shape)}."
        )
    return reduced(clamp_min(-target * (input1 - input2) + float(margin), 0), reduction)


def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Angles of pairs: like ones (target 1) should point the same way, unlike ones (-1) should have a cosine below the margin.

    z = 1 - cos where target = 1, max(0, cos - margin) where target = -1

    Args:
        input1, input2: (N, D) or (D,).
        target: (N,) or ().

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.cosine_embedding_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.ndim not in (0, 1) or not input1.ndim == input2.ndim == target.ndim + 1:
        raise ShapeError(
            f"cosine_embedding_loss: the inputs must be (N, D) and the target (N,), or (D,) and (); they are {tuple(input1.shape)}, "
            f"{tuple(input2.shape)} and {tuple(target.shape)}."
        )
    lengths = sqrt((sum(square(input1), -1) + 1e-12) * (sum(square(input2), -1) + 1e-12))
    cos = sum(input1 * input2, -1) / lengths
    losses = where(target == 1, 1 - cos, 0) + where(target == -1, clamp_min(cos - margin, 0), 0)
    return reduced(losses, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """An anchor should be nearer to a positive example than to a negative one, by the margin.

    z = max(0, ‖anchor - positive‖ₚ - ‖anchor - negative‖ₚ + margin)

    Args:
        anchor, positive, negative: (N, D) or (D,).
        swap: use the distance of the positive from the negative example where it is smaller than the anchor's.

    Source: Balntas et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.functional.triplet_margin_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` with a distance of one's own.

    z = max(0, d(anchor, positive) - d(anchor, negative) + margin)

    Args:
        distance_function: takes two tensors and returns their distances (default: `pairwise_distance`).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.triplet_margin_with_distance_loss.html
    """
    reduction = reduction_of(reduction)
    if margin <= 0:
        raise ValueError(f"the margin of a triplet loss must be above 0, and it is {margin}.")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            f"anchor {tuple(anchor.shape)}, positive {tuple(positive.shape)} and negative {tuple(negative.shape)} must have equally "
            "many dims."
        )
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp_min(margin + near - far, 0), reduction)
