"""The few questions that PyTorch programs ask of `torch.cuda`.

Source: https://pytorch.org/docs/stable/cuda.html
"""

from __future__ import annotations

import importlib

from ..backend import look_at_checks
from ..ops.random import manual_seed

manual_seed_all = manual_seed  # which seeds every device

__all__ = ["device_count", "is_available", "manual_seed", "manual_seed_all", "synchronize"]


def is_available() -> bool:
    """Whether `device="cuda"` can be used here."""
    return device_count() > 0


def device_count() -> int:
    """How many GPUs CuPy sees."""
    try:
        return int(importlib.import_module("cupy").cuda.runtime.getDeviceCount())
    except Exception:  # no CuPy, no driver or no GPU: there is none to use
        return 0


def synchronize() -> None:
    """Wait until the GPU has done what it was given (for timing)."""
    if is_available():
        importlib.import_module("cupy").cuda.Device().synchronize()
        look_at_checks()
