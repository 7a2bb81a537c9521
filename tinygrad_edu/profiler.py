"""profile: where the time and the memory of a training step go, per operation and per module, forward and backward.

While it measures, the functions of all operations (`Op.forward`), their rules, modules' calls, backward passes, optimizers and data
loaders are wrapped in a clock, and unwrapped at the end: a program that does not profile pays nothing for it. The step is also run
without clocks, which says how long it really takes and what the clocks cost.

Times add up: each operation's own computation on arrays, what the optimizer and the loader take, the engine's work on the way
back, and the rest, which is Python around all this: recording, and the step's own code.
"""

from __future__ import annotations

import functools
import io
import json
import math
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from html import escape
from statistics import fmean, median
from time import perf_counter
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import cuda
from .autograd import engine
from .clock import owner
from .data.loader import DataLoader
from .nn.module import Module
from .op import Op, registry, watchers
from .optim.optimizer import Optimizer
from .see.groups import numbered
from .see.style import shape_text
from .tensor import Tensor

__all__ = ["Profile", "profile"]

FORWARD, BACKWARD, OTHER = "#6699ff", "#ff5c8d", "#8a8f98"
SHOWN = 15  # rows of a printed table; the data has all
SHORT = 25e-6  # seconds; NumPy takes some for any call, however small its arrays are
BAR = 10  # letters

Modules = tuple[Module, ...]  # that are running, each inside the one before it


# -- the result ------------------------------------------------------------------------------------------------------
@dataclass
class Row:
    """An operation, or a module with all inside it. Times are seconds in one step; share is of the whole step.

    calls: forward calls in one step; bytes: of the new arrays that these calls and their gradients made (a view makes none).
    depth: how many modules are around it; kind: its class.
    """

    name: str
    kind: str = ""
    depth: int = 0
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    bytes: int = 0
    share: float = 0.0


@dataclass
class Part:
    """The finest that is measured: one operation in one module, forward, or the gradient of one of its inputs.

    of: "" forward; the name of the input whose gradient it is; "all inputs" where one rule gives all gradients.
    shape: of the largest result.
    """

    op: str
    module: str
    of: str
    calls: int
    seconds: float
    bytes: int
    shape: tuple[int, ...]

    def __str__(self) -> str:
        where = f" in {self.module}" if self.module != OUTSIDE else ""
        return f"the gradient of {self.op}'s {self.of}{where}" if self.of else f"{self.op}{where}, forward"


OUTSIDE = "outside of modules"


@dataclass
class Profile:
    """What `profile` found: plain data that prints itself. All times are seconds in one step: means over the faster half of `repeat`
    steps, so that what else the machine did meanwhile hardly counts, and parts add up.

    seconds: a whole step, measured without clocks; with_clocks: with them.
    forward, backward: the operations' own computations; engine: the rest of the backward passes; python: the rest of the step.
    These add up to about `seconds`: what the clocks cost is subtracted. bytes: of the new arrays that operations make in a step.
    ops, modules: rows; parts: what they are sums of.
    """

    seconds: float
    with_clocks: float
    forward: float
    backward: float
    engine: float
    optimizer: float
    loader: float
    python: float
    bytes: int
    repeat: int
    ops: list[Row] = field(default_factory=list)
    modules: list[Row] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def where(self) -> dict[str, float]:
        """The parts of the whole step, in seconds."""
        return {
            "operations, forward": self.forward,
            "operations, backward": self.backward,
            "engine on the way back": self.engine,
            "optimizer": self.optimizer,
            "data loader": self.loader,
            "other Python": self.python,
        }

    def conclusions(self) -> list[str]:
        """What dominates and what one could do, in sentences."""
        whole = sum(self.where().values())
        found = []
        if self.parts:
            top = max(self.parts, key=lambda part: part.seconds)
            times = "one call" if top.calls == 1 else f"{top.calls} calls, the largest"
            result = f"an array of {shape_text(top.shape)}" if top.shape else "a single number"
            found.append(f"The largest single part is {top}: {top.seconds / whole:.0%} of the step ({times} giving {result}).")
        calls = sum(row.calls for row in self.ops)
        around = (self.engine + self.python) / whole
        each = (self.forward + self.backward) / max(1, sum(part.calls for part in self.parts))
        if calls and (around >= 0.4 or each < SHORT):
            found.append(
                f"Python around the {calls} operations is {around:.0%} of the step, and an operation or gradient itself takes "
                f"{_time(each)} on average, much of which is the call of NumPy: the arrays are small. A larger batch or "
                "compile(step) would help."
            )
        elif calls:
            found.append(
                f"Python around the {calls} operations is only {around:.0%} of the step, and an operation or gradient takes "
                f"{_time(each)} on average: what helps is less arithmetic (narrower layers, float32), not other Python."
            )
        if self.loader >= 0.2 * whole:
            found.append(
                f"The data loader takes {self.loader / whole:.0%}: num_workers=2 reads ahead while the step computes, and a "
                "TensorDataset gives whole batches at once."
            )
        elif self.optimizer >= 0.2 * whole:
            found.append(
                f"The optimizer takes {self.optimizer / whole:.0%}: it goes over all weights in each step, whatever the batch "
                "size, so a larger batch lets it do so less often."
            )
        elif self.forward and self.backward:
            found.append(
                f"Backward computes {self.backward / self.forward:.1f} times as long as forward; about 2 is usual, because a product has "
                "two gradients, each a product of the same size."
            )
        return found

    def to_json(self) -> str:
        """Everything as JSON, with the sentences."""
        return json.dumps({**asdict(self), "conclusions": self.conclusions()}, indent=2)

    # -- how it looks ------------------------------------------------------------------------------------------------
    def __rich__(self) -> RenderableType:
        whole = sum(self.where().values())
        tables = [_table("operation", self.ops), _table("module", self.modules), Table(box=None, header_style="dim")]
        for name, align in (("where the time goes", "left"), ("time", "right"), ("share", "right"), ("", "left")):
            tables[2].add_column(name, justify=align)  # type: ignore[arg-type]
        for (name, seconds), colour in zip(self.where().items(), _COLOURS, strict=True):
            tables[2].add_row(name, _time(seconds), f"{seconds / whole:.0%}", _bar([(seconds / whole, colour)]))
        return Group(
            Text(self._headline(), "bold"),
            Text.assemble(("▇ forward ", FORWARD), ("▇ backward", BACKWARD)),
            *(Padding(table, (1, 0, 0, 0)) for table in tables),
            Padding(Text(self._cost(), "dim"), (1, 0)),
            *(Text(f"• {sentence}") for sentence in self.conclusions()),
        )

    def _headline(self) -> str:
        return f"A step takes {_time(self.seconds)} and its operations make {_size(self.bytes)} of new arrays"

    def _cost(self) -> str:
        total = sum(self.where().values())
        uneven = not 2 / 3 < total / self.seconds < 3 / 2
        return (
            f"Means of the faster half of {self.repeat} steps. The times above add up to {_time(total)}, without what the clocks "
            f"cost: a step took {_time(self.seconds)} without clocks, {_time(self.with_clocks)} with them."
            + " These differ much, so the machine was busy with other things: measure again, or with a larger repeat."
            * uneven
        )

    def __str__(self) -> str:
        page = Console(file=io.StringIO(), width=110, color_system=None)
        page.print(self)
        return "\n".join(line.rstrip() for line in page.file.getvalue().splitlines())  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"Profile({_time(self.seconds)} a step, {len(self.ops)} operations, {len(self.modules)} modules): print() shows it"

    def _repr_html_(self) -> str:
        whole = sum(self.where().values())
        longest = max([row.share for row in self.ops + self.modules], default=1.0) or 1.0
        body = [f"<p><b>{escape(self._headline())}</b> (<i class=f></i> forward, <i class=b></i> backward)</p>"]
        for title, rows in (("operation", self.ops), ("module", self.modules)):
            body.append(f"<table><tr><th>{title}<th>calls<th>forward<th>backward<th>memory<th>share<th></tr>")
            for row in _shown(rows):
                bars = [(row.forward / whole / longest, "f"), (row.backward / whole / longest, "b")]
                cells = (row.calls or "", _time(row.forward), _time(row.backward), _size(row.bytes), f"{row.share:.0%}")
                label = f"<td style='padding-left:{0.6 + 1.2 * row.depth}em'>{escape(row.name)} <small>{escape(row.kind)}</small>"
                body.append(f"<tr>{label}" + "".join(f"<td>{cell}" for cell in cells) + f"<td>{_html_bar(bars)}</tr>")
            body.append("</table>")
        body.append("<table><tr><th>where the time goes<th>time<th>share<th></tr>")
        for (name, seconds), kind in zip(self.where().items(), "fboooo", strict=True):
            share = seconds / whole
            body.append(f"<tr><td>{name}<td>{_time(seconds)}<td>{share:.0%}<td>{_html_bar([(share, kind)])}</tr>")
        body.append(f"</table><p><small>{escape(self._cost())}</small></p><ul>")
        body += [f"<li>{escape(sentence)}" for sentence in self.conclusions()]
        return _STYLE + '<div class="tinygrad-edu-profile">' + "".join(body) + "</ul></div>"


_COLOURS = (FORWARD, BACKWARD, OTHER, OTHER, OTHER, OTHER)
_STYLE = """<style>
.tinygrad-edu-profile{max-width:60em}
.tinygrad-edu-profile table{border-collapse:collapse;margin:.8em 0;color:inherit;background:none}
.tinygrad-edu-profile tr{background:none!important}
.tinygrad-edu-profile :is(td,th){text-align:right!important;padding:.15em .6em;color:inherit;white-space:nowrap;font-variant-numeric:tabular-nums}
.tinygrad-edu-profile th{border-bottom:1px solid #8a8f9888;font-weight:600}
.tinygrad-edu-profile :is(td,th):first-child,.tinygrad-edu-profile :is(td,th):last-child{text-align:left!important}
.tinygrad-edu-profile small{opacity:.7}
.tinygrad-edu-profile i{display:inline-block;height:.75em;min-width:1px;vertical-align:baseline}
.tinygrad-edu-profile p>i{width:.75em}
.tinygrad-edu-profile i.f{background:#6699ff}.tinygrad-edu-profile i.b{background:#ff5c8d}.tinygrad-edu-profile i.o{background:#8a8f98}
</style>"""


def _html_bar(pieces: list[tuple[float, str]]) -> str:
    return "".join(f'<i class={kind} style="width:{12 * share:.2f}em"></i>' for share, kind in pieces if share)


def _shown(rows: list[Row]) -> list[Row]:
    """The first rows, and one for the others."""
    if len(rows) <= SHOWN:
        return rows
    shown, others = rows[: SHOWN - 1], rows[SHOWN - 1 :]
    if others[0].depth or any(row.depth for row in others):  # modules: the rows above contain them
        return [*shown, Row(f"({len(others)} more in .modules)")]
    last = Row(f"({len(others)} others)")
    for name in ("calls", "forward", "backward", "bytes", "share"):
        setattr(last, name, sum(getattr(row, name) for row in others))
    return [*shown, last]


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(box=None, header_style="dim")
    for name in (title, "calls", "forward", "backward", "memory", "share", ""):
        if name in (title, ""):
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(name, justify="right", no_wrap=True, min_width=5 if name in ("calls", "share") else 8)
    for row in _shown(rows):
        seconds = row.forward + row.backward
        pieces = [(row.share * s / seconds, c) for s, c in ((row.forward, FORWARD), (row.backward, BACKWARD)) if seconds]
        label = Text.assemble("  " * row.depth, row.name, (f" {row.kind}" if row.kind else "", "dim"))
        times = (_time(row.forward), _time(row.backward))
        table.add_row(label, str(row.calls or ""), *times, _size(row.bytes), f"{row.share:.0%}", _bar(pieces))
    return table


def _bar(pieces: list[tuple[float, str]]) -> Text:
    """A bar of coloured parts; all of the step is `BAR` letters long."""
    text, done, drawn = Text(no_wrap=True), 0.0, 0
    for share, colour in pieces:
        done += share
        letters = round(done * BAR) - drawn
        text.append("▇" * letters, colour)
        drawn += letters
    return text if drawn or not done else text.append("▏", pieces[-1][1])


def _time(seconds: float) -> str:
    if not seconds:
        return "-"
    scale, unit = (1, "s") if seconds >= 1 else (1e-3, "ms") if seconds >= 1e-3 else (1e-6, "µs")
    number = seconds / scale
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}"


def _size(count: float) -> str:
    if not count:
        return "-"
    power = next((i for i in range(3) if count < 1000 * 1024**i), 3)
    number = count / 1024**power
    return f"{number:.{1 if power and number < 100 else 0}f} {('B', 'KiB', 'MiB', 'GiB')[power]}"


# -- measuring -------------------------------------------------------------------------------------------------------
# An operation or a rule that ran: what it belongs to (the operation, the modules around it, the input whose gradient it is), its
# seconds, the bytes of the new arrays, the largest shape, and whether it is a call (not what follows from one).
_Event = tuple[tuple[str, Modules, str], float, int, tuple[int, ...], bool]


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

    def __init__(self, clock: _Clock, this: Op, of: str, rule: Callable) -> None:
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


class _Clock:
    """The clocks of one step. What runs inside a timed operation, rule, optimizer or loader belongs to it and is not timed again.

    events: the operations and rules. totals: seconds of all else, by name, without what was timed inside of it; clocks: how many
    clocks ran inside of it.
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
        self.start()

    def start(self) -> None:
        """Forget what was measured."""
        self.events: list[_Event] = []
        self.totals: defaultdict[str, float] = defaultdict(float)
        self.clocks: Counter[str] = Counter()
        self.modules: Modules = ()
        self.calls: Counter[Modules] = Counter()
        self.made: dict[int, Modules] = {}  # the modules in which an array was made, by its id: as long as it lives
        self.rule: tuple[str, Modules, str] = ("", (), "")

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
            self.put(engine, "_run", self.walk(engine._run))
            self.put(DataLoader, "__iter__", self.batches(DataLoader.__iter__))
            for kind in _with_step(Optimizer):
                self.put(kind, "step", self.step(kind.step))
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


def _with_step(kind: Any) -> Iterator[Any]:
    """The classes of optimizers that have a step of their own."""
    if "step" in vars(kind):
        yield kind
    for inside in kind.__subclasses__():
        yield from _with_step(inside)


def _cost_of_a_clock() -> float:
    """The seconds that a clock adds to what it measures: what it finds for a function that does nothing."""
    clock = _Clock()
    return median(clock.time(_nothing, (), {})[1] for _ in range(1000))


def _nothing() -> None:
    pass


def profile(step: Callable, *args: Any, warmup: int = 2, repeat: int = 20, console: Console | None = None) -> Profile:
    """Run a training step some times, and print what takes its time and memory: per operation and per module, forward and backward.

    share of a row = (forward + backward seconds of its operations) / seconds of the whole step

    The step runs 2·(warmup + repeat) times, first without clocks and then with them, and does what it always does: a step that trains, trains.
    An operation's time is that of its computation on arrays alone. On a GPU (CuPy) every operation is waited for, so that its time
    is its own; without clocks the GPU works while Python goes on, so there a step can be shorter than the sum of its parts.
    Operations that threads run meanwhile are not counted, nor the steps of a compiled function, which runs no operations.

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
    if repeat < 1 or warmup < 0:
        raise ValueError(f"profile: repeat must be at least 1 and warmup at least 0, not {repeat} and {warmup}.")
    clock = _Clock()
    bare: list[float] = []
    clocked: list[float] = []
    runs: list[_Run] = []
    for _ in range(warmup):
        step(*args)
    bare.extend(_seconds(clock, step, args) for _ in range(repeat))
    clock.cost = _cost_of_a_clock()
    with clock.running():
        for _ in range(warmup):
            step(*args)
        for _ in range(repeat):
            clock.start()
            clocked.append(_seconds(clock, clock.whole, (step, args)))
            runs.append((clock.events, clock.calls, clock.totals, clock.clocks))
    half = -(-repeat // 2)
    fast = sorted(range(repeat), key=clocked.__getitem__)[:half]
    found = _result([runs[i] for i in fast], fmean(sorted(bare)[:half]), fmean(clocked[i] for i in fast), repeat)
    console = console or Console()
    if not console.is_jupyter:
        console.print(found)
    return found


def _seconds(clock: _Clock, step: Callable, args: tuple) -> float:
    if clock.wait:
        clock.wait()
    began = perf_counter()
    step(*args)
    if clock.wait:
        clock.wait()
    return perf_counter() - began


# -- adding up -------------------------------------------------------------------------------------------------------
_Run = tuple[
    list[_Event], Counter[Modules], dict[str, float], Counter[str]
]  # of one step: a clock's events, calls, totals, clocks


def _result(runs: list[_Run], bare: float, clocked: float, repeat: int) -> Profile:
    """The mean over the runs of each part, and rows that are sums of these parts."""
    events, calls, totals, clocks = zip(*runs, strict=True)
    paths = _paths(dict.fromkeys(modules for run in calls for modules in run))
    parts = _parts(events, paths)
    forward, backward = (sum(part.seconds for part in parts if bool(part.of) is back) for back in (False, True))
    other = {name: fmean(run[name] for run in totals) for name in ("engine", "optimizer", "loader", "python")}
    cost = max(0.0, forward + backward + sum(other.values()) - bare)  # of the clocks: it lies in the time around them
    number = {name: fmean(run[name] for run in clocks) for name in other}
    for name in other:
        other[name] = max(0.0, other[name] - cost * number[name] / max(1.0, sum(number.values())))
    made = sum(part.bytes for part in parts)
    found = Profile(bare, clocked, forward, backward, **other, bytes=made, repeat=repeat, parts=parts)  # type: ignore[arg-type]

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


def _parts(events: Sequence[list[_Event]], paths: dict[Modules, tuple[tuple[str, ...], str]]) -> list[Part]:
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


def _means(runs: list[list[Any]]) -> tuple[int, float, int]:
    calls, seconds, made = (fmean(column) for column in zip(*runs, strict=True))
    return round(calls), seconds, round(made)
