"""Metrics: how good predictions are, as plain functions of (prediction, target) that return a number.

`fit` and `evaluate` call them batch by batch and average over the samples.
"""

from __future__ import annotations

import numpy as np

from .errors import ShapeError, describe
from .tensor import Tensor, wrap


def accuracy(prediction: Tensor, target: Tensor) -> float:
    """The share of samples whose largest output is at the target's class.

    Args:
        prediction: one number per class, (samples, classes) or (samples, classes, ...): logits or probabilities alike.
        target: the classes, (samples,) or (samples, ...).

    >>> from tinygrad_edu import tensor
    >>> accuracy(tensor([[2.0, 1.0], [0.0, 3.0]]), tensor([0, 0]))
    0.5
    """
    return top_k_accuracy(prediction, target, 1)


def top_k_accuracy(prediction: Tensor, target: Tensor, k: int = 5) -> float:
    """The share of samples whose class is among the `k` largest outputs; arguments as for `accuracy`."""
    scores, labels = prediction.detach().array, target.array
    if scores.ndim < 2 or scores.shape[:1] + scores.shape[2:] != labels.shape:
        chosen = scores.dtype.kind in "iu" and scores.shape == labels.shape
        raise ShapeError(
            f"accuracy takes predictions (samples, classes, ...) and targets (samples, ...), not {describe(prediction)} and "
            f"{describe(target)}. "
            + ("Give the scores themselves, without argmax." if chosen else "For one output per sample use binary_accuracy.")
        )
    if k == 1:
        return float((scores.argmax(1) == labels).mean())
    best = np.argsort(-scores, 1)[:, :k]
    return float((best == labels[:, None]).any(1).mean())


def binary_accuracy(prediction: Tensor, target: Tensor, threshold: float = 0.0) -> float:
    """The share of samples that are on the right side of the threshold: 0 for logits (default), 0.5 for probabilities."""
    _same_shape("binary_accuracy", prediction, target)
    return float(((prediction.detach().array > threshold) == (target.array > 0.5)).mean())


def mean_absolute_error(prediction: Tensor, target: Tensor) -> float:
    """How far predictions are off on average."""
    _same_shape("mean_absolute_error", prediction, target)
    return float(abs(prediction.detach().array - target.array).mean())


def confusion_matrix(prediction: Tensor, target: Tensor, classes: int | None = None) -> Tensor:
    """How many samples of class i (row) were taken for class j (column); prediction: (samples, classes), or classes (samples,).

    >>> from tinygrad_edu import tensor
    >>> confusion_matrix(tensor([0, 1, 1]), tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """
    scores, labels = prediction.numpy(force=True), target.numpy(force=True)
    chosen = scores.argmax(1) if scores.ndim == 2 else scores
    if classes is None:
        classes = scores.shape[1] if scores.ndim == 2 else int(max(chosen.max(), labels.max())) + 1
    counts = np.bincount(labels * classes + chosen, minlength=classes * classes)
    return wrap(counts.reshape(classes, classes))


def _same_shape(name: str, prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape:  # (N, 1) against (N,) would be compared as an N x N table
        raise ShapeError(f"{name} needs equal shapes; these are {describe(prediction)} and {describe(target)}. Reshape one.")
