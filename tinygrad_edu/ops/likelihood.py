"""Losses that are minus the logarithm of a probability: how surprised a model is by what it sees, and how far apart two distributions are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import require
from ..callsite import warn
from ..op import op
from ..tensor import Tensor, raw
from .activation import logsigmoid
from .arithmetic import xlogy
from .elementwise import at_least, clamp_min, exp, log, sigmoid, square
from .indexing import masked_fill
from .loss import equal_shapes, reduced, reduction_of
from .reduction import sum
from .shape import unsqueeze

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "kl_div", "multilabel_soft_margin_loss",
    "poisson_nll_loss", "soft_margin_loss",
]  # fmt: skip


@op(
    dtype="common",
    dx=lambda g, z, x, y: g * (x - y) / clamp_min(x * (1 - x), 1e-12),
    dy=lambda g, z, x, y: g * (clamp_min(log(1 - x), -100) - clamp_min(log(x), -100)),
)
def _bernoulli_surprise(x: Any, y: Any) -> Any:
    """How surprised a probability is by what happened (1 or 0, or a probability itself).

    z = -(y·ln x + (1 - y)·ln(1 - x)), with logarithms of at least -100;  ∂x = g·(x - y) / (x·(1 - x));  ∂y = g·(ln(1 - x) - ln x)
    """
    return -(y * np.maximum(np.log(x), -100) + (1 - y) * np.maximum(np.log1p(-x), -100))


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The loss of yes-or-no questions whose answers are given as probabilities.

    z = -weight·(target·ln input + (1 - target)·ln(1 - input)), with logarithms of at least -100

    Args:
        input: probabilities in [0, 1], of any shape; `binary_cross_entropy_with_logits` takes scores, and is more exact.
        target: numbers in [0, 1] of the same shape.
        weight: broadcasts to that shape.

    Raises:
        RuntimeError: an input or a target outside [0, 1].

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    equal_shapes("binary_cross_entropy", input, target)
    _require_probabilities("input", input, "Apply sigmoid first, or better use binary_cross_entropy_with_logits.")
    _require_probabilities("target", target, "A label is 0 or 1.")
    losses = _bernoulli_surprise(input, target)
    return reduced(losses if weight is None else losses * weight, reduction)


def _require_probabilities(name: str, x: Any, advice: str) -> None:
    values = raw(x)

    def error() -> RuntimeError:
        return RuntimeError(
            f"binary_cross_entropy: the {name} must hold probabilities in [0, 1], and it goes from {float(values.min()):.4g} to "
            f"{float(values.max()):.4g}. {advice}"
        )

    require(((values >= 0) & (values <= 1)).all(), error)


@op(dtype="common", dx=lambda g, z, x, y: g * (sigmoid(x) - y), dy=lambda g, z, x, y: -g * x)
def _bernoulli_surprise_of_logits(x: Any, y: Any) -> Any:
    """How surprised the probability σ(x) is by what happened, without overflow.

    z = -(y·ln σ(x) + (1 - y)·ln σ(-x)) = max(x, 0) - x·y + ln(1 + e^-|x|);  ∂x = g·(σ(x) - y);  ∂y = -g·x
    """
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """The loss of yes-or-no questions whose answers are given as scores: the sigmoid is inside, and nothing overflows.

    z = -weight·(pos_weight·target·ln σ(input) + (1 - target)·ln σ(-input))

    Args:
        input: scores (logits) of any shape.
        target: numbers in [0, 1] of the same shape.
        weight, pos_weight: broadcast to that shape; pos_weight above 1 makes a missed yes cost more.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    equal_shapes("binary_cross_entropy_with_logits", input, target)
    losses = _bernoulli_surprise_of_logits(input, target)
    if pos_weight is not None:
        losses = losses - (pos_weight - 1) * target * logsigmoid(input)
    return reduced(losses if weight is None else losses * weight, reduction)


def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """One yes-or-no question for each class; the loss of a sample is their average.

    z[n] = -mean over c of weight[c]·(target·ln σ(input) + (1 - target)·ln σ(-input))

    Args:
        input: scores of shape (..., C).
        target: 0 or 1, of the same shape.
        weight: one number for each class.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.multilabel_soft_margin_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    losses = losses if weight is None else losses * weight
    return reduced(sum(losses, -1) / input.shape[-1], reduction)


def soft_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """The logistic loss for targets 1 and -1: scores of the wrong sign cost.

    z = ln(1 + e^(-target·input))

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.soft_margin_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    equal_shapes("soft_margin_loss", input, target)
    return reduced(-logsigmoid(target * input), reduction)


def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """The Kullback-Leibler divergence: how much more a distribution is surprised by the target than the target itself is.

    z = target·(ln target - input), where the input is the logarithm of a probability

    Args:
        input: logarithms of probabilities, of any shape.
        target: probabilities, or their logarithms with `log_target`.
        reduction: "batchmean" (the divergence of a sample, on average), "mean" (divides by the number of elements too), "sum", "none".

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html
    """
    if reduction == "mean" and size_average is None and reduce is None:
        warn('kl_div: reduction="mean" divides by the number of all elements, so it is not the divergence; use "batchmean".')
    by_batch = reduction == "batchmean"
    reduction = reduction_of("sum" if by_batch else reduction, size_average, reduce)
    losses = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    z = reduced(losses, reduction)
    return z / input.shape[0] if by_batch and input.ndim else z


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The loss of counts: minus the log-likelihood of a Poisson distribution, without the term that has no gradient.

    z = e^input - target·input, or input - target·ln(input + ε) without log_input

    Args:
        input: the logarithm of the expected count, or the count itself with `log_input=False`.
        target: the count that was observed.
        full: add Stirling's approximation of ln(target!) where target > 1.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.poisson_nll_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        above = masked_fill(target, target <= 1, 1)
        stirling = above * log(above) - above + 0.5 * log(2 * math.pi * above)
        losses = losses + masked_fill(stirling, target <= 1, 0)
    return reduced(losses, reduction)


def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """The loss of a prediction that comes with its own uncertainty: minus the log-likelihood of a normal distribution.

    z = (ln max(var, ε) + (input - target)² / max(var, ε)) / 2, with ln(2π) / 2 added if full

    Args:
        input: the expected values.
        var: their variances: a number, of the input's shape, or with a last dim of size 1 or missing.
        eps: the least variance that is counted; gradients pass through as if there were none.

    Source: Nix, Weigend 1994; https://pytorch.org/docs/stable/generated/torch.nn.functional.gaussian_nll_loss.html
    """
    reduction = reduction_of(reduction)
    if not isinstance(var, Tensor):
        var = var + raw(input) * 0 if isinstance(input, Tensor) else var + input * 0
    message = "gaussian_nll_loss: a variance cannot be negative; give var = softplus(x) or exp(x), say."
    require(~(raw(var) < 0).any(), lambda: ValueError(message))
    if var.shape != input.shape:
        differing = [i for i, (n, m) in enumerate(zip(input.shape, var.shape, strict=False)) if n != m]
        if var.shape == input.shape[:-1]:
            var = unsqueeze(var, -1)
        elif input.ndim != var.ndim or len(differing) != 1:
            raise ValueError(f"gaussian_nll_loss: var {tuple(var.shape)} does not fit the input {tuple(input.shape)}.")
    var = at_least(var, low=eps)
    losses = 0.5 * (log(var) + square(input - target) / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
