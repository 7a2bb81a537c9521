"""What a plan was made for, beside its arguments: that it is as it was is looked at before each call.

A plan holds what the function read of Python as constants. If one is another than it was, the function is recorded anew. What the
function itself changes a plan would not change again; that is found by comparing after a recording.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from types import CellType
from typing import Any

import numpy as np

from .. import clock
from ..amp import GradScaler
from ..clock import owner
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .optimizers import sets_rates
from .reads import ABSENT, HOOKS, LARGE, PLAIN, parts, read, same
from .source import Source
from .tape import Tape

SCHEDULED = {"lr", "momentum", "betas", "last_epoch", "_step_count", "_last_lr"}  # what a schedule's step may change


class Surroundings:
    """What a function read when it was recorded.

    Attributes:
        changed: names of what it changed by itself, beside what a plan does again.
        large: arrays that NumPy read, too large to be compared before each call.
        scheduled: names of what it reads of what the steps of schedules and scalers change.
    """

    def __init__(self, tape: Tape) -> None:
        reads = tape.reads
        # Modules and hooks say when one of them was set, so that these need not be looked at each time.
        modules, tensors = (
            {id(vars(m)) for m, _ in reads.modules},
            {id(vars(x)) for x in reads.met.values() if isinstance(x, Tensor)},
        )
        told = [id(x) in modules or (name in HOOKS and id(x) in tensors) for x, name, _ in reads.places.values()]
        self.settings = [place for place, tells in zip(reads.places.values(), told, strict=True) if tells]
        self.places = [place for place, tells in zip(reads.places.values(), told, strict=True) if not tells]
        self.parts = reads.modules
        # A plan reads the numbers of arrays that became tensors again in each call.
        self.contents = [each for each in reads.contents if id(each[0]) not in tape.known]
        met = list(reads.met.values())
        self.large = [x for x in met if isinstance(x, np.ndarray) and x.nbytes > LARGE and id(owner(x)) not in tape.memories]
        # What optimizers, schedules and scalers change in their steps, which a plan does again.
        optimizers = [x for x in met if isinstance(x, Optimizer)]
        scalers = {id(x._state) for x in met if isinstance(x, GradScaler)}
        schedules = {id(vars(x)) for x in met if isinstance(x, LRScheduler)}
        groups = {id(group) for x in optimizers for group in x.param_groups}
        again = schedules | scalers | {id(held) for x in optimizers for held in (vars(x), x.state, *x.state.values())}
        again |= groups if sets_rates(tape) else set()
        self.scheduled = [
            str(name)
            for where, name, _ in self.places
            if name in SCHEDULED and (id(where) in schedules or (id(where) in groups and name in reads.said))
        ]
        self.scheduled += ["get_scale"] if scalers and "get_scale" in reads.said else []
        self.changed = frozenset(self._changes(again))
        self.seen = -1

    def _changes(self, again: set[int]) -> Iterator[str]:
        names = {id(x): name for _, name, x in reversed(self.places) if isinstance(name, str)}
        for where, name, x in (*self.places, *self.settings):
            if id(where) not in again and not same(x, read(where, name)):
                yield f"{names[id(where)]}[{name!r}]" if id(where) in names else str(name)
        for x, tell, before in self.contents:
            if tell(x) != before:
                yield names.get(id(x), f"a {type(x).__name__}")
        for module, before in self.parts:
            if parts(module) != before:
                yield f"the parts of {type(module).__name__}"

    def conditions(self, write: Source) -> list[str]:
        """That all is as it was, as source."""
        found = [f"{write.function(tell)}({write.name_of(x)}) == {write.text(before)}" for x, tell, before in self.contents]
        for where, name, x in self.places:
            held = write.name_of(vars(where) if isinstance(where, type) else where)
            if isinstance(where, CellType):
                held += ".cell_contents"
            elif isinstance(where, list | deque):
                held += f"[{name}]"
            elif isinstance(where, dict | type) and x is ABSENT:
                found.append(f"{write.text(name)} not in {held}")
                continue
            elif isinstance(where, dict | type):
                held += f".get({write.text(name)}, absent)"
            else:
                held = f"getattr({held}, {name!r}, absent)"
            plain = isinstance(x, (*PLAIN, tuple)) and not isinstance(x, bool | None)  # another object may be the same number
            value = "absent" if x is ABSENT else write.name_of(x)
            found.append(f"({held} is {value} or same({held}, {value}))" if plain else f"{held} is {value}")
        if self.parts or self.settings:
            me = write.bound("surroundings", self)
            found.append(f"(clock.last_setting == {me}.seen or not {me}.settings_changed())")
        return found

    def key(self) -> tuple:
        """Something hashable that is the same as long as all is."""
        found = [(id(where), name, _identity(x)) for where, name, x in (*self.places, *self.settings)]
        told = [(id(x), before) for x, *_, before in (*self.contents, *self.parts)]
        return self.changed, *found, *told

    def differs(self, other: Surroundings) -> str:
        """What it reads that is another thing than what another one read."""
        theirs = {(id(where), name): x for where, name, x in (*other.places, *other.settings)}
        mine = (*self.places, *self.settings)
        names = [str(name) for where, name, x in mine if not same(x, theirs.get((id(where), name), other))]
        return f"it reads {', '.join(names[:3]) or 'other things'}"

    def settings_changed(self) -> bool:
        """Whether modules or hooks are others now; asked when one of some module was set since."""
        if any(parts(module) != before for module, before in self.parts):
            return True
        if any(not same(x, read(where, name)) for where, name, x in self.settings):
            return True
        self.seen = clock.last_setting
        return False


def draws() -> tuple[Any, ...]:
    """The states of the generators of random numbers that Python and NumPy have for all."""
    twister: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (what the learner may use)
    return random.getstate(), twister["state"]["pos"], twister["state"]["key"].tobytes()


def _identity(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_identity, x))
    return (type(x), repr(x)) if isinstance(x, PLAIN) else id(x)
