"""Utilities under PyTorch's paths."""

from __future__ import annotations

from typing import Any

from ..absent import missing
from . import _pytree, checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
