"""step: walk through a backward pass in the terminal, forwards and back.

Left, the tensors in the order in which they were made, with what is known of their gradients; right, the step: what happens, the
rule and its numbers; below it the learner's own line. Each screen is a function of the trace and the step's number alone. Where
nobody can press a key (a pipe, a notebook, CI) the steps are printed as text, one after the other.
"""

from __future__ import annotations

import io
import os
import re
import select
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
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
from .format import Frame, Node, Rule, Step, Trace, frame
from .maths import _RAISED, ALIASES
from .style import GRADIENT, VALUE, grid, ink, on_one_line, scales, shade, shape_text, short
from .trace import trace

FORWARD, BACKWARD, MARK = "#6699ff", "#ff5c8d", "#ffd75f"
GROUND = (44, 44, 54)  # of cells that hold 0
CELL = 7
BARS = " ▁▂▃▄▅▆▇█"


def step(what: Tensor | Trace, gradient: Any = None, *, start: int = 0, console: Console | None = None) -> None:
    """Step through the backward pass of a loss in the terminal; prints the steps as text where there is no terminal.

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
    if not (console.is_terminal and sys.stdin is not None and sys.stdin.isatty()):
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


# -- keys ----------------------------------------------------------------------------------------------------------------
class Walk:
    """Where the learner is, and what each key does."""

    def __init__(self, trace: Trace, i: int = 0) -> None:
        self.trace, self.i, self.over = trace, i, False
        self.typed: str | None = None  # the number typed after g

    def press(self, key: str) -> None:
        if self.typed is not None and key.isdigit():
            self.typed += key
        elif self.typed is not None and key == "backspace":
            self.typed = self.typed[:-1]
        elif self.typed is not None:
            if key == "enter" and self.typed:
                self._go(int(self.typed) - 1)
            self.typed = None
        elif key in ("right", "l", " "):
            self._go(self.i + 1)
        elif key in ("left", "h"):
            self._go(self.i - 1)
        elif key in ("down", "j", "up", "k"):
            self._jump(1 if key in ("down", "j") else -1)
        elif key == "home":
            self._go(0)
        elif key == "end":
            self._go(len(self.trace.steps) - 1)
        elif key == "g":
            self.typed = ""
        elif key in ("q", "escape"):
            self.over = True

    def _go(self, i: int) -> None:
        self.i = min(max(i, 0), len(self.trace.steps) - 1)

    def _jump(self, way: int) -> None:
        """To the next step, that way, which is not a contribution: there another tensor has its turn."""
        i = self.i + way
        while 0 < i < len(self.trace.steps) - 1 and self.trace.steps[i].kind == "contribute":
            i += way
        self._go(i)


_KEYS = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "1~": "home",
    "7~": "home",
    "4~": "end",
    "8~": "end",
}
_SEQUENCE = re.compile(r"\x1b(?:\[|O)([0-9;]*[A-Za-z~])")
_PLAIN = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace", "\x03": "q", "\x04": "q"}


def parse_keys(waiting: str, new: str) -> tuple[list[str], str]:
    """The keys in what the terminal sent, and the beginning of one that has not arrived as a whole. A burst of arrows is many keys.

    >>> parse_keys("", "\\x1b[C\\x1b[Cq\\x1b[")
    (['right', 'right', 'q'], '\\x1b[')
    """
    text, keys = waiting + new, []
    if waiting == "\x1b" and not new:  # nothing followed: the Escape key itself
        return ["escape"], ""
    while text:
        found = _SEQUENCE.match(text)
        if found:
            keys.append(_KEYS.get(found[1], ""))
            text = text[found.end() :]
        elif text[0] == "\x1b" and len(text) < 3:
            return keys, text
        else:
            keys.append(_PLAIN.get(text[0], text[0]))
            text = text[1:]
    return keys, ""


@contextmanager
def keyboard() -> Iterator[Any]:
    """A function that waits a moment for keys and returns what came, "" if nothing did; keys are not echoed meanwhile."""
    if os.name == "nt":
        yield _read_windows
        return
    import termios
    import tty

    place = sys.stdin.fileno()
    before = termios.tcgetattr(place)

    def read() -> str:
        try:
            if not select.select([place], [], [], 0.2)[0]:
                return ""
            return os.read(place, 4096).decode(errors="ignore") or "q"  # nothing more will come
        except KeyboardInterrupt:
            return "q"

    try:
        tty.setcbreak(place)
        yield read
    finally:
        termios.tcsetattr(place, termios.TCSADRAIN, before)


def _read_windows() -> str:
    import msvcrt
    import time

    windows: Any = msvcrt
    if not windows.kbhit():
        time.sleep(0.05)
        return ""
    key = windows.getwch()
    if key not in ("\x00", "\xe0"):
        return key
    return "\x1b[" + {"H": "A", "P": "B", "M": "C", "K": "D", "G": "H", "O": "F"}.get(windows.getwch(), "Z")


# -- what a step says ----------------------------------------------------------------------------------------------------
def headline(trace: Trace, step: Step) -> str:
    """A step in a few words: `mul sends to x, part 1 of 2`."""
    node = trace.node(step.node)
    if step.kind == "op":
        return node.expr or node.name if node.name in (node.id, node.expr) else f"{node.name} = {node.expr}"
    if step.kind == "seed":
        return f"start at {node.name}"
    if step.kind == "visit":
        return f"the gradient of {node.name} is complete"
    if step.kind == "done":
        return "done"
    part = f", part {step.got} of {step.uses}" if (step.uses or 0) > 1 else ""
    return f"{node.op} sends to {trace.node(step.to or '').name}{part}"


def slope(trace: Trace, name: str) -> str:
    """`∂loss/∂w`."""
    return f"∂{trace.node(trace.loss).name}/∂{name}"


def rule_text(trace: Trace, step: Step) -> str | None:
    """The rule of a contribution with the learner's names in it: `∂L/∂x += ∂L/∂z·y`."""
    if step.kind != "contribute" or step.slot is None or step.rule is None:
        return None
    node, rule = trace.node(step.node), trace.rules[step.rule]
    if len(rule.inputs) != len(node.inputs) or rule.inputs[step.slot] not in rule.derivatives:
        return None
    text = _with_names(trace, node, rule, rule.derivatives[rule.inputs[step.slot]])
    over = f"Σ axis {', '.join(map(str, step.reduced_axes))} of " if step.reduced_axes else ""
    return f"{slope(trace, trace.node(step.to or '').name)} += {over}{text}"


def formula_text(trace: Trace, step: Step) -> str | None:
    """The formula of an operation with the learner's names in it: `z = w·x`."""
    node, rule = trace.node(step.node), trace.rules.get(step.rule or "")
    if step.kind != "op" or rule is None or len(rule.inputs) != len(node.inputs):
        return None
    return _with_names(trace, node, rule, rule.formula.partition("; ")[0])


def _with_names(trace: Trace, node: Node, rule: Rule, text: str) -> str:
    names = {"g": slope(trace, node.name), "z": node.name}
    for parameter, x in zip(rule.inputs, node.inputs, strict=True):
        name = trace.node(x).name if x else _in_brackets(node.attrs.get(parameter, parameter))
        names |= {parameter: name, f"∂{parameter}": slope(trace, name)}
    names |= {letter: names[meant] for letter, meant in ALIASES.get(rule.op, {}).items() if meant}
    text = re.sub(f"[{''.join(_RAISED)}]+", lambda found: _raised(found[0], names), text)
    text = re.sub(r"∂?[A-Za-z_]\w*?(?=[^A-Za-z_0-9]|$)", lambda found: names.get(found[0], found[0]), text)
    return re.sub(r" \([^()]* where (\S+) = (\S+)( and [^()]*)?\)", _remark, text)


def _in_brackets(value: Any) -> str:
    """A number as a factor or a term: `2`, `(−2)`."""
    text = short(value) if isinstance(value, int | float) else str(value)
    return f"({text})" if text.startswith("−") else text


def _raised(power: str, names: Mapping[str, str]) -> str:
    """A power in which an input stands, so that its name can be put there: `ⁿ⁻¹` as `^(n-1)`."""
    plain = "".join(_RAISED[letter] for letter in power)
    if not any(letter in names for letter in plain):
        return power
    return f"^({plain})" if len(plain) > 1 else f"^{plain}"


def _remark(found: re.Match) -> str:
    """` (0 where n = 0)` is left out where n is another number."""
    return found[0] if found[1] == found[2] or not re.fullmatch(r"\(?−?[\d.]+\)?", found[1]) else ""


Row = list[tuple[str, int | None, str]]  # (sign in front, ref of a tensor, caption)
INFIX = {"add": "+", "sub": "−", "mul": "·", "div": "/", "matmul": "@"}


def computation(trace: Trace, step: Step) -> list[Row]:
    """An operation in numbers: its inputs, and what it makes of them."""
    node = trace.node(step.node)
    inputs = [trace.node(x) for x in node.inputs if x]
    sign = INFIX.get(node.op or "") if len(inputs) == len(node.inputs) == 2 else None
    row: Row = [(sign or "," if k else "", x.value, x.name) for k, x in enumerate(inputs)]
    return [[*row, ("=" if sign else f"{node.op} →", node.value, node.name)]]


def equations(trace: Trace, step: Step) -> list[Row]:
    """The step in numbers: lines of tensors with signs between them."""
    node = trace.node(step.node)
    if step.kind == "op":
        return [[("", node.value, node.name)]]
    if step.kind == "seed":
        return [[("", step.after, slope(trace, node.name))]]
    if step.kind == "done":
        return [[("", ref, slope(trace, trace.node(id).name))] for id, ref in (step.gradients or {}).items()]
    if step.kind == "visit":
        parts = step.parts or []
        row: Row = []
        if len(parts) > 1:
            for part in parts:
                row.append(("+" if row else "", part.tensor, f"from {trace.node(trace.edge(part.edge).dst).name}"))
        return [[*row, ("=" if row else "", step.after, slope(trace, node.name))]]
    to = trace.node(step.to or "")
    row = []
    weighted = step.equation is not None and step.equation.kind == "weighted"  # its derivatives fill no line; `worked` has some
    if step.equation is not None:
        sign = {"times": "·", "matmul": "@"}.get(step.equation.kind, "")
        for term in step.equation.terms[: 1 if weighted else 2]:
            name = {"gradient": slope(trace, node.name), "value": trace.node(term.node).name if term.node else ""}
            caption = name.get(term.role, "local derivative") + (" transposed" if term.transposed else "")
            row.append((sign if row else "", term.tensor, caption))
        if step.equation.kind == "sum":
            row[0] = ("Σ", *row[0][1:])
    becomes = "" if not row else "· derivatives, Σ →" if weighted else "="
    rows: list[Row] = [[*row, (becomes, step.raw, "contribution")]]
    if step.reduced_axes:
        rows[0].append((f"Σ axis {', '.join(map(str, step.reduced_axes))} →", step.reduced, f"fits {to.name}"))
    if step.before is not None:
        rows.append([("", step.before, "so far"), ("+", step.reduced, "contribution"), ("=", step.after, slope(trace, to.name))])
    return rows


def worked(trace: Trace, step: Step) -> str | None:
    """The largest number of a result that is made of several, and how: `contribution[0, 1] = 0.5·2 + (−3) = −2`."""
    if step.equation is None or step.equation.kind not in ("weighted", "largest", "smallest"):
        return None
    node = trace.node(step.node)
    result = node.value if step.raw is None else step.raw
    refs = (*(term.tensor for term in step.equation.terms[:2]), result)
    numbers, factors, results = ([float(v) for v in trace.tensors[ref].data or []] for ref in refs)
    at = max(range(len(results)), key=lambda k: abs(results[k]))
    pairs = [(x, d) for x, d in zip(numbers, factors[at * len(numbers) :], strict=False) if d]
    if step.equation.kind == "weighted":
        terms = [_in_brackets(x) + ("" if d == 1 else f"·{_in_brackets(d)}") for x, d in pairs]
        rest = results[at] - sum(x * d for x, d in pairs)  # a bias
        if step.raw is None and abs(rest) > 1e-5 * max(abs(results[at]), *map(abs, numbers)):
            terms.append(_in_brackets(rest))
        made = " + ".join(_several(terms))
    else:
        made = f"{'max' if step.equation.kind == 'largest' else 'min'}({', '.join(_several([short(x) for x, _ in pairs]))})"
    place = ", ".join(map(str, np.unravel_index(at, trace.tensors[result].shape)))
    name = node.name if step.raw is None else "contribution"
    return f"{name}{f'[{place}]' if place else ''} = {made} = {short(results[at])}"


def _several(terms: list[str]) -> list[str]:
    return terms if len(terms) <= 8 else [*terms[:6], "…", terms[-1]]


# -- plain text ----------------------------------------------------------------------------------------------------------
def as_text(trace: Trace, i: int) -> str:
    """One step as a few lines of text."""
    now = trace.steps[i]
    where = f"{i + 1}/{len(trace.steps)}" + (f" {now.phase}:" if now.phase != "done" else "")
    lines = [f"{where} {headline(trace, now)}"]
    rule = rule_text(trace, now)
    if rule:
        lines.append(f"  {rule}")
    for row in equations(trace, now):
        named = len(row) == 1
        parts = [f"{sign} {on_one_line(trace.tensors[ref])}".strip() for sign, ref, _ in row if ref is not None]
        lines.append("  " + (f"{row[0][2]} = " if named else "") + " ".join(parts))
    if cell := worked(trace, now):
        lines.append(f"  {cell}")
    return "\n".join(lines)


# -- the screen ----------------------------------------------------------------------------------------------------------
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
    for most in (8, 4, 2):  # rows and columns of each tensor: as many as fit
        inside = _in_words_and_numbers(t, now, colour, width - 4, most)
        if len(pen.render_lines(inside)) <= height - 2:
            break
    return Panel(inside, title=Text(title, style=colour), border_style=colour)


def _in_words_and_numbers(t: Trace, now: Step, colour: str, room: int, most: int) -> Group:
    parts: list[RenderableType] = [Text(now.sentence)]
    rule = rule_text(t, now) or formula_text(t, now)
    if rule:
        parts.append(Padding(Text(rule, style=f"bold {colour}"), (1, 2, 0, 2)))
    largest, forward = scales(t), now.kind == "op"
    rows = computation(t, now) if forward else equations(t, now)
    parts += [Padding(_equation(t, row, largest, forward, room, most), (1, 0, 0, 0)) for row in rows]
    if cell := worked(t, now):
        parts.append(Padding(Text(cell), (1, 0, 0, 0)))
    return Group(*parts)


def _equation(t: Trace, row: Row, largest: tuple[float, float], value: bool, room: int, most: int) -> RenderableType:
    """Tensors with signs between them, on as many lines as they need."""
    lines: list[list[Text]] = [[]]
    used = 0
    for sign, ref, caption in row:
        if ref is None:
            continue
        is_value = value or not caption.startswith(("∂", "contribution", "so far", "fits", "from"))
        block = _heatmap(t, ref, largest[0] if is_value else largest[1], VALUE if is_value else GRADIENT, caption, most)
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
