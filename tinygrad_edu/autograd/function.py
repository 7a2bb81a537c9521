"""autograd.Function: an operation of your own in PyTorch's style, for programs that use it. `@op` is the shorter way.

A call of `apply` records one operation whose rule calls your `backward`. Several outputs are one recorded tensor, all outputs
end to end, of which each output is a slice; so `backward` gets all of their gradients at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import GraphError, ShapeError, describe
from ..op import Op, _recording, enable_grad, grad_mode, no_grad, registry
from ..ops.shape import reshape
from ..tensor import Tensor, wrap


class FunctionCtx:
    """What `forward` leaves for `backward`: saved tensors, and any attribute you set."""

    def __init__(self) -> None:
        self.saved_tensors: tuple = ()
        self.needs_input_grad: tuple[bool, ...] = ()
        self._non_differentiable: tuple = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for `backward`, as `ctx.saved_tensors`."""
        for x in tensors:
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(f"save_for_backward takes tensors; a {type(x).__name__} can be an attribute: ctx.value = value.")
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """These outputs carry no gradient."""
        self._non_differentiable = outputs

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Not offered: return a new tensor in place of changing an input."""
        raise GraphError("an autograd.Function here cannot change its inputs in place; return a new tensor.")

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (default) or None for outputs that nothing depends on."""
        self._materialize = value


class Function:
    """An operation with `forward(ctx, ...)` and `backward(ctx, *grad_outputs)` as static methods; call `apply(...)`.

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

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward` and record it."""
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        several = isinstance(output, tuple)
        outputs = output if several else (output,)
        if not any(ctx.needs_input_grad) or not grad_mode.enabled:
            return output
        carried = [
            o
            for o in outputs
            if isinstance(o, Tensor) and o.dtype.kind == "f" and not any(o is n for n in ctx._non_differentiable)
        ]
        if not carried:
            return output
        recorded = iter(_record(cls, ctx, args, carried))
        results = tuple(next(recorded) if any(o is c for c in carried) else o for o in outputs)
        return results if several else results[0]


def once_differentiable(backward: Any) -> Any:
    """A `backward` that cannot itself be differentiated: asking for it (create_graph=True) raises."""

    def checked(ctx: FunctionCtx, *grads: Any) -> Any:
        if grad_mode.enabled and any(isinstance(g, Tensor) and g.requires_grad for g in grads):
            raise GraphError(
                f"{backward.__qualname__} is marked once_differentiable: its gradient cannot be differentiated again."
            )
        return backward(ctx, *grads)

    return checked


def _record(cls: Any, ctx: FunctionCtx, args: tuple, outputs: list[Tensor]) -> list[Tensor]:
    """The outputs as recorded tensors made by one operation from the tensors among the arguments."""
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    ends = np.cumsum([o.array.size for o in outputs]).tolist()
    single = len(outputs) == 1
    dtype = np.result_type(*(o.dtype for o in outputs))

    def forward(*xs: Any) -> Any:
        """z = what forward returned;  ∂x = what backward returns"""
        arrays = [o.array for o in outputs]
        return arrays[0].copy() if single else np.concatenate([a.reshape(-1).astype(dtype) for a in arrays])

    def joint(g: Any, z: Any, *xs: Any) -> list[Any]:
        on_tensors = isinstance(g, Tensor)
        g = g if on_tensors else wrap(np.asarray(g) if isinstance(g, np.generic) else g)
        parts = (
            [g]
            if single
            else [reshape(g[end - o.array.size : end], shape=o.shape).to(o.dtype) for o, end in zip(outputs, ends, strict=True)]
        )
        with enable_grad() if on_tensors else no_grad():
            found = cls.backward(ctx, *parts)
        found = found if isinstance(found, tuple) else (found,)
        return _checked(cls, args, places, found, on_tensors)

    forward.__name__ = cls.__name__
    known = registry.get(cls.__name__)
    z = _recording(Op(forward, {}, joint=joint, dtype=None, view=False))(*(args[i] for i in places))
    if known is None:  # made anew for every call: not an operation to look up by name
        registry.pop(cls.__name__, None)
    else:
        registry[cls.__name__] = known
    if single:
        return [z]
    return [reshape(z[end - o.array.size : end], shape=o.shape).to(o.dtype) for o, end in zip(outputs, ends, strict=True)]


def _checked(cls: Any, args: tuple, places: list[int], found: tuple, on_tensors: bool) -> list[Any]:
    """The gradients of the tensor arguments, as the engine wants them; refused if their number or shapes are wrong."""
    if len(found) > len(args) and all(g is None for g in found[len(args) :]):
        found = found[: len(args)]
    if len(found) != len(args):
        raise GraphError(
            f"{cls.__name__}.backward returned {len(found)} gradient(s), but forward took {len(args)} argument(s): return one for each, "
            "None for what needs no gradient."
        )
    gradients = []
    for i in places:
        g = found[i]
        if g is not None:
            if not isinstance(g, Tensor):
                raise TypeError(
                    f"{cls.__name__}.backward must return tensors or None, but number {i + 1} is a {type(g).__name__}."
                )
            if g.shape != args[i].shape and not _broadcasts(args[i].shape, g.shape):
                raise ShapeError(
                    f"{cls.__name__}.backward returned a gradient of shape {g.shape} for argument {i + 1}, which is {describe(args[i])}."
                )
        gradients.append(g if on_tensors or g is None else g.array)
    return gradients


def _broadcasts(small: tuple, large: tuple) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False
