"""Arrays that compute as NumPy's do and write down every call.

NumPy hands each call with such an array among its arguments to that array (NEP 13 and NEP 18), as it does with CuPy's. So the
operations, their rules and the engine run unchanged: they compute real numbers once, and leave a list of lines behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callsite import OWN_FILES
from ..tensor import Tensor
from ..trees import mapped
from .lines import Operand, Value, check, get, put

NUMPY = np.__path__[0]

if TYPE_CHECKING:
    from .tape import Tape


class Memory:
    """What owns the memory of an array in the recorded function, and the value that is in it now."""

    def __init__(self, held: np.ndarray, value: Value) -> None:
        self.held, self.value, self.made, self.address = held, value, value.kind, address(held)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


class Recorded(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of NumPy whose calls are written down.

    It says that it is an `ndarray` when Python asks, so that the package takes it for one. NumPy's C code knows better: what would
    read the numbers behind the recorder's back is refused.
    """

    def __init__(self, tape: Tape, held: np.ndarray, memory: Memory) -> None:
        self.tape, self.held, self.memory = tape, held, memory

    __class__ = property(lambda self: np.ndarray)
    __hash__ = object.__hash__

    shape = property(lambda self: self.held.shape)
    dtype = property(lambda self: self.held.dtype)
    ndim = property(lambda self: self.held.ndim)
    size = property(lambda self: self.held.size)
    nbytes = property(lambda self: self.held.nbytes)
    itemsize = property(lambda self: self.held.itemsize)
    strides = property(lambda self: self.held.strides)
    flags = property(lambda self: self.held.flags)
    T = property(lambda self: self.tape.run(np.ndarray.transpose, (self,), {}))

    @property
    def base(self) -> Any:
        handle = self.tape.handle(self.memory)
        return None if handle is self else handle

    def operand(self) -> Operand:
        """This array, as it is now."""
        held, memory = self.held, self.memory
        return Operand(memory.value, address(held) - memory.address, held.shape, held.strides, held.dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Tensor) for x in args):
            return NotImplemented
        return self.tape.run(ufunc if method == "__call__" else getattr(ufunc, method), args, kwargs)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        return self.tape.run(function, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        if holds_arrays(index):
            return self.tape.run(get, (self, index), {})
        found = self.held[index]
        if isinstance(found, np.generic):  # one element is a view too
            found = self.held[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return self.tape.twin(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        if holds_arrays(index):
            self.tape.run(put, (self, index, value), {})
        else:
            self.tape.assign(self[index], value)

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, int | float) and exponent in POWERS and self.dtype.kind == "f":  # as NumPy's own arrays do
            return POWERS[exponent](self)
        return self.tape.run(np.power, (self, exponent), {})

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self.held)))

    def is_constant(self) -> bool:
        """Whether its numbers are the same in every call, so that Python may read them."""
        return self.memory.value.kind == "constant"

    def __bool__(self) -> bool:
        if self.is_constant() or not self.tape.running:
            return bool(self.held)
        frame = sys._getframe(1)
        if frame.f_code.co_filename not in OWN_FILES:
            raise self.tape.refuse("decides after numbers")
        value = bool(self.held)
        self.tape.note(check, (self.operand(), value))
        return value

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if not copy and self.held.dtype == dtype:
            return self
        return self.tape.run(np.ndarray.astype, (self, np.dtype(dtype)), {})

    def fill(self, value: Any) -> None:
        self.tape.assign(self, value)

    def dot(self, other: Any) -> Any:
        return self.tape.run(np.dot, (self, other), {})

    def __repr__(self) -> str:
        return f"<recorded array {self.shape} {self.dtype}>"


POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}


def _method(name: str) -> Any:
    function = getattr(np, name) if name in AS_FUNCTIONS else getattr(np.ndarray, name)

    def method(self: Recorded, *args: Any, **kwargs: Any) -> Any:
        return self.tape.run(function, (self, *args), kwargs)

    return method


AS_FUNCTIONS = "all any argmax argmin clip cumprod cumsum max mean min prod put std sum var"
AS_METHODS = """
    argpartition argsort choose compress copy diagonal flatten nonzero partition ravel repeat reshape round sort squeeze swapaxes take
    trace transpose view
"""
for _name in f"{AS_FUNCTIONS} {AS_METHODS}".split():
    setattr(Recorded, _name, _method(_name))


def _read(name: str) -> property:
    """An attribute that tells numbers: of constants only."""

    def read(self: Recorded) -> Any:
        if self.tape.running and not self.is_constant():
            raise self.tape.refuse("reads numbers")
        return getattr(self.held, name)

    return property(read)


for _name in ("__array__", "__array_interface__", "item", "tolist", "tobytes"):
    setattr(Recorded, _name, _read(_name))
for _name in ("__int__", "__float__", "__index__", "__complex__"):
    setattr(Recorded, _name, lambda self, _name=_name: getattr(self.item(), _name)())


def site() -> Any:
    """The learner's line that is running: the first outside of this package and NumPy."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and (frame.f_code.co_filename in OWN_FILES or frame.f_code.co_filename.startswith(NUMPY)):
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def strip(tree: Any) -> Any:
    """Nested arguments with real arrays in place of recorded ones."""
    return mapped(lambda x: x.held if type(x) is Recorded else x, tree)


def holds_arrays(index: Any) -> bool:
    """Whether an index holds arrays or lists, so that what it takes is a copy."""
    return any(isinstance(i, Recorded | np.ndarray | list) for i in (index if isinstance(index, tuple) else (index,)))
