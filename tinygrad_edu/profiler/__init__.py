"""profile: where the time and the memory of a training step go, per operation and per module, forward and backward.

While it measures, the functions of all operations (`Op.forward`), their rules, modules' calls, backward passes, optimizers and data
loaders are wrapped in a clock, and unwrapped at the end: a program that does not profile pays nothing for it. The step is also run
without clocks, which says how long it really takes and what the clocks cost.

Times add up: each operation's own computation on arrays, what the optimizer and the loader take, the engine's work on the way
back, the plans of compiled functions, and the rest, which is Python around all this: recording, and the step's own code.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console

from ..absent import missing
from ..errors import check_whole
from ..see.groups import numbered
from ..tensor import Tensor
from .clocks import Clock, Event, Modules, cost_of_a_clock, cost_of_a_moment
from .report import OUTSIDE, Part, PlanLine, Profile, Row

__all__ = ["Profile", "profile"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)


def profile(step: Callable, *args: Any, warmup: int = 2, repeat: int = 20, console: Console | None = None) -> Profile:
    """Run a training step some times, and print what takes its time and memory: per operation and per module, forward and backward.

    share of a row = (forward + backward seconds of its operations) / seconds of the whole step

    The step runs 2·(warmup + repeat) times, first without clocks and then with them, and does what it always does: a step that trains, trains.
    An operation's time is that of its computation on arrays alone. On a GPU (CuPy) every operation is waited for, so that its time
    is its own; without clocks the GPU works while Python goes on, so there a step can be shorter than the sum of its parts.
    Operations that threads run meanwhile are not counted. A compiled function runs no operations but the lines of its plan: for these the
    result says what each takes, and each line of the program that they come from.

    Args:
        step: a function that does one training step.
        args: what it is called with.
        warmup: steps before each measuring.
        repeat: steps that are measured each way; the result has the means of the faster half of them.
        console: where to print; in a notebook nothing is printed, for the result shows itself.

    Returns:
        Profile: rows of plain data, `to_json()`, `conclusions()`.

    Raises:
        TypeError: `step` is not a function, but what it returned, say.
        ValueError: repeat is less than 1, or warmup negative.

    >>> from tinygrad_edu import nn, ones, profile
    >>> model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> def step():
    ...     model.zero_grad()
    ...     model(ones(5, 8)).sum().backward()
    >>> found = profile(step)  # doctest: +ELLIPSIS
    A step takes ...
    >>> [(row.name, row.kind, row.calls) for row in found.modules]
    [('Sequential', '', 1), ('0', 'Linear', 1), ('1', 'ReLU', 1), ('2', 'Linear', 1), ('outside of modules', '', 0)]
    """
    if not callable(step) or isinstance(step, Tensor):
        raise TypeError(
            f"profile takes a function that does one training step, not a {type(step).__name__}: profile(step, x, y) calls step(x, y)."
        )
    check_whole("repeat", repeat)
    check_whole("warmup", warmup, 0)
    clock = Clock()
    bare: list[float] = []
    clocked: list[float] = []
    runs: list[_Run] = []
    for _ in range(warmup):
        step(*args)
    bare.extend(_seconds(clock, step, args) for _ in range(repeat))
    clock.cost, clock.tick = cost_of_a_clock(), cost_of_a_moment()
    with clock.running():
        for _ in range(warmup):
            step(*args)
        for _ in range(repeat):
            clock.start()
            clocked.append(_seconds(clock, clock.whole, (step, args)))
            runs.append((clock.events, clock.calls, clock.totals, clock.clocks, clock.lines))
    half = -(-repeat // 2)
    fast = sorted(range(repeat), key=clocked.__getitem__)[:half]
    found = _result([runs[i] for i in fast], fmean(sorted(bare)[:half]), fmean(clocked[i] for i in fast), repeat)
    console = console or Console()
    if not console.is_jupyter:
        console.print(found)
    return found


def _seconds(clock: Clock, step: Callable, args: tuple) -> float:
    if clock.wait:
        clock.wait()
    began = perf_counter()
    step(*args)
    if clock.wait:
        clock.wait()
    return perf_counter() - began


# -- adding up -------------------------------------------------------------------------------------------------------
# Of one step: a clock's events, calls, totals, clocks and lines.
_Run = tuple[list[Event], Counter[Modules], dict[str, float], Counter[str], list[tuple[Any, list[float]]]]


def _result(runs: list[_Run], bare: float, clocked: float, repeat: int) -> Profile:
    """The mean over the runs of each part, and rows that are sums of these parts."""
    events, calls, totals, clocks, lines = zip(*runs, strict=True)
    paths = _paths(dict.fromkeys(modules for run in calls for modules in run))
    parts = _parts(events, paths)
    forward, backward = (sum(part.seconds for part in parts if bool(part.of) is back) for back in (False, True))
    other = {name: fmean(run[name] for run in totals) for name in ("engine", "optimizer", "loader", "plans", "python")}
    cost = max(0.0, forward + backward + sum(other.values()) - bare)  # of the clocks: it lies in the time around them
    number = {name: fmean(run[name] for run in clocks) for name in other}
    for name in other:
        other[name] = max(0.0, other[name] - cost * number[name] / max(1.0, sum(number.values())))
    made = sum(part.bytes for part in parts)
    found = Profile(bare, clocked, forward, backward, **other, bytes=made, repeat=repeat, parts=parts, lines=_lines(lines))  # type: ignore[arg-type]

    ops = {part.op: Row(part.op) for part in parts}
    modules = {_joined(path): Row(path[-1], kind, len(path) - 1) for path, kind in paths.values()}
    around = {_joined(path): [_joined(path[: i + 1]) for i in range(len(path))] for path, _ in paths.values()}
    for part in parts:
        rows = [modules[path] for path in around[part.module]]
        for row in (ops[part.op], *rows):
            row.forward += 0.0 if part.of else part.seconds
            row.backward += part.seconds if part.of else 0.0
            row.bytes += part.bytes
        ops[part.op].calls += 0 if part.of else part.calls
    for stack, (path, _) in paths.items():
        modules[_joined(path)].calls += round(fmean(run[stack] for run in calls))
    whole = sum(found.where().values())
    for row in (*ops.values(), *modules.values()):
        row.share = (row.forward + row.backward) / whole
    found.ops = sorted(ops.values(), key=lambda row: -row.share)
    found.modules = list(modules.values())
    return found


def _paths(stacks: Iterable[Modules]) -> dict[Modules, tuple[tuple[str, ...], str]]:
    """For modules that ran inside each other, their names, each inside the one before, and the class of the innermost."""
    found = list(stacks)
    models = list(dict.fromkeys(stack[0] for stack in found))
    names = dict(zip(models, numbered([type(model).__name__ for model in models]), strict=True))
    paths: dict[Modules, tuple[tuple[str, ...], str]] = {}
    for stack in found:  # each after those around it, because it was called after them
        if len(stack) == 1:
            paths[stack] = ((names[stack[0]],), "")
            continue
        kind = type(stack[-1]).__name__
        name = next((path for path, module in stack[-2].named_modules() if module is stack[-1] and path), kind)
        paths[stack] = ((*paths[stack[:-1]][0], name), kind if name != kind else "")
    return {**paths, (): ((OUTSIDE,), "")}


def _joined(path: tuple[str, ...]) -> str:
    return ".".join(path)


def _parts(events: Sequence[list[Event]], paths: dict[Modules, tuple[tuple[str, ...], str]]) -> list[Part]:
    """The events that belong together added up in each run, and the means over the runs."""
    sums: defaultdict[tuple[str, str, str], list] = defaultdict(lambda: [[0, 0.0, 0] for _ in events])
    shapes: dict[tuple[str, str, str], tuple[int, ...]] = {}
    for i, run in enumerate(events):
        for (op, modules, of), seconds, made, shape, call in run:
            key = op, _joined(paths[modules][0]), of
            total = sums[key][i]
            total[0] += call
            total[1] += seconds
            total[2] += made
            shapes[key] = max(shapes.get(key, ()), shape, key=math.prod)
    return [Part(*key, *_means(runs), shapes[key]) for key, runs in sums.items()]


def _lines(runs: Sequence[list[tuple[Any, list[float]]]]) -> list[PlanLine]:
    """The lines of the plans that ran, with their mean seconds in a step."""
    sums: dict[Any, Any] = {}
    for run in runs:
        for plan, seconds in run:
            sums[plan] = np.add(sums.get(plan, 0.0), seconds)
    return [
        PlanLine(plan.name, site, code, float(seconds) / len(runs))
        for plan, total in sums.items()
        for (site, code), seconds in zip(plan.body, total, strict=False)  # but for the last one, which returns
    ]


def _means(runs: list[list[Any]]) -> tuple[int, float, int]:
    calls, seconds, made = (fmean(column) for column in zip(*runs, strict=True))
    return round(calls), seconds, round(made)
