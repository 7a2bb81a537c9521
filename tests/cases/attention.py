"""Rows for ops/attention.py."""

import math

import numpy as np
from scipy import special

import tinygrad_edu.nn.functional as F
from tinygrad_edu.ops.attention import _attention_weights, _packed, _self_attention

from . import Case, real


def attention(q, k, v, is_causal=False, scale=None):
    """Query by query, key by key."""
    z = np.zeros((*q.shape[:-1], v.shape[-1]), q.dtype)
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    for place in np.ndindex(q.shape[:-2]):
        for i in range(q.shape[-2]):
            seen = range(min(i + 1, k.shape[-2]) if is_causal else k.shape[-2])
            odds = [math.exp(factor * float(q[place][i] @ k[place][j])) for j in seen]
            for j in seen:
                z[place][i] += odds[j] / sum(odds) * v[place][j]
    return z


def weights(q, k, scale):
    """Rows of softmax(scale·q·kᵀ)."""
    return special.softmax(scale * np.einsum("...le,...se->...ls", q, k), axis=-1)


def self_attention(packed, mask=0.0, *, scale):
    """The same from one tensor, (N, L, 3, heads, D)."""
    q, k, v = np.moveaxis(packed, 2, 0)
    odds = special.softmax(scale * np.einsum("nlhd,nshd->nhls", q, k) + mask, axis=-1)
    return np.einsum("nhls,nshd->nlhd", odds, v)


CASES = [
    Case("self_attention", self_attention, (real,), [((2, 3, 3, 2, 2),), ((1, 1, 3, 1, 2),)], [{"scale": 0.7}], _self_attention),
    Case("self_attention", self_attention, (real,) * 2, [((2, 3, 3, 2, 2), (3, 3)), ((2, 3, 3, 1, 2), (2, 1, 1, 3))],
         [{"scale": 0.7}], _self_attention, note="with a mask"),
    Case("packed", lambda q, k, v: np.stack([np.moveaxis(x, 1, 2) for x in (q, k, v)], 2), (real,) * 3, [((2, 3, 4, 2),) * 3],
         [{}], _packed),
    Case("attention_weights", weights, (real,) * 2, [((2, 3), (4, 3)), ((2, 1, 3, 2), (2, 1, 3, 2)), ((1, 2), (3, 2))],
         [{"scale": 0.7}], _attention_weights),
    Case("attention_weights", lambda q, k, mask, scale: special.softmax(scale * q @ k.T + mask, axis=-1), (real,) * 3,
         [((2, 3), (4, 3), (2, 4)), ((2, 3), (4, 3), (4,))], [{"scale": 0.7}], _attention_weights, note="with a mask"),
    Case("scaled_dot_product_attention", attention, (real,) * 3, [((2, 3), (4, 3), (4, 2)), ((2, 1, 3, 2), (2, 1, 3, 2), (2, 1, 3, 2))],
         [{}, {"is_causal": True}, {"scale": 0.3}], F.scaled_dot_product_attention, ops=()),
]  # fmt: skip
