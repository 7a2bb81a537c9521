"""Linear algebra: how exact it is."""

from __future__ import annotations

import numpy as np

import tinygrad_edu as tg


def test_matrix_exp_loses_few_digits() -> None:
    exact = np.random.default_rng(0).uniform(-9, 9, (100, 5, 5)).astype("float32").astype("float64")
    truth = tg.matrix_exp(tg.tensor(exact)).numpy()
    error = np.abs(tg.matrix_exp(tg.tensor(exact).float()).numpy() - truth).max((1, 2)) / np.abs(truth).max((1, 2))
    assert np.median(error) < 15 * np.finfo("float32").eps
