"""Where the package is watched while a function is recorded: what Python does to tensors beside NumPy's calls.

Tensors hold real arrays all the time. While a function is recorded, three attributes are properties that report to the tape:
`Tensor.array` hands out recorded arrays, and gradients and modules' modes are noted when they are read or set. The classes of all
objects that the function can reach report which attributes are read and set. Random numbers, steps of optimizers and schedules, and
what does not end in a call of NumPy are recorded as one line. After that all is as before.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from .. import backend
from ..amp import GradScaler
from ..autograd import engine
from ..nn.module import Module
from ..ops import linalg, random
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer, with_own_step
from ..tensor import Tensor, to_array
from ..utils import checkpoint
from .lines import Draw
from .optimizers import as_lines, as_one
from .recorded import Recorded, strip
from .tape import Tape

_one_at_a_time = threading.Lock()
somebody_records = _one_at_a_time.locked  # whether a function is being recorded now, in any thread
_answer = linalg._answer


@contextmanager
def recording(tape: Tape) -> Iterator[None]:
    """Let tensors hand out recorded arrays, and note what Python does beside arrays: gradients, modes, steps of optimizers.

    Only this thread is watched, and after it nothing is left: tensors hold real arrays all the time.
    """
    with _one_at_a_time, ExitStack() as stack:

        def replace(target: Any, name: str, new: Any) -> None:
            undo = (setattr, target, name, vars(target)[name]) if name in vars(target) else (delattr, target, name)
            setattr(target, name, new)
            stack.callback(*undo)

        def report(x: Any) -> None:
            read = type(x).__getattribute__
            if read is not object.__getattribute__ and not hasattr(read, "reports"):  # which may go past ours
                tape.reads.whole(x)
            try:
                for name in ("__getattribute__", "__setattr__", "__delattr__"):
                    if not hasattr(method := getattr(type(x), name), "reports"):
                        replace(type(x), name, _reporting(method, tape))
            except TypeError:  # a class of C's
                tape.reads.whole(x)

        tape.reads.report = report
        for x in tape.reads.waiting:
            report(x)
        effects = tape.effects
        replace(Tensor, "array", _watched("array", tape, effects.array, effects.set_array))
        replace(Tensor, "_grad", _watched("_grad", tape, effects.grad, effects.set_grad))
        replace(Tensor, "_requires_grad", _watched("_requires_grad", tape, effects.tracked.read, effects.tracked.write))
        replace(Module, "training", _watched("training", tape, effects.modes.read, effects.modes.write))
        replace(Tensor, "numpy", _refused_unless_constant(Tensor.numpy, tape))
        for name in ("manual_seed", "get_state", "set_state"):
            replace(
                random.Generator,
                name,
                _refused(getattr(random.Generator, name), tape, "reads or sets the state of random numbers"),
            )
        replace(random, "_numbers", _drawing(random._numbers, tape))
        replace(engine, "warn_of_nan", lambda *found: None)
        replace(Optimizer, "__init__", _refused(Optimizer.__init__, tape, "makes an optimizer"))
        for name in ("unscale_", "step", "update"):
            replace(GradScaler, name, _as_one_line(name, vars(GradScaler)[name], tape))
        replace(checkpoint, "recomputes", lambda: False)  # a plan knows for how long each value is needed
        ours = [module for name, module in list(sys.modules.items()) if name.startswith("tinygrad_edu")]
        for old, new in ((to_array, _from_arrays(tape)), (backend.require, _explained(tape))):
            for module in ours:
                if vars(module).get(old.__name__) is old:
                    replace(module, old.__name__, new)
        replace(backend, "add_rows", _as_one_function(backend.add_rows, tape))
        replace(linalg, "_answer", lambda function, *args: _as_one_function(_answering(function), tape)(*args))
        for kind in (*with_own_step(Optimizer), *with_own_step(LRScheduler)):
            replace(kind, "step", as_lines(vars(kind)["step"], tape))
        try:
            yield
        finally:
            tape.running = False


def _reporting(method: Callable, tape: Tape) -> Any:
    """How an object's attributes are read, set or deleted, where the recorded thread does it: of what a plan relies on."""

    def report(self: Any, name: str, *value: Any) -> Any:
        if tape.watches():
            tape.reads.attribute(self, name)
        return method(self, name, *value)

    report.reports = True  # type: ignore[attr-defined]
    return report


def _watched(name: str, tape: Tape, get: Callable, set: Callable) -> property:
    """An attribute that reports to the tape when the recorded thread reads or writes it."""
    default = getattr(Tensor if name != "training" else Module, name, None)

    def read(self: Any) -> Any:
        value = self.__dict__.get(name, default)
        return get(self, value) if tape.watches() else value

    def write(self: Any, value: Any) -> None:
        self.__dict__[name] = set(self, value) if tape.watches() else value

    return property(read, write)


def _refused(function: Any, tape: Tape, what: str) -> Any:
    def method(*args: Any, **how: Any) -> Any:
        if tape.watches():
            raise tape.refuse(what)
        return function(*args, **how)

    return method


def _refused_unless_constant(function: Any, tape: Tape) -> Any:
    refused = _refused(function, tape, "reads numbers")

    def method(tensor: Tensor, *args: Any, **how: Any) -> Any:
        if tape.watches() and tensor.array.is_constant():
            return strip(function(tensor, *args, **how))
        return refused(tensor, *args, **how)

    return method


def _from_arrays(tape: Tape) -> Any:
    """Arrays of NumPy that become tensors are read again in each call."""
    convert = to_array

    def read(data: Any, *how: Any, **named: Any) -> Any:
        return convert(tape.twin(data) if tape.watches() and type(data) is np.ndarray else data, *how, **named)

    return read


def _explained(tape: Tape) -> Any:
    """When a check fails, its message may read numbers: nothing is recorded any more."""
    require = backend.require

    def checked(condition: Any, error: Callable[[], Exception]) -> None:
        def unrecorded() -> Exception:
            tape.running = tape.running and not tape.watches()
            return error()

        require(condition, unrecorded)

    return checked


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

    return lambda *which: Draws(*which) if tape.watches() else numbers(*which)


def _as_one_function(function: Any, tape: Tape) -> Any:
    return lambda *args: tape.run(function, args, {}) if any(type(x) is Recorded for x in args) else function(*args)


@functools.cache
def _answering(function: Any) -> Any:
    """A function of linear algebra that raises this package's error."""
    return functools.wraps(function)(functools.partial(_answer, function))


def _as_one_line(name: str, method: Any, tape: Tape) -> Any:
    """A method of a GradScaler: it decides after numbers, as in each call of the plan."""

    def line(self: Any, *args: Any) -> Any:
        return as_one(self, name, method, args, tape) if tape.watches() and self.is_enabled() else method(self, *args)

    return line
