"""checkpoint: forget a part's intermediate values, and compute them again in backward: less memory for more time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.changes import as_used
from ..autograd.function import Function, FunctionCtx
from ..autograd.gradients import grad
from ..clock import tick
from ..errors import GraphError, InplaceError, describe
from ..grad_mode import enable_grad, grad_mode
from ..ops.random import default_generator
from ..tensor import Tensor
from ..trees import leaves, mapped


def checkpoint(
    function: Callable, *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """function(*args, **kwargs), whose intermediate values are not kept but computed again when backward needs them.

    Gradients also reach tensors that the function uses without taking them as arguments, such as a module's parameters.

    Args:
        function: returns a tensor, or several in tuples, lists or dicts; called twice it must compute the same.
        use_reentrant: taken for PyTorch's sake; it makes no difference here.
        preserve_rng_state: draw the same random numbers again (dropout), on the CPU.

    Raises:
        GraphError: in backward, if the second call did not compute what the first did.

    >>> from tinygrad_edu import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().log(), x).backward()
    >>> x.grad
    tensor(1.)

    Source: https://pytorch.org/docs/stable/checkpoint.html
    """
    if not recomputes():
        return function(*args, **kwargs)
    state = default_generator.get_state() if preserve_rng_state else None

    def again(stand_ins: dict[Tensor, Tensor]) -> tuple:
        """The outputs once more, of arguments as they were the first time."""
        now = default_generator.get_state()
        try:
            if state is not None:
                default_generator.set_state(state)
            return tuple(leaves(function(*(stand_ins.get(a, a) if isinstance(a, Tensor) else a for a in args), **kwargs)))
        finally:
            if state is not None:
                default_generator.set_state(now)

    start = tick()
    result = function(*args, **kwargs)  # recorded, but only to find which tensors it uses
    outputs = tuple(leaves(result))
    used = _from_before(outputs, start)
    if not used:
        return result
    known = set(used)
    used += [a for a in {id(a): a for a in args}.values() if isinstance(a, Tensor) and a not in known]
    nesting = mapped(lambda _: None, result)
    tracked = [isinstance(o, Tensor) and o.requires_grad for o in outputs]
    values = tuple(o.detach() if t else o for o, t in zip(outputs, tracked, strict=True))
    del result, outputs  # and with them all that was recorded
    found = iter(_Recompute.apply(again, values, tracked, *used))
    return mapped(lambda _: next(found), nesting)


def recomputes() -> bool:
    """Whether anything is to be forgotten: not without a backward pass."""
    return grad_mode.enabled


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """One function after the other, in so many segments; all but the last are checkpointed.

    Args:
        functions: an `nn.Sequential`, or a list of functions or modules.
        **kwargs: preserve_rng_state, as for `checkpoint`.

    Source: https://pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.checkpoint_sequential
    """
    parts = list(functions)
    if not 1 <= segments <= len(parts):
        raise ValueError(f"checkpoint_sequential: {len(parts)} functions cannot be cut into {segments} segments.")

    def run(start: int, end: int) -> Callable:
        return lambda x: functools.reduce(lambda y, part: part(y), parts[start:end], x)

    size = len(parts) // segments
    last = size * (segments - 1)
    for start in range(0, last, size):
        input = checkpoint(run(start, start + size), input, use_reentrant=use_reentrant, **kwargs)
    return run(last, len(parts))(input)


class _Recompute(Function):
    """From the tensors that a function uses to its outputs; the gradient by calling the function again."""

    @staticmethod
    def forward(ctx: FunctionCtx, again: Callable, values: tuple, tracked: list[bool], *used: Tensor) -> tuple:
        ctx.save_for_backward(*used)
        ctx.call = again, values, tracked, used, tick()
        ctx.mark_non_differentiable(*(v for v, t in zip(values, tracked, strict=True) if not t))
        return values

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple:
        again, values, tracked, used, then = ctx.call
        create_graph = grad_mode.enabled
        # Where the outer graph goes on, the inner one ends, in stand-ins: leaves, or with create_graph copies with history.
        with enable_grad():
            stand_ins = {
                x: old.clone() if create_graph and old.requires_grad else old.detach().requires_grad_(x.requires_grad)
                for x, old in zip(used, ctx.saved_tensors, strict=True)
            }
            start = tick()
            outputs = again(stand_ins)
        for x in _from_before(outputs, start, stand_ins):
            if x._changed_at > then:
                raise InplaceError(f"a checkpointed function used {describe(x)}, which was changed in place since.")
            if x not in stand_ins and not any(x is s for s in stand_ins.values()):
                raise GraphError(f"a checkpointed function was computed again and used another tensor: {describe(x)}.")
        if not _alike(values, outputs):
            raise GraphError(
                "a checkpointed function gave something else when it was computed again. It must not depend on what changes in "
                "between: arrays changed in place, counters, random numbers drawn with preserve_rng_state=False or on a GPU."
            )
        pairs = [(stand_ins.get(o, o), g) for o, g, t in zip(outputs, gradients, tracked, strict=True) if t]
        targets = [s for s in stand_ins.values() if s.requires_grad]
        found = dict(
            zip(
                targets,
                grad([o for o, _ in pairs], targets, [g for _, g in pairs], create_graph=create_graph, allow_unused=True),
                strict=True,
            )
        )
        return None, None, None, *(found.get(s) for s in stand_ins.values())


def _from_before(outputs: tuple, start: int, stand_ins: dict[Tensor, Tensor] | None = None) -> list[Tensor]:
    """The tensors made before `start` to which the graph behind the outputs leads; stand-ins take their places in it."""
    stack = [o for o in outputs if isinstance(o, Tensor) and o.requires_grad]
    seen, found = set(stack), []
    while stack:
        node = stack.pop()
        if node.serial < start:
            found.append(node)
            continue
        for x in node.inputs:
            if isinstance(x, Tensor):
                x = as_used(x, node) if x.serial > node.serial else x
                if x.requires_grad and x not in seen:
                    seen.add(x)
                    stack.append(x)
        if stand_ins:
            node.inputs = tuple(stand_ins.get(x, x) if isinstance(x, Tensor) else x for x in node.inputs)
    return found


def _alike(first: tuple, second: tuple) -> bool:
    """Whether the outputs are the same but for rounding."""
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
            continue
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            return False
        if a.dtype.kind == "f" and a.array.size:
            scale = float(np.nanmax(np.abs(np.where(np.isfinite(a.array), a.array, 0))))
            if not np.allclose(a.array, b.array, rtol=1e-2, atol=1e-2 * scale, equal_nan=True):
                return False
    return True
