"""Dropout and choosing: how often, what stays, which elements go together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn

F = nn.functional
LAYERS = [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout]


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_happens_in_evaluation(layer: Callable[..., Any]) -> None:
    x = tg.randn(2, 3, 4)
    assert layer(0.7).eval()(x) is x
    assert layer(0.0)(x) is x


@given(p=st.floats(0.1, 0.9))
@settings(max_examples=10, deadline=None)
def test_dropout(p: float) -> None:
    tg.manual_seed(0)
    x = tg.ones(20_000, requires_grad=True)
    z = F.dropout(x, p)
    found = z.detach().numpy()
    assert abs((found == 0).mean() - p) < 0.02
    np.testing.assert_allclose(found[found != 0], 1 / (1 - p), rtol=1e-5)
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), found)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("function", "shape", "channels"),
    [
        (F.dropout1d, (40, 50, 3), 2), (F.dropout1d, (2000, 3), 1), (F.dropout2d, (40, 50, 2, 2), 2),
        (F.dropout3d, (40, 50, 2, 1, 2), 2), (F.dropout3d, (2000, 2, 1, 2), 1),
    ],
)  # fmt: skip
def test_whole_channels(function: Any, shape: tuple[int, ...], channels: int) -> None:
    tg.manual_seed(1)
    z = function(tg.ones(*shape), 0.3).numpy().reshape(*shape[:channels], -1)
    assert (z == z[..., :1]).all()
    assert abs((z[..., 0] == 0).mean() - 0.3) < 0.05


@pytest.mark.parametrize("function", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropout_keeps_mean_and_variance(function: Any) -> None:
    tg.manual_seed(2)
    z = function(tg.randn(200, 300, 2), 0.4, training=True).numpy()
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1) < 0.03
    if function is F.feature_alpha_dropout:
        same = z[..., 0] == z[..., 1]
        assert abs(same.mean() - 0.4) < 0.02


def test_everything_dropped() -> None:
    x = tg.ones(3, requires_grad=True)
    F.dropout(x, 1.0).sum().backward()
    assert x.grad.tolist() == [0, 0, 0]  # type: ignore[union-attr]
    assert F.alpha_dropout(tg.ones(3), 1.0, True).tolist() == [0, 0, 0]


def test_the_same_numbers_in_every_pass_and_for_every_seed() -> None:
    x = tg.randn(50, requires_grad=True)
    tg.manual_seed(3)
    z = F.dropout(x)
    first = tg.autograd.grad(z.sum(), x, retain_graph=True)[0]
    second = tg.autograd.grad(z.sum(), x)[0]
    np.testing.assert_array_equal(first.numpy(), second.numpy())  # type: ignore[union-attr]
    tg.manual_seed(3)
    np.testing.assert_array_equal(F.dropout(x).detach().numpy(), z.detach().numpy())


def test_dtype_stays() -> None:
    for dtype in (tg.float16, tg.float32, tg.float64):
        assert F.dropout(tg.ones(4, dtype=dtype)).dtype == F.alpha_dropout(tg.ones(4, dtype=dtype), training=True).dtype == dtype


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("drop", [*LAYERS, lambda p: F.dropout(tg.ones(2), p)])
def test_what_is_no_probability_is_refused(drop: Callable[..., Any], p: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        drop(p)


def test_other_inputs_are_refused() -> None:
    with pytest.raises(RuntimeError, match="int64"):
        F.dropout(tg.ones(2, dtype=tg.int64))
    with pytest.raises(RuntimeError, match="expected"):
        F.dropout1d(tg.ones(2))


# -- choosing --------------------------------------------------------------------------------------------------------
def test_gumbel_softmax_draws_with_the_probabilities_of_softmax() -> None:
    tg.manual_seed(4)
    logits = tg.tensor([0.0, 1.0, 2.0]).expand(20_000, 3)
    hard = F.gumbel_softmax(logits, hard=True).numpy()
    assert set(np.unique(hard.round(5))) == {0.0, 1.0}
    np.testing.assert_allclose(hard.mean(0), F.softmax(logits[0], 0).numpy(), atol=0.02)
    soft = F.gumbel_softmax(logits, tau=0.5).numpy()
    np.testing.assert_allclose(soft.sum(-1), 1, rtol=1e-5)


def test_gumbel_softmax_passes_a_gradient() -> None:
    for hard in (False, True):
        logits = tg.randn(4, 3, requires_grad=True)
        (F.gumbel_softmax(logits, hard=hard) * tg.tensor([1.0, 2.0, 3.0])).sum().backward()
        assert (logits.grad != 0).any()  # type: ignore[union-attr]
