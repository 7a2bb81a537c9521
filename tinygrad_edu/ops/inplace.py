"""Changes in place: x[i] = v, x += y and the methods that end in an underscore.

`assign` decides what a change means. A tensor without history is overwritten and its memory marked as changed, so that a
backward pass that still needs the old values says so. A leaf that requires grad refuses. A tensor that operations made, or that
is to hold such a one, becomes the recorded result: nothing is overwritten (see `tensor.rebind`).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..errors import DeviceError, DtypeError, InplaceError, ShapeError, describe
from ..op import grad_mode
from ..tensor import Tensor, mark_changed, rebind
from ..tensor import wrap as constant
from . import activation, arithmetic, comparison, creation, elementwise, indexing, reduction, shape
from .indexing import normal_index, setitem

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
    indexing: "index_add index_copy index_fill index_put masked_fill masked_scatter put scatter scatter_add scatter_reduce",
    reduction: "cumprod cumsum",
    shape: "tril triu",
}
OPERATORS = {
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_", "__ifloordiv__": "floor_divide_",
    "__imod__": "remainder_", "__ipow__": "pow_", "__iand__": "bitwise_and_", "__ior__": "bitwise_or_", "__ixor__": "bitwise_xor_",
}  # fmt: skip


def assign(target: Tensor, result: Tensor) -> Tensor:
    """Let `target` hold `result`, which was computed from it, and return it.

    Raises:
        InplaceError: a leaf that requires grad, while operations are recorded.
        ShapeError: the result has another shape.
        DtypeError: the result does not fit the dtype without losing its kind (a float into integers).
    """
    recording = grad_mode.enabled
    check_leaf(target, recording)
    if result.shape != target.shape:
        raise ShapeError(
            f"in place, {describe(target)} cannot take a result of shape {result.shape}; write x = ... for a new tensor."
        )
    if "buif".index(result.dtype.kind) > "buif".index(target.dtype.kind) and not (
        result.dtype.kind == "i" and target.dtype.kind == "u"
    ):
        raise DtypeError(f"in place, {describe(target)} cannot take a result of {result.dtype}; write x = ... for a new tensor.")
    if recording and (target._requires_grad or result._requires_grad):
        rebind(target, result if result.dtype == target.dtype else result.to(target.dtype))
    else:
        _writable(target)
        target.array[...] = result.array
        mark_changed(target.array)
    return target


def check_leaf(target: Tensor, recording: bool) -> None:
    """Refuse to change a leaf that requires grad while recording."""
    if recording and target._requires_grad and target.op is None:
        raise InplaceError(
            f"a leaf that requires grad cannot be changed in place while operations are recorded: {describe(target)}. To update a "
            "parameter, write `with no_grad(): p -= lr * p.grad` or use an optimizer; to compute with it, write y = x + 1 in place of x += 1."
        )


def _writable(target: Tensor) -> None:
    """Refuse to write to elements that share one place in memory (expanded tensors)."""
    array = target.array
    if not getattr(array.flags, "writeable", True) or (
        array.size and any(stride == 0 and n > 1 for stride, n in zip(array.strides, array.shape, strict=True))
    ):
        raise InplaceError(
            f"{describe(target)} was expanded: several of its elements are one place in memory. Use clone() first."
        )


def _in_place(function: Any) -> Any:
    """The method that puts a function's result into its first argument."""

    @functools.wraps(function)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_leaf(self, grad_mode.enabled)
        return assign(self, function(self, *args, **kwargs))

    method.__name__ = method.__qualname__ = function.__name__.strip("_") + "_"
    method.__doc__ = f"`{function.__name__.strip('_')}` in place: the tensor takes the result and is returned."
    return method


def _set_item(self: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, with every index that x[index] takes."""
    recording = grad_mode.enabled
    check_leaf(self, recording)
    if recording and (self._requires_grad or (isinstance(value, Tensor) and value._requires_grad)):
        rebind(self, setitem(self, index, value))
        return
    _writable(self)
    if isinstance(value, Tensor):
        if value.device != self.device:
            raise DeviceError(
                f"x[...] = value: the tensor is on {self.device}, the value on {value.device}; move one with .to()."
            )
        value = value.array
    found = normal_index(self, index)
    place = self.array[found]
    extra = getattr(value, "ndim", 0) - place.ndim
    if extra > 0 and all(n == 1 for n in value.shape[:extra]):
        value = value.reshape(value.shape[extra:])
    try:
        self.array[found] = value
    except ValueError as error:
        shape = getattr(value, "shape", None)
        raise ShapeError(
            f"x[...] = value: a value of shape {shape} does not fit where shape {place.shape} is indexed."
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
    src = src if isinstance(src, Tensor) else Tensor(src)
    found = src.to(self.device).to(self.dtype)
    return assign(self, shape.broadcast_to(found, shape=self.shape) if found.shape != self.shape else found)


def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """The main diagonal becomes this number."""
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise RuntimeError(f"fill_diagonal_ takes a matrix, or more dims of one size, not {describe(self)}.")
    mask = np.zeros_like(self.array, dtype=np.bool_)
    np.fill_diagonal(mask, True, wrap=wrap)
    return assign(self, indexing.masked_fill(self, constant(mask), fill_value))


def _install() -> None:
    for module, names in INPLACE.items():
        for name in names.split():
            setattr(Tensor, name + "_", _in_place(getattr(module, name)))
    for special, name in OPERATORS.items():
        setattr(Tensor, special, getattr(Tensor, name))
    for function in (fill_, zero_, copy_, fill_diagonal_):
        setattr(Tensor, function.__name__, function)
    Tensor.__setitem__ = _set_item  # type: ignore[method-assign]


_install()
