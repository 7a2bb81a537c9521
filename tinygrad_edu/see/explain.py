"""Where does this gradient come from? `explain` answers with numbers.

A gradient is a sum over the uses of a tensor, and each part of it a sum over paths: along a path the local derivatives multiply.
Both are read off the engine's own walk and its own rules. Rules are linear in the incoming gradient, so a path's share is what
the rules along it make of the gradient at its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import engine, gradients
from ..errors import GraphError
from ..ops.shape import sum_to
from ..tensor import Tensor
from .equation import apply_rule
from .plain import numbers_of, on_cpu
from .source import known, learners_frame
from .style import on_one_line, short
from .trace import Tracer, without_rule

PATHS = 12  # at most this many paths are listed
LINES = 40  # and of an element's chain this many lines
REACH = 1024  # largest tensor through which one element is followed


@dataclass(frozen=True)
class Use:
    """One use of a tensor: input number `slot` of `node`; the gradient that came back from it, and the loss it came from."""

    loss: Tensor
    node: Tensor
    slot: int
    gradient: Any


class Explanation:
    """Where a gradient comes from; printing it shows it.

    total: the gradient. uses: its parts, in the order in which they arrived.
    """

    def __init__(self, lines: list[str], total: Any, uses: list[Use]) -> None:
        self._lines, self.total, self.uses = lines, total, uses

    def __str__(self) -> str:
        return "\n".join(self._lines)

    __repr__ = __str__


def explain(
    x: Tensor, loss: Tensor | None = None, *, gradient: Any = None, element: int | tuple[int, ...] | None = None
) -> Explanation:
    """Where the gradient of `x` comes from: its parts by use, and the paths with their products of local derivatives.

    Args:
        x: a tensor that requires grad: a leaf or anything between.
        loss: what backward started from; default: the losses among the caller's variables on which backward() was called and that
            x is part of.
        gradient: the gradient that backward started with, if not 1.
        element: an index into x: the whole chain of numbers for this one element.

    Raises:
        GraphError: no such loss is found, its graph was let go, or x is no part of it.
        TypeError: x or the loss is no tensor.

    >>> from tinygrad_edu import tensor, explain
    >>> x = tensor(3.0, requires_grad=True)
    >>> y = x * x + x
    >>> y.backward()
    >>> explain(x)
    x.grad = 7 = 1 via add (line 1) + 3 via mul (line 1) + 3 via mul (line 1)
    paths from y, each the product of its local derivatives:
      y ← add ← x         1 · 1 = 1
      y ← add ← mul ← x   1 · 1 · 3 = 3
      y ← add ← mul ← x   1 · 1 · 3 = 3
    """
    for given in [x] if loss is None else [x, loss]:
        if not isinstance(given, Tensor):
            raise TypeError(f"explain takes a tensor, such as model.weight, and then the loss, not a {type(given).__name__}.")
    if loss is not None and gradient is None and x.array.size == 1 < loss.array.size:
        raise GraphError(
            f"explain(x, loss): first the tensor, then the loss, which is one number. The two seem to be swapped: the second has shape "
            f"{loss.shape}."
        )
    if not x.requires_grad:
        raise GraphError("explain takes a tensor that requires grad: no gradient reaches any other.")
    losses = [loss] if loss is not None else _losses_of(x)
    walks = [_Walk(root, gradient) for root in losses]
    if not any(x in walk.gradients for walk in walks):
        stops = [f"{walk.tracer.made_by(node)} has no rule for {argument}" for walk in walks for node, argument in walk.stops(x)]
        why = (
            f"the gradient stops before it: {', '.join(stops)}."
            if stops
            else "no use of it leads there; was it detached on the way?"
        )
        raise GraphError(f"explain: this tensor is no part of the loss: {why}")
    if element is None:
        return _by_uses(x, walks)
    index = _index_of(x, element)
    head = "each term: the gradient of the element in brackets, times how it changes with this one"
    lines = [line for walk in walks if x in walk.gradients for line in walk.chain(x, index)]
    return Explanation([head, *lines], sum(walk.gradients[x][index] for walk in walks if x in walk.gradients), [])


def _losses_of(x: Tensor) -> list[Tensor]:
    """The caller's variables on which backward was called and whose graphs contain x."""
    found = {}
    for _, value in known(learners_frame()):
        if isinstance(value, Tensor) and value.spent and value.inputs and value.array.size == 1:
            order = engine.topological_order([value], to_look_at=True)
            found[value] = {*order[:-1], *engine.leaves(order)}
    inner = {node for graph in found.values() for node in graph}
    losses = [value for value, graph in found.items() if value not in inner and (x is value or x in graph)]
    if not losses:
        raise GraphError(
            "explain found no loss among your variables that went through backward() and that this tensor is part of. Keep the loss "
            "in a variable (loss = f(x); loss.backward()), or say explain(x, loss)."
        )
    return losses


def _by_uses(x: Tensor, walks: list[_Walk]) -> Explanation:
    found = [(walk, *part) for walk in walks for part in walk.parts.get(x, [])]
    uses = [Use(walk.loss, node, slot, part) for walk, node, slot, part in found]
    total: Any = sum((use.gradient for use in uses[1:]), start=uses[0].gradient) if uses else walks[0].gradients[x]
    name = walks[0].gradient_of(x)
    parts = [f"{_line(part)} via {walk.tracer.made_by(node)}" for walk, node, _, part in found]
    if len(parts) == 1:
        lines = [f"{name} = {_line(total)}, all of it via {found[0][0].tracer.made_by(uses[0].node)}"]
    elif np.size(total) == 1 or not parts:
        lines = [" = ".join([name, _line(total), *([" + ".join(parts)] if parts else [])])]
    else:
        lines = [f"{name} = {_line(total)}, the sum of", *(f"  {part}" for part in parts)]
    held = total if x._grad is None else x._grad.array
    if not np.allclose(on_cpu(held), on_cpu(total), rtol=1e-4, atol=1e-6, equal_nan=True):
        lines.append(
            f"But {name} is {_line(held)}: something else added to it or changed it, such as an earlier backward() whose loss is gone, "
            "a hook, or clipping. Set it to None (zero_grad) before backward() to start from nothing."
        )
    for walk in walks:
        lines += walk.paths(x)
    return Explanation(lines, total, uses)


def _line(array: Any) -> str:
    return on_one_line(numbers_of(array))


class _Walk:
    """One backward pass: gradients, the parts they are made of, and names."""

    def __init__(self, loss: Tensor, gradient: Any) -> None:
        self.loss = loss
        self.tracer = Tracer(loss, gradient, True)
        self.gradients: dict[Tensor, Any] = {}
        self.parts: dict[Tensor, list[tuple[Tensor, int, Any]]] = {}
        for step in gradients.steps(loss, gradient):
            if step.kind == "contribute" and step.to is not None:
                self.parts.setdefault(step.to, []).append((step.node, step.slot or 0, step.reduced))
                self.gradients[step.to] = step.after
            elif step.kind in ("seed", "visit"):
                self.gradients[step.node] = step.after

    def name(self, node: Tensor) -> str:
        return self.tracer.names[node]

    def stops(self, x: Tensor) -> list[tuple[Tensor, str]]:
        """The operations that use x and have no rule for it."""
        made = (node for node in self._order() if node.op is not None)
        return [(node, argument) for node in made for argument, stopped in without_rule(node) if stopped is x]

    def gradient_of(self, x: Tensor) -> str:
        """`w.grad` of a leaf, else `∂loss/∂h`."""
        return f"{self.name(x)}.grad" if x.op is None else f"∂{self.name(self.loss)}/∂{self.name(x)}"

    # -- paths -----------------------------------------------------------------------------------------------------
    def paths(self, x: Tensor) -> list[str]:
        """The paths from the loss to x as lines of text, the first few of them."""
        count = self._count_paths(x)
        if count == 0:
            return []
        found = [path for path, _ in zip(self._paths(x), range(PATHS), strict=False)]
        rows = [(self._spelled(path, x), self._product(path)) for path in found]
        width = max(len(spelled) for spelled, _ in rows)
        scalar = all(node.array.size == 1 for path in found for node, _ in path) and x.array.size == 1
        told = "each the product of its local derivatives" if scalar else "with the share of each"
        lines = [f"paths from {self.name(self.loss)}, {told}:", *(f"  {a.ljust(width)}   {b}" for a, b in rows)]
        return [*lines, f"  ... and {count - len(found)} more"] if count > len(found) else lines

    def _count_paths(self, x: Tensor) -> int:
        """How many there are; there may be very many."""
        counts: dict[Tensor, int] = {self.loss: 1}
        for node in reversed(list(self._order())):
            if node is not self.loss:
                counts[node] = sum(counts.get(consumer, 0) for consumer, _, _ in self.parts.get(node, []))
        return counts.get(x, 0) if x is not self.loss else 0

    def _order(self) -> list[Tensor]:
        order = engine.topological_order([self.loss], to_look_at=True)
        return engine.leaves(order) + order

    def _paths(self, x: Tensor) -> Iterator[list[tuple[Tensor, int]]]:
        """Each path as (operation's result, input number), from the loss to x."""
        stack: list[tuple[Tensor, list[tuple[Tensor, int]]]] = [(x, [])]
        while stack:
            node, behind = stack.pop()
            if node is self.loss and behind:
                yield behind
                continue
            stack += [(consumer, [(consumer, slot), *behind]) for consumer, slot, _ in reversed(self.parts.get(node, []))]

    def _spelled(self, path: list[tuple[Tensor, int]], x: Tensor) -> str:
        ops = [node.op.name for node, _ in path if node.op is not None]
        return " ← ".join([self.name(self.loss), *ops, self.name(x)])

    def _product(self, path: list[tuple[Tensor, int]]) -> str:
        """What the rules along a path make of the gradient that backward starts with."""
        g = self.gradients[self.loss]
        factors = [g]
        for node, slot in path:
            before, g = g, backward_through(node, slot, g)
            factors.append(backward_through(node, slot, np.ones_like(before)))
        if all(np.size(f) == 1 for f in factors):
            return " · ".join(short(f.item()) for f in factors) + f" = {short(g.item())}"
        return _line(g)

    # -- one element -----------------------------------------------------------------------------------------------
    def chain(self, x: Tensor, index: tuple[int, ...]) -> list[str]:
        """All the numbers behind one element of a gradient: its own line, and one for each element that it depends on.

        First what those are that the learner gave no name.
        """
        lines: list[str] = []
        waiting, seen = [(x, index)], {(x, index)}
        unnamed: dict[Tensor, str] = {}
        while waiting and len(lines) < LINES:
            node, at = waiting.pop(0)
            terms = []
            for consumer, slot, _ in self.parts.get(node, []):
                for k, local in self._depends(consumer, slot, at):
                    if self.name(consumer) == self.tracer.ids[consumer]:
                        unnamed[consumer] = f"{self.name(consumer)} is {self.tracer.expression(consumer)}"
                    terms.append(f"{short(self.gradients[consumer][k].item())}·{short(local)} [{self._spot(consumer, k)}]")
                    if (consumer, k) not in seen:
                        seen.add((consumer, k))
                        waiting.append((consumer, k))
            value = short(self.gradients[node][at].item())
            if node is self.loss and not terms:
                lines.append(f"∂{self.name(node)}/∂{self._spot(node, at)} = {value}, where backward starts")
            else:
                lines.append(f"∂{self.name(self.loss)}/∂{self._spot(node, at)} = {' + '.join(terms) or '0'} = {value}")
        if waiting:
            lines.append(f"... and {len(waiting)} more elements")
        return [", ".join(reversed(unnamed.values())), *lines] if unnamed else lines

    def _spot(self, node: Tensor, at: tuple[int, ...]) -> str:
        return self.name(node) + (f"[{', '.join(map(str, at))}]" if at else "")

    def _depends(self, node: Tensor, slot: int, at: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
        """The elements of an operation's result that change with element `at` of its input, and how much each does."""
        g = self.gradients[node]
        if g.size > REACH:
            raise GraphError(
                f"explain(element=...) follows one element through tensors of up to {REACH} elements; {self.name(node)} has {g.size}. "
                "Use fewer samples or a smaller model."
            )
        for k in np.ndindex(g.shape):
            one = np.zeros_like(g)
            one[k] = 1
            local = backward_through(node, slot, one)[at].item()
            if local != 0:
                yield k, local


def _index_of(x: Tensor, element: int | tuple[int, ...]) -> tuple[int, ...]:
    index = element if isinstance(element, tuple) else (element,)
    if len(index) != x.ndim or not all(isinstance(i, int) and -n <= i < n for i, n in zip(index, x.shape, strict=True)):
        raise IndexError(f"element must be the index of one element of a tensor of shape {x.shape}; it is {element!r}.")
    return tuple(i % n for i, n in zip(index, x.shape, strict=True))


def backward_through(node: Tensor, slot: int, g: Any) -> Any:
    """What an operation's own rule makes of a gradient for its input `slot`, with broadcasting undone."""
    raw = apply_rule(node, slot, g)
    shape = node.inputs[slot].array.shape
    return raw if raw.shape == shape else sum_to(raw, shape=shape)
