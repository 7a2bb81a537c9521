"""Multi-head attention: several attentions side by side, each on its own projection of queries, keys and values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, describe
from ..ops.attention import _self_attention, attention_weights
from ..ops.creation import empty
from ..ops.joining import cat
from ..ops.padding import pad
from ..ops.products import linear, matmul
from ..ops.reduction import mean
from ..ops.splitting import chunk
from ..tensor import Tensor
from . import init
from .linear import Linear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """z = W_out·[head₁, head₂ ...], with headᵢ = softmax(qᵢ·kᵢᵀ / √D + mask)·vᵢ of projections qᵢ, kᵢ and vᵢ of size D = E / heads.

    Args:
        embed_dim: E, the size of queries and outputs; num_heads divides it.
        dropout: the probability with which an attention weight is dropped while training.
        add_bias_kv: append a learnt key and value that every query may attend to.
        add_zero_attn: append a key and a value of zeros.
        kdim, vdim: the sizes of keys and values, if they are not E.
        batch_first: tensors are (N, L, E), not (L, N, E).

    Source: Vaswani et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, and both be above 0; they are {num_heads} and {embed_dim}.")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn

        def weight(*shape: int) -> Parameter:
            return Parameter(empty(*shape, device=device, dtype=dtype))

        self.in_proj_weight = self.q_proj_weight = self.k_proj_weight = self.v_proj_weight = None
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = init.xavier_uniform_(weight(3 * embed_dim, embed_dim))
        else:
            self.q_proj_weight = init.xavier_uniform_(weight(embed_dim, embed_dim))
            self.k_proj_weight = init.xavier_uniform_(weight(embed_dim, self.kdim))
            self.v_proj_weight = init.xavier_uniform_(weight(embed_dim, self.vdim))
        self.in_proj_bias = init.zeros_(weight(3 * embed_dim)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)
        self.bias_k = init.xavier_normal_(weight(1, 1, embed_dim)) if add_bias_kv else None
        self.bias_v = init.xavier_normal_(weight(1, 1, embed_dim)) if add_bias_kv else None

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The outputs, and (if `need_weights`) the attention weights.

        Args:
            query: (L, N, E), or (L, E) without a batch; key and value: (S, N, kdim) and (S, N, vdim). With batch_first N is first.
            key_padding_mask: (N, S), True (or -inf) at keys to leave out.
            attn_mask: (L, S) or (N·heads, L, S), True (or -inf) where a query must not see a key; other floats are added.
            average_attn_weights: give the weights' average over the heads, (N, L, S), not (N, heads, L, S).
            is_causal: says that attn_mask is causal; the mask is used as it is.
        """
        if is_causal and attn_mask is None:
            raise RuntimeError("is_causal=True only says what attn_mask is like: give attn_mask too.")
        self._check(query, key, value)
        batched, alike = query.ndim == 3, query is key is value
        if not batched:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
        samples = int(batched and not self.batch_first)  # the dim that counts the samples; 1 - samples counts the steps
        batch, length = query.shape[samples], query.shape[1 - samples]
        dropout = self.dropout if self.training else 0.0
        weights: Any = None
        if (
            alike
            and self.in_proj_weight is not None
            and not (need_weights or dropout or self.bias_k is not None or self.add_zero_attn)
        ):
            packed = linear(query, self.in_proj_weight, self.in_proj_bias)  # one product is faster than three
            packed = packed.reshape(*query.shape[:2], 3, self.num_heads, self.head_dim)
            packed = packed.transpose(0, 1) if samples else packed
            mask = self._mask(attn_mask, key_padding_mask, batch, length, length, 0, packed)
            mixed = _self_attention(packed, mask, scale=self.head_dim**-0.5)  # (N, L, heads, D)
        else:
            q, k, v = self._projected(query, key, value, alike)
            added = 0  # keys behind those given
            if self.bias_k is not None and self.bias_v is not None:
                more = (1, batch, -1) if samples else (batch, 1, -1)
                k, v = (cat([x, bias.expand(more)], 1 - samples) for x, bias in ((k, self.bias_k), (v, self.bias_v)))
                added += 1
            if self.add_zero_attn:
                one = (0, 0, 0, 0, 0, 1) if samples else (0, 0, 0, 1)
                k, v = pad(k, one), pad(v, one)
                added += 1
            q, k, v = (
                x.reshape(*x.shape[:2], self.num_heads, self.head_dim).permute(samples, 2, 1 - samples, 3) for x in (q, k, v)
            )
            mask = self._mask(attn_mask, key_padding_mask, batch, length, k.shape[2], added, q)
            weights = attention_weights(q, k, mask, dropout)  # (N, heads, L, S)
            mixed = matmul(weights, v).transpose(1, 2)
        output = self.out_proj((mixed.transpose(0, 1) if samples else mixed).reshape(query.shape))
        output = output if batched else output.squeeze(0)
        if not need_weights:
            return output, None
        shown = mean(weights, 1) if average_attn_weights else weights
        return output, shown if batched else shown.squeeze(0)

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
            raise ShapeError(
                f"attention takes queries, keys and values of 3 dims (or 2 without a batch); they are {describe(query)}, "
                f"{describe(key)} and {describe(value)}."
            )
        wanted = self.embed_dim, self.kdim, self.vdim
        if (query.shape[-1], key.shape[-1], value.shape[-1]) != wanted:
            raise ShapeError(
                f"this attention takes queries, keys and values of sizes {wanted}; they are {describe(query)}, {describe(key)} and "
                f"{describe(value)}."
            )
        if key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(f"there must be one value for each key; they are {describe(key)} and {describe(value)}.")

    def _projected(self, query: Tensor, key: Tensor, value: Tensor, alike: bool) -> Iterable[Tensor]:
        if self.in_proj_weight is None:
            weights: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        elif alike:  # self-attention: one product is faster than three
            return chunk(linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
        else:
            weights = chunk(self.in_proj_weight, 3)
        biases = [None] * 3 if self.in_proj_bias is None else chunk(self.in_proj_bias, 3)
        return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def _mask(
        self, attn_mask: Any, key_padding_mask: Any, batch: int, length: int, keys: int, added: int, like: Tensor
    ) -> Tensor | None:
        """Both masks as one of floats to add, which broadcasts to (N, heads, L, S)."""
        given = keys - added
        mask = None
        if attn_mask is not None:
            shapes = (length, given), (batch * self.num_heads, length, given)
            if attn_mask.shape not in shapes:
                raise ShapeError(f"attn_mask must have shape {shapes[0]} or {shapes[1]}; it is {describe(attn_mask)}.")
            mask = _as_floats("attn_mask", attn_mask, like)
            mask = mask if mask.ndim == 2 else mask.reshape(batch, self.num_heads, length, given)
        if key_padding_mask is not None:
            shape = (batch, given) if key_padding_mask.ndim == 2 else (given,)
            if key_padding_mask.shape != shape or (key_padding_mask.ndim == 1 and batch != 1):
                raise ShapeError(f"key_padding_mask must have shape {(batch, given)}; it is {describe(key_padding_mask)}.")
            padding = _as_floats("key_padding_mask", key_padding_mask, like).reshape(batch, 1, 1, given)
            mask = padding if mask is None else mask + padding
        return mask if mask is None or not added else pad(mask, (0, added))


def _as_floats(name: str, mask: Tensor, like: Tensor) -> Tensor:
    """-inf where a mask of bool is True; a mask of floats as it is."""
    if mask.dtype == np.bool_:
        return like.new_zeros(*mask.shape).masked_fill(mask, -math.inf)
    if mask.dtype.kind != "f":
        raise DtypeError(f"{name} must be of bool or floats, not {describe(mask)}.")
    return mask.to(like.dtype)
