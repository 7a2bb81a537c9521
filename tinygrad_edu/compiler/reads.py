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
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype, range, slice)
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
        containers: the lists, dicts and sets among it.
        modules: whose settings it may read.
        iterators: names of what gives another thing each time that it is asked.
        names, texts: of attributes, and what may be the keys of dicts, in the bytecode.
    """

    def __init__(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self.found: dict[tuple[int, Any], Place] = {}
        self.containers: list[Any] = []
        self.modules: list[Module] = []
        self.iterators: list[str] = []
        self.names: set[str] = set()
        self.texts: set[str] = set()  # that may be keys: group["lr"]
        self.any_name = False  # whether names of attributes are computed
        self.met: dict[int, Any] = {}
        self.things: list[Any] = []  # what has attributes
        self.visit(function)
        self.given((args, kwargs))
        before = None
        while before != (
            now := (len(self.things), len(self.names), self.any_name)
        ):  # new names of things, and new things by name
            before = now
            for x in list(self.things):
                self.attributes(x)

    @property
    def places(self) -> list[Place]:
        return list(self.found.values())

    def given(self, x: Any) -> None:
        """An argument: what it holds is compared as the kind of the call."""
        parts = parts_of(x)
        if parts is None:
            self.visit(x)
        else:
            self.visit(type(x))
            for part in parts.values():
                self.given(part)

    def place(self, where: Any, name: Any) -> None:
        """A place that may be read."""
        if (id(where), name) not in self.found:
            x = read(where, name)
            if isinstance(x, ModuleType):  # which stays under this name
                self.visit(x)
                return
            self.found[id(where), name] = where, name, x
            if hasattr(type(x), "__next__") and not isinstance(x, io.IOBase):
                self.iterators.append(str(name))
            self.visit(x)

    def visit(self, x: Any) -> None:
        """Something that was read: what may be called, what has attributes, what stands in a list or dict."""
        if id(x) in self.met or isinstance(x, PLAIN):
            return
        self.met[id(x)] = x
        if isinstance(x, FunctionType):
            self.function(x)
        elif isinstance(x, Tensor):
            self.things.append(x)
            for hook in leaves([x._hooks, x._grad_hooks]):
                self.visit(hook)
        elif isinstance(x, list | tuple | dict | set | frozenset | deque):
            self.contents(x)
            if not is_library(type(x)):
                self.object(x)
        elif isinstance(x, tuple(HELD)):
            for part in HELD[next(kind for kind in HELD if isinstance(x, kind))](x):
                self.visit(part)
        elif isinstance(x, type | ModuleType):
            if not is_library(x):
                self.things.append(x)
                self.functions_of(x, AT_BIRTH)
        elif not isinstance(x, np.ndarray | CodeType):
            self.object(x)

    def object(self, x: Any) -> None:
        """An object with attributes."""
        self.things.append(x)
        if isinstance(x, Module):
            self.modules += [module for module in x.modules() if module not in self.modules]
            for module in x.modules():
                self.visit(module)
        for kind in type(x).__mro__:
            if not is_library(kind):
                self.functions_of(kind, {name for name in vars(kind) if name.startswith("__")} - NOT_CALLED)
        if isinstance(x, GradScaler):
            self.place(x._state, "scale")
        held = getattr(x, "__dict__", {})
        self.visit(held.get("__wrapped__"))  # of a compiled or cached function
        if type(x).__module__ == "collections":  # UserDict, say
            self.visit(held)
        if isinstance(x, Module) or is_library(type(x)):  # which calls what it holds: hooks, say
            for part in leaves(list(held.values())):
                if isinstance(part, FunctionType | MethodType | functools.partial):
                    self.visit(part)

    def functions_of(self, kind: Any, names: set[str]) -> None:
        for name in vars(kind).keys() & names:
            if isinstance(vars(kind)[name], FunctionType):
                self.visit(vars(kind)[name])

    def contents(self, x: Any) -> None:
        """What stands in a list, dict or set."""
        if not isinstance(x, tuple | frozenset) and not any(x is each for each in self.containers):
            self.containers.append(x)
        if len(x) <= MANY:
            pairs = list(x.items() if isinstance(x, dict) else enumerate(x))
            for name, part in pairs:
                if isinstance(x, list | dict | deque):
                    self.place(x, name)
                else:
                    self.visit(part)

    def function(self, function: FunctionType) -> None:
        """What a function reads: variables around it; attributes and global names only of one that is the learner's."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self.place(cell, name)
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.visit(default)
        self.visit(vars(function).get("__wrapped__"))
        if is_library(function):
            return
        for code in _codes(function.__code__):
            by_name = not BY_NAME.isdisjoint(code.co_names)
            self.any_name |= not {"vars", "__dict__"}.isdisjoint(code.co_names) or (by_name and _computes_names(code))
            for opname, x in _names(code):
                if opname.endswith(("_GLOBAL", "_NAME")) and x in function.__globals__:
                    self.place(function.__globals__, x)
                elif "ATTR" in opname or "METHOD" in opname:
                    self.names |= {x, ALSO.get(x, x)}
                elif isinstance(x, str) and opname == "LOAD_CONST":
                    self.texts.add(x)
                    self.names |= {x} if by_name else set()

    def attributes(self, x: Any) -> None:
        """The places of attributes of an object, in it and in its classes."""
        held = vars(x) if isinstance(x, ModuleType) else None if isinstance(x, type) else getattr(x, "__dict__", None)
        if isinstance(held, dict):
            own = held.keys() & self.names
            if self.any_name and not isinstance(x, Module) and (isinstance(x, SimpleNamespace) or not is_library(type(x))):
                self.contents(held)
            if isinstance(x, Tensor):
                own -= TENSORS
            for name in own:
                if isinstance(x, Module):  # all of its settings are looked at
                    self.visit(held[name])
                else:
                    self.place(held, name)
        if isinstance(x, Tensor | ModuleType):
            return
        family = (x if isinstance(x, type) else type(x)).__mro__
        kinds = [kind for kind in family if not is_library(kind)]
        said = self.names | CALLED if any(kind.__module__.startswith("tinygrad_edu") for kind in family) else self.names
        found = {name for kind in kinds for name in vars(kind)} & said
        for name in found:
            for kind in kinds:  # super() asks the next one, and where there is none one may come to stand
                slot = isinstance(vars(kind).get(name), MemberDescriptorType) and kind is not x
                self.place(x if slot else kind, name)
        if found and isinstance(held, dict) and not isinstance(x, Module) and not any(held is each for each in self.containers):
            self.containers.append(held)  # where one may come to stand in place of the class's


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


def is_library(x: Any) -> bool:
    """Whether a function, class or module is of this package, of NumPy, of Python or of another installed package."""
    return _is_installed(((x.__name__ if isinstance(x, ModuleType) else x.__module__) or "").partition(".")[0])


@functools.cache
def _is_installed(package: str) -> bool:
    found = getattr(sys.modules.get(package), "__file__", None) or ""
    return package in ("tinygrad_edu", "numpy") or package in sys.stdlib_module_names or "site-packages" in found
