"""What a recording is made of: lines, and the values that they read and make.

A value is a piece of memory with what was written to it at one time; a view of it is an operand: the value, an offset, a shape and
strides. When an array is overwritten as a whole, that is a new value, which may or may not lie in the same memory: so `z += 1` is a
line like `z + 1`, and the memory plan decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..trees import parts_of


class CompileError(RuntimeError):
    """A function that cannot be recorded as a plan."""


class Value:
    """Numbers in memory, as written at one time.

    kind: "own" memory of the plan; "argument", where an argument is copied to; "outside", an array that was there before, such
    as a parameter's; "constant", computed from nothing that can change.
    fill: the number with which it is filled, of a constant; NaN in place of None means that it is not filled at all.
    """

    def __init__(self, kind: str, array: Any, fill: Any = None) -> None:
        self.kind, self.array, self.fill, self.nbytes = kind, array, fill, array.nbytes
        self.writes = 0  # how often it was written to in part
        self.shared = False  # whether two arrays of the recorded function are this value, for as long as none is written to


class Operand(NamedTuple):
    """A value as an array looks at it."""

    value: Value
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def is_rows(self) -> bool:
        """Whether its numbers lie one after the other, row by row."""
        return not self.size or self == self.as_rows(self.shape)

    def as_rows(self, shape: tuple[int, ...]) -> Operand:
        """The same numbers, row by row, in another shape."""
        strides = tuple(self.dtype.itemsize * math.prod(shape[d + 1 :]) for d in range(len(shape)))
        return Operand(self.value, self.offset, shape, strides, self.dtype)

    def whole(self) -> bool:
        """Whether it shows every byte of the value once."""
        if not self.size:
            return True
        inner = sorted(((s, n) for s, n in zip(self.strides, self.shape, strict=True) if n != 1))
        step = self.dtype.itemsize
        for stride, n in inner:
            if stride != step:
                return False
            step *= n
        return step == self.value.nbytes and self.offset == 0


class Line(NamedTuple):
    """A call: `results` are made by it, `written` are changed by it in part. Arguments hold operands in place of arrays."""

    function: Any
    args: tuple
    kwargs: dict[str, Any]
    results: tuple[Operand, ...]
    written: tuple[Operand, ...]
    site: Any

    def reads(self) -> Iterator[Operand]:
        """The operands among the arguments."""
        return operands((self.args, self.kwargs))

    def touches(self) -> tuple[Operand, ...]:
        """All operands: what it reads, makes and changes."""
        return (*self.reads(), *self.results, *self.written)


def operands(tree: Any) -> Iterator[Operand]:
    """Every operand in nested arguments."""
    if isinstance(tree, Operand):
        yield tree
    else:
        for x in (parts_of(tree) or {}).values():
            yield from operands(x)


# What a line does that is not a function of NumPy.
def copy(x: Any) -> Any:
    """target[...] = x"""
    return x.copy()


def get(x: Any, index: Any) -> Any:
    """x[index], where an array is in the index"""
    return x[index]


def put(x: Any, index: Any, value: Any) -> None:
    """x[index] = value, where an array is in the index"""
    x[index] = value


class Draw(NamedTuple):
    """A method of a generator of random numbers, looked up at each call: manual_seed makes a new one."""

    generator: Callable[[], Any]
    method: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.generator(), self.method)(*args, **kwargs)


class Method(NamedTuple):
    """A method of an object of Python's, called again at each call of the plan."""

    this: Any
    name: str


def check(x: Any, expected: bool) -> None:
    """Raise unless a decision that the package made while recording would be the same again."""


def call(function: Any, *args: Any) -> None:
    """A call of Python's that is not looked into, such as a schedule's step."""


def grad(tensor: Any, x: Any) -> None:
    """tensor.grad = x"""


RESHAPES = (np.reshape, np.ndarray.reshape, np.ravel, np.ndarray.ravel, np.ndarray.flatten)
COPIES = (copy, np.copy, np.positive, np.ndarray.copy, np.ndarray.astype, np.ascontiguousarray)
