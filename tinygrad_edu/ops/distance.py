"""Distances: how far apart two vectors are, and how much they point in the same direction."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import numpy_names, op
from .norms import vector_norm
from .reduction import sum
from .shape import broadcast_tensors

__all__ = ["cosine_similarity", "pairwise_distance"]


@op(dx=lambda g, z, x, low: g)
def at_least(x: Any, *, low: float) -> Any:
    """Raise what is below a limit to it, and let the gradient pass as if nothing had been raised: a safe divisor.

    z = max(x, low);  ∂x = g
    """
    return np.maximum(x, low)


@numpy_names
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors: 1 in the same direction, 0 at right angles, -1 in opposite directions.

    z = Σ x₁·x₂ / (max(‖x₁‖, ε)·max(‖x₂‖, ε)) over dim

    Args:
        x1, x2: tensors of vectors along `dim`, which broadcast together.
        eps: the length that shorter vectors count as, so that nothing is divided by 0.

    >>> from tinygrad_edu import cosine_similarity, tensor
    >>> cosine_similarity(tensor([[1.0, 0.0]]), tensor([[3.0, 4.0]]))
    tensor([0.6000])

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.cosine_similarity.html
    """
    x1, x2 = broadcast_tensors(x1, x2)
    unit1, unit2 = (x / at_least(vector_norm(x, 2, dim, True), low=eps) for x in (x1, x2))
    return sum(unit1 * unit2, dim)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The distance of each vector in x1 from its partner in x2.

    z = ‖x₁ - x₂ + ε‖ₚ over the last dim

    Args:
        x1, x2: (..., D), which broadcast together.
        p: the norm: 2 is the usual length, 1 the sum of the differences.
        eps: added to each difference.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pairwise_distance.html
    """
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)
