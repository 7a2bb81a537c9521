"""What stands in for a function of NumPy's because it is quicker gives what that function gives, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_edu import tensor
from tinygrad_edu.backend import choose

SPECIAL = [0.0, -0.0, 1.5, -2.0, math.inf, -math.inf, math.nan, 6e-8, -6e4]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["float16", "float32", "float64", "int64"]),
    st.sampled_from([(40, 50), (3, 1024), (2, 3)]),
    st.sampled_from(["whole", "row", "number", "Python's", "transposed", "other dtype"]),
    st.integers(0, 2**32 - 1),
)
def test_choose_is_where(dtype: str, shape: Any, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw(shape: Any) -> Any:
        return rng.choice(SPECIAL[:4] if dtype == "int64" else SPECIAL, shape).astype(dtype)

    condition, x = rng.random(shape) < rng.random(), draw(shape)
    y = {
        "whole": lambda: draw(shape),
        "row": lambda: draw(shape[-1:]),
        "number": lambda: draw(()),
        "Python's": lambda: 2.0 if dtype != "int64" else 2,
        "transposed": lambda: draw(shape[::-1]).T,
        "other dtype": lambda: rng.normal(size=shape),
    }[kind]()
    for a, b in ((x, y), (y, x)):
        found, expected = choose(condition, a, b), np.where(condition, a, b)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [3, 4, 5, 8, -1, -2, -3, 7.0, 0, 1, 2])
def test_whole_powers_are_those_of_python(dtype: str, n: float) -> None:
    """Of both signs, of zeros and infinities."""

    def power(x: float) -> float:
        if x == 0 and n < 0:
            return math.copysign(math.inf, x) if n % 2 else math.inf
        return x**n

    numbers = [1.5, -1.5, 2.0, -3.25, 0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 7.1, -0.001]
    found = (tensor(numbers, dtype=dtype) ** n).numpy()
    expected = np.array([power(float(np.dtype(dtype).type(x))) for x in numbers])
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == "float32" else 1e-14)
    assert (np.signbit(found) == np.signbit(expected))[np.isfinite(expected)].all()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([(1, 300), (3, 1000), (256,), (2, 400, 2)]),
    st.sampled_from(["float32", "float64", "int64"]),
    st.booleans(),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_topk_of_many_is_the_front_of_their_order(shape: Any, dtype: str, largest: bool, part: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dim = int(np.argmax(shape))
    values = rng.choice(SPECIAL if dtype != "int64" else [0, 1, 2], shape) if seed % 2 else rng.normal(size=shape) * 100
    x, k = tensor(values.astype(dtype)), int(part * shape[dim])
    found = x.topk(k, dim, largest=largest)
    ordered = x.sort(dim, descending=largest).values.narrow(dim, 0, k)
    np.testing.assert_array_equal(found.values.numpy(), ordered.numpy())
    np.testing.assert_array_equal(x.gather(dim, found.indices).numpy(), ordered.numpy())
    assert np.diff(np.sort(found.indices.numpy(), axis=dim), axis=dim).all()  # no element is taken twice


def test_a_dtype_is_numpys_own_object() -> None:
    """To arrays of any other equal dtype NumPy adds by index forty times as slowly."""
    for name in ("float32", "float64", "int64", "bool"):
        assert tensor([0, 1]).to(np.dtype(name)).array.dtype is np.dtype(name)
