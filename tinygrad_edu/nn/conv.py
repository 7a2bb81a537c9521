"""Convolution layers: the same small weight at every place of the input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, per_dim
from ..ops.creation import empty
from ..ops.padding import pad
from ..tensor import Tensor
from .init import draw_parameters
from .module import Module
from .parameter import Parameter


class _Conv(Module):
    """What all six layers share: settings, parameters and their first values, uniform in ±1/√(inputs of one output).

    Args:
        in_channels, out_channels: how many channels go in and come out.
        kernel_size, stride, padding, dilation: an integer or one per dim; padding may be "same" or "valid".
        groups: channels in that many separate groups.
        bias: whether a number is added to each output channel.
        padding_mode: what stands in the padding: "zeros", "reflect", "replicate" or "circular".
    """

    dims: int
    function: Callable
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups={groups} must be positive and divide in_channels={in_channels} and out_channels={out_channels}."
            )
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(f'{name}: padding_mode must be "zeros", "reflect", "replicate" or "circular", not {padding_mode!r}.')
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = per_dim(kernel_size, self.dims, "kernel_size")
        self.stride = per_dim(stride, self.dims, "stride")
        self.dilation = per_dim(dilation, self.dims, "dilation")
        if isinstance(padding, str) and (padding not in ("same", "valid") or (padding == "same" and max(self.stride) > 1)):
            raise ValueError(f'{name}: padding must be a number, "valid" or (with stride 1) "same", not {padding!r}.')
        self.padding: Any = padding if isinstance(padding, str) else per_dim(padding, self.dims, "padding")
        self.groups, self.padding_mode = groups, padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new first values."""
        draw_parameters(self, math.prod(self.weight.shape[1:]))

    def extra_repr(self) -> str:
        usual = {"padding": (0,) * self.dims, "dilation": (1,) * self.dims, "output_padding": (0,) * self.dims, "groups": 1}
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        parts += [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name, value) != value]
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class _PlainConv(_Conv):
    """z[n, o, p] = bias[o] + Σ x[n, c, p·stride + k·dilation - padding]·weight[o, c, k] over channels c and kernel offsets k.

    The weight has shape (out_channels, in_channels / groups, *kernel_size).
    """

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight, self.bias)

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """With another weight, as layers ask that are made from this one: with a standardized, masked or adapted weight."""
        if self.padding_mode == "zeros":
            return self.function(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        x = pad(x, self._sides(), mode=self.padding_mode)
        return self.function(x, weight, bias, self.stride, 0, self.dilation, self.groups)

    def _sides(self) -> list[int]:
        """The padding as `pad` takes it: both sides of each dim, the last dim first."""
        if self.padding == "valid":
            return [0, 0] * self.dims
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [side for total in reversed(totals) for side in (total // 2, total - total // 2)]
        return [p for p in reversed(self.padding) for _ in range(2)]


class _TransposedConv(_Conv):
    """z[n, c, p·stride + k·dilation - padding] = bias[c] + Σ x[n, o, p]·weight[o, c, k]: the gradient of a convolution, as a layer.

    The weight has shape (in_channels, out_channels / groups, *kernel_size).

    Args:
        output_padding: added to one end of each output size, of which several lead to the same input size; or `forward` takes
            the output_size itself.
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros" or isinstance(padding, str):
            raise ValueError(
                f'{type(self).__name__}: padding must be numbers and padding_mode "zeros", not {padding!r} and {padding_mode!r}.'
            )
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )
        self.output_padding = per_dim(output_padding, self.dims, "output_padding")

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._output_padding(x, output_size)
        return self.function(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _output_padding(self, x: Tensor, output_size: Any) -> tuple[int, ...]:
        """What must be added to the smallest output to get these sizes."""
        wanted, lead = tuple(output_size), x.ndim - self.dims
        if len(wanted) not in (self.dims, self.dims + lead):
            raise ValueError(
                f"{type(self).__name__}: output_size must have {self.dims} or {self.dims + lead} sizes, not {wanted}."
            )
        wanted = wanted[-self.dims :]
        smallest = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(x.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        )
        extra = tuple(w - m for w, m in zip(wanted, smallest, strict=True))
        if any(e < 0 or e >= s for e, s in zip(extra, self.stride, strict=True)):
            largest = tuple(m + s - 1 for m, s in zip(smallest, self.stride, strict=True))
            raise ValueError(
                f"{type(self).__name__}: output_size must be from {smallest} to {largest} for this input, not {wanted}."
            )
        return extra


class Conv1d(_PlainConv):
    """Convolution over sequences: an input of (samples, channels, length).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Conv1d.html
    """

    dims, function = 1, staticmethod(conv1d)


class Conv2d(_PlainConv):
    """Convolution over images: an input of (samples, channels, height, width).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    dims, function = 2, staticmethod(conv2d)


class Conv3d(_PlainConv):
    """Convolution over volumes: an input of (samples, channels, depth, height, width).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Conv3d.html
    """

    dims, function = 3, staticmethod(conv3d)


class ConvTranspose1d(_TransposedConv):
    """Transposed convolution over sequences: an input of (samples, channels, length).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html
    """

    dims, function = 1, staticmethod(conv_transpose1d)


class ConvTranspose2d(_TransposedConv):
    """Transposed convolution over images: an input of (samples, channels, height, width).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """

    dims, function = 2, staticmethod(conv_transpose2d)


class ConvTranspose3d(_TransposedConv):
    """Transposed convolution over volumes: an input of (samples, channels, depth, height, width).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html
    """

    dims, function = 3, staticmethod(conv_transpose3d)
