"""Losses: no overflow, consistent reductions, refused labels, and numbers that others published."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, tensor
from tinygrad_edu.errors import DtypeError
from tinygrad_edu.nn import functional as f

RNG = np.random.default_rng(0)
LABELS = [0, 2, 1, 2]


def scores(*shape: int) -> Tensor:
    return tensor(RNG.normal(size=shape), requires_grad=True)


def labels() -> Tensor:
    return tg.tensor(LABELS)


# Every loss with inputs that fit: the name, the inputs as a function, and settings.
ALL: list[tuple[str, Any, dict[str, Any]]] = [
    ("cross_entropy", lambda: (scores(4, 3), labels()), {}),
    ("cross_entropy", lambda: (scores(4, 3), tg.softmax(tensor(RNG.normal(size=(4, 3))), 1)), {}),
    ("nll_loss", lambda: (scores(4, 3), labels()), {}),
    ("multi_margin_loss", lambda: (scores(4, 3), labels()), {}),
    ("one_vs_all_hinge_loss", lambda: (scores(4, 3), labels()), {}),
    ("structured_svm_loss", lambda: (scores(4, 3), labels()), {}),
    ("multilabel_margin_loss", lambda: (scores(2, 3), tg.tensor([[2, 0, -1], [1, -1, 0]])), {}),
    ("multilabel_soft_margin_loss", lambda: (scores(4, 3), tensor(RNG.integers(0, 2, (4, 3)) * 1.0)), {}),
    ("binary_cross_entropy", lambda: (tg.sigmoid(scores(4, 3)), tensor(RNG.integers(0, 2, (4, 3)) * 1.0)), {}),
    ("binary_cross_entropy_with_logits", lambda: (scores(4, 3), tensor(RNG.integers(0, 2, (4, 3)) * 1.0)), {}),
    ("soft_margin_loss", lambda: (scores(4, 3), tensor(RNG.choice([-1.0, 1.0], (4, 3)))), {}),
    ("hinge_embedding_loss", lambda: (scores(4, 3), tensor(RNG.choice([-1.0, 1.0], (4, 3)))), {}),
    ("margin_ranking_loss", lambda: (scores(4), scores(4), tensor(RNG.choice([-1.0, 1.0], 4))), {}),
    ("cosine_embedding_loss", lambda: (scores(4, 3), scores(4, 3), tensor(RNG.choice([-1.0, 1.0], 4))), {}),
    ("triplet_margin_loss", lambda: (scores(4, 3), scores(4, 3), scores(4, 3)), {}),
    ("kl_div", lambda: (scores(4, 3), tg.softmax(tensor(RNG.normal(size=(4, 3))), 1)), {}),
    ("poisson_nll_loss", lambda: (scores(4, 3), tensor(RNG.integers(0, 9, (4, 3)) * 1.0)), {}),
    ("gaussian_nll_loss", lambda: (scores(4, 3), scores(4, 3), tensor(RNG.uniform(0.1, 2, (4, 3)))), {}),
    *((name, lambda: (scores(4, 3), scores(4, 3)), {}) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")),
]
every_loss = pytest.mark.parametrize(("name", "inputs", "how"), ALL)


@every_loss
@pytest.mark.filterwarnings("ignore:kl_div")
def test_reductions(name: str, inputs: Any, how: dict[str, Any]) -> None:
    """The sum is the sum of the losses, the mean their mean, and an unknown word is refused."""
    loss, given = getattr(f, name), inputs()
    each = loss(*given, reduction="none", **how)
    np.testing.assert_allclose(loss(*given, reduction="sum", **how).item(), each.sum().item(), rtol=1e-12)
    np.testing.assert_allclose(loss(*given, **how).item(), each.mean().item(), rtol=1e-12)
    with pytest.raises(ValueError, match="average"):
        loss(*given, reduction="average", **how)


@every_loss
@pytest.mark.filterwarnings("ignore:kl_div")
def test_a_loss_is_smaller_after_a_step(name: str, inputs: Any, how: dict[str, Any]) -> None:
    """Going against the gradient makes the loss smaller (or it is 0 already)."""
    loss, given = getattr(f, name), inputs()
    x = tensor(given[0].detach(), requires_grad=True)
    before = loss(x, *given[1:], **how)
    (gradient,) = tg.autograd.grad(before, [x])
    after = loss(x - 1e-4 * gradient, *given[1:], **how)
    assert after.item() < before.item() or not gradient.numpy().any()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("cross_entropy", tg.tensor([1, 1, 1])),
        ("cross_entropy", tg.tensor([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])),
        ("binary_cross_entropy_with_logits", tg.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])),
        ("soft_margin_loss", tg.tensor([[-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])),
        ("multilabel_soft_margin_loss", tg.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])),
        ("multi_margin_loss", tg.tensor([0, 1, 1])),
        ("one_vs_all_hinge_loss", tg.tensor([0, 1, 1])),
        ("structured_svm_loss", tg.tensor([0, 1, 1])),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_large_scores(name: str, target: Tensor, dtype: str, reduction: str) -> None:
    """Scores of 10 000 give finite losses and gradients, of first and second order."""
    x = tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype=dtype, requires_grad=True)
    target = target.to(dtype) if target.dtype.kind == "f" else target
    z = getattr(f, name)(x, target, reduction=reduction).sum()
    (first,) = tg.autograd.grad(z, [x], create_graph=True)
    found = [z, first]
    if first.requires_grad:  # not those of straight lines
        found += tg.autograd.grad((first * first).sum(), [x], materialize_grads=True)
    assert all(np.isfinite(t.numpy(force=True)).all() for t in found)
    if name == "cross_entropy" and target.dtype == "int64":
        assert z.item() > 6e3  # the first sample's label has the score -10 000


@given(st.integers(1, 5), st.integers(1, 6), st.floats(-50, 50), st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_cross_entropy_of_shifted_scores(samples: int, classes: int, shift: float, seed: int) -> None:
    """Adding a number to all scores changes nothing, and the gradient of each sample sums to 0; all three ways agree."""
    rng = np.random.default_rng(seed)
    x = tensor(rng.normal(size=(samples, classes)), requires_grad=True)
    y = tg.tensor(rng.integers(0, classes, samples))
    z = f.cross_entropy(x, y)
    z.backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.sum(1).numpy(), 0, atol=1e-12)
    np.testing.assert_allclose(f.cross_entropy(x + shift, y).item(), z.item(), atol=1e-9)
    np.testing.assert_allclose(f.nll_loss(f.log_softmax(x, 1), y).item(), z.item(), atol=1e-12)
    np.testing.assert_allclose(f.cross_entropy(x, f.one_hot(y, classes).double()).item(), z.item(), atol=1e-12)
    np.testing.assert_allclose(f.cross_entropy(x, y, reduction="none").mean().item(), z.item(), atol=1e-12)


def test_ignored_labels() -> None:
    """What is ignored has no loss, no gradient and no share in the mean; if all is, the mean is 0/0, as in PyTorch."""
    x = scores(4, 3)
    kept = f.cross_entropy(x[:2], tg.tensor([0, 2]))
    z = f.cross_entropy(x, tg.tensor([0, 2, -100, -100]))
    np.testing.assert_allclose(z.item(), kept.item())
    z.backward()
    assert x.grad is not None
    assert not x.grad[2:].numpy().any()
    assert np.isnan(f.cross_entropy(x, tg.tensor([7, 7, 7, 7]), ignore_index=7).item())


@pytest.mark.parametrize(
    "name", ["cross_entropy", "nll_loss", "multi_margin_loss", "one_vs_all_hinge_loss", "structured_svm_loss"]
)
def test_wrong_labels(name: str) -> None:
    """A label out of range is named with its position and the number of classes."""
    loss = getattr(f, name)
    for bad in (3, -1, 1000):
        with pytest.raises(IndexError, match=rf"label {bad} at position \[2\] .* 3 classes"):
            loss(scores(4, 3), tg.tensor([0, 1, bad, 2]))
    with pytest.raises(RuntimeError, match=r"\.long\(\)"):
        loss(scores(4, 3), tg.tensor([0.0, 1.0, 2.0, 2.0]))
    with pytest.raises(RuntimeError, match=r"squeeze\(1\)"):
        loss(scores(4, 3), tg.tensor([[0], [1], [2], [2]]))


def test_position_of_a_wrong_label_in_an_image() -> None:
    y = np.zeros((2, 4, 5), "int64")
    y[1, 2, 3] = 9
    with pytest.raises(IndexError, match=r"label 9 at position \[1, 2, 3\]"):
        f.cross_entropy(scores(2, 3, 4, 5), tg.tensor(y))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_column_against_row(name: str) -> None:
    """(N, 1) against (N,) is computed as PyTorch does, with a warning that says what to do."""
    with pytest.warns(UserWarning, match=r"\(4, 1\) .* \(4,\) .*unsqueeze"):
        getattr(f, name)(scores(4, 1), scores(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(f, name)(scores(4, 1), scores(4, 1))


@pytest.mark.parametrize("call", [f.mse_loss, nn.MSELoss(), f.l1_loss, nn.L1Loss()])
def test_warnings_point_at_the_learners_line(call: Any) -> None:
    with pytest.warns(UserWarning, match="different shapes") as seen:
        call(scores(4, 1), scores(4))
    assert [warning.filename for warning in seen] == [__file__]
    with pytest.warns(UserWarning, match="reduction='sum'") as seen:
        type(call)(size_average=False) if isinstance(call, nn.Module) else call(scores(4), scores(4), size_average=False)
    assert [warning.filename for warning in seen] == [__file__]


def test_probabilities_out_of_range() -> None:
    with pytest.raises(RuntimeError, match="with_logits"):
        f.binary_cross_entropy(tg.tensor([0.5, 1.5]), tg.tensor([0.0, 1.0]))
    with pytest.raises(RuntimeError, match=r"the target must hold probabilities .* it goes from 0 to 2"):
        f.binary_cross_entropy(tg.tensor([0.5, 0.5]), tg.tensor([0.0, 2.0]))


def test_old_arguments() -> None:
    with pytest.warns(UserWarning, match="reduction='sum'"):
        z = f.mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 0.0]), size_average=False)
    assert z.item() == 5


def test_linear_classifier_demo() -> None:
    """The numbers that CS231n's linear classifier demo shows (its parameters are rounded to two digits)."""
    points = [(0.5, 0.4), (0.8, 0.3), (0.3, 0.8), (-0.4, 0.3), (-0.3, 0.7), (-0.7, 0.2), (0.7, -0.4), (0.8, -1.15), (-0.4, -0.5)]
    y = tg.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    w = tg.tensor([[1.12, 0.84], [-0.95, 0.30], [0.35, -1.44]], requires_grad=True)
    b = tg.tensor([0.06, 0.30, 0.35])
    s = f.linear(tg.tensor(points), w, b)
    losses = 3 * f.multi_margin_loss(s, y, reduction="none")
    shown = [0.00, 0.00, 0.19, 0.09, 0.51, 0.00, 0.34, 0.00, 0.60]
    np.testing.assert_allclose(losses.numpy(force=True), shown, atol=0.02)
    np.testing.assert_allclose(losses.mean().item(), 0.19, atol=0.01)
    strongest, everyone = f.structured_svm_loss(s, y, reduction="none"), f.one_vs_all_hinge_loss(s, y, reduction="none")
    assert (strongest <= losses + 1e-6).all()
    expected = [
        sum(max(0, 1 - v if j == k else 1 + v) for j, v in enumerate(row)) for row, k in zip(s.tolist(), y.tolist(), strict=True)
    ]
    np.testing.assert_allclose(everyone.numpy(force=True), expected, rtol=1e-5)


def test_modules_call_the_functions() -> None:
    x, y = scores(4, 3), labels()
    weight = tg.tensor([1.0, 2.0, 3.0], dtype="float64")
    loss = nn.CrossEntropyLoss(weight, label_smoothing=0.1)
    assert list(loss.state_dict()) == ["weight"]
    assert not list(loss.parameters())
    np.testing.assert_allclose(loss(x, y).item(), f.cross_entropy(x, y, weight, label_smoothing=0.1).item())
    with pytest.raises(ValueError, match="reduction"):
        nn.MSELoss(reduction="average")


def test_swapped_arguments_are_named() -> None:
    scores, labels = tg.zeros(4, 3), tg.tensor([0, 1, 2, 0])
    for function in (f.cross_entropy, f.nll_loss):
        with pytest.raises(DtypeError, match=rf"swapped: write {function.__name__}\(scores, labels\)"):
            function(labels, scores)
    with pytest.raises(DtypeError, match=r"convert them with \.long"):
        f.cross_entropy(scores, labels.float())


def test_half_precision_holds_the_mean_of_many_samples() -> None:
    """The sum of 40 000 losses of ln 10 is beyond the largest float16, 65504; their mean is not."""
    mean = f.cross_entropy(tg.zeros(40_000, 10, dtype=tg.float16), tg.zeros(40_000, dtype=tg.int64))
    assert mean.item() == pytest.approx(np.log(10), rel=1e-3)


@pytest.mark.parametrize("ignored", [0, 1])
def test_the_mean_of_more_samples_than_float16_can_count(ignored):
    n = 70_000
    scores = tg.tensor(np.random.default_rng(0).normal(size=(n, 3)), dtype="float32")
    labels = tg.arange(n) % 3
    labels[:ignored] = -100
    expected = tg.cross_entropy(scores, labels).item()
    assert tg.cross_entropy(scores.half(), labels).item() == pytest.approx(expected, rel=2e-3)
    assert tg.nll_loss(scores.log_softmax(1).half(), labels).item() == pytest.approx(expected, rel=2e-3)


def test_one_sample_without_a_batch_dimension_is_said() -> None:
    with pytest.raises(ValueError, match=r"scores of one sample, without a batch dimension: give the model x\[None\]"):
        f.cross_entropy(tensor([0.5, 1.0, 2.0]), tensor([1]))


@pytest.mark.parametrize(("shape", "assumed"), [((2, 3), 1), ((2, 3, 4), 0)])
def test_the_dim_that_softmax_assumes_is_said(shape: tuple[int, ...], assumed: int) -> None:
    x = tg.rand(*shape)
    for function in (f.softmax, f.log_softmax, f.softmin, nn.Softmax(), nn.LogSoftmax()):
        with pytest.warns(UserWarning, match=f"without a dim: dim={assumed} is assumed") as caught:
            function(x)
        assert caught[0].filename == __file__
    f.softmax(x[0, 0] if x.ndim == 3 else x[0])  # of one dim there is no doubt
