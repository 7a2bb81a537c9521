"""Loaders and collate against PyTorch's."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Tensor, data

torch = pytest.importorskip("torch")

# What a sample is like, and then a batch of samples of that kind.
KINDS = st.recursive(
    st.sampled_from(["float", "int", "bool", "str", "array", "scalar", "int array"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
MAKE = {
    "float": lambda r: float(r.random()),
    "int": lambda r: int(r.integers(9)),
    "bool": lambda r: bool(r.integers(2)),
    "str": lambda r: str(r.integers(9)),
    "array": lambda r: r.random((2, 3)).astype("float32"),
    "scalar": lambda r: np.float32(r.random()),
    "int array": lambda r: r.integers(9, size=4),
}


def sample(kind: Any, rng: np.random.Generator) -> Any:
    if isinstance(kind, str):
        return MAKE[kind](rng)
    if isinstance(kind, dict):
        return {key: sample(inner, rng) for key, inner in kind.items()}
    return type(kind)(sample(inner, rng) for inner in kind)


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, Tensor):
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        return
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    else:
        assert ours == theirs


@given(KINDS, st.integers(1, 4), st.integers(0, 5))
def test_collate(kind: Any, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = [sample(kind, rng) for _ in range(count)]
    assert_same(data.default_collate(batch), torch.utils.data.default_collate(batch))


@given(
    n=st.integers(1, 20),
    size=st.one_of(st.none(), st.integers(1, 7)),
    drop=st.booleans(),
    order=st.one_of(st.none(), st.lists(st.integers(0, 0), max_size=9)),
)
def test_loader(n: int, size: int | None, drop: bool, order: list[int] | None) -> None:
    samples = [(np.full(2, i), i, str(i)) for i in range(n)]
    settings = {"batch_size": size, "drop_last": drop and size is not None, "sampler": order}
    ours, theirs = data.DataLoader(samples, **settings), torch.utils.data.DataLoader(samples, **settings)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = (list(batch) for batch in (a, b))
        assert_same(a, b)


@given(n=st.integers(0, 30), parts=st.integers(1, 5))
def test_random_split_lengths(n: int, parts: int) -> None:
    fractions = [1 / parts] * parts
    ours = data.random_split(range(n), fractions)
    with pytest.warns(UserWarning, match="Length of split") if n < parts else nullcontext():
        theirs = torch.utils.data.random_split(range(n), fractions)
    assert [len(part) for part in ours] == [len(part) for part in theirs]
