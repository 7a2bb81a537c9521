"""What a function reads of Python beside its arguments: variables around it, its object's attributes, settings of modules.

A plan holds them as constants. So they are looked at before each call, and if one is another than it was, the function is recorded anew.
"""

from __future__ import annotations

import dis
import random
from collections.abc import Iterator
from types import CellType, FunctionType, MethodType
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
OBJECTS = (Tensor, np.ndarray, Module, Optimizer, LRScheduler, FunctionType)  # of which it matters which one it is


class Surroundings:
    """What a function read when it was recorded; what the function itself changes is left out by `settle`, after the call.

    Args:
        found: the function's `variables`.
        given: the function and its arguments, which may be modules.
    """

    def __init__(self, found: list[tuple[Any, str, Any]], given: list[Any]) -> None:
        self.variables = [(where, name, x) for where, name, x in found if isinstance(x, PLAIN + OBJECTS) and not _is_nan(x)]
        held = [*given, *(x for _, _, x in self.variables)]
        modules = dict.fromkeys(m for x in held if isinstance(x, Module) for m in x.modules())
        self.settings = {m: dict(vars(m)) for m in modules}
        self.names: dict[Module, set[str]] = {}
        self.seen, self.draws = clock.last_setting, _draws()

    def settle(self) -> None:
        if self.draws != _draws():
            raise CompileError(
                "the function draws random numbers of Python's or NumPy's, which are others in every call, so the recorded plan cannot "
                "contain them. Draw them with this package (rand, randint, randperm ...), or outside, and pass them."
            )
        self.variables = [(where, name, x) for where, name, x in self.variables if _same(x, _read(where, name))]
        for module, before in self.settings.items():
            now = vars(module)
            self.settings[module] = {k: v for k, v in before.items() if k != "training" and k in now and _same(v, now[k])}
            self.names[module] = set(now)
        self.seen = clock.last_setting

    def conditions(self, write: Source) -> list[str]:
        """That all is as it was, as source."""
        found = []
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
            if self.names[module] != now.keys() or any(not _same(v, now[k]) for k, v in before.items()):
                return True
        self.seen = clock.last_setting
        return False


def variables(function: Any, met: set[int] | None = None) -> Iterator[tuple[Any, str, Any]]:
    """Where they stand (a cell, or a dict of names), the names and values of what a function reads by itself, and the functions that it
    calls, and what belongs to the object of a method."""
    met = met if met is not None else set()
    if isinstance(function, MethodType) and isinstance(function.__func__, FunctionType):
        held, read = getattr(function.__self__, "__dict__", {}), _attributes(function.__func__, type(function.__self__), set())
        function = function.__func__
        yield from ((held, name, x) for name, x in held.items() if name in read)
    if not isinstance(function, FunctionType) or id(function) in met:
        return
    met.add(id(function))
    found: list[tuple[Any, str, Any]] = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        found.append((cell, name, _read(cell, name)))
    loaded = {each.argval for each in dis.get_instructions(function) if each.opname == "LOAD_GLOBAL"}
    found += [(function.__globals__, name, function.__globals__[name]) for name in loaded & function.__globals__.keys()]
    yield from found
    for _, _, x in found:
        if isinstance(x, FunctionType) and not (x.__module__ or "").startswith("tinygrad_edu"):
            yield from variables(x, met)


def _attributes(function: FunctionType, kind: type, names: set[str]) -> set[str]:
    """The names of attributes that a method of this class reads, and that the methods read which it may call."""
    new = {each.argval for each in dis.get_instructions(function) if each.opname in ("LOAD_ATTR", "LOAD_METHOD")} - names
    names |= new
    for name in new:
        if isinstance(method := getattr(kind, name, None), FunctionType):
            _attributes(method, kind, names)
    return names


def _read(where: Any, name: str) -> Any:
    try:
        return where.cell_contents if isinstance(where, CellType) else where.get(name)
    except ValueError:  # a cell that is empty yet
        return None


def _draws() -> tuple[Any, ...]:
    """The states of the generators of random numbers that Python and NumPy have for all."""
    twister: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (what the learner may use)
    return random.getstate(), twister["state"]["pos"], twister["state"]["key"].tobytes()


def _is_nan(x: Any) -> bool:
    return isinstance(x, float) and x != x


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, PLAIN) and a == b)
