"""checkpoint: forget a part's intermediate values, and compute them again in backward: less memory for more time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.engine import grad, topological_order
from ..errors import GraphError
from ..op import Op, _recording, enable_grad, grad_mode, registry
from ..ops.random import default_generator
from ..tensor import Tensor


def checkpoint(
    function: Callable, *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """function(*args, **kwargs), whose intermediate values are not kept but computed again when backward needs them.

    Gradients also reach tensors that the function uses without taking them as arguments, such as a module's parameters.

    Args:
        function: returns one tensor.
        preserve_rng_state: draw the same random numbers again (dropout).

    Source: https://pytorch.org/docs/stable/checkpoint.html
    """
    if not grad_mode.enabled:
        return function(*args, **kwargs)
    state = default_generator.get_state() if preserve_rng_state else None
    # A first run finds what the result is made from; its graph is dropped at the end of this function.
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    first = _run(function, args, kwargs, places)
    result, copies = first
    if not isinstance(result, Tensor):
        raise GraphError(f"checkpoint needs a function that returns one tensor, not a {type(result).__name__}.")
    if not result.requires_grad:
        return result
    leaves = [x for x in topological_order([result]) if x.op is None and not any(x is c for c in copies)]
    value = result.array

    def forward(*xs: Any) -> Any:
        """z = function(x);  ∂x = by computing it again"""
        return value

    def joint(g: Any, z: Any, *xs: Any) -> list[Any]:
        on_tensors = isinstance(g, Tensor)
        now = default_generator.get_state() if preserve_rng_state else None
        if state is not None:
            default_generator.set_state(state)
        try:
            with enable_grad():
                if on_tensors:  # on the real tensors, so that the gradient can be differentiated again
                    again, targets = function(*args, **kwargs), [args[i] for i in places] + leaves
                else:
                    again, copies = _run(function, args, kwargs, places)
                    targets = copies + leaves
                found = grad(again, targets, g if on_tensors else Tensor(g), create_graph=on_tensors, allow_unused=True)
        finally:
            if now is not None:
                default_generator.set_state(now)
        return [x if on_tensors or x is None else x.array for x in found]

    del result, first
    forward.__name__ = "checkpoint"
    recorded = _recording(Op(forward, {}, joint=joint, dtype=None, view=False))(*(args[i] for i in places), *leaves)
    registry.pop("checkpoint", None)
    return recorded


def _run(function: Callable, args: tuple, kwargs: dict[str, Any], places: list[int]) -> tuple[Any, list[Tensor]]:
    """The function on copies of the arguments that require grad, cut off from their history."""
    cut = list(args)
    copies = []
    for i in places:
        cut[i] = args[i].detach().requires_grad_()
        copies.append(cut[i])
    with enable_grad():
        return function(*cut, **kwargs), copies
