"""Rows for ops/upsampling.py."""

import numpy as np

from tinygrad_edu.ops import upsampling

from . import Case, real


def matrix(size, count, kind, step, align):
    """Row i says how the number at place i·step is mixed from `size` numbers."""
    m = np.zeros((count, size))
    for i in range(count):
        if kind.startswith("nearest"):
            m[i, min(int((i + 0.5 * (kind == "nearest-exact")) * step), size - 1)] = 1
            continue
        place = i * step if align else (i + 0.5) * step - 0.5
        if kind == "linear":
            place = min(max(place, 0), size - 1)
            m[i] = np.maximum(0, 1 - np.abs(np.arange(size) - place))
            continue
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            t, a = abs(place - j), -0.75
            near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
            m[i, min(max(j, 0), size - 1)] += near if t <= 1 else far
    return m


def along(m, x, dim):
    return np.moveaxis(np.moveaxis(x, dim, -1) @ m.T, -1, dim)


def resample(x, dim, size, kind, step, align):
    return along(matrix(x.shape[dim], size, kind, step, align), x, dim)


def resample_back(x, dim, size, kind, step, align):
    return along(matrix(size, x.shape[dim], kind, step, align).T, x, dim)


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=False):
    kind = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    for dim in range(2, x.ndim):
        n = x.shape[dim]
        m = size or int(n * scale_factor)
        step = (n - 1) / (m - 1) if align_corners else 1 / scale_factor if scale_factor else n / m
        x = resample(x, dim, m, kind, step, align_corners)
    return x


def pixel_shuffle(x, upscale_factor):
    r = upscale_factor
    z = np.zeros((*x.shape[:-3], x.shape[-3] // r**2, x.shape[-2] * r, x.shape[-1] * r))
    for c, i, j in np.ndindex(z.shape[-3], r, r):
        z[..., c, i::r, j::r] = x[..., c * r * r + i * r + j, :, :]
    return z


def pixel_unshuffle(x, downscale_factor):
    r = downscale_factor
    z = np.zeros((*x.shape[:-3], x.shape[-3] * r**2, x.shape[-2] // r, x.shape[-1] // r))
    for c, i, j in np.ndindex(x.shape[-3], r, r):
        z[..., c * r * r + i * r + j, :, :] = x[..., c, i::r, j::r]
    return z


def channel_shuffle(x, groups):
    per_group = x.shape[1] // groups
    return x[:, [i * per_group + c for c in range(per_group) for i in range(groups)]]


HOW = [
    {"dim": 2, "size": 7, "kind": "nearest", "step": 5 / 7, "align": False},
    {"dim": 3, "size": 3, "kind": "nearest-exact", "step": 4 / 3, "align": False},
    {"dim": 2, "size": 3, "kind": "linear", "step": 2.0, "align": True},
    {"dim": 3, "size": 9, "kind": "linear", "step": 4 / 9, "align": False},
    {"dim": 2, "size": 9, "kind": "cubic", "step": 5 / 9, "align": False},
]
LINE, IMAGE, VOLUME = ((2, 3, 5),), ((2, 3, 5, 4),), ((1, 2, 3, 4, 5),)
MODES = [(LINE, "linear"), (IMAGE, "bilinear"), (VOLUME, "trilinear"), (IMAGE, "bicubic")]

CASES = [
    Case("resample", resample, shapes=[IMAGE], settings=HOW, call=upsampling._resample),
    Case("resample_back", resample_back, shapes=[IMAGE], settings=HOW, call=upsampling._resample_back),
    Case("interpolate", interpolate, call=upsampling.interpolate, ops=(), settings=[
        (LINE, {"scale_factor": 2}), (IMAGE, {"size": 7, "mode": "nearest-exact"}), (VOLUME, {"size": 2}),
        *((shape, {"mode": mode, **how}) for shape, mode in MODES for how in ({"scale_factor": 1.7}, {"size": 7, "align_corners": True})),
    ]),
    Case("upsample", interpolate, call=upsampling.upsample, ops=(), settings=[(IMAGE, {"size": 7})]),
    Case("upsample_nearest", interpolate, call=upsampling.upsample_nearest, ops=(), settings=[(IMAGE, {"scale_factor": 2})]),
    Case("upsample_bilinear", lambda x, size: interpolate(x, size, mode="bilinear", align_corners=True), call=upsampling.upsample_bilinear,
         ops=(), settings=[(IMAGE, {"size": 7})]),
    Case("pixel_shuffle", pixel_shuffle, shapes=[((2, 8, 3, 2),), ((4, 1, 2),)], settings=[{"upscale_factor": 2}], ops=()),
    Case("pixel_unshuffle", pixel_unshuffle, shapes=[((2, 1, 4, 2),), ((2, 2, 6),)], settings=[{"downscale_factor": 2}], ops=()),
    Case("channel_shuffle", channel_shuffle, (real,), shapes=[((2, 6, 2, 2),), ((1, 4, 3),)], settings=[{"groups": 2}], ops=()),
]  # fmt: skip
