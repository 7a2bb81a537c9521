"""Attention and transformers: what must hold whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.nn.attention import SDPBackend, sdpa_kernel

sizes = st.integers(1, 4)


def normal(*shape: int) -> tg.Tensor:
    return tg.randn(*shape, dtype=tg.float64)


@given(sizes, sizes, sizes, st.integers(0, 100))
@settings(max_examples=30)
def test_every_output_is_an_average_of_the_values(length: int, keys: int, width: int, seed: int) -> None:
    tg.manual_seed(seed)
    q, k, v = normal(2, length, width), normal(2, keys, width), normal(2, keys, 3)
    z = F.scaled_dot_product_attention(q, k, v)
    assert bool((z <= v.amax(1, keepdim=True) + 1e-12).all())
    assert bool((z >= v.amin(1, keepdim=True) - 1e-12).all())
    order = tg.randperm(keys)
    np.testing.assert_allclose(F.scaled_dot_product_attention(q, k[:, order], v[:, order]).numpy(), z.numpy(), atol=1e-12)


@given(st.integers(2, 6), st.booleans(), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_causal_attention_does_not_see_the_future(length: int, norm_first: bool, seed: int) -> None:
    tg.manual_seed(seed)
    layer = nn.TransformerEncoderLayer(4, 2, 8, norm_first=norm_first, batch_first=True).double().eval()
    mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=tg.float64)
    x = normal(1, length, 4).requires_grad_()
    z = layer(x, src_mask=mask, is_causal=True)
    for i in range(length):
        g = tg.autograd.grad(z[0, i].sum(), x, retain_graph=True)[0]
        assert not g[0, i + 1 :].any()


def test_masks_of_bool_and_of_floats_mean_the_same() -> None:
    tg.manual_seed(0)
    mha = nn.MultiheadAttention(6, 3, batch_first=True).double()
    x, hidden = normal(2, 4, 6), tg.tensor([[False, False, True, False], [False, True, True, False]])
    floats = tg.zeros(2, 4, dtype=tg.float64).masked_fill(hidden, -tg.inf)
    a, weights = mha(x, x, x, key_padding_mask=hidden, average_attn_weights=False)
    b, _ = mha(x, x, x, key_padding_mask=floats)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-12)
    assert weights.shape == (2, 3, 4, 4)
    assert not weights.detach().numpy()[0, :, :, 2].any()


def test_batch_first_is_a_transpose_and_no_batch_is_one() -> None:
    tg.manual_seed(0)
    mha = nn.MultiheadAttention(4, 2).double()
    first = nn.MultiheadAttention(4, 2, batch_first=True).double()
    first.load_state_dict(mha.state_dict())
    x = normal(3, 2, 4)
    z, weights = mha(x, x, x)
    other, same = first(*[x.transpose(0, 1)] * 3)
    np.testing.assert_allclose(z.detach().numpy(), other.transpose(0, 1).detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(weights.detach().numpy(), same.detach().numpy(), atol=1e-12)
    alone, _ = mha(*[x[:, 1]] * 3)
    np.testing.assert_allclose(alone.detach().numpy(), z[:, 1].detach().numpy(), atol=1e-12)


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    q = normal(2, 3).requires_grad_()
    mask = tg.tensor([[True, False], [False, False]])
    z = F.scaled_dot_product_attention(q, q, q, mask)
    z.sum().backward()
    assert z[1].tolist() == [0, 0, 0]
    assert bool(q.grad.isfinite().all())


def test_the_module_as_a_function() -> None:
    """Queries pooled by three projections that stand elsewhere, to fewer numbers, as CLIP pools an image; and keys that are given."""
    tg.manual_seed(0)
    x = normal(5, 2, 4)
    q, k, v, out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
    for layer in (q, k, v, out):
        layer.double()
    how = {
        "use_separate_proj_weight": True,
        "q_proj_weight": q.weight,
        "k_proj_weight": k.weight,
        "v_proj_weight": v.weight,
        "need_weights": False,
    }
    bias = tg.cat([q.bias, k.bias, v.bias])
    rest = 4, 2, None, bias, None, None, False, 0.0, out.weight, out.bias
    z, weights = F.multi_head_attention_forward(x[:1], x, x, *rest, **how)
    assert weights is None

    def heads(x: tg.Tensor) -> tg.Tensor:
        return x.reshape(-1, 2, 2, 2).permute(1, 2, 0, 3)  # (N, heads, L, D)

    mixed = F.scaled_dot_product_attention(heads(q(x[:1])), heads(k(x)), heads(v(x)))
    np.testing.assert_allclose(z.detach().numpy(), out(mixed.permute(2, 0, 1, 3).reshape(1, 2, 4)).detach().numpy(), atol=1e-12)
    given = heads(k(x)).reshape(4, 5, 2), heads(v(x)).reshape(4, 5, 2)
    again, _ = F.multi_head_attention_forward(x[:1], 0 * x, 0 * x, *rest, static_k=given[0], static_v=given[1], **how)
    np.testing.assert_allclose(again.detach().numpy(), z.detach().numpy(), atol=1e-12)
    with pytest.raises(ValueError, match="use_separate_proj_weight=False needs in_proj_weight"):
        F.multi_head_attention_forward(x, x, x, *rest)


def test_gradients() -> None:
    tg.manual_seed(0)
    model = nn.Transformer(4, 2, 1, 1, 6, dropout=0.0, batch_first=True).double()
    src, tgt = normal(1, 3, 4).requires_grad_(), normal(1, 2, 4).requires_grad_()
    assert tg.testing.gradcheck(lambda a, b: model(a, b), (src, tgt))


def test_pytorchs_ways_to_compute_it_may_be_named() -> None:
    q = normal(2, 3)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        named = F.scaled_dot_product_attention(q, q, q)
    assert named.tolist() == F.scaled_dot_product_attention(q, q, q).tolist()


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"divide.*3 and 4"):
        nn.MultiheadAttention(4, 3)
    mha, x = nn.MultiheadAttention(4, 2), tg.ones(3, 2, 4)
    with pytest.raises(ShapeError, match=r"\(2, 3\).*mask|mask.*\(2, 3\)"):
        mha(x, x, x, key_padding_mask=tg.zeros(3, 2, dtype=tg.bool_))
    with pytest.raises(ShapeError, match="sizes"):
        mha(tg.ones(3, 2, 5), x, x)
    with pytest.raises(RuntimeError, match="attn_mask"):
        mha(x, x, x, is_causal=True)
    with pytest.raises(RuntimeError, match="activation"):
        nn.TransformerEncoderLayer(4, 2, activation="rleu")
