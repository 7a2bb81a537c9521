"""What a function reads beside its arguments, as its bytecode tells.

Its variables stand in cells and in dicts of names. From there it goes on: to attributes (`config.rate`), to what stands in lists and dicts,
and to functions, methods and layers that it may call. So for whatever Python looks up there is a place: a cell, a dict or a list, and a name.
"""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..tensor import Tensor
from ..trees import leaves

Place = tuple[Any, Any, Any]  # where it stands (a cell, dict, list or class), under which name or number, and the value

MANY = 64  # things in a list or dict; where there are more they are data, and are not looked at
NAMES = (bool, int, float, str, type(None))  # what may be a name in a dict


def read(where: Any, name: Any) -> Any:
    """What stands there now; None where nothing does."""
    try:
        return where.cell_contents if isinstance(where, CellType) else (vars(where) if isinstance(where, type) else where)[name]
    except (ValueError, LookupError):  # an empty cell, or what was taken away
        return None


class Reads:
    """What a call of a function with these arguments may read.

    Attributes:
        places: where that stands.
        modules: whose settings it may read.
    """

    def __init__(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self.places: list[Place] = []
        self.modules: list[Module] = []
        self.met: set[Any] = set()
        self.call(function, args, kwargs)
        for x in leaves((args, kwargs)):
            self.call(x)

    def call(self, x: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> None:
        """What is read by something that may be called."""
        if isinstance(x, Module):
            for module in x.modules():
                self.modules.append(module)
                self.code(type(module).forward, (module,))
        elif isinstance(x, FunctionType):
            self.code(x, args, kwargs)
        elif isinstance(x, MethodType):
            self.call(x.__func__, (x.__self__, *args), kwargs)
        elif isinstance(x, functools.partial):
            self.call(x.func, (*x.args, *args), {**x.keywords, **(kwargs or {})})
        elif hasattr(x, "record") and hasattr(x, "function"):  # a compiled function
            self.call(x.function, args, kwargs)
        elif callable(x) and not isinstance(x, type):
            self.code(type(x).__call__, (x, *args), kwargs)

    def thing(self, x: Any) -> None:
        """What is read of something that is read: by what may be called, or what stands in a list or dict."""
        if not isinstance(x, list | tuple | dict):
            self.call(x)
        elif len(x) <= MANY and id(x) not in self.met:
            self.met.add(id(x))
            for name, part in list(x.items() if isinstance(x, dict) else enumerate(x)):
                if isinstance(name, NAMES):
                    self.places += [(x, name, part)] * (not isinstance(x, tuple))
                    self.thing(part)

    def code(self, function: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> None:
        """The places from which a function's bytecode reads. Of the arguments, those that are objects with attributes matter."""
        objects = [x for x in (*args, *(kwargs or {}).values()) if not isinstance(x, NAMES)]
        key = (function, *map(id, objects))
        if not isinstance(function, FunctionType) or _is_own(function) or key in self.met:
            return
        self.met.add(key)
        code, bound = function.__code__, _bound(function, args, kwargs or {})
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.thing(default)
        x: Any = None  # what the last instruction loaded, as far as it is known
        for opname, name in _loads(code):
            holder, x, where = x, None, None
            if opname in ("LOAD_ATTR", "LOAD_METHOD"):
                where = self.attribute(holder, name)
            elif opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and name in bound:
                x = bound[name]
            elif opname == "LOAD_DEREF":
                where = cells.get(name)
            elif opname == "LOAD_GLOBAL" and name in function.__globals__:
                where = function.__globals__
            if where is not None:
                x = read(where, name)
                if not isinstance(holder, Module) or isinstance(
                    x, list | dict
                ):  # others are looked at with all settings of modules
                    self.places.append((where, name, x))
                self.thing(x)

    def attribute(self, holder: Any, name: str) -> Any:
        """The dict in which an attribute of an object stands, or none; for a method or property what that reads."""
        if holder is None or isinstance(holder, Tensor | np.ndarray | np.generic) or _is_library(holder):
            return None
        if isinstance(holder, LRScheduler) and name == "get_last_lr":
            self.thing(holder._last_lr)
        held = None if isinstance(holder, type) else getattr(holder, "__dict__", None)
        if held is not None and name in held:
            return held
        for kind in (holder if isinstance(holder, type) else type(holder)).__mro__:
            if name in vars(kind):
                x = vars(kind)[name]
                if _is_library(kind):
                    return None
                if held is not None:
                    self.places.append((held, name, None))  # where it may come to stand
                if isinstance(x, FunctionType | property):
                    self.code(x.fget if isinstance(x, property) else x, (holder,))
                    return None
                return None if inspect.isdatadescriptor(x) else kind
        return None


def _bound(function: FunctionType, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments and defaults by the names that the function has for them and does not give to anything else."""
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    given = {**dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)), **(function.__kwdefaults__ or {})}
    given |= {**dict(zip(names, args, strict=False)), **kwargs}
    stores = (each.argval for each in dis.get_instructions(code) if each.opname.startswith(("STORE_FAST", "STORE_DEREF")))
    stored = set(leaves(list(stores)))  # newer Pythons store two at once
    return {name: x for name, x in given.items() if name not in stored and not isinstance(x, Tensor)}


def _loads(code: CodeType) -> Iterator[tuple[str, Any]]:
    """Instructions of a function, and of those within it, with the names that they load."""
    for each in dis.get_instructions(code):
        yield each.opname, each.argval[-1] if isinstance(each.argval, tuple) and each.argval else each.argval
        if isinstance(each.argval, CodeType):
            yield from ((opname, name) for opname, name in _loads(each.argval) if not opname.startswith("LOAD_FAST"))


def _is_own(x: FunctionType) -> bool:
    """Whether a function is one of this package."""
    return (x.__module__ or "").partition(".")[0] == "tinygrad_edu"


def _is_library(x: Any) -> bool:
    """Whether this is a module or class of this package, of NumPy or of Python, whose names nobody binds anew."""
    home = x.__name__ if isinstance(x, ModuleType) else x.__module__ if isinstance(x, type) else ""
    return home.partition(".")[0] in ("tinygrad_edu", "numpy", "math", "builtins", "collections", "types")
