"""Why topological order? Two orders that a beginner would try, run on the same graph with the same rules, to see where they fail.

The chain rule says what a tensor hands on to its inputs; it says nothing about when. `backward` waits: a tensor hands its gradient
on when every use of it has reported, and reverse topological order is an order in which that is always so. The two here do not
wait. On a graph in which no tensor is used twice they are right too, which is why the mistake is so easily made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import engine, gradients
from ..tensor import Tensor
from .equation import apply_rule
from .format import Step
from .plain import Numbers, numbers_of

MOST_STEPS = 400  # not waiting takes exponentially many steps on some graphs


@dataclass(frozen=True)
class Wrong:
    """A gradient that came out wrong.

    given, right: refs of what this order and the right one found; `given` is None if nothing arrived.
    times: given / right, where that is the same for all elements.
    off: the largest difference of an element.
    """

    given: int | None
    right: int
    times: float | None
    off: float


@dataclass(frozen=True)
class Order:
    """A backward pass in another order.

    name, idea: what it is called and what it does. code: as a learner would write it.
    steps: as those of a trace; a `visit` is a tensor that hands on, with `got` of its `uses` parts in.
    tensors: what `steps` and `wrong` refer to.
    first_wrong: the first step at which a tensor hands on a gradient that is not the right one; None if all are right.
    wrong: by node, the gradients that are wrong in the end.
    stopped: whether it was stopped after `MOST_STEPS` applications of a rule.
    """

    name: str
    idea: str
    code: str
    steps: list[Step]
    tensors: list[Numbers]
    first_wrong: int | None
    wrong: dict[str, Wrong]
    stopped: bool


RIGHT_CODE = """\
for node in reversed(topological(loss)):
    for x, part in node.parts():
        x.grad += part
"""

RECURSIVE = (
    "recursive",
    "Each tensor hands its gradient on at once, as soon as a part of it arrives, without waiting for the other parts.",
)
RECURSIVE_CODE = """\
def backward(node):
    for x, part in node.parts():
        x.grad += part
        backward(x)  # though x may wait
"""

BREADTH_FIRST = "breadth first", "The tensors hand their gradients on in the order of their distance from the loss, each once."
BREADTH_FIRST_CODE = """\
queue = [loss]
for node in queue:
    for x, part in node.parts():
        x.grad += part
        if x not in queue:
            queue.append(x)
"""


def naive_orders(root: Tensor, gradient: Any, ids: dict[Tensor, str], edges: dict[tuple[Tensor, int], Any]) -> list[Order]:
    """Both orders on the graph of `root`.

    Args:
        gradient: to start with, as for `backward`.
        ids, edges: what the trace of the same graph calls its nodes and edges.
    """
    right: dict[Any, Any] = {}
    seed: Any = None
    for step in gradients.steps(root, gradient):
        if step.kind == "seed":
            seed = right[step.node] = step.after
        elif step.kind == "contribute":
            right[step.to] = step.after
    return [
        _Run(root, seed, ids, edges).order(walk, *words, code, right)
        for walk, words, code in (
            (_Run.recursive, RECURSIVE, RECURSIVE_CODE),
            (_Run.breadth_first, BREADTH_FIRST, BREADTH_FIRST_CODE),
        )
    ]


class _Run:
    """One backward pass that does not wait."""

    def __init__(self, root: Tensor, seed: Any, ids: dict[Tensor, str], edges: dict[tuple[Tensor, int], Any]) -> None:
        self.root, self.ids, self.edges = root, ids, edges
        self.uses = engine.count_uses([root], engine.topological_order([root], to_look_at=True))
        self.grads: dict[Tensor, Any] = {root: seed}
        self.got: dict[Tensor, int] = {}
        self.tensors: list[Numbers] = []

    def ref(self, array: Any) -> int:
        self.tensors.append(numbers_of(array))
        return len(self.tensors) - 1

    def recursive(self) -> Iterator[Step]:
        """As the recursive function, with a stack in its place, so that deep graphs do no harm."""
        stack = []
        yield self.visit(self.root)
        stack.append((self.root, self.hand_on(self.root)))
        while stack:
            node, rest = stack[-1]
            found = next(rest, None)
            if found is None:
                stack.pop()
                continue
            slot, x, part = found
            yield self.contribute(node, slot, x, part)
            if x.op is not None:
                yield self.visit(x)
                stack.append((x, self.hand_on(x)))

    def breadth_first(self) -> Iterator[Step]:
        queue, queued = [self.root], {self.root}
        for node in queue:  # which grows meanwhile
            if node.op is None:
                continue
            yield self.visit(node)
            for slot, x, part in self.hand_on(node):
                yield self.contribute(node, slot, x, part)
                if x not in queued:
                    queued.add(x)
                    queue.append(x)

    def hand_on(self, node: Tensor) -> Iterator[tuple[int, Tensor, Any]]:
        """What a tensor sends to each of its inputs, from the gradient that it has now."""
        g = self.grads[node]
        for slot, x in engine.receivers(node):
            raw = apply_rule(node, slot, g)
            if raw is not None:
                yield slot, x, raw if raw.shape == x.array.shape else engine.without_broadcast(raw, node, slot)

    def visit(self, node: Tensor) -> Step:
        got, uses = self.got.get(node, 0), self.uses[node]
        return Step("backward", "visit", self.ids[node], "", after=self.ref(self.grads[node]), got=got, uses=uses)

    def contribute(self, node: Tensor, slot: int, x: Tensor, part: Any) -> Step:
        before = self.grads.get(x)
        self.grads[x] = part if before is None else before + part
        self.got[x] = self.got.get(x, 0) + 1
        return Step(
            "backward",
            "contribute",
            self.ids[node],
            "",
            to=self.ids[x],
            edge=self.edges[node, slot].id,
            slot=slot,
            reduced=self.ref(part),
            before=None if before is None else self.ref(before),
            after=self.ref(self.grads[x]),
            got=self.got[x],
            uses=self.uses[x],
        )

    def order(self, walk: Callable[[_Run], Iterator[Step]], name: str, idea: str, code: str, right: dict[Tensor, Any]) -> Order:
        first_wrong = None
        nodes = {id: x for x, id in self.ids.items()}
        steps = [Step("backward", "seed", self.ids[self.root], "", after=self.ref(self.grads[self.root]))]
        stopped = False
        for step in walk(self):
            if len(steps) > MOST_STEPS:
                stopped = True
                break
            if step.kind == "visit" and first_wrong is None:
                node = nodes[step.node]
                if not _close(self.grads[node], right[node]):
                    first_wrong = len(steps)
            steps.append(step)
        wrong = {}
        for x, expected in right.items():
            given = self.grads.get(x)
            if given is None or not _close(given, expected):
                wrong[self.ids[x]] = self._wrong(given, expected)
        return Order(name, idea, code, steps, self.tensors, first_wrong, wrong, stopped)

    def _wrong(self, given: Any, right: Any) -> Wrong:
        found = np.zeros_like(right) if given is None else given
        used = right != 0
        ratios = found[used] / right[used]
        constant = ratios.size and np.allclose(ratios, ratios.reshape(-1)[0], rtol=1e-3) and not np.any(found[~used])
        times = float(ratios.reshape(-1)[0]) if constant else None
        return Wrong(None if given is None else self.ref(given), self.ref(right), times, float(np.max(np.abs(found - right))))


def _close(a: Any, b: Any) -> bool:
    return np.allclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True)
