"""Changes in place: x[i] = v, x += y and the methods that end in an underscore.

`assign` decides what a change means. A tensor without history is overwritten and its memory marked as changed, so that a
backward pass that still needs the old values says so. A leaf that requires grad refuses. A tensor that operations made, or that
is to hold such a one, becomes the recorded result: nothing is overwritten (see `tensor.rebind`).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..clock import mark_changed, tick
from ..dtypes import fitting
from ..errors import DeviceError, DtypeError, InplaceError, ShapeError, describe
from ..grad_mode import grad_mode
from ..op import answers
from ..spelling import take_other_names
from ..tensor import Tensor
from ..tensor import wrap as constant
from ..views import earlier, look, rebind, refresh
from . import (
    activation,
    arithmetic,
    comparison,
    creation,
    cumulative,
    diagonal,
    elementwise,
    indexing,
    norms,
    products,
    scatter,
    shape,
)
from .indexing import in_steps, normal_index, setitem, without_leading_ones

# Every method name_(...) that is name(...) with its result put into the tensor, by the file of the function.
INPLACE = {
    arithmetic: "add addcdiv addcmul atan2 copysign div divide float_power floor_divide fmod gcd hypot lcm lerp mul multiply neg "
    "negative pow reciprocal remainder sub subtract true_divide xlogy",
    comparison: "bitwise_and bitwise_not bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift eq ge gt le lt ne logical_and "
    "logical_not logical_or logical_xor",
    elementwise: "abs acos acosh asin asinh atan atanh ceil clamp clamp_max clamp_min clip cos cosh deg2rad digamma erf erfc erfinv "
    "exp exp2 expm1 floor frac lgamma log log10 log1p log2 logit nan_to_num rad2deg round rsqrt sigmoid sgn sign sin sinc sinh sqrt "
    "square tan tanh trunc",
    activation: "celu elu hardtanh leaky_relu relu relu6 selu silu mish threshold hardswish hardsigmoid",
    indexing: "index_put masked_fill masked_scatter",
    norms: "renorm",
    products: "addmm addmv addr baddbmm",
    scatter: "index_add index_copy index_fill put scatter scatter_add scatter_reduce",
    cumulative: "cumprod cumsum",
    diagonal: "tril triu",
}
VIEWS = "squeeze swapaxes swapdims t transpose unsqueeze"  # name_(...) lets the tensor look at its numbers in another shape
OPERATORS = {  # x += y and its like
    "add": arithmetic.add, "sub": arithmetic.sub, "mul": arithmetic.mul, "truediv": arithmetic.div, "pow": arithmetic.pow,
    "floordiv": arithmetic.floor_divide, "mod": arithmetic.remainder,
    "and": comparison.bitwise_and, "or": comparison.bitwise_or, "xor": comparison.bitwise_xor,
}  # fmt: skip


def assign(target: Tensor, result: Tensor) -> Tensor:
    """Let `target` hold the values of `result` and return it; its old value gets no gradient, that of `result` passes through.

    Raises:
        InplaceError: a leaf that requires grad, while operations are recorded.
        ShapeError: the result has another shape.
        DtypeError: the result does not fit the dtype without losing its kind (a float into integers).
    """
    _check_leaf(target)
    if not _recorded(target, result):
        return _become(target, target, result)
    old = earlier(target)
    return _become(target, old, setitem(old, ..., shape.broadcast_to(result.to(target.dtype), shape=target.shape)))


def _become(target: Tensor, old: Tensor, result: Tensor) -> Tensor:
    """Let `target` hold `result`, which may be computed from `old`, the target as it was."""
    if result.shape != target.shape:
        raise ShapeError(
            f"in place, {describe(target)} cannot take a result of shape {result.shape}; write x = ... for a new tensor."
        )
    kinds = "bif".index(target.dtype.kind.replace("u", "i")), "bif".index(result.dtype.kind.replace("u", "i"))
    if kinds[0] < kinds[1]:
        raise DtypeError(f"in place, {describe(target)} cannot take a result of {result.dtype}; write x = ... for a new tensor.")
    if _recorded(target, result):
        if result.dtype != target.dtype:
            result = result.to(target.dtype)
        if result.op is None or result.base is not None:  # constant, or in memory that is somebody else's
            result = setitem(old, ..., result)
        _follow(target, old, result)
    else:
        check_writable(target)
        target.array[...] = result.array
        mark_changed(target.array)
    return target


def _follow(target: Tensor, old: Tensor, result: Tensor) -> None:
    """Let `target` become the recorded `result`; if it is a view, its base changes where it looks, and it looks again."""
    anchor, way = target.base or (None, None)
    base = anchor.tensor() if anchor is not None else None
    if anchor is None:
        rebind(target, old, result)
    elif way is None:
        whole = target.array.base is None if base is None else base.op is None and target.array is base.array
        if not whole:
            raise InplaceError(
                f"{describe(target)} shares memory with another tensor through detach() or data, which would not follow a change that "
                "is recorded for backward; detach() what you put into it, or clone() it first."
            )
        check_writable(target)  # p.data.copy_(w): the numbers go into the memory that it shares with p, the history only to it
        memory = target.array
        rebind(target, old, result)
        memory[...] = result.array
        mark_changed(memory)
        target.array, target.base = memory, (anchor, None)
    elif base is None:  # nobody has it any more; other views of it could not follow
        anchor.changed_at = tick()
        rebind(target, old, result)
    else:
        _check_leaf(base)
        check_writable(target)
        places = look(np.arange(base.array.size, like=base.array).reshape(base.shape), way)
        before = earlier(base)
        flat = indexing.index_put(before.reshape(-1), (constant(places.reshape(-1)),), result.reshape(-1))
        rebind(base, before, flat.reshape(base.shape))
        base.base = None  # nobody else has `flat`
        rebind(target, old, look(base, way))


def _recorded(target: Tensor, value: Any) -> bool:
    """Whether giving `value` to `target` is something that gradients must know of."""
    if not grad_mode.enabled or target.dtype.kind != "f":
        return False
    return target._requires_grad or (isinstance(value, Tensor) and value._requires_grad)


def _check_leaf(target: Tensor) -> None:
    """Refuse to change a leaf that requires grad while recording, itself or by a view of it; a view is brought up to date first."""
    base = None
    if target.base is not None:
        refresh(target)
        anchor, way = target.base
        base = None if way is None else anchor.tensor()
    if not grad_mode.enabled:
        return
    if target._requires_grad and target.op is None:
        raise InplaceError(
            f"a leaf that requires grad cannot be changed in place while operations are recorded: {describe(target)}. To update a "
            "parameter, write `with no_grad(): p -= lr * p.grad` or use an optimizer; to compute with it, write y = x + 1 in place of x += 1."
        )
    if base is not None and base._requires_grad and not target._requires_grad:
        raise InplaceError(
            f"{describe(target)} is a view without history of {describe(base)}, which requires grad: backward would not know of a change by it. "
            "Change it under no_grad(), or take the view anew while operations are recorded."
        )


def check_writable(target: Tensor) -> None:
    """Refuse to write to elements that share one place in memory (expanded tensors), and to read-only arrays."""
    array = target.array
    shared = any(stride == 0 and n > 1 for stride, n in zip(array.strides, array.shape, strict=True)) and array.size
    if shared or not getattr(array.flags, "writeable", True):
        raise InplaceError(
            f"{describe(target)} cannot be changed in place: it was expanded, so that several of its elements are one place in "
            "memory, or it is a read-only array of NumPy. Use clone() first."
        )


def in_place(function: Any, reflected: str | None = None) -> Any:
    """The method that puts a function's result into its first argument; an operator, if it has a reflected one, as in `op.recording`."""

    @functools.wraps(function)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if reflected is not None and answers(args[0], reflected):
            return NotImplemented
        _check_leaf(self)
        old = earlier(self)
        args = tuple(old if x is self else x for x in args)  # x.mul_(x)
        return _become(self, old, function(old, *args, **kwargs))

    method.__name__ = method.__qualname__ = function.__name__.strip("_") + "_"
    method.__doc__ = f"`{function.__name__.strip('_')}` in place: the tensor takes the result and is returned."
    return method


def _view_in_place(function: Any) -> Any:
    """The method that lets a tensor become the view of it that `function` makes."""

    @functools.wraps(function)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        _check_leaf(self)
        old = earlier(self)
        old.base = self.base
        view = function(old, *args, **kwargs)
        if _recorded(self, view):
            rebind(self, old, view)
        else:
            self.array = view.array
        self.base = view.base if old.base is not None else None
        return self

    method.__name__ = method.__qualname__ = function.__name__ + "_"
    method.__doc__ = f"`{function.__name__}` in place: the tensor takes the other shape and is returned."
    return method


def _set_item(self: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, with every index that x[index] takes."""
    if value is None:  # NumPy makes a NaN of it
        raise TypeError("x[...] = None: give a number or a tensor. Does the function that made this value return it?")
    _check_leaf(self)
    if _recorded(self, value):
        old = earlier(self)
        _follow(self, old, setitem(old, index, value))
        return
    check_writable(self)
    if isinstance(value, Tensor):
        if value.device != self.device:
            raise DeviceError(
                f"x[...] = value: the tensor is on {self.device}, the value on {value.device}; move one with .to()."
            )
        value = value.array
    elif isinstance(value, int | float):
        fitting(value, self.dtype)
    shape = getattr(value, "shape", ())
    if shape[:1] == (1,):  # sizes of 1 at the left mean nothing, and may be more than there is room for
        value = value.reshape(without_leading_ones(shape))
    first, rest = in_steps(normal_index(self, index))
    array = self.array[(*first, ...)] if first else self.array  # a view, also where it is a number
    try:
        array[rest] = value
    except ValueError as error:
        raise ShapeError(
            f"x[...] = value: a value of shape {shape} does not fit where shape {array[rest].shape} is indexed."
        ) from error
    mark_changed(self.array)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes this number, or 0-d tensor."""
    return assign(self, creation.fill(self, value))


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0."""
    return fill_(self, 0)


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """The elements of another tensor, broadcast to this one's shape and brought to its dtype and device."""
    found = src if isinstance(src, Tensor) else creation.tensor(src)
    if self.dtype.kind != "f":
        found = found.detach()
    return assign(self, shape.broadcast_to(found.to(self.device).to(self.dtype), shape=self.shape))


def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """The main diagonal becomes this number."""
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise RuntimeError(f"fill_diagonal_ takes a matrix, or more dims of one size, not {describe(self)}.")
    mask = np.zeros_like(self.array, dtype=np.bool_)
    np.fill_diagonal(mask, True, wrap=wrap)
    return assign(self, indexing.masked_fill(self, constant(mask), fill_value))


def _install() -> None:
    functions = {name: getattr(module, name) for module, names in INPLACE.items() for name in names.split()}
    views = {name: getattr(shape, name) for name in VIEWS.split()}
    for found, make in ((functions, in_place), (views, _view_in_place)):
        take_other_names(found)
        for name, function in found.items():
            setattr(Tensor, name + "_", make(function))
    for name, function in OPERATORS.items():
        setattr(Tensor, f"__i{name}__", in_place(function, f"__r{name}__"))
    for function in (fill_, zero_, copy_, fill_diagonal_):
        setattr(Tensor, function.__name__, function)
    Tensor.__setitem__ = _set_item  # type: ignore[method-assign]


_install()
