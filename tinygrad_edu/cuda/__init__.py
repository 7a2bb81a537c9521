"""The few questions that PyTorch programs ask of `torch.cuda`.

Source: https://pytorch.org/docs/stable/cuda.html
"""

from __future__ import annotations

from ..backend import gpu_count as device_count
from ..backend import synchronize
from ..ops.random import manual_seed

__all__ = ["device_count", "is_available", "manual_seed", "manual_seed_all", "synchronize"]

manual_seed_all = manual_seed  # which seeds every device


def is_available() -> bool:
    """Whether `device="cuda"` can be used here."""
    return device_count() > 0
