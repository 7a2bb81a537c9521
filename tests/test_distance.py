"""Distances in parts: as many differences as are needed, in little memory, with the same result."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial import distance as scipy_distance

import tinygrad_edu as tg
from tinygrad_edu.ops import distance
from tinygrad_edu.testing import gradcheck, gradgradcheck


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_parts_of_one_row_give_the_same(p, monkeypatch):
    x, y = (tg.randn(*shape, dtype=tg.float64, requires_grad=True) for shape in ((2, 5, 3), (4, 3)))
    whole = tg.cdist(x, y, p)
    monkeypatch.setattr(distance, "AT_ONCE", 1)
    assert tg.allclose(tg.cdist(x, y, p), whole)
    assert gradcheck(lambda x, y: tg.cdist(x, y, p), (x, y))
    assert gradgradcheck(lambda x, y: tg.cdist(x, y, p), (x, y))


def test_far_from_the_origin_no_digits_are_lost():
    x, y = (1000 + np.random.default_rng(seed).random((20, 3)).astype(np.float32) for seed in (0, 1))
    exact = scipy_distance.cdist(x.astype(np.float64), y.astype(np.float64))
    np.testing.assert_allclose(tg.cdist(tg.tensor(x), tg.tensor(y)).numpy(), exact, rtol=1e-6)


def test_nothing():
    for n, m, d in ((0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)):
        x, y = tg.zeros(n, d, requires_grad=True), tg.zeros(m, d, requires_grad=True)
        z = tg.cdist(x, y)
        z.sum().backward()
        assert (z.shape, x.grad.shape, y.grad.shape) == ((n, m), x.shape, y.shape)


def test_many_differences_take_little_memory():
    x, y = tg.randn(500, 784), tg.randn(500, 784)
    tracemalloc.start()
    tg.cdist(x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30e6  # all at once would take 784 MB
