"""autograd.Function: an operation of your own in PyTorch's style, for programs that use it. `@op` is the shorter way.

A call of `apply` records one operation whose joint rule calls your `backward`. Several outputs are one recorded tensor, all of
them end to end, of which each output is a slice; so `backward` gets the gradients of all of them at once.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..clock import changed_since, owner
from ..errors import GraphError, InplaceError, ShapeError, describe
from ..grad_mode import grad_mode, no_grad, set_grad_enabled
from ..op import Op, recording
from ..ops.shape import reshape
from ..tensor import Tensor, wrap
from ..trees import leaves


class FunctionCtx:
    """What `forward` leaves for `backward`: saved tensors, and any attribute you set."""

    def __init__(self) -> None:
        self.saved_tensors: tuple = ()
        self.needs_input_grad: tuple[bool, ...] = ()
        self._non_differentiable: tuple = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for `backward`, as `ctx.saved_tensors`.

        Save inputs, outputs and constants. What `forward` computed on the way has no history: where it depends on the inputs,
        return it as a further output, or compute it again in `backward`; else second derivatives miss it.
        """
        for x in tensors:
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(f"save_for_backward takes tensors; a {type(x).__name__} can be an attribute: ctx.value = value.")
        self.saved_tensors = tensors

    @property
    def saved_variables(self) -> tuple:
        """The older name of `saved_tensors`."""
        return self.saved_tensors

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """These outputs carry no gradient."""
        self._non_differentiable = outputs

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Not offered: return a new tensor in place of changing an input."""
        raise GraphError("an autograd.Function here cannot change its inputs in place; return a new tensor.")

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (default) or None for outputs that nothing depends on."""
        self._materialize = value

    if TYPE_CHECKING:  # attributes of your own

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


class Function:
    """An operation with `forward(ctx, ...)` and `backward(ctx, *grad_outputs)` as static methods; call `apply(...)`.

    `backward` gets one gradient for each output and returns one for each argument of `forward`, None for what needs none.
    Written with tensor operations, it can itself be differentiated.

    >>> from tinygrad_edu import tensor, autograd
    >>> class Cube(autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)

    Source: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("write @staticmethod def forward(ctx, ...) in your Function.")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple, output: Any) -> None:
        """Where `forward` takes no ctx, this one fills it."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Any) -> Any:
        raise NotImplementedError("write @staticmethod def backward(ctx, *grad_outputs) in your Function.")

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"a Function is not made and called: write {type(self).__name__}.apply(...).")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward`, and record it if an argument requires grad."""
        split = cls.setup_context is not Function.setup_context
        if split:  # setup_context and backward know all arguments of forward, those with a default too
            bound = inspect.signature(cls.forward).bind(*args)
            bound.apply_defaults()
            args = bound.args
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        with no_grad():
            if split:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        if isinstance(output, list | np.ndarray):
            raise TypeError(f"{cls.__name__}.forward returned a {type(output).__name__}; return a tensor, or a tuple of tensors.")
        if not any(ctx.needs_input_grad) or not grad_mode.enabled:
            return output
        outputs = output if isinstance(output, tuple) else (output,)
        results = _Call(cls, ctx, args, outputs).record()
        return results if isinstance(output, tuple) else results[0]


def once_differentiable(backward: Callable) -> Callable:
    """Mark a `backward` that cannot itself be differentiated (it computes with NumPy, say): to try raises."""

    @functools.wraps(backward)
    def run(ctx: FunctionCtx, *grads: Any) -> Any:
        with no_grad():
            found = backward(ctx, *grads)
        if not grad_mode.enabled:
            return found
        sources = [x for x in (*grads, *ctx.saved_tensors) if isinstance(x, Tensor)]
        if not isinstance(found, tuple):
            return _dead_end(backward, found, sources)
        return tuple(_dead_end(backward, x, sources) for x in found)

    return run


def _dead_end(backward: Callable, gradient: Any, sources: list[Tensor]) -> Any:
    """A gradient as the result of an operation that refuses to be differentiated."""
    if not isinstance(gradient, Tensor):
        return gradient

    def once_differentiable(*sources: Any) -> Any:
        return gradient.array

    def joint(*args: Any) -> Any:
        raise GraphError(f"{backward.__qualname__} is marked once_differentiable: its result cannot be differentiated again.")

    return recording(Op(once_differentiable, {}, joint=joint, dtype=None, view=False))(*sources)


def is_function(this: Op) -> bool:
    """Whether an operation is a call of an autograd.Function."""
    return isinstance(getattr(this.joint, "__self__", None), _Call)


class _Call:
    """One call of a Function: how its outputs are recorded and how its `backward` is called."""

    def __init__(self, cls: type[Function], ctx: FunctionCtx, args: tuple, outputs: tuple) -> None:
        self.cls, self.ctx, self.args, self.outputs = cls, ctx, args, outputs
        self.saved = ctx.saved_tensors
        self.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        self.carried = [  # the numbers of the outputs that carry a gradient
            k
            for k, o in enumerate(outputs)
            if isinstance(o, Tensor) and o.dtype.kind == "f" and not any(o is n for n in ctx._non_differentiable)
        ]
        self.reached: set[int] = set()  # outputs that got a gradient; noted only if the others are to get None

    def record(self) -> tuple:
        """The outputs, recorded as made by one operation from the tensors among the arguments."""
        if not self.carried:
            return self.outputs

        def forward(*xs: Any) -> Any:
            """z = what forward returned;  ∂x = what backward returns"""
            outputs = self.outputs
            if any(x is not self.args[i].array for i, x in zip(self.places, xs, strict=True)):  # computed elsewhere, by a check
                with no_grad():
                    found = self.again(*map(wrap, xs))
                outputs = found if isinstance(found, tuple) else (found,)
            arrays = [outputs[k].array for k in self.carried]
            if len(arrays) > 1:
                dtype = np.result_type(*arrays)
                return np.concatenate([np.reshape(a, -1).astype(dtype) for a in arrays])
            shared = any(owner(arrays[0]) is owner(x) for x in xs)  # forward returned an input, or a view of one
            return arrays[0].copy() if shared else arrays[0]

        forward.__name__, forward.__module__ = self.cls.__name__, self.cls.__module__
        z = recording(Op(forward, {}, joint=self.gradients, dtype=None, view=False))(*(self.args[i] for i in self.places))
        self.serial = z.serial
        results = list(self.outputs)
        for k, part in self.parts(z).items():
            results[k] = part
            part.base = None  # nobody else has z: each output is a tensor of its own, and no view of what holds the others
            if not self.ctx._materialize:
                part.register_hook(functools.partial(self._note, k))
        return tuple(results)

    def argument(self, slot: int) -> str:
        """What `forward` calls the argument that is this input of the operation."""
        parameters = list(inspect.signature(self.cls.forward).parameters)
        if self.cls.setup_context is Function.setup_context:
            parameters = parameters[1:]  # ctx
        return parameters[min(self.places[slot], len(parameters) - 1)]  # the last one may be *args

    def again(self, *xs: Tensor) -> Any:
        """The Function applied anew, to other tensors."""
        args = list(self.args)
        for i, x in zip(self.places, xs, strict=True):
            args[i] = x
        return self.cls.apply(*args)

    def values_read(self) -> frozenset[int]:
        """Which values `backward` may read without the check of what was saved: all if it finds tensors or arrays in attributes of ctx."""
        own = vars(self.ctx).keys() - vars(FunctionCtx()).keys()
        found = any(isinstance(x, Tensor) or hasattr(x, "strides") for name in own for x in leaves(getattr(self.ctx, name)))
        return frozenset(range(len(self.places) + 1)) if found else frozenset()

    def _note(self, k: int, g: Tensor) -> None:
        self.reached.add(k)

    def parts(self, z: Tensor) -> dict[int, Tensor]:
        """The outputs that `z` holds end to end, or their gradients, by number."""
        if len(self.carried) == 1:
            return {self.carried[0]: z}
        found, start = {}, 0
        for k in self.carried:
            o = self.outputs[k]
            found[k] = reshape(z[start : start + o.array.size], shape=o.shape).to(o.dtype)
            start += o.array.size
        return found

    def gradients(self, g: Any, z: Any, *xs: Any) -> list[Any]:
        """The joint rule: `backward`, called with tensors whether the engine runs on arrays or on tensors."""
        on_tensors = isinstance(g, Tensor)
        if not on_tensors:
            g, z, *xs = (wrap(np.asarray(x) if isinstance(x, np.generic) else x) for x in (g, z, *xs))  # type: ignore[assignment]
        with set_grad_enabled(on_tensors):
            self.ctx.saved_tensors = self._unpacked(z, xs, on_tensors)
            try:
                found = self.cls.backward(self.ctx, *self._grad_outputs(g))
            finally:
                self.ctx.saved_tensors = self.saved
                self.reached.clear()
            gradients = self._checked(found if isinstance(found, tuple) else (found,))
        return [x if on_tensors or x is None else x.array for x in gradients]

    def _unpacked(self, z: Tensor, xs: Any, on_tensors: bool) -> tuple:
        """The saved tensors as they were; inputs and outputs with their history, so that `backward` can be differentiated.

        Inputs are those that were given: a `backward` may compute again, with enable_grad(), and ask for the gradients of parameters.
        """
        inputs = [(self.args[i], x) for i, x in zip(self.places, xs, strict=True)]
        known = {id(given): x for given, x in inputs if on_tensors or given.array is not x.array}
        if on_tensors and any(s is o for s in self.saved for o in self.outputs):
            known |= {id(self.outputs[k]): part for k, part in self.parts(z).items()}
        for s in self.saved:
            if s is None:
                continue
            if changed_since(s.array, self.serial):
                raise InplaceError(
                    f"{self.cls.__name__} saved a tensor for backward that was changed in place since: {describe(s)}. Call "
                    "backward() before changing it, or save a copy (x.clone())."
                )
            if on_tensors and s.dtype.kind == "f" and id(s) not in known and not s.requires_grad:
                warnings.warn(
                    f"{self.cls.__name__} saved {describe(s)}, which is neither an input nor an output: in second derivatives it "
                    "counts as a constant. If it depends on the inputs, return it as an output or compute it in backward.",
                    stacklevel=2,
                )
        return tuple(known.get(id(s), s) for s in self.saved)

    def _grad_outputs(self, g: Tensor) -> list[Any]:
        """One gradient for each output: for one that got none zeros, or None."""
        found: list[Any] = [None] * len(self.outputs)
        for k, part in self.parts(g).items():
            if self.ctx._materialize or k in self.reached:
                found[k] = part
        if self.ctx._materialize:
            for k, o in enumerate(self.outputs):
                if found[k] is None and isinstance(o, Tensor):
                    found[k] = wrap(np.zeros_like(o.array))
        return found

    def _checked(self, found: tuple) -> list[Any]:
        """The gradients of the tensor arguments, in their dtypes; refused if their number, kind or shapes are wrong."""
        who, args = f"{self.cls.__name__}.backward", self.args
        while len(found) > len(args) and found[-1] is None:
            found = found[:-1]
        if len(found) != len(args):
            raise GraphError(
                f"{who} returned {len(found)} gradient(s), but forward took {len(args)} argument(s): return one for each, None for "
                "what needs no gradient."
            )
        for i, (x, g) in enumerate(zip(args, found, strict=True), 1):
            if g is None:
                continue
            if not isinstance(x, Tensor):
                raise GraphError(
                    f"{who} returned a gradient for argument {i}, which is {x!r:.60} and no tensor: return None there."
                )
            if not isinstance(g, Tensor):
                raise TypeError(f"{who} must return tensors or None, but its gradient for argument {i} is a {type(g).__name__}.")
            if g.shape != x.shape and not _broadcasts(x.shape, g.shape):
                raise ShapeError(f"{who} returned a gradient of shape {g.shape} for argument {i}, which is {describe(x)}.")
        return [None if found[i] is None else found[i].to(args[i].dtype) for i in self.places]


def _broadcasts(small: tuple, large: tuple) -> bool:
    """Whether the small shape broadcasts to the large one; the engine sums such a gradient."""
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False
