"""Softmax and its relatives: exponentials in proportion, without overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..callsite import warn
from ..errors import describe
from ..op import op
from .elementwise import exp
from .reduction import _sum, _total, along, floating, keep
from .shape import axes
from .totals import largest

__all__ = ["log_softmax", "logsumexp", "softmax", "softmin"]


@op(dtype="float", dx=lambda g, z, x, dim, keepdim: keep(g, x.shape, dim, keepdim) * exp(x - keep(z, x.shape, dim, keepdim)))
def logsumexp(x: Any, *, dim: Any, keepdim: bool = False) -> Any:
    """The logarithm of the sum of exponentials, a smooth max, without overflow; each element's gradient is its softmax.

    z = ln Σ eˣ over dim;  ∂x = g·e^(x - z)

    Source: https://pytorch.org/docs/stable/generated/torch.logsumexp.html
    """
    over = axes(dim, x.ndim)
    if not x.size:
        return np.log(np.sum(x, axis=over, keepdims=keepdim))  # ln of an empty sum: minus infinity
    top = np.max(x, axis=over, keepdims=True)
    top = np.where(np.isinf(top), 0, top)
    z = np.log(_total(np.exp(x - top), dim, True)) + top
    return z if keepdim else np.squeeze(z, over)


@op(dx=lambda g, z, x, dim: z * (g - _sum(g * z, dim=dim, keepdim=True)))
def _softmax(x: Any, *, dim: int) -> Any:
    """Positive numbers that add up to 1, larger for larger elements; raising one lowers the others.

    z = eˣ / Σ eˣ over dim;  ∂x = z·(g - Σ g·z)
    """
    if not x.size:
        return x.copy()
    z = x - largest(x, dim)
    np.exp(z, out=z)
    z /= _total(z, dim, True)
    return z


@op(dx=lambda g, z, x, dim: g - exp(z) * _sum(g, dim=dim, keepdim=True))
def _log_softmax(x: Any, *, dim: int) -> Any:
    """The logarithm of softmax, without overflow.

    z = x - ln Σ eˣ over dim;  ∂x = g - softmax(x)·Σ g
    """
    if not x.size:
        return x.copy()
    z = x - largest(x, dim)
    z -= np.log(_total(np.exp(z), dim, True))
    return z


def _usual_dim(x: Any, dim: int | None) -> int:
    """The dim that is given to softmax and its relatives; else, with a warning, what PyTorch then assumes."""
    if dim is not None:
        return dim
    assumed = 0 if x.ndim in (0, 1, 3) else 1
    if x.ndim > 1:
        warn(
            f"softmax of {describe(x)} without a dim: dim={assumed} is assumed, as in PyTorch. Say which dim is to sum to 1, as dim=-1 for "
            "the last."
        )
    return assumed


def softmax(x: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """Positive numbers that add up to 1 along a dim, larger for larger elements.

    z = eˣ / Σ eˣ over dim

    >>> from tinygrad_edu import softmax, tensor
    >>> softmax(tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    return along(_softmax, floating("softmax", x, dtype), _usual_dim(x, dim))


def log_softmax(x: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """The logarithm of softmax, without overflow.

    z = x - ln Σ eˣ over dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    return along(_log_softmax, floating("log_softmax", x, dtype), _usual_dim(x, dim))


def softmin(x: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """softmax of -x: larger for smaller elements.

    z = e⁻ˣ / Σ e⁻ˣ over dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.softmin.html
    """
    return softmax(-x, dim, dtype=dtype)
