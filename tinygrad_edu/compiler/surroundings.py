"""What a function reads of Python beside its arguments: variables around it, what stands in their lists and dicts, attributes of objects,
settings of modules.

A plan holds them as constants. So they are looked at before each call, and if one is another than it was, the function is recorded anew.
"""

from __future__ import annotations

import random
from types import CellType, ModuleType
from typing import Any

import numpy as np

from .. import clock
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .lines import CompileError
from .reads import NAMES, Reads, read
from .source import Source


class Surroundings:
    """What a function read when it was recorded; what the function itself changes is left out by `settle`, after the call."""

    def __init__(self, reads: Reads) -> None:
        self.variables = [place for place in reads.places if not isinstance(place[2], ModuleType)]
        held = [x for _, _, x in self.variables]
        lists = [x for x in held if isinstance(x, list | dict)]
        for optimizer in (x for x in held if isinstance(x, Optimizer)):
            lists += [optimizer.param_groups, *(group["params"] for group in optimizer.param_groups)]
        self.sizes = [(x, len(x)) for x in lists]
        self.settings = {m: {k: (v, _contents(v)) for k, v in vars(m).items()} for m in dict.fromkeys(reads.modules)}
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
            if _same(x, read(where, name)) and not any(where is held or x is held for held in grown)
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
            held = f"vars({write.name_of(where)})" if isinstance(where, type) else write.name_of(where)
            held += (
                ".cell_contents" if isinstance(where, CellType) else f"[{name}]" if isinstance(where, list) else f".get({name!r})"
            )
            same = f"{held} is {write.name_of(x)}"
            if isinstance(x, int | float | str) and not isinstance(x, bool):  # another object may be the same number
                same = f"({same} or type({held}) is {write.text(type(x))} and {held} == {write.text(x)})"
            found.append(same)
        if self.settings:
            write.scope["surroundings"] = self
            found.append("(clock.last_setting == surroundings.seen or not surroundings.changed())")
        return found

    def key(self) -> tuple:
        """Something hashable that is the same as long as all is."""
        found = [(id(where), name, _identity(x)) for where, name, x in self.variables]
        settings = [(id(m), k, _identity(v)) for m, held in self.settings.items() for k, (v, _) in held.items()]
        return *found, *settings, *((id(held), size) for held, size in self.sizes)

    def changed(self) -> bool:
        """Whether modules have other settings now; asked when one of some module was set since."""
        for module, before in self.settings.items():
            now = vars(module)
            if self.names[module] != now.keys() or not all(_as_before(v, now[k]) for k, v in before.items()):
                return True
        self.seen = clock.last_setting
        return False


def _draws() -> tuple[Any, ...]:
    """The states of the generators of random numbers that Python and NumPy have for all."""
    twister: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (what the learner may use)
    return random.getstate(), twister["state"]["pos"], twister["state"]["key"].tobytes()


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, NAMES) and a == b)


def _contents(x: Any) -> list[Any]:
    """What stands in a list or dict; of a tensor, its hooks."""
    held = x._hooks if isinstance(x, Tensor) else x
    return list(held) if isinstance(held, list) else [*held, *held.values()] if isinstance(held, dict) else []


def _as_before(was: tuple[Any, list[Any]], now: Any) -> bool:
    x, parts = was
    found = _contents(now)
    return _same(x, now) and len(found) == len(parts) and all(map(_same, parts, found))


def _identity(x: Any) -> Any:
    return (type(x), repr(x)) if isinstance(x, NAMES) else id(x)
