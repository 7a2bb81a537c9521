"""The questions of `cuda`, for programs that do not name the kind of the device: `torch.accelerator`."""

from __future__ import annotations

from .backend import device
from .cuda import device_count, is_available, synchronize

__all__ = ["current_accelerator", "device_count", "is_available", "synchronize"]


def current_accelerator() -> device | None:
    """The GPU, or None without one."""
    return device("cuda") if is_available() else None
