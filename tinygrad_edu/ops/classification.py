"""Losses of classification: a model gives a score for each class, and a label says which class is right.

Cross-entropy asks how probable the softmax of the scores makes the right class; margins ask by how much its score beats the others'.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..backend import as_array, filled, number, require
from ..errors import DeviceError, DtypeError, ShapeError, describe
from ..op import op
from ..tensor import raw, wrap
from .activation import relu
from .elementwise import square
from .indexing import _index, _put_back, largest_unsigned, where
from .loss import equal_shapes, reduced, reduction_of
from .reduction import _total, amax, mean, sum
from .shape import broadcast_to, permute, reshape, unsqueeze
from .softmax import _softmax, log_softmax
from .totals import largest, row_starts, total

__all__ = [
    "cross_entropy", "multi_margin_loss", "multilabel_margin_loss", "nll_loss", "one_vs_all_hinge_loss",
    "structured_svm_loss",
]  # fmt: skip


# -- labels ------------------------------------------------------------------------------------------------------------
_LABELS = (np.dtype(np.int64), np.dtype(np.uint8))  # their dtypes, as in PyTorch


def _class_dim(x: Any) -> int:
    """Which dim of scores the classes are along: (C,), (N, C) or (N, C, ...)."""
    return 0 if x.ndim == 1 else 1


def _labels(name: str, input: Any, target: Any, ignore_index: int | None = None) -> tuple[Any, Any]:
    """The labels as an array, checked; those to be ignored become 0, and a mask says which (None: there are none)."""
    labels, shape = raw(target), input.shape
    if not shape:
        raise ShapeError(f"{name}: the input must have a dim of classes, (C,), (N, C) or (N, C, ...), not {describe(input)}.")
    classes, expected = (shape[0], ()) if len(shape) == 1 else (shape[1], (shape[0], *shape[2:]))
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
        advice = ""
        if len(shape) == 1 and labels.ndim == 1:
            advice = " The input is the scores of one sample, without a batch dimension: give the model x[None] or x[:1], and not x[0]."
        elif labels.shape == (*expected, 1):
            advice = " Remove the last dim with .squeeze(1)."
        raise ShapeError(
            f"{name}: for the input {tuple(shape)} there must be labels of shape {expected}, one number for each sample; "
            f"they are {labels.shape}.{advice}"
        )
    if not labels.size:
        return labels, None
    on_cpu = isinstance(labels, np.ndarray)
    if on_cpu is not isinstance(raw(input), np.ndarray):
        raise DeviceError(
            f"{name}: the scores are on {input.device}, the labels on {wrap(labels).device}; move the labels with .to(scores.device)."
        )
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


def _place(shape: Any, labels: Any) -> Any:
    """Where the score of each sample's class stands, counted through scores of this shape."""
    if len(shape) == 1:
        return labels
    rest = math.prod(shape[2:])
    first = np.arange(shape[0], like=labels) * (shape[1] * rest)  # of each sample
    if rest == 1:
        return first.reshape(labels.shape) + labels
    return (first[:, None] + np.arange(rest, like=labels)).reshape(labels.shape) + labels.astype(np.int64) * rest


@op(dx=lambda g, z, x, labels: _put_class(g, labels=labels, shape=x.shape))
def _take_class(x: Any, *, labels: Any) -> Any:
    """Take the score of each sample's own class; only that score gets a gradient.

    z[n] = x[n, label[n]];  ∂x[n, label[n]] = g[n], else 0
    """
    return x.take(_place(x.shape, labels))


@op(dx=lambda g, z, x, labels, shape: _take_class(g, labels=labels))
def _put_class(x: Any, *, labels: Any, shape: Any) -> Any:
    """Zeros with one number for each sample, at its class: the derivative of taking it.

    z[n, label[n]] = x[n], else 0;  ∂x[n] = g[n, label[n]]
    """
    z = np.zeros_like(x, shape=shape, order="C")
    z.put(_place(shape, labels), x)
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
    if weight.device != input.device:
        raise DeviceError(
            f"{name}: the scores are on {input.device}, the weight of the classes on {weight.device}; move it with .to()."
        )
    return reshape(weight, shape=(classes,) + (1,) * (input.ndim - 2))


# -- cross-entropy ---------------------------------------------------------------------------------------
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
        return filled(x, 0 * share, ()), None
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
    over = tuple(range(losses.ndim))
    if isinstance(share, float):
        return total(losses, over, 1 / share)
    return total(np.where(share == 0, 0, losses) * share, over)


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
    own = labels + row_starts(x.size, x.shape[1], labels)
    at_labels = shifted.take(own)  # quicker than x[rows, labels]
    exps = np.exp(shifted, out=shifted)
    return at_labels, _Parts(exps, total(exps, (1,)), own)


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
    if input.shape == target.shape and input.ndim:
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
        return as_array(counts if reduction == "sum" else (counts / counts.sum(dtype=np.float64)).astype(counts.dtype))
    return 1.0 if reduction == "sum" else 1 / labels.size if labels.size else math.nan


def _probability_loss(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    if target.dtype.kind != "f":
        raise DtypeError(
            f"cross_entropy: a target of the input's shape holds probabilities (floats), and it is {describe(target)}. If it is "
            f"one-hot, give the class numbers, target.argmax({_class_dim(input)}), or convert it with .float()."
        )
    if ignore_index >= 0:
        raise RuntimeError(f"cross_entropy: ignore_index ({ignore_index}) is for class numbers; this target holds probabilities.")
    dim = _class_dim(input)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[dim]
    terms = log_softmax(input, dim) * target
    if weight is not None:
        terms = terms * _class_weights("cross_entropy", input, weight)
    return reduced(-sum(terms, dim), reduction)


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
    return reduced(losses, reduction)


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


# -- margins -----------------------------------------------------------------------------------------------
def _scores_and_labels(name: str, input: Any, target: Any) -> tuple[Any, Any]:
    """Scores as (N, C) and their labels, for (N, C), (C,) or a single score."""
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise ShapeError(f"{name}: the input must have shape (N, C) or (C,), with C above 0, not {describe(input)}.")
    scores = input if input.ndim == 2 else reshape(input, shape=(1, -1))
    return scores, _labels(name, scores, target if input.ndim == 2 else reshape(target, shape=(1,)))[0]


def _against_label(name: str, input: Any, target: Any) -> tuple[Any, Any, Any]:
    """Scores as (N, C), the label's own score as (N, 1), and a mask of the other classes."""
    scores, labels = _scores_and_labels(name, input, target)
    own = unsqueeze(_take_class(scores, labels=labels), 1)
    return scores, own, np.arange(scores.shape[1], like=labels) != labels[:, None]


def _per_sample(losses: Any, batched: bool, reduction: str) -> Any:
    """Losses of one dim, (N,), or of none where there is a single sample without that dim."""
    return reduced(losses if batched else reshape(losses, shape=()), reduction)


@op(dx=lambda g, z, x, labels, margin: _less_their_sum(g * (z > 0), labels))
def _excess(x: Any, *, labels: Any, margin: float) -> Any:
    """How far the score of every other class comes above the label's own, less a margin.

    z[n, j] = max(0, margin - x[n, label[n]] + x[n, j]), 0 for j = label[n];  ∂x[n, j] = g[n, j] where z[n, j] > 0, else 0;
    ∂x[n, label[n]] = -Σ of those
    """
    own = _place(x.shape, labels)
    z = np.maximum(x - (x.take(own) - margin)[:, None], 0)
    z.put(own, 0)
    return z


def _less_their_sum(g: Any, labels: Any) -> Any:
    """g, and at the labels, where it is 0, minus the sum of its rows."""
    return g - _put_class(sum(g, 1), labels=labels, shape=g.shape)


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
    scores, labels = _scores_and_labels("multi_margin_loss", input, target)
    excess = _excess(scores, labels=labels, margin=margin)
    costs = excess if p == 1 else square(excess)
    if reduction == "mean" and weight is None:
        return mean(costs)  # at once: a fifth of the time
    losses = mean(costs, 1)
    if weight is not None:
        losses = losses * weight[labels.astype(np.int64)]
    return _per_sample(losses, target.ndim > 0, reduction)


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
    return _per_sample(losses, target.ndim > 0, reduction)


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
    return _per_sample(relu(rival - own[:, 0] + margin), target.ndim > 0, reduction)


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
    equal_shapes("multilabel_margin_loss", input, target)
    labels, classes = raw(target), input.shape[-1] if input.ndim else 1
    if labels.dtype != np.int64:
        raise DtypeError(f"multilabel_margin_loss: labels must be int64, not {describe(target)}; convert them with .long().")
    if labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise IndexError(f"multilabel_margin_loss: labels must be in [0, {classes}), and -1 after the last one.")
    scores, labels = reshape(input, shape=(-1, classes)), labels.reshape(-1, classes)
    listed = np.cumsum(labels < 0, axis=1) == 0  # those before the first -1
    sample, own = np.nonzero(listed)[0], labels[listed]  # of each right class in turn
    wrong = np.ones_like(listed, dtype=scores.dtype)
    wrong[sample, own] = 0
    excess = _excess(_index(scores, index=(sample,)), labels=own, margin=1.0) * wrap(wrong[sample])
    losses = _put_back(sum(excess, 1), shape=scores.shape[:1], index=(sample,)) / classes
    return _per_sample(losses, input.ndim > 1, reduction)
