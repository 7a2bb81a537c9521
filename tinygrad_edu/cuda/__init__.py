"""The few questions that PyTorch programs ask of `torch.cuda`.

Source: https://pytorch.org/docs/stable/cuda.html
"""

from __future__ import annotations

from ..backend import empty_cache, memory_allocated, synchronize
from ..backend import gpu_count as device_count
from ..ops.random import manual_seed

__all__ = [
    "device_count",
    "empty_cache",
    "is_available",
    "is_bf16_supported",
    "manual_seed",
    "manual_seed_all",
    "memory_allocated",
    "synchronize",
]

manual_seed_all = manual_seed  # which seeds every device


def is_available() -> bool:
    """Whether `device="cuda"` can be used here."""
    return device_count() > 0


def is_bf16_supported() -> bool:
    """Whether there is bfloat16: no."""
    return False
