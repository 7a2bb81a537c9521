"""Activation layers: each is its function in ops/activation.py, with the settings stored.

A layer's settings are declared as in a dataclass; they are the arguments of its constructor, and `repr` prints them. With
`inplace` the input itself takes the result.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, dataclass_transform

from ..ops import activation, elementwise, softmax
from ..ops.creation import full
from ..tensor import Tensor
from .inplace import honouring_inplace
from .module import Module
from .parameter import Parameter

Layer = TypeVar("Layer", bound=type)


@dataclass_transform(eq_default=False)
def layer(cls: Layer) -> Layer:
    """Make the settings declared in the class its constructor's arguments."""
    if "inplace" in cls.__annotations__:
        cls.forward = honouring_inplace(cls.forward)  # type: ignore[attr-defined]
    return dataclasses.dataclass(cls, eq=False, repr=False)  # type: ignore[return-value]


class _Made(Module):
    """The base of all layers here: they are made with settings, and then called with a tensor."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
            from . import functional

            name = next((name for name in dir(functional) if name.replace("_", "") == cls.__name__.lower()), None)
            function = f", or call the function: F.{name}(x)" if name else ""
            raise TypeError(f"nn.{cls.__name__} is a layer: make it, then call it: nn.{cls.__name__}()(x){function}.")
        return super().__new__(cls)


class Activation(_Made):
    """The base of the layers here: it prints the settings."""

    def __post_init__(self) -> None:
        super().__init__()

    def extra_repr(self) -> str:
        shown = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return ", ".join(f"{name}={value!r}" for name, value in shown.items() if name != "inplace" or value)


# -- bent at 0 -------------------------------------------------------------------------------------------------------
@layer
class ReLU(Activation):
    """z = max(x, 0)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReLU.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.relu(input)


@layer
class ReLU6(Activation):
    """z = min(max(x, 0), 6)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ReLU6.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.relu6(input)


@layer
class LeakyReLU(Activation):
    """z = x where x > 0, else slope·x

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html
    """

    negative_slope: float = 0.01
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.leaky_relu(input, negative_slope=self.negative_slope)


class PReLU(_Made):
    """z = x where x > 0, else w·x, with a slope w that is learnt, for all or for each channel.

    Args:
        num_parameters: how many slopes: 1, or the number of channels.
        init: what they start at.

    Source: He et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.PReLU.html
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Back to the slope that it started with."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return activation.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


@layer
class RReLU(Activation):
    """z = x where x > 0, else slope·x, with slopes drawn from [lower, upper) while training, and their mean afterwards

    Source: Xu et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.RReLU.html
    """

    lower: float = 1 / 8
    upper: float = 1 / 3
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.rrelu(input, self.lower, self.upper, self.training)


@layer
class ELU(Activation):
    """z = x where x > 0, else α·(eˣ - 1)

    Source: Clevert et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.ELU.html
    """

    alpha: float = 1.0
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.elu(input, self.alpha)


@layer
class SELU(Activation):
    """z = 1.0507·(x where x > 0, else 1.6733·(eˣ - 1))

    Source: Klambauer et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.SELU.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.selu(input)


@layer
class CELU(Activation):
    """z = x where x > 0, else α·(e^(x/α) - 1)

    Source: Barron 2017; https://pytorch.org/docs/stable/generated/torch.nn.CELU.html
    """

    alpha: float = 1.0
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.celu(input, self.alpha)


@layer
class GELU(Activation):
    """z = x·Φ(x), with Φ(x) the probability that a standard normal number is smaller; or approximate="tanh"

    Source: Hendrycks, Gimpel 2016; https://pytorch.org/docs/stable/generated/torch.nn.GELU.html
    """

    approximate: str = "none"

    def forward(self, input: Tensor) -> Tensor:
        return activation.gelu(input, self.approximate)


@layer
class SiLU(Activation):
    """z = x·σ(x)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.SiLU.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.silu(input)


@layer
class Mish(Activation):
    """z = x·tanh(ln(1 + eˣ))

    Source: Misra 2019; https://pytorch.org/docs/stable/generated/torch.nn.Mish.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.mish(input)


@layer
class Softplus(Activation):
    """z = ln(1 + e^(β·x)) / β, and x where β·x is above the threshold

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Softplus.html
    """

    beta: float = 1.0
    threshold: float = 20.0

    def forward(self, input: Tensor) -> Tensor:
        return activation.softplus(input, beta=self.beta, threshold=self.threshold)


@layer
class Threshold(Activation):
    """z = x where x > threshold, else value

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Threshold.html
    """

    threshold: float
    value: float
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.threshold(input, threshold=self.threshold, value=self.value)


# -- saturating on both sides ----------------------------------------------------------------------------------------
@layer
class Sigmoid(Activation):
    """z = 1 / (1 + e⁻ˣ)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return elementwise.sigmoid(input)


@layer
class LogSigmoid(Activation):
    """z = ln σ(x)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LogSigmoid.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return activation.logsigmoid(input)


@layer
class Hardsigmoid(Activation):
    """z = min(max(x + 3, 0), 6) / 6

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Hardsigmoid.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.hardsigmoid(input)


@layer
class Tanh(Activation):
    """z = tanh x

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Tanh.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return elementwise.tanh(input)


@layer
class Hardtanh(Activation):
    """z = min(max(x, min_val), max_val)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html
    """

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.hardtanh(input, min_val=self.min_val, max_val=self.max_val)


@layer
class Softsign(Activation):
    """z = x / (1 + |x|)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Softsign.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return activation.softsign(input)


# -- others of one element -------------------------------------------------------------------------------------------
@layer
class Hardswish(Activation):
    """z = x·min(max(x + 3, 0), 6) / 6

    Source: Howard et al. 2019; https://pytorch.org/docs/stable/generated/torch.nn.Hardswish.html
    """

    inplace: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return activation.hardswish(input)


@layer
class Tanhshrink(Activation):
    """z = x - tanh x

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return activation.tanhshrink(input)


@layer
class Softshrink(Activation):
    """z = x - λ where x > λ, x + λ where x < -λ, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Softshrink.html
    """

    lambd: float = 0.5

    def forward(self, input: Tensor) -> Tensor:
        return activation.softshrink(input, lambd=self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


@layer
class Hardshrink(Activation):
    """z = x where |x| > λ, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Hardshrink.html
    """

    lambd: float = 0.5

    def forward(self, input: Tensor) -> Tensor:
        return activation.hardshrink(input, lambd=self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


# -- of several elements ---------------------------------------------------------------------------------------------
@layer
class GLU(Activation):
    """z = a·σ(b), where a and b are the halves of x along a dim

    Source: Dauphin et al. 2016; https://pytorch.org/docs/stable/generated/torch.nn.GLU.html
    """

    dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        return activation.glu(input, self.dim)


@layer
class Softmax(Activation):
    """z = eˣ / Σ eˣ over a dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Softmax.html
    """

    dim: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return softmax.softmax(input, self.dim)


@layer
class Softmin(Activation):
    """z = e⁻ˣ / Σ e⁻ˣ over a dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Softmin.html
    """

    dim: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return softmax.softmin(input, self.dim)


@layer
class LogSoftmax(Activation):
    """z = x - ln Σ eˣ over a dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html
    """

    dim: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        return softmax.log_softmax(input, self.dim)


@layer
class Softmax2d(Activation):
    """z = eˣ / Σ eˣ over the channels of (N, C, H, W) or (C, H, W)

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Softmax2d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected (N, C, H, W) or (C, H, W), but got a tensor of shape {input.shape}.")
        return softmax.softmax(input, -3)
