"""The clocks of `profile`: what is put in place of operations, rules, modules, optimizers and loaders while it measures."""

from __future__ import annotations

import functools
import math
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, pairwise
from statistics import median
from time import perf_counter
from typing import Any

from .. import cuda
from ..autograd import gradients
from ..clock import owner
from ..data.loader import DataLoader
from ..nn.module import Module
from ..op import Op, registry, watchers
from ..optim.optimizer import Optimizer, with_own_step
from ..tensor import Tensor

Modules = tuple[Module, ...]  # that are running, each inside the one before it

# An operation or a rule that ran: what it belongs to (the operation, the modules around it, the input whose gradient it is), its
# seconds, the bytes of the new arrays, the largest shape, and whether it is a call (not what follows from one).
Event = tuple[tuple[str, Modules, str], float, int, tuple[int, ...], bool]


def _shares(array: Any, given: tuple) -> bool:
    """Whether an array is one of those given, or looks at the memory of one."""
    alone = array.base is None
    mine = array if alone else owner(array)
    for x in given:
        if isinstance(x, Tensor):
            x = x.array
        if x is mine or (not alone and hasattr(x, "base") and owner(x) is mine):
            return True
    return False


class _Rule:
    """A rule with a clock. The engine reads a rule's bytecode, so what is asked of this one is asked of the rule."""

    def __init__(self, clock: Clock, this: Op, of: str, rule: Callable) -> None:
        self.clock, self.this, self.of, self.rule = clock, this, of, rule

    def __call__(self, g: Any, z: Any, *values: Any, **settings: Any) -> Any:
        clock = self.clock
        if clock.closed():
            return self.rule(g, z, *values, **settings)
        raw, seconds = clock.time(self.rule, (g, z, *values), settings)
        modules = clock.made.get(id(z.array if isinstance(z, Tensor) else z), ())
        clock.rule = (self.this.name, modules, self.of)
        clock.note(clock.rule, seconds, raw, (g, z, *values), True)
        return raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rule, name)


class Clock:
    """The clocks of one step. What runs inside a timed operation, rule, optimizer or loader belongs to it and is not timed again.

    events: the operations and rules; lines: those of plans, which compiled functions run. totals: seconds of all else, by name, without what
    was timed inside of it; clocks: how many clocks ran inside of it.
    """

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.wait = cuda.synchronize if "cupy" in sys.modules and cuda.is_available() else None
        self.stack = ExitStack()
        self.busy = False  # whether an operation, a rule, the optimizer or the loader is being timed
        self.walking = False  # whether a backward pass is running
        self.inner = 0.0  # seconds timed inside of what runs now
        self.count = 0  # clocks inside of what runs now
        self.cost = 0.0  # seconds that a clock adds to what it measures
        self.tick = 0.0  # and the moments between the lines of a plan
        self.start()

    def start(self) -> None:
        """Forget what was measured."""
        self.events: list[Event] = []
        self.totals: defaultdict[str, float] = defaultdict(float)
        self.clocks: Counter[str] = Counter()
        self.modules: Modules = ()
        self.calls: Counter[Modules] = Counter()
        self.made: dict[int, Modules] = {}  # the modules in which an array was made, by its id: as long as it lives
        self.rule: tuple[str, Modules, str] = ("", (), "")
        self.lines: list[tuple[Any, list[float]]] = []  # plans that ran, with the seconds of each line

    def closed(self) -> bool:
        return self.busy or threading.get_ident() != self.thread

    def time(self, function: Callable, args: tuple, kwargs: dict, leaf: bool = True) -> tuple[Any, float]:
        """The result of a call, and the seconds it took by itself: without what was timed inside."""
        outer, count = self.inner, self.count
        self.inner, self.count, self.busy = 0.0, 0, leaf
        if self.wait:
            self.wait()
        began = perf_counter()
        try:
            result = function(*args, **kwargs)
            if self.wait:
                self.wait()
        finally:
            elapsed = perf_counter() - began
            self.busy = False
            seconds, self.inside = max(0.0, elapsed - self.inner - self.cost), self.count
            self.inner, self.count = outer + elapsed, count + 1
        return result, seconds

    def note(self, key: tuple[str, Modules, str], seconds: float, result: Any, given: tuple, call: bool) -> None:
        made = 0
        shape: tuple[int, ...] = ()
        for x in result if isinstance(result, list | tuple) else (result,):
            array = x.array if isinstance(x, Tensor) else x
            if not hasattr(array, "nbytes"):  # None, or a mistake that the engine explains
                continue
            if not _shares(array, given):
                made += array.nbytes
            if len(array.shape) > len(shape) or math.prod(array.shape) > math.prod(shape):
                shape = array.shape
        self.events.append((key, seconds, made, shape, call))

    def add_total(self, name: str, seconds: float) -> None:
        self.totals[name] += seconds
        self.clocks[name] += self.inside

    # -- what is put in place of what ------------------------------------------------------------------------------
    def put(self, owner: Any, name: str, wrapper: Any) -> None:
        """Replace an attribute until the measuring is over."""
        self.stack.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, wrapper)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything has its clock inside."""
        with self.stack:
            self.stack.callback(setattr, self, "busy", True)  # nothing is timed any more by what still has a clock
            for this in registry.values():
                self.add(this)
            watchers.append(self.watch)
            self.stack.callback(watchers.remove, self.watch)
            self.put(Module, "__call__", self.module(Module.__call__))
            self.put(gradients, "_run", self.walk(gradients._run))
            self.put(DataLoader, "__iter__", self.batches(DataLoader.__iter__))
            for kind in with_own_step(Optimizer):
                self.put(kind, "step", self.step(kind.step))
            if "tinygrad_edu.compiler" in sys.modules:
                for function in sys.modules["tinygrad_edu.compiler"].functions:
                    for plan in chain.from_iterable(function.plans.values()):
                        self.put(plan, "replay", self.plan(plan))
            yield

    def add(self, this: Op) -> None:
        for name in ("forward", "forward_and_keep"):
            self.put(this, name, self.operation(this, getattr(this, name)))
        if this.joint is not None:
            self.put(this, "joint", _Rule(self, this, "all inputs", this.joint))
        rules = zip(this.inputs, this.rules, strict=True)
        self.put(this, "rules", tuple(rule and _Rule(self, this, of, rule) for of, rule in rules))

    def operation(self, this: Op, forward: Callable) -> Callable:
        @functools.wraps(forward)
        def run(*arrays: Any, **settings: Any) -> Any:
            if self.closed():
                return forward(*arrays, **settings)
            out, seconds = self.time(forward, arrays, settings)
            if self.walking:  # a gradient summed over broadcast dims after its rule
                self.note(self.rule, seconds, out, arrays, False)
            else:
                self.note((this.name, self.modules, ""), seconds, out, arrays, True)
            return out

        return run

    def watch(self, name: str, z: Tensor, inputs: tuple) -> None:
        if threading.get_ident() != self.thread:
            return
        self.made[id(z.array)] = self.rule[1] if self.walking else self.modules
        if z.op is not None and z.op.joint is not None and not isinstance(z.op.joint, _Rule):
            z.op.joint = _Rule(self, z.op, "all inputs", z.op.joint)  # of an autograd.Function: each call makes an operation

    def module(self, call: Callable) -> Callable:
        def run(module: Module, *args: Any, **kwargs: Any) -> Any:
            if self.closed():
                return call(module, *args, **kwargs)
            self.modules = (*self.modules, module)
            self.calls[self.modules] += 1
            self.count += 1
            try:
                return call(module, *args, **kwargs)
            finally:
                self.modules = self.modules[:-1]

        return run

    def whole(self, step: Callable, args: tuple) -> None:
        """Run the step; what of it is nothing else is Python."""
        self.add_total("python", self.time(step, args, {}, leaf=False)[1])

    def walk(self, walk: Callable) -> Callable:
        def run(*args: Any, **kwargs: Any) -> Any:
            if self.closed():
                return walk(*args, **kwargs)
            before, self.walking = self.walking, True
            try:
                result, seconds = self.time(walk, args, kwargs, leaf=False)
            finally:
                self.walking = before
            self.add_total("engine", seconds)
            return result

        return run

    def plan(self, plan: Any) -> Callable:
        moments: list[list[float]] = []
        replay = plan.clocked(moments.append)

        def run(*arrays: Any) -> Any:
            moments.clear()
            if self.closed():
                return replay(*arrays)
            result, seconds = self.time(replay, arrays, {})
            lines = [max(0.0, end - begin - self.tick) for begin, end in pairwise(moments[0])]
            self.lines.append((plan, lines))
            self.add_total("plans", max(sum(lines), seconds - self.tick * len(lines)))
            return result

        return run

    def step(self, step: Callable) -> Callable:
        @functools.wraps(step)
        def run(optimizer: Optimizer, closure: Any = None) -> Any:
            if self.closed():
                return step(optimizer, closure)
            result, seconds = self.time(step, (optimizer, closure), {}, leaf=closure is None)
            self.add_total("optimizer", seconds)
            return result

        return run

    def batches(self, iterate: Callable) -> Callable:
        def run(loader: DataLoader) -> Iterator[Any]:
            inside, end = iterate(loader), object()
            while True:
                if self.closed():
                    batch = next(inside, end)
                else:
                    batch, seconds = self.time(next, (inside, end), {})
                    self.add_total("loader", seconds)
                if batch is end:
                    return
                yield batch

        return run


def cost_of_a_clock() -> float:
    """The seconds that a clock adds to what it measures: what it finds for a function that does nothing."""
    clock = Clock()
    return median(clock.time(_nothing, (), {})[1] for _ in range(1000))


def cost_of_a_moment() -> float:
    """The seconds that it takes to note a moment, as a plan with clocks does behind each line."""
    moments: list[float] = []
    for _ in range(1000):
        moments.append(perf_counter())  # noqa: PERF401 (this is what is measured)
    return median(end - begin for begin, end in pairwise(moments))


def _nothing() -> None:
    pass
