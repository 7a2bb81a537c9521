"""What a function may read beside its arguments, as its bytecode tells.

Python looks names up while it runs, and which object it then has in hand no bytecode tells. So the rule is a wide one: of all that can be
reached from the function, each variable, each attribute whose name stands somewhere in the bytecode of the learner's functions among it,
and all that stands in lists and dicts. For each there is a place: a cell, a dict, a list, a class or an object, and a name.
"""

from __future__ import annotations

import dis
import functools
import io
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..amp import GradScaler
from ..nn.module import Module
from ..tensor import Tensor
from ..trees import leaves, parts_of

Place = tuple[Any, Any, Any]  # where it stands, under which name or number, and the value

MANY = 64  # things in a list or dict; where there are more they are data, and are not looked at
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype, range, slice, CodeType)
OWN = "tinygrad_edu"
CONTAINERS = (list, tuple, dict, set, frozenset, deque)
BY_NAME = {"getattr", "hasattr", "setattr"}  # functions that take the name of an attribute as text
ALSO = {"get_last_lr": "_last_lr"}  # what methods of this package read
CALLED = {
    "forward",
    "backward",
    "setup_context",
    "update",
    "step",
}  # what this package calls by itself, of a class that inherits from its own
AT_BIRTH = {"__init__", "__new__", "__post_init__"}  # of a class, not of an object that is there
# Methods that no call of another function goes through, or that only write.
NOT_CALLED = {*AT_BIRTH, "__repr__", "__str__", "__del__", "__init_subclass__", "__getstate__", "__setstate__", "__reduce__"}
NOT_CALLED |= {"__setattr__", "__delattr__", "__hash__"}
# What may be called holds what it calls.
HELD: dict[type, Callable[[Any], Any]] = {
    MethodType: lambda x: (x.__func__, x.__self__),
    functools.partial: lambda x: (x.func, x.args, x.keywords),
    functools.cached_property: lambda x: (x.func,),
    property: lambda x: (x.fget,),
    staticmethod: lambda x: (x.__func__,),
    classmethod: lambda x: (x.__func__,),
    weakref.ref: lambda x: (x(),),
}


def read(where: Any, name: Any) -> Any:
    """What stands there now; None where nothing does."""
    try:
        if isinstance(where, CellType):
            return where.cell_contents
        if isinstance(where, dict | list | deque):
            return where[name]
        return vars(where)[name] if isinstance(where, type) else getattr(where, name, None)  # a class, or an object with slots
    except (ValueError, LookupError):  # an empty cell, or what was taken away
        return None


class Reads:
    """What a call of a function with these arguments may read.

    Attributes:
        places: where that stands.
        containers: the lists, dicts, deques and sets among it.
        modules: whose settings it may read.
        iterators: names of what gives another thing each time that it is asked.
        names, texts: of attributes, and what may be the keys of dicts, in the bytecode.
        met: all of it, by id.
    """

    def __init__(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self._places: dict[tuple[int, Any], Place] = {}
        self._containers: dict[int, Any] = {}
        self._things: list[Any] = []  # what has attributes
        self._any_name = False  # whether names of attributes are computed
        self._home = _package(getattr(function, "func", function))
        self.modules: list[Module] = []
        self.iterators: list[str] = []
        self.names: set[str] = set()
        self.texts: set[str] = set()
        self.met: dict[int, Any] = {}
        self._visit(function)
        self._argument((args, kwargs))
        before, now = None, (0, 0, False)
        while before != now:  # things bring new names, and names bring new things
            before = now
            for x in list(self._things):
                self._attributes(x)
            now = len(self._things), len(self.names), self._any_name
        self.places, self.containers = list(self._places.values()), list(self._containers.values())

    def _argument(self, x: Any) -> None:
        """What an argument holds is compared as the kind of the call, and so has no place."""
        parts = parts_of(x)
        self._visit(x if parts is None else type(x))
        for part in (parts or {}).values():
            self._argument(part)

    def _place(self, where: Any, name: Any) -> None:
        """A place that may be read, and what stands there."""
        x = read(where, name)
        if not isinstance(x, ModuleType):  # which stays under its name
            self._places.setdefault((id(where), name), (where, name, x))
        if id(x) not in self.met and hasattr(type(x), "__next__") and not isinstance(x, io.IOBase):
            self.iterators.append(str(name))
        self._visit(x)

    def _visit(self, x: Any) -> None:
        """Something that is read: what may be called, what has attributes, what stands in a list or dict."""
        if id(x) in self.met or isinstance(x, PLAIN):
            return
        self.met[id(x)] = x
        if isinstance(x, FunctionType):
            self._function(x)
        elif kind := next((kind for kind in HELD if isinstance(x, kind)), None):
            for part in HELD[kind](x):
                self._visit(part)
        elif isinstance(x, type | ModuleType):
            if not self._is_library(x):
                self._things.append(x)
                self._methods(x, AT_BIRTH)
        elif isinstance(x, CONTAINERS):
            self._contents(x)
            if not self._is_library(type(x)):
                self._object(x)
        elif not isinstance(x, np.ndarray):
            self._object(x)

    def _object(self, x: Any) -> None:
        """An object with attributes: what is called without being named, by Python or this package."""
        self._things.append(x)
        for kind in type(x).__mro__:
            if not self._is_library(kind):
                self._methods(kind, {name for name in vars(kind) if name.startswith("__")} - NOT_CALLED)
        held = getattr(x, "__dict__", {})
        if isinstance(x, Module):
            self.modules += [module for module in x.modules() if module not in self.modules]
            for module in x.modules():
                self._visit(module)
        if isinstance(x, GradScaler):
            self._place(x._state, "scale")
        if type(x).__module__ == "collections":  # UserDict, say
            self._contents(held)
        if isinstance(x, Module | Tensor) or self._is_library(type(x)):  # which calls the functions that it holds: hooks, say
            for part in leaves(list(held.values())):
                if isinstance(part, FunctionType | MethodType | functools.partial):
                    self._visit(part)
        self._visit(held.get("__wrapped__"))  # of a compiled or cached function

    def _methods(self, kind: Any, names: set[str]) -> None:
        for name in vars(kind).keys() & names:
            if isinstance(vars(kind)[name], FunctionType):
                self._visit(vars(kind)[name])

    def _contents(self, x: Any) -> None:
        """What stands in a list, dict or set."""
        if not isinstance(x, tuple | frozenset):
            self._containers[id(x)] = x
        for name, part in list(x.items() if isinstance(x, dict) else enumerate(x)) if len(x) <= MANY else ():
            if isinstance(x, dict | list | deque):
                self._place(x, name)
            else:
                self._visit(part)

    def _function(self, function: FunctionType) -> None:
        """What a function reads: variables around it; global ones and attributes of one that is the learner's."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._place(cell, name)
        self._visit((function.__defaults__, function.__kwdefaults__, vars(function).get("__wrapped__")))
        for code in () if self._is_library(function) else _codes(function.__code__):
            by_name = not BY_NAME.isdisjoint(code.co_names)
            self._any_name |= not {"vars", "__dict__"}.isdisjoint(code.co_names) or (by_name and _computes_names(code))
            for opname, x in _names(code):
                if opname.endswith(("_GLOBAL", "_NAME")) and x in function.__globals__:
                    self._place(function.__globals__, x)
                elif "ATTR" in opname or "METHOD" in opname:
                    self.names |= {x, ALSO.get(x, x)}
                elif opname == "LOAD_CONST" and isinstance(x, str):
                    self.texts.add(x)
                    self.names |= {x} if by_name else set()

    def _attributes(self, x: Any) -> None:
        """The places of attributes of an object, in it and in its classes."""
        held: Any = None if isinstance(x, type) else getattr(x, "__dict__", None)
        for name in held.keys() & self.names if held else ():
            if isinstance(x, Module):  # all of its settings are looked at
                self._visit(held[name])
            elif not (isinstance(x, Tensor) and name in TENSORS):
                self._place(held, name)
        simple = held is not None and not isinstance(x, Module)
        if self._any_name and simple and (isinstance(x, SimpleNamespace) or not self._is_library(type(x))):
            self._contents(held)
        family = (x if isinstance(x, type) else type(x)).__mro__
        kinds = [kind for kind in family if not self._is_library(kind)]
        called = CALLED if any(_package(kind) == OWN for kind in family) else set()
        found = {name for kind in kinds for name in vars(kind)} & (self.names | called)
        for name in found:
            for kind in kinds:  # super() asks the next one, and where there is none one may come to stand
                slot = isinstance(vars(kind).get(name), MemberDescriptorType) and kind is not x
                self._place(x if slot else kind, name)
        if found and simple:
            self._containers[id(held)] = held  # where one may come to stand in place of the class's

    def _is_library(self, x: Any) -> bool:
        """Whether a function, class or module is of this package, of NumPy, of Python or of another package that is installed."""
        package = _package(x)
        return package == OWN or (package not in (self._home, "__main__") and _is_installed(package))


TENSORS = {"array", *dir(Tensor)}  # attributes that are not the learner's


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The bytecode of a function, and of those within it."""
    yield code
    for x in code.co_consts:
        if isinstance(x, CodeType):
            yield from _codes(x)


def _names(code: CodeType) -> Iterator[tuple[str, Any]]:
    """Instructions, with the name that each loads or stores."""
    for each in dis.get_instructions(code):
        yield each.opname, each.argval[-1] if isinstance(each.argval, tuple) and each.argval else each.argval


def _computes_names(code: CodeType) -> bool:
    """Whether a name that it passes to getattr may be another one than a text in the code."""
    names = list(_names(code))
    for i, (_, x) in enumerate(names):
        if isinstance(x, str) and x in BY_NAME:
            call = next((j for j in range(i, len(names)) if names[j][0].startswith("CALL")), len(names))
            parts = names[i + 1 : call]
            if "BUILD_STRING" in {opname for opname, _ in parts} or not any(
                opname == "LOAD_CONST" and isinstance(y, str) for opname, y in parts
            ):
                return True
    return False


def _package(x: Any) -> str:
    return ((x.__name__ if isinstance(x, ModuleType) else getattr(x, "__module__", "")) or "").partition(".")[0]


@functools.cache
def _is_installed(package: str) -> bool:
    found = getattr(sys.modules.get(package), "__file__", None) or ""
    return package == "numpy" or package in sys.stdlib_module_names or "site-packages" in found
