"""Arithmetic of two tensors, or of a tensor and a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op


@op(dtype="common", dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: g)
def add(x: Any, y: Any) -> Any:
    """z = x + y;  ∂x = g;  ∂y = g"""
    return x + y


@op(dtype="common", dx=lambda g, z, x, y: g, dy=lambda g, z, x, y: -g)
def sub(x: Any, y: Any) -> Any:
    """z = x - y;  ∂x = g;  ∂y = -g"""
    return x - y


@op(dtype="common", dx=lambda g, z, x, y: g * y, dy=lambda g, z, x, y: g * x)
def mul(x: Any, y: Any) -> Any:
    """z = x·y;  ∂x = g·y;  ∂y = g·x"""
    return x * y


@op(dtype="float", dx=lambda g, z, x, y: g / y, dy=lambda g, z, x, y: -g * z / y)
def div(x: Any, y: Any) -> Any:
    """z = x / y;  ∂x = g / y;  ∂y = -g·z / y"""
    return x / y


@op(dx=lambda g, z, x: -g)
def neg(x: Any) -> Any:
    """z = -x;  ∂x = -g"""
    return -x
