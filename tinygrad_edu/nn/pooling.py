"""Pooling layers: one number for every window of the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.convolution import per_dim
from ..ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)  # fmt: skip
from ..tensor import Tensor
from .module import Module


class _Pool(Module):
    """Windows of kernel_size, stride apart (kernel_size unless given), with padding around the input."""

    function: Callable

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    """z[n, c, p] = max x[n, c, p·stride + k·dilation - padding] over k.

    Args:
        kernel_size, stride, padding, dilation: an integer or one per dim; stride is kernel_size unless given.
        return_indices: also return where each maximum stands (for MaxUnpool).
        ceil_mode: let the last window reach beyond the input.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class MaxPool1d(_MaxPool):
    """The largest number of every window of sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MaxPool1d.html
    """

    function = staticmethod(max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest number of every window of images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    function = staticmethod(max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest number of every window of volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MaxPool3d.html
    """

    function = staticmethod(max_pool3d)


class _MaxUnpool(_Pool):
    """z[n, c, indices[n, c, p]] = x[n, c, p], else 0: puts maxima back where max pooling found them."""

    dims: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        stride = kernel_size if stride is None else stride
        super().__init__(*(per_dim(value, self.dims, "each argument") for value in (kernel_size, stride, padding)))

    def forward(self, x: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self.function(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """Maxima back where max pooling found them, in sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool1d.html
    """

    dims, function = 1, staticmethod(max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Maxima back where max pooling found them, in images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
    """

    dims, function = 2, staticmethod(max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Maxima back where max pooling found them, in volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool3d.html
    """

    dims, function = 3, staticmethod(max_unpool3d)


class _AvgPool(_Pool):
    """z[n, c, p] = Σ x[n, c, p·stride + k - padding] / count over k.

    Args:
        kernel_size, stride, padding: an integer or one per dim; stride is kernel_size unless given.
        ceil_mode: let the last window reach beyond the input.
        count_include_pad: whether the zeros of the padding count.
        divisor_override: divide by this instead (not in 1d).
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, x: Tensor) -> Tensor:
        how = {} if self.divisor_override is None else {"divisor_override": self.divisor_override}
        return self.function(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, **how)


class AvgPool1d(_AvgPool):
    """The average of every window of sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AvgPool1d.html
    """

    function = staticmethod(avg_pool1d)

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        stride = kernel_size if stride is None else stride
        kernel_size, stride, padding = (per_dim(value, 1, "each argument") for value in (kernel_size, stride, padding))
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The average of every window of images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    function = staticmethod(avg_pool2d)


class AvgPool3d(_AvgPool):
    """The average of every window of volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AvgPool3d.html
    """

    function = staticmethod(avg_pool3d)


class _LPPool(Module):
    """z[n, c, w] = (Σ x[n, c, w·stride + k]^p)^(1/p), with p = norm_type."""

    function: Callable

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


class LPPool1d(_LPPool):
    """The p-norm of every window of sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LPPool1d.html
    """

    function = staticmethod(lp_pool1d)


class LPPool2d(_LPPool):
    """The p-norm of every window of images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html
    """

    function = staticmethod(lp_pool2d)


class LPPool3d(_LPPool):
    """The p-norm of every window of volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LPPool3d.html
    """

    function = staticmethod(lp_pool3d)


class _AdaptivePool(Module):
    """As many windows as output_size says, one number or one per dim (None keeps the input's size); they may overlap."""

    function: Callable

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """The averages of as many windows as asked for, of sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool1d.html
    """

    function = staticmethod(adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """The averages of as many windows as asked for, of images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    function = staticmethod(adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """The averages of as many windows as asked for, of volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool3d.html
    """

    function = staticmethod(adaptive_avg_pool3d)


class _AdaptiveMaxPool(_AdaptivePool):
    """As many windows as output_size says; with return_indices also where each maximum stands."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest numbers of as many windows as asked for, of sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool1d.html
    """

    function = staticmethod(adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest numbers of as many windows as asked for, of images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html
    """

    function = staticmethod(adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest numbers of as many windows as asked for, of volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool3d.html
    """

    function = staticmethod(adaptive_max_pool3d)
