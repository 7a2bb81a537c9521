"""Where everything stands in the picture of a graph: cards, groups and lines, by Graphviz, else by a simple layered layout.

A graph of many tensors is not drawn whole. It is cut into views: modules are folded into one card each, and every folded module
has a view of its own, so a click on the card opens it. Nothing here knows numbers or steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from ..errors import GraphError, check_whole
from .folding import card_of, depth_that_fits, nodes_in
from .format import Trace
from .graphviz import GraphvizError, render

WIDTH, HEIGHT = 140, 102  # of a card, in pixels
READABLE = 150  # so many cards are drawn whole; of more, modules are folded
MAX_NODES = 2000
PASSED = 5000  # columns that lines go past: with more, as of weights used at a hundred steps in time, Graphviz takes minutes


@dataclass(frozen=True)
class Box:
    """A rectangle: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """What flows from one card to another: the edges that it stands for, and its path in SVG's notation."""

    src: str
    dst: str
    edges: list[str]
    path: str


@dataclass
class View:
    """One picture: the whole graph, or the inside of a folded group.

    path: the group that it shows; empty for the whole.
    cards: id of a node or path of a folded group: where its card stands.
    folded: the nodes inside each folded group.
    beside: cards of tensors outside the group, with which it is connected.
    groups: where the groups stand that are drawn as frames.
    inside: the cards that stand directly in each of these.
    """

    path: str
    cards: dict[str, Box] = field(default_factory=dict)
    folded: dict[str, list[str]] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)
    groups: dict[str, Box] = field(default_factory=dict)
    inside: dict[str, list[str]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    width: float = 0
    height: float = 0


def views(trace: Trace, depth: int | None = None, max_nodes: int = MAX_NODES) -> list[View]:
    """The pictures of a trace, the whole graph first.

    Args:
        depth: how many levels of modules are drawn open in the first view; default: as many as stay readable.
        max_nodes: how many cards one view may have.

    Raises:
        GraphError: a view would have more cards.
    """
    return views_of([trace], depth, max_nodes)[0]


def views_of(traces: Iterable[Trace], depth: int | None = None, max_nodes: int = MAX_NODES) -> list[list[View]]:
    """The pictures of each of these traces: faster than one trace after the other."""
    traces = list(traces)
    if depth is not None:
        check_whole("depth, the levels of modules to open,", depth, 0)
    found = [_without_places(trace, depth, max_nodes) for trace in traces]
    _place([(view, trace) for trace, views in zip(traces, found, strict=True) for view in views])
    return found


def _without_places(trace: Trace, depth: int | None, max_nodes: int) -> list[View]:
    """What is in the pictures of a trace."""
    found, waiting = [], [("", depth)]
    while waiting:
        path, levels = waiting.pop(0)
        view = _view(trace, path, (depth_that_fits(trace, READABLE, path) or 0) if levels is None else levels)
        if len(view.cards) > max_nodes:
            where = f"the group {path!r}" if path else "this graph"
            fold = "Fold modules with a smaller depth= (depth=0 folds all), make" if levels and trace.modules else "Make"
            raise GraphError(
                f"the picture of {where} would show {len(view.cards)} cards, and max_nodes is {max_nodes}. {fold} groups with "
                "`with group(name):` around parts of the computation, draw a smaller input, or raise max_nodes=."
            )
        found.append(view)
        waiting += [(inner, None) for inner in view.folded]
    return found


def _view(trace: Trace, path: str, levels: int) -> View:
    """What is in the picture of a group (or of all) with so many levels open."""
    view = View(path)
    nowhere = Box(0, 0, WIDTH, HEIGHT)
    around: dict[str, str | None] = {}  # the group that a card stands in
    cards: dict[str, str] = {}  # by node
    for node in nodes_in(trace, path):
        card = cards[node.id] = card_of(trace, node, levels, path)
        view.cards[card] = nowhere
        around[card] = node.module if card == node.id else trace.parents[card]
        if card != node.id:
            view.folded.setdefault(card, []).append(node.id)
        for group in reversed(trace.groups_around(around[card])):
            if group == path:
                break
            view.groups[group] = nowhere
    between: dict[tuple[str, str], list[str]] = {}
    for edge in trace.edges:
        if edge.src not in cards and edge.dst not in cards:
            continue
        ends = cards.get(edge.src, edge.src), cards.get(edge.dst, edge.dst)
        for end in ends:
            if end not in view.cards:
                view.cards[end] = nowhere
                view.beside.append(end)
        if ends[0] != ends[1]:
            between.setdefault(ends, []).append(edge.id)
    for (src, dst), edges in between.items():
        one_each = src not in view.folded and dst not in view.folded  # y*y: two lines
        bundles = [[edge] for edge in edges] if one_each else [edges]
        view.lines += [Line(src, dst, bundle, "") for bundle in bundles]
    for card, parent in around.items():
        if parent in view.groups:
            view.inside.setdefault(parent, []).append(card)
    return view


def _place(views: list[tuple[View, Trace]]) -> None:
    """Give everything in these views its place."""
    by_layers = [(view, trace) for view, trace in views if _passed(view) > PASSED]
    try:
        _by_graphviz([(view, trace) for view, trace in views if _passed(view) <= PASSED])
    except GraphvizError:
        by_layers = views
    for view, trace in by_layers:
        _by_layers(view, trace)


def _passed(view: View) -> int:
    """Past how many columns the lines go, all in all."""
    column = _columns(view)
    return sum(abs(column[line.dst] - column[line.src]) for line in view.lines)


# -- by Graphviz -----------------------------------------------------------------------------------------------------
def _by_graphviz(views: list[tuple[View, Trace]]) -> None:
    """All of them at once: most of the time for a picture goes into starting the program."""
    if not views:
        return
    answers = render("\n".join(line for view, trace in views for line in _dot(view, trace)), "json0").decode()
    end = 0
    for view, _ in views:
        answer, end = json.JSONDecoder().raw_decode(answers, answers.index("{", end))
        _take_places(view, answer)


def _take_places(view: View, answer: dict[str, Any]) -> None:
    cards, groups = list(view.cards), list(view.groups)
    left, bottom, right, top = map(float, answer["bb"].split(","))
    view.width, view.height = ceil(right - left), ceil(top - bottom)  # Graphviz writes five digits
    for thing in answer.get("objects", []):
        name = thing["name"]
        if name.startswith("cluster"):
            x0, y0, x1, y1 = map(float, thing["bb"].split(","))
            view.groups[groups[int(name[7:])]] = Box(x0 - left, top - y1, x1 - x0, y1 - y0)
        else:
            x, y = map(float, thing["pos"].split(","))
            view.cards[cards[int(name)]] = Box(x - left - WIDTH / 2, top - y - HEIGHT / 2, WIDTH, HEIGHT)
    paths = {int(edge["id"]): _spline(edge["pos"], left, top) for edge in answer.get("edges", [])}
    view.lines = [Line(line.src, line.dst, line.edges, paths[i]) for i, line in enumerate(view.lines)]


def _dot(view: View, trace: Trace) -> Iterator[str]:
    """The view in Graphviz's language: numbers for names, and sizes in inches (72 pixels)."""
    number, groups = {card: i for i, card in enumerate(view.cards)}, list(view.groups)
    yield "digraph { rankdir=LR; nodesep=0.22; ranksep=0.45; outputorder=edgesfirst;"
    yield f'node [shape=box, fixedsize=true, width={WIDTH / 72:.3f}, height={HEIGHT / 72:.3f}, label=""]; edge [arrowsize=0.6];'

    def group(path: str) -> Iterator[str]:
        # the label is never shown, but makes room for the group's name
        yield f'subgraph cluster{groups.index(path)} {{ label="name"; fontsize=12; margin=12;'
        yield from (f"{number[card]};" for card in view.inside.get(path, ()))
        for inner in groups:
            if trace.parents[inner] == path:
                yield from group(inner)
        yield "}"

    for path in groups:
        if trace.parents[path] not in view.groups:
            yield from group(path)
    yield from (f"{i};" for i in number.values())
    yield from (f"{number[line.src]} -> {number[line.dst]} [id={i}];" for i, line in enumerate(view.lines))
    yield "}"


def _spline(position: str, left: float, top: float) -> str:
    """Graphviz's `e,x,y x,y x,y ...` (the tip of the arrow, then Bézier points) as SVG's `M ... C ... L`."""
    points = []
    tip = None
    for word in position.split():
        x, y = map(float, word.removeprefix("e,").split(","))
        point = f"{x - left:.1f} {top - y:.1f}"
        if word.startswith("e,"):
            tip = point
        else:
            points.append(point)
    curve = f"M{points[0]}C{' '.join(points[1:])}"
    return f"{curve}L{tip}" if tip else curve


# -- without Graphviz ------------------------------------------------------------------------------------------------
def _by_layers(view: View, trace: Trace) -> None:
    """Columns by distance from the inputs; in a column, each card near those that it is joined to."""
    column = _columns(view)
    targets: dict[str, list[str]] = {card: [] for card in view.cards}
    for line in view.lines:
        targets[line.src].append(line.dst)
    columns: list[list[str]] = [[] for _ in range(max(column.values(), default=0) + 1)]
    for card in view.cards:
        columns[column[card]].append(card)
    row: dict[str, float] = {}
    for cards in reversed(columns):
        wish = {card: _mean(row[x] for x in targets[card] if x in row) for card in cards}
        for i, card in enumerate(sorted(cards, key=wish.__getitem__)):
            row[card] = i - (len(cards) - 1) / 2
    first = min(row.values(), default=0)
    for i, cards in enumerate(columns):
        for card in cards:
            view.cards[card] = Box(20 + i * (WIDTH + 50), 30 + (row[card] - first) * (HEIGHT + 30), WIDTH, HEIGHT)
    _frame_groups(view, trace)
    view.lines = [Line(line.src, line.dst, line.edges, path) for line, path in zip(view.lines, _curves(view), strict=True)]
    boxes = list(view.cards.values())
    view.width = max((box.x + box.width for box in boxes), default=0) + 20
    view.height = max((box.y + box.height for box in boxes), default=0) + 20


def _columns(view: View) -> dict[str, int]:
    """In which column each card stands."""
    sources: dict[str, list[str]] = {card: [] for card in view.cards}
    targets: dict[str, list[str]] = {card: [] for card in view.cards}
    for line in view.lines:
        sources[line.dst].append(line.src)
        targets[line.src].append(line.dst)
    column: dict[str, int] = {}
    for card in _sources_first(sources):
        column[card] = max((column[x] + 1 for x in sources[card] if x in column), default=0)
    for card, to in targets.items():
        if not sources[card] and to:  # leaves stand right before their first use
            column[card] = max(0, min(column[x] for x in to) - 1)
    return column


def _sources_first(sources: dict[str, list[str]]) -> list[str]:
    """Each card behind those that flow into it; folded groups may feed each other, and such a circle is cut somewhere."""
    found: dict[str, None] = {}
    for start in sources:
        stack = [(start, iter(sources[start]))]
        entered = {start}
        while stack:
            card, rest = stack[-1]
            x = next((x for x in rest if x not in found and x not in entered), None)
            if x is None:
                found[card] = None
                stack.pop()
            else:
                entered.add(x)
                stack.append((x, iter(sources[x])))
    return list(found)


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def _frame_groups(view: View, trace: Trace) -> None:
    """A frame around the cards of each group; none where a card of something else would stand in it."""
    for path in list(view.groups):
        inner = {group for group in view.groups if path in trace.groups_around(group)}
        members = {card for group in inner for card in view.inside.get(group, ())}
        boxes = [view.cards[card] for card in members]
        x0, y0 = min(box.x for box in boxes) - 8, min(box.y for box in boxes) - 22
        x1, y1 = max(box.x + WIDTH for box in boxes) + 8, max(box.y + HEIGHT for box in boxes) + 8
        others = (box for card, box in view.cards.items() if card not in members)
        if any(box.x < x1 and box.x + WIDTH > x0 and box.y < y1 and box.y + HEIGHT > y0 for box in others):
            del view.groups[path]
        else:
            view.groups[path] = Box(x0, y0, x1 - x0, y1 - y0)


def _curves(view: View) -> Iterator[str]:
    """A curve for each line; several between the same two cards lie beside each other."""
    number: dict[tuple[str, str], int] = {}
    for line in view.lines:
        ends = line.src, line.dst
        number[ends] = number.get(ends, -1) + 1
        a, b = view.cards[line.src], view.cards[line.dst]
        x0, y0, x1 = a.x + a.width, a.y + a.height / 2 + 14 * number[ends], b.x - 2
        y1 = b.y + b.height / 2 + 14 * number[ends]
        bend = max(25, (x1 - x0) / 2)
        yield f"M{x0:.1f} {y0:.1f}C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
