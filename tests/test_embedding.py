"""Embeddings: look-ups, the gradients of rows, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn, tensor
from tinygrad_edu.nn import functional as f


@given(st.integers(1, 30), st.integers(1, 8), st.lists(st.integers(0, 6), max_size=2), st.sampled_from(["float32", "float64"]))
@settings(deadline=None, max_examples=40)
def test_gradient_is_a_sum_over_uses(rows: int, columns: int, shape: list[int], dtype: str) -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, rows, shape)
    weight = tensor(rng.normal(size=(rows, columns)), dtype=dtype, requires_grad=True)
    z = f.embedding(tensor(index), weight)
    assert z.shape == (*shape, columns)
    np.testing.assert_array_equal(z.numpy(force=True), weight.array[index])
    g = rng.normal(size=z.shape).astype(dtype)
    z.backward(tensor(g))
    expected = np.zeros((rows, columns), dtype)
    np.add.at(expected, index.reshape(-1), g.reshape(-1, columns))
    assert weight.grad is not None
    np.testing.assert_allclose(weight.grad.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_many_rows(dtype: str) -> None:
    """Many rows are added by another way than few; both give the same."""
    rng = np.random.default_rng(0)
    index, g = rng.integers(0, 50, 2000), rng.integers(-3, 4, (2000, 16)).astype(dtype)
    weight = tensor(np.zeros((50, 16), dtype), requires_grad=True)
    f.embedding(tensor(index), weight).backward(tensor(g))
    expected = np.zeros((50, 16))
    np.add.at(expected, index, g)
    assert weight.grad is not None
    assert weight.grad.dtype == dtype
    np.testing.assert_array_equal(weight.grad.numpy(), expected)


def test_padding_row_is_not_trained() -> None:
    layer = nn.Embedding(4, 3, padding_idx=-1)
    assert not layer.weight[3].numpy(force=True).any()
    layer(tg.tensor([0, 3, 3])).sum().backward()
    assert layer.weight.grad is not None
    np.testing.assert_array_equal(layer.weight.grad.numpy().sum(1), [3, 0, 0, 0])
    with pytest.raises(ValueError, match="padding_idx"):
        nn.Embedding(4, 3, padding_idx=4)


def test_max_norm_shortens_only_rows_in_use() -> None:
    layer = nn.Embedding.from_pretrained(tg.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]]), max_norm=1.0, freeze=False)
    layer(tg.tensor([0, 1]))
    np.testing.assert_allclose(layer.weight.numpy(force=True), [[0.6, 0.8], [0.3, 0.4], [6, 8]], rtol=1e-6)


def test_from_pretrained_is_frozen() -> None:
    assert not nn.Embedding.from_pretrained(tg.ones(3, 2)).weight.requires_grad
    assert nn.Embedding.from_pretrained(tg.ones(3, 2), freeze=False).weight.requires_grad


def test_refused() -> None:
    weight = tg.ones(3, 2)
    for bad in (3, -1):
        with pytest.raises(IndexError, match=f"index {bad} is out of range"):
            f.embedding(tg.tensor([0, bad]), weight)
    with pytest.raises(RuntimeError, match="long"):
        f.embedding(tg.tensor([0.0]), weight)
    with pytest.raises(RuntimeError, match="class number 3"):
        f.one_hot(tg.tensor([0, 3]), 3)
    with pytest.raises(ValueError, match="mode"):
        f.embedding_bag(tg.tensor([[0]]), weight, mode="median")
