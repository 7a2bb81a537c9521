"""Padding layers: more numbers around the input."""

from __future__ import annotations

from typing import Any

from ..ops.convolution import per_dim
from ..ops.padding import pad
from ..tensor import Tensor
from .module import Module


class _Pad(Module):
    """`padding` numbers more on every side, or as many as it says: (left, right), (left, right, top, bottom) ..., the last dim first."""

    dims: int
    mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = per_dim(padding, 2 * self.dims, "padding")

    def forward(self, x: Tensor) -> Tensor:
        return pad(x, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """The same value everywhere around the input."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return pad(x, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """One value around sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ConstantPad1d.html
    """

    dims = 1


class ConstantPad2d(_ConstantPad):
    """One value around images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ConstantPad2d.html
    """

    dims = 2


class ConstantPad3d(_ConstantPad):
    """One value around volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ConstantPad3d.html
    """

    dims = 3


class ZeroPad1d(_Pad):
    """Zeros around sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad1d.html
    """

    dims, mode = 1, "constant"


class ZeroPad2d(_Pad):
    """Zeros around images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad2d.html
    """

    dims, mode = 2, "constant"


class ZeroPad3d(_Pad):
    """Zeros around volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad3d.html
    """

    dims, mode = 3, "constant"


class ReflectionPad1d(_Pad):
    """The mirrored inside, without the edge itself, around sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReflectionPad1d.html
    """

    dims, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The mirrored inside, without the edge itself, around images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReflectionPad2d.html
    """

    dims, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """The mirrored inside, without the edge itself, around volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReflectionPad3d.html
    """

    dims, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """The edge, repeated, around sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReplicationPad1d.html
    """

    dims, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The edge, repeated, around images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReplicationPad2d.html
    """

    dims, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """The edge, repeated, around volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReplicationPad3d.html
    """

    dims, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """The opposite end, as if the input went round in a circle, around sequences.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.CircularPad1d.html
    """

    dims, mode = 1, "circular"


class CircularPad2d(_Pad):
    """The opposite end, as if the input went round in a circle, around images.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.CircularPad2d.html
    """

    dims, mode = 2, "circular"


class CircularPad3d(_Pad):
    """The opposite end, as if the input went round in a circle, around volumes.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.CircularPad3d.html
    """

    dims, mode = 3, "circular"
