"""Where the package is watched while a function is recorded: what Python does to tensors beside NumPy's calls.

Tensors hold real arrays all the time. While a function is recorded, three attributes are properties that report to the tape:
`Tensor.array` hands out recorded arrays, and gradients and modules' modes are noted when they are read or set. Random numbers,
steps of optimizers and schedules, and what does not end in a call of NumPy are recorded as one line. After that all is as before.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from .. import backend
from ..autograd import engine
from ..clock import owner
from ..nn.module import Module
from ..ops import random
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer, with_own_step
from ..tensor import Tensor
from .record import CompileError, Draw, Method, Recorded, Tape, call, site, strip

_one_at_a_time = threading.Lock()


def somebody_records() -> bool:
    """Whether a function is being recorded now, in any thread."""
    return _one_at_a_time.locked()


@contextmanager
def recording(tape: Tape) -> Iterator[None]:
    """Let tensors hand out recorded arrays, and note what Python does beside arrays: gradients, modes, steps of optimizers.

    Only this thread is watched, and after it nothing is left: tensors hold real arrays all the time.
    """
    with _one_at_a_time, ExitStack() as stack:

        def replace(target: Any, name: str, new: Any) -> None:
            stack.callback(
                setattr if name in vars(target) else lambda t, n, _: delattr(t, n), target, name, vars(target).get(name)
            )
            setattr(target, name, new)

        replace(Tensor, "array", _watched("array", tape, _array, _set_array))
        replace(Tensor, "_grad", _watched("_grad", tape, _grad, _set_grad))
        replace(Module, "training", _watched("training", tape, _training, _set_training))
        replace(Tensor, "numpy", _refused(Tensor.numpy, tape, "reads numbers"))
        for name in ("manual_seed", "get_state", "set_state"):
            replace(
                random.Generator,
                name,
                _refused(getattr(random.Generator, name), tape, "reads or sets the state of random numbers"),
            )
        replace(random, "_numbers", _drawing(random._numbers, tape))
        replace(engine, "warn_of_nan", lambda *found: None)
        replace(backend, "add_rows", _as_one(backend.add_rows, tape))
        for kind in (*with_own_step(Optimizer), *with_own_step(LRScheduler)):
            replace(kind, "step", _not_looked_into(vars(kind)["step"], tape))
        try:
            yield
        finally:
            tape.running = False


def _watched(name: str, tape: Tape, get: Callable, set: Callable) -> property:
    """An attribute that reports to the tape when the recorded thread reads or writes it."""
    default = getattr(Tensor if name != "training" else Module, name, None)

    def watched() -> bool:
        return tape.running and threading.get_ident() == tape.thread

    def read(self: Any) -> Any:
        value = self.__dict__.get(name, default)
        return get(tape, self, value) if watched() else value

    def write(self: Any, value: Any) -> None:
        self.__dict__[name] = set(tape, self, value) if watched() else value

    return property(read, write)


def _array(tape: Tape, tensor: Tensor, array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        raise CompileError(f"compile records tensors on the CPU; this one is on {backend.device_of(array)}.")
    recorded = tape.twin(array)
    if not tape.is_new(tensor) and recorded.memory.made == "outside":
        tape.outside.setdefault(tensor, array)
    return recorded


def _set_array(tape: Tape, tensor: Tensor, array: Any) -> Any:
    held = strip(array)
    if "array" not in tensor.__dict__:
        tape.new[id(tensor)], tape.made_at[id(tensor)] = weakref.ref(tensor), site()
    elif not tape.is_new(tensor):
        tape.outside.setdefault(tensor, tensor.__dict__["array"])
        tape.rebound[tensor] = held
    if type(array) is not Recorded and tape.memories.get(id(owner(held))) is None:
        tape.enter(held, "constant")  # made within the call from Python's numbers
    return held


def _grad(tape: Tape, tensor: Tensor, gradient: Any) -> Any:
    if tensor not in tape.grads and tensor not in tape.grads_before and not tape.is_new(tensor):
        tape.grads_before[tensor] = None
        if gradient is not None:
            array = gradient.__dict__["array"]
            tape.grads_before[tensor] = tape.argument(array)
            tape.outside.pop(gradient, None)
            tape.new[id(gradient)] = weakref.ref(gradient)
    return gradient


def _set_grad(tape: Tape, tensor: Tensor, gradient: Any) -> Any:
    if not tape.is_new(tensor):
        tape.grads[tensor] = gradient
    return gradient


def _training(tape: Tape, module: Module, mode: Any) -> Any:
    if mode is None:
        raise AttributeError("training")
    if module not in tape.modes_set:
        tape.modes.setdefault(module, mode)
    return mode


def _set_training(tape: Tape, module: Module, mode: bool) -> bool:
    tape.modes_set[module] = mode
    return mode


def _refused(function: Any, tape: Tape, what: str) -> Any:
    def method(*args: Any, **how: Any) -> Any:
        if tape.running and threading.get_ident() == tape.thread:
            raise tape.refuse(what)
        return function(*args, **how)

    return method


def _drawing(numbers: Any, tape: Tape) -> Any:
    class Draws:
        """A generator whose numbers are drawn again in each call of the plan."""

        def __init__(self, *which: Any) -> None:
            self.generator = lambda: numbers(*which)

        def __getattr__(self, name: str) -> Any:
            draw = Draw(self.generator, name)

            def method(*args: Any, **kwargs: Any) -> Any:
                made = tape.enter(np.asarray(draw(*strip(args), **strip(kwargs))), "own")
                tape._result(draw, tape.as_operands(args), tape.as_operands(kwargs), [made])
                return made

            return method

    return lambda *which: Draws(*which) if tape.running and threading.get_ident() == tape.thread else numbers(*which)


def _as_one(function: Any, tape: Tape) -> Any:
    return lambda *args: tape.run(function, args, {}) if any(type(x) is Recorded for x in args) else function(*args)


def _can_look_into(optimizer: Optimizer, settings: dict) -> bool:
    """Whether an optimizer's step can be recorded: it was called before, has the settings that it had then, and all else that its
    formula reads are arrays, or numbers that it computes by itself at each step (see `optim.optimizer.steady`)."""
    known = ("step", "lr", "betas", "eps") if getattr(optimizer.update, "steady", False) else ()
    apart = {"params", "param_names", *known}
    now = [{k: v for k, v in group.items() if k not in apart} for group in optimizer.param_groups]
    before, settings[optimizer] = settings.get(optimizer), now
    held = [v for state in optimizer.state.values() for k, v in state.items() if k != "name" and k not in known]
    return before == now and all(isinstance(v, np.ndarray) for v in held)


def _look_into(optimizer: Optimizer, method: Any, tape: Tape) -> Any:
    """Record an optimizer's step."""
    tape.looked_into.append(optimizer)
    before = {p: state.copy() for p, state in optimizer.state.items()}
    counted: list[dict] = []
    numbers: dict[Any, tuple[dict, list[Recorded]]] = {}
    compute = getattr(optimizer, "factors", None)

    def count_steps() -> None:
        for state in counted:
            state["step"] += 1

    def factors(group: dict, state: dict, dtype: Any) -> list[Recorded]:
        key = id(group), state["step"], dtype
        if key not in numbers:
            made = [tape.enter(x.copy(), "own") for x in compute(group, state, dtype)]
            tape.note(Method(optimizer, "factors"), (group, state, dtype), results=[x.operand() for x in made])
            numbers[key] = state, made
        first, made = numbers[key]
        tape.same_steps.append((state, first))
        return made

    try:
        if getattr(optimizer.update, "steady", False):
            tape.note(call, (count_steps,))
            optimizer.factors = factors  # type: ignore[attr-defined]
        for p, state in before.items():
            optimizer.state[p].update({k: tape.twin(v) for k, v in state.items() if isinstance(v, np.ndarray)})
        method(optimizer)
        for p, state in before.items():
            for k, v in state.items():
                if isinstance(v, np.ndarray) and optimizer.state[p][k] is not tape.twin(v):
                    tape.assign(tape.twin(v), optimizer.state[p][k])  # a new array: what it holds goes where the old one was
        counted += [state for p, state in optimizer.state.items() if state.get("step") != before.get(p, {}).get("step")]
    finally:
        vars(optimizer).pop("factors", None)
        for p, state in optimizer.state.items():
            arrays = {k: v for k, v in before.get(p, {}).items() if isinstance(v, np.ndarray)}
            state.update({k: v.held for k, v in state.items() if type(v) is Recorded} | arrays)


def _not_looked_into(method: Any, tape: Tape) -> Any:
    def step(self: Any, *args: Any) -> Any:
        if not tape.running or threading.get_ident() != tape.thread:
            return method(self, *args)
        if any(map(callable, args)):
            raise CompileError(
                f"{type(self).__name__}.step(closure) computes the loss by itself, so it cannot be part of a plan."
            )
        if isinstance(self, Optimizer) and _can_look_into(self, tape.settings):
            return _look_into(self, method, tape)
        tape.settle()
        tape.running = False
        try:
            result = method(self, *args)
        finally:
            tape.running = True
        tape.note(call, (Method(self, "step"), *args))
        for memory in tape.memories.values():
            memory.value.writes += 1
        return result

    return step
