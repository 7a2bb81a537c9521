"""Arguments of PyTorch's optimizers that choose how a step is computed there, not what it computes."""

from __future__ import annotations

import functools
from typing import Any


def takes_options(optimizer: type) -> type:
    """Let an optimizer take foreach, fused and capturable, which make no difference here; differentiable=True is refused."""
    own: Any = optimizer.__init__  # type: ignore[misc]

    @functools.wraps(own)
    def init(
        self: Any,
        *args: Any,
        foreach: Any = None,
        fused: Any = None,
        capturable: Any = None,
        differentiable: bool = False,
        **rest: Any,
    ) -> None:
        if differentiable:
            raise ValueError(
                f"{optimizer.__name__}: differentiable=True is not offered; compute the step with autograd.grad instead."
            )
        own(self, *args, **rest)

    optimizer.__init__ = init  # type: ignore[misc]
    return optimizer
