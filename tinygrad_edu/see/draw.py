"""draw: the graph of a computation as a picture.

Each tensor is a card: its name and the operation that made it, its values (orange below 0, blue above) and, where there is a
backward pass, its gradient (purple below 0, green above), its shape and its source. Every use is an arrow, so x*x has two;
gradients flow back along the red ones, the grey ones come from what needs no gradient. Modules are frames around what they
compute; `depth=` folds them into one box each.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphviz import Digraph

from ..autograd.engine import topological_order
from ..callsite import call_site
from ..errors import check_whole
from ..nn.module import Module, keeping_mode
from ..nn.summary import inputs_for
from ..tensor import Tensor
from ..trees import tensors
from .folding import card_of, cards, depth_that_fits, nodes_in
from .format import Node, Trace, frame
from .graphviz import GraphvizError, render
from .groups import Group
from .style import GRADIENT, VALUE, grid, ink, parted, scales, shade, shape_text, short
from .trace import trace

CELL = 675  # points: the width of a notebook's cell
SMALLEST = 0.6  # how much smaller a picture may be made
FORMATS = ("svg", "png", "pdf", "dot")
PRINTED = 24  # up to this many numbers of a tensor, and 10 in a row, are printed; more are colours only
EXPRESSION = 28  # characters of source on a card
FONT = "Helvetica,Arial,sans-serif"
DARK, GREY, PALE = "#1c1c28", "#6b6b80", "#c9c9d6"
WRONG = "#c92a2a"
FLOW, PLAIN = "#c2255c", "#8a93a8"  # arrows along which gradients flow back, and others


class DrawingError(ValueError):
    """A graph that is too large to be drawn, or a picture that cannot be written so."""


def draw(
    what: Tensor | Trace | Module,
    input_shape: Any = None,
    *,
    input_data: Any = None,
    dtypes: Any = None,
    values: bool = True,
    gradients: bool | None = None,
    depth: int | None = None,
    max_nodes: int = 150,
    direction: str = "LR",
) -> Drawing:
    """The graph of a computation as a picture: it shows itself in a notebook, and `save` writes it to a file.

    Args:
        what: a loss, or any tensor that was computed; a trace; or a model, together with `input_shape` or `input_data`.
        input_shape, input_data, dtypes: for a model, as in `nn.summary`: with a shape it runs on zeros, in evaluation mode, and
            only shapes are drawn.
        values: whether to draw the numbers.
        gradients: whether to draw gradients (default: where backward can start without being told a gradient).
        depth: how many levels of modules to open: 0 folds each model into one box, 1 shows its parts as boxes ... (default: as
            many as fit into max_nodes).
        max_nodes: how many cards and boxes a picture may have.
        direction: "LR" (left to right), "TB" (downwards), "RL" or "BT".

    Raises:
        DrawingError: the graph is too large, or an argument is none of these.
        GraphError: what is drawn does not require grad.

    >>> from tinygrad_edu import tensor, draw
    >>> x = tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> draw(y)
    <drawing of x * x: 2 cards, 2 arrows>
    """
    if direction not in ("LR", "TB", "RL", "BT"):
        raise DrawingError(f'direction must be "LR", "TB", "RL" or "BT", not {direction!r}.')
    if isinstance(input_shape, str | Path):
        raise DrawingError(f"draw(...) makes a picture, and save writes it: draw(...).save({str(input_shape)!r}).")
    if not isinstance(what, Module) and (input_shape is not None or input_data is not None):
        raise DrawingError("draw: an input belongs to a model. A tensor has been computed, with the shapes that it has.")
    if isinstance(what, Module):
        title = type(what).__name__
        values = values and input_data is not None
        what = _output(what, inputs_for(what, input_shape, input_data, dtypes, None))
        traced = trace(what, title=title, backward=bool(gradients))
    elif isinstance(what, Trace):
        traced = what
    else:
        one = isinstance(what, Tensor) and what.array.size == 1
        traced = trace(what, backward=one if gradients is None else gradients)
    return Drawing(traced, chosen_depth(traced, depth, max_nodes), values, gradients is not False, direction)


def _output(model: Module, inputs: tuple | None) -> Tensor:
    """What the model makes of these inputs, in evaluation mode."""
    if inputs is None:
        name = type(model).__name__
        raise DrawingError(f"draw({name}) needs the shape of an input, as draw(model, (1, 4)), or draw(model, input_data=x).")
    here = call_site()
    with keeping_mode(model):
        model.eval()
        found = next(tensors(model(*inputs)), None)
    if found is None:
        raise DrawingError(f"draw: there is no tensor in what {type(model).__name__} returns.")
    for node in topological_order([found], to_look_at=True):
        if node.made_at == here:  # by this package's own modules: what the learner wrote there is draw(model, ...)
            node.made_at = None
    return found


def chosen_depth(trace: Trace, depth: int | None, max_nodes: int) -> int:
    """How many levels of modules to open: as many as asked for, or as fit; DrawingError if that is too much for a picture."""
    if depth is not None:
        check_whole("depth, the levels of modules to open,", depth, 0)
    chosen = (depth_that_fits(trace, max_nodes) or 0) if depth is None else depth
    count = len(cards(trace, chosen))
    if count <= max_nodes:
        return chosen
    folded = f"with depth={depth}" if depth else "with every module folded" if trace.modules else "without modules to fold"
    smaller = "a smaller depth=, " if depth else "" if trace.modules else "`with see.group(name):` around its parts, "
    raise DrawingError(
        f"this graph has {len(trace.nodes)} tensors, {count} cards {folded}, and a picture shows at most {max_nodes}. "
        f"Use {smaller}fewer steps or samples, or draw a part of it; max_nodes={count} draws it all the same, slowly."
    )


class Drawing:
    """A picture of a graph. `dot` is its text for Graphviz; `save(path)` writes svg, png, pdf or dot, by the path's ending."""

    def __init__(
        self, trace: Trace, depth: int, values: bool, gradients: bool, direction: str, marks: Mapping[str, str] | None = None
    ) -> None:
        self.trace = trace
        self._marks = marks or {}  # what is wrong with a node, by its id
        self._values, self._gradients = values, gradients
        self._scales = scales(trace)
        self._frame = frame(trace, len(trace.steps) - 1) if trace.steps else None
        self._shown = {node.id: card_of(trace, node, depth) for node in trace.nodes}
        self._ids = {shown: f"n{i}" for i, shown in enumerate(dict.fromkeys(self._shown.values()))}
        self._graph = Digraph(
            "graph",
            graph_attr={
                "rankdir": direction,
                "bgcolor": "transparent",
                "fontname": FONT,
                "fontcolor": "#85859a",  # to be read on white and on a notebook's dark background
                "nodesep": "0.25",
                "ranksep": "0.4",
                "tooltip": trace.title,
            },
            node_attr={"fontname": FONT, "fontsize": "10", "shape": "box", "style": "rounded,filled", "margin": "0.1,0.04"},
            edge_attr={"arrowsize": "0.6", "fontname": FONT, "fontsize": "9", "fontcolor": GREY},
        )
        self._arrows = 0
        self._add_group(self._graph, None)
        self._add_arrows()
        if values:
            self._graph.attr(label=f"<{self._legend()}>", fontsize="9")

    @property
    def dot(self) -> str:
        return self._graph.source

    def svg(self) -> str:
        """The picture as SVG text."""
        text = render(self.dot, "svg").decode()
        return text[text.index("<svg") :]

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file: `graph.svg`, `graph.png`, `graph.pdf` (needs an installed Graphviz) or `graph.dot`."""
        path = Path(path)
        kind = path.suffix[1:].lower()
        if kind not in FORMATS:
            raise DrawingError(
                f"save writes {', '.join('.' + f for f in FORMATS)}, by the path's ending; {path.name!r} has none of these."
            )
        path.write_bytes(self.dot.encode() if kind == "dot" else render(self.dot, kind))
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: the picture with tooltips, and, for one that is not trusted and so shows no SVG, pixels.

        JupyterLab makes wide pixels fit into a cell, but cuts off a wide SVG: so it is made smaller here, as long as it can be read.
        """
        try:
            svg = self.svg()
            size = re.search(r'width="([\d.]+)pt"\s+height="([\d.]+)pt"', svg)
            assert size is not None
            width, height = map(float, size.groups())
            scale = min(1, max(SMALLEST, CELL / width))
            svg = svg.replace(size[0], f'width="{width * scale:g}pt" height="{height * scale:g}pt"', 1)
            pixels = base64.b64encode(render(self.dot, "png", dpi=96)).decode()
            return {"image/svg+xml": svg, "image/png": pixels, "text/plain": repr(self)}
        except GraphvizError as error:
            return {"text/plain": f"{error}\n\n{self.dot}"}

    def __repr__(self) -> str:
        return f"<drawing of {self.trace.title}: {len(self._ids)} cards, {self._arrows} arrows>"

    # -- parts -----------------------------------------------------------------------------------------------------
    def _legend(self) -> str:
        """What the colours of the numbers mean."""
        kinds = {"value": VALUE, "gradient": GRADIENT} if self._frame is not None and self._frame.gradients else {"value": VALUE}
        space = "&#160;"
        return (4 * space).join(
            f'{kind}{space}<FONT COLOR="{below}">■</FONT>{space}below 0{2 * space}<FONT COLOR="{above}">■</FONT>{space}above'
            for kind, (below, above) in kinds.items()
        )

    def _add_group(self, graph: Digraph, path: str | None) -> None:
        """The cards directly in a group, and the groups inside it."""
        for node in self.trace.nodes:
            if node.module == path and self._shown[node.id] == node.id:
                self._add_card(graph, node)
        for group in self.trace.modules:
            if group.parent != path:
                continue
            inside = nodes_in(self.trace, group.path)
            if group.path in self._ids:
                self._add_box(graph, group, inside)
            elif len(inside) == 1:  # a frame around one card would say nothing
                self._add_group(graph, group.path)
            elif inside:
                look = {
                    "label": group.path if group.kind in ("group", group.path) else f"{group.path} · {group.kind}",
                    "style": "rounded,filled",
                    "color": PALE,
                    "fillcolor": "#80808012",
                }
                with graph.subgraph(
                    name=f"cluster {group.path}", graph_attr={**look, "fontsize": "10", "labeljust": "l"}
                ) as frame:
                    self._add_group(frame, group.path)

    def _add_card(self, graph: Digraph, node: Node) -> None:
        kind = "leaf" if node.requires_grad else "input"
        source = node.expr or ""
        about = f"{shape_text(node.shape)}  {source if len(source) <= EXPRESSION else source[:EXPRESSION] + '…'}".rstrip()
        rows = [[_cell(f"<B>{_name(node.name)}</B>"), _cell(_small(node.symbol or kind), align="RIGHT")]]
        rows += self._numbers(node)
        rows.append([_cell(_small(about), columns=2, width=4 * len(about))])
        wrong = self._marks.get(node.id)
        rows += [[_cell(f'<FONT COLOR="{WRONG}"><B>✗ {html.escape(wrong)}</B></FONT>', columns=2)]] if wrong else []
        graph.node(
            self._ids[node.id],
            f"<{_html_table(rows, border=0, spacing=0, padding=2)}>",
            fillcolor="#fff0f0" if wrong else "#ffffff" if node.requires_grad else "#f4f4f8",
            fontcolor=DARK,
            color=WRONG if wrong else FLOW if node.id == self.trace.loss else GREY if node.requires_grad else PALE,
            penwidth="2" if wrong or node.id == self.trace.loss else "1",
            tooltip=_tooltip(node),
        )

    def _numbers(self, node: Node) -> list[list[str]]:
        """The rows of a card with its values and its gradient: side by side, or below each other where they are wide."""
        if not self._values:
            return []
        tables = [self._table(node.value, self._scales[0], VALUE)]
        if self._frame is not None and node.id in self._frame.gradients:
            tables.append(self._table(self._frame.gradients[node.id], self._scales[1], GRADIENT))
        wide = bool(node.shape) and node.shape[-1] > 4
        return [[_cell(table, columns=2)] for table in tables] if wide else [[_cell(table) for table in tables]]

    def _table(self, ref: int, scale: float, ends: tuple[str, str]) -> str:
        """A tensor's numbers as coloured cells."""
        numbers = self.trace.tensors[ref]
        rows = grid(numbers)
        if not rows:
            return _small("empty")
        printed = numbers.data is not None and len(numbers.data) <= PRINTED and len(rows[0]) <= 10
        width, height = (27, 12) if printed else (8, 8)
        lines: list[list[str]] = []
        matrix = numbers.shape[-2] if len(numbers.shape) > 2 and numbers.data is not None else len(rows)
        for i, row in enumerate(rows):
            if i and i % matrix == 0:  # a gap between the matrices of a tensor of more than two dims
                lines.append(['<TD HEIGHT="3"></TD>'])
            lines.append([])
            for number in row:
                colour = shade(float(number), scale, ends)
                text = f'<FONT POINT-SIZE="7" COLOR="{ink(colour)}">{short(number)}</FONT>' if printed else ""
                lines[-1].append(f'<TD BGCOLOR="{colour}" WIDTH="{width}" HEIGHT="{height}" FIXEDSIZE="TRUE">{text}</TD>')
        return _html_table(lines, border=1, spacing=1, padding=0)

    def _add_box(self, graph: Digraph, group: Group, inside: list[Node]) -> None:
        trained = sum(math.prod(node.shape) for node in inside if node.op is None and node.requires_grad)
        operations = Counter(node.op is None for node in inside)[False]
        about = [f"{operations} operation{'s' * (operations != 1)}"] if operations else []
        about += [f"{trained:_} parameters"] if trained else []
        about += ["✗ a wrong rule inside"] if any(node.id in self._marks for node in inside) else []
        graph.node(
            self._ids[group.path],
            f"<<B>{html.escape(group.path)}</B><BR/>{_small(group.kind)}<BR/>{_small(', '.join(about) or 'empty')}>",
            fillcolor="#eef0f7",
            fontcolor=DARK,
            color=GREY,
            tooltip=f"{group.path}: {len(inside)} tensors are folded in here",
        )

    def _add_arrows(self) -> None:
        """One arrow for each use; those to or from a folded box go together, with their number."""
        nodes = {node.id: node for node in self.trace.nodes}
        sent = self._frame.sent if self._frame else ()
        uses: Counter[tuple[str, str, bool]] = Counter()
        for edge in self.trace.edges:
            source, target = self._shown[edge.src], self._shown[edge.dst]
            flows = edge.id in sent if sent else nodes[edge.src].requires_grad
            if source == edge.src and target == edge.dst:
                self._add_arrow(source, target, flows)
            elif source != target:
                uses[source, target, flows] += 1
        for (source, target, flows), times in uses.items():
            self._add_arrow(source, target, flows, f" ×{times}" if times > 1 else "")

    def _add_arrow(self, source: str, target: str, flows: bool, label: str = "") -> None:
        self._arrows += 1
        self._graph.edge(self._ids[source], self._ids[target], label=label, color=FLOW if flows else PLAIN)


# -- Graphviz's HTML -----------------------------------------------------------------------------------------------------
def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="8" COLOR="{GREY}">{html.escape(text)}</FONT>'


def _name(name: str) -> str:
    """A tensor's name, with its index below the line."""
    parts = parted(name)
    return html.escape(name) if parts is None else f'{parts[0]}<FONT POINT-SIZE="7"><SUB>{parts[1]}</SUB></FONT>'


def _cell(content: str, align: str = "LEFT", columns: int = 1, width: int = 0) -> str:
    """A cell, at least so wide: without an installed font Graphviz takes long texts for shorter than they are."""
    return f'<TD ALIGN="{align}" COLSPAN="{columns}" WIDTH="{width}">{content}</TD>'


def _html_table(rows: list[list[str]], border: int, spacing: int, padding: int) -> str:
    lines = "".join(f"<TR>{''.join(cells)}</TR>" for cells in rows)
    look = f'BORDER="{border}" COLOR="{PALE}" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
    return f"<TABLE {look}>{lines}</TABLE>"


def _tooltip(node: Node) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in node.attrs.items())
    made = f" = {node.expr}" if node.expr else ""
    return f"{node.name}{made}: {shape_text(node.shape)} {node.dtype}" + (f"; {node.op} with {settings}" if settings else "")
