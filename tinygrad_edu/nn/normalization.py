"""Normalization layers: the functions of ops/normalization.py with their scale, shift and running statistics."""

from __future__ import annotations

from typing import Any, ClassVar

from ..clock import mark_changed
from ..errors import ShapeError, describe
from ..ops.creation import ones, tensor, zeros
from ..ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, rms_norm
from ..ops.shape import ints
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter


class _Scaled(Module):
    """What normalizations share: a scale that starts at 1 and a shift that starts at 0, or None."""

    def reset_parameters(self) -> None:
        """Back to scale 1 and shift 0."""
        for name, value in (("weight", 1), ("bias", 0)):
            parameter = getattr(self, name, None)
            if parameter is not None:
                parameter.data.fill_(value)


class _Channels(_Scaled):
    """What batch and instance norm share: a scale and a shift for each channel, and running statistics.

    The scale starts at 1, the shift at 0, the running mean at 0 and the running variance at 1.
    """

    _version = 2  # since which the batches are counted
    dims: ClassVar[tuple[int, ...]]  # how many dims an input may have
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        how = {"device": device, "dtype": dtype}
        self.weight = Parameter(ones(num_features, **how)) if affine else None
        self.bias = Parameter(zeros(num_features, **how)) if affine and bias else None
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **how) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **how) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget what was learnt about the data's mean and variance."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Back to scale 1 and shift 0, and nothing learnt about the data."""
        self.reset_running_stats()
        super().reset_parameters()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *lists: Any) -> None:
        if local_metadata.get("version", 1) < 2 and self.track_running_stats:  # also from a file, which keeps no version
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *lists)

    def _check_input_dim(self, x: Tensor) -> None:
        if x.ndim not in self.dims:
            wanted = " or ".join(f"{n}D" for n in self.dims)
            raise ShapeError(f"{type(self).__name__}: expected {wanted} input, but got {x.ndim}D: {describe(x)}.")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Channels):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel over the batch."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = self.momentum
        counts = self.training and self.track_running_stats and self.num_batches_tracked is not None
        if counts and momentum is None:  # the mean of all batches so far
            momentum = (1 / (self.num_batches_tracked.array + 1)).astype(self.running_mean.dtype)
        use_batch = self.training or self.running_mean is None
        follow = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if follow else (None, None)
        z = batch_norm(input, mean, var, self.weight, self.bias, use_batch, 0.0 if momentum is None else momentum, self.eps)
        if counts:
            seen = self.num_batches_tracked.array
            seen += 1
            mark_changed(seen)
        return z


class BatchNorm1d(_BatchNorm):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of (N, C) or (N, C, L), over the batch.

    While training, mean and variance are those of the batch, and running ones follow them; in evaluation the running ones are
    used, so that a sample's result does not depend on the others.

    Args:
        num_features: the number of channels C.
        momentum: how far the running statistics move towards each batch's; None: they are the mean over all batches.
        affine: whether there are a scale w and a shift b to learn.
        track_running_stats: False uses the batch's statistics in evaluation, too.

    Source: Ioffe, Szegedy 2015; https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """

    dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of (N, C, H, W), over the batch; as `BatchNorm1d`.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
    """

    dims = (4,)


class BatchNorm3d(_BatchNorm):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of (N, C, D, H, W), over the batch; as `BatchNorm1d`.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm3d.html
    """

    dims = (5,)


class _InstanceNorm(_Channels):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of each sample by itself."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        alone = input.ndim == self.dims[0]  # one sample without a batch dim
        batch = input.unsqueeze(0) if alone else input
        if batch.shape[1] != self.num_features and self.affine:
            raise ShapeError(f"{type(self).__name__}: expected {self.num_features} channels, but got {describe(input)}.")
        own = self.training or not self.track_running_stats
        z = instance_norm(batch, self.running_mean, self.running_var, self.weight, self.bias, own, self.momentum or 0.0, self.eps)
        return z.squeeze(0) if alone else z


class InstanceNorm1d(_InstanceNorm):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of each sample of (N, C, L), or of one sample (C, L).

    Args:
        num_features: the number of channels C.
        affine: whether there are a scale w and a shift b for each channel to learn.
        track_running_stats: in evaluation, use running statistics of all samples seen in training.

    Source: Ulyanov et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.InstanceNorm1d.html
    """

    dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of each sample of (N, C, H, W), or of one sample (C, H, W).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html
    """

    dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """z = w·(x - mean) / √(variance + eps) + b, for each channel of each sample of (N, C, D, H, W), or of one (C, D, H, W).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.InstanceNorm3d.html
    """

    dims = (4, 5)


class LayerNorm(_Scaled):
    """z = w·(x - mean) / √(variance + eps) + b, over the last dims of each sample.

    Args:
        normalized_shape: the last sizes of the input (an int for the last one alone); the shape of w and b.

    Source: Ba et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = ints((normalized_shape,)), eps, elementwise_affine
        affine = elementwise_affine
        self.weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(self.normalized_shape, device=device, dtype=dtype)) if affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Scaled):
    """z = w·x / √(mean(x²) + eps), over the last dims of each sample.

    Args:
        normalized_shape: the last sizes of the input (an int for the last one alone); the shape of w.
        eps: default: the smallest number that changes 1 when added to it.

    Source: Zhang, Sennrich 2019; https://pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = ints((normalized_shape,)), eps, elementwise_affine
        self.weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None

    def forward(self, input: Tensor) -> Tensor:
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Scaled):
    """z = w·(x - mean) / √(variance + eps) + b, for each group of channels of each sample of (N, C, ...).

    Args:
        num_groups: into how many groups the channels are divided: 1 is layer norm, num_channels instance norm.
        num_channels: C.

    Source: Wu, He 2018; https://pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups {num_groups} must be above 0 and divide num_channels {num_channels}.")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = Parameter(ones(num_channels, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(num_channels, device=device, dtype=dtype)) if affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LocalResponseNorm(Module):
    """z[c] = x[c] / (k + alpha·(mean of x² over `size` channels around c))^beta, for (N, C, ...).

    Source: Krizhevsky et al. 2012; https://pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
