"""Data to learn from."""

from __future__ import annotations

from .sets import iris

__all__ = ["iris"]
