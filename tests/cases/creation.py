"""Rows for ops/creation.py and for casts."""

import numpy as np

import tinygrad_edu as tg

from . import Case, real

CASES = [
    Case("cast", lambda x: x.astype("float32"), call=lambda x: x.float(), ops=("cast",), second=False, dtypes=(), note="float32 is too coarse for differences"),
    Case("move", lambda x: x, call=lambda x: tg.ops.creation._move(x, device=x.device), ops=("move",)),
    Case("fill", lambda x, v: np.full_like(x, v), (real, real), [((2, 3), ())], ops=()),
]  # fmt: skip
