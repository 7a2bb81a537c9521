"""An optimizer's step as lines of the plan, where Python does the same in every step; else as one line that calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from ..grad_mode import enable_grad
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer, kind_with_step
from ..tensor import Tensor, raw
from .lines import CompileError, Method, call
from .recorded import Recorded, strip
from .tape import Tape

OFTEN = 4  # changes of an optimizer's settings after which no plan holds them any more, because each is a new recording


class Settings:
    """What the settings of an optimizer were when its step was last recorded, and how often they were others than before."""

    def __init__(self) -> None:
        self.last: list[dict[str, Any]] | None = None
        self.changes = 0


def as_lines(method: Any, tape: Tape) -> Any:
    """The step of an optimizer or a schedule as it is while a function is recorded."""

    def step(self: Any, *args: Any, **named: Any) -> Any:
        args = (*args, *named.values())
        if not tape.watches():
            return method(self, *args)
        if any(map(callable, args)):
            if _has_own_step(self) or self.step_hooks():
                raise CompileError(
                    f"{type(self).__name__}.step(closure) calls the closure as often as the numbers ask for, or between hooks, so it cannot "
                    "be part of a plan."
                )
            with enable_grad():
                loss = args[0]()
            step(self)
            return loss
        args = tuple(map(raw, args))  # the loss, which ReduceLROnPlateau reads
        if isinstance(self, Optimizer) and _can_look_into(self, tape.settings):
            return _look_into(self, method, tape)
        if isinstance(self, LRScheduler) and not _known(self.optimizer):
            tape.settings.setdefault(self.optimizer, Settings()).changes = OFTEN
        return as_one(self, "step", method, args, tape)

    return step


def as_one(this: Any, name: str, method: Any, args: tuple, tape: Tape) -> Any:
    """Call a method of an object of this package, as one line that is not looked into."""
    tape.effects.settle()
    tape.running = False
    try:
        result = method(this, *strip(args))
    finally:
        tape.running = True
    tape.note(call, (Method(this, name), *tape.as_operands(args)))
    for memory in tape.memories.values():
        memory.value.writes += 1
    return result


def _can_look_into(optimizer: Optimizer, known: dict[Optimizer, Settings]) -> bool:
    """Whether an optimizer's step can be recorded: it is that of `Optimizer`, was called before, has the settings that it had then, and
    all else that its formula reads are arrays, or numbers that it computes by itself at each step (see `optim.optimizer.steady`). What hooks
    do beside it is not known."""
    if _has_own_step(optimizer) or optimizer.step_hooks():
        return False
    settings = known.setdefault(optimizer, Settings())
    before, settings.last = settings.last, settings_of(optimizer, apart=_known(optimizer))
    settings.changes += before not in (None, settings.last)
    held = [v for state in optimizer.state.values() for k, v in state.items() if k not in ("name", *_known(optimizer))]
    steady = before == settings.last and settings.changes < OFTEN and all(isinstance(v, np.ndarray) for v in held)
    return steady and not any(
        isinstance(v, Tensor) for group in optimizer.param_groups for k, v in group.items() if k != "params"
    )


def _has_own_step(optimizer: Optimizer) -> bool:
    """Whether its class defines a step, which may do anything beside the formula."""
    return kind_with_step(optimizer) is not Optimizer


def settings_of(optimizer: Optimizer, apart: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The settings of an optimizer's groups, but for some."""
    return [{k: v for k, v in group.items() if k not in ("params", "param_names", *apart)} for group in optimizer.param_groups]


def run_again(tape: Tape) -> list[Any]:
    """The optimizers, schedules and scalers whose steps are lines that are not looked into."""
    return [line.args[0].this for line in tape.lines if line.function is call and isinstance(line.args[0], Method)]


def sets_rates(tape: Tape) -> bool:
    """Whether one of these lines sets settings of optimizers, and so does it again in each call."""
    return any(isinstance(this, LRScheduler) or (isinstance(this, Optimizer) and _has_own_step(this)) for this in run_again(tape))


def _known(optimizer: Optimizer) -> tuple[str, ...]:
    """What the formula reads in `factors` only, of settings and state."""
    return ("step", "lr", "betas", "eps") if getattr(optimizer.update, "steady", False) else ()


def _look_into(optimizer: Optimizer, method: Any, tape: Tape) -> Any:
    """Record an optimizer's step: where its settings and arrays stand, and what it computes."""
    tape.looked_into.append(optimizer)
    states = optimizer.states()
    for name in ("param_groups", "state"):
        tape.reads.note(vars(optimizer), name)
    for group, settings in zip(optimizer.param_groups, settings_of(optimizer, apart=_known(optimizer)), strict=True):
        for name in settings:
            tape.reads.note(group, name)
    for p, state in optimizer.state.items():
        for name, x in state.items():
            if isinstance(x, np.ndarray):
                tape.reads.note(optimizer.state, p)
                tape.reads.note(state, name)
    before = {id(state): set(state) for state in states}
    held = [(state, k, v) for state in states for k, v in state.items() if isinstance(v, np.ndarray)]
    try:
        for state, k, v in held:
            state[k] = tape.twin(v)
        with _counting(optimizer, tape) if _known(optimizer) else nullcontext():
            method(optimizer)
        for state, k, v in held:
            if state[k] is not tape.twin(v):  # a new array: what it holds goes where the old one was
                tape.assign(tape.twin(v), state[k])
    finally:
        for state in (*states, *optimizer.state.values()):
            state.update({k: v.held for k, v in state.items() if type(v) is Recorded})
        for state, k, v in held:
            state[k] = v
    tape.made_state |= any(set(state) != before[id(state)] for state in states)


@contextmanager
def _counting(optimizer: Any, tape: Tape) -> Iterator[None]:
    """Note that steps are counted, and that the numbers which depend on them come from the optimizer's `factors`."""
    states = [*optimizer.state.values(), *optimizer.states()]
    before = {id(state): state.get("step") for state in states}
    counted: list[dict] = []
    known: dict[Any, list[Recorded]] = {}
    compute = optimizer.factors

    def count_steps() -> None:
        for state in counted:
            state["step"] += 1

    def factors(p: Recorded, state: dict, group: dict) -> list[Recorded]:
        key = id(group), state["step"], p.dtype
        if key not in known:
            made = [tape.enter(x.copy(), "own") for x in compute(p.held, state, group)]
            tape.note(Method(optimizer, "factors"), (p.operand(), state, group), results=[x.operand() for x in made])
            known[key] = made
        return known[key]

    tape.note(call, (count_steps,))
    optimizer.factors = factors
    try:
        yield
    finally:
        del optimizer.factors
    counted += [state for state in {id(state): state for state in states}.values() if state.get("step") != before[id(state)]]
    first: dict[int, dict] = {}  # of those that counted as many steps
    tape.same_steps += [(state, other) for state in counted if (other := first.setdefault(state["step"], state)) is not state]
