"""Comparisons, logic and bits: results that carry no gradient."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..errors import DtypeError, describe
from ..op import op
from ..tensor import Tensor, raw

__all__ = [
    "allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "eq",
    "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf",
    "le", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne", "not_equal", "signbit",
]  # fmt: skip


def _declared(name: str, sentence: str, formula: str, compute: Any, inputs: int = 2) -> Any:
    """An operation without a gradient, from a NumPy function."""
    if inputs == 2:

        def forward(x: Any, y: Any) -> Any:
            return compute(x, y)
    else:

        def forward(x: Any) -> Any:  # type: ignore[misc]
            return compute(x)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{sentence}\n\nz = {formula}\n\nSource: https://pytorch.org/docs/stable/generated/torch.{name}.html"
    return op(dtype="common" if inputs == 2 else None)(forward)


eq = _declared("eq", "Whether elements are equal.", "x = y", np.equal)
ne = not_equal = _declared("ne", "Whether elements differ.", "x ≠ y", np.not_equal)
lt = less = _declared("lt", "Whether elements of the first are smaller.", "x < y", np.less)
le = less_equal = _declared("le", "Whether elements of the first are not larger.", "x ≤ y", np.less_equal)
gt = greater = _declared("gt", "Whether elements of the first are larger.", "x > y", np.greater)
ge = greater_equal = _declared("ge", "Whether elements of the first are not smaller.", "x ≥ y", np.greater_equal)


def _equals(self: Tensor, other: Any) -> Any:
    """`==`: as `eq`, and what is neither a tensor nor numbers (None, a string) is not equal, as always in Python."""
    return eq(self, other) if hasattr(other, "dtype") or isinstance(other, int | float) else NotImplemented


def _differs(self: Tensor, other: Any) -> Any:
    """`!=`: as `ne`, and what is neither a tensor nor numbers is different."""
    return ne(self, other) if hasattr(other, "dtype") or isinstance(other, int | float) else NotImplemented


logical_and = _declared("logical_and", "Whether both are true (not 0).", "x and y", np.logical_and)
logical_or = _declared("logical_or", "Whether one or both are true (not 0).", "x or y", np.logical_or)
logical_xor = _declared("logical_xor", "Whether exactly one is true (not 0).", "x ≠ y as truths", np.logical_xor)
logical_not = _declared("logical_not", "Whether an element is false (0).", "not x", np.logical_not, 1)


def _bitwise(ufunc: Any) -> Any:
    @functools.wraps(ufunc)
    def compute(*arrays: Any) -> Any:
        if any(isinstance(a, float) or (hasattr(a, "dtype") and a.dtype.kind == "f") for a in arrays):
            raise DtypeError(
                "only integers and bools have bits, and there is a floating-point operand: convert it with .long() or .bool()."
            )
        return ufunc(*arrays)

    return compute


bitwise_and = _declared("bitwise_and", "The bits set in both.", "x & y", _bitwise(np.bitwise_and))
bitwise_or = _declared("bitwise_or", "The bits set in one or both.", "x | y", _bitwise(np.bitwise_or))
bitwise_xor = _declared("bitwise_xor", "The bits set in exactly one.", "x ^ y", _bitwise(np.bitwise_xor))
bitwise_not = _declared("bitwise_not", "Every bit turned (of bools: not).", "~x", _bitwise(np.invert), 1)
bitwise_left_shift = _declared("bitwise_left_shift", "The bits moved up.", "x·2ʸ", _bitwise(np.left_shift))
bitwise_right_shift = _declared("bitwise_right_shift", "The bits moved down.", "⌊x / 2ʸ⌋", _bitwise(np.right_shift))

isnan = _declared("isnan", "Whether an element is not a number.", "x is NaN", np.isnan, 1)
isinf = _declared("isinf", "Whether an element is infinite.", "|x| = ∞", np.isinf, 1)
isfinite = _declared("isfinite", "Whether an element is neither infinite nor NaN.", "|x| < ∞", np.isfinite, 1)
isposinf = _declared("isposinf", "Whether an element is infinity.", "x = ∞", lambda x: x == np.inf, 1)
isneginf = _declared("isneginf", "Whether an element is minus infinity.", "x = -∞", lambda x: x == -np.inf, 1)
signbit = _declared(
    "signbit", "Whether the sign is minus (also that of -0.0).", "sign bit of x",
    lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0, 1,
)  # fmt: skip


def isclose(x: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether elements are equal up to a tolerance.

    z = |x - other| ≤ atol + rtol·|other|

    Source: https://pytorch.org/docs/stable/generated/torch.isclose.html
    """
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: tolerances must not be negative: rtol={rtol}, atol={atol}.")
    if isinstance(x, Tensor) and isinstance(other, Tensor) and x.dtype != other.dtype:
        raise DtypeError(f"isclose: both must have one dtype; they are {describe(x)} and {describe(other)}.")
    return _isclose(x, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


@op
def _isclose(x: Any, y: Any, *, rtol: float, atol: float, equal_nan: bool) -> Any:
    """Whether elements are equal up to a tolerance.

    z = |x - y| ≤ atol + rtol·|y|
    """
    if x.dtype.kind == "f":
        near = (np.abs(x - y) <= atol + np.abs(rtol * y)) & np.isfinite(y) & np.isfinite(x)
        return near | (x == y) | (np.isnan(x) & np.isnan(y) if equal_nan else False)
    if x.dtype == np.bool_:
        return x == y
    return np.abs(x - y) <= atol + np.abs(rtol * y)


def allclose(x: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are equal up to a tolerance.

    Source: https://pytorch.org/docs/stable/generated/torch.allclose.html
    """
    return bool(isclose(x, other, rtol, atol, equal_nan).array.all())


def equal(x: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements, of whatever dtypes.

    Source: https://pytorch.org/docs/stable/generated/torch.equal.html
    """
    return x.shape == other.shape and bool((raw(x) == raw(other)).all())


@op
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element occurs in `test_elements` (or, with `invert`, does not).

    z = x ∈ test_elements

    Source: https://pytorch.org/docs/stable/generated/torch.isin.html
    """
    like = elements if hasattr(elements, "shape") else test_elements
    elements, test_elements = (np.asarray(x, like=like) for x in (elements, test_elements))  # one may be a number
    return np.isin(elements, test_elements, assume_unique=assume_unique, invert=invert)
