"""Rows for ops/grid.py."""

from functools import partial

import numpy as np

import tinygrad_edu.nn.functional as F
from tinygrad_edu.ops import grid as file

from . import Case, between, real


def kernel(mode, u):
    """The weight of a pixel at distance u from a place."""
    u, a = abs(u), -0.75
    if mode == "nearest":
        return float(u < 0.5)
    if mode == "bilinear":
        return max(0.0, 1 - u)
    return (a + 2) * u**3 - (a + 3) * u**2 + 1 if u <= 1 else a * (u**3 - 5 * u**2 + 8 * u - 4) if u < 2 else 0


def bent(pixel, n, padding, align):
    """Which pixel of a picture stands where `pixel` is, which may be outside; None: there is 0."""
    if padding == "border":
        return min(max(pixel, 0), n - 1)
    if padding == "reflection":
        while not 0 <= pixel < n:
            edge = (0 if align else -0.5) if pixel < 0 else (n - 1 if align else n - 0.5)
            pixel = int(2 * edge - pixel)
        return pixel
    return pixel if 0 <= pixel < n else None


def matrices(grid, sizes, mode, padding, align, orders):
    """For each picture and place: along every size, how much of each of its pixels stands there, or how this changes with the place."""
    step = 1e-3
    for n, p in np.ndindex(grid.shape[:-1] if grid.ndim == 3 else (len(grid), int(np.prod(grid.shape[1:-1])))):
        place, rows = grid.reshape(len(grid), -1, len(sizes))[n, p], []
        for d, size in enumerate(sizes):

            def row(v, size=size):
                u, found = (v + 1) / 2 * (size - 1) if align else ((v + 1) * size - 1) / 2, np.zeros(size)
                for pixel in range(int(np.floor(u)) - 2, int(np.floor(u)) + 4):
                    if (inside := bent(pixel, size, padding, align)) is not None:
                        found[inside] += kernel(mode, u - pixel)
                return found

            v = place[-1 - d]
            if orders[d]:  # exact for polynomials of third order, within one of their pieces
                ends = [row(v + k * step) for k in (-2, -1, 1, 2)]
                rows.append((ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step))
            else:
                rows.append(row(v))
        yield n, p, rows


def sample(x, grid, mode="bilinear", padding="zeros", align=False, orders=(0, 0, 0)):
    z = np.zeros((*x.shape[:2], int(np.prod(grid.shape[1:-1]))))
    for n, p, rows in matrices(grid, x.shape[2:], mode, padding, align, orders):
        found = x[n]
        for row in rows:
            found = np.tensordot(found, row, (1, 0))
        z[n, :, p] = found
    return z.reshape(*x.shape[:2], *grid.shape[1:-1])


def spread(x, grid, sizes, mode, padding, align, orders):
    z, flat = np.zeros((*x.shape[:2], *sizes)), x.reshape(*x.shape[:2], -1)
    for n, p, rows in matrices(grid, sizes, mode, padding, align, orders):
        found = flat[n, :, p]
        for row in rows:
            found = found[..., None] * row
        z[n] += found
    return z


def affine(theta, size, align_corners=False):
    z = np.zeros((size[0], *size[2:], len(size) - 2))
    for n, *place in np.ndindex(size[0], *size[2:]):
        at = [
            2 * i / (m - 1) - 1 if align_corners and m > 1 else (2 * i + 1) / m - 1 for i, m in zip(place, size[2:], strict=True)
        ]
        z[n, *place] = theta[n] @ [*at[::-1], 1]
    return z


IMAGES = ((2, 3, 4, 5), (2, 3, 2, 2))
FEW = ((2, 1, 3, 4), (2, 1, 3, 2))  # of which there are many settings
VOLUMES = ((1, 2, 2, 3, 2), (1, 2, 1, 1, 3))
ALL = [
    {"mode": mode, "padding_mode": padding, "align_corners": align}
    for mode in ("nearest", "bilinear", "bicubic") for padding in ("zeros", "border", "reflection") for align in (False, True)
]  # fmt: skip
HOW = [
    {"mode": "bilinear", "padding": "zeros", "align": False, "orders": (0, 0)},
    {"mode": "bilinear", "padding": "reflection", "align": True, "orders": (1, 0)},
    {"mode": "bicubic", "padding": "border", "align": False, "orders": (0, 1)},
]
places = between(-1.6, 1.6)

CASES = [
    Case("grid_sample", sample, (real, places), [IMAGES], HOW, call=file._grid_sample),
    Case("grid_spread", spread, (real, places), [((2, 3, 3, 2), (2, 3, 2, 2))], [{**how, "sizes": (4, 5)} for how in HOW],
         call=file._grid_spread),
    Case("grid_sample", lambda x, grid, mode, padding_mode, align_corners: sample(x, grid, mode, padding_mode, align_corners),
         (real, places), settings=[(shapes, how) for shapes in (FEW, VOLUMES) for how in ALL
                                   if how["mode"] != "bicubic" or shapes is FEW], call=F.grid_sample),
    Case("affine_grid", affine, shapes=[((2, 2, 3),)], settings=[{"size": (2, 3, 4, 5)}, {"size": (2, 1, 3, 2), "align_corners": True},
                                                            *({"size": (2, 1, 1, 2), "align_corners": align} for align in (False, True))],
         call=F.affine_grid, ops=()),
    Case("affine_grid", partial(affine, size=(1, 2, 2, 4, 3)), shapes=[((1, 3, 4),)], call=lambda x: F.affine_grid(x, (1, 2, 2, 4, 3)),
         ops=()),
]  # fmt: skip
