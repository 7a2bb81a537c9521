"""What a function may read beside its arguments, as its bytecode tells.

Python looks names up while it runs. Which object it then has in hand the bytecode tells of variables around the function, of what is reached
from these by names, and of `self`. Where it does not tell (`for layer in layers`, a helper's argument), an attribute may be one of any object
that can be reached. So there are places: a cell, a dict, a list, a class or an object, and a name. A few too many do no harm.
"""

from __future__ import annotations

import dis
import functools
import io
import itertools
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

MANY = 64  # things in a list or dict that are looked at one by one; where there are more, at all of them at once
DATA = 1000  # things beside numbers and texts in one, where there are more than can be looked at before each call
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype, range, slice, CodeType)
OWN = "tinygrad_edu"
CONTAINERS = (list, tuple, dict, set, frozenset, deque)
BY_NAME = {"getattr", "hasattr", "setattr", "vars"}  # functions that take the name of an attribute as text, or all
ANY = "*"  # a name that is computed
ALSO = {"get_last_lr": "_last_lr"}  # what methods of this package read
# What this package calls by itself, of a class that inherits from one of its own.
CALLED = {"forward", "backward", "setup_context", "update", "step"}
AT_BIRTH = {"__init__", "__new__", "__post_init__"}  # of a class, not of an object that is there
# Methods that no call of another function goes through, or that only write.
NOT_CALLED = {*AT_BIRTH, "__repr__", "__str__", "__del__", "__init_subclass__", "__getstate__", "__setstate__", "__reduce__"}
NOT_CALLED |= {"__setattr__", "__delattr__", "__hash__"}
# What may be called holds what it calls.
HELD: dict[type, Callable[[Any], Any]] = {
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
        containers: the lists, dicts and deques among it.
        whole: those of them whose contents are no places, and sets.
        modules: whose settings it may read.
        iterators: names of what gives another thing each time that it is asked.
        data: a list or dict that holds too much to be looked at, if there is one.
        names: of attributes, by whose they are: of an object (its id), of what is found from `self` (its class and a path), of any (None).
        texts: what may be the keys of dicts.
        met: all of it, by id.
    """

    def __init__(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self._places: dict[tuple[int, Any], Place] = {}
        self._containers: dict[int, Any] = {}
        self._whole: dict[int, Any] = {}
        self._things: list[Any] = []  # what has attributes
        self._home = _package(getattr(function, "func", function))
        self.modules: list[Module] = []
        self.iterators: list[str] = []
        self.data: Any = None
        self.names: dict[Any, set[str]] = {None: set()}
        self.texts: set[str] = set()
        self.met: dict[int, Any] = {}
        self._visit(function, next((kind for kind in type(args[0]).__mro__ if _is_in(kind, function)), None) if args else None)
        self._argument((args, kwargs))
        before, now = None, (0, 0)
        while before != now:  # things bring new names, and names bring new things
            before = now
            for x in list(self._things):
                self._attributes(x)
            now = len(self._things), sum(map(len, self.names.values()))
        self.places, self.containers, self.whole = (list(x.values()) for x in (self._places, self._containers, self._whole))

    def called(self, x: Any, otherwise: str) -> str:
        """What a thing is called where it stands, for messages."""
        return next((str(name) for _, name, held in self.places if held is x), otherwise)

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
        self._visit(x, where if isinstance(where, type) else None)

    def _visit(self, x: Any, kind: type | None = None) -> None:
        """Something that is read: what may be called, what has attributes, what stands in a list or dict. kind: in whose class."""
        if id(x) in self.met or isinstance(x, PLAIN):
            return
        self.met[id(x)] = x
        if isinstance(x, FunctionType):
            self._function(x, kind)
        elif isinstance(x, MethodType):
            self._visit(x.__func__, x.__self__ if isinstance(x.__self__, type) else type(x.__self__))
            self._visit(x.__self__)
        elif held := next((each for each in HELD if isinstance(x, each)), None):
            for part in HELD[held](x):
                self._visit(part, kind if held in (property, classmethod, functools.cached_property) else None)
        elif isinstance(x, type | ModuleType):
            if not self._is_library(x):
                self._things.append(x)
                self._methods(x, AT_BIRTH)
        elif isinstance(x, CONTAINERS):
            self._contents(x)
            if not self._is_library(type(x)):
                self._object(x, kind)
        elif not isinstance(x, np.ndarray):
            self._object(x, kind)

    def _object(self, x: Any, kind: type | None) -> None:
        """An object with attributes: what is called without being named, by Python or this package."""
        self._things.append(x)
        for each in type(x).__mro__:
            if not self._is_library(each):
                self._methods(each, {name for name in vars(each) if name.startswith("__")} - NOT_CALLED)
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
        self._visit(held.get("__wrapped__"), kind)  # of a compiled or cached function

    def _methods(self, kind: Any, names: set[str]) -> None:
        for name in sorted(vars(kind).keys() & names):
            if isinstance(vars(kind)[name], FunctionType):
                self._visit(vars(kind)[name], kind)

    def _contents(self, x: Any) -> None:
        """What stands in a list, dict or set."""
        parts = list(x.items() if isinstance(x, dict) else enumerate(x))
        if len(parts) > DATA and not all(isinstance(part, PLAIN) for _, part in parts):
            self.data = x
        elif len(parts) <= MANY and isinstance(x, dict | list | deque):
            self._containers[id(x)] = x
            for name, _ in parts:
                self._place(x, name)
        else:
            if not isinstance(x, tuple | frozenset):
                self._whole[id(x)] = x
            for _, part in parts:
                self._visit(part)

    def _function(self, function: FunctionType, kind: type | None) -> None:
        """What a function reads: variables around it; global ones and attributes of one that is the learner's."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name, cell in cells.items():
            self._place(cell, name)
        self._visit((function.__defaults__, function.__kwdefaults__, vars(function).get("__wrapped__")), kind)
        if self._is_library(function):
            return
        code = function.__code__
        me = code.co_varnames[0] if kind is not None and code.co_argcount else None
        if me and any(opname.startswith("STORE") and x == me for opname, x in _names(code)):
            me = None
        for each in _codes(code):
            inner = each is not code  # which may have variables of its own under these names
            self._code(
                list(_names(each)),
                function.__globals__,
                {} if inner else cells,
                None if inner and me in each.co_varnames else me,
                kind,
            )

    def _code(self, steps: list, around: dict, cells: dict, me: str | None, kind: type | None) -> None:
        """The names in bytecode. me: what `self` is called there, of which class."""
        last: Any = None  # whose attribute the next instruction may load: a list of one object, a path from self, or None
        for i, (opname, x) in enumerate(steps):
            whose, last = last, None
            if opname.endswith(("_GLOBAL", "_NAME")):
                if x in around:
                    self._place(around, x)
                    last = [around[x]]
                elif x in BY_NAME:
                    self._by_name(steps[i + 1 :], (kind,) if steps[i + 1][1] == me else None)
            elif opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and x == me:
                last = (kind,)
            elif opname == "LOAD_DEREF" and x in cells:
                last = [read(cells[x], x)]
            elif "ATTR" in opname or "METHOD" in opname:
                x = ANY if x == "__dict__" else x
                if not isinstance(whose, list):
                    self._name(whose, x)
                    last = whose and (*whose, x)
                elif not (isinstance(whose[0], type | ModuleType) and self._is_library(whose[0])):
                    self._name(id(whose[0]), x)
                    held = getattr(whose[0], "__dict__", {})
                    last = [held[x]] if x in held else None
            elif opname == "LOAD_CONST" and isinstance(x, str):
                self.texts.add(x)

    def _by_name(self, steps: list, whose: Any) -> None:
        """The name that getattr gets, if it is a text in the code; any name, if it is not."""
        parts = list(itertools.takewhile(lambda step: not step[0].startswith("CALL"), steps))
        texts = [x for opname, x in parts if opname == "LOAD_CONST" and isinstance(x, str)]
        for text in [ANY] if not texts or any(opname == "BUILD_STRING" for opname, _ in parts) else texts:
            self._name(whose, text)

    def _name(self, whose: Any, name: str) -> None:
        self.names.setdefault(whose, set()).update((name, ALSO.get(name, name)))

    def names_of(self, x: Any) -> set[str]:
        """The names of attributes that may be read of an object or class."""
        of_class = [self.names.get((kind,), set()) for kind in x.__mro__] if isinstance(x, type) else []
        return self.names[None].union(self.names.get(id(x), set()), *of_class)

    def _follow(self, x: Any) -> None:
        """Note whose names those are that stand behind paths from `self`, for an object that it may be."""
        for path in [key for key in self.names if isinstance(key, tuple) and isinstance(x, key[0])]:
            end = x
            for name in path[1:]:
                end = getattr(end, "__dict__", {}).get(name, self)
            for name in self.names[path]:
                self._name(None if end is self else id(end), name)

    def settings_of(self, module: Module) -> set[str] | None:
        """The names of the settings of a module that may be read; None for all, since this package reads them."""
        kinds = {kind for kind in type(module).__mro__ if self._is_library(kind)} - {*Module.__mro__}
        names = self.names_of(module)
        return None if kinds or ANY in names else names | CALLED

    def _attributes(self, x: Any) -> None:
        """The places of attributes of an object, in it and in its classes."""
        self._follow(x)
        names = self.names_of(x)
        held: Any = None if isinstance(x, type) else getattr(x, "__dict__", None)
        for name in sorted(held.keys() & names) if held else ():
            if isinstance(x, Module):  # its settings are looked at apart
                self._visit(held[name])
            elif not (isinstance(x, Tensor) and name in TENSORS):
                self._place(held, name)
        simple = held is not None and not isinstance(x, Module)
        if ANY in names and simple and (isinstance(x, SimpleNamespace) or not self._is_library(type(x))):
            self._contents(held)
        family = (x if isinstance(x, type) else type(x)).__mro__
        kinds = [kind for kind in family if not self._is_library(kind)]
        called = CALLED if any(_package(kind) == OWN for kind in family) else set()
        found = sorted({name for kind in kinds for name in vars(kind)} & (names | called))  # in the same order each time
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


def _is_in(kind: type, function: Any) -> bool:
    """Whether a function is the one that was compiled as a method of a class."""
    return getattr(vars(kind).get(getattr(function, "__name__", "")), "__wrapped__", None) is function


def _package(x: Any) -> str:
    return ((x.__name__ if isinstance(x, ModuleType) else getattr(x, "__module__", "")) or "").partition(".")[0]


@functools.cache
def _is_installed(package: str) -> bool:
    found = getattr(sys.modules.get(package), "__file__", None) or ""
    return package == "numpy" or package in sys.stdlib_module_names or "site-packages" in found
