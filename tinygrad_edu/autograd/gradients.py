"""What users call: `backward`, `grad` and `steps`, each the walk of engine.py from checked roots to gradients that are tensors."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from sys import getrefcount, modules
from typing import Any

import numpy as np

from .. import backend
from ..clock import mark_changed
from ..errors import DeviceError, GraphError, ShapeError, describe
from ..grad_mode import enable_grad, set_grad_enabled
from ..op import cast, registry
from ..ops.creation import tensor
from ..ops.inplace import check_writable
from ..tensor import Tensor, raw, wrap
from ..views import refresh
from .engine import Step, chain_rule, leaves, topological_order


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
    with set_grad_enabled(create_graph):
        _deposit(found, create_graph)
        for x in found:
            if x._grad_hooks is not None:
                for hook in list(x._grad_hooks.values()):
                    if (returned := hook(x)) is not None and returned is not x:
                        raise GraphError(
                            f"a hook of register_post_accumulate_grad_hook returned something for {describe(x)}: it must return None, and may "
                            "change x.grad itself. register_hook() is for a hook that replaces a gradient."
                        )


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
    if not targets:
        raise ValueError("autograd.grad(outputs, []) asks for no gradient at all; name the tensors to differentiate by.")
    _require_grad(targets, "autograd.grad")
    keep = create_graph if retain_graph is None else retain_graph
    found = _run(roots, seeds, targets, keep, create_graph, needed=() if allow_unused or materialize_grads else targets)
    with set_grad_enabled(create_graph):
        _deposit({x: g for x, g in found.items() if x._retains_grad}, create_graph)
    if materialize_grads:
        found |= {x: wrap(np.zeros_like(x.array)).requires_grad_(create_graph) for x in targets if x not in found}
    return tuple(map(found.get, targets))


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
    return chain_rule(topological_order(roots, to_look_at=True), roots, seeds, {}, retain_graph=True, watch=True)


def _run(
    roots: list[Tensor],
    seeds: list[Any],
    targets: list[Tensor] | None,
    retain_graph: bool,
    create_graph: bool,
    needed: Sequence[Tensor] = (),
) -> dict[Tensor, Tensor]:
    """The whole walk; the gradients of the leaves, or of the targets, as tensors; GraphError if one that is needed gets none."""
    wanted = None if targets is None else set(targets)
    order = topological_order(roots, wanted)
    if needed:  # before anything is used up, as far as the graph can tell
        _require_used(needed, {*roots, *order, *leaves(order)})
    found: dict[Tensor, Any] = {}
    walk = chain_rule(order, roots, seeds, found, targets=wanted, retain_graph=retain_graph, create_graph=create_graph)
    if create_graph:
        with enable_grad():
            deque(walk, maxlen=0)
            found |= {x: cast(g, dtype=x.dtype) for x, g in found.items() if g.dtype != x.dtype}
    else:
        deque(walk, maxlen=0)
        _make_tensors(found)
    _require_used(needed, found)
    return found


def _references_of_a_new_array() -> int:
    gradients = {None: np.empty(0)}
    g = gradients[None]
    return getrefcount(g)


# A gradient is an array of its own, which may be given away, if nothing else refers to it than a dict and a variable.
_OF_A_NEW_ARRAY = _references_of_a_new_array()


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


def _deposit(found: dict[Tensor, Tensor], create_graph: bool) -> None:
    """Add gradients to `.grad`, now that the whole walk went well.

    As in PyTorch the gradient of a leaf grows in its memory, which may be part of one that holds the gradients of a whole model; what is
    recorded overwrites nothing, and the first of it, which the graph holds too, is a copy.
    """
    with _depositing:
        for x, g in found.items():
            if x._grad is None:
                x._grad = g.clone() if create_graph else g
            elif create_graph or x.op is not None:
                x._grad = x._grad + g
            else:
                check_writable(x._grad)
                grown = raw(x._grad)
                grown += g.array
                mark_changed(grown)


def forget(tensors: Iterable[Tensor], set_to_none: bool) -> None:
    """Forget the gradients in `.grad`; or, if they are not to be None, let them become 0 in their memory."""
    for x in tensors:
        if set_to_none or x._grad is None:
            x._grad = None
        else:
            x._grad.detach_().zero_()


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
