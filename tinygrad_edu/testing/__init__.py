"""Tests of derivatives, for the operations here and for your own.

`gradcheck` compares gradients with differences of the function's values, `gradgradcheck` does the same for second
derivatives, `assert_close` compares tensors. `shapes`, `broadcastable_shapes` and `tensors` are Hypothesis strategies; with
them an operation of your own is tested on many random tensors in three lines:

>>> from hypothesis import given, settings
>>> from tinygrad_edu.testing import gradcheck, tensors
>>> @settings(max_examples=10, database=None)
... @given(tensors(requires_grad=True))
... def test_cube(x):
...     assert gradcheck(lambda x: x * x * x, x)
>>> test_cube()
"""

from __future__ import annotations

from .close import assert_close
from .derivatives import GradcheckError, gradcheck, gradgradcheck
from .strategies import broadcastable_shapes, shapes, tensors

__all__ = ["GradcheckError", "assert_close", "broadcastable_shapes", "gradcheck", "gradgradcheck", "shapes", "tensors"]
