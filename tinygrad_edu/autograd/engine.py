"""The backward pass: topological order, the chain rule along it, and the same walk as data to look at.

`chain_rule` visits the tensors of a graph in reverse topological order, and at each one hands the gradient on to the inputs.
What learners call, `backward`, `grad` and `steps` in gradients.py, all run this one walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from numpy import generic, ndarray

from .. import backend, clock
from ..errors import GraphError, ShapeError, describe
from ..grad_mode import set_grad_enabled
from ..op import _cast
from ..ops.creation import _move
from ..ops.indexing import _index, _where, takes_once
from ..ops.shape import clone, sum_to
from ..tensor import Tensor, wrap
from .changes import as_taken, as_used, check_unchanged
from .messages import RELEASED, SPENT, as_gradient, explained, name_of, rule_name, warn_of_nan

# A graph that holds more bytes than this is let go while backward walks through it (unless retain_graph=True), so that
# training needs little memory; a smaller one stays, so that it can be drawn after backward.
KEEP_GRAPH_BYTES = 16 * 2**20
NODE_BYTES = 1000  # what a tensor of the graph takes beside its numbers

_CHOICE, _PART = _where.op, _index.op
_COPIES = {_cast.op, clone.op, _move.op}

check_gradient: Callable | None = None  # called with every contribution under detect_anomaly


class Step(NamedTuple):
    """One step of a backward pass, as `steps` yields it. Gradients are arrays.

    kind "seed": `node` is the root, `after` the gradient it starts with.
    kind "visit": every consumer of `node` has reported; `after` is its complete gradient.
    kind "contribute": `node` sends `raw` to its input number `slot`, the tensor `to`; summed over broadcast axes it is
    `reduced`; `to` had `before` (None: nothing yet) and now has `after`; `got` of its `uses` parts are in.
    kind "done": `node` is the root; the walk is over.
    """

    kind: str
    node: Tensor
    slot: int | None = None
    to: Tensor | None = None
    raw: Any = None
    reduced: Any = None
    before: Any = None
    after: Any = None
    got: int = 0
    uses: int = 0


def topological_order(roots: Sequence[Tensor], targets: set[Tensor] | None = None, to_look_at: bool = False) -> list[Tensor]:
    """The results of operations that the roots were made from and a gradient passes through, each after what it was made from.

    A tensor is always made after its inputs, so the order of creation is a topological order: collect, then sort by it.
    With `targets`, only the tensors through which a gradient passes on its way to these. Only `to_look_at` may the graph have
    been used up, as long as it was kept.
    """
    order = [root for root in dict.fromkeys(roots) if root.op is not None]
    found = set(order)
    for node in order:  # which grows meanwhile
        if (
            node.spent
            and not _copies_leaf(node)
            and not (node.inputs and (to_look_at or targets is not None))
            and (targets is None or any(x.serial < node.serial for x in targets))  # it may have been made from an older one
        ):
            raise GraphError((RELEASED if to_look_at else SPENT).format(describe(node)))
        for x in node.inputs:
            if isinstance(x, Tensor):
                if x.serial > node.serial:  # something was done to it after this use
                    x = as_used(x, node)
                if x.op is not None and x not in found:
                    found.add(x)
                    order.append(x)
    order.sort(key=attrgetter("serial"))
    if targets is None:
        return order
    passed = set(targets)
    for node in order:
        if any(isinstance(x, Tensor) and x in passed for x in node.inputs):
            if node.spent and not _copies_leaf(node):
                raise GraphError(SPENT.format(describe(node)))
            passed.add(node)
    return [node for node in order if node in passed]


def _copies_leaf(node: Tensor) -> bool:
    """Whether backward may go through it again, as through a view: it is a leaf in another dtype or place, and its rule needs no value."""
    while node.inputs and (node.op in _COPIES or node.op.view):  # type: ignore[union-attr]
        node = node.inputs[0]
    return node.op is None


def leaves(order: Iterable[Tensor]) -> list[Tensor]:
    """The leaves that require grad and from which these results were made."""
    inputs = dict.fromkeys(x for node in order for x in node.inputs if isinstance(x, Tensor))
    return [x for x in inputs if x.op is None and x._requires_grad]


def chain_rule(
    order: list[Tensor],
    roots: Sequence[Tensor],
    seeds: Sequence[Any],
    complete: dict[Tensor, Any],
    *,
    targets: set[Tensor] | None = None,
    retain_graph: bool,
    create_graph: bool = False,
    watch: bool = False,
) -> Iterator[Step]:
    """Walk back from the roots along the chain rule; yields steps only if watched.

    `complete` gets the gradient of each leaf (or of each of the `targets`) and of each tensor that retains its own.
    Gradients are arrays and rules run on arrays; with `create_graph` both are tensors, and what rules do is recorded.
    """
    on_path = None if targets is None else {*order, *targets}
    uses = count_uses(roots, order) if watch else {}
    got = dict.fromkeys(uses, 0)
    last_change = clock.last_change
    for node in order:
        if last_change < node.serial:  # usual: nothing was changed in place since the first operation
            break
        check_unchanged(node, on_path)
    grads: dict[Tensor, Any] = {}
    sums: set[Tensor] = set()  # whose gradient is a sum that this loop made, so that it may be added to in place
    large = sum(map(attrgetter("array.nbytes"), order)) + NODE_BYTES * len(order) > KEEP_GRAPH_BYTES
    chose = False  # whether a where() was on the way
    for root, seed in zip(roots, seeds, strict=True):
        grads[root] = grads[root] + seed if root in grads else seed
        if watch:
            yield Step("seed", root, after=seed)
    node = roots[0]
    try:
        while order:
            node = order.pop()
            this: Any = node.op
            g = grads.pop(node, None)
            if g is None:  # nothing flowed here
                if node in uses:
                    for _, x in receivers(node):
                        uses[x] -= 1
                continue
            if node._hooks is not None:
                g = _run_hooks(node, g, create_graph)
                if node._retains_grad:
                    complete[node] = g
            if on_path is not None:
                if targets and node in targets:
                    complete[node] = g
                on_path.discard(node)  # so that it can be freed
                if not any(isinstance(x, Tensor) and x in on_path for x in node.inputs):
                    continue
            if watch:
                yield Step("visit", node, after=g, got=got[node], uses=uses[node])
            if clock.last_change != last_change:  # changed by a hook, say, while this loop runs
                check_unchanged(node, on_path)
            if this is _CHOICE:
                chose = True
            if create_graph:
                z, *values = map(as_taken, (node, *node.inputs))
            else:
                z, values = node.array, node.values
            settings = node.settings if this.keeps is None else {**node.settings, this.keeps: None if create_graph else node.kept}
            joint = this.joint
            rules = this.rules if joint is None else _one_each(node, joint(g, z, *values, **settings))
            for slot, x in enumerate(node.inputs):
                if not isinstance(x, Tensor) or not x._requires_grad or (on_path is not None and x not in on_path):
                    continue
                rule = rules[slot]
                if this is _PART and x in sums and x.array.ndim and not (watch or create_graph) and takes_once(settings["index"]):
                    grads[x][settings["index"]] += g  # else zeros as large as x for each part: three times as long for 200 steps
                    continue
                if joint is not None:
                    raw = rule() if callable(rule) else rule  # a function where it is worth its time only if wanted
                elif rule is None:
                    continue
                else:
                    raw = rule(g, z, *values, **settings) if settings else rule(g, z, *values)
                if create_graph or (type(raw) is not ndarray and not isinstance(raw, generic)):
                    if raw is None and joint is not None:
                        if watch:
                            uses[x] -= 1
                        continue
                    raw = as_gradient(raw, node, slot, create_graph)
                if check_gradient is not None:
                    check_gradient(node, slot, x, g, raw)
                part = raw if raw.shape == x.array.shape else without_broadcast(raw, node, slot)
                before = grads.get(x)
                if before is None:
                    grads[x] = part
                elif x in sums and not (watch or create_graph):
                    before += part
                    grads[x] = before
                else:
                    grads[x] = before + part
                    sums.add(x)
                if watch:
                    got[x] += 1
                    yield Step("contribute", node, slot, x, raw, part, before, grads[x], got[x], uses[x])
            if not retain_graph and not this.view:  # the rule of a view (x[0], x.T) needs no value, so it may be used again
                node.spent = True
                if this.keeps is not None:
                    node.kept = None
                if large and not _copies_leaf(node):
                    node.inputs, node.values, node._before = (), (), None
        for x, g in grads.items():  # what is left are the leaves
            if on_path is None or x in on_path:
                node = x
                complete[x] = g if x._hooks is None else _run_hooks(x, g, create_graph)
    except Exception as error:
        raise explained(error, node) from None
    if chose:
        warn_of_nan(roots, complete)
    if watch:
        yield Step("done", roots[0])


def _one_each(node: Tensor, gradients: Any) -> Any:
    """What a joint rule returned: one gradient for each input, or a function that computes it."""
    if not isinstance(gradients, list | tuple) or len(gradients) != len(node.inputs):
        number = f"{len(gradients)} gradients" if isinstance(gradients, list | tuple) else f"a {type(gradients).__name__}"
        raise GraphError(
            f"the joint rule of {name_of(node)} returned {number} for {len(node.inputs)} inputs: it must return a list with one "
            "gradient for each input, None for one that gets none."
        )
    return gradients


def without_broadcast(raw: Any, node: Tensor, slot: int) -> Any:
    """A rule's result summed over the dims along which its input was broadcast."""
    x = node.inputs[slot]
    try:
        return sum_to(raw, shape=x.array.shape)
    except ShapeError:
        raise ShapeError(
            f"{rule_name(node, slot)} returned a gradient of shape {raw.shape}; its input is {describe(x)}, and a gradient "
            "must have the input's shape, or one to which that broadcasts."
        ) from None


def receivers(node: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The inputs to which a tensor hands its gradient on, one for each use, by number."""
    for slot, x in enumerate(node.inputs):
        if isinstance(x, Tensor) and x._requires_grad and (node.op.joint is not None or node.op.rules[slot] is not None):  # type: ignore[union-attr]
            yield slot, x


def count_uses(roots: Sequence[Tensor], order: list[Tensor]) -> dict[Tensor, int]:
    """How many parts the gradient of each tensor that gets one has: one for each use of it."""
    uses = dict.fromkeys(roots, 0)
    for node in reversed(order):
        if node in uses:
            for _, x in receivers(node):
                uses[x] = uses.get(x, 0) + 1
    return uses


def _run_hooks(node: Tensor, g: Any, create_graph: bool) -> Any:
    """The gradient after the tensor's hooks; a hook gets a tensor of its own: changed in place, it changes no other one's gradient."""
    g = g.clone() if create_graph else wrap(backend.as_array(g).copy())
    for hook in list(node._hooks.values()):
        with set_grad_enabled(create_graph):
            replaced = hook(g)
        if replaced is None:
            continue
        if not isinstance(replaced, Tensor) or (replaced.shape, replaced.dtype) != (g.shape, g.dtype):
            given = describe(replaced) if isinstance(replaced, Tensor) else f"a {type(replaced).__name__}"
            raise ShapeError(
                f"a hook on {describe(node)} returned {given}: it must return None, or a gradient of shape {g.shape} and {g.dtype}."
            )
        g = replaced
    return g if create_graph else g.array
