"""check_graph: is every rule of a graph right? The derivatives are compared with numeric ones, operation by operation."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backend
from ..autograd import engine
from ..autograd.function import is_function
from ..ops.shape import sum_to
from ..tensor import Tensor
from .draw import Drawing, DrawingError, chosen_depth
from .equation import apply_rule
from .format import Trace
from .graphviz import GraphvizError
from .style import as_image, short
from .trace import Tracer, without_rule


@dataclass(frozen=True)
class Checked:
    """One rule at one node. expected: the numeric derivative along a random direction; found: the rule's."""

    node: str
    op: str
    input: str
    made_by: str
    verdict: str  # "right", "wrong", "kink" (all of its result is at one) or "not checked"
    expected: float = 0.0
    found: float = 0.0
    kinks: int = 0  # numbers of its result that were left out, because there is no derivative there
    changes: str = ""  # what a wrong one changes in place: g, z or an input


class GraphCheck:
    """The rules of a graph in the order of the backward pass; true if none is wrong. Printing it shows the first wrong one, and
    so does the picture that a notebook shows, or `draw()`. Where a rule is missing, it says so: that may be meant.
    """

    def __init__(self, rules: list[Checked], trace: Trace, ids: list[str], missing: list[str]) -> None:
        self.rules, self._trace, self._ids, self._missing = rules, trace, ids, missing

    def draw(self, max_nodes: int = 150) -> Drawing:
        """The graph, with every rule marked that is wrong; the first of them says so."""
        marks: dict[str, str] = {}
        for id, rule in zip(self._ids, self.rules, strict=True):
            if rule.verdict == "wrong":
                marks.setdefault(
                    id, f"{'its rule' if marks else 'first wrong rule:'} d{rule.input}{' is wrong' if marks else ''}"
                )
        return Drawing(self._trace, chosen_depth(self._trace, None, max_nodes), True, True, "LR", marks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            picture = f"<pre>{html.escape(str(self))}</pre>{as_image(self.draw().svg(), 'the graph with what is wrong')}"
        except (GraphvizError, DrawingError):
            return {"text/plain": str(self)}
        return {"text/html": picture, "text/plain": str(self)}

    def __bool__(self) -> bool:
        return not self.wrong

    @property
    def wrong(self) -> list[Checked]:
        return [rule for rule in self.rules if rule.verdict == "wrong"]

    def __str__(self) -> str:
        count = {verdict: sum(rule.verdict == verdict for rule in self.rules) for verdict in ("right", "kink", "not checked")}
        notes = f"{count['right']} of {len(self.rules)} rules agree with numeric derivatives"
        kinks = sum(rule.kinks for rule in self.rules)
        notes += f"; {kinks} number{'s' * (kinks != 1)} at a kink, where there is none, left out" if kinks else ""
        notes += f"; {count['not checked']} could not be checked" if count["not checked"] else ""
        without = "".join(f"\n{line}" for line in self._missing)
        if not self.wrong:
            return f"{notes}.{without}"
        first = self.wrong[0]
        why = (
            f"it changes {first.changes} in place, which others read too. It must compute a new array."
            if first.changes
            else f"along a random direction it gives {short(first.found)}, the numeric derivative is {short(first.expected)}."
        )
        return (
            f"{notes}.{without}\nFirst wrong one on the way back: the rule d{first.input} of {first.made_by}, for {first.node}: {why}"
            + (
                "\n1 more is wrong."
                if len(self.wrong) == 2
                else f"\n{len(self.wrong) - 1} more are wrong." * (len(self.wrong) > 2)
            )
        )

    __repr__ = __str__


def check_graph(loss: Tensor) -> GraphCheck:
    """Compare the rule of every operation in a graph, at its own inputs, with a numeric derivative.

    In a notebook the answer is a picture too, with the first wrong rule marked; elsewhere, `check_graph(loss).draw().save("x.svg")`.

    >>> import numpy as np
    >>> from tinygrad_edu import op, tensor, check_graph
    >>> @op(dx=lambda g, z, x: g * x)
    ... def square_wrong(x):
    ...     '''z = x²;  ∂x = g·x'''
    ...     return x * x
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> y = (square_wrong(x) * 2).sum()
    >>> print(str(check_graph(y)).splitlines()[0])
    2 of 3 rules agree with numeric derivatives.
    >>> check_graph(y).wrong[0].op
    'square_wrong'
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"check_graph takes a tensor, usually a loss, not a {type(loss).__name__}.")
    tracer = Tracer(loss, np.ones_like(loss.array), backward=True)
    random = np.random.default_rng(0)
    found, ids, missing = [], [], []
    for node in reversed(tracer.order):
        this = node.op
        assert this is not None
        missing += [
            f"{tracer.made_by(node)} has no rule for {argument}: {tracer.names[x]} gets no gradient from it."
            for argument, x in without_rule(node)
        ]
        for slot, _ in engine.receivers(node):
            name = this.joint.__self__.argument(slot) if is_function(this) else this.inputs[0 if this.variadic else slot]
            found.append(Checked(tracer.names[node], this.name, name, tracer.made_by(node), *_check_rule(node, slot, random)))
            ids.append(tracer.ids[node])
    return GraphCheck(found, tracer.trace(None), ids, missing)


def _check_rule(node: Tensor, slot: int, random: np.random.Generator) -> tuple[str, float, float, int, str]:
    """The verdict, the numeric derivative along a random direction and the rule's, both in float64, the number of kinks, and what the
    rule changes in place.

    The numeric derivative is taken from both sides: where they differ, the result is at a kink, as relu is at 0, and whatever
    the rule says there may be right. Those numbers of the result are left out, by a gradient of 0 for them.
    """
    this = node.op
    assert this is not None
    values = [_double(v) for v in node.values]
    x = values[slot]

    def forward(moved: Any) -> Any:
        return _double(this.forward(*values[:slot], moved, *values[slot + 1 :], **node.settings))

    z = forward(x)
    unlike = z.shape != node.array.shape or not np.allclose(z, _double(node.array), rtol=1e-2, atol=1e-3, equal_nan=True)
    if unlike or not np.isfinite(z).all():  # an operation that is random, or where there are no numbers to compare
        return "not checked", 0.0, 0.0, 0, ""
    exact = np.result_type(this.forward(*values, **node.settings)) == np.float64
    small, near = (1e-6, 1e-4) if exact else (1e-2, 1e-2)  # cast computes in the dtype that it is told
    rounding = (
        4 * np.finfo(np.float64 if exact else np.float32).eps * np.abs(z) / small
    )  # by which quotients of such numbers are off
    expected = given = 0.0
    kinks = 0
    names = ["g", "z", *(this.inputs * len(values) if this.variadic else this.inputs)]
    for _ in range(3):
        way = backend.place(random.normal(size=x.shape), backend.device_of(x))
        ahead, behind = (forward(x + small * way) - z) / small, (z - forward(x - small * way)) / small
        smooth = np.abs(ahead - behind) <= 10 * near * np.maximum(1, np.maximum(np.abs(ahead), np.abs(behind))) + rounding
        kinks = max(kinks, z.size - int(smooth.sum()))
        g = np.where(smooth, backend.place(random.normal(size=z.shape), backend.device_of(z)), 0)
        read = [g, z, *values]
        before = [np.copy(v) for v in read]
        raw = apply_rule(node, slot, g, z, values)
        for name, v, was in zip(names, read, before, strict=True):
            if hasattr(v, "dtype") and not np.array_equal(v, was, equal_nan=was.dtype.kind == "f"):
                return "wrong", 0.0, 0.0, 0, name
        if raw is None:  # of a joint rule: this input gets no gradient
            return "not checked", 0.0, 0.0, 0, ""
        given = float((sum_to(raw, shape=x.shape) * way).sum())
        expected = float((g * (ahead + behind) / 2).sum())
        size, unsure = max(1.0, abs(expected), abs(given)), float((np.abs(g) * rounding).sum())
        if unsure > size / 10:  # a small change of a large number: its digits do not show it
            return "not checked", expected, given, kinks, ""
        if abs(given - expected) > near * size + unsure:
            return "wrong", expected, given, kinks, ""
    return "kink" if 0 < kinks == z.size else "right", expected, given, kinks, ""


def _double(value: Any) -> Any:
    """Floats as float64; everything else as it is."""
    if not hasattr(value, "dtype"):
        return value
    array = backend.as_array(value)
    return array.astype(np.float64) if array.dtype.kind == "f" else array
