"""What programs for one or many processes ask of `torch.distributed` before they use it: here a training runs in one.

Source: https://pytorch.org/docs/stable/distributed.html
"""

from __future__ import annotations

from typing import Any

from .absent import missing

__all__ = ["is_available", "is_initialized"]


def is_available() -> bool:
    """Whether several processes can train together: no."""
    return False


def is_initialized() -> bool:
    """Whether this process is one of several: no."""
    return False


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
