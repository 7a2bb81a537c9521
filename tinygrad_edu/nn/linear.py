"""Linear: every output is a weighted sum of all inputs. Bilinear: of all products of two inputs."""

from __future__ import annotations

from typing import Any

from ..errors import DtypeError, ShapeError, describe
from ..ops.creation import empty
from ..ops.einsum import bilinear
from ..ops.products import linear
from ..tensor import Tensor
from .init import draw_parameters
from .module import Module
from .parameter import Parameter


class Linear(Module):
    """z = x·Wᵀ + b, with W of shape (out_features, in_features).

    Weight and bias start uniform in ±1/√in_features.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new first values."""
        draw_parameters(self, self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        try:
            return linear(input, self.weight, self.bias)
        except (DtypeError, ShapeError) as error:
            raise self._explained(input, error) from None

    def _explained(self, input: Any, error: Exception) -> Exception:
        if not isinstance(input, Tensor):
            return error
        if input.dtype.kind != "f":
            return DtypeError(f"{self!r}: the input is {describe(input)}, and the weights are floats: convert it with .float().")
        if not input.ndim or input.shape[-1] != self.in_features:
            return ShapeError(
                f"{self!r}: the last dimension of the input must be in_features={self.in_features}, and the input is {describe(input)}."
            )
        return error

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """z[k] = x₁ᵀ·W[k]·x₂ + b[k], with W of shape (out_features, in1_features, in2_features).

    Weight and bias start uniform in ±1/√in1_features.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Bilinear.html
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features must be above 0, and it is {in1_features}.")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new first values."""
        draw_parameters(self, self.in1_features)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
