"""What `register_full_backward_hook` and `register_full_backward_pre_hook` need: the gradients of one call's inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..callsite import warn
from ..grad_mode import is_grad_enabled
from ..ops.creation import zeros_like
from ..ops.joining import cat
from ..ops.shape import alias
from ..ops.splitting import split
from ..tensor import Tensor


class BackwardHooks:
    """Runs a module's hooks when the gradients of one call's outputs are there, and again when those of its inputs are."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grad_output: tuple | None = None  # between the output's and the inputs' turn in a backward pass
        self.no_inputs: tuple | None = None  # where none requires grad: then there is nothing to wait for

    def inputs(self, args: tuple) -> tuple:
        passed = _together(args, self._inputs_known)
        self.no_inputs = (None,) * len(args) if passed is args else None
        return passed

    def outputs(self, output: Any) -> Any:
        if not isinstance(output, Tensor | tuple):
            warn(
                f"the backward hooks of {type(self.module).__name__} are not called: its output is a {type(output).__name__}, in which no "
                "gradients are looked for. Let forward() return a tensor or a tuple of tensors."
            )
            return output
        passed = _together(output if isinstance(output, tuple) else (output,), self._outputs_known)
        if isinstance(output, tuple):
            return type(output)(*passed) if hasattr(output, "_fields") else passed
        return passed[0]

    def _outputs_known(self, outputs: tuple, found: list[Tensor | None]) -> tuple:
        grads = tuple(found)
        for hook in list(self.module._backward_pre_hooks.values()):
            grads = _replaced(grads, hook(self.module, grads))
        self.grad_output = grads
        if self.no_inputs is not None and any(g is not None for g in self._run(self.no_inputs)):
            raise RuntimeError(
                f"a backward hook of {type(self.module).__name__} returned a gradient, and none of the module's inputs requires grad: "
                "return None."
            )
        return grads

    def _inputs_known(self, inputs: tuple, found: list[Tensor | None]) -> tuple:
        none = [g is None and isinstance(x, Tensor) for x, g in zip(inputs, found, strict=True)]
        return self._run(tuple(zeros_like(x) if is_none else g for x, g, is_none in zip(inputs, found, none, strict=True)))

    def _run(self, grads: tuple) -> tuple:
        grad_output, self.grad_output = self.grad_output, None
        if grad_output is not None:  # else they came to the inputs by another way, as in a derivative of a derivative
            for hook in list(self.module._backward_hooks.values()):
                grads = _replaced(grads, hook(self.module, grads, grad_output))
        return grads


def _replaced(grads: tuple, returned: Any) -> tuple:
    """The gradients to go on with, after what a hook returned."""
    if returned is None:
        return grads
    returned = returned if isinstance(returned, tuple) else (returned,)
    if len(returned) != len(grads):
        raise RuntimeError(f"a backward hook returned {len(returned)} gradients in place of {len(grads)}.")
    return returned


def _together(values: tuple, known: Callable[[tuple, list[Tensor | None]], tuple]) -> tuple:
    """Values of which those tensors that require grad come from one node, so that it waits for all their gradients.

    `known` is called with the values and what gradients they got (None where backward did not come), and returns those to go on with. The
    tensors are others than those given, so that one used elsewhere, too, shows only what flows through this call.
    """
    tracked = {i: x for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad}
    if not tracked or not is_grad_enabled():
        return values
    first, *others = tracked.values()
    if others:
        joined = cat([x.reshape(-1) for x in tracked.values()])
        flat = split(joined, [x.numel() for x in tracked.values()])
        parts = [part.reshape(x.shape).to(x.dtype) for part, x in zip(flat, tracked.values(), strict=True)]
    else:
        joined = alias(first)
        parts = [joined]
    found: list[Tensor | None] = [None] * len(values)

    def all_known(_: Tensor) -> Tensor:
        grads = known(values, found)
        found[:] = [None] * len(values)  # for another backward pass
        here = [zeros_like(x) if grads[i] is None else grads[i] for i, x in tracked.items()]
        return cat([g.reshape(-1) for g in here]) if others else here[0]

    for i, part in zip(tracked, parts, strict=True):
        part.register_hook(lambda g, i=i: found.__setitem__(i, g))
    joined.register_hook(all_known)
    passed = dict(zip(tracked, parts, strict=True))
    return tuple(passed.get(i, x) for i, x in enumerate(values))
