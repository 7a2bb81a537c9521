"""Metrics: how good predictions are, as plain functions of (prediction, target) that return a number.

`fit` and `evaluate` call them batch by batch and average over the samples. A sample for which the model gives NaN is never right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError, describe
from .tensor import Tensor, raw, wrap


def accuracy(prediction: Tensor, target: Tensor) -> float:
    """The share of samples whose largest output is at the target's class.

    Args:
        prediction: one number per class, (samples, classes) or (samples, classes, ...): logits or probabilities alike.
        target: the classes, (samples,) or (samples, ...).

    Raises:
        ShapeError: other shapes. ValueError: no samples. TypeError: no tensors. (So do the other metrics.)

    >>> from tinygrad_edu import tensor
    >>> accuracy(tensor([[2.0, 1.0], [0.0, 3.0]]), tensor([0, 0]))
    0.5
    """
    return top_k_accuracy(prediction, target, 1)


def top_k_accuracy(prediction: Tensor, target: Tensor, k: int = 5) -> float:
    """The share of samples whose class is among the `k` largest outputs; arguments as for `accuracy`."""
    scores, labels = _arrays("accuracy", prediction, target)
    if scores.ndim < 2 or scores.shape[:1] + scores.shape[2:] != labels.shape:
        chosen = scores.dtype.kind in "iu" and scores.shape == labels.shape
        raise ShapeError(
            f"accuracy takes predictions (samples, classes, ...) and targets (samples, ...), not {describe(prediction)} and "
            f"{describe(target)}. "
            + ("Give the scores themselves, without argmax." if chosen else "For one output per sample use binary_accuracy.")
        )
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"top_k_accuracy: k must be from 1 to the number of classes, {scores.shape[1]}, and is {k}.")
    best = scores.argmax(1)[:, None] if k == 1 else np.argsort(-scores, 1)[:, :k]
    return float(((best == labels[:, None]).any(1) & ~np.isnan(scores).any(1)).mean())


def binary_accuracy(prediction: Tensor, target: Tensor, threshold: float = 0.0) -> float:
    """The share of samples that are on the right side of the threshold: 0 for logits (default), 0.5 for probabilities."""
    scores, labels = _alike("binary_accuracy", prediction, target)
    return float((((scores > threshold) == (labels > 0.5)) & ~np.isnan(scores)).mean())


def mean_absolute_error(prediction: Tensor, target: Tensor) -> float:
    """How far predictions are off on average."""
    values, wanted = _alike("mean_absolute_error", prediction, target)
    return float(abs(values - wanted).mean())


def confusion_matrix(prediction: Tensor, target: Tensor, classes: int | None = None) -> Tensor:
    """How many samples of class i (row) were taken for class j (column); those with NaN among their scores are in no cell.

    Args:
        prediction: one number per class, (samples, classes); or the classes, (samples,).
        target: the classes, (samples,).
        classes: how many there are (default: as many as scores, or as occur).

    >>> from tinygrad_edu import tensor
    >>> confusion_matrix(tensor([0, 1, 1]), tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """
    _arrays("confusion_matrix", prediction, target)
    scores, labels = prediction.numpy(force=True), target.numpy(force=True)
    chosen = scores.argmax(1) if scores.ndim == 2 else scores
    if chosen.shape != labels.shape or labels.ndim != 1 or {chosen.dtype.kind, labels.dtype.kind} - {"i", "u"}:
        raise ShapeError(
            "confusion_matrix takes scores (samples, classes) or classes (samples,), and classes (samples,), which are whole numbers; not "
            f"{describe(prediction)} and {describe(target)}."
        )
    occurring = np.concatenate([chosen, labels])
    if classes is None:
        classes = scores.shape[1] if scores.ndim == 2 else int(occurring.max()) + 1
    if occurring.min() < 0 or occurring.max() >= classes:
        raise ValueError(
            f"confusion_matrix: with {classes} classes, they are 0 to {classes - 1}; there are {occurring.min()} to {occurring.max()}."
        )
    known = ~np.isnan(scores).reshape(len(scores), -1).any(1)
    counts = np.bincount(labels[known] * classes + chosen[known], minlength=classes * classes)
    return wrap(counts.reshape(classes, classes))


def _arrays(name: str, prediction: Tensor, target: Tensor) -> tuple[Any, Any]:
    """The numbers of both, without their history."""
    for given in (prediction, target):
        if not isinstance(given, Tensor):
            raise TypeError(f"{name} takes tensors, the prediction and the target, and not a {type(given).__name__}.")
    if not target.array.size:
        raise ValueError(f"{name}: there are no samples, so there is no answer.")
    return raw(prediction), raw(target)


def _alike(name: str, prediction: Tensor, target: Tensor) -> tuple[Any, Any]:
    arrays = _arrays(name, prediction, target)
    if prediction.shape != target.shape:  # (N, 1) against (N,) would be compared as an N x N table
        raise ShapeError(f"{name} needs equal shapes; these are {describe(prediction)} and {describe(target)}. Reshape one.")
    return arrays
