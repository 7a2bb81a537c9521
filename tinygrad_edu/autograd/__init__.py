"""Differentiation: `backward`, `grad`, `steps`, and what is built on them."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .engine import Step, backward, grad, steps

__all__ = ["Step", "backward", "grad", "steps"]


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
