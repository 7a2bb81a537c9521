"""AdaptiveLogSoftmaxWithLoss: what its layers say, in NumPy; and that what no sample asks for is not computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.errors import DtypeError, ShapeError


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(1, keepdims=True))


@settings(max_examples=30)
@given(
    cutoffs=st.sets(st.integers(1, 11), min_size=1, max_size=4).map(sorted),
    div_value=st.sampled_from([1.5, 2, 4]),
    head_bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_log_probabilities(cutoffs: list[int], div_value: float, head_bias: bool, seed: int) -> None:
    tg.manual_seed(seed)
    layer = nn.AdaptiveLogSoftmaxWithLoss(18, 12, cutoffs, div_value, head_bias, dtype=tg.float64)
    assert {p.dtype for p in layer.parameters()} == {tg.float64}
    x, labels = 3 * tg.randn(5, 18, dtype=tg.float64), tg.randint(0, 12, (5,))
    scores = x.numpy() @ layer.head.weight.detach().numpy().T + (layer.head.bias.detach().numpy() if head_bias else 0)
    head = log_softmax(scores)
    parts = [head[:, : cutoffs[0]]]
    for i, (low, high) in enumerate(zip(cutoffs, [*cutoffs[1:], 12], strict=True)):
        narrow, wide = (p.detach().numpy() for p in layer.tail[i].parameters())
        assert (narrow.shape, wide.shape[0]) == ((int(18 / div_value ** (i + 1)), 18), high - low)
        parts.append(head[:, [cutoffs[0] + i]] + log_softmax(x.numpy() @ narrow.T @ wide.T))
    expected = np.concatenate(parts, 1)
    np.testing.assert_allclose(layer.log_prob(x).detach().numpy(), expected)
    output, loss = layer(x, labels)
    np.testing.assert_allclose(output.detach().numpy(), expected[range(5), labels.numpy()])
    np.testing.assert_allclose(loss.item(), -output.mean().item())
    for i in range(5):
        np.testing.assert_allclose(layer(x[i], labels[i]).output.item(), output[i].item())
    frequent = head.argmax(1) < cutoffs[0]
    assert layer.predict(x).tolist() == np.where(frequent, head.argmax(1), expected.argmax(1)).tolist()
    loss.backward()
    for i, (low, high) in enumerate(zip(cutoffs, [*cutoffs[1:], 12], strict=True)):  # who is not asked learns nothing
        asked = bool(((labels >= low) & (labels < high)).any())
        assert all((p.grad is not None) == asked for p in layer.tail[i].parameters())
    before = [p.detach().clone() for p in layer.parameters()]
    layer.reset_parameters()
    assert all((p != old).all() for p, old in zip(layer.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("x", "labels", "kind", "words"),
    [
        (tg.ones(2, 3, 4), tg.ones(2, 3).long(), ShapeError, r"inputs \(N, in_features\).*; these are \(2, 3, 4\)"),
        (tg.ones(4), tg.tensor([1]), ShapeError, r"inputs \(N, in_features\)"),
        (tg.tensor(1.0), tg.tensor(1), ShapeError, r"inputs \(N, in_features\)"),
        (tg.ones(2, 4), tg.tensor([1.0, 2.0]), DtypeError, r"class numbers .* convert them with .long\(\)"),
        (tg.ones(2, 4), tg.tensor([4, 5]), RuntimeError, r"in \[0, 5\); they go from 4 to 5"),
        (tg.ones(2, 4), tg.tensor([-1, 0]), RuntimeError, r"in \[0, 5\); they go from -1 to 0"),
    ],
)
def test_refused(x: tg.Tensor, labels: tg.Tensor, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(x, labels)
