"""What a trace is: a computation and its backward pass as plain data.

The format, "tinygrad_edu.trace/1", is these dataclasses as JSON (`to_json`, `from_json`), without the fields that are None.
Each array is kept once, in `tensors`; a "ref" is a position in that list. Nodes and edges are referred to by their id.
What a picture shows at step i is `frame(trace, i)`, a function of the trace alone, so going back one step is `i - 1`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .equation import Equation
from .groups import Group
from .plain import Numbers, from_text, to_text

FORMAT = "tinygrad_edu.trace/1"


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
            path = self.parents[path]
        return found[::-1]

    @cached_property
    def parents(self) -> dict[str, str | None]:
        """The path of the group around each group."""
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
