"""Rows for ops/creation.py and for casts."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.op import cast

from . import Case, real

CASES = [
    Case("cast", lambda x: x, call=lambda x: cast(x, dtype=x.dtype), ops=("cast",)),
    Case("long", np.trunc, call=lambda x: cast(x, dtype=tg.int64), ops=("to_whole",)),
    Case("move", lambda x: x, call=lambda x: tg.ops.creation._move(x, device=x.device), ops=("move",)),
    Case("fill", lambda x, v: np.full_like(x, v), (real, real), [((2, 3), ())], ops=()),
]  # fmt: skip
