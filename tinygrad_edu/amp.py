"""Mixed precision, as `torch.amp`: scaling of the loss for training in float16.

The smallest positive number of float16 is 6·10⁻⁸: smaller gradients become 0. So the loss is multiplied by a large number, the
gradients come out as many times as large, and are divided by it again before the optimizer's step. How large it may be shows itself:
if gradients overflow, that step is left out and the scale halved; after some thousand good steps it is doubled.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import ContextDecorator
from typing import Any

import numpy as np

from .backend import device as as_device
from .backend import gpu_count
from .clock import mark_changed
from .optim.optimizer import Optimizer
from .tensor import Tensor

__all__ = ["GradScaler", "autocast"]


class autocast(ContextDecorator):
    """PyTorch's choice of a lower precision, operation by operation: taken, but without effect.

    Everything is computed in the precision of the tensors; for a lower one convert the model and its inputs with `.half()`.

    >>> from tinygrad_edu import amp, ones
    >>> with amp.autocast("cpu", enabled=False):
    ...     print(ones(2).dtype)
    float32

    Source: https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    def __init__(
        self, device_type: Any = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if enabled and _is_there(device_type):
            warnings.warn(
                "autocast has no effect: everything is computed in the tensors' own precision. Where a lower one is wanted, convert "
                "the model and its inputs with .half().",
                stacklevel=2,
            )

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def is_autocast_enabled(device_type: Any = "cuda") -> bool:
    """Whether operations choose their own precision: no, see `autocast`."""
    return False


def _is_there(device_type: Any) -> bool:
    return as_device(device_type).type == "cpu" or gpu_count() > 0


class GradScaler:
    """Scales the loss up, and its gradients down again before the optimizer's step.

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)  # only to clip the gradients
        scaler.step(optimizer)
        scaler.update()

    Args:
        device: for "cuda" without a GPU it is not enabled, as in PyTorch.
        init_scale: the scale at first.
        growth_factor, growth_interval: the scale is multiplied by this after so many good steps in a row.
        backoff_factor: it is multiplied by this after a step whose gradients overflowed.
        enabled: without it, nothing is scaled and every step taken.

    >>> from tinygrad_edu import amp, optim, tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer, scaler = optim.SGD([w], lr=0.5), amp.GradScaler("cpu", init_scale=1024.0)
    >>> scaler.scale((w * 1e36).sum()).backward()
    >>> scaler.step(optimizer)  # left out: the gradient overflowed
    >>> scaler.update()
    >>> w.detach(), scaler.get_scale()
    (tensor([1.]), 512.0)

    Source: https://pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    def __init__(
        self,
        device: Any = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if growth_factor <= 1 or not 0 < backoff_factor < 1:
            raise ValueError(
                f"GradScaler: growth_factor must be above 1 and backoff_factor between 0 and 1, not {growth_factor} and {backoff_factor}."
            )
        if init_scale <= 0 or growth_interval < 1:
            raise ValueError(
                f"GradScaler: init_scale must be above 0 and growth_interval at least 1, not {init_scale} and {growth_interval}."
            )
        self._enabled = enabled and _is_there(device)
        if enabled and not self._enabled:
            warnings.warn("GradScaler is not enabled: there is no GPU here.", stacklevel=2)
        self._state = {
            "scale": float(init_scale),
            "growth_factor": growth_factor,
            "backoff_factor": backoff_factor,
            "growth_interval": growth_interval,
            "_growth_tracker": 0,  # good steps since the scale changed
        }
        self._overflowed: dict[Optimizer, bool] = {}  # those whose gradients were scaled down since the last update()

    def scale(self, outputs: Any) -> Any:
        """The loss (or each tensor of a list or tuple) times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):  # times a tensor, so that a loss in float16 becomes one in float32 that can hold it
            return outputs * Tensor(self.get_scale(), dtype=np.float32, device=outputs.device)
        if not isinstance(outputs, Iterable):
            raise ValueError(f"GradScaler.scale takes a tensor or a list of tensors, not a {type(outputs).__name__}.")
        return type(outputs)(map(self.scale, outputs))  # type: ignore[call-arg]

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale; `step` does it where this was not called."""
        if not self._enabled:
            return
        if optimizer in self._overflowed:
            raise RuntimeError("unscale_() was already called for this optimizer since the last update().")
        finite: Any = True
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.array *= p.grad.array.dtype.type(1 / self.get_scale())
                    mark_changed(p.grad.array)
                    finite = finite & np.isfinite(p.grad.array).all()
        self._overflowed[optimizer] = not finite  # one look at the numbers of a GPU

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step()`, left out if a gradient is infinite or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if optimizer not in self._overflowed:
            self.unscale_(optimizer)
        return None if self._overflowed[optimizer] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Choose the scale for the next step."""
        if not self._enabled:
            return
        state = self._state
        if new_scale is not None:
            state["scale"] = float(new_scale)
        elif not self._overflowed:
            raise RuntimeError("GradScaler.update() comes after step(): nothing was scaled down since the last update().")
        elif any(self._overflowed.values()):
            state["scale"] *= state["backoff_factor"]
            state["_growth_tracker"] = 0
        else:
            state["_growth_tracker"] += 1
            if state["_growth_tracker"] == state["growth_interval"]:
                state["scale"] *= state["growth_factor"]
                state["_growth_tracker"] = 0
        self._overflowed = {}

    def get_scale(self) -> float:
        """The scale now; 1 if it is not enabled."""
        return self._state["scale"] if self._enabled else 1.0

    def is_enabled(self) -> bool:
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on; empty if it is not enabled."""
        return dict(self._state) if self._enabled else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a saved scaler stopped."""
        if not self._enabled:
            return
        if state_dict.keys() != self._state.keys():
            raise RuntimeError("this is not the state of an enabled GradScaler: it was saved by one that was not enabled.")
        self._state.update(state_dict)
