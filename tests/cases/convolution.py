"""Rows for ops/convolution.py."""

import itertools

import numpy as np
import scipy.signal

import tinygrad_edu as tg

from . import Case, real

STRIDE, PADDING, DILATION, GROUPS = (2, 1), (1, 0), (1, 2), 2
SETTINGS = {"stride": STRIDE, "padding": PADDING, "dilation": DILATION, "groups": GROUPS}
SIZES = (5, 6)  # of the input; a kernel of 3 x 2 has 3 x 4 positions on it
POSITIONS = (3, 4)


def meetings(channels, outputs, kernel):
    """Every (output channel, position, channel within the group, kernel offset, input channel, place in the input)."""
    ranges = map(range, (outputs, *POSITIONS, channels // GROUPS, *kernel))
    for o, p, q, c, k, j in itertools.product(*ranges):
        y, x = p * STRIDE[0] + k * DILATION[0] - PADDING[0], q * STRIDE[1] + j * DILATION[1] - PADDING[1]
        if 0 <= y < SIZES[0] and 0 <= x < SIZES[1]:
            yield o, p, q, c, k, j, o // (outputs // GROUPS) * (channels // GROUPS) + c, y, x


def conv(x, w, **_):
    z = np.zeros((x.shape[0], w.shape[0], *POSITIONS))
    for o, p, q, c, k, j, i, y, u in meetings(x.shape[1], w.shape[0], w.shape[2:]):
        z[:, o, p, q] += x[:, i, y, u] * w[o, c, k, j]
    return z


def conv_input(z, w, sizes=SIZES, **_):
    x = np.zeros((z.shape[0], w.shape[1] * GROUPS, *sizes))
    for o, p, q, c, k, j, i, y, u in meetings(x.shape[1], w.shape[0], w.shape[2:]):
        x[:, i, y, u] += z[:, o, p, q] * w[o, c, k, j]
    return x


def conv_weight(x, z, kernel, **_):
    w = np.zeros((z.shape[1], x.shape[1] // GROUPS, *kernel))
    for o, p, q, c, k, j, i, y, u in meetings(x.shape[1], z.shape[1], kernel):
        w[o, c, k, j] += (x[:, i, y, u] * z[:, o, p, q]).sum()
    return w


def correlated(x, w, padding=0, stride=1):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    z = [[scipy.signal.correlate(image, kernel, "valid")[0] for kernel in w] for image in x]
    return np.array(z)[:, :, ::stride, ::stride]


def columns(x, kernel=(3, 2), **_):
    z = np.zeros((x.shape[0], x.shape[1], *kernel, *POSITIONS))
    for c in range(x.shape[1]):
        for _o, p, q, _c, k, j, _i, y, u in meetings(GROUPS, GROUPS, kernel):
            z[:, c, k, j, p, q] = x[:, c, y, u]
    return z.reshape(x.shape[0], -1, POSITIONS[0] * POSITIONS[1])


def from_columns(z, kernel=(3, 2), **_):
    channels = z.shape[1] // (kernel[0] * kernel[1])
    z = z.reshape(z.shape[0], channels, *kernel, *POSITIONS)
    x = np.zeros((z.shape[0], channels, *SIZES))
    for c in range(channels):
        for o, p, q, _c, k, j, _i, y, u in meetings(GROUPS, GROUPS, kernel):
            if o == 0:
                x[:, c, y, u] += z[:, c, k, j, p, q]
    return x


X, W, Z = (2, 4, *SIZES), (4, 2, 3, 2), (2, 4, *POSITIONS)

COLUMNS = (2, 4 * 6, 12)
WINDOW = {k: v for k, v in SETTINGS.items() if k != "groups"}


def row(name, reference, shapes, call, **settings):
    return Case(name, reference, (real, real), [shapes], [settings], call, (name,))


CASES = [
    row("convolution", conv, (X, W), tg.ops.convolution.convolution, out=POSITIONS, **SETTINGS),
    row("conv_input", conv_input, (Z, W), tg.ops.convolution.conv_input, sizes=SIZES, **SETTINGS),
    row("conv_weight", conv_weight, (X, Z), tg.ops.convolution.conv_weight, kernel=(3, 2), **SETTINGS),
    Case("conv2d", conv, (real, real), [(X, W)], [SETTINGS], tg.ops.convolution.conv2d, ()),
    Case("nn.functional.conv2d", correlated, (real, real), None,  # few outputs: two positions at once
         [(((2, 2, 4, 5), (3, 2, 3, 2)), {"padding": 1}), (((1, 1, 8, 6), (2, 1, 6, 3)), {"stride": 2})], ops=()),
    Case("conv_transpose2d", lambda z, w: conv_input(z, w), (real, real), [(Z, W)], [{}],
         lambda z, w: tg.ops.convolution.conv_transpose2d(z, w, output_padding=(1, 0), **{**SETTINGS, "padding": (1, 0)})[..., :5, :], ()),
    Case("to_columns", columns, (real,), [(X,)], [{"kernel": (3, 2), "out": POSITIONS, **WINDOW}], tg.ops.convolution._to_columns),
    Case("from_columns", from_columns, (real,), [(COLUMNS,)], [{"sizes": SIZES, "kernel": (3, 2), "out": POSITIONS, **WINDOW}],
         tg.ops.convolution._from_columns),
    Case("unfold", columns, (real,), [(X,)], [{"kernel_size": (3, 2), **WINDOW}], tg.nn.functional.unfold, ()),
    Case("fold", from_columns, (real,), [(COLUMNS,)], [{"output_size": SIZES, "kernel_size": (3, 2), **WINDOW}], tg.nn.functional.fold, ()),
]  # fmt: skip
