"""checkpoint: the same numbers and gradients as without it, and an error where the second computation is another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.errors import GraphError, InplaceError
from tinygrad_edu.utils.checkpoint import checkpoint, checkpoint_sequential


def gradients(run: Callable[[tg.Tensor], tg.Tensor], *wanted: tg.Tensor) -> list[Any]:
    """The value and the gradients of x and of what else is wanted."""
    tg.manual_seed(0)
    x = tg.tensor([0.1, 0.2], dtype=tg.float64, requires_grad=True)
    y = run(x)
    y.sum().backward()
    found = [y.tolist(), x.grad.tolist(), *(w.grad.tolist() for w in wanted)]
    for w in wanted:
        w.grad = None
    return found


def test_gradients_reach_arguments_and_parameters() -> None:
    w = tg.tensor([2.0, 3.0], dtype=tg.float64, requires_grad=True)
    part = lambda x: (w * x).tanh()
    assert gradients(lambda x: checkpoint(part, x), w) == gradients(part, w)
    assert gradients(lambda x: checkpoint(part, checkpoint(part, x)), w) == gradients(lambda x: part(part(x)), w)


def test_it_is_computed_again_and_nothing_is_kept_meanwhile() -> None:
    calls = []

    def part(x: tg.Tensor) -> tg.Tensor:
        calls.append(tg.is_grad_enabled())
        return x.exp().log().exp()

    x = tg.ones(2, requires_grad=True)
    y = checkpoint(part, x)
    assert [t for t in y.inputs if isinstance(t, tg.Tensor)] == [x]  # the three operations between are forgotten
    assert calls == [True]
    y.sum().backward()
    assert calls == [True, True]
    with tg.no_grad():
        assert not checkpoint(part, x).requires_grad


@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers_are_drawn_again(preserve: bool) -> None:
    def part(x: tg.Tensor) -> tg.Tensor:
        return nn.functional.dropout(x * tg.arange(1.0, 65.0), 0.5)

    x = tg.ones(64, requires_grad=True)
    y = checkpoint(part, x, preserve_rng_state=preserve)
    if not preserve:
        with pytest.raises(GraphError, match="gave something else when it was computed again"):
            y.sum().backward()
        return
    before = tg.get_rng_state()
    y.sum().backward()
    assert (before == tg.get_rng_state()).all()
    assert x.grad.tolist() == y.detach().tolist()  # for y = x · (mask · numbers), and x is 1


def test_several_outputs_of_which_some_are_no_tensors() -> None:
    part = lambda x: (x * x, "text", x.detach())
    square, text, constant = checkpoint(part, tg.tensor([3.0], requires_grad=True))
    assert (square.tolist(), text, constant.requires_grad) == ([9.0], "text", False)
    w = tg.tensor([2.0], requires_grad=True)
    found = checkpoint(lambda given: {"product": given["x"] * w, "rest": [given["x"] + w, None]}, {"x": tg.tensor([3.0])})
    assert found["rest"][1] is None
    (found["product"] * found["rest"][0]).backward()
    assert w.grad.tolist() == [3 * 5 + 6]


def test_second_derivatives() -> None:
    x = tg.tensor(2.0, dtype=tg.float64, requires_grad=True)
    (first,) = tg.autograd.grad(checkpoint(lambda x: x**3, x), x, create_graph=True)
    first.backward()
    assert (first.item(), x.grad.item()) == (12.0, 12.0)


def test_what_changed_meanwhile_is_noticed() -> None:
    w = tg.ones(2, requires_grad=True)
    y = checkpoint(lambda x: x * w, tg.ones(2, requires_grad=True))
    with tg.no_grad():
        w += 1
    with pytest.raises(InplaceError):
        y.sum().backward()
    others = [tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)]
    y = checkpoint(lambda x: x * others.pop(), tg.ones(2, requires_grad=True))
    with pytest.raises(GraphError, match="used another tensor"):
        y.sum().backward()


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_sequential(segments: int) -> None:
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(2, 2, dtype=tg.float64) for _ in range(5)))
    wanted = list(model.parameters())
    assert gradients(lambda x: checkpoint_sequential(model, segments, x), *wanted) == gradients(model, *wanted)


@pytest.mark.parametrize("segments", [0, 4])
def test_segments_that_cannot_be(segments: int) -> None:
    with pytest.raises(ValueError, match=f"3 functions cannot be cut into {segments} segments"):
        checkpoint_sequential([nn.ReLU()] * 3, segments, tg.ones(1))
