"""Sums as products: the same numbers, to as many digits, whatever dims are added up and however they lie in memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_edu as tg


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_dims_in_any_order_in_memory(order: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (7, 3, 5, 2)).astype("float32").transpose(order)
    for count in range(1, 5):
        for dims in itertools.combinations(range(4), count):
            for keepdim in (False, True):
                expected = x.astype(float).sum(dims, keepdims=keepdim)
                np.testing.assert_allclose(tg.tensor(x).sum(dims, keepdim).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(5000, 2, 3, 100), (3, 2, 50, 6000), (100, 2, 150, 100)])
def test_many_numbers_lose_no_digits(shape: tuple[int, ...]) -> None:
    """Added one by one in float32, so many tenths would be wrong in the third or fourth digit."""
    for x in (tg.full(shape, 0.1), tg.full((shape[2], shape[1], shape[3], shape[0]), 0.1).permute(3, 1, 0, 2)):
        np.testing.assert_allclose(x.sum((0, 2, 3)).numpy(), np.float32(0.1) * float(x.numel() // 2), rtol=3e-6)
