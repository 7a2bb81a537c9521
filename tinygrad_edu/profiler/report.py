"""What `profile` found: plain data that prints itself, as text and in notebooks."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from html import escape
from statistics import median

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..printing import bytes_text
from ..see.style import BACKWARD, FORWARD, shape_text

COLOURS = {"f": FORWARD, "b": BACKWARD, "o": "#8a8f98"}  # of bars: forward, backward, other
SHOWN = 15  # rows of a printed table; the data has all
SHORT = 25e-6  # seconds; NumPy takes some for any call, however small its arrays are
BAR = 10  # letters


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


@dataclass
class PlanLine:
    """A line of the plan that a compiled function runs.

    plan: the function's name. code: the line; site: the line of the program that it comes from ("" for what copies the arguments).
    """

    plan: str
    site: str
    code: str
    seconds: float


OUTSIDE = "outside of modules"
Time = tuple[str, float, float, str]  # what takes it, its seconds, its share of the step, the kind of its bar's colour


@dataclass
class Profile:
    """What `profile` found: plain data that prints itself. All times are seconds in one step: means over the faster half of `repeat`
    steps, so that what else the machine did meanwhile hardly counts, and parts add up.

    seconds: a whole step, measured without clocks; with_clocks: with them.
    forward, backward: the operations' own computations; engine: the rest of the backward passes; python: the rest of the step.
    These add up to about `seconds`: what the clocks cost is subtracted. bytes: of the new arrays that operations make in a step.
    ops, modules: rows; parts: what they are sums of. plans: seconds in plans of compiled functions; lines: of each line of these.
    """

    seconds: float
    with_clocks: float
    forward: float
    backward: float
    engine: float
    optimizer: float
    loader: float
    plans: float
    python: float
    bytes: int
    repeat: int
    ops: list[Row] = field(default_factory=list)
    modules: list[Row] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    lines: list[PlanLine] = field(default_factory=list)

    def where(self) -> dict[str, float]:
        """The parts of the whole step, in seconds."""
        return {
            "operations, forward": self.forward,
            "operations, backward": self.backward,
            "engine on the way back": self.engine,
            "optimizer": self.optimizer,
            "data loader": self.loader,
            "compiled functions": self.plans,
            "other Python": self.python,
        }

    def sites(self) -> list[Row]:
        """The lines of the program from which plans were made: how many lines each became, and their seconds (as `forward`)."""
        whole = sum(self.where().values())
        rows: dict[str, Row] = {}
        for line in self.lines:
            row = rows.setdefault(line.site, Row(line.site or "arguments and gradients", line.plan))
            row.calls, row.forward, row.share = row.calls + 1, row.forward + line.seconds, row.share + line.seconds / whole
        return sorted(rows.values(), key=lambda row: -row.share)

    def conclusions(self) -> list[str]:
        """What dominates and what one could do, in sentences."""
        whole = sum(self.where().values())
        found = []
        if self.parts:
            top = max(self.parts, key=lambda part: part.seconds)
            times = "one call" if top.calls == 1 else f"{top.calls} calls, the largest"
            result = f"an array of {shape_text(top.shape)}" if top.shape else "a single number"
            found.append(f"The largest single part is {top}: {top.seconds / whole:.0%} of the step ({times} giving {result}).")
        if self.lines:
            longest = max(self.lines, key=lambda line: line.seconds)
            found.append(
                f"The plan of {longest.plan} spends most in {longest.code}: {longest.seconds / whole:.0%} of the step"
                + (f" (from {longest.site})." if longest.site else ".")
            )
            typical = median(line.seconds for line in self.lines)
            if typical < SHORT / 10:
                found.append(
                    f"Half of the {len(self.lines)} lines take less than {_time(typical)}, much of which is the call of NumPy: their arrays are "
                    "small, so a larger batch costs little more there."
                )
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
        tables: list[RenderableType] = []
        if self._has_operations():
            tables += [Text.assemble(("▇ forward ", FORWARD), ("▇ backward", BACKWARD))]
            tables += [Padding(_table(title, rows), (1, 0, 0, 0)) for title, rows in self._rows()]
        for title, times in self._times():
            wide = any(len(name) > 40 for name, *_ in times)  # then the names get what the numbers leave, and are cut
            table = Table(box=None, header_style="dim", expand=wide)
            table.add_column(title, no_wrap=True, overflow="ellipsis", ratio=1 if wide else None)
            for name, width in (("time", 8), ("share", 5)):
                table.add_column(name, justify="right", no_wrap=True, min_width=width)
            table.add_column("", no_wrap=True, min_width=BAR)
            for name, seconds, share, kind in times:
                table.add_row(Text(name), _time(seconds), f"{share:.0%}", _bar([(share, COLOURS[kind])]))
            tables.append(Padding(table, (1, 0, 0, 0)))
        return Group(
            Text(self._headline(), "bold"),
            *tables,
            Padding(Text(self._cost(), "dim"), (1, 0)),
            *(Text(f"• {sentence}") for sentence in self.conclusions()),
        )

    def _has_operations(self) -> bool:
        """False of a step that is nothing but a plan."""
        return bool(self.ops or not self.lines)

    def _headline(self) -> str:
        if self._has_operations():
            return f"A step takes {_time(self.seconds)} and its operations make {_size(self.bytes)} of new arrays"
        return f"A step takes {_time(self.seconds)}, in the {len(self.lines)} lines of a plan"

    def _rows(self) -> list[tuple[str, list[Row]]]:
        """The tables of operations and modules."""
        return [("operation", self.ops), ("module", self.modules)]

    def _times(self) -> list[tuple[str, list[Time]]]:
        """The tables that have one time in each row."""
        whole = sum(self.where().values())
        tables = []
        if self.lines:
            sites = [(row.name, row.forward, row.share, "o") for row in self.sites()]
            longest = sorted(self.lines, key=lambda line: -line.seconds)
            codes = [(line.code, line.seconds, line.seconds / whole, "o") for line in longest]
            for title, times in (("line of the program", sites), ("line of the plan", codes)):
                others = times[SHOWN - 1 :]
                if len(others) > 1:
                    seconds = sum(each[1] for each in others)
                    times = [*times[: SHOWN - 1], (f"({len(others)} others)", seconds, seconds / whole, "o")]
                tables.append((title, times))
        kinds = dict(zip(self.where(), "fbooooo", strict=True))
        parts = [
            (name, seconds, seconds / whole, kinds[name]) for name, seconds in self.where().items() if seconds or not self.lines
        ]
        return [*tables, ("where the time goes", parts)]

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
        plain = self._has_operations()
        keys = ", ".join(
            f'<i style="background:{colour}"></i> {name}' for name, colour in (("forward", FORWARD), ("backward", BACKWARD))
        )
        body = [f"<p><b>{escape(self._headline())}</b>{f' ({keys})' * plain}</p>"]
        for title, rows in self._rows() if plain else ():
            body.append(f"<table><tr><th>{title}<th>calls<th>forward<th>backward<th>memory<th>share<th></tr>")
            for row in _shown(rows):
                bars = [(row.forward / whole / longest, "f"), (row.backward / whole / longest, "b")]
                cells = (row.calls or "", _time(row.forward), _time(row.backward), _size(row.bytes), f"{row.share:.0%}")
                label = f"<td style='padding-left:{0.6 + 1.2 * row.depth}em'>{escape(row.name)} <small>{escape(row.kind)}</small>"
                body.append(f"<tr>{label}" + "".join(f"<td>{cell}" for cell in cells) + f"<td>{_html_bar(bars)}</tr>")
            body.append("</table>")
        for title, times in self._times():
            body.append(f"<table><tr><th>{title}<th>time<th>share<th></tr>")
            for name, seconds, share, kind in times:
                body.append(f"<tr><td>{escape(name)}<td>{_time(seconds)}<td>{share:.0%}<td>{_html_bar([(share, kind)])}</tr>")
            body.append("</table>")
        body.append(f"<p><small>{escape(self._cost())}</small></p><ul>")
        body += [f"<li>{escape(sentence)}" for sentence in self.conclusions()]
        return _STYLE + '<div class="tinygrad-edu-profile">' + "".join(body) + "</ul></div>"


_STYLE = """<style>
.tinygrad-edu-profile{max-width:60em}
.tinygrad-edu-profile table{border-collapse:collapse;margin:.8em 0;color:inherit;background:none}
.tinygrad-edu-profile tr{background:none!important}
.tinygrad-edu-profile :is(td,th){text-align:right!important;padding:.15em .6em;color:inherit;white-space:nowrap;font-variant-numeric:tabular-nums}
.tinygrad-edu-profile th{border-bottom:1px solid #8a8f9888;font-weight:600}
.tinygrad-edu-profile :is(td,th):first-child,.tinygrad-edu-profile :is(td,th):last-child{text-align:left!important}
.tinygrad-edu-profile td:first-child{max-width:36em;overflow:hidden;text-overflow:ellipsis}
.tinygrad-edu-profile small{opacity:.7}
.tinygrad-edu-profile i{display:inline-block;height:.75em;min-width:1px;vertical-align:baseline}
.tinygrad-edu-profile p>i{width:.75em}
</style>"""


def _html_bar(pieces: list[tuple[float, str]]) -> str:
    return "".join(f'<i style="width:{12 * share:.2f}em;background:{COLOURS[kind]}"></i>' for share, kind in pieces if share)


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
    return bytes_text(count) if count else "-"
