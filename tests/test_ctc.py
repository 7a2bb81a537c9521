"""The loss of texts that nobody aligned: what its gradient is of, targets that cannot be said, long sequences."""

from __future__ import annotations

import math

import tinygrad_edu as tg
from tinygrad_edu import tensor
from tinygrad_edu.nn.functional import ctc_loss
from tinygrad_edu.testing import assert_close

TEXTS, FRAMES, LENGTHS = tensor([[1, 1, 2], [2, 1, 0]]), (4, 4), (3, 2)  # the first needs a blank between its equal labels


def test_the_gradient_of_log_probs_is_that_of_scores() -> None:
    scores = tg.randn(4, 2, 3, dtype=tg.float64, requires_grad=True)
    log_p = scores.detach().log_softmax(2).requires_grad_()
    ctc_loss(log_p, TEXTS, FRAMES, LENGTHS, reduction="sum").backward()
    for x in (scores, scores.log_softmax(2)):
        (found,) = tg.autograd.grad(ctc_loss(x, TEXTS, FRAMES, LENGTHS, reduction="sum"), scores)
        assert_close(found, log_p.grad)
    shares = log_p.detach().exp() - log_p.grad  # how probable each class is at each frame, given what is said
    assert (shares > -1e-12).all()
    assert_close(shares.sum(2), tg.ones(4, 2, dtype=tg.float64))


def test_too_few_frames() -> None:
    x = tg.zeros(3, 2, 3, requires_grad=True)
    for create_graph in (False, True):
        losses = ctc_loss(x, TEXTS, (3, 3), LENGTHS, reduction="none")
        assert losses[0] == math.inf
        (gradient,) = tg.autograd.grad(losses, x, tg.ones(2), create_graph=create_graph)
        assert gradient[:, 0].isnan().all()
        assert gradient[:, 1].isfinite().all()
        losses = ctc_loss(x, TEXTS, (3, 3), LENGTHS, reduction="none", zero_infinity=True)
        (without,) = tg.autograd.grad(losses, x, tg.ones(2), create_graph=create_graph)
        assert not without[:, 0].any()
        assert_close(without[:, 1], gradient[:, 1])


def test_classes_of_probability_0() -> None:
    """A class that cannot be leaves its share to the others, and makes nothing NaN."""
    log_p = tensor([[0.0, 1.0, 1.0], [0.0, 0.5, 1.5]]).log().log_softmax(1).requires_grad_()
    loss = ctc_loss(log_p, tensor([1, 2]), [2], [2])
    (gradient,) = tg.autograd.grad(loss, log_p, create_graph=True)
    assert_close(loss.exp() ** 2, tensor(8 / 3))  # 1/2·3/4, and the mean is by labels
    assert gradient.isfinite().all()


def test_many_frames_in_float32() -> None:
    x, text = tg.randn(1000, 1, 5, dtype=tg.float64), tg.randint(1, 5, (1, 200))
    found = []
    for dtype in (tg.float64, tg.float32):
        scores = x.clone().to(dtype).requires_grad_()
        loss = ctc_loss(scores, text, [1000], [200])
        loss.backward()
        found.append((loss, scores.grad))
    for exact, short in zip(*found, strict=True):
        assert_close(short, exact, check_dtype=False, rtol=1e-3, atol=1e-5)


def test_compiled() -> None:
    """With lengths that are the same in every call; the labels are the call's."""

    def step(x: tg.Tensor, texts: tg.Tensor) -> tg.Tensor:
        loss = ctc_loss(x, texts, FRAMES, LENGTHS)
        return tg.autograd.grad(loss, x)[0]

    compiled, x = tg.compile(step), tg.randn(4, 2, 3, requires_grad=True)
    for texts in (TEXTS, tensor([[2, 1, 2], [1, 1, 1]]), tensor([[1, 2, 1], [2, 2, 0]])):
        assert_close(compiled(x, texts), step(x, texts))
