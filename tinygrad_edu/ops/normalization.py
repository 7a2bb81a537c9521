"""Normalization: numbers brought to mean 0 and variance 1, then to a scale and a shift that are learnt.

Batch, instance, group and layer norm are the same operation, `standardize`; they differ in the dims over which mean and variance
are taken. For x of shape (N, C, H, W):

    batch norm      over N, H, W        one mean per channel; afterwards, in evaluation, running means stand in for it
    instance norm   over H, W           one mean per sample and channel
    group norm      over C/G, H, W      one mean per sample and group of channels
    layer norm      over the last dims  one mean per sample (or, in a transformer, per position)
"""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..clock import mark_changed
from ..errors import DtypeError, ShapeError, describe
from ..op import cast, op
from .elementwise import clamp_min, rsqrt
from .norms import vector_norm
from .padding import pad
from .reduction import _mean, _sum, _total, count, floating, sum_of_products
from .shape import _reshape, axes, ints
from .totals import total_of_products

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]


# -- the two operations ----------------------------------------------------------------------------------------------
def _unit(x: Any, dim: Any, eps: float, moments: Any = None) -> tuple[Any, Any]:
    """x̂, which has mean 0 and variance 1 over `dim`, and the scale 1/σ that made it so."""
    mean, variance = moments or (_mean(x, dim=dim, keepdim=True), None)
    unit = x - mean
    scale = rsqrt((_mean_square(unit, dim) if variance is None else variance) + eps)
    unit *= scale  # in its own memory: here and in the gradients a third of the time is that of new memory
    return unit, scale


def _mean_square(x: Any, dim: Any) -> Any:
    return sum_of_products(x, x, dim=dim) / _at_least_one(x.shape, dim)


def _at_least_one(shape: Any, dim: Any) -> int:
    """How many numbers a mean is of; for a batch without samples 1, so that what is nothing stays 0."""
    return max(count(shape, dim), 1)


def _standardize_gradients(
    g: Any, z: Any, x: Any, weight: Any, bias: Any, dim: Any, eps: float, moments: Any, unit: Any
) -> list[Any]:
    unit, scale = unit or _unit(x, dim, eps)
    n, shape = _at_least_one(x.shape, dim), next((tuple(p.shape) for p in (weight, bias) if p is not None), ())
    sizes = (1,) * (x.ndim - len(shape)) + shape
    inside = any(sizes[d] != 1 for d in axes(dim, x.ndim))  # the numbers of a mean have weights of their own, as in layer norm
    h = (
        g * weight if inside and weight is not None else g
    )  # one weight for all of them waits: their sums are the parameters' gradients
    a, b = _sum(h, dim=dim, keepdim=True), sum_of_products(h, unit, dim=dim)

    def dx() -> Any:
        slope = h - a / n
        slope -= unit * (b / n)
        slope *= scale if weight is None or inside else scale * weight
        return slope

    return [dx, g * unit, g] if inside else [dx, b, a]


@op(joint=_standardize_gradients, dtype="same", keeps="unit")
def _standardize(x: Any, weight: Any = None, bias: Any = None, *, dim: Any, eps: float, moments: Any = None) -> Any:
    """Bring to mean 0 and variance 1 over some dims, then scale and shift; x's gradient loses its mean and its part along x̂,
    because shifting or stretching x changes nothing.

    z = w·x̂ + b with x̂ = (x - mean) / σ, σ = √(variance + eps);  ∂x = (h - mean(h) - x̂·mean(h·x̂)) / σ with h = g·w;
    ∂w = g·x̂;  ∂b = g

    Args:
        moments: mean and variance, if somebody has them.
    """
    unit, scale = _unit(x, dim, eps, moments=moments)
    z = unit.copy() if weight is None else unit * weight
    if bias is not None:
        z += bias
    return z, (unit, scale)


def _unit_rms(x: Any, dim: Any, eps: float) -> tuple[Any, Any]:
    """x̂, which has mean square 1 over `dim`, and the scale that made it so."""
    scale = rsqrt(_mean_square(x, dim) + eps)
    return x * scale, scale


def _rms_gradients(g: Any, z: Any, x: Any, weight: Any, dim: Any, eps: float, unit: Any) -> list[Any]:
    unit, scale = unit or _unit_rms(x, dim, eps)
    h = g if weight is None else g * weight
    return [lambda: scale * (h - unit * _mean(h * unit, dim=dim, keepdim=True)), g * unit]


@op(joint=_rms_gradients, dtype="same", keeps="unit")
def _standardize_rms(x: Any, weight: Any = None, *, dim: Any, eps: float) -> Any:
    """Bring to mean square 1 over some dims, then scale; x's gradient loses its part along x̂.

    z = w·x̂ with x̂ = x / r, r = √(mean(x²) + eps);  ∂x = (h - x̂·mean(h·x̂)) / r with h = g·w;  ∂w = g·x̂
    """
    unit, scale = _unit_rms(x, dim, eps)
    return unit.copy() if weight is None else unit * weight, (unit, scale)


def _enough_digits(x: Any, *parameters: Any) -> list[Any]:
    """float16 is normalized as float32, because squares soon pass its largest number, 65504."""
    if x.dtype != dtypes.float16:
        return [x, *parameters]
    return [t if t is None or t.dtype != dtypes.float16 else cast(t, dtype=dtypes.float32) for t in (x, *parameters)]


def _back(z: Any, dtype: Any) -> Any:
    return z if z.dtype == dtype else cast(z, dtype=dtype)


# -- over the last dims ----------------------------------------------------------------------------------------------
def _last_dims(name: str, x: Any, normalized_shape: Any, *parameters: Any) -> Any:
    """The dims of `normalized_shape`, which must be the last sizes of x and the shape of the parameters."""
    shape = ints((normalized_shape,))
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"{name}: normalized_shape {shape} must be the last sizes of the input, which is {describe(x)}.")
    for parameter in parameters:
        if parameter is not None and parameter.shape != shape:
            raise ShapeError(
                f"{name}: weight and bias must have the shape {shape} of normalized_shape; one is {describe(parameter)}."
            )
    return -1 if len(shape) == 1 else tuple(range(-len(shape), 0))


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Mean 0 and variance 1 over the last dims, for every sample by itself; then a scale and a shift for each element.

    z = w·(x - mean) / √(variance + eps) + b

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the last sizes, over which mean and variance are taken.
        weight, bias: of normalized_shape, or None.

    Source: Ba et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
    """
    x, weight, bias = _enough_digits(floating("layer_norm", input), weight, bias)
    dim = _last_dims("layer_norm", x, normalized_shape, weight, bias)
    return _back(_standardize(x, weight, bias, dim=dim, eps=eps, moments=None), input.dtype)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Mean square 1 over the last dims, then a scale for each element: layer norm without the mean.

    z = w·x / √(mean(x²) + eps)

    Args:
        input: (..., *normalized_shape).
        eps: default: the smallest number that changes 1 when added to it.

    Source: Zhang, Sennrich 2019; https://pytorch.org/docs/stable/generated/torch.nn.functional.rms_norm.html
    """
    x, weight = _enough_digits(floating("rms_norm", input), weight)
    dim = _last_dims("rms_norm", x, normalized_shape, weight)
    eps = dtypes.finfo(x.dtype).eps if eps is None else eps
    return _back(_standardize_rms(x, weight, dim=dim, eps=eps), input.dtype)


# -- over channels ---------------------------------------------------------------------------------------------------
def _check_channels(name: str, x: Any, *statistics: Any) -> None:
    """Raise unless x has channels (dim 1), and the statistics one number for each."""
    if x.ndim < 2 and x.shape != (0,):
        raise ShapeError(f"{name}: expected a batch of samples with channels, (N, C, ...), but got {describe(x)}.")
    channels = x.shape[:2][-1]
    for t in statistics:
        if t is not None and t.shape != (channels,):
            raise ShapeError(f"{name}: {describe(x)} has {channels} channels, but one of its parameters is {describe(t)}.")
        if t is not None and t.dtype not in (x.dtype, dtypes.float16):
            raise DtypeError(f"{name}: input and parameters must have one dtype, but they are {describe(x)}; {describe(t)}.")


def _per_channel(name: str, x: Any, *statistics: Any) -> list[Any]:
    """Tensors of one number per channel (dim 1 of x), shaped so that they broadcast against x."""
    _check_channels(name, x, *statistics)
    if x.ndim == 2:
        return list(statistics)
    return [None if t is None else _reshape(t, shape=t.shape + (1,) * (x.ndim - 2)) for t in statistics]


def _several(name: str, x: Any, count: int, what: str) -> None:
    if count == 1:
        raise ValueError(
            f"{name}: mean and variance need more than 1 value per {what} when training, and {describe(x)} has only one. "
            "Take larger batches (drop_last=True in the DataLoader), or call eval() on the model."
        )


def _follow(running_mean: Any, running_var: Any, x: Any, over: tuple[int, ...], momentum: float) -> Any:
    """Let the running statistics move towards the batch's, without history: running ← (1 - m)·running + m·now.

    Returns:
        The mean and the variance of the batch, or None if there is nothing that follows them.
    """
    if (running_mean is None and running_var is None) or not x.array.size:
        return None
    n = count(x.shape, over)
    mean = _total(x.array, over, True, n)
    away = x.array - mean
    variance = total_of_products(away, away, over).reshape(mean.shape) / n
    for running, now in ((running_mean, mean), (running_var, variance * (n / (n - 1)))):
        if running is not None:
            array = running.array
            now = now.reshape(-1, *array.shape)  # of instance norm one for each sample
            array *= 1 - momentum
            array += momentum * (now[0] if len(now) == 1 else _mean(now, dim=0))
            mark_changed(array)
    return mean, variance


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Mean 0 and variance 1 for each channel, over the whole batch; then a scale and a shift for each channel.

    z = w·(x - mean) / √(variance + eps) + b

    While training, mean and variance are those of the batch, their gradients are part of x's, and the running ones follow them
    (the running variance with n - 1). Afterwards the running ones are used, so that a sample's result depends on no other.

    Args:
        input: (N, C, ...).
        running_mean, running_var: (C,), changed in place while training; or None.
        weight, bias: (C,) or None.
        momentum: how far the running statistics move towards the batch's.

    Raises:
        ValueError: one value per channel while training (its variance would be 0).

    Source: Ioffe, Szegedy 2015; https://pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm: eps must be positive, not {eps}.")
    x, weight, bias = _enough_digits(floating("batch_norm", input), weight, bias)
    scale, shift, at, spread = _per_channel("batch_norm", x, weight, bias, running_mean, running_var)
    if not training:
        if at is None or spread is None:
            raise RuntimeError("batch_norm: running_mean and running_var are needed when not training.")
        factor = rsqrt(spread + eps) if scale is None else rsqrt(spread + eps) * scale
        z = (x - at) * factor
        return _back(z if shift is None else z + shift, input.dtype)
    over = (0, *range(2, x.ndim))
    _several("batch_norm", x, math.prod(x.shape[d] for d in over), "channel")
    moments = _follow(running_mean, running_var, x, over, momentum)
    return _back(_standardize(x, scale, shift, dim=over, eps=eps, moments=moments), input.dtype)


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Mean 0 and variance 1 for each channel of each sample by itself; then a scale and a shift for each channel.

    z = w·(x - mean) / √(variance + eps) + b

    Args:
        input: (N, C, ...) with at least one more dim.
        use_input_stats: False uses the running statistics in place of the sample's own, as batch_norm does.

    Source: Ulyanov et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    x, weight, bias = _enough_digits(floating("instance_norm", input), weight, bias)
    scale, shift, _, _ = _per_channel("instance_norm", x, weight, bias, running_mean, running_var)
    _several("instance_norm", x, math.prod(x.shape[2:]), "channel of a sample")
    over = tuple(range(2, x.ndim))
    moments = _follow(running_mean, running_var, x, over, momentum)
    return _back(_standardize(x, scale, shift, dim=over, eps=eps, moments=moments), input.dtype)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Mean 0 and variance 1 for each group of channels of each sample by itself; then a scale and a shift for each channel.

    z = w·(x - mean) / √(variance + eps) + b

    Args:
        input: (N, C, ...).
        num_groups: into how many groups the C channels are divided.
        weight, bias: (C,) or None.

    Source: Wu, He 2018; https://pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html
    """
    x, weight, bias = _enough_digits(floating("group_norm", input), weight, bias)
    _check_channels("group_norm", x, weight, bias)
    channels = x.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(
            f"group_norm: the {channels} channels of {describe(x)} cannot be divided into {num_groups} equal groups."
        )
    size = channels // num_groups
    _several("group_norm", x, x.shape[0] * size * math.prod(x.shape[2:]), "group")
    apart = (x.shape[0], num_groups, size, *x.shape[2:])
    scale, shift = (None if t is None else _reshape(t, shape=(num_groups, size) + (1,) * (x.ndim - 2)) for t in (weight, bias))
    z = _standardize(_reshape(x, shape=apart), scale, shift, dim=tuple(range(2, len(apart))), eps=eps, moments=None)
    return _back(_reshape(z, shape=x.shape), input.dtype)


# -- without a mean --------------------------------------------------------------------------------------------------
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """Each channel is held down by the squares of the channels beside it, at the same place.

    z[c] = x[c] / (k + alpha·(mean of x² over `size` channels around c))^beta

    Args:
        input: (N, C, ...) with at least one more dim.
        size: how many channels; beyond the first and the last there are zeros.

    Source: Krizhevsky et al. 2012; https://pytorch.org/docs/stable/generated/torch.nn.functional.local_response_norm.html
    """
    if input.ndim < 3 or size < 1:
        raise ValueError(
            f"local_response_norm takes 3 dims or more, (N, C, ...), and a size above 0, not {describe(input)} and size={size}."
        )
    channels = input.shape[1]
    squares = pad(input * input, (0, 0) * (input.ndim - 2) + (size // 2, (size - 1) // 2))
    around = squares[:, :channels]
    for shift in range(1, size):
        around = around + squares[:, shift : shift + channels]
    return input / (k + (alpha / size) * around) ** beta


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    """Divide vectors by their p-norm, so that they have length 1; those shorter than eps are divided by eps.

    z = x / max(‖x‖ₚ, eps) over dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html
    """
    return input / clamp_min(vector_norm(input, p, dim, keepdim=True), eps)
