"""Rows for ops/dropout.py: the operation that a mask is given to. What is drawn is tested in tests/test_dropout.py."""

from tinygrad_edu.ops.dropout import _dropout

from . import Case, boolean, real

CASES = [
    Case("nn.functional.dropout", lambda x, mask: x * mask, (real, boolean),
         [((2, 3), (2, 3)), ((2, 3, 4), (2, 3, 1)), ((), ()), ((0, 3), (0, 3))], call=_dropout),
]  # fmt: skip
