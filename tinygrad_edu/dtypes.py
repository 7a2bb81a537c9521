"""Dtypes: NumPy's own objects under PyTorch's names, and PyTorch's rules for mixing them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DtypeError

float16 = np.dtype("float16")
float32 = np.dtype("float32")
float64 = np.dtype("float64")
int8 = np.dtype("int8")
int16 = np.dtype("int16")
int32 = np.dtype("int32")
int64 = np.dtype("int64")
uint8 = np.dtype("uint8")
bool_ = np.dtype("bool")


class _Unavailable:
    """A dtype that NumPy has not. Programs name it in tables and comparisons; who makes a tensor of it is told."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


bfloat16 = _Unavailable("bfloat16")
iinfo = np.iinfo

ALL = (float16, float32, float64, int8, int16, int32, int64, uint8, bool_)
FLOATS: frozenset[np.dtype] = frozenset((float16, float32, float64))
LARGEST = {dtype: float(np.finfo(dtype.name).max) for dtype in FLOATS}
_default = float32


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats become: float32 unless set otherwise."""
    return _default


def set_default_dtype(dtype: Any) -> None:
    """Make Python floats become `dtype` (float16, float32 or float64) in tensors made from now on."""
    global _default
    dtype = as_dtype(dtype)
    if dtype not in FLOATS:
        raise DtypeError(f"the default dtype must be a floating one (float16, float32, float64), not {dtype}")
    _default = dtype


class finfo:
    """What a floating dtype (default: the default one) can hold, as Python's floats, which do not make float32 of what they meet.

    bits; min, max; eps: the smallest number that changes 1 when added to it; tiny, smallest_normal; resolution; dtype.

    >>> finfo(float16).max + 1
    65505.0

    Source: https://pytorch.org/docs/stable/type_info.html
    """

    def __init__(self, dtype: Any = None) -> None:
        dtype = _default if dtype is None else as_dtype(dtype)
        if dtype not in FLOATS:
            raise DtypeError(f"finfo describes floating dtypes; of {dtype} iinfo says what it can hold.")
        found = np.finfo(dtype)
        self.bits, self.dtype = found.bits, str(found.dtype)
        self.min, self.max, self.eps = float(found.min), float(found.max), float(found.eps)
        self.tiny = self.smallest_normal = float(found.tiny)
        self.resolution = 10.0**-found.precision

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name}={getattr(self, name):g}" for name in ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        )
        return f"finfo({values}, dtype={self.dtype})"


def as_dtype(dtype: Any) -> np.dtype:
    """The dtype meant by `float32`, `np.float32`, `"float32"` or Python's `float`; DtypeError if not offered here."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found not in ALL:  # to NumPy, None is another name of float64
        raise DtypeError(f"dtype {dtype!r} is not offered; use one of {', '.join(str(d) for d in ALL)}")
    return ALL[ALL.index(found)]  # the very object: to any other equal one NumPy adds by index forty times as slowly


def fitting(numbers: Any, dtype: np.dtype) -> Any:
    """Python's numbers (or an array of them), if this dtype can hold them; RuntimeError for NaN, ∞ and what is too large for its integers.

    A single number is refused, too, where floats would make ∞ of it.
    """
    if dtype.kind in "iu" and np.size(numbers):
        least, most = iinfo(dtype).min, iinfo(dtype).max
        found = numbers if isinstance(numbers, np.ndarray) else np.asarray(numbers, object)
        if found.dtype != bool_ and not (found.min() > least - 1 and found.max() < most + 1):  # so that NaN is refused, too
            raise RuntimeError(f"{numbers} does not fit into {dtype}, which holds integers from {least} to {most}.")
    elif dtype.kind == "f" and type(numbers) is not np.ndarray and LARGEST[dtype] < abs(numbers) < float("inf"):
        raise RuntimeError(
            f"{numbers} does not fit into {dtype}, whose largest number is {LARGEST[dtype]:g}: write float('inf') if it may be infinite."
        )
    return numbers


def result_dtype(inputs: Any) -> np.dtype:
    """The dtype that arrays and Python scalars are brought to together, by PyTorch's rules.

    Each input is in a category (bool < integer < float). Arrays with dimensions decide; 0-d arrays, then Python scalars
    matter only if their category is higher.
    Source: https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
    """
    ranks: list[np.dtype | None] = [None, None, None]  # of arrays with dimensions, of 0-d arrays, of Python scalars
    for x in inputs:
        if x is None:
            continue
        if isinstance(x, np.generic):
            x = x.item()
        if hasattr(x, "dtype"):
            rank, dtype = (0 if x.ndim else 1), x.dtype
        else:
            rank, dtype = 2, bool_ if isinstance(x, bool) else int64 if isinstance(x, int) else _default
        held = ranks[rank]
        ranks[rank] = dtype if held is None else _promote(held, dtype)
    result = None
    for dtype in ranks:
        if result is None or (dtype is not None and _category(dtype) > _category(result)):
            result = dtype
    return _default if result is None else result


def _category(dtype: np.dtype) -> int:
    return "biuf".index(dtype.kind) if dtype.kind != "u" else 1


def keeps_kind(given: np.dtype, into: np.dtype) -> bool:
    """Whether numbers of one dtype may be put into another: no fractions into integers, and no numbers into bools."""
    return _category(given) <= _category(into)


def _promote(a: np.dtype, b: np.dtype) -> np.dtype:
    if a.kind != "f" and b.kind == "f":  # PyTorch keeps the float: int64 with float16 is float16, where NumPy says float64
        return b
    if a.kind == "f" and b.kind != "f":
        return a
    return np.promote_types(a, b)
