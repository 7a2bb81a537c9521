"""The backward pass: topological order, the chain rule along it, and the same walk as data to look at.

Everything is in `_chain_rule`: it visits the tensors of a graph in reverse topological order, and at each one hands the
gradient on to the inputs. `backward`, `grad` and `steps` all run this one walk.
"""

from __future__ import annotations

import dis
import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from .. import tensor as tensors
from ..errors import DeviceError, GraphError, InplaceError, ShapeError, describe, source_line
from ..op import Op, cast, enable_grad
from ..ops.shape import sum_to
from ..tensor import Tensor, wrap

# A graph that holds more bytes than this is let go while backward walks through it (unless retain_graph=True), so that
# training needs little memory; a smaller one stays, so that it can be drawn after backward.
KEEP_GRAPH_BYTES = 16 * 2**20

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


def topological_order(roots: Sequence[Tensor], to_look_at: bool = False) -> list[Tensor]:
    """Every tensor that requires grad and that the roots were made from, inputs before what is made from them.

    A tensor is always made after its inputs, so the order of creation is a topological order: collect, then sort by it.
    Only `to_look_at` may the graph have been used up, as long as it was kept.
    """
    found, stack = set(roots), list(roots)
    while stack:
        node = stack.pop()
        if node.spent and not (to_look_at and node.inputs):
            raise GraphError((_RELEASED if to_look_at else _SPENT).format(describe(node)))
        for x in node.inputs:
            if isinstance(x, Tensor) and x._requires_grad:
                if x.serial > node.serial:  # x was changed in place after this use of it
                    node.inputs = tuple(as_used(x, node) for x in node.inputs)
                    stack.append(node)
                    break
                if x not in found:
                    found.add(x)
                    stack.append(x)
    return sorted(found, key=attrgetter("serial"))


_SPENT = (
    "backward() already went through this graph (at {}). A graph is used up by its first backward pass: compute the loss "
    "again, or call the first backward with retain_graph=True; to add several losses, sum them and call backward once."
)
_RELEASED = (
    "this graph was too large to be kept after backward() (at {}), so there is nothing to look at any more. Look at it before backward, or "
    "call backward(retain_graph=True)."
)


def as_used(x: Any, node: Tensor) -> Any:
    """The input `x` as it was when `node` was made from it, before later changes in place."""
    while isinstance(x, Tensor) and x._requires_grad and x.serial > node.serial:
        if not x.inputs:  # a leaf that began to require grad only later: to this node it was a constant
            if x.spent:
                raise GraphError(_SPENT.format(describe(x)))
            return x.detach()
        x = x.inputs[0]
    return x


def _chain_rule(
    roots: Sequence[Tensor],
    seeds: Sequence[Any],
    *,
    deliver: Callable[[Tensor, Any], None] | None = None,
    targets: Iterable[Tensor] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    watch: bool = False,
) -> Iterator[Step]:
    """Walk back from the roots along the chain rule; yields steps only if watched.

    `deliver` gets the complete gradient of each leaf (or of each of the `targets`, and then only the paths to these are
    walked). Gradients are arrays and rules run on arrays; with `create_graph` both are tensors, and what rules do is recorded.
    """
    order = topological_order(roots, to_look_at=watch)
    wanted = None if targets is None else set(targets)
    on_path = None if wanted is None else _leading_to(wanted, order)
    uses = _count_uses(order) if watch else {}
    got = dict.fromkeys(uses, 0)
    changed = tensors.last_change > next((node.serial for node in order if node.op is not None), tensors.last_change)
    grads: dict[Tensor, Any] = {}
    owned: set[Tensor] = set()  # whose gradient is an array that this loop made, so that it may be added to in place
    kept = 0  # bytes of the graph that stay to be looked at
    for root, seed in zip(roots, seeds, strict=True):
        grads[root] = grads[root] + seed if root in grads else seed
        if watch:
            yield Step("seed", root, after=seed)
    node = roots[0]
    try:
        while order:
            node = order.pop()
            g = grads.pop(node, None)
            if g is None:  # nothing flowed here
                continue
            this = node.op
            if node._hooks:
                g = _run_hooks(node, g, create_graph)
                owned.discard(node)
            if watch and this is not None:
                yield Step("visit", node, after=g, got=got[node], uses=uses[node])
            if deliver is not None and ((this is None or node._retains_grad) if wanted is None else node in wanted):
                deliver(node, g if create_graph or (node in owned and this is None) else g.copy())
            if this is None:
                continue
            if changed:
                _check_unchanged(node, this)
            z, values = (node, node.inputs) if create_graph else (node.array, node.values)
            settings = node.settings
            together = None if this.joint is None else this.joint(g, z, *values, **settings)
            for slot, x in enumerate(node.inputs):
                if not isinstance(x, Tensor) or not x._requires_grad or (on_path is not None and x not in on_path):
                    continue
                if together is not None:
                    raw = together[slot]
                elif (rule := this.rules[slot]) is None:
                    continue
                else:
                    raw = rule(g, z, *values, **settings) if settings else rule(g, z, *values)
                if raw is None:
                    continue
                if check_gradient is not None:
                    check_gradient(node, slot, x, g, raw)
                part = raw if raw.shape == x.array.shape else sum_to(raw, shape=x.array.shape)
                before = grads.get(x)
                if before is None:
                    grads[x] = part
                    if x.op is None and together is None and _is_new(part, g, z, values, settings):
                        owned.add(x)
                elif x in owned and not (watch or create_graph):
                    before += part
                    grads[x] = before
                else:
                    grads[x] = before + part
                    owned.add(x)
                if watch:
                    got[x] += 1
                    yield Step("contribute", node, slot, x, raw, part, before, grads[x], got[x], uses[x])
            if not retain_graph:
                node.spent = True
                kept += node.array.nbytes
                if kept > KEEP_GRAPH_BYTES:
                    node.inputs, node.values = (), ()
    except Exception as error:
        _explain_backward(error, node)
        raise
    if watch:
        yield Step("done", roots[0])


def _is_new(part: Any, g: Any, z: Any, values: Iterable[Any], settings: dict[str, Any]) -> bool:
    """Whether a rule's result is an array of its own, not one that something else holds or looks at."""
    if getattr(part, "base", None) is not None or part is g or part is z:
        return False
    return not any(part is held for held in values) and not any(part is held for held in settings.values())


def _leading_to(targets: set[Tensor], order: list[Tensor]) -> set[Tensor]:
    """The tensors of `order` through which a gradient passes on its way to the targets."""
    found = set(targets)
    for node in order:
        if any(isinstance(x, Tensor) and x in found for x in node.inputs):
            found.add(node)
    return found


def _count_uses(order: list[Tensor]) -> dict[Tensor, int]:
    """How many parts the gradient of each tensor has: one for each differentiable use of it."""
    uses = dict.fromkeys(order, 0)
    for node in order:
        for slot, x in enumerate(node.inputs):
            if isinstance(x, Tensor) and x in uses and (node.op.joint is not None or node.op.rules[slot] is not None):  # type: ignore[union-attr]
                uses[x] += 1
    return uses


def _run_hooks(node: Tensor, g: Any, create_graph: bool) -> Any:
    """The gradient after the tensor's hooks; a hook gets a tensor of its own, so changing it in place is harmless."""
    g = g if create_graph else wrap(backend.as_array(g).copy())
    for hook in list(node._hooks.values()):
        replaced = hook(g)
        if replaced is not None:
            if replaced.shape != node.shape:
                raise ShapeError(f"a hook on {describe(node)} returned a gradient of shape {replaced.shape}.")
            g = replaced
    return g if create_graph else g.array


# -- errors ----------------------------------------------------------------------------------------------------------
def _explain_backward(error: Exception, node: Tensor) -> None:
    """Say in which operation's rule a backward pass failed, and where the learner wrote that operation."""
    if node.op is not None and not isinstance(error, GraphError):
        error.add_note(f"in the rule of {node.op.name}, whose result is {describe(node)}")


def _check_unchanged(node: Tensor, this: Op) -> None:
    """Raise if a value that the rules of this node read was changed in place after the node was recorded."""
    read = set().union(*(_values_read(rule, len(node.values)) for rule in (this.joint, *this.rules) if rule is not None))
    held = [node.array, *node.values]
    candidates = [(held[i], None if i == 0 else node.inputs[i - 1]) for i in read]
    candidates += [(value, None) for value in node.settings.values()]
    for array, x in candidates:
        if not hasattr(array, "strides"):  # a number or a dtype
            continue
        if tensors.changed_since(array, node.serial) or (isinstance(x, Tensor) and tensors.changed_since(x.array, node.serial)):
            what = f"its input {describe(x)}" if isinstance(x, Tensor) else "its result" if array is node.array else "a setting"
            raise InplaceError(
                f"{this.name} at {source_line(node.made_at) or 'an unknown line'} needs a value for its gradient that was changed in "
                f"place after it was used: {what}. Call backward() before changing it, or change a copy (x = x.clone())."
            )


@functools.cache
def _values_read(rule: Any, count: int) -> frozenset[int]:
    """Which values a rule reads, found in its bytecode: 0 is the output, 1 the first input ... Only asking a shape or a
    dtype does not count."""
    code = getattr(rule, "__code__", None)
    if code is None or code.co_flags & 0x04 or code.co_cellvars:  # *args, or names used in an inner function: assume all
        return frozenset(range(count + 1))
    names = code.co_varnames[1 : 2 + count]  # z and the inputs; g before and the settings behind them do not count
    found: set[int] = set()
    instructions = list(dis.get_instructions(rule))
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        if instruction.opname.startswith("LOAD_FAST"):
            loaded = list(instruction.argval) if isinstance(instruction.argval, tuple) else [instruction.argval]
            if following is not None and following.argval in ("shape", "ndim", "dtype", "size"):
                loaded.pop()
            found.update(names.index(name) for name in loaded if name in names)
    return frozenset(found)


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

    def deposit(x: Tensor, g: Any) -> None:
        g = g if create_graph else wrap(_like(g, x))
        x._grad = g if x._grad is None else x._grad + g

    _run(roots, seeds, deposit, targets, keep, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`, returned; no `.grad` is touched.

    Args:
        outputs, grad_outputs, retain_graph, create_graph: as for `backward`.
        inputs: tensors that require grad.
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
    roots, seeds = _roots_and_seeds(outputs, grad_outputs, create_graph)
    targets = _as_list(inputs)
    _require_grad(targets, "autograd.grad")
    keep = create_graph if retain_graph is None else retain_graph
    results: dict[Tensor, Tensor] = {}

    def collect(x: Tensor, g: Any) -> None:
        results[x] = g if create_graph else wrap(_like(g, x))

    _run(roots, seeds, collect, targets, keep, create_graph)
    unused = [x for x in targets if x not in results]
    if unused and not (allow_unused or materialize_grads):
        raise GraphError(
            f"the outputs do not depend on {describe(unused[0])}. Pass allow_unused=True to get None for it, "
            "or check that it was not detached or replaced on the way."
        )
    return tuple(results.get(x) if x in results or not materialize_grads else wrap(np.zeros_like(x.array)) for x in targets)


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
    return _chain_rule(roots, seeds, retain_graph=True, watch=True)


def _run(roots: Any, seeds: Any, deliver: Any, targets: Any, retain_graph: bool, create_graph: bool) -> None:
    walk = _chain_rule(roots, seeds, deliver=deliver, targets=targets, retain_graph=retain_graph, create_graph=create_graph)
    if create_graph:
        with enable_grad():
            deque(walk, maxlen=0)
    else:
        deque(walk, maxlen=0)


def _like(g: Any, x: Tensor) -> Any:
    """A gradient as an array of its tensor's dtype."""
    g = backend.as_array(g)
    return g if g.dtype == x.array.dtype else g.astype(x.array.dtype)


def _as_list(tensors: Any) -> list[Tensor]:
    found = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for x in found:
        if not isinstance(x, Tensor):
            raise TypeError(f"expected a tensor or a sequence of tensors, but there is a {type(x).__name__} in it.")
    return found


def _require_grad(tensors: list[Tensor], who: str) -> None:
    for x in tensors:
        if not x._requires_grad:
            raise GraphError(
                f"{who}: {describe(x)} does not require grad. Make it with requires_grad=True, and not under no_grad() or from "
                "detached, integer or plain values only."
            )


def _roots_and_seeds(outputs: Any, gradients: Any, create_graph: bool) -> tuple[list[Tensor], list[Any]]:
    """The tensors to start from and their first gradients (tensors with create_graph, else arrays), checked."""
    roots = _as_list(outputs)
    _require_grad(roots, "backward")
    given = [gradients] * len(roots) if gradients is None or isinstance(gradients, Tensor) else gradients
    if not isinstance(given, list | tuple) or len(given) != len(roots):
        given = [gradients]
    if len(given) != len(roots):
        raise GraphError(f"{len(roots)} tensors need {len(roots)} gradients to start with; {len(given)} were given.")
    seeds = []
    for root, gradient in zip(roots, given, strict=True):
        if gradient is None:
            if root.array.size != 1:
                raise GraphError(
                    f"backward() starts from a single number, and this tensor has shape {root.shape}. Reduce it to a scalar loss "
                    "first (loss.sum() or loss.mean()), or pass backward(gradient=...) with a gradient of that shape."
                )
            seed = wrap(np.ones_like(root.array))
        else:
            seed = gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=root.dtype, device=root.device)
        if seed.shape != root.shape:
            raise ShapeError(f"the gradient to start with must have the tensor's shape {root.shape}; this one has {seed.shape}.")
        if seed.dtype != root.dtype:
            seed = cast(seed, dtype=root.dtype)
        if seed.device != root.device:
            raise DeviceError(f"the gradient is on {seed.device}, the tensor on {root.device}; move it with .to().")
        seeds.append(seed if create_graph else seed.array)
    return roots, seeds
