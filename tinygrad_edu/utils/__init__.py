"""Utilities under PyTorch's paths."""

from __future__ import annotations

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
