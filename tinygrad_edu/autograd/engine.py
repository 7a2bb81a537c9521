"""The backward pass: topological order, the chain rule along it, and the same walk as data to look at.

Everything is in `_chain_rule`: it visits the tensors of a graph in reverse topological order, and at each one hands the
gradient on to the inputs. `backward`, `grad` and `steps` all run this one walk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from operator import attrgetter
from sys import getrefcount, modules
from typing import Any, NamedTuple

import numpy as np

from .. import backend, clock
from ..errors import DeviceError, GraphError, ShapeError, describe
from ..grad_mode import enable_grad, set_grad_enabled
from ..op import cast, registry
from ..ops.creation import tensor
from ..ops.indexing import _where
from ..ops.shape import sum_to
from ..tensor import Tensor, wrap
from ..views import refresh
from .changes import as_taken, as_used, check_unchanged
from .messages import RELEASED, SPENT, explained, name_of, rule_name, warn_of_nan

# A graph that holds more bytes than this is let go while backward walks through it (unless retain_graph=True), so that
# training needs little memory; a smaller one stays, so that it can be drawn after backward.
KEEP_GRAPH_BYTES = 16 * 2**20
NODE_BYTES = 1000  # what a tensor of the graph takes beside its numbers

_CHOICE = _where.op


def _references_of_a_new_array() -> int:
    gradients = {None: np.empty(0)}
    g = gradients[None]
    return getrefcount(g)


# A gradient is an array of its own, which may be given away, if nothing else refers to it than a dict and a variable.
_OF_A_NEW_ARRAY = _references_of_a_new_array()

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
        if node.spent and not (node.inputs and (to_look_at or targets is not None)) and not (targets and node in targets):
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
            if node.spent:
                raise GraphError(SPENT.format(describe(node)))
            passed.add(node)
    return [node for node in order if node in passed]


def leaves(order: Iterable[Tensor]) -> list[Tensor]:
    """The leaves that require grad and from which these results were made."""
    inputs = dict.fromkeys(x for node in order for x in node.inputs if isinstance(x, Tensor))
    return [x for x in inputs if x.op is None and x._requires_grad]


def _chain_rule(
    order: list[Tensor],
    roots: Sequence[Tensor],
    seeds: Sequence[Any],
    complete: dict[Tensor, Any],
    *,
    targets: set[Tensor] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    watch: bool = False,
) -> Iterator[Step]:
    """Walk back from the roots along the chain rule; yields steps only if watched.

    `complete` gets the gradient of each leaf (or of each of the `targets`) and of each tensor that retains its own.
    Gradients are arrays and rules run on arrays; with `create_graph` both are tensors, and what rules do is recorded.
    """
    on_path = None if targets is None else {*order, *targets}
    uses = _count_uses(roots, order) if watch else {}
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
    node, raw = roots[0], None
    try:
        while order:
            node = order.pop()
            this: Any = node.op
            g = grads.pop(node, None)
            if g is None:  # nothing flowed here
                if node in uses:
                    for _, x in _receivers(node):
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
                if joint is not None:
                    raw = rule() if callable(rule) else rule  # a function where it is worth its time only if wanted
                elif rule is None:
                    continue
                else:
                    raw = rule(g, z, *values, **settings) if settings else rule(g, z, *values)
                if raw is None:
                    if watch:
                        uses[x] -= 1
                    continue
                if check_gradient is not None:
                    check_gradient(node, slot, x, g, raw)
                part = raw if raw.shape == x.array.shape else _fit(raw, node, slot)
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
                if large:
                    node.inputs, node.values, node._before = (), (), None
        for x, g in grads.items():  # what is left are the leaves
            if x.op is None and (on_path is None or x in on_path):
                node = x
                complete[x] = g if x._hooks is None else _run_hooks(x, g, create_graph)
    except Exception as error:
        raise explained(error, node, raw) from None
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


def _fit(raw: Any, node: Tensor, slot: int) -> Any:
    """A rule's result summed over the dims along which its input was broadcast."""
    x = node.inputs[slot]
    try:
        return sum_to(raw, shape=x.array.shape)
    except ShapeError:
        raise ShapeError(
            f"{rule_name(node, slot)} returned a gradient of shape {raw.shape}; its input is {describe(x)}, and a gradient "
            "must have the input's shape, or one to which that broadcasts."
        ) from None


def _receivers(node: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The inputs to which a tensor hands its gradient on, one for each use, by number."""
    for slot, x in enumerate(node.inputs):
        if isinstance(x, Tensor) and x._requires_grad and (node.op.joint is not None or node.op.rules[slot] is not None):  # type: ignore[union-attr]
            yield slot, x


def _count_uses(roots: Sequence[Tensor], order: list[Tensor]) -> dict[Tensor, int]:
    """How many parts the gradient of each tensor that gets one has: one for each use of it."""
    uses = dict.fromkeys(roots, 0)
    for node in reversed(order):
        if node in uses:
            for _, x in _receivers(node):
                uses[x] = uses.get(x, 0) + 1
    return uses


def _run_hooks(node: Tensor, g: Any, create_graph: bool) -> Any:
    """The gradient after the tensor's hooks; a hook gets a tensor of its own, so changing it in place is harmless."""
    g = g if create_graph else wrap(backend.as_array(g).copy())
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


# -- what users call -------------------------------------------------------------------------------------------------
def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of `tensors` with respect to every leaf that they were made from to that leaf's `.grad`.

    leaf.grad += Σ (∂tensor/∂leaf)ᵀ grad_tensor

    Args:
        tensors: the tensor(s) to differentiate.
        grad_tensors: the gradient to start with, of the tensor's shape; may be left out for tensors of one element (1).
        retain_graph: keep the graph for another backward pass (default: only with create_graph).
        create_graph: record the backward pass itself, for derivatives of derivatives.
        inputs: fill `.grad` of these tensors only.

    Raises:
        GraphError: nothing here requires grad; not a scalar and no gradient given; the graph was used up.
        ShapeError: a gradient of the wrong shape.
        InplaceError: a value that is needed was changed in place.

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.backward.html
    """
    roots, seeds = _roots_and_seeds(tensors, grad_tensors, create_graph)
    targets = None if inputs is None else _as_list(inputs)
    if targets is not None:
        if not targets:
            raise GraphError("backward(inputs=[]) asks for no gradient at all; leave inputs out, or name tensors.")
        _require_grad(targets, "backward(inputs=...)")
    keep = create_graph if retain_graph is None else retain_graph

    found = _run(roots, seeds, targets, keep, create_graph)
    _deposit(found)
    for x in found:
        if x._grad_hooks is not None:
            for hook in list(x._grad_hooks.values()):
                hook(x)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`, returned; no `.grad` is touched.

    Args:
        outputs, grad_outputs, retain_graph, create_graph: as for `backward`.
        inputs: tensors that require grad.
        only_inputs: taken for PyTorch's sake, where it has been without effect for long.
        allow_unused: give None for an input on which the outputs do not depend, instead of raising.
        materialize_grads: give zeros instead of None.

    Raises:
        GraphError: as `backward`; or an input that was not used.

    >>> from tinygrad_edu import tensor, autograd
    >>> x = tensor(3.0, requires_grad=True)
    >>> autograd.grad(x * x, x)
    (tensor(6.),)

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True gives zeros for unused inputs, so allow_unused=False cannot hold.")
    roots, seeds = _roots_and_seeds(outputs, grad_outputs, create_graph)
    targets = _as_list(inputs)
    _require_grad(targets, "autograd.grad")
    keep = create_graph if retain_graph is None else retain_graph
    found = _run(roots, seeds, targets, keep, create_graph, all_used=not (allow_unused or materialize_grads))
    _deposit({x: g for x, g in found.items() if x._retains_grad})
    return tuple(found[x] if x in found else wrap(np.zeros_like(x.array)) if materialize_grads else None for x in targets)


def steps(root: Tensor, gradient: Any = None) -> Iterator[Step]:
    """Every application of the chain rule of `root.backward(gradient)`, one by one, as data; no `.grad` is touched.

    Works before backward and, while the graph is kept, after it.

    >>> from tinygrad_edu import tensor, autograd
    >>> x = tensor(3.0, requires_grad=True, name="x")
    >>> for step in autograd.steps(x * x):
    ...     print(step.kind, step.got, step.uses, step.after)
    seed 0 0 1.0
    visit 0 0 1.0
    contribute 1 2 3.0
    contribute 2 2 6.0
    done 0 0 None
    """
    roots, seeds = _roots_and_seeds(root, gradient, False)
    return _chain_rule(topological_order(roots, to_look_at=True), roots, seeds, {}, retain_graph=True, watch=True)


def _run(
    roots: list[Tensor],
    seeds: list[Any],
    targets: list[Tensor] | None,
    retain_graph: bool,
    create_graph: bool,
    all_used: bool = False,
) -> dict[Tensor, Tensor]:
    """The whole walk; the gradients of the leaves, or of the targets, as tensors."""
    wanted = None if targets is None else set(targets)
    order = topological_order(roots, wanted)
    if all_used:
        _require_used(targets or (), {*roots, *order, *leaves(order)})
    found: dict[Tensor, Any] = {}
    walk = _chain_rule(order, roots, seeds, found, targets=wanted, retain_graph=retain_graph, create_graph=create_graph)
    if create_graph:
        with enable_grad():
            deque(walk, maxlen=0)
    else:
        deque(walk, maxlen=0)
        _make_tensors(found)
    if all_used:
        _require_used(targets or (), found)
    return found


def _make_tensors(gradients: dict[Tensor, Any]) -> None:
    """Arrays that are the gradients of tensors become tensors, each with memory and the dtype of its own."""
    for x in gradients:
        g = gradients[x]
        if type(g) is not np.ndarray:
            g = backend.as_array(g)
        if g.dtype != x.array.dtype or g.base is not None or getrefcount(g) > _OF_A_NEW_ARRAY:
            g = g.astype(x.array.dtype)
        gradients[x] = wrap(g)


_depositing = threading.Lock()  # backward passes of several threads may share leaves


def _deposit(found: dict[Tensor, Tensor]) -> None:
    """Add gradients to `.grad`, now that the whole walk went well."""
    with _depositing:
        for x, g in found.items():
            if x._grad is not None:
                x._grad = x._grad + g
            else:
                x._grad = g.clone() if g._requires_grad else g


def _as_list(tensors: Any) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    found = list(tensors)
    for x in found:
        if not isinstance(x, Tensor):
            raise TypeError(f"expected a tensor or a sequence of tensors, but there is a {type(x).__name__} in it.")
    return found


def _require_grad(tensors: list[Tensor], who: str) -> None:
    for x in tensors:
        if not x._requires_grad:
            learners = [this for this in registry.values() if not (this.forward.__module__ or "").startswith("tinygrad_edu.")]
            without = [this.name for this in learners if not this.differentiable]
            raise GraphError(
                f"{who}: {describe(x)} does not require grad. Make it with requires_grad=True, and not under no_grad() or from "
                "detached, integer or plain values only."
                + "".join(f" What {name} makes never requires grad: it is an @op without a rule (dx=...)." for name in without)
                + " What a compiled function returns has no history: call backward() in it."
                * ("tinygrad_edu.compiler" in modules)
            )


def _require_used(targets: Iterable[Tensor], reached: Container[Tensor]) -> None:
    for x in targets:
        if x not in reached:
            raise GraphError(
                f"the outputs do not depend on {describe(x)}. Pass allow_unused=True to get None for it, or check that it was "
                "not detached or replaced on the way."
            )


def _roots_and_seeds(outputs: Any, gradients: Any, create_graph: bool) -> tuple[list[Tensor], list[Any]]:
    """The tensors to start from and their first gradients (tensors with create_graph, else arrays), checked."""
    roots = _as_list(outputs)
    for root in roots:
        if root.base is not None:
            refresh(root)
    _require_grad(roots, "backward")
    if gradients is None:
        seeds = [_one(root) for root in roots]
    else:
        if isinstance(gradients, Tensor):
            given: Any = [gradients] * len(roots)
        else:
            given = gradients if isinstance(gradients, list | tuple) and len(gradients) == len(roots) else [gradients]
        if len(given) != len(roots):
            raise GraphError(f"{len(roots)} tensors need {len(roots)} gradients to start with; {len(given)} were given.")
        seeds = [_one(root) if g is None else _as_seed(g, root) for root, g in zip(roots, given, strict=True)]
    return roots, seeds if create_graph else [seed.array for seed in seeds]


def _one(root: Tensor) -> Tensor:
    """The gradient of a single number with respect to itself."""
    if root.array.size != 1:
        raise GraphError(
            f"backward() starts from a single number, and this tensor has shape {root.shape}. Reduce it to a scalar loss "
            "first (loss.sum() or loss.mean()), or pass backward(gradient=...) with a gradient of that shape."
        )
    one = root.array.copy()
    one.fill(1)
    return wrap(one)


def _as_seed(gradient: Any, root: Tensor) -> Tensor:
    """A gradient that was given, as a tensor like the one to start from."""
    seed = gradient if isinstance(gradient, Tensor) else tensor(gradient, dtype=root.dtype, device=root.device)
    if seed.shape != root.shape:
        raise ShapeError(f"the gradient to start with must have the tensor's shape {root.shape}; this one has {seed.shape}.")
    if seed.dtype != root.dtype:
        seed = cast(seed, dtype=root.dtype)
    if seed.device != root.device:
        raise DeviceError(f"the gradient is on {seed.device}, the tensor on {root.device}; move it with .to().")
    return seed
