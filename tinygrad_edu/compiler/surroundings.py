"""What a function reads of Python beside its arguments: variables around it, what stands in their lists and dicts, attributes of objects,
settings of modules.

A plan holds them as constants. So they are looked at before each call, and if one is another than it was, the function is recorded anew.
What the function itself changes of them a plan would not change again; that is found by looking at all of it again after a recording.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import CellType
from typing import Any

import numpy as np

from .. import clock
from ..amp import GradScaler
from ..clock import owner
from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .lines import CompileError
from .reads import PLAIN, Reads, read
from .source import Source
from .tape import Tape

LARGE = 2**20  # bytes of an array that are compared before each call
SCHEDULED = {"lr", "momentum", "betas", "last_epoch", "_step_count", "_last_lr"}  # what a schedule's step may change


class Surroundings:
    """What a function read when it was recorded.

    Attributes:
        changed: names of what it changed by itself, beside what a plan does again.
        large: arrays that NumPy read, too large to be compared before each call.
        scheduled: names of what it reads of what the steps of schedules and scalers change.
    """

    def __init__(self, reads: Reads) -> None:
        self.places = reads.places
        optimizers = [x for x in reads.met.values() if isinstance(x, Optimizer)]
        lists = [*(x.param_groups for x in optimizers), *(group["params"] for x in optimizers for group in x.param_groups)]
        arrays = [x for x in reads.met.values() if isinstance(x, np.ndarray)]
        self.large = [x for x in arrays if x.nbytes > LARGE]
        small = [x for x in arrays if x.nbytes <= LARGE]
        # What tells whether more or other things stand in something now.
        told: dict[Callable[[Any], Any], list[Any]] = {len: [*reads.containers, *lists], Held: reads.whole, bytes: small}
        self.contents = [(x, tell, tell(x)) for tell, found in told.items() for x in found]
        self.names = {m: reads.settings_of(m) for m in reads.modules}
        self.settings = {m: {k: (v, _contents(v)) for k, v in self._settings(m).items()} for m in reads.modules}
        self.draws = _draws()
        # What optimizers, schedules and scalers change in their steps, which a plan does again.
        schedules = [vars(x) for x in reads.met.values() if isinstance(x, LRScheduler)]
        scheduled = {id(x) for x in (*schedules, *(group for x in optimizers for group in x.param_groups))}
        stepped = [held for x in optimizers for held in (vars(x), *x.state.values())]
        scalers = {id(x._state) for x in reads.met.values() if isinstance(x, GradScaler)}
        self.again = scheduled | scalers | set(map(id, stepped))
        said = reads.texts.union(*reads.names.values())
        self.scheduled = [name for where, name, _ in self.places if id(where) in scheduled and name in SCHEDULED & said]
        self.scheduled += ["get_scale"] if scalers and "get_scale" in said else []
        self.changed: frozenset[str] = frozenset()
        self.seen = -1

    def settle(self, tape: Tape) -> None:
        """Look at all of it again, after the call."""
        if self.draws != _draws():
            raise CompileError(
                "the function draws random numbers of Python's or NumPy's, which are others in every call, so the recorded plan cannot "
                "contain them. Draw them with this package (rand, randint, randperm ...), or outside, and pass them."
            )
        # A plan reads the numbers of arrays that became tensors again in each call.
        self.contents = [each for each in self.contents if id(each[0]) not in tape.known]
        self.large = [x for x in self.large if id(owner(x)) not in tape.memories]
        self.changed = frozenset(self._changes())
        self.settings_changed()

    def _changes(self) -> Iterator[str]:
        names = {id(x): str(name) for _, name, x in reversed(self.places)}
        for where, name, x in self.places:
            if id(where) not in self.again and not same(x, read(where, name)):
                yield f"{names[id(where)]}[{name!r}]" if id(where) in names else str(name)
        for x, told, before in self.contents:
            if told(x) != before:
                yield names.get(id(x), f"a {type(x).__name__}")
        for module, before in self.settings.items():
            now = self._settings(module)
            for name in before.keys() | now.keys():
                if name not in before or name not in now or not _as_before(before[name], now[name]):
                    yield f"{name} of {type(module).__name__}"

    def conditions(self, write: Source) -> list[str]:
        """That all is as it was, as source."""
        found = [f"{write.function(told)}({write.name_of(x)}) == {write.text(before)}" for x, told, before in self.contents]
        for where, name, x in self.places:
            held = write.name_of(vars(where) if isinstance(where, type) else where)
            if isinstance(where, CellType):
                held += ".cell_contents"
            elif isinstance(where, dict | type):
                held = f"{held}.get({write.text(name)})"
            else:
                held = f"getattr({held}, {name!r}, None)" if isinstance(name, str) else f"{held}[{name}]"
            plain = isinstance(x, (*PLAIN, tuple)) and not isinstance(x, bool | None)  # another object may be the same number
            found.append(
                f"({held} is {write.name_of(x)} or same({held}, {write.name_of(x)}))"
                if plain
                else f"{held} is {write.name_of(x)}"
            )
        if self.settings:
            write.scope["surroundings"] = self
            found.append("(clock.last_setting == surroundings.seen or not surroundings.settings_changed())")
        return found

    def key(self) -> tuple:
        """Something hashable that is the same as long as all is."""
        found = [(id(where), name, _identity(x)) for where, name, x in self.places]
        settings = [(id(m), k, _identity(v)) for m, held in self.settings.items() for k, (v, _) in held.items()]
        return self.changed, *found, *settings, *((id(x), before) for x, _, before in self.contents)

    def differs(self, other: Surroundings) -> str:
        """What it reads that is another thing than what another one read."""
        theirs = {(id(where), name): x for where, name, x in other.places}
        names = [str(name) for where, name, x in self.places if not same(x, theirs.get((id(where), name), other))]
        return f"it reads {', '.join(names[:3]) or 'other things'}"

    def _settings(self, module: Module) -> dict[str, Any]:
        """The settings of a module that may be read, its parts and its hooks; its mode is looked at apart."""
        names = self.names[module]
        return {
            k: v
            for k, v in vars(module).items()
            if k != "training" and (names is None or k in names or k.startswith("_") or isinstance(v, Tensor | Module))
        }

    def settings_changed(self) -> bool:
        """Whether modules have other settings now; asked when one of some module was set since."""
        for module, before in self.settings.items():
            now = self._settings(module)
            if before.keys() != now.keys() or not all(_as_before(v, now[k]) for k, v in before.items()):
                return True
        self.seen = clock.last_setting
        return False


def _draws() -> tuple[Any, ...]:
    """The states of the generators of random numbers that Python and NumPy have for all."""
    twister: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (what the learner may use)
    return random.getstate(), twister["state"]["pos"], twister["state"]["key"].tobytes()


def same(a: Any, b: Any) -> bool:
    """Whether two things are one, or equal numbers, texts or tuples of such; 0.0 is not -0.0, and NaN is NaN."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, PLAIN) and repr(a) == repr(b)


class Held:
    """All that stands in a list, dict or set now, to be compared with what stands there later."""

    def __init__(self, x: Any) -> None:
        self.parts = [*x, *x.values()] if isinstance(x, dict) else list(x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and len(self.parts) == len(other.parts) and all(map(same, self.parts, other.parts))

    def __hash__(self) -> int:
        return len(self.parts)


def _contents(x: Any) -> list[Any]:
    """What stands in a list or dict; of a tensor, its hooks."""
    held = x._hooks if isinstance(x, Tensor) else x
    return list(held) if isinstance(held, list) else [*held, *held.values()] if isinstance(held, dict) else []


def _as_before(was: tuple[Any, list[Any]], now: Any) -> bool:
    x, parts = was
    found = _contents(now)
    return same(x, now) and len(found) == len(parts) and all(map(same, parts, found))


def _identity(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_identity, x))
    return (type(x), repr(x)) if isinstance(x, PLAIN) else id(x)
