"""Metrics: against counting, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import tensor
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.metrics import accuracy, binary_accuracy, confusion_matrix, mean_absolute_error, top_k_accuracy


@given(n=st.integers(1, 20), k=st.integers(1, 4), more=st.integers(0, 2), seed=st.integers(0, 99))
def test_accuracy_by_counting(n: int, k: int, more: int, seed: int) -> None:
    rng, classes = np.random.default_rng(seed), k + more
    scores, labels = rng.random((n, classes)), rng.integers(classes, size=n)
    z, y = tensor(scores), tensor(labels)
    rank = [sorted(range(classes), key=lambda c: -row[c]).index(label) for row, label in zip(scores, labels, strict=True)]
    assert accuracy(z, y) == pytest.approx(sum(r == 0 for r in rank) / n)
    assert top_k_accuracy(z, y, k) == pytest.approx(sum(r < k for r in rank) / n)
    counts = np.zeros((classes, classes), int)
    for row, label in zip(scores, labels, strict=True):
        counts[label, row.argmax()] += 1
    assert confusion_matrix(z, y).tolist() == counts.tolist()


def test_metrics_of_other_shapes() -> None:
    z = tg.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert accuracy(z, tg.tensor([[0, 1]])) == 1.0
    assert binary_accuracy(tg.tensor([2.0, -1.0, 3.0]), tg.tensor([1, 0, 0])) == pytest.approx(2 / 3)
    assert binary_accuracy(tg.tensor([0.6]), tg.tensor([1.0]), threshold=0.5) == 1.0
    assert mean_absolute_error(tg.tensor([1.0, 2.0]), tg.tensor([2.0, 4.0])) == 1.5
    for metric in (accuracy, binary_accuracy, mean_absolute_error):
        with pytest.raises(ShapeError):
            metric(tg.ones(4, 1), tg.ones(4, 2))


def test_accuracy_takes_scores() -> None:
    with pytest.raises(ValueError, match="the scores themselves, without argmax"):
        accuracy(tg.tensor([0, 1]), tg.tensor([0, 1]))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_nan_is_never_right(k: int) -> None:
    z = tensor([[float("nan"), 0.0, 0.0], [1.0, 0.0, 0.0]])
    y = tensor([0, 0])
    assert top_k_accuracy(z, y, k) == 0.5
    assert binary_accuracy(tensor([float("nan"), -1.0]), y) == 0.5
    assert confusion_matrix(z, y).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("metric", "prediction", "target", "says"),
    [
        (accuracy, np.ones((2, 2)), tensor([0, 1]), "takes tensors, the prediction and the target, and not a ndarray"),
        (accuracy, tg.ones(0, 2), tensor([]).long(), "no samples"),
        (top_k_accuracy, tg.ones(2, 3), tensor([0, 1]), "k must be from 1 to the number of classes, 3, and is 5"),
        (mean_absolute_error, tg.ones(0), tg.ones(0), "no samples"),
        (confusion_matrix, tg.ones(2, 3), tensor([[0], [1]]), r"and classes \(samples,\)"),
        (confusion_matrix, tensor([0.0, 1.0]), tensor([0, 1]), "whole numbers"),
        (confusion_matrix, tg.ones(2, 3), tensor([0, 3]), "with 3 classes, they are 0 to 2; there are 0 to 3"),
        (lambda z, y: confusion_matrix(z, y, 2), tensor([2, 0]), tensor([0, 1]), "with 2 classes, they are 0 to 1"),
        (confusion_matrix, tensor([0, 0]), tensor([-1, 1]), "there are -1 to 1"),
    ],
)
def test_what_metrics_refuse(metric: Any, prediction: Any, target: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        metric(prediction, target)
