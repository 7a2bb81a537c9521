"""Running sums, products and extremes over long rows, which are combined row by row: the same as number by number."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.ops import cumulative
from tinygrad_edu.testing import gradcheck, gradgradcheck

LAYOUTS = {
    "rows": lambda x: x,
    "transposed": lambda x: x.transpose(0, 2),
    "every other": lambda x: x[:, ::2],
    "repeated": lambda x: x[:, :, :1].expand(-1, -1, 4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_row_by_row_is_number_by_number(dim: int, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = tg.randn(3, 4, 5, dtype=tg.float64)

    def results() -> list:
        x = numbers.clone().requires_grad_()
        y = LAYOUTS[layout](x)
        found = [y.cumsum(dim), y.cumprod(dim), y.logcumsumexp(dim), y.cummax(dim).values, y.cummin(dim).values, y.prod(dim)]
        return [*found, *(tg.autograd.grad((z * z).sum(), x)[0] for z in found)]

    whole = results()
    monkeypatch.setattr(cumulative, "LONG", 1)
    for by_rows, expected in zip(results(), whole, strict=True):
        np.testing.assert_allclose(by_rows.detach().numpy(), expected.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_derivatives_row_by_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cumulative, "LONG", 1)
    x = tg.randn(4, 3, dtype=tg.float64, requires_grad=True)
    assert gradcheck(lambda x: getattr(x, name)(0), x)
    assert gradgradcheck(lambda x: getattr(x, name)(0), x)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float16"])
def test_dtypes(dtype: str) -> None:
    x = tg.tensor(np.random.default_rng(0).integers(0, 2, (5, cumulative.LONG))).to(dtype)
    expected = x.numpy().cumsum(0, dtype=None if dtype == "float16" else np.int64)
    assert x.cumsum(0).dtype == (tg.float16 if dtype == "float16" else tg.int64)
    np.testing.assert_array_equal(x.cumsum(0).numpy(), expected)


def test_nothing() -> None:
    for shape in ((0, 3), (3, 0)):
        for dim in (0, 1):
            assert tg.zeros(shape).cumsum(dim).shape == tg.zeros(shape).cummax(dim).values.shape == shape
