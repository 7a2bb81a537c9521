"""What a recorded call does to tensors and modules, beside computing arrays: who holds which array, gradients, training mode."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..callsite import source_line
from ..clock import owner
from ..errors import describe
from ..tensor import Tensor
from .lines import CompileError, grad
from .recorded import Recorded, site, strip

if TYPE_CHECKING:
    from .tape import Tape


class Flag:
    """An attribute that is true or false: what it was where it was first read, and what it was set to. Not of what is new in the call."""

    def __init__(self, name: str, is_new: Callable[[Any], bool]) -> None:
        self.name, self.is_new = name, is_new
        self.before: dict[Any, bool] = {}
        self.now: dict[Any, bool] = {}

    def read(self, x: Any, value: bool) -> bool:
        if x not in self.now and not self.is_new(x):
            self.before.setdefault(x, value)
        return value

    def write(self, x: Any, value: bool) -> bool:
        if not self.is_new(x):
            self.now[x] = value
        return value


class Effects:
    """What the watched attributes report: each method gets what is read or set, and returns what is handed on."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.outside: dict[Tensor, np.ndarray] = {}  # tensors from before the call, and their arrays
        self.new: dict[int, weakref.ref] = {}  # those from within, by id
        self.made_at: dict[int, Any] = {}  # the learner's line that made each of these
        self.tracked = Flag("_requires_grad", self.is_new)
        self.modes = Flag("training", lambda module: False)
        self.grads: dict[Tensor, Tensor | None] = {}  # gradients given in the call
        self.grads_before: dict[Tensor, Any] = {}  # and those that were read before that
        self.settled: dict[Tensor, Any] = {}  # gradients of which a line knows
        self.replaced: list[Tensor] = []  # tensors from before the call that got other data in it

    # -- what is read and set
    def array(self, tensor: Tensor, array: Any) -> Any:
        """tensor.array"""
        if not isinstance(array, np.ndarray):
            raise CompileError(f"compile records tensors on the CPU; this one is on {backend.device_of(array)}.")
        recorded = self.tape.twin(array)
        if not self.is_new(tensor):
            if any(before is not None and before.memory is recorded.memory for before in self.grads_before.values()):
                self.refuse_shared_gradient(tensor)
            if recorded.memory.made != "argument":
                self.outside.setdefault(tensor, array)
        return recorded

    def set_array(self, tensor: Tensor, array: Any) -> Any:
        """tensor.array = array"""
        held = strip(array)
        if "array" not in tensor.__dict__:
            self.new[id(tensor)], self.made_at[id(tensor)] = weakref.ref(tensor), site()
        elif not self.is_new(tensor):
            self.outside.setdefault(tensor, tensor.__dict__["array"])
        if type(array) is not Recorded and self.tape.memories.get(id(owner(held))) is None:
            self.tape.enter(held, "constant")  # made within the call from Python's numbers
        return held

    def grad(self, tensor: Tensor, gradient: Any) -> Any:
        """tensor.grad"""
        if tensor not in self.grads and tensor not in self.grads_before and not self.is_new(tensor):
            self.grads_before[tensor] = None
            if gradient is not None:
                if id(owner(array := gradient.__dict__["array"])) in self.tape.memories:
                    self.refuse_shared_gradient(tensor)
                self.grads_before[tensor] = copy = self.tape.argument(array)
                gradient = Tensor.__new__(Tensor)  # of the copy, so that all see what is changed in it in place
                gradient.__dict__["array"] = copy.held
                tensor.__dict__["_grad"] = gradient
                self.new[id(gradient)] = weakref.ref(gradient)
                self.made_at.pop(id(gradient), None)  # it was not made here, so it may stay
        return gradient

    def refuse_shared_gradient(self, tensor: Tensor) -> None:
        self.tape.running = False
        raise CompileError(
            f"{describe(tensor)}: a gradient from before the call and another tensor that is used in it are one memory, which a later call may find "
            "otherwise. Make one of them a clone()."
        )

    def set_grad(self, tensor: Tensor, gradient: Any) -> Any:
        """tensor.grad = gradient"""
        if not self.is_new(tensor):
            self.grads[tensor] = gradient
        return gradient

    # -- what becomes of it
    def settle(self) -> None:
        """Note the gradients that tensors have by now: for what comes next and is not looked into, and at the end."""
        for tensor, before in self.grads_before.items():
            if before is not None and before.memory.value.writes and tensor not in self.grads:  # changed in place
                self.grads[tensor] = tensor.__dict__["_grad"]
        for tensor, gradient in self.grads.items():
            now = None if gradient is None else self.tape.twin(gradient.__dict__["array"]).operand()
            if tensor not in self.settled and now is None and tensor in self.grads_before and self.grads_before[tensor] is None:
                continue
            if tensor not in self.settled or self.settled[tensor] != now:
                if now is not None and any(
                    now.value is x.value for t, x in self.settled.items() if x is not None and t is not tensor
                ):
                    recorded = self.tape.twin(gradient.__dict__["array"])
                    self.tape.before_write(recorded, False)
                    now = recorded.operand()
                self.settled[tensor] = now
                self.tape.note(grad, (tensor, now))

    def finish(self) -> None:
        """Note the last gradients, and which tensors are not what they were."""
        self.tape.ended = self.tape.lines[-1].site if self.tape.lines else None
        self.settle()
        self.replaced = [x for x, array in self.outside.items() if x.__dict__["array"] is not array]
        if changed := [x for x in (*self.replaced, *self.tape.leaves) if x.op is not None]:
            raise CompileError(
                f"{describe(changed[0])} is from before the call and is changed in place in it, in a way that is recorded for backward. "
                "Make a new tensor (y = x + 1 in place of x += 1)."
            )

    def refuse_leaks(self) -> None:
        """Refuse tensors of the call that something still holds after it: a later call of the plan would make no new ones."""
        known = {id(g) for g in self.grads.values()}

        def alive() -> Any:
            made = (self.new[i]() for i in self.made_at)
            return next((t for t in made if t is not None and id(t) not in known), None)

        if alive() is not None:
            gc.collect()
            if (tensor := alive()) is not None:
                raise CompileError(
                    f"{source_line(self.made_at[id(tensor)])}\n  makes {describe(tensor)} anew in every call, and something that is not "
                    "returned keeps it (a list, an attribute). A plan knows of no such thing. Return the tensor, or change one that is there in place: x.copy_(y)."
                )

    def is_new(self, tensor: Tensor) -> bool:
        """Whether a tensor was made within the call."""
        reference = self.new.get(id(tensor))
        return reference is not None and reference() is tensor
