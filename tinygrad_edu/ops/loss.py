"""Losses: how far a model's outputs are from what they should be, as one number (or one per sample).

Each loss is a formula for every sample or element; `reduction` then says what is made of them: their "mean", their "sum", or
"none" for all of them. Where an exponential or a logarithm could overflow, the formula is written so that it does not.
"""

from __future__ import annotations

import math
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import number, require
from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import OWN_FILES, Tensor, wrap
from .activation import logsigmoid, relu
from .arithmetic import minimum, xlogy
from .distance import at_least, pairwise_distance
from .elementwise import abs, clamp, clamp_min, exp, log, sigmoid, sqrt, square
from .indexing import _at, gather, largest_unsigned, masked_fill, raw, where
from .reduction import _softmax, _total, amax, log_softmax, mean, sum
from .shape import broadcast_tensors, broadcast_to, permute, reshape, unsqueeze
from .totals import add_last, largest

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "gaussian_nll_loss",
    "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "one_vs_all_hinge_loss", "poisson_nll_loss",
    "smooth_l1_loss", "soft_margin_loss", "structured_svm_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


# -- what losses share -------------------------------------------------------------------------------------------------
def reduction_of(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """The reduction that is meant, also by PyTorch's old arguments `size_average` and `reduce`."""
    if isinstance(size_average, Tensor) or isinstance(reduce, Tensor):
        raise TypeError("a loss module is made first and called then: loss = nn.CrossEntropyLoss(); loss(prediction, target).")
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        _warn(f"size_average and reduce are PyTorch's old arguments; write reduction={reduction!r} instead.")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction must be "mean", "sum" or "none", not {reduction!r}.')
    return reduction


def _warn(message: str) -> None:
    """Warn at the learner's line, whether a loss was called there or its module."""
    stack = enumerate(traceback.walk_stack(sys._getframe()), 1)
    warnings.warn(
        message, stacklevel=next((level for level, (frame, _) in stack if frame.f_code.co_filename not in OWN_FILES), 1)
    )


def _reduced(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else mean(losses) if reduction == "mean" else sum(losses)


def _weighted(losses: Any, weight: Any, input: Any, reduction: str) -> Any:
    """The reduction of losses that are multiplied by weights; the mean is one in which each counts by its weight."""
    if weight.shape != input.shape:
        raise ValueError(f"the weight {tuple(weight.shape)} must have the input's shape {tuple(input.shape)}.")
    losses = losses * weight
    return sum(losses) / sum(weight) if reduction == "mean" else _reduced(losses, reduction)


def _pair(name: str, input: Any, target: Any) -> tuple[Any, Any]:
    """Input and target in one shape, with a warning if they had two."""
    if input.shape == target.shape:
        return input, target
    wide = broadcast_tensors(input, target)
    _warn(
        f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} have different shapes, so each is repeated to "
        f"{tuple(wide[0].shape)}: every output is compared with several targets, which is hardly meant. Give both one shape, for "
        f"example with target.reshape(input.shape), input.squeeze(1) or target.unsqueeze(1)."
    )
    return wide[0], wide[1]


def _equal_shapes(name: str, input: Any, target: Any) -> None:
    if input.shape != target.shape:
        raise ShapeError(
            f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} must have the same shape; reshape one of them, "
            "for example with target.reshape(input.shape)."
        )


# -- labels ------------------------------------------------------------------------------------------------------------
_LABELS = (np.dtype(np.int64), np.dtype(np.uint8))  # their dtypes, as in PyTorch


def _class_dim(x: Any) -> int:
    """Which dim of scores the classes are along: (C,), (N, C) or (N, C, ...)."""
    return 0 if x.ndim == 1 else 1


def _labels(name: str, input: Any, target: Any, ignore_index: int | None = None) -> tuple[Any, Any]:
    """The labels as an array, checked; those to be ignored become 0, and a mask says which (None: there are none)."""
    labels, dim = raw(target), _class_dim(input)
    if not input.ndim:
        raise ShapeError(f"{name}: the input must have a dim of classes, (C,), (N, C) or (N, C, ...), not {describe(input)}.")
    classes, expected = input.shape[dim], input.shape[:dim] + input.shape[dim + 1 :]
    if getattr(labels, "dtype", None) not in _LABELS:
        if input.dtype.kind in "iu" and getattr(labels, "ndim", 0) > input.ndim:
            raise DtypeError(
                f"{name}(input, target): the scores come first, then the labels; here the input is {describe(input)} and the target "
                f"{describe(target)}. The two seem to be swapped: write {name}(scores, labels)."
            )
        raise DtypeError(
            f"{name}: labels must be class numbers of dtype int64, and they are {describe(target)}; convert them with .long(). "
            f"(cross_entropy also takes probabilities: floats of the input's shape {tuple(input.shape)}.)"
        )
    if labels.shape != expected:
        raise ShapeError(
            f"{name}: for the input {tuple(input.shape)} there must be labels of shape {expected}, one number for each sample; "
            f"they are {labels.shape}." + (" Remove the last dim with .squeeze(1)." if labels.shape == (*expected, 1) else "")
        )
    if not labels.size:
        return labels, None
    on_cpu = isinstance(labels, np.ndarray)
    if on_cpu and (ignore_index is None or not 0 <= ignore_index < classes) and largest_unsigned(labels) < classes:
        return labels, None
    ignored = labels == ignore_index
    wrong = ~ignored & ((labels < 0) | (labels >= classes))

    def error() -> IndexError:
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        return IndexError(
            f"{name}: label {int(labels[first])} at position {list(first)} is out of range: there are {classes} classes, "
            f"so labels must be in [0, {classes})" + (f" or ignore_index ({ignore_index})." if ignore_index is not None else ".")
        )

    require(~wrong.any(), error)
    return np.where(ignored | wrong, 0, labels), None if on_cpu and not ignored.any() else ignored


def _place(x: Any, labels: Any) -> tuple[Any, ...]:
    """The NumPy index of each sample's class in scores x."""
    dim = 0 if x.ndim == 1 else 1
    return _at(np.expand_dims(labels, dim), dim)


@op(dx=lambda g, z, x, labels: _put_class(g, labels=labels, shape=x.shape))
def _take_class(x: Any, *, labels: Any) -> Any:
    """Take the score of each sample's own class; only that score gets a gradient.

    z[n] = x[n, label[n]];  ∂x[n, label[n]] = g[n], else 0
    """
    return np.squeeze(x[_place(x, labels)], 0 if x.ndim == 1 else 1)


@op(dx=lambda g, z, x, labels, shape: _take_class(g, labels=labels))
def _put_class(x: Any, *, labels: Any, shape: Any) -> Any:
    """Zeros with one number for each sample, at its class: the derivative of taking it.

    z[n, label[n]] = x[n], else 0;  ∂x[n] = g[n, label[n]]
    """
    z = np.zeros_like(x, shape=shape)
    z[_place(z, labels)] = np.expand_dims(x, 0 if len(shape) == 1 else 1)
    return z


@op(
    dx=lambda g, z, x, labels, share: _put_class(
        broadcast_to(g * -_slope(share), shape=labels.shape), labels=labels, shape=x.shape
    )
)
def negative_log_likelihood(x: Any, *, labels: Any, share: Any) -> Any:
    """Minus the sum of what stands at the labels, each by its share; only that gets a gradient.

    z = -Σ over n of share·x[n, label[n]];  ∂x[n, label[n]] = -g·share, else 0
    """
    return -_shared_total(_take_class(x, labels=labels), share)


def _class_weights(name: str, input: Any, weight: Any) -> Any:
    """The weight of each class, shaped so that it broadcasts against the scores."""
    classes = input.shape[_class_dim(input)]
    if weight.ndim != 1 or weight.shape[0] != classes:
        raise ShapeError(f"{name}: the weight must hold one number for each of the {classes} classes, not {describe(weight)}.")
    return reshape(weight, shape=(classes,) + (1,) * (input.ndim - 2))


# -- classification: cross-entropy ---------------------------------------------------------------------------------------
@op(keeps="parts", dx=lambda g, z, x, labels, share, parts: softmax_minus_one_hot(x, g, labels=labels, share=share, parts=parts))
def softmax_cross_entropy(x: Any, *, labels: Any, share: Any) -> Any:
    """How surprised the softmax of the scores is by the labels; the gradient is the softmax, less 1 at the label.

    z = Σ over rows x[n] of share·(ln(Σ e^x[n]) - x[n, label[n]]);  ∂x = g·share·(softmax(x) - one-hot)

    Args:
        x: scores of shape (N, C), also called logits.
        labels: N class numbers, not checked here.
        share: how much each sample counts: 1/N for their mean, or N numbers.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    if not x.size:
        return np.full_like(x, 0 * share, shape=()), None
    at_labels, parts = _softmax_parts(x, labels)
    losses = np.log(parts.totals)
    losses -= at_labels
    return _shared_total(losses, share), parts


@op(
    dx=lambda h, z, x, g, labels, share, parts: _softmax_slope(h * (g * _column(share)), _softmax(x, dim=1)),
    dg=lambda h, z, x, g, labels, share, parts: (
        sum(h * _softmax(x, dim=1) * _column(share)) - sum(_take_class(h, labels=labels) * share)
    ),
)
def softmax_minus_one_hot(x: Any, g: Any, *, labels: Any, share: Any, parts: Any = None) -> Any:
    """The softmax of each row, less 1 at its label, times g and the row's share: what cross-entropy sends back to its scores.

    z = g·share·(p - one-hot(label)) with p = softmax(x);  ∂x = p·(q - Σ q·p) with q = h·g·share;  ∂g = Σ h·share·(p - one-hot(label))
    """
    if not x.size:
        return x.copy()
    exps, totals, own = parts or _softmax_parts(x, labels)[1]
    rows = g * (number(share, g) if isinstance(share, float) else _slope(share))
    z = exps * (rows / totals)[:, None]
    z.put(own, z.take(own) - rows)
    return z


def _shared_total(losses: Any, share: Any) -> Any:
    """Σ share·losses; a loss that has no share may be infinite. One share for all divides the sum, so that float16 keeps its digits."""
    if isinstance(share, float):
        return _total(losses, None, False, 1 / share)
    return _total(np.where(share == 0, 0, losses) * share, None, False)


def _slope(share: Any) -> Any:
    """A share as it stands in the gradient: nothing where no sample counts, although their mean, 0/0, is NaN (as in PyTorch)."""
    return share if isinstance(share, float) else np.where(np.isnan(share), 0, share)


def _column(share: Any) -> Any:
    return share if isinstance(share, float) else _slope(share)[:, None]


class _Parts(NamedTuple):
    """Of softmax and labels: e^x, and its sum for each row; where the label of each row stands, counted through all rows."""

    exps: Any
    totals: Any
    own: Any


def _softmax_parts(x: Any, labels: Any) -> tuple[Any, _Parts]:
    """The score at each label and the parts of the softmax, all less the largest score of the row, so that nothing overflows."""
    shifted = x - largest(x, 1)
    own = labels + np.arange(0, x.size, x.shape[1], like=labels)
    at_labels = shifted.take(own)  # quicker than x[rows, labels]
    exps = np.exp(shifted, out=shifted)
    return at_labels, _Parts(exps, add_last(exps), own)


def _softmax_slope(g: Any, p: Any) -> Any:
    return p * (g - sum(g * p, 1, True))


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The loss of classification: minus the logarithm of the probability that the softmax of the scores gives the right class.

    z[n] = -ln softmax(input[n])[target[n]], or -Σ target[n]·ln softmax(input[n]) for probabilities

    The softmax is inside: give scores, not probabilities.

    Args:
        input: scores (logits) of shape (C,), (N, C) or (N, C, ...).
        target: class numbers of shape (), (N,) or (N, ...), or probabilities of the input's shape.
        weight: one number for each class; the mean then divides by the sum of the samples' weights.
        ignore_index: a label that is left out, of the mean too.
        reduction: "mean", "sum" or "none".
        label_smoothing: the part ε of the target that is spread evenly over all classes.

    Raises:
        IndexError: a label outside [0, C), with its position; of labels on a GPU, when numbers are next looked at (`item()`, `cpu()`).
        ShapeError, DtypeError: labels of the wrong shape or dtype.

    >>> from tinygrad_edu import tensor
    >>> cross_entropy(tensor([[0.0, 0.0], [10000.0, 0.0]]), tensor([0, 0]))
    tensor(0.3466)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be between 0 and 1, not {label_smoothing}.")
    if input.ndim and input.shape == target.shape:
        return _probability_loss(input, target, weight, ignore_index, reduction, label_smoothing)
    labels, ignored = _labels("cross_entropy", input, target, ignore_index)
    counts = _counts("cross_entropy", input, labels, ignored, weight)
    if reduction == "none" or label_smoothing:
        return _label_loss(log_softmax(input, _class_dim(input)), labels, ignored, counts, weight, reduction, label_smoothing)
    share = _shares(labels, counts, reduction)
    if input.ndim != 2:
        input, labels = _as_rows(input), labels.reshape(-1)
        share = share if isinstance(share, float) else share.reshape(-1)
    return softmax_cross_entropy(input, labels=labels, share=share)


def _as_rows(input: Any) -> Any:
    """Scores of shape (C,) or (N, C, ...) with one row for each sample."""
    last = input if input.ndim == 1 else permute(input, dims=(0, *range(2, input.ndim), 1))
    return reshape(last, shape=(math.prod(last.shape[:-1]), last.shape[-1]))


def _counts(name: str, input: Any, labels: Any, ignored: Any, weight: Any) -> Any:
    """How much each sample counts: the weight of its class, and 0 if it is ignored; None where all count the same."""
    if weight is None:
        return None if ignored is None else (~ignored).astype(input.dtype)
    if weight.dtype != input.dtype:
        raise DtypeError(
            f"{name}: the weight is {weight.dtype} and the input {input.dtype}; convert one of them with .to(dtype)."
        )
    own = raw(_class_weights(name, input, weight)).reshape(-1)[labels]
    return own if ignored is None else np.where(ignored, 0, own)


def _shares(labels: Any, counts: Any, reduction: str) -> Any:
    """The part that each sample's loss has in the reduced loss: a number, or an array with one for each."""
    if counts is not None:
        return counts if reduction == "sum" else (counts / counts.sum(dtype=np.float64)).astype(counts.dtype)
    return 1.0 if reduction == "sum" else 1 / labels.size if labels.size else math.nan


def _probability_loss(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    if target.dtype.kind != "f":
        raise DtypeError(
            f"cross_entropy: a target of the input's shape holds probabilities (floats), and it is {describe(target)}."
        )
    if ignore_index >= 0:
        raise RuntimeError(f"cross_entropy: ignore_index ({ignore_index}) is for class numbers; this target holds probabilities.")
    dim = _class_dim(input)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[dim]
    terms = log_softmax(input, dim) * target
    if weight is not None:
        terms = terms * _class_weights("cross_entropy", input, weight)
    return _reduced(-sum(terms, dim), reduction)


def _label_loss(
    log_p: Any, labels: Any, ignored: Any, counts: Any, weight: Any, reduction: str, label_smoothing: float = 0.0
) -> Any:
    """-ln p of the labels, each by its count, and smoothed; the mean is one in which each sample counts by its count."""
    losses = -_take_class(log_p, labels=labels)
    if counts is not None:
        losses = losses * counts
    if label_smoothing:
        dim = _class_dim(log_p)
        evenly = -sum(log_p if weight is None else log_p * _class_weights("cross_entropy", log_p, weight), dim)
        losses = losses * (1 - label_smoothing) + evenly * (label_smoothing / log_p.shape[dim])
    if ignored is not None:
        losses = where(ignored, 0, losses)
    if reduction == "mean" and counts is not None:
        return sum(losses) / _total(counts, None, False)
    return _reduced(losses, reduction)


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The negative log-likelihood: minus the logarithm, taken before, of the probability of the right class.

    z[n] = -weight[target[n]]·input[n, target[n]]

    Args:
        input: logarithms of probabilities, as log_softmax gives them, of shape (C,), (N, C) or (N, C, ...).
        target, weight, ignore_index, reduction: as for `cross_entropy`.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    labels, ignored = _labels("nll_loss", input, target, ignore_index)
    counts = _counts("nll_loss", input, labels, ignored, weight)
    if reduction == "none":
        return _label_loss(input, labels, ignored, counts, weight, reduction)
    return negative_log_likelihood(input, labels=labels, share=_shares(labels, counts, reduction))


# -- classification: margins -----------------------------------------------------------------------------------------------
def _against_label(name: str, input: Any, target: Any) -> tuple[Any, Any, Any]:
    """Scores as (N, C), the label's own score as (N, 1), and a mask of the other classes, for (N, C), (C,) or a single score."""
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise ShapeError(f"{name}: the input must have shape (N, C) or (C,), with C above 0, not {describe(input)}.")
    scores = input if input.ndim == 2 else reshape(input, shape=(1, -1))
    labels, _ = _labels(name, scores, target if input.ndim == 2 else reshape(target, shape=(1,)))
    own = unsqueeze(_take_class(scores, labels=labels), 1)
    return scores, own, np.arange(scores.shape[1], like=labels) != labels[:, None]


def _per_sample(losses: Any, input: Any, reduction: str) -> Any:
    return _reduced(losses if input.ndim == 2 else reshape(losses, shape=()), reduction)


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The multiclass support vector machine of Weston and Watkins: every other class whose score comes near the right one's costs.

    z[n] = Σ over j ≠ y of weight[y]·max(0, margin - s[y] + s[j])ᵖ / C, with the scores s = input[n] and y = target[n]

    PyTorch divides by the number of classes C; the sum itself is C times this loss.

    Args:
        input: scores of shape (N, C) or (C,).
        target: class numbers of shape (N,) or ().
        p: 1 or 2.

    Source: Weston, Watkins 1999; https://pytorch.org/docs/stable/generated/torch.nn.functional.multi_margin_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, not {p}.")
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"multi_margin_loss: the weight must have one dim, not {describe(weight)}.")
    scores, own, others = _against_label("multi_margin_loss", input, target)
    excess = relu(scores - own + margin) * others
    losses = sum(excess if p == 1 else square(excess), 1) / scores.shape[1]
    if weight is not None:
        losses = losses * sum(where(others, 0, weight), 1)
    return _per_sample(losses, input, reduction)


def one_vs_all_hinge_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """One support vector machine for each class against all others: the right score should be above 1, all others below -1.

    z[n] = max(0, margin - s[y]) + Σ over j ≠ y of max(0, margin + s[j]), with s = input[n] and y = target[n]

    Args:
        input: scores of shape (N, C) or (C,).
        target: class numbers of shape (N,) or ().

    Source: the linear classifier demo of CS231n, http://vision.stanford.edu/teaching/cs231n-demos/linear-classify/
    """
    reduction = reduction_of(reduction)
    scores, own, others = _against_label("one_vs_all_hinge_loss", input, target)
    losses = relu(margin - own)[:, 0] + sum(relu(scores + margin) * others, 1)
    return _per_sample(losses, input, reduction)


def structured_svm_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """The multiclass support vector machine of Crammer and Singer: only the strongest rival of the right class costs.

    z[n] = max(0, margin - s[y] + max over j ≠ y of s[j]), with s = input[n] and y = target[n]

    Args:
        input: scores of shape (N, C) or (C,), with at least 2 classes.
        target: class numbers of shape (N,) or ().

    Source: Crammer, Singer 2001; the linear classifier demo of CS231n,
    http://vision.stanford.edu/teaching/cs231n-demos/linear-classify/
    """
    reduction = reduction_of(reduction)
    scores, own, others = _against_label("structured_svm_loss", input, target)
    if scores.shape[1] < 2:
        raise ShapeError(f"structured_svm_loss needs at least 2 classes; the input is {describe(input)}.")
    rival = amax(where(others, scores, -math.inf), dim=1)
    return _per_sample(relu(rival - own[:, 0] + margin), input, reduction)


def multilabel_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """Several right classes for each sample: each of them should have a score above every wrong one's by 1.

    z[n] = Σ over right y, wrong j of max(0, 1 - s[y] + s[j]) / C, with s = input[n]

    Args:
        input: scores of shape (N, C) or (C,).
        target: of the same shape: the numbers of the right classes, then -1; what follows the first -1 is ignored.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.multilabel_margin_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if input.ndim not in (0, 1, 2) or (input.ndim and not input.shape[-1]):
        raise ShapeError(f"multilabel_margin_loss: the input must have shape (N, C) or (C,), not {describe(input)}.")
    _equal_shapes("multilabel_margin_loss", input, target)
    labels, classes = raw(target), input.shape[-1] if input.ndim else 1
    if labels.dtype != np.int64:
        raise DtypeError(f"multilabel_margin_loss: labels must be int64, not {describe(target)}; convert them with .long().")
    if labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise IndexError(f"multilabel_margin_loss: labels must be in [0, {classes}), and -1 after the last one.")
    scores, labels = reshape(input, shape=(-1, classes)), labels.reshape(-1, classes)
    listed = np.cumsum(labels < 0, axis=1) == 0  # those before the first -1
    own = gather(scores, 1, wrap(np.where(listed, labels, 0)))
    right = (np.where(listed, labels, -1)[:, :, None] == np.arange(classes, like=labels)).any(axis=1)
    excess = relu(1 - unsqueeze(own, 2) + unsqueeze(scores, 1)) * (listed[:, :, None] & ~right[:, None, :])
    losses = sum(excess, (1, 2)) / classes
    return _per_sample(losses, input, reduction)


# -- probabilities -----------------------------------------------------------------------------------------------------
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
        RuntimeError: an input outside [0, 1].

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _equal_shapes("binary_cross_entropy", input, target)
    values = raw(input)

    def error() -> RuntimeError:
        return RuntimeError(
            f"binary_cross_entropy: the input must hold probabilities in [0, 1], and it goes from {float(values.min()):.4g} to "
            f"{float(values.max()):.4g}. Apply sigmoid first, or better use binary_cross_entropy_with_logits."
        )

    require(((values >= 0) & (values <= 1)).all(), error)
    losses = _bernoulli_surprise(input, target)
    return _reduced(losses if weight is None else losses * weight, reduction)


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
    _equal_shapes("binary_cross_entropy_with_logits", input, target)
    losses = _bernoulli_surprise_of_logits(input, target)
    if pos_weight is not None:
        losses = losses - (pos_weight - 1) * target * logsigmoid(input)
    return _reduced(losses if weight is None else losses * weight, reduction)


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
    return _reduced(sum(losses, -1) / input.shape[-1], reduction)


def soft_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """The logistic loss for targets 1 and -1: scores of the wrong sign cost.

    z = ln(1 + e^(-target·input))

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.soft_margin_loss.html
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _equal_shapes("soft_margin_loss", input, target)
    return _reduced(-logsigmoid(target * input), reduction)


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
        _warn('kl_div: reduction="mean" divides by the number of all elements, so it is not the divergence; use "batchmean".')
    by_batch = reduction == "batchmean"
    reduction = reduction_of("sum" if by_batch else reduction, size_average, reduce)
    losses = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    z = _reduced(losses, reduction)
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
    return _reduced(losses, reduction)


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
    return _reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


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
    return _mean_squared_error(x, y) if reduction == "mean" else _reduced(square(x - y), reduction)


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
    return _reduced(losses, reduction) if weight is None else _weighted(losses, weight, input, reduction)


@op(dtype="float", dx=lambda g, z, x, delta: g * clamp(x, -delta, delta))
def _huber(x: Any, *, delta: float) -> Any:
    """A parabola around 0 that goes on as straight lines from ±δ.

    z = x²/2 where |x| ≤ δ, else δ·(|x| - δ/2);  ∂x = g·x where |x| ≤ δ, else g·δ·sign x
    """
    size = np.abs(x)
    inner = np.minimum(size, delta)
    return inner * (size - 0.5 * inner)


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
    return _reduced(_huber(x - y, delta=beta) / beta if beta else abs(x - y), reduction)


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
    return _reduced(losses if weight is None else losses * weight, reduction)


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
    return _reduced(losses, reduction)


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
    return _reduced(clamp_min(-target * (input1 - input2) + margin, 0), reduction)


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
    return _reduced(losses, reduction)


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
    return _reduced(clamp_min(margin + near - far, 0), reduction)
