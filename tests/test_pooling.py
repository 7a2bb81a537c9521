"""Pooling, padding and interpolation: laws that hold for all sizes and settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn

F = nn.functional
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}


@st.composite
def problems(draw: Any, whole: bool = False) -> Any:
    """Dims, an input of distinct numbers, and windows that fit; `whole`: windows that divide the sizes evenly."""
    dims = draw(st.sampled_from((1, 2, 2, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))

    def sizes(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    kernel, times = sizes(1, 3), sizes(1, 3)
    shape = tuple(k * t for k, t in zip(kernel, times, strict=True))
    how: dict[str, Any] = {"kernel_size": kernel}
    if not whole:
        shape = tuple(n + e for n, e in zip(shape, sizes(0, 2), strict=True))
        how |= {
            "stride": sizes(1, 3),
            "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
            "ceil_mode": draw(st.booleans()),
        }
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 2)), *shape)
    return dims, rng.permutation(int(np.prod(shape))).reshape(shape).astype(float) + 1, how


@given(problems())
@settings(deadline=None, max_examples=60)
def test_the_indices_point_at_the_maxima(problem: Any) -> None:
    dims, x, how = problem
    z, indices = MAX[dims](tg.tensor(x), **how, return_indices=True)
    flat = x.reshape(*x.shape[:2], -1)
    np.testing.assert_array_equal(
        np.take_along_axis(flat, indices.numpy().reshape(*x.shape[:2], -1), -1).reshape(z.shape), z.numpy()
    )


@given(problems(whole=True))
@settings(deadline=None, max_examples=60)
def test_unpooling_inverts_pooling(problem: Any) -> None:
    """pool(unpool(pool(x))) = pool(x), and unpooling is what the gradient of pooling does."""
    dims, x, how = problem
    t = tg.tensor(x, requires_grad=True)
    z, indices = MAX[dims](t, **how, return_indices=True)
    back = UNPOOL[dims](z.detach(), indices, **how)
    assert back.shape == x.shape
    np.testing.assert_array_equal(MAX[dims](back, **how).numpy(), z.numpy(force=True))
    (gx,) = tg.autograd.grad(z, t, z.detach())
    np.testing.assert_array_equal(gx.numpy(), back.numpy())


@given(problems())
@settings(deadline=None, max_examples=40)
def test_a_gradient_reaches_each_window_once(problem: Any) -> None:
    """The gradients of all windows together are as many ones as there are windows, however numbers are tied."""
    dims, x, how = problem
    for values in (x, np.zeros_like(x), x % 3, np.full_like(x, -np.inf), np.full_like(x, np.nan)):
        t = tg.tensor(values, requires_grad=True)
        z = MAX[dims](t, **how)
        z.backward(tg.ones_like(z))
        assert t.grad.sum().item() == np.prod(z.shape)


@given(problems())
@settings(deadline=None, max_examples=40)
def test_averages_of_ones(problem: Any) -> None:
    """Padding that does not count leaves an average of ones 1; so does none."""
    dims, x, how = problem
    z = AVG[dims](tg.ones(*x.shape), **how, count_include_pad=False)
    np.testing.assert_allclose(z.numpy(), 1, rtol=1e-6)


@given(problems())
@settings(deadline=None, max_examples=30)
def test_samples_do_not_touch_each_other(problem: Any) -> None:
    dims, x, how = problem
    for pool in (MAX[dims], AVG[dims]):
        whole = pool(tg.tensor(x), **how).numpy()
        for i in range(len(x)):
            np.testing.assert_array_equal(pool(tg.tensor(x[i]), **how).numpy(), whole[i])


@given(problems(whole=True), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_adaptive_pooling(problem: Any, size: int) -> None:
    """Windows that divide the sizes are those of ordinary pooling; the maxima of any are at least the averages."""
    dims, x, how = problem
    t, wanted = tg.tensor(x), tuple(n // k for n, k in zip(x.shape[2:], how["kernel_size"], strict=True))
    average, largest = getattr(F, f"adaptive_avg_pool{dims}d"), getattr(F, f"adaptive_max_pool{dims}d")
    np.testing.assert_allclose(average(t, wanted).numpy(), AVG[dims](t, **how).numpy())
    np.testing.assert_array_equal(largest(t, wanted).numpy(), MAX[dims](t, **how).numpy())
    assert average(t, size).shape == (*x.shape[:2], *(size,) * dims)
    assert (largest(t, size) >= average(t, size) - 1e-9).all()


@given(problems(), st.permutations(range(3)))
@settings(deadline=None, max_examples=60)
def test_the_gradient_goes_to_one_element_of_each_window(problem: Any, order: Any) -> None:
    """Row by row, one that is larger than all before it takes over, and so does every NaN; in whatever order numbers lie in memory."""
    dims, x, how = problem
    values = np.array([-np.inf, 1.0, np.nan])[(x % 3).astype(int)]
    layout = [*order, *range(3, x.ndim)]
    t = tg.tensor(values.transpose(layout)).permute(*np.argsort(layout).tolist()).detach().requires_grad_()
    z, indices = MAX[dims](t, **how, return_indices=True)
    g = np.random.default_rng(0).normal(size=z.shape)
    z.backward(tg.tensor(g))

    expected, size = np.zeros_like(x), x.shape[2:]
    stride = how.get("stride", how["kernel_size"])
    padding = how.get("padding", (0,) * dims)
    for p in np.ndindex(*z.shape):
        best = None
        for k in np.ndindex(*how["kernel_size"]):
            at = tuple(i * s + j - q for i, s, j, q in zip(p[2:], stride, k, padding, strict=True))
            if all(0 <= a < n for a, n in zip(at, size, strict=True)):
                value = values[(*p[:2], *at)]
                if best is None or value > values[best] or np.isnan(value):
                    best = (*p[:2], *at)
        assert best is not None
        expected[best] += g[p]
        assert indices[p].item() == np.ravel_multi_index(best[2:], size)
    np.testing.assert_allclose(t.grad.numpy(), expected, atol=1e-14)


def test_ties_and_nan_as_pytorch() -> None:
    """Among equals the first is the largest, of several NaN the last."""
    x = tg.tensor([[[1.0, 1.0, 0.0, np.nan, np.nan, 5.0]]], requires_grad=True)
    z, indices = F.max_pool1d(x, 3, return_indices=True)
    assert indices.tolist() == [[[0, 4]]]
    z.backward(tg.tensor([[[2.0, 3.0]]]))
    assert x.grad.tolist() == [[[2.0, 0.0, 0.0, 0.0, 3.0, 0.0]]]


# -- padding ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("layer", "mode"),
    [("ZeroPad", "constant"), ("ReflectionPad", "reflect"), ("ReplicationPad", "edge"), ("CircularPad", "wrap")],
)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_padding_layers(layer: str, mode: str, dims: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, *(4, 5, 3)[:dims]))
    sides = (1, 2, 2, 0, 0, 1)[: 2 * dims]
    expected = np.pad(x, [(0, 0), (0, 0), *((sides[2 * i], sides[2 * i + 1]) for i in reversed(range(dims)))], mode=mode)
    np.testing.assert_array_equal(getattr(nn, f"{layer}{dims}d")(sides)(tg.tensor(x)).numpy(), expected)


def test_constant_padding() -> None:
    assert nn.ConstantPad1d((1, 2), 3.5)(tg.zeros(1, 2)).tolist() == [[3.5, 0.0, 0.0, 3.5, 3.5]]


# -- other resolutions -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("mode", "dims"), [("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)])
def test_interpolation_keeps_lines_straight(mode: str, dims: int) -> None:
    """Of a function that is linear along each dim, every new number is the function's value (in the middle)."""
    x = tg.tensor(np.indices((6,) * dims).sum(0)[None, None].astype(float))
    z = F.interpolate(x, size=11, mode=mode, align_corners=True).numpy()
    expected = np.indices((11,) * dims).sum(0) / 2
    middle = (slice(3, 8),) * dims
    np.testing.assert_allclose(z[(0, 0, *middle)], expected[middle], atol=1e-12)


def test_nearest_repeats_and_area_averages_back() -> None:
    x = tg.randn(2, 3, 4, 5)
    large = F.interpolate(x, scale_factor=(2, 3))
    np.testing.assert_array_equal(large.numpy(), x.numpy().repeat(2, 2).repeat(3, 3))
    np.testing.assert_allclose(F.interpolate(large, size=(4, 5), mode="area").numpy(), x.numpy(), rtol=1e-6)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None, max_examples=20)
def test_unshuffling_inverts_shuffling(r: int, channels: int, size: int) -> None:
    x = tg.randn(2, channels * r * r, size, size + 1)
    assert tg.equal(F.pixel_unshuffle(F.pixel_shuffle(x, r), r), x)
    assert tg.equal(F.channel_shuffle(F.channel_shuffle(x, r), channels * r), x)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: F.max_pool2d(tg.ones(1, 1, 4, 4), 2, padding=2), "half of what the kernel covers"),
        (lambda: F.max_pool2d(tg.ones(1, 1, 1, 4), 2), "do not fit"),
        (lambda: F.avg_pool1d(tg.ones(4), 2), "samples, channels"),
        (lambda: F.max_unpool1d(tg.ones(1, 1, 2), tg.tensor([[[0, 9]]]), 2), "outside"),
        (lambda: F.interpolate(tg.ones(1, 1, 4, 4), size=8, mode="linear"), "bilinear"),
        (lambda: F.interpolate(tg.ones(1, 1, 4, 4), size=8, mode="bilinear", antialias=True), "antialias"),
        (lambda: F.interpolate(tg.ones(1, 1, 4, 4)), "either size or scale_factor"),
        (lambda: F.pixel_shuffle(tg.ones(1, 3, 4, 4), 2), "multiple of upscale_factor"),
    ],
)
def test_refusals_say_what_is_wrong(call: Any, says: str) -> None:
    with pytest.raises((RuntimeError, ValueError, IndexError), match=says):
        call()
