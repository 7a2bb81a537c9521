"""Multi-head attention: several attentions side by side, each on its own projection of queries, keys and values."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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


class SDPBackend(enum.Enum):
    """The ways in which PyTorch computes attention, for `sdpa_kernel`.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.attention.SDPBackend.html
    """

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: SDPBackend | list[SDPBackend], set_priority: bool = False) -> Iterator[None]:
    """Names the ways in which PyTorch may compute attention; it makes no difference here, where there is one.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.attention.sdpa_kernel.html
    """
    yield


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
        return multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=self.in_proj_weight is None,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            batch_first=self.batch_first,
        )


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """`nn.MultiheadAttention` with its parameters as arguments: the outputs, and (if `need_weights`) the attention weights.

    Args:
        query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal: as for the module's forward.
        embed_dim_to_check: E, the size of queries; num_heads divides it.
        in_proj_weight: (3·E, E), which makes queries, keys and values; with use_separate_proj_weight instead q_proj_weight, k_proj_weight
            and v_proj_weight, (E, E), (E, kdim) and (E, vdim).
        in_proj_bias: (3·E,).
        bias_k, bias_v: (1, 1, E), a key and a value to append; with add_zero_attn zeros, too.
        dropout_p: the probability with which an attention weight is dropped, if `training`.
        out_proj_weight, out_proj_bias: (outputs, E) and (outputs,).
        static_k, static_v: (N·heads, S, E / heads), taken in place of keys and values that are made.
        batch_first: tensors are (N, L, E), not (L, N, E).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    """
    if is_causal and attn_mask is None:
        raise RuntimeError("is_causal=True only says what attn_mask is like: give attn_mask too.")
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else (in_proj_weight,)
    projections = [w for w in separate if w is not None]
    if len(projections) < len(separate):
        names = "q_proj_weight, k_proj_weight and v_proj_weight" if use_separate_proj_weight else "in_proj_weight"
        raise ValueError(f"attention: use_separate_proj_weight={use_separate_proj_weight} needs {names}.")
    width = embed_dim_to_check // num_heads
    if width * num_heads != embed_dim_to_check:
        raise ValueError(f"attention: num_heads must divide the size of queries; they are {num_heads} and {embed_dim_to_check}.")
    if (bias_k is None) != (bias_v is None):
        raise ValueError("attention: bias_k and bias_v, a key and its value, are given together or not at all.")
    kdim, vdim = (w.shape[-1] for w in (projections * 3)[1:3])
    _check(query, key, value, (embed_dim_to_check, kdim, vdim))
    batched, alike = query.ndim == 3, query is key is value
    if not batched:
        query, key, value = (x.unsqueeze(0) for x in (query, key, value))
    samples = int(batched and not batch_first)  # the dim that counts the samples; 1 - samples counts the steps
    batch, length = query.shape[samples], query.shape[1 - samples]
    dropout = dropout_p if training else 0.0
    more_keys = bias_k is not None or add_zero_attn or static_k is not None or static_v is not None
    weights: Any = None
    if alike and not (use_separate_proj_weight or need_weights or dropout or more_keys):
        packed = linear(query, projections[0], in_proj_bias)  # one product is faster than three
        packed = packed.reshape(*query.shape[:2], 3, num_heads, width)
        packed = packed.transpose(0, 1) if samples else packed
        mask = _mask(attn_mask, key_padding_mask, (batch, num_heads, length, length), 0, packed)
        mixed = _self_attention(packed, mask, scale=width**-0.5)  # (N, L, heads, D)
    else:
        q, k, v = _projected((query, key, value), projections, in_proj_bias, alike)
        added = 0  # keys behind those given
        if bias_k is not None and bias_v is not None:
            one = (1, batch, -1) if samples else (batch, 1, -1)
            k, v = (cat([x, bias.expand(one)], 1 - samples) for x, bias in ((k, bias_k), (v, bias_v)))
            added += 1
        q, k, v = (x.reshape(*x.shape[:2], num_heads, width).permute(samples, 2, 1 - samples, 3) for x in (q, k, v))
        k, v = (
            x if static is None else static.reshape(batch, num_heads, -1, width) for x, static in ((k, static_k), (v, static_v))
        )
        if add_zero_attn:
            k, v = pad(k, (0, 0, 0, 1)), pad(v, (0, 0, 0, 1))
            added += 1
        mask = _mask(attn_mask, key_padding_mask, (batch, num_heads, length, k.shape[2] - added), added, q)
        weights = attention_weights(q, k, mask, dropout)  # (N, heads, L, S)
        mixed = matmul(weights, v).transpose(1, 2)
    mixed = (mixed.transpose(0, 1) if samples else mixed).reshape(query.shape)
    output = linear(mixed, out_proj_weight, out_proj_bias)
    output = output if batched else output.squeeze(0)
    if not need_weights:
        return output, None
    shown = mean(weights, 1) if average_attn_weights else weights
    return output, shown if batched else shown.squeeze(0)


def _check(query: Tensor, key: Tensor, value: Tensor, wanted: tuple[int, int, int]) -> None:
    if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
        raise ShapeError(
            f"attention takes queries, keys and values of 3 dims (or 2 without a batch); they are {describe(query)}, "
            f"{describe(key)} and {describe(value)}."
        )
    if (query.shape[-1], key.shape[-1], value.shape[-1]) != wanted:
        raise ShapeError(
            f"this attention takes queries, keys and values of sizes {wanted}; they are {describe(query)}, {describe(key)} and "
            f"{describe(value)}."
        )
    if key.shape[:-1] != value.shape[:-1]:
        raise ShapeError(f"there must be one value for each key; they are {describe(key)} and {describe(value)}.")


def _projected(given: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None, alike: bool) -> Iterable[Tensor]:
    """Queries, keys and values of all heads, by three weights or by one that holds all three."""
    if len(weights) == 1:
        if alike:  # self-attention: one product is faster than three
            return chunk(linear(given[0], weights[0], bias), 3, -1)
        weights = chunk(weights[0], 3)
    biases = [None] * 3 if bias is None else chunk(bias, 3)
    return [linear(x, w, b) for x, w, b in zip(given, weights, biases, strict=True)]


def _mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, sizes: tuple[int, int, int, int], added: int, like: Tensor
) -> Tensor | None:
    """Both masks as one of floats to add, which broadcasts to the sizes (N, heads, L, S); 0 for keys that were added."""
    batch, heads, length, keys = sizes
    mask = None
    if attn_mask is not None:
        shapes = (length, keys), (batch * heads, length, keys)
        if attn_mask.shape not in shapes:
            raise ShapeError(f"attn_mask must have shape {shapes[0]} or {shapes[1]}; it is {describe(attn_mask)}.")
        mask = _as_floats("attn_mask", attn_mask, like)
        mask = mask if mask.ndim == 2 else mask.reshape(sizes)
    if key_padding_mask is not None:
        shape = (batch, keys) if key_padding_mask.ndim == 2 else (keys,)
        if key_padding_mask.shape != shape or (key_padding_mask.ndim == 1 and batch != 1):
            raise ShapeError(f"key_padding_mask must have shape {(batch, keys)}; it is {describe(key_padding_mask)}.")
        padding = _as_floats("key_padding_mask", key_padding_mask, like).reshape(batch, 1, 1, keys)
        mask = padding if mask is None else mask + padding
    return mask if mask is None or not added else pad(mask, (0, added))


def _as_floats(name: str, mask: Tensor, like: Tensor) -> Tensor:
    """-inf where a mask of bool is True; a mask of floats as it is."""
    if mask.dtype == np.bool_:
        return like.new_zeros(*mask.shape).masked_fill(mask, -math.inf)
    if mask.dtype.kind != "f":
        raise DtypeError(f"{name} must be of bool or floats, not {describe(mask)}.")
    return mask.to(like.dtype)
