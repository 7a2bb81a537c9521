"""Rows for ops/arithmetic.py."""

import numpy as np

from . import Case, real

CASES = [
    Case("add", np.add, (real, real)),
    Case("sub", np.subtract, (real, real)),
    Case("mul", np.multiply, (real, real)),
    Case("div", np.divide, (real, real)),
    Case("neg", np.negative),
]
