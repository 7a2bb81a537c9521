"""A trace: a computation and its backward pass as plain data.

`trace(loss)` runs the engine's own walk (`autograd.steps`) and writes down every application of the chain rule. Every picture
is made from a trace: the page to play, the terminal stepper, the drawn graph. What a picture shows at step i is
`frame(trace, i)`, a pure function, so going back one step is `i - 1`. Looking changes nothing: every `.grad` stays as it is.

The format, "tinygrad_edu.trace/1", is these dataclasses as JSON (`to_json`, `from_json`), without the fields that are None.
Each array is kept once, in `tensors`; a "ref" is a position in that list. Nodes and edges are referred to by their id.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from .. import backend
from ..autograd import engine
from ..op import Op
from ..tensor import Tensor
from .equation import WEIGHTS, WHOLE, Equation, Factor, Term, equation_of, equation_of_result
from .groups import Group, Groups, numbered
from .maths import _formula, _rule_text, sentence_of
from .source import (
    Place,
    Source,
    expression_at,
    label_of,
    learners_frame,
    operand_names,
    place_of,
    source_of,
    target_at,
    variables,
)

FORMAT = "tinygrad_edu.trace/1"
SAMPLE = 8  # of a larger tensor, at most this many rows and columns
NEARBY = 6  # lines of source kept before and after each line that is shown

# What an operation is called where there is little room; others are called by their name.
SYMBOLS = {
    "add": "+",
    "sub": "−",
    "mul": "⊙",
    "div": "÷",
    "neg": "−",
    "pow": "xʸ",
    "square": "x²",
    "sqrt": "√",
    "exp": "eˣ",
    "log": "ln",
    "abs": "|x|",
    "reciprocal": "1/x",
    "matmul": "@",
    "sum": "Σ",
    "prod": "Π",
    "sigmoid": "σ",
    "index": "x[i]",
    "getitem": "x[i]",
    "transpose": "xᵀ",
    "maximum": "max",
    "minimum": "min",
    "alias": "=",
    "leaky_relu": "lrelu",
    "log_softmax": "ln softm.",
    "softmax_cross_entropy": "CE loss",
    "bernoulli_surprise": "BCE",
    "bernoulli_surprise_of_logits": "BCE",
    "mean_squared_error": "MSE",
    "conv_nd": "conv",
    "conv_input": "convᵀ",
    "standardize": "normalize",
    "standardize_rms": "RMS norm",
    "window_sum": "pool Σ",
    "max_pool": "pool max",
    "broadcast_to": "expand",
    "rnn_steps": "RNN",
    "lstm_steps": "LSTM",
    "gru_steps": "GRU",
}


INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}


@dataclass(frozen=True)
class Span:
    """Where in the learner's source: lines from 1, columns from 0, in characters; the end column is not included."""

    source: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Node:
    """A tensor of the graph.

    id: `v0`, `v1` ...: leaves in the order of their first use, then results in the order in which they were made.
    name: what the learner calls it; its id if nothing better is known.
    op: the operation that made it (a key of `rules`); None for a leaf.
    symbol: the operation where there is little room.
    expr: the source expression that made it.
    uses: how many parts its gradient has, one for each use.
    inputs: one id for each input of the operation; None where that is a number (see attrs) or absent.
    module: path of the innermost group around it.
    value: ref of its values.
    attrs: the operation's settings that are not the default ones, and inputs that are plain numbers, by name.
    """

    id: str
    name: str
    shape: list[int]
    dtype: str
    requires_grad: bool
    uses: int
    value: int
    inputs: list[str | None] = field(default_factory=list)
    op: str | None = None
    symbol: str | None = None
    expr: str | None = None
    module: str | None = None
    src: Span | None = None
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """One use of `src` by the operation that made `dst`, as its input number `slot`; y*y has two."""

    id: str
    src: str
    dst: str
    slot: int


@dataclass(frozen=True)
class Sample:
    """Some rows and columns of a large tensor, seen as a matrix (its last dim across, all others down)."""

    rows: list[int]
    cols: list[int]
    data: list[Any]


@dataclass(frozen=True)
class Numbers:
    """An array: whole (`data`, flat, row by row) up to 64 elements (the local derivatives of an equation: 64²), else a `sample`.
    NaN and infinities are strings.

    min, max, mean, std: of the finite elements; nonfinite: how many others there are.
    """

    shape: list[int]
    dtype: str
    data: list[Any] | None = None
    sample: Sample | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    nonfinite: int = 0


@dataclass(frozen=True)
class Rule:
    """What there is to say about an operation, from its docstring.

    derivatives: the rule of each input that has one, as text, by the input's name: {"x": "g·y", "y": "g·x"}.
    """

    op: str
    sentence: str
    formula: str
    inputs: list[str]
    derivatives: dict[str, str]


@dataclass(frozen=True)
class Part:
    """What came along one edge."""

    edge: str
    tensor: int


@dataclass(frozen=True)
class Step:
    """One step. phase "forward": kind "op", the node is computed; `equation` shows the numbers where it adds up or chooses. phase "backward":

    kind "seed": the gradient of the loss is `after`.
    kind "visit": all `uses` parts of the node's gradient (`parts`) have arrived; `after` is their sum.
    kind "contribute": the node sends along `edge` to the node `to`, its input number `slot`: `raw`; summed over `reduced_axes`,
        along which `to` was broadcast, that is `reduced`. `to` had `before` (None: nothing yet) and has `after` now; `got` of its
        `uses` parts are in. `rule` is a key of the trace's rules; `equation` shows the numbers, where they have a simple form.
    phase "done", kind "done": `gradients` holds the gradient of each leaf, as backward() adds it to .grad.
    """

    phase: str
    kind: str
    node: str
    sentence: str
    rule: str | None = None
    equation: Equation | None = None
    to: str | None = None
    edge: str | None = None
    slot: int | None = None
    raw: int | None = None
    reduced: int | None = None
    reduced_axes: list[int] | None = None
    before: int | None = None
    after: int | None = None
    got: int | None = None
    uses: int | None = None
    parts: list[Part] | None = None
    gradients: dict[str, int] | None = None


@dataclass(frozen=True)
class Trace:
    """A computation and its backward pass; see the module's text.

    sources: by label, the lines of source around what is shown, by line number.
    """

    title: str
    loss: str
    nodes: list[Node]
    edges: list[Edge]
    modules: list[Group]
    tensors: list[Numbers]
    rules: dict[str, Rule]
    sources: dict[str, dict[int, str]]
    steps: list[Step]
    format: str = FORMAT

    def node(self, id: str) -> Node:
        return self.nodes[int(id[1:])]

    def edge(self, id: str) -> Edge:
        return self.edges[int(id[1:])]

    def groups_around(self, path: str | None) -> list[str]:
        """The paths of the groups around a node, from the outermost to the node's own (`node.module`)."""
        found: list[str] = []
        while path is not None:
            found.append(path)
            path = self._parents[path]
        return found[::-1]

    @cached_property
    def _parents(self) -> dict[str, str | None]:
        return {group.path: group.parent for group in self.modules}

    def to_json(self) -> str:
        """The trace as one line of JSON."""
        return to_text(self)

    @staticmethod
    def from_json(text: str) -> Trace:
        """The trace that `to_json` wrote.

        Raises:
            ValueError: this is not a trace, or one of another version.
        """
        return from_text(Trace, text, "trace", FORMAT)


def trace(root: Tensor, gradient: Any = None, *, title: str | None = None, backward: bool = True) -> Trace:
    """Everything that `root.backward(gradient)` does, step by step, as data; nothing is changed by it.

    Works before `backward()` and, while the graph is kept, after it. Hooks on tensors run, as they do in `backward()`.

    Args:
        root: the loss; or any tensor that requires grad, with a `gradient` of its shape to start with.
        gradient: the gradient to start with; 1 for a loss of one element.
        title: what pictures are headed with; default: the loss as the learner wrote it.
        backward: False for the forward computation only, which needs no gradient to start with.

    Raises:
        GraphError: the root does not require grad; not a scalar and no gradient given; the graph was let go after backward.

    >>> from tinygrad_edu import tensor
    >>> from tinygrad_edu.see import trace
    >>> x = tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> for step in trace(y).steps:
    ...     print(step.phase, step.kind, step.node, step.to, step.got)
    forward op v1 None None
    backward seed v1 None None
    backward visit v1 None 0
    backward contribute v1 v0 1
    backward contribute v1 v0 2
    done done v1 None None
    """
    if not isinstance(root, Tensor):
        raise TypeError(f"trace takes a tensor, usually a loss, not a {type(root).__name__}.")
    return _Tracer(root, gradient, backward).trace(title)


class _Tracer:
    """Writes down one graph."""

    def __init__(self, root: Tensor, gradient: Any, backward: bool) -> None:
        self.steps = engine.steps(root, gradient) if backward else None  # first: it refuses what cannot be traced
        self.root = root
        self.tensors: list[Numbers] = []
        self._refs: dict[int, int] = {}
        self.arrays: list[Any] = []  # of `tensors`; held, so that none is freed, and its id given to another, meanwhile
        self.order = engine.topological_order([root], to_look_at=True)
        leaves, self.values = self._leaves()
        self.nodes = [*leaves, *self.order]
        self.ids = {node: f"v{i}" for i, node in enumerate(self.nodes)}
        self.edges: dict[tuple[Tensor, int], Edge] = {}
        for node in self.order:
            for slot, x in enumerate(node.inputs):
                if isinstance(x, Tensor):
                    edge = Edge(f"e{len(self.edges)}", self.ids[x], self.ids[node], slot)
                    self.edges[node, slot] = edge
        known = variables(learners_frame())
        self.groups = Groups(self.nodes, known)
        self.names = dict(zip(self.nodes, self._names(known), strict=True))
        self.uses = engine._count_uses([root], self.order)

    def _leaves(self) -> tuple[list[Tensor], dict[Tensor, Any]]:
        """Leaves by their first use, and the values that they had then."""
        values: dict[Tensor, Any] = {}
        for node in self.order:
            for x, value in zip(node.inputs, node.values, strict=True):
                if isinstance(x, Tensor) and x.op is None:
                    values.setdefault(x, value)
        if self.root.op is None:
            values[self.root] = self.root.array
        return list(values), values

    # -- names -----------------------------------------------------------------------------------------------------
    def _names(self, known: dict[int, str]) -> list[str]:
        targets = self._targets()
        guesses = self._operands()
        found = []
        for node in self.nodes:
            name = node.name or known.get(id(node)) or targets.get(node) or self.groups.parameters.get(node) or guesses.get(node)
            found.append(name or self.ids[node])
        return numbered(found)

    def _targets(self) -> dict[Tensor, str]:
        """The variable to which the learner assigned a result. One expression may record several operations (a layer, say, or a
        function made of others), one after the other: the last of them is what was assigned."""
        last: dict[tuple, Tensor] = {}
        run = 0
        for previous, node in zip([None, *self.order], self.order, strict=False):
            if previous is None or previous.made_at != node.made_at or self._outermost(previous) != self._outermost(node):
                run += 1
            last[run, node.made_at] = node
        return {node: name for node in last.values() if (name := target_at(node.made_at))}

    def _outermost(self, node: Tensor) -> str | None:
        path = self.groups.of.get(node)
        while path is not None and (parent := self.groups.found[path].parent) is not None:
            path = parent
        return path

    def _operands(self) -> dict[Tensor, str]:
        """What the learner's expressions call the leaves."""
        guesses: dict[Tensor, str] = {}
        for node in self.order:
            for x, name in zip(node.inputs, operand_names(node), strict=True):
                if name and isinstance(x, Tensor) and x.op is None:
                    guesses.setdefault(x, name)
        return guesses

    # -- parts -----------------------------------------------------------------------------------------------------
    def ref(self, array: Any, most: int = WHOLE) -> int:
        """The position of an array among the tensors; the same array is kept once. most: elements that are kept whole."""
        if id(array) not in self._refs:
            self.arrays.append(array)
            self._refs[id(array)] = len(self.tensors)
            self.tensors.append(numbers_of(array, most))
        return self._refs[id(array)]

    def trace(self, title: str | None) -> Trace:
        nodes = [self._node(node) for node in self.nodes]
        steps = [self._forward(node) for node in self.order]
        if self.steps is not None:
            steps += self._backward()
        ops = {node.op.name: node.op for node in self.order if node.op is not None}
        whole = expression_at(self.root.made_at)
        return Trace(
            title=title or whole or self.names[self.root],
            loss=self.ids[self.root],
            nodes=nodes,
            edges=list(self.edges.values()),
            modules=list(self.groups.found.values()),
            tensors=self.tensors,
            rules={name: rule_of(op) for name, op in ops.items()},
            sources=self._sources(),
            steps=steps,
        )

    def _node(self, node: Tensor) -> Node:
        array = self.values.get(node, node.array)
        attrs: dict[str, Any] = {}
        if node.op is not None:
            attrs = {k: attribute(v) for k, v in _settings(node) if not _same(v, node.op.settings.get(k))}
            if not node.op.variadic:
                plain = zip(node.op.inputs, node.inputs, strict=True)
                attrs |= {k: attribute(v) for k, v in plain if v is not None and not isinstance(v, Tensor)}
        return Node(
            id=self.ids[node],
            name=self.names[node],
            shape=list(array.shape),
            dtype=str(array.dtype),
            requires_grad=node.requires_grad,
            uses=self.uses.get(node, 0),
            value=self.ref(array),
            inputs=[self.ids[x] if isinstance(x, Tensor) else None for x in node.inputs],
            op=node.op.name if node.op else None,
            symbol=SYMBOLS.get(node.op.name, node.op.name) if node.op else None,
            expr=(expression_at(node.made_at) or self._expression(node)) if node.op else None,
            module=self.groups.of.get(node),
            src=self.span(node) if node.op else None,
            attrs=attrs,
        )

    def _expression(self, node: Tensor) -> str:
        """The operation in names, where the source is not known: `w * x`, `tanh(h)`."""
        assert node.op is not None
        names = [self.names[x] if isinstance(x, Tensor) else str(x) for x in node.inputs]
        if node.op.name in INFIX and len(names) == 2:
            return f" {INFIX[node.op.name]} ".join(names)
        return f"{node.op.name}({', '.join(names)})"

    # -- the source ------------------------------------------------------------------------------------------------
    @property
    def several_sources(self) -> bool:
        return len(self._labels) > 1

    def span(self, node: Tensor) -> Span | None:
        place = place_of(node.made_at)
        return None if place is None else Span(self._labels[place.filename, source_of(node.made_at[0])], *place[1:])

    def _places(self) -> Iterator[tuple[Place, Source]]:
        for node in self.order:
            place = place_of(node.made_at)
            if place is not None:
                yield place, source_of(node.made_at[0])

    @cached_property
    def _labels(self) -> dict[tuple[str, Source], str]:
        """What each source is called; what is typed at Python's prompt has one file name, but each input is a source of its own."""
        found = dict.fromkeys((place.filename, source) for place, source in self._places())
        return dict(zip(found, numbered([label_of(name) for name, _ in found]), strict=True))

    def _sources(self) -> dict[str, dict[int, str]]:
        found: dict[str, dict[int, str]] = {}
        for place, source in self._places():
            lines = found.setdefault(self._labels[place.filename, source], {})
            if source.lines:
                last = min(len(source.lines), place.end_line + NEARBY)
                lines.update((n, source.text(n)) for n in range(max(1, place.line - NEARBY), last + 1))
        return {label: dict(sorted(lines.items())) for label, lines in found.items()}

    # -- steps -----------------------------------------------------------------------------------------------------
    def _forward(self, node: Tensor) -> Step:
        assert node.op is not None
        what = expression_at(node.made_at) or self._expression(node)
        shown = what if self.names[node] == self.ids[node] else f"{self.names[node]} = {what}"
        says = f"{shown} is computed. {rule_of(node.op).sentence}"
        equation = self._equation(node, equation_of_result(node))
        return Step("forward", "op", self.ids[node], says, rule=node.op.name, equation=equation)

    def _backward(self) -> Iterator[Step]:
        parts: dict[Tensor, list[Part]] = {}
        gradients: dict[Tensor, int] = {}
        g: Any = None
        assert self.steps is not None
        for step in self.steps:
            node = self.ids[step.node]
            name = self.names[step.node]
            if step.kind == "seed":
                ones = bool((step.after == 1).all())
                start = f"the gradient of {name} with respect to itself is 1" if ones else "with the gradient that was given"
                says = f"Backward starts at {name}: {start}."
                gradients[step.node] = self.ref(step.after)
                yield Step("backward", "seed", node, says, after=self.ref(step.after))
            elif step.kind == "visit":
                g = step.after
                yield Step(
                    "backward",
                    "visit",
                    node,
                    " ".join([_visit_sentence(name, step.uses), *self._stops(step.node)]),
                    rule=step.node.op.name if step.node.op else None,
                    after=self.ref(g),
                    got=step.got,
                    uses=step.uses,
                    parts=parts.get(step.node, []),
                )
            elif step.kind == "contribute":
                contribution = self._contribute(step, g)
                parts.setdefault(step.to, []).append(Part(str(contribution.edge), int(contribution.reduced or 0)))  # type: ignore[arg-type]
                gradients[step.to] = int(contribution.after or 0)  # type: ignore[index]
                yield contribution
        leaves = {self.ids[x]: ref for x, ref in gradients.items() if x.op is None}
        names = ", ".join(self.names[x] for x in gradients if x.op is None)
        says = f"Done: the gradients of {names} are complete."
        hooked = ", ".join(self.names[x] for x in gradients if x.op is None and x._hooks)
        if hooked:
            says += f" The hooks on {hooked} may still change them before they reach .grad."
        yield Step("done", "done", self.ids[self.root], says, gradients=leaves)

    def _stops(self, node: Tensor) -> list[str]:
        """Where an operation has no rule for an input that waits for a gradient."""
        if node.op is None:
            return []
        stopped = without_rule(node)
        return [
            f"{node.op.name} has no rule for {argument}: the gradient stops here, {self.names[x]} gets none."
            for argument, x in stopped
        ]

    def _contribute(self, step: engine.Step, g: Any) -> Step:
        node, to, slot = step.node, step.to, step.slot
        assert node.op is not None
        assert to is not None
        assert slot is not None
        axes = reduced_axes(step.raw.shape, step.reduced.shape)
        return Step(
            "backward",
            "contribute",
            self.ids[node],
            _contribute_sentence(rule_of(node.op).sentence, self.names[to], axes, step.got, step.uses),
            rule=node.op.name,
            equation=self._equation(node, equation_of(node, slot, g, step.raw)),
            to=self.ids[to],
            edge=self.edges[node, slot].id,
            slot=slot,
            raw=self.ref(step.raw),
            reduced=self.ref(step.reduced),
            reduced_axes=axes,
            before=None if step.before is None else self.ref(step.before),
            after=self.ref(step.after),
            got=step.got,
            uses=step.uses,
        )

    def _equation(self, node: Tensor, found: tuple[str, list[Factor]] | None) -> Equation | None:
        return None if found is None else Equation(found[0], [self._term(node, found[0], factor) for factor in found[1]])

    def _term(self, node: Tensor, kind: str, factor: Factor) -> Term:
        of = None if factor.slot is None else self.ids[node.inputs[factor.slot]]
        most = WEIGHTS if kind in ("weighted", "largest", "smallest") else WHOLE
        return Term(factor.role, self.ref(factor.array, most), of, factor.transposed)


def without_rule(node: Tensor) -> list[tuple[str, Tensor]]:
    """The inputs of an operation, by argument, that require grad and for which it has no rule."""
    assert node.op is not None
    reached = {slot for slot, _ in engine._receivers(node)}
    names = node.op.inputs * len(node.inputs) if node.op.variadic else node.op.inputs
    inputs = enumerate(zip(names, node.inputs, strict=False))
    return [(name, x) for slot, (name, x) in inputs if isinstance(x, Tensor) and x.requires_grad and slot not in reached]


def _visit_sentence(name: str, uses: int) -> str:
    if uses == 0:
        return f"{name} is where backward starts: its gradient is complete, and it hands it on to its inputs."
    if uses == 1:
        return f"The one use of {name} has reported: its gradient is complete, and it hands it on to its inputs."
    return f"All {uses} uses of {name} have reported: its gradient is their sum, complete now, and it hands it on to its inputs."


def _contribute_sentence(sentence: str, to: str, axes: list[int], got: int, uses: int) -> str:
    says = [sentence]
    if axes:
        over = f"axis {axes[0]}" if len(axes) == 1 else "axes " + ", ".join(map(str, axes))
        says.append(f"{to} was broadcast, so its gradient is summed back over {over}.")
    if uses > 1:
        says.append(
            f"{to} is used {uses} times, so its gradient is a sum: {got} of {uses} parts {'is' if got == 1 else 'are'} in."
        )
    return " ".join(says)


def reduced_axes(raw: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """The axes of `raw` along which it is summed to `shape`: broadcasting undone."""
    extra = len(raw) - len(shape)
    return [*range(extra), *(i + extra for i, n in enumerate(shape) if raw[i + extra] != n)]


def rule_of(op: Op) -> Rule:
    """What an operation's docstring says about it."""
    parts = _formula(op)
    texts = {name: _rule_text(op, slot, parts[1:]) for slot, name in enumerate(op.inputs)}
    derivatives = {name: text.partition("=")[2].strip() for name, text in texts.items() if text and "=" in text}
    return Rule(op.name, sentence_of(op), "; ".join(parts), op.inputs, derivatives)


# -- numbers -------------------------------------------------------------------------------------------------------------
def number(value: Any) -> Any:
    """A number for JSON: NaN and the infinities as strings."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _flat(array: np.ndarray) -> list[Any]:
    """The elements, each with as many digits as its dtype needs."""
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and flat.dtype.itemsize < 8:
        return [number(float(text)) for text in flat.astype("U").tolist()]
    return [number(int(v) if isinstance(v, bool) else v) for v in flat.tolist()]


def on_cpu(array: Any) -> np.ndarray:
    """An array of any device as NumPy's; a number as an array."""
    return np.asarray(backend.place(array, backend.CPU) if hasattr(array, "shape") else array)


def numbers_of(array: Any, most: int = WHOLE) -> Numbers:
    """An array, on any device, as a trace keeps it: whole, if it has up to so many elements."""
    array = on_cpu(array)
    shape, dtype = list(array.shape), str(array.dtype)
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    statistics = {}
    if finite.size:
        exact = finite.astype(np.float64)
        found = exact.min(), exact.max(), exact.mean(), exact.std()
        statistics = {k: number(float(v)) for k, v in zip(("min", "max", "mean", "std"), found, strict=True)}
    nonfinite = array.size - finite.size
    if array.size <= most:
        return Numbers(shape, dtype, data=_flat(array), nonfinite=nonfinite, **statistics)
    matrix = array.reshape(-1, array.shape[-1])
    rows, cols = (np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(int)) for n in matrix.shape)
    sample = Sample(rows.tolist(), cols.tolist(), _flat(matrix[np.ix_(rows, cols)]))
    return Numbers(shape, dtype, sample=sample, nonfinite=nonfinite, **statistics)


def attribute(value: Any) -> Any:
    """A setting for JSON."""
    if value is None or isinstance(value, bool | int | str | float):
        return number(value)
    if isinstance(value, list | tuple):
        return [attribute(v) for v in value]
    if isinstance(value, slice):
        text = [("" if v is None else str(v)) for v in (value.start, value.stop, value.step)]
        return ":".join(text if value.step is not None else text[:2])
    if hasattr(value, "dtype"):  # an array; a dtype itself has a shape too
        return f"{'×'.join(map(str, value.shape)) or 'scalar'} {value.dtype}"
    return "..." if value is Ellipsis else str(value)


def _settings(node: Tensor) -> Iterator[tuple[str, Any]]:
    """An operation's settings by name; one that is a named tuple (the windows of pooling) gives each of its parts."""
    for name, value in node.settings.items():
        yield from value._asdict().items() if hasattr(value, "_asdict") else [(name, value)]


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and not hasattr(a, "shape") and a == b)


# -- JSON ----------------------------------------------------------------------------------------------------------------
def to_text(data: Any) -> str:
    """A dataclass of plain data as one line of JSON."""
    return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_text(kind: type, text: str, name: str, version: str) -> Any:
    """What `to_text` made of a dataclass of this kind; ValueError if it is no such `name`, or one of another version."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not a {name}: it is not even JSON ({error}).") from None
    given = data.get("format") if isinstance(data, dict) else type(data).__name__
    if given != version:
        raise ValueError(f"this is not a {name} that this version reads: its format is {given!r}, expected {version!r}.")
    return _read(kind, data)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: _plain(v) for name, v in fields if v is not None}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


_hints: Callable[[Any], dict[str, Any]] = cache(typing.get_type_hints)


def _read(kind: Any, value: Any) -> Any:
    """The value of a field of this type."""
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _read(hints[name], v) for name, v in value.items()})  # type: ignore[operator]
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return value if inside[0] in (Any, int, float, str) else [_read(inside[0], v) for v in value]
    if origin is dict:
        return {inside[0](k): _read(inside[1], v) for k, v in value.items()}
    if origin is types.UnionType:
        return None if value is None else _read(inside[0], value)
    return value


# -- a moment ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Frame:
    """What is to be seen at one step: the whole state, not a change.

    values: the nodes whose values are known. gradients: ref of the gradient so far, by node. got: how many of its parts are in.
    complete: the nodes whose gradient is final. sent: the edges along which a gradient has gone. step: the step itself.
    """

    step: Step
    values: frozenset[str]
    gradients: dict[str, int]
    got: dict[str, int]
    complete: frozenset[str]
    sent: frozenset[str]


def frame(trace: Trace, i: int) -> Frame:
    """What there is to see at step `i`, computed from the trace alone.

    >>> from tinygrad_edu import tensor
    >>> from tinygrad_edu.see import frame, trace
    >>> x = tensor(3.0, requires_grad=True)
    >>> t = trace(x * x)
    >>> [frame(t, i).got.get("v0", 0) for i in range(len(t.steps))]
    [0, 0, 0, 1, 2, 2]
    """
    if not 0 <= i < len(trace.steps):
        raise IndexError(f"there is no step {i}: this trace has steps 0 to {len(trace.steps) - 1}.")
    values = {node.id for node in trace.nodes if node.op is None}
    gradients: dict[str, int] = {}
    got: dict[str, int] = {}
    sent = set()
    for step in trace.steps[: i + 1]:
        if step.kind == "op":
            values.add(step.node)
        elif step.after is not None:
            to = step.to or step.node
            gradients[to] = step.after
            if step.to is not None and step.got is not None and step.edge is not None:
                got[to] = step.got
                sent.add(step.edge)
    complete = {id for id in gradients if got.get(id, 0) == trace.node(id).uses}
    return Frame(trace.steps[i], frozenset(values), gradients, got, frozenset(complete), frozenset(sent))
