"""nn.utils.prune: what is pruned stays 0, the rest is trained; prunings add up, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.nn.utils import prune

METHODS: dict[str, Callable[[nn.Module, Any], Any]] = {
    "random_unstructured": lambda m, amount: prune.random_unstructured(m, "weight", amount),
    "l1_unstructured": lambda m, amount: prune.l1_unstructured(m, "weight", amount),
    "random_structured": lambda m, amount: prune.random_structured(m, "weight", amount, dim=0),
    "ln_structured": lambda m, amount: prune.ln_structured(m, "weight", amount, n=1, dim=0),
}


@pytest.mark.parametrize("name", METHODS)
@given(amount=st.one_of(st.integers(0, 6), st.floats(0, 1)), again=st.floats(0, 1))
def test_how_many_are_pruned(name: str, amount: float, again: float) -> None:
    """Of those that are left each time, by number or in part."""
    linear, each = nn.Linear(5, 6), 1 if "unstructured" in name else 5
    weight, left = linear.weight, 30 // each
    for now in (amount, again):
        METHODS[name](linear, now)
        left -= now if isinstance(now, int) else round(now * left)
        assert linear.weight_mask.sum().item() == left * each
        assert tg.equal(linear.weight, linear.weight_orig * linear.weight_mask)
    assert linear.weight_orig is weight


def test_the_least_go_first() -> None:
    linear = prune.l1_unstructured(nn.Linear(4, 3), "weight", 7)
    size, gone = linear.weight_orig.abs(), linear.weight_mask == 0
    assert size[gone].max() < size[~gone].min()
    conv = prune.ln_structured(nn.Conv2d(3, 4, 2), "weight", 2, n=2, dim=0)
    norms, left = conv.weight_orig.norm(dim=(1, 2, 3)), conv.weight_mask.sum((1, 2, 3)) > 0
    assert norms[~left].max() < norms[left].min()


def test_what_is_pruned_is_not_trained_and_the_rest_is() -> None:
    linear = prune.random_unstructured(nn.Linear(4, 3), "weight", 0.5)
    optimizer, start = optim.Adam(linear.parameters()), linear.weight_orig.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        linear(tg.randn(5, 4)).square().sum().backward()
        optimizer.step()
    moved = linear.weight_orig != start
    assert tg.equal(moved, linear.weight_mask == 1)
    expected = linear(tg.eye(4))
    assert prune.remove(linear, "weight") is linear
    assert tg.equal(linear(tg.eye(4)), expected)
    assert tg.equal(linear.weight != 0, moved)
    assert sorted(name for name, _ in linear.named_parameters()) == ["bias", "weight"]
    assert linear.weight is optimizer.param_groups[0]["params"][1]  # the bias came first
    assert not prune.is_pruned(linear)


def test_a_state_goes_into_a_model_that_is_pruned_too() -> None:
    model, twin = (nn.Sequential(nn.Linear(4, 3)) for _ in range(2))
    prune.l1_unstructured(model[0], "weight", 3)
    prune.identity(twin[0], "weight")
    twin.load_state_dict(model.state_dict())
    x = tg.randn(2, 4)
    assert tg.equal(twin(x), model(x))
    assert prune.is_pruned(model)


@pytest.mark.parametrize("pruned", [False, True])
def test_what_is_refused_changes_nothing(pruned: bool) -> None:
    linear = nn.Linear(4, 3)
    if pruned:
        prune.random_unstructured(linear, "weight", 0.5)
    state, weight = {key: value.clone() for key, value in linear.state_dict().items()}, linear.weight
    refused: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: prune.l1_unstructured(linear, "weight", 1.5), ValueError, "between 0.0 and 1.0"),
        (lambda: prune.l1_unstructured(linear, "weight", -1), ValueError, "amount"),
        (lambda: prune.l1_unstructured(linear, "weight", 13), ValueError, "13 are to be pruned"),
        (lambda: prune.l1_unstructured(linear, "weight", "all"), TypeError, "amount must be a number"),
        (lambda: prune.l1_unstructured(linear, "weight", 1, tg.ones(2)), ShapeError, "importance_scores"),
        (lambda: prune.ln_structured(linear, "weight", 1, 2, dim=2), IndexError, "dim 2"),
        (lambda: prune.ln_structured(linear, "bias", 1, 2, dim=0), ValueError, "at least 2 dims"),
        (lambda: prune.custom_from_mask(linear, "weight", tg.ones(4)), ShapeError, "the mask must have the shape"),
        (lambda: prune.identity(linear, "weights"), ValueError, "no parameter 'weights' to prune"),
        (lambda: prune.remove(linear, "bias"), ValueError, "no pruned parameter 'bias'"),
        (
            lambda: prune.global_unstructured([(linear, "weight")], prune.LnStructured, amount=1, n=2),
            TypeError,
            "LnStructured is 'structured'",
        ),
    ]
    for call, kind, words in refused:
        with pytest.raises(kind, match=words):
            call()
    assert linear.weight is weight
    assert list(linear.state_dict()) == list(state)
    assert all(tg.equal(value, state[key]) for key, value in linear.state_dict().items())


def test_several_as_one() -> None:
    """The smallest of all go, wherever they are; what was pruned before counts as gone."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    pairs = [(model[0], "weight"), (model[1], "weight")]
    model[1].weight.data.mul_(1e-3)
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=10)
    assert [layer.weight_mask.sum().item() for layer, _ in pairs] == [20, 0]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.5)
    assert [layer.weight_mask.sum().item() for layer, _ in pairs] == [10, 0]
    prune.global_unstructured(pairs, prune.L1Unstructured, {pairs[0]: tg.arange(20.0).reshape(5, 4)}, amount=3)
    assert model[0].weight_mask.sum() == 7


def test_a_container_keeps_what_was_done() -> None:
    linear = prune.l1_unstructured(nn.Linear(4, 3), "weight", 1)
    prune.random_unstructured(linear, "weight", 1)
    prune.random_structured(linear, "weight", 1, dim=0)
    (container,) = linear._forward_pre_hooks.values()
    assert [type(method) for method in container] == [prune.L1Unstructured, prune.RandomUnstructured, prune.RandomStructured]
    assert len(container) == 3
    other = prune.Identity()
    other._tensor_name = "bias"
    with pytest.raises(ValueError, match="prunes 'weight', and the method 'bias'"):
        container.add_pruning_method(other)
    with pytest.raises(TypeError, match="instance of a subclass"):
        container.add_pruning_method(prune.Identity)
