"""Rows for ops/ctc.py."""

import itertools
import math

import numpy as np

import tinygrad_edu.nn.functional as F

from . import Case


def says(alignment, blank):
    """What an alignment says: without repetitions, then without blanks."""
    return [c for c, _ in itertools.groupby(alignment) if c != blank]


def ctc(x, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """By all alignments there are."""
    p, losses, targets = np.exp(x) / np.exp(x).sum(-1, keepdims=True), [], np.asarray(targets)
    if x.ndim == 2:
        p, targets = p[:, None], targets[None]
    ends = np.cumsum(target_lengths)
    for n, (frames, length) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        text = list(targets[n, :length] if targets.ndim == 2 else targets[ends[n] - length : ends[n]])
        alignments = itertools.product(range(x.shape[-1]), repeat=frames)
        total = sum(math.prod(p[t, n, c] for t, c in enumerate(a)) for a in alignments if says(a, blank) == text)
        loss = -math.log(total) if total else 0 if zero_infinity else math.inf
        losses.append(loss / max(length, 1) if reduction == "mean" else loss)
    z = np.array(losses)
    return np.mean(z) if reduction == "mean" else np.sum(z) if reduction == "sum" else z if x.ndim == 3 else z[0]


TEXTS = np.array([[1, 2], [2, 2], [1, -7], [9, 9]])  # the last ones of the shorter texts are never looked at
FOUR, ONE = ((4, 4, 3),), ((4, 3),)
LENGTHS = {"input_lengths": [4, 3, 4, 2], "target_lengths": [2, 2, 1, 0]}

CASES = [
    # the scores of a softmax, of which nothing else counts; -∞ as a loss has no slope
    Case("ctc_loss", ctc, call=F.ctc_loss, dtypes=("float32", "float64"), settings=[
        *((FOUR, {"targets": TEXTS, **LENGTHS, "reduction": reduction}) for reduction in ("none", "mean", "sum")),
        (FOUR, {"targets": np.array([1, 2, 2, 2, 1]), **LENGTHS, "reduction": "none"}),
        (FOUR, {"targets": TEXTS - 1, **LENGTHS, "reduction": "none", "blank": 2}),
        (FOUR, {"targets": TEXTS, **LENGTHS, "input_lengths": [4, 2, 0, 0], "reduction": "none", "zero_infinity": True}),
        (((1, 1, 2),), {"targets": np.zeros((1, 0), "int64"), "input_lengths": [1], "target_lengths": [0]}),
        (ONE, {"targets": np.array([2, 1, 2]), "input_lengths": (4,), "target_lengths": (3,), "reduction": "none"}),
    ]),
]  # fmt: skip
