"""What a function reads of Python beside its arguments: variables around it, what stands in their lists and dicts, its object's
attributes, settings of modules.

A plan holds them as constants. So they are looked at before each call, and if one is another than it was, the function is recorded anew.
"""

from __future__ import annotations

import dis
import random
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .. import clock
from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .lines import CompileError
from .source import Source

PLAIN = (bool, int, float, str, type(None))
OBJECTS = (Tensor, np.ndarray, Module, Optimizer, LRScheduler, FunctionType, list, dict)  # of which it matters which one it is
MANY = 64  # things in a list or dict; where there are more they are data, and are not looked at


class Surroundings:
    """What a function read when it was recorded; what the function itself changes is left out by `settle`, after the call.

    Args:
        found: the function's `variables`.
        given: the function and its arguments, which may be modules.
    """

    def __init__(self, found: list[tuple[Any, str, Any]], given: list[Any]) -> None:
        self.variables = [(where, name, x) for where, name, x in found if isinstance(x, PLAIN + OBJECTS) and not _is_nan(x)]
        self.sizes = [(x, len(x)) for _, _, x in self.variables if isinstance(x, list | dict)]
        held = [*given, *(x for _, _, x in self.variables)]
        modules = dict.fromkeys(m for x in held if isinstance(x, Module) for m in x.modules())
        self.settings = {m: {k: (v, _contents(v)) for k, v in vars(m).items()} for m in modules}
        self.names: dict[Module, set[str]] = {}
        self.seen, self.draws = clock.last_setting, _draws()

    def settle(self) -> None:
        if self.draws != _draws():
            raise CompileError(
                "the function draws random numbers of Python's or NumPy's, which are others in every call, so the recorded plan cannot "
                "contain them. Draw them with this package (rand, randint, randperm ...), or outside, and pass them."
            )
        grown = [held for held, size in self.sizes if len(held) != size]
        self.sizes = [(held, size) for held, size in self.sizes if len(held) == size]
        self.variables = [
            (where, name, x)
            for where, name, x in self.variables
            if _same(x, _read(where, name)) and not any(where is held or x is held for held in grown)
        ]
        for module, before in self.settings.items():
            now = vars(module)
            self.settings[module] = {k: v for k, v in before.items() if k != "training" and k in now and _as_before(v, now[k])}
            self.names[module] = set(now)
        self.seen = clock.last_setting

    def conditions(self, write: Source) -> list[str]:
        """That all is as it was, as source."""
        found = [f"len({write.name_of(held)}) == {size}" for held, size in self.sizes]
        for where, name, x in self.variables:
            held = write.name_of(where) + (".cell_contents" if isinstance(where, CellType) else f"[{name!r}]")
            found.append(f"{held} == {write.text(x)}" if isinstance(x, PLAIN) else f"{held} is {write.name_of(x)}")
        if self.settings:
            write.scope["surroundings"] = self
            found.append("(clock.last_setting == surroundings.seen or not surroundings.changed())")
        return found

    def changed(self) -> bool:
        """Whether modules have other settings now; asked when one of some module was set since."""
        for module, before in self.settings.items():
            now = vars(module)
            if self.names[module] != now.keys() or not all(_as_before(v, now[k]) for k, v in before.items()):
                return True
        self.seen = clock.last_setting
        return False


def variables(function: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Where they stand (a cell, a dict, a list), the names and the values of what a function reads beside its arguments.

    Its bytecode tells: variables around it, attributes of these (`config.rate`) and of the object that it is a method of; then what stands in
    lists and dicts among them, and what functions and layers read that it may call.
    """
    yield from _read_by(function, None, set())


def _read_by(function: Any, this: Any, met: set[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """The same for a function, or for a method of the object `this`."""
    if isinstance(function, Module):
        for module in function.modules():
            yield from _read_by(type(module).forward, module, met)
        return
    if isinstance(function, MethodType):
        function, this = function.__func__, function.__self__
    if not isinstance(function, FunctionType) or _is_own(function) or (function, id(this)) in met:
        return
    met.add((function, id(this)))
    code = function.__code__
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    x: Any = None  # what the last instruction loaded, as far as it is known
    for opname, name in _loads(code):
        holder, x, where = x, None, None
        if this is not None and name == code.co_varnames[0] and opname not in ATTRIBUTE:
            x = this
        elif opname in ATTRIBUTE and not isinstance(holder, Tensor | Optimizer | type):
            where = getattr(holder, "__dict__", None)
            if where is None or name not in where:
                where = None
                yield from _read_by(getattr(type(holder), name, None), holder, met)
        elif opname == "LOAD_DEREF":
            where = cells.get(name)
        elif opname == "LOAD_GLOBAL":
            where = function.__globals__ if name in function.__globals__ else None
        if where is not None:
            x = _read(where, name)
            settled = isinstance(holder, Module) and not isinstance(x, list | dict)  # is looked at with all settings of modules
            if not settled and not (isinstance(holder, ModuleType) and _is_own(x)):
                yield where, name, x
            yield from _inside(x, met)


ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")


def _loads(code: CodeType) -> Iterator[tuple[str, Any]]:
    """Instructions of a function, and of those within it, with the names that they load."""
    for each in dis.get_instructions(code):
        yield each.opname, each.argval[-1] if isinstance(each.argval, tuple) and each.argval else each.argval
        if isinstance(each.argval, CodeType):
            yield from _loads(each.argval)


def _inside(x: Any, met: set[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """What belongs to something that is read: what stands in a list or dict, what a function or a layer reads."""
    if isinstance(x, FunctionType | MethodType | Module):
        yield from _read_by(x, None, met)
    elif isinstance(x, list | dict) and len(x) <= MANY and id(x) not in met:
        met.add(id(x))
        for name, part in list(x.items() if isinstance(x, dict) else enumerate(x)):
            if isinstance(name, PLAIN):
                yield x, name, part
                yield from _inside(part, met)


def _is_own(x: Any) -> bool:
    """Whether a function is one of this package."""
    return isinstance(x, FunctionType) and (x.__module__ or "").startswith("tinygrad_edu")


def _read(where: Any, name: Any) -> Any:
    try:
        return where.cell_contents if isinstance(where, CellType) else where[name]
    except (ValueError, LookupError):  # a cell that is empty yet, or what the function took away
        return None


def _draws() -> tuple[Any, ...]:
    """The states of the generators of random numbers that Python and NumPy have for all."""
    twister: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (what the learner may use)
    return random.getstate(), twister["state"]["pos"], twister["state"]["key"].tobytes()


def _is_nan(x: Any) -> bool:
    return isinstance(x, float) and x != x


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, PLAIN) and a == b)


def _contents(x: Any) -> list[Any]:
    """What stands in a list or dict; of a tensor, its hooks."""
    held = x._hooks if isinstance(x, Tensor) else x
    return list(held) if isinstance(held, list) else [*held, *held.values()] if isinstance(held, dict) else []


def _as_before(was: tuple[Any, list[Any]], now: Any) -> bool:
    x, parts = was
    found = _contents(now)
    return _same(x, now) and len(found) == len(parts) and all(map(_same, parts, found))
