"""Attention: every query takes a mixture of the values, by how well their keys match it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import Tensor, raw, wrap
from .arranging import repeat_interleave
from .dropout import dropout
from .products import matmul, mt
from .reduction import _sum
from .totals import largest, total

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """For every query the average of the values, weighted by the softmax of how well each key matches it.

    z = softmax(query·keyᵀ / √E + mask)·value

    Args:
        query: (..., L, E), L queries.
        key: (..., S, E), and value: (..., S, V).
        attn_mask: broadcasts to (..., L, S). Of bool: where it is False a query does not see a key. Of floats: added to the match.
        dropout_p: the probability with which a weight is dropped.
        is_causal: query i sees keys 0 to i only.
        scale: the factor of the match (default 1 / √E).
        enable_gqa: let each head of key and value serve several heads of the query (dim -3).

    Returns:
        (..., L, V). A query that sees no key at all gets zeros.

    Raises:
        ShapeError: sizes that do not fit; or both a mask and is_causal.

    Source: Vaswani et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """
    weights = attention_weights(query, key, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    return matmul(weights, _for_all_heads(query, value) if enable_gqa else value)


def attention_weights(
    query: Any,
    key: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """How much each query takes of each value: (..., L, S); arguments as for `scaled_dot_product_attention`."""
    for x in (query, key):
        if x.ndim < 2:
            raise ShapeError(f"attention: query and key must have at least 2 dims, (..., L, E), not {describe(x)}.")
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"attention: a query and a key must have one length; they are {describe(query)} and {describe(key)}.")
    if is_causal and attn_mask is not None:
        raise ShapeError("attention: give either attn_mask or is_causal=True, not both.")
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"attention: dropout_p is a probability, in [0, 1]; it is {dropout_p}.")
    if enable_gqa:
        key = _for_all_heads(query, key)
    if is_causal:
        attn_mask = np.tri(query.shape[-2], key.shape[-2], dtype=np.bool_, like=raw(query))
    if attn_mask is not None and attn_mask.dtype == np.bool_:
        attn_mask = np.where(raw(attn_mask), 0, -math.inf).astype(query.dtype)
        attn_mask = wrap(attn_mask) if isinstance(query, Tensor) else attn_mask
    elif attn_mask is not None and attn_mask.dtype != query.dtype:
        raise DtypeError(f"attention: a mask is of bool, or of the query's dtype {query.dtype}; this one is {attn_mask.dtype}.")
    width = query.shape[-1]
    weights = _attention_weights(query, key, attn_mask, scale=(width**-0.5 if width else 1.0) if scale is None else scale)
    return dropout(weights, dropout_p, True) if dropout_p else weights


def _weights_gradients(g: Any, z: Any, query: Any, key: Any, mask: Any, scale: float) -> list[Any]:
    slope = z * (g - _sum(g * z, dim=-1, keepdim=True))
    return [matmul(slope, key) * scale, matmul(mt(slope), query) * scale, slope]


@op(dtype="same", joint=_weights_gradients)
def _attention_weights(query: Any, key: Any, mask: Any = None, *, scale: float) -> Any:
    """How much each query attends to each key: not negative, and 1 together for each query (0, where the mask hides every key).

    z = softmax(s) with s = scale·query·keyᵀ + mask;  ∂query = scale·h·key with h = z·(g - Σ g·z);
    ∂key = scale·hᵀ·query with h = z·(g - Σ g·z);  ∂mask = z·(g - Σ g·z)
    """
    z = np.matmul(query, np.swapaxes(key, -2, -1))
    z *= scale
    if mask is not None:
        z = z + mask
    if not z.size:
        return z
    highest = largest(z, -1)
    if mask is not None:
        highest = np.maximum(highest, np.finfo(z.dtype).min)  # not -inf where every key is hidden
    z -= highest
    np.exp(z, out=z)
    sums = total(z, (z.ndim - 1,))[..., None]
    z /= sums if mask is None else sums + (sums == 0)
    return z


def _heads_first(x: Any) -> Any:
    """(N, L, heads, D) as (N, heads, L, D), and back."""
    return x.swapaxes(1, 2)


@op(
    dquery=lambda g, z, query, key, value: _heads_first(g[:, :, 0]),
    dkey=lambda g, z, query, key, value: _heads_first(g[:, :, 1]),
    dvalue=lambda g, z, query, key, value: _heads_first(g[:, :, 2]),
)
def _packed(query: Any, key: Any, value: Any) -> Any:
    """Queries, keys and values of all heads, (N, heads, L, D), side by side as one projection makes them: (N, L, 3, heads, D).

    z[:, :, i] = the i-th, with heads and steps exchanged;  ∂query = g[:, :, 0];  ∂key = g[:, :, 1];  ∂value = g[:, :, 2]
    """
    samples, heads, steps, width = query.shape
    z = np.empty_like(query, shape=(samples, steps, 3, heads, width), order="C")
    for i, x in enumerate((query, key, value)):
        z[:, :, i] = _heads_first(x)
    return z


def _unpacked(packed: Any) -> tuple[Any, ...]:
    """Queries, keys and values, (N, heads, L, D) each."""
    return tuple(_heads_first(packed[:, :, i]) for i in range(3))


def _self_gradients(g: Any, z: Any, packed: Any, mask: Any, scale: float, weights: Any) -> list[Any]:
    query, key, value = _unpacked(packed)
    if weights is None:
        weights = _attention_weights(query, key, mask, scale=scale)
    mean = _heads_first(_sum(g * z, dim=-1, keepdim=True))
    g = _heads_first(g)
    slope = weights * (matmul(g, mt(value)) - mean)
    return [_packed(matmul(slope, key) * scale, matmul(mt(slope), query) * scale, matmul(mt(weights), g)), slope]


@op(dtype="same", joint=_self_gradients, keeps="weights")
def _self_attention(packed: Any, mask: Any = None, *, scale: float) -> Any:
    """Every query takes a mixture of the values, by how well their keys match it; all three come from one projection, (N, L, 3, heads,
    D), so that their gradients go back to it in one piece.

    z = a·value with a = softmax(scale·query·keyᵀ + mask) for each head, packed = [query, key, value];
    ∂packed = [scale·h·key, scale·hᵀ·query, aᵀ·g] with h = a·(g·valueᵀ - Σ g·z);  ∂mask = a·(g·valueᵀ - Σ g·z)
    """
    query, key, value = _unpacked(packed)
    weights = _attention_weights(query, key, mask, scale=scale)
    return _heads_first(np.matmul(weights, value)).copy(), weights


def _for_all_heads(query: Any, x: Any) -> Any:
    """Keys or values with each head repeated for the heads of the query that share it."""
    if query.ndim < 3 or x.ndim < 3 or query.shape[-3] % x.shape[-3]:
        raise ShapeError(
            f"attention: with enable_gqa the heads of the query (dim -3) must be a multiple of those of key and value; they are "
            f"{describe(query)} and {describe(x)}."
        )
    return repeat_interleave(x, query.shape[-3] // x.shape[-3], -3)
