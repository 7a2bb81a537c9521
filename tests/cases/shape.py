"""Rows for ops/shape.py, splitting.py, joining.py, arranging.py, diagonal.py and padding.py."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops import padding

from . import Case, real

M = [((2, 3),), ((3, 3),), ((4, 2),)]


def case(name, reference, shapes, settings, ops=(), call=None, domains=(real,)):
    return Case(name, reference, domains, shapes, settings, call, tuple(ops))


def one(name, reference, shape, *args, ops=(), **kwargs):
    """A row whose function is called with fixed further arguments."""
    return case(name, reference, [(shape,)], [{}], ops, lambda x: getattr(tg, name)(x, *args, **kwargs))


CASES = [
    case("sum_to", lambda x, shape: x.sum(tuple(range(x.ndim - len(shape)))).reshape(-1)[: int(np.prod(shape))].reshape(shape),
         [((2, 3),)], [{"shape": (3,)}], ["sum_to"]),
    case("broadcast_to", lambda x, size: np.broadcast_to(x, size), [((1, 3),), ((3,),)], [{"size": (2, 3)}], ["broadcast_to"],
         lambda x, size: tg.broadcast_to(x, size)),
    one("alias", lambda x: x, (2, 3), ops=["alias"]),
    one("clone", lambda x: x, (2, 3), ops=["clone"]),
    one("reshape", lambda x: x.reshape(3, -1), (2, 3), 3, -1, ops=["reshape"]),
    one("flatten", lambda x: x.reshape(2, 12), (2, 3, 4), 1),
    one("unflatten", lambda x: x.reshape(2, 3, 2), (2, 6), 1, (3, -1)),
    one("ravel", np.ravel, (2, 3)),
    one("squeeze", np.squeeze, (2, 1, 3)),
    one("unsqueeze", lambda x: x[:, None], (2, 3), 1),
    one("permute", lambda x: x.transpose(2, 0, 1), (2, 3, 4), 2, 0, 1, ops=["permute"]),
    one("transpose", lambda x: x.swapaxes(0, 2), (2, 3, 4), 0, -1),
    one("t", np.transpose, (2, 3)),
    one("movedim", lambda x: np.moveaxis(x, 0, 2), (2, 3, 4), 0, 2),
    one("flip", lambda x: np.flip(x, 1), (2, 3), 1, ops=["flip"]),
    one("fliplr", np.fliplr, (2, 3)),
    one("flipud", np.flipud, (2, 3)),
    one("roll", lambda x: np.roll(x, 2, 1), (2, 3), 2, 1, ops=["roll"]),
    one("rot90", lambda x: np.rot90(x, 3), (2, 3), 3),
    one("expand", lambda x: np.broadcast_to(x, (4, 2, 3)), (2, 1), 4, -1, 3),
    one("narrow", lambda x: x[:, 1:3], (2, 4), 1, 1, 2),
    one("select", lambda x: x[:, -1], (2, 4), 1, -1),
    one("diagonal", lambda x: np.diagonal(x, 1), (3, 4), 1, ops=["diagonal"]),
    one("diag_embed", lambda x: np.stack([np.diag(r, -1) for r in x]), (2, 3), -1, ops=["diagonal_scatter"]),
    one("diag", np.diag, (3,)),
    one("diagflat", np.diagflat, (2, 2)),
    case("tril", lambda x, diagonal=0: np.tril(x, diagonal), M, [{}, {"diagonal": 1}], ["tril"]),
    case("triu", lambda x, diagonal=0: np.triu(x, diagonal), M, [{}, {"diagonal": -1}], ["triu"]),
    one("unfold", lambda x: np.stack([x[:, 0:3], x[:, 2:5]], 1), (2, 6), 1, 3, 2, ops=["unfold", "fold"]),
    one("diff", lambda x: np.diff(x, 2), (2, 5), 2),
    case("cat", lambda *xs: np.concatenate(xs, 1), [((2, 3), (2, 1))], [{}], ["cat"], lambda *xs: tg.cat(xs, 1), (real, real)),
    case("stack", lambda *xs: np.stack(xs, 1), [((2, 3), (2, 3))], [{}], ["stack"], lambda *xs: tg.stack(xs, 1), (real, real)),
    case("block_diag", lambda a, b: np.block([[a, np.zeros((2, 1))], [np.zeros((3, 3)), b]]), [((2, 3), (3, 1))], [{}],
         domains=(real, real)),
    one("repeat", lambda x: np.tile(x, (2, 1, 3)), (2, 3), 2, 1, 3, ops=["repeat"]),
    one("tile", lambda x: np.tile(x, 2), (2, 3), 2),
    one("repeat_interleave", lambda x: np.repeat(x, [1, 0, 2], 1), (2, 3), np.array([1, 0, 2]), 1),
    one("pad", lambda x: np.pad(x, ((0, 1), (1, 2))), (2, 3), (1, 2, 0, 1), ops=["pad"]),
    *(case("pad", lambda x, how=how: np.pad(x, ((0, 0), (1, 2), (3, 0)), how), [((2, 3, 4),)], [{}], ["pad_around"],
           lambda x, mode=mode: tg.pad(x, (3, 0, 1, 2), mode=mode))
      for mode, how in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"))),
    case("pad_back", lambda x: np.stack([x[1] + x[3], x[0] + x[2] + x[4]]), [((5, 3),)], [{}], ["pad_back"],
         lambda x: padding._pad_back(x, sides=((1, 2), (0, 0)), mode="circular")),
    case("hstack", lambda a, b: np.hstack([a, b]), [((2, 3), (2, 1)), ((3,), (2,))], [{}], (),
         lambda a, b: tg.hstack([a, b]), (real, real)),
    case("vstack", lambda a, b: np.vstack([a, b]), [((2, 3), (1, 3)), ((3,), (3,))], [{}], (), lambda a, b: tg.vstack([a, b]), (real, real)),
    case("dstack", lambda a, b: np.dstack([a, b]), [((2, 3), (2, 3)), ((3,), (3,))], [{}], (), lambda a, b: tg.dstack([a, b]), (real, real)),
    case("column_stack", lambda a, b: np.column_stack([a, b]), [((3,), (3, 2))], [{}], (), lambda a, b: tg.column_stack([a, b]), (real, real)),
    *(one(f"atleast_{n}d", getattr(np, f"atleast_{n}d"), shape) for n in (1, 2, 3) for shape in [(), (2,), (2, 3)]),
    case("reshape_as", lambda x, y: x.reshape(y.shape), [((2, 3), (6,))], [{}], domains=(real, real)),
    case("expand_as", lambda x, y: np.broadcast_to(x, y.shape), [((3,), (2, 3))], [{}], domains=(real, real)),
    case("broadcast_tensors", np.broadcast_arrays, [((2, 1), (3,))], [{}], domains=(real, real)),
    case("meshgrid", lambda x, y: np.meshgrid(x, y, indexing="ij"), [((2,), (3,))], [{}], (),
         lambda x, y: [g.clone() for g in tg.meshgrid(x, y, indexing="ij")], (real, real)),
    case("cartesian_prod", lambda x, y: np.array([[a, b] for a in x for b in y]), [((2,), (3,))], [{}], domains=(real, real)),
    one("combinations", lambda x: x[[[0, 1], [0, 2], [1, 2]]], (3,)),
    one("contiguous", lambda x: x, (2, 3)),
    one("unbind", lambda x: list(x.T), (2, 3), 1),
    one("chunk", lambda x: [x[:, :2], x[:, 2:]], (2, 3), 2, 1),
    one("split", lambda x: [x[:2], x[2:4], x[4:]], (5, 2), 2),
    one("split_with_sizes", lambda x: [x[:1], x[1:]], (3, 2), [1, 2]),
    one("tensor_split", lambda x: np.array_split(x, 2), (5,), 2),
    one("hsplit", lambda x: np.hsplit(x, 2), (2, 4), 2),
    one("vsplit", lambda x: np.vsplit(x, 2), (4, 2), 2),
    one("dsplit", lambda x: np.dsplit(x, [1]), (2, 2, 3), [1]),
]  # fmt: skip
