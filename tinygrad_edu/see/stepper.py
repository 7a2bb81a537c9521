"""step: walk through a backward pass in the terminal, forwards and back.

Left, the tensors in the order in which they were made, with what is known of their gradients; right, the step: what happens, the
rule and its numbers; below it the learner's own line. Each screen is a function of the trace and the step's number alone. Where
nobody can press a key (a pipe, a notebook, CI) the steps are printed as text, one after the other.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from ..tensor import Tensor
from .format import Frame, Node, Step, Trace, frame
from .keys import Walk, keyboard, parse_keys
from .style import BACKWARD, FORWARD, grid, ink, scales, shade, shape_text, short
from .trace import trace
from .words import Row, as_text, computation, equations, formula_text, headline, rule_text, worked

MARK = "#ffd75f"
# Stronger than in pictures: in a terminal of 256 colours, pale or mixed ones become grey, or one another. GROUND: of cells that hold 0.
VALUE, GRADIENT, GROUND = ("#d76000", "#1450ff"), ("#b428c8", "#00a040"), (20, 20, 20)
CELL = 7
BARS = " ▁▂▃▄▅▆▇█"


def step(what: Tensor | Trace, gradient: Any = None, *, start: int = 0, console: Console | None = None) -> None:
    """Step through the backward pass of a loss in the terminal; prints the steps as text where there is none to draw on.

    Keys: left and right go one step, up and down to the previous and the next tensor, Home and End to the ends, g and a number to
    that step; q leaves.

    Args:
        what: a loss, any tensor that requires grad, or a trace.
        gradient: the gradient to start with; 1 for a loss of one element.
        start: the step to begin with.

    >>> from tinygrad_edu import tensor, step
    >>> x = tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> step(y)
    1/6 forward: y = x * x
      y = 9
    2/6 backward: start at y
      ∂y/∂y = 1
    3/6 backward: the gradient of y is complete
      ∂y/∂y = 1
    4/6 backward: mul sends to x, part 1 of 2
      ∂y/∂x += ∂y/∂y·x
      1 · 3 = 3
    5/6 backward: mul sends to x, part 2 of 2
      ∂y/∂x += ∂y/∂y·x
      1 · 3 = 3
      3 + 3 = 6
    6/6 done
      ∂y/∂x = 6
    """
    traced = what if isinstance(what, Trace) else trace(what, gradient)
    console = console or Console()
    walk = Walk(traced, min(max(start, 0), len(traced.steps) - 1))
    if not (console.is_interactive and sys.stdin is not None and sys.stdin.isatty()):  # nor is a terminal that cannot be drawn on
        for i in range(walk.i, len(traced.steps)):
            print(as_text(traced, i))
        return
    with keyboard() as read, Live(console=console, screen=True, auto_refresh=False) as live:
        shown, waiting = None, ""
        while not walk.over:
            now = walk.i, walk.typed, console.size
            if now != shown:
                live.update(screen(walk, console.size.width, console.size.height), refresh=True)
                shown = now
            keys, waiting = parse_keys(waiting, read())
            for key in keys:
                walk.press(key)


def screen(walk: Walk, width: int, height: int) -> RenderableType:
    """What the terminal shows."""
    t, i = walk.trace, walk.i
    now = frame(t, i)
    left = min(46, max(42, width * 36 // 100))
    layout = Layout()
    layout.split_column(Layout(name="all"), Layout(_transport(walk, width), size=4))
    right = Layout()
    source = _source(t, now.step)
    lines = min(9, max(3, height // 4))
    right.split_column(
        _what_happens(t, now.step, i, width - left if width >= 90 else width, height - 4 - lines), Layout(source, size=lines)
    )
    if width >= 90:
        layout["all"].split_row(Layout(_tape(t, now, height - 4), size=left), right)
    else:
        layout["all"].update(right)
    return layout


def _tape(t: Trace, now: Frame, height: int) -> Panel:
    """The tensors in the order of their creation, around those that the step is about."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    for name, align in (
        ("", "left"),
        ("tensor", "left"),
        ("op", "left"),
        ("shape", "left"),
        ("from", "left"),
        ("grad", "left"),
        ("in", "right"),
    ):
        table.add_column(name, justify=align, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    largest = scales(t)[1]
    first, last = _window([int(id[1:]) for id in (now.step.node, now.step.to) if id], len(t.nodes), max(1, height - 3))
    for node in t.nodes[first:last]:
        table.add_row(*_tape_row(t, now, node, largest), style=_tape_style(now, node))
    return Panel(table, title="tensors, oldest first", border_style="dim")


def _window(wanted: list[int], count: int, room: int) -> tuple[int, int]:
    """A part of the rows that holds the wanted ones, the first of them at least."""
    middle = (min(wanted) + max(wanted)) // 2 if max(wanted) - min(wanted) < room else wanted[0]
    first = max(0, min(middle - room // 2, count - room))
    return first, min(count, first + room)


def _tape_row(t: Trace, now: Frame, node: Node, largest: float) -> list[str]:
    mark = "▶" if node.id == now.step.node else "◀" if node.id == now.step.to else ""
    got = f"{now.got.get(node.id, 0)}/{node.uses}" if node.uses > 1 and node.id in now.gradients else ""
    bar = ""
    if node.id in now.gradients:
        numbers = t.tensors[now.gradients[node.id]]
        size = max(abs(numbers.min or 0), abs(numbers.max or 0))
        bar = BARS[min(8, 1 + int(7.99 * size / largest))] if size and largest else "·"
    sources = ",".join(t.node(x).name for x in node.inputs if x)
    kind = node.op or ("leaf" if node.requires_grad else "input")
    return [mark, node.name, kind, shape_text(node.shape), sources, bar, got]


def _tape_style(now: Frame, node: Node) -> str:
    if node.id == now.step.node:
        return f"bold #000000 on {BACKWARD if now.step.phase == 'backward' else FORWARD}"
    if node.id == now.step.to:
        return BACKWARD
    return "" if node.id in now.values else "dim"


def _what_happens(t: Trace, now: Step, i: int, width: int, height: int) -> Panel:
    colour = FORWARD if now.phase == "forward" else BACKWARD
    title = f"{now.phase} {i + 1}/{len(t.steps)}  {headline(t, now)}"
    pen = Console(width=width - 4, file=io.StringIO())
    for most in (8, 6, 5, 4, 3, 2):  # rows and columns of each tensor: as many as fit
        inside = _in_words_and_numbers(t, now, colour, width - 4, most)
        if len(pen.render_lines(inside)) <= height - 2:
            break
    return Panel(inside, title=Text(title, style=colour), border_style=colour)


def _in_words_and_numbers(t: Trace, now: Step, colour: str, room: int, most: int) -> Group:
    parts: list[RenderableType] = [Text(now.sentence)]
    rule = rule_text(t, now) or formula_text(t, now)
    if rule:
        parts.append(Padding(Text(rule, style=f"bold {colour}"), (1, 2, 0, 2)))
    rows = computation(t, now) if now.kind == "op" else equations(t, now)
    parts += [Padding(_equation(t, row, scales(t), room, most), (1, 0, 0, 0)) for row in rows]
    if cell := worked(t, now):
        parts.append(Padding(Text(cell), (1, 0, 0, 0)))
    return Group(*parts)


def _equation(t: Trace, row: Row, largest: tuple[float, float], room: int, most: int) -> RenderableType:
    """Tensors with signs between them, on as many lines as they need."""
    lines: list[list[Text]] = [[]]
    used = 0
    for sign, ref, caption, gradient in row:
        if ref is None:
            continue
        block = _heatmap(t, ref, largest[gradient], GRADIENT if gradient else VALUE, caption, most)
        piece = [Text(f" {sign} "), block] if sign else [block]
        width = sum(max(cell_len(line) for line in text.plain.split("\n")) for text in piece)
        if lines[-1] and used + width > room:
            lines.append([])
            used = 0
        lines[-1] += piece
        used += width
    tables = []
    for line in lines:
        table = Table.grid()
        table.add_row(*line)
        tables.append(table)
    return Group(*tables)


def _heatmap(t: Trace, ref: int, scale: float, ends: tuple[str, str], caption: str, most: int) -> Text:
    """A tensor's numbers as coloured cells, at most so many rows and columns of them."""
    numbers = t.tensors[ref]
    block = Text(no_wrap=True)
    rows = grid(numbers)
    for row in rows[:most]:
        for number in row[:most]:
            colour = shade(float(number), scale, ends, GROUND)
            block.append(short(number).rjust(CELL - 1) + " ", Style(bgcolor=colour, color=ink(colour)))
        block.append(" …\n" if len(row) > most else "\n")
    if len(rows) > most:
        block.append("…\n")
    block.append(f"{caption}  {shape_text(numbers.shape)}", "italic dim")
    return block


def _source(t: Trace, now: Step) -> Panel:
    """The learner's lines around the expression that made the tensor, with that expression marked."""
    span = t.node(now.node).src
    if span is None or not t.sources[span.source]:
        return Panel(Text(t.node(now.node).expr or "", style="dim"), title="source", border_style="dim")
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, line in t.sources[span.source].items():
        if not span.line - 3 <= number <= span.end_line + 3:
            continue
        text.append(f"{number:4} ", "dim")
        here = span.line <= number <= span.end_line
        shown = Text(line + "\n", style="" if here else "dim")
        if here:
            begin = span.column if number == span.line else len(line) - len(line.lstrip())
            shown.stylize(f"#000000 on {MARK}", begin, span.end_column if number == span.end_line else len(line))
        text.append_text(shown)
    return Panel(text, title=f"{span.source}, line {span.line}", border_style="dim")


def _transport(walk: Walk, width: int) -> Text:
    """A tick for each step (or for several, where there are many), and the keys."""
    steps, i = walk.trace.steps, walk.i
    text = Text(" ", no_wrap=True)
    per_tick = -(-len(steps) // max(1, width - 4))
    for first in range(0, len(steps), per_tick):
        colour = FORWARD if steps[first].phase == "forward" else BACKWARD
        if first <= i < first + per_tick:
            text.append("▮", "bold")
        else:
            text.append("▪" if first < i else "·", colour if first < i else f"dim {colour}")
    text.append("\n\n")
    if walk.typed is not None:
        return text.append(f" go to step: {walk.typed}_   Enter", "bold")
    for key, meaning in (("← →", "step"), ("↑ ↓", "tensor"), ("Home End", "ends"), ("g", "go to"), ("q", "quit")):
        text.append(f" {key}", "bold").append(f" {meaning}  ", "dim")
    return text
