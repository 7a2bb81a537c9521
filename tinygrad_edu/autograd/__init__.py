"""Differentiation: `backward`, `grad`, `steps`, and what is built on them."""

from __future__ import annotations

from typing import Any

from ..absent import missing
from ..grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from ..old_names import Variable
from ..tensor import Tensor
from . import functional
from .anomaly import detect_anomaly, set_detect_anomaly
from .engine import Step
from .function import Function, once_differentiable
from .gradients import backward, grad, steps

__all__ = [
    "Function",
    "Step",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
    "steps",
]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)


def _backward(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | list[Tensor] | None = None,
) -> None:
    """Fill `.grad` of every leaf this tensor was made from; see `autograd.backward`.

    >>> from tinygrad_edu import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    backward(self, gradient, retain_graph, create_graph, inputs)


Tensor.backward = _backward  # type: ignore[method-assign]
