"""Rows for the losses: ops/classification.py, ops/likelihood.py and ops/loss.py."""

import math

import numpy as np
from scipy import special

import tinygrad_edu as tg
from tinygrad_edu.ops import classification
from tinygrad_edu.tensor import raw

from . import Case, between, integers, positive, probability, real

REDUCTIONS = [{}, {"reduction": "sum"}, {"reduction": "none"}]


def signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


def reduced(formula):
    """A reference from the formula of unreduced losses."""

    def reference(*arrays, reduction="mean", **settings):
        losses = np.asarray(formula(*arrays, **settings))
        if reduction == "batchmean":
            return losses.sum() / len(arrays[0])
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]

    return reference


def each_sample(formula):
    """A reference that goes through the samples of (N, C) and (N,), or of (C,) and ()."""

    def losses(x, y, **settings):
        rows = [formula(row, label, **settings) for row, label in zip(np.atleast_2d(x), np.atleast_1d(y), strict=True)]
        return np.reshape(np.array(rows), np.shape(y))

    return reduced(losses)


def others(s, y):
    return [s[j] for j in range(len(s)) if j != y]


def cross_entropy(x, y, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    """One sample after the other, one class after the other."""
    axis = 0 if x.ndim == 1 else 1
    classes = x.shape[axis]
    weight = np.ones(classes) if weight is None else weight
    log_p = np.moveaxis(special.log_softmax(x, axis=axis), axis, -1).reshape(-1, classes)
    if y.dtype.kind == "f":
        p = np.moveaxis(y, axis, -1).reshape(-1, classes) * (1 - label_smoothing) + label_smoothing / classes
        losses, shares, shape = -(log_p * p * weight).sum(1), np.ones(len(p)), np.delete(x.shape, axis)
    else:
        losses, shares, shape = [], [], y.shape
        for row, label in zip(log_p, y.reshape(-1), strict=True):
            shares.append(0 if label == ignore_index else weight[label])
            own = -weight[label] * row[label] * (1 - label_smoothing) - label_smoothing / classes * (weight * row).sum()
            losses.append(0 if label == ignore_index else own)
    total = np.sum(losses)
    return {"none": np.reshape(losses, shape), "sum": total, "mean": total / np.sum(shares)}[reduction]


def nll(x, y, **settings):
    """Cross-entropy of what is a logarithm of probabilities already."""
    return cross_entropy(special.log_softmax(x, axis=0 if x.ndim == 1 else 1), y, **settings)


WEIGHT = np.array([0.5, 2.0, 1.0])


def weighted(function):
    """Call with the class weights as a tensor of the input's dtype and device."""
    return lambda x, *rest, **how: function(x, *rest, weight=tg.tensor(WEIGHT.tolist(), dtype=x.dtype, device=x.device), **how)


SCORES = [((4, 3), (4,)), ((3,), ()), ((2, 3, 5), (2, 5)), ((1, 3, 2, 2), (1, 2, 2))]
SAMPLES = [((4, 3), (4,)), ((3,), ())]
SAME = [((2, 3), (2, 3)), ((), ()), ((4,), (4,))]
label = integers(0, 3)


def row_labels(rng, shape):
    """A few different class numbers, then -1, then what is to be ignored."""
    return np.array([[2, 0, -1, 1], [1, -1, 3, 3], [-1, 0, 1, 2]])[: shape[0]] if len(shape) == 2 else np.array([3, 1, -1, 0])


def multilabel_margin(x, y):
    rows = []
    for s, labels in zip(np.atleast_2d(x), np.atleast_2d(y), strict=True):
        right = list(labels[: list(labels).index(-1)])
        wrong = [j for j in range(len(s)) if j not in right]
        rows.append(sum(max(0, 1 - s[i] + s[j]) for i in right for j in wrong) / len(s))
    return np.reshape(rows, x.shape[:-1])


def distance(a, b, p=2.0, eps=1e-6):
    return (np.abs(a - b + eps) ** p).sum(-1) ** (1 / p)


def triplet(anchor, like, unlike, margin=1.0, swap=False, **norm):
    far = distance(anchor, unlike, **norm)
    far = np.minimum(far, distance(like, unlike, **norm)) if swap else far
    return np.maximum(0, distance(anchor, like, **norm) - far + margin)


def one_cosine(a, b):
    return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def huber(d, delta):
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def log_likelihood(x, t):
    return -(t * np.log(x) + (1 - t) * np.log(1 - x))


CASES = [
    # -- cross-entropy
    Case(
        "cross_entropy",
        cross_entropy,
        (real, label),
        SCORES,
        [
            *REDUCTIONS,
            {"ignore_index": 1, "reduction": "sum"},
            {"label_smoothing": 0.3},
            {"label_smoothing": 1.0, "reduction": "none"},
        ],
        ops=("softmax_cross_entropy", "take_class"),
    ),
    Case(
        "cross_entropy",
        lambda x, y, **how: cross_entropy(x, y, WEIGHT, **how),
        (real, label),
        SCORES,
        [*REDUCTIONS, {"label_smoothing": 0.3, "ignore_index": 2, "reduction": "sum"}],
        call=weighted(tg.cross_entropy),
        ops=(),
        note="with class weights",
    ),
    Case(
        "cross_entropy",
        cross_entropy,
        (real, probability),
        [((4, 3), (4, 3)), ((3,), (3,)), ((2, 3, 5), (2, 3, 5))],
        [*REDUCTIONS, {"label_smoothing": 0.3}],
        ops=(),
        note="with probabilities",
    ),
    Case(
        "softmax_cross_entropy",
        cross_entropy,
        (real, label),
        [((4, 3), (4,)), ((1, 3), (1,))],
        call=lambda x, y: classification.softmax_cross_entropy(x, labels=y, share=1 / len(y)),
    ),
    Case(
        "softmax_cross_entropy",
        lambda x, y: cross_entropy(x, y, reduction="none") @ (y + 1) / 4,
        (real, label),
        [((4, 3), (4,)), ((1, 3), (1,))],
        call=lambda x, y: classification.softmax_cross_entropy(x, labels=y, share=((y + 1) * 0.25).to(x.dtype)),
        note="with a share for each sample",
    ),
    Case(
        "softmax_minus_one_hot",
        lambda x, g, y: (special.softmax(x, axis=1) - np.eye(3)[y]) * g / 4,
        (real, real, label),
        [((4, 3), (), (4,)), ((0, 3), (), (0,))],
        call=lambda x, g, y: classification.softmax_minus_one_hot(x, g, labels=y, share=0.25),
    ),
    Case(
        "softmax_minus_one_hot",
        lambda x, g, y: (special.softmax(x, axis=1) - np.eye(3)[y]) * g * (y[:, None] + 1) / 4,
        (real, real, label),
        [((4, 3), (), (4,))],
        call=lambda x, g, y: classification.softmax_minus_one_hot(x, g, labels=y, share=((y + 1) * 0.25).to(x.dtype)),
        note="with a share for each sample",
    ),
    Case(
        "negative_log_likelihood",
        lambda x, y: nll(x, y, reduction="sum") / 2,
        (real, label),
        [((4, 3), (4,)), ((2, 3, 5), (2, 5)), ((3,), ())],
        call=lambda x, y: classification.negative_log_likelihood(
            tg.log_softmax(x, 0 if x.ndim == 1 else 1), labels=raw(y).copy(), share=0.5
        ),
    ),
    Case(
        "nll_loss",
        nll,
        (real, label),
        SCORES,
        REDUCTIONS,
        call=lambda x, y, **how: tg.nll_loss(tg.log_softmax(x, 0 if x.ndim == 1 else 1), y, **how),
        ops=(),
    ),
    Case(
        "put_class",
        lambda x, y: x[:, None] * np.eye(3)[y],
        (real, label),
        [((4,), (4,)), ((0,), (0,))],
        call=lambda x, y: classification._put_class(x, labels=y, shape=(*x.shape, 3)),
    ),
    # -- margins
    Case(
        "excess",
        lambda x, y, margin: np.maximum(0, margin - np.take_along_axis(x, y[:, None], 1) + x) * (np.arange(4) != y[:, None]),
        (real, label),
        [((3, 4), (3,)), ((0, 4), (0,))],
        [{"margin": 1.0}, {"margin": -0.2}],
        call=lambda x, y, margin: classification._excess(x, labels=y, margin=margin),
    ),
    Case(
        "multi_margin_loss",
        each_sample(lambda s, y, p=1, margin=1.0: sum(max(0, margin - s[y] + t) ** p for t in others(s, y)) / len(s)),
        (real, label),
        SAMPLES,
        [*REDUCTIONS, {"p": 2, "margin": 0.7}],
        ops=(),
    ),
    Case(
        "multi_margin_loss",
        each_sample(lambda s, y: WEIGHT[y] * sum(max(0, 1 - s[y] + t) for t in others(s, y)) / len(s)),
        (real, label),
        SAMPLES,
        REDUCTIONS,
        call=weighted(tg.multi_margin_loss),
        ops=(),
        note="with class weights",
    ),
    Case(
        "one_vs_all_hinge_loss",
        each_sample(lambda s, y, margin=1.0: max(0, margin - s[y]) + sum(max(0, margin + t) for t in others(s, y))),
        (real, label),
        SAMPLES,
        [*REDUCTIONS, {"margin": 0.6}],
        ops=(),
    ),
    Case(
        "structured_svm_loss",
        each_sample(lambda s, y, margin=1.0: max(0, margin - s[y] + max(others(s, y)))),
        (real, label),
        SAMPLES,
        [*REDUCTIONS, {"margin": 0.6}],
        ops=(),
    ),
    Case(
        "multilabel_margin_loss",
        reduced(multilabel_margin),
        (real, row_labels),
        [((3, 4), (3, 4)), ((4,), (4,))],
        REDUCTIONS,
        ops=(),
    ),
    # -- probabilities
    Case(
        "binary_cross_entropy", reduced(log_likelihood), (probability, probability), SAME, REDUCTIONS, ops=("bernoulli_surprise",)
    ),
    Case(
        "binary_cross_entropy",
        reduced(lambda x, t, w: w * log_likelihood(x, t)),
        (probability, probability, positive),
        [((2, 3), (2, 3), (3,))],
        REDUCTIONS,
        ops=(),
    ),
    Case(
        "binary_cross_entropy_with_logits",
        reduced(lambda x, t: log_likelihood(special.expit(x), t)),
        (real, probability),
        SAME,
        REDUCTIONS,
        ops=("bernoulli_surprise_of_logits",),
    ),
    Case(
        "binary_cross_entropy_with_logits",
        reduced(lambda x, t, w, p: -w * (p * t * np.log(special.expit(x)) + (1 - t) * np.log(special.expit(-x)))),
        (real, probability, positive, positive),
        [((2, 3), (2, 3), (3,), (3,))],
        REDUCTIONS,
        call=lambda x, t, w, p, **how: tg.binary_cross_entropy_with_logits(x, t, w, pos_weight=p, **how),
        ops=(),
    ),
    Case(
        "multilabel_soft_margin_loss",
        reduced(lambda x, t: log_likelihood(special.expit(x), t).mean(-1)),
        (real, probability),
        [((2, 3), (2, 3)), ((4,), (4,))],
        REDUCTIONS,
        ops=(),
    ),
    Case("soft_margin_loss", reduced(lambda x, t: np.log1p(np.exp(-t * x))), (real, signs), SAME, REDUCTIONS, ops=()),
    Case(
        "kl_div",
        reduced(lambda x, t, log_target=False: np.exp(t) * (t - x) if log_target else t * (np.log(t) - x)),
        (real, probability),
        [((2, 3), (2, 3)), ((4,), (4,))],
        [{"reduction": r, "log_target": flag} for r in ("batchmean", "sum", "none") for flag in (False, True)],
        ops=(),
    ),
    Case(
        "poisson_nll_loss",
        reduced(lambda x, t, log_input=True: np.exp(x) - t * x if log_input else x - t * np.log(x + 1e-8)),
        (positive, positive),
        SAME,
        [*REDUCTIONS, {"log_input": False}],
        ops=(),
    ),
    Case(
        "poisson_nll_loss",
        reduced(lambda x, t: np.exp(x) - t * x + np.where(t > 1, t * np.log(t) - t + np.log(2 * math.pi * t) / 2, 0)),
        (positive, positive),
        SAME,
        call=lambda x, t: tg.poisson_nll_loss(x, t, full=True),
        ops=(),
    ),
    Case(
        "gaussian_nll_loss",
        reduced(
            lambda x, t, var, full=False: (
                0.5 * (np.log(v := var if var.ndim == x.ndim else var[:, None]) + (x - t) ** 2 / v + full * np.log(2 * math.pi))
            )
        ),
        (real, real, positive),
        [((2, 3), (2, 3), (2, 3)), ((2, 3), (2, 3), (2,)), ((2, 3), (2, 3), (2, 1)), ((), (), ())],
        [*REDUCTIONS, {"full": True}],
        ops=(),
    ),
    # -- regression
    Case("mse_loss", reduced(lambda x, y: (x - y) ** 2), (real, real), SAME, REDUCTIONS, ops=("mean_squared_error",)),
    Case("l1_loss", reduced(lambda x, y: np.abs(x - y)), (real, real), SAME, REDUCTIONS, ops=()),
    Case(
        "mse_loss",
        lambda x, y, w: np.average((x - y) ** 2, weights=w),
        (real, real, positive),
        [((2, 3), (2, 3), (2, 3))],
        call=lambda x, y, w: tg.mse_loss(x, y, weight=w),
        ops=(),
        note="weighted",
    ),
    Case(
        "huber_loss",
        reduced(lambda x, y, delta=1.0: huber(x - y, delta)),
        (real, real),
        SAME,
        [*REDUCTIONS, {"delta": 0.4}],
        ops=("huber",),
    ),
    Case(
        "smooth_l1_loss",
        reduced(lambda x, y, beta=1.0: huber(x - y, beta) / beta if beta else np.abs(x - y)),
        (real, real),
        SAME,
        [*REDUCTIONS, {"beta": 0.4}, {"beta": 0.0}],
        ops=(),
    ),
    # -- pairs and triplets
    Case(
        "hinge_embedding_loss",
        reduced(lambda x, t, margin=1.0: np.where(t == 1, x, np.maximum(0, margin - x))),
        (real, signs),
        SAME,
        [*REDUCTIONS, {"margin": 0.3}],
        ops=(),
    ),
    Case(
        "margin_ranking_loss",
        reduced(lambda a, b, t, margin=0.0: np.maximum(0, -t * (a - b) + margin)),
        (real, real, signs),
        [((4,), (4,), (4,)), ((2, 3), (2, 1), (1, 3))],
        [*REDUCTIONS, {"margin": 0.3}],
        ops=(),
    ),
    Case(
        "cosine_embedding_loss",
        reduced(lambda a, b, t, margin=0.0: np.where(t == 1, 1 - one_cosine(a, b), np.maximum(0, one_cosine(a, b) - margin))),
        (real, real, signs),
        [((4, 3), (4, 3), (4,)), ((3,), (3,), ())],
        [*REDUCTIONS, {"margin": 0.3}],
        ops=(),
    ),
    *(
        Case(
            name,
            reduced(triplet),
            (real, between(-1, 1), real),
            [((4, 3), (4, 3), (4, 3)), ((3,), (3,), (3,))],
            [*REDUCTIONS, {"margin": 0.5, "swap": True}, *extra],
            ops=(),
        )
        for name, extra in (("triplet_margin_loss", [{"p": 3.0, "eps": 0.01}]), ("triplet_margin_with_distance_loss", []))
    ),
]
