"""Sums as products: the same numbers, to as many digits, whatever dims are added up and however they lie in memory."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.ops.totals import LARGE, total_of_products


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_dims_in_any_order_in_memory(order: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (7, 3, 5, 2)).astype("float32").transpose(order)
    for count in range(1, 5):
        for dims in itertools.combinations(range(4), count):
            for keepdim in (False, True):
                expected = x.astype(float).sum(dims, keepdims=keepdim)
                np.testing.assert_allclose(tg.tensor(x).sum(dims, keepdim).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_sums_of_products_of_large_arrays(order: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(0, 1, (40, 30, 20)).astype("float32").transpose(order) for _ in range(2))
    assert x.size >= LARGE
    for count in range(4):
        for dims in itertools.combinations(range(3), count):
            expected = (x.astype(float) * y).sum(dims)
            np.testing.assert_allclose(total_of_products(x, y, dims), expected, rtol=1e-6)
            np.testing.assert_allclose(total_of_products(x, y.copy(), dims), expected, rtol=1e-6)  # lies otherwise in memory
            np.testing.assert_allclose(total_of_products(x[:, ::2], y[:, ::2], dims), (x * y)[:, ::2].sum(dims), rtol=2e-6)


@pytest.mark.parametrize(
    "shape", [(5000, 2, 3, 100), (3, 2, 50, 6000), (100, 2, 150, 100), (4096, 3), (60_000,), (997, 10), (2, 5003, 3)]
)
def test_many_numbers_lose_no_digits(shape: tuple[int, ...]) -> None:
    """Added one by one in float32, so many tenths would be wrong in the third or fourth digit; PyTorch's tests allow 1.3e-6."""
    x = tg.full(shape, 0.1)
    for count in range(1, len(shape) + 1):
        for dims in itertools.combinations(range(len(shape)), count):
            expected = np.float32(0.1) * float(np.prod([shape[d] for d in dims]))
            for y in (x, x.mT.contiguous().mT if len(shape) > 1 else x):
                np.testing.assert_allclose(y.sum(dims).numpy(), expected, rtol=1.3e-6)


def test_squares_beyond_float16() -> None:
    """The largest float16 is 65504: 300² is beyond it, and the lengths, deviations and angles made of such squares are not."""
    x = tg.tensor([[300.0, 400.0], [-3000.0, 4000.0]], dtype=tg.float16, requires_grad=True)
    lengths = x.norm(dim=1)
    lengths.sum().backward()
    assert lengths.tolist() == [500, 5000]
    np.testing.assert_allclose(x.grad.numpy(), [[0.6, 0.8], [-0.6, 0.8]], rtol=1e-3)
    assert tg.linalg.matrix_norm(x).item() == pytest.approx(math.hypot(500, 5000), rel=1e-3)
    assert x.std(1, correction=0).tolist() == [50, 3500]
    assert tg.tensor([300.0] + [0.0] * 99, dtype=tg.float16).var(correction=0).item() == pytest.approx(891, rel=1e-3)
    np.testing.assert_allclose(tg.nn.functional.normalize(x).tolist(), [[0.6, 0.8], [-0.6, 0.8]], rtol=1e-3)
    assert tg.cosine_similarity(x[:1], x[1:]).item() == pytest.approx(0.28, rel=2e-3)
    assert {t.dtype for t in (lengths, x.std(), x.var(), tg.nn.functional.normalize(x))} == {tg.float16}
