"""Normalization layers: what is 0 and 1 afterwards, what depends on what, running statistics. Values are in the catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.testing import gradcheck, gradgradcheck

F = nn.functional
quick = settings(max_examples=15, deadline=None)
sizes = st.lists(st.integers(2, 4), min_size=3, max_size=5)


def numbers(shape: Any, seed: int = 0, **how: Any) -> tg.Tensor:
    rng = np.random.default_rng(seed)
    return tg.tensor(rng.normal(3, 5, tuple(shape)), **how)


NORMS = {
    "batch": (lambda x: F.batch_norm(x, None, None, training=True), lambda n: (0, *range(2, n))),
    "instance": (F.instance_norm, lambda n: tuple(range(2, n))),
    "layer": (lambda x: F.layer_norm(x, x.shape[2:]), lambda n: tuple(range(2, n))),
    "group": (lambda x: F.group_norm(x, 1), lambda n: tuple(range(1, n))),
}


@pytest.mark.parametrize("name", NORMS)
@given(shape=sizes)
@quick
def test_mean_0_variance_1(name: str, shape: list[int]) -> None:
    norm, over = NORMS[name]
    z = norm(numbers(shape)).numpy()
    np.testing.assert_allclose(z.mean(over(len(shape))), 0, atol=1e-7)
    np.testing.assert_allclose((z**2).mean(over(len(shape))), 1, rtol=0.01)


@pytest.mark.parametrize("name", NORMS)
@given(shape=sizes, scale=st.floats(0.5, 20), shift=st.floats(-10, 10))
@quick
def test_shift_and_scale_do_not_matter(name: str, shape: list[int], scale: float, shift: float) -> None:
    norm, _ = NORMS[name]
    x = numbers(shape)
    np.testing.assert_allclose(norm(scale * x + shift).numpy(), norm(x).numpy(), atol=1e-3)


@pytest.mark.parametrize("name", NORMS)
def test_derivatives(name: str) -> None:
    norm, _ = NORMS[name]
    x = numbers((2, 2, 3), requires_grad=True)
    assert gradcheck(norm, [x])
    assert gradgradcheck(norm, [x])


@pytest.mark.parametrize("name", ["instance", "layer", "group"])
def test_a_sample_depends_on_no_other(name: str) -> None:
    norm, _ = NORMS[name]
    x = numbers((4, 2, 3))
    np.testing.assert_allclose(norm(x)[1:2].numpy(), norm(x[1:2]).numpy(), rtol=1e-12)


def test_rms_norm() -> None:
    z = F.rms_norm(numbers((5, 7)), (7,)).numpy()
    np.testing.assert_allclose((z**2).mean(-1), 1)


@given(length=st.floats(0.1, 100), p=st.sampled_from([1.0, 2.0, 3.0, float("inf")]))
@quick
def test_normalize(length: float, p: float) -> None:
    z = F.normalize(numbers((3, 4)) * length, p=p, dim=-1)
    np.testing.assert_allclose(tg.linalg.vector_norm(z, p, -1).numpy(), 1)
    assert F.normalize(tg.zeros(2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_local_response_norm_of_one_channel() -> None:
    x = numbers((2, 3, 4))
    np.testing.assert_allclose(F.local_response_norm(x, 1, 2.0, 0.5, 3.0).numpy(), (x / (3 + 2 * x * x) ** 0.5).numpy())
    with pytest.raises(ValueError, match="3 dims"):
        F.local_response_norm(tg.ones(2, 2), 2)


# -- running statistics ----------------------------------------------------------------------------------------------
@given(momentum=st.sampled_from([0.1, 0.5, None]))
@quick
def test_running_statistics(momentum: float | None) -> None:
    layer = nn.BatchNorm1d(3, momentum=momentum, dtype=tg.float64)
    mean, var = np.zeros(3), np.ones(3)
    for i in range(4):
        x = numbers((5, 3, 2), i)
        layer(x)
        m = momentum if momentum is not None else 1 / (i + 1)
        mean = (1 - m) * mean + m * x.numpy().mean((0, 2))
        var = (1 - m) * var + m * x.numpy().var((0, 2), ddof=1)
        np.testing.assert_allclose(layer.running_mean.numpy(), mean)
        np.testing.assert_allclose(layer.running_var.numpy(), var)
        assert layer.num_batches_tracked.item() == i + 1
    layer.eval()
    z = layer(x)
    np.testing.assert_allclose(z.detach().numpy(), (x.numpy() - mean[:, None]) / np.sqrt(var[:, None] + 1e-5), rtol=1e-6)
    np.testing.assert_allclose(layer(x[:1]).detach().numpy(), z[:1].detach().numpy())  # no sample depends on another
    assert layer.num_batches_tracked.item() == 4
    layer.reset_running_stats()
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([0, 0, 0], [1, 1, 1])


def test_statistics_have_no_history_and_do_not_disturb_a_graph() -> None:
    layer = nn.BatchNorm1d(2)
    x = numbers((4, 2), dtype=tg.float32, requires_grad=True)
    layer.eval()
    before = layer(x)
    layer.train()
    layer(x)
    assert not layer.running_mean.requires_grad
    before.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1, rtol=1e-4)  # type: ignore[union-attr]


def test_without_statistics_a_batch_counts_in_evaluation_too() -> None:
    layer = nn.BatchNorm2d(2, track_running_stats=False).eval()
    assert list(layer.state_dict()) == ["weight", "bias"]
    z = layer(numbers((3, 2, 2, 2), dtype=tg.float32)).detach().numpy()
    np.testing.assert_allclose(z.mean((0, 2, 3)), 0, atol=1e-6)


def test_instance_norm_statistics() -> None:
    layer = nn.InstanceNorm1d(2, track_running_stats=True, momentum=1.0)
    x = numbers((3, 2, 6), dtype=tg.float32)
    layer(x)
    np.testing.assert_allclose(layer.running_mean.numpy(), x.numpy().mean(-1).mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), x.numpy().var(-1, ddof=1).mean(0), rtol=1e-5)
    alone = nn.InstanceNorm1d(2)
    np.testing.assert_allclose(alone(x[0]).numpy(), alone(x).numpy()[0], rtol=1e-5)


# -- parameters, dtypes, refusals ------------------------------------------------------------------------------------
def test_parameters() -> None:
    assert list(nn.BatchNorm1d(2).state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(nn.LayerNorm(2, bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm((2, 3), elementwise_affine=False).state_dict()) == []
    assert list(nn.GroupNorm(1, 2).state_dict()) == ["weight", "bias"]
    assert list(nn.RMSNorm(2).state_dict()) == ["weight"]
    assert list(nn.InstanceNorm1d(2).state_dict()) == []


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32, tg.float64])
def test_dtype_stays(dtype: Any) -> None:
    """float16 too, whose squares alone would overflow."""
    for layer in (nn.BatchNorm1d(3), nn.LayerNorm(3), nn.RMSNorm(3), nn.GroupNorm(1, 3)):
        layer.to(dtype)
        x = tg.tensor([[300.0, 500.0, 900.0], [1.0, 400.0, 2.0]], dtype=dtype, requires_grad=True)
        z = layer(x)
        z.sum().backward()
        assert z.dtype == x.grad.dtype == layer.weight.grad.dtype == dtype  # type: ignore[union-attr]
        assert np.isfinite(z.detach().numpy()).all()


def test_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.BatchNorm1d(3)(tg.ones(1, 3))
    assert nn.BatchNorm1d(3).eval()(tg.ones(1, 3)).shape == (1, 3)
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.InstanceNorm2d(3)(tg.ones(2, 3, 1, 1))
    for layer, shape in ((nn.BatchNorm1d(3), (2, 3, 4, 5)), (nn.BatchNorm2d(3), (2, 3, 4)), (nn.InstanceNorm2d(3), (2, 3))):
        with pytest.raises(ValueError, match="expected"):
            layer(tg.ones(*shape))
    with pytest.raises(RuntimeError, match="channels"):
        nn.BatchNorm2d(3)(tg.ones(2, 4, 5, 5))
    with pytest.raises(RuntimeError, match="last sizes"):
        nn.LayerNorm(3)(tg.ones(2, 4))
    with pytest.raises(RuntimeError, match="floating-point"):
        F.layer_norm(tg.ones(2, 3, dtype=tg.int64), (3,))
    with pytest.raises(ValueError, match="divide"):
        nn.GroupNorm(2, 3)
    with pytest.raises(RuntimeError, match="dtype"):
        nn.LayerNorm(3)(tg.ones(2, 3, dtype=tg.float64))
    with pytest.raises(RuntimeError, match="running_mean"):
        F.batch_norm(tg.ones(2, 3), None, None)
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="expected"):
        layer(tg.ones(2, 3, 1, 1))
    assert layer.running_mean.tolist() == [0, 0, 0]
