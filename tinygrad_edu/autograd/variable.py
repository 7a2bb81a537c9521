"""Variable: what a tensor with a gradient was called before 2018; programs of that time still use the name."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


class _Kind(type):
    """isinstance(x, Variable) holds for every tensor."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_Kind):
    """`Variable(x, requires_grad)` is a tensor that shares memory with x, without its history.

    Source: https://pytorch.org/docs/stable/autograd.html#variable-deprecated
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: Any = None) -> Any:
        return data.detach().requires_grad_(requires_grad)
