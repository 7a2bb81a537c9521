"""What `register_full_backward_hook` and `register_full_backward_pre_hook` need: the gradients of one call's inputs and outputs,
collected as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..ops.shape import alias
from ..tensor import Tensor


class BackwardHooks:
    """Collects the gradients of one call's outputs and inputs, and runs the module's hooks when the inputs' are complete.

    Inputs and outputs pass through `alias`, so that a tensor used elsewhere too shows only what flows through this call.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grad_input: list[Any] = []
        self.grad_output: list[Any] = []
        self.waiting = 0  # for so many gradients of inputs

    def inputs(self, args: tuple) -> tuple:
        self.grad_input = [None] * len(args)
        passed = tuple(_watched(x, partial(self._input_known, i)) for i, x in enumerate(args))
        self.waiting = sum(x is not given and x.requires_grad for x, given in zip(passed, args, strict=True))
        return passed

    def outputs(self, output: Any) -> Any:
        outputs = output if isinstance(output, tuple) else (output,)
        self.grad_output = [None] * len(outputs)
        if self.module._backward_pre_hooks and sum(isinstance(y, Tensor) and y.requires_grad for y in outputs) > 1:
            raise NotImplementedError(
                "register_full_backward_pre_hook is offered for modules with one output; for several, use register_hook of each output."
            )
        passed = tuple(_watched(y, partial(self._output_known, i)) for i, y in enumerate(outputs))
        return passed if isinstance(output, tuple) else passed[0]

    def _output_known(self, i: int, g: Tensor) -> Tensor | None:
        self.grad_output[i] = g
        for hook in list((self.module._backward_pre_hooks or {}).values()):
            replaced = hook(self.module, tuple(self.grad_output))
            if replaced is not None:
                self.grad_output = list(replaced) if isinstance(replaced, tuple) else [replaced]
        if not self.waiting:  # no input requires grad: the hooks run when the output's gradient is there
            self._run()
        return self.grad_output[i]

    def _input_known(self, i: int, g: Tensor) -> Tensor | None:
        self.grad_input[i] = g
        self.waiting -= 1
        return None if self.waiting else self._run()[i]

    def _run(self) -> tuple:
        grads = tuple(self.grad_input)
        for hook in list((self.module._backward_hooks or {}).values()):
            replaced = hook(self.module, grads, tuple(self.grad_output))
            if replaced is not None:
                grads = replaced if isinstance(replaced, tuple) else (replaced,)
        return grads


def _watched(x: Any, known: Callable[[Tensor], Any]) -> Any:
    """A tensor that requires grad as a node of its own, whose gradient `known` is called with; anything else as it is."""
    if not isinstance(x, Tensor) or not x.requires_grad:
        return x
    own = alias(x)
    if own.requires_grad:  # else nothing is recorded now
        own.register_hook(known)
    return own
