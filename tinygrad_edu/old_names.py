"""What tensors were called before 2018: a tensor with a gradient was a Variable, and each dtype had a type of its own.

Programs of that time make tensors with these names, and ask isinstance(x, FloatTensor).

Source: https://pytorch.org/docs/stable/autograd.html#variable-deprecated; https://pytorch.org/docs/stable/tensors.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .tensor import Tensor

__all__ = [
    "BoolTensor", "ByteTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "Variable",
    "set_default_tensor_type",
]  # fmt: skip


class _OldName(type):
    """isinstance(x, Name) holds for every tensor, of the dtype of that name if it has one."""

    dtype: np.dtype | None = None

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and cls.dtype in (None, instance.dtype)


class Variable(metaclass=_OldName):
    """`Variable(x, requires_grad)` is a tensor that shares memory with x, without its history."""

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: Any = None) -> Any:
        return data.detach().requires_grad_(requires_grad)


def _type(name: str, dtype: np.dtype) -> Any:
    words = f"A {dtype} tensor: {name}([1, 2]) of these numbers, {name}(2, 3) of this size, uninitialised."
    make = lambda cls, *data: Tensor(*data, dtype=dtype)
    return _OldName(name, (), {"dtype": dtype, "__new__": make, "__doc__": words})


FloatTensor = _type("FloatTensor", dtypes.float32)
DoubleTensor = _type("DoubleTensor", dtypes.float64)
HalfTensor = _type("HalfTensor", dtypes.float16)
LongTensor = _type("LongTensor", dtypes.int64)
IntTensor = _type("IntTensor", dtypes.int32)
ByteTensor = _type("ByteTensor", dtypes.uint8)
BoolTensor = _type("BoolTensor", dtypes.bool_)


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by the old name of its tensors: DoubleTensor, or "torch.DoubleTensor".

    Source: https://pytorch.org/docs/stable/generated/torch.set_default_tensor_type.html
    """
    found = globals().get(t.rpartition(".")[2]) if isinstance(t, str) and "cuda" not in t else t
    if not isinstance(found, _OldName) or found.dtype is None:
        raise TypeError(f"set_default_tensor_type takes FloatTensor, DoubleTensor, HalfTensor or such a name, not {t!r}.")
    dtypes.set_default_dtype(found.dtype)
