"""Convolution, its transpose and windows as columns: laws that hold for all sizes and settings."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.ops import convolution

F = nn.functional
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@st.composite
def problems(draw: Any) -> Any:
    """Dims, an input, a weight, and settings under which at least one window fits."""
    dims = draw(st.sampled_from((1, 2, 2, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))

    def sizes(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    groups = draw(st.sampled_from((1, 1, 2)))
    kernel, stride, padding, dilation = sizes(1, 3), sizes(1, 3), sizes(0, 2), sizes(1, 2)
    shape = tuple(max(1, d * (k - 1) + 1 - 2 * p) + e for k, p, d, e in zip(kernel, padding, dilation, sizes(0, 3), strict=True))
    x = rng.normal(size=(draw(st.integers(1, 3)), groups * draw(st.integers(1, 2)), *shape))
    w = rng.normal(size=(groups * draw(st.integers(1, 2)), x.shape[1] // groups, *kernel))
    return dims, x, w, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def by_loops(x: np.ndarray, w: np.ndarray, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    kernel = w.shape[2:]
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)]
    z = np.zeros((x.shape[0], w.shape[0], *out))
    for o in range(w.shape[0]):
        first = o // (w.shape[0] // groups) * w.shape[1]
        for p in itertools.product(*map(range, out)):
            window = tuple(
                slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(p, stride, dilation, kernel, strict=True)
            )
            z[(slice(None), o, *p)] = (x[(slice(None), slice(first, first + w.shape[1]), *window)] * w[o]).sum(
                tuple(range(1, x.ndim))
            )
    return z


@given(problems())
@settings(deadline=None, max_examples=60)
def test_equals_loops(problem: Any) -> None:
    dims, x, w, how = problem
    np.testing.assert_allclose(CONV[dims](tg.tensor(x), tg.tensor(w), **how).numpy(), by_loops(x, w, **how), atol=1e-12)


@given(problems())
@settings(deadline=None, max_examples=60)
def test_transposed_is_the_adjoint(problem: Any) -> None:
    """⟨conv(x), y⟩ = ⟨x, transposed(y)⟩, and the gradients of both are each other."""
    dims, x, w, how = problem
    x, w = tg.tensor(x, requires_grad=True), tg.tensor(w)
    z = CONV[dims](x, w, **how)
    y = tg.tensor(np.random.default_rng(0).normal(size=z.shape), requires_grad=True)
    extra = tuple(
        (n + 2 * p - d * (k - 1) - 1) % s
        for n, k, s, p, d in zip(x.shape[2:], w.shape[2:], how["stride"], how["padding"], how["dilation"], strict=True)
    )
    back = TRANSPOSED[dims](y, w, output_padding=extra, **how)
    assert back.shape == x.shape
    assert (z * y).sum().item() == pytest.approx((x * back).sum().item(), abs=1e-9)
    (gx,) = tg.autograd.grad(z, x, y.detach())
    np.testing.assert_allclose(gx.numpy(), back.numpy(force=True), atol=1e-12)
    (gy,) = tg.autograd.grad(back, y, x.detach())
    np.testing.assert_allclose(gy.numpy(), z.numpy(force=True), atol=1e-12)


@given(problems(), st.booleans())
@settings(deadline=None, max_examples=30)
def test_kept_windows_change_no_gradient(problem: Any, last: bool) -> None:
    """Windows too large to be kept are made again; the samples may come last in the input's memory, as convolution leaves them."""
    dims, x, w, how = problem
    x = np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0) if last else x
    gradients = []
    for limit in (0, convolution.KEEP_WINDOWS_BYTES):
        inputs = [tg.tensor(value, requires_grad=True) for value in (x, w, np.ones(len(w)))]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convolution, "KEEP_WINDOWS_BYTES", limit)
            z = CONV[dims](*inputs, **how)
        node = z.inputs[0] if dims == 1 else z  # a sequence is convolved as an image of height 1
        assert (node.kept is None) == (limit == 0)
        gradients.append(tg.autograd.grad(z, inputs, tg.ones_like(z) * 0.5))
    for again, kept in zip(*gradients, strict=True):
        np.testing.assert_allclose(again.numpy(), kept.numpy(), rtol=1e-12)
    np.testing.assert_allclose(kept.numpy(), 0.5 * np.prod(z.shape) / len(w))  # the bias


@given(problems())
@settings(deadline=None, max_examples=30)
def test_samples_do_not_touch_each_other(problem: Any) -> None:
    dims, x, w, how = problem
    whole = CONV[dims](tg.tensor(x), tg.tensor(w), **how).numpy()
    for i in range(len(x)):
        np.testing.assert_allclose(CONV[dims](tg.tensor(x[i]), tg.tensor(w), **how).numpy(), whole[i], atol=1e-12)


@given(problems())
@settings(deadline=None, max_examples=30)
def test_is_a_product_with_columns(problem: Any) -> None:
    dims, x, w, how = problem
    if dims != 2 or how.pop("groups") != 1:
        return
    columns = F.unfold(tg.tensor(x), w.shape[2:], stride=how["stride"], padding=how["padding"], dilation=how["dilation"])
    z = F.conv2d(tg.tensor(x), tg.tensor(w), **how)
    product = tg.tensor(w).reshape(w.shape[0], -1) @ columns
    np.testing.assert_allclose(product.reshape(*z.shape).numpy(), z.numpy(), atol=1e-12)
    ones = F.fold(
        tg.ones_like(columns), x.shape[2:], w.shape[2:], stride=how["stride"], padding=how["padding"], dilation=how["dilation"]
    )
    times = F.fold(columns, x.shape[2:], w.shape[2:], stride=how["stride"], padding=how["padding"], dilation=how["dilation"])
    np.testing.assert_allclose(times.numpy(), x * ones.numpy(), atol=1e-12)  # every element comes back as often as it was taken


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layer", [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d])
def test_layers_keep_the_dtype(layer: Any, dtype: str) -> None:
    module = layer(2, 3, 2).to(dtype)
    x = tg.ones(1, 2, *(4,) * module.dims, dtype=dtype, requires_grad=True)
    z = module(x)
    z.sum().backward()
    assert z.dtype == dtype
    assert {p.grad.dtype for p in (x, *module.parameters())} == {np.dtype(dtype)}


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_same_padding_keeps_the_sizes(mode: str) -> None:
    x = tg.ones(2, 3, 6, 7)
    assert nn.Conv2d(3, 4, (2, 3), padding="same", dilation=(1, 2), padding_mode=mode)(x).shape == (2, 4, 6, 7)


def test_first_values_lie_within_the_bound() -> None:
    conv = nn.Conv2d(4, 50, 5)
    assert 0.95 * 0.1 < abs(conv.weight.detach().numpy()).max() <= 0.1
    assert abs(conv.bias.detach().numpy()).max() <= 0.1


def test_output_size_chooses_among_the_possible() -> None:
    up = nn.ConvTranspose2d(1, 1, 3, stride=2)
    x = tg.ones(1, 1, 3, 3)
    assert up(x).shape == (1, 1, 7, 7)
    assert up(x, output_size=(8, 7)).shape == (1, 1, 8, 7)
    with pytest.raises(ValueError, match=r"from \(7, 7\) to \(8, 8\)"):
        up(x, output_size=(9, 7))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: F.conv2d(tg.ones(1, 3, 8, 8), tg.ones(4, 2, 3, 3)), "expects an input of 2 channels"),
        (lambda: F.conv2d(tg.ones(1, 8, 8, 3), tg.ones(4, 3, 3, 3)), r"3 channels, .*x.movedim\(-1, -3\)"),
        (lambda: F.conv2d(tg.ones(1, 2, 2, 2), tg.ones(4, 2, 3, 3)), "larger than the input"),
        (lambda: F.conv2d(tg.ones(1, 2, 5, 5), tg.ones(4, 2, 3, 3), stride=2, padding="same"), '"same"'),
        (lambda: F.conv1d(tg.ones(1, 2, 5), tg.ones(4, 2, 3), tg.ones(3)), r"shape \(4,\)"),
        (lambda: F.conv1d(tg.ones(1, 2, 5), tg.ones(4, 2, 3, dtype="float64")), "one dtype"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2"),
        (lambda: F.fold(tg.ones(1, 4, 5), 4, 2), "9 columns"),
    ],
)
def test_refusals_say_what_is_wrong(call: Any, says: str) -> None:
    with pytest.raises((RuntimeError, ValueError), match=says):
        call()
