"""Functions of one tensor, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op


@op(dtype="float", dx=lambda g, z, x: g * z)
def exp(x: Any) -> Any:
    """z = eˣ;  ∂x = g·z"""
    return np.exp(x)


@op(dtype="float", dx=lambda g, z, x: g * (1 - z * z))
def tanh(x: Any) -> Any:
    """z = tanh x;  ∂x = g·(1 - z²)"""
    return np.tanh(x)


@op(dtype="float", dx=lambda g, z, x: g * cos(x))
def sin(x: Any) -> Any:
    """z = sin x;  ∂x = g·cos x"""
    return np.sin(x)


@op(dtype="float", dx=lambda g, z, x: -g * sin(x))
def cos(x: Any) -> Any:
    """z = cos x;  ∂x = -g·sin x"""
    return np.cos(x)
