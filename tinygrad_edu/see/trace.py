"""trace: writes down a computation and its backward pass as plain data.

`trace(loss)` runs the engine's own walk (`autograd.steps`) and writes down every application of the chain rule. Every picture
is made from a trace: the page to play, the terminal stepper, the drawn graph. What a trace is, format.py says. Looking changes
nothing: every `.grad` stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ..autograd import engine, gradients
from ..callsite import label_of
from ..op import Op
from ..tensor import Tensor
from .equation import WEIGHTS, Equation, Factor, Term, equation_of, equation_of_result
from .format import Edge, Node, Part, Rule, Span, Step, Trace
from .groups import Groups, numbered
from .maths import formula_parts, rule_part, sentence_of
from .plain import WHOLE, Numbers, number, numbers_of
from .source import (
    Place,
    Source,
    expression_at,
    is_one_operation,
    learners_frame,
    operand_names,
    place_of,
    source_of,
    target_at,
    variables,
)

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
    "negative_log_likelihood": "NLL",
    "logsigmoid": "ln σ",
    "attention_weights": "attn",
    "self_attention": "self-attn",
    "convolution": "conv",
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
        raise TypeError(f"a backward pass begins at a tensor, usually a loss, not at a {type(root).__name__}.")
    return Tracer(root, gradient, backward).trace(title)


class Tracer:
    """Writes down one graph."""

    def __init__(self, root: Tensor, gradient: Any, backward: bool) -> None:
        self.steps = gradients.steps(root, gradient) if backward else None  # first: it refuses what cannot be traced
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
        self.uses = engine.count_uses([root], self.order)

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

    @cached_property
    def _results(self) -> set[Tensor]:
        """What the learner's expressions give. One expression may record several operations (a model, say, or a function made of
        others), one after the other: the last of them is its result. In a loop, one operation is recorded anew each time."""
        runs: list[list[Tensor]] = []
        for previous, node in zip([None, *self.order], self.order, strict=False):
            if previous is None or previous.made_at != node.made_at or self._outermost(previous) != self._outermost(node):
                runs.append([])
            runs[-1].append(node)
        found = {run[-1] for run in runs}
        for run in runs:
            if len(run) > 1 and is_one_operation(run[-1]):
                found.update(node for node in run if node.op is run[-1].op)
        return found

    def _targets(self) -> dict[Tensor, str]:
        """The variable to which the learner assigned a result."""
        return {node: name for node in self._results if (name := target_at(node.made_at))}

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
            attrs = {k: attribute(v) for k, v in node.settings.items() if not _same(v, node.op.settings.get(k))}
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
            expr=self.expression(node) if node.op else None,
            module=self.groups.of.get(node),
            src=self.span(node) if node.op else None,
            attrs=attrs,
        )

    def expression(self, node: Tensor) -> str:
        """The learner's expression, if this is its result; else the operation in names: `w * x`, `tanh(h)`."""
        assert node.op is not None
        if node in self._results and (written := expression_at(node.made_at)):
            return written
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

    def made_by(self, node: Tensor) -> str:
        """`mul (line 12)`; with the file or cell too, where there are several."""
        assert node.op is not None
        span = self.span(node)
        if span is None:
            return node.op.name
        where = f" of {span.source}" if self.several_sources else ""
        return f"{node.op.name} (line {span.line}{where})"

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
            last = min(len(source.lines), place.end_line + NEARBY)
            lines.update((n, source.text(n)) for n in range(max(1, place.line - NEARBY), last + 1))
        return {label: dict(sorted(lines.items())) for label, lines in found.items()}

    # -- steps -----------------------------------------------------------------------------------------------------
    def _forward(self, node: Tensor) -> Step:
        assert node.op is not None
        what = self.expression(node)
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
        formula = rule_of(node.op).derivatives.get(node.op.inputs[0 if node.op.variadic else slot], "")
        return Step(
            "backward",
            "contribute",
            self.ids[node],
            _contribute_sentence(rule_of(node.op).sentence, self.names[to], axes, step.got, step.uses),
            rule=node.op.name,
            equation=self._equation(node, equation_of(node, slot, g, step.raw, formula)),
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
    reached = {slot for slot, _ in engine.receivers(node)}
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
    parts = formula_parts(op)
    texts = {name: rule_part(op, slot, parts[1:]) for slot, name in enumerate(op.inputs)}
    derivatives = {name: text.partition("=")[2].strip() for name, text in texts.items() if text and "=" in text}
    return Rule(op.name, sentence_of(op), "; ".join(parts), op.inputs, derivatives)


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


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and not hasattr(a, "shape") and a == b)
