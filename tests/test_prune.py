"""nn.utils.prune: what is pruned stays 0, the rest is trained; prunings add up, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
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
        assert METHODS[name](linear, now) is linear
        left -= now if isinstance(now, int) else round(now * left)
        assert linear.weight_mask.sum().item() == left * each
        assert tg.equal(linear.weight, linear.weight_orig * linear.weight_mask)
    assert linear.weight_orig is weight


def left(mask: np.ndarray, values: np.ndarray, scores: np.ndarray | None, amount: float, dim: int | None, n: float) -> np.ndarray:
    """What the rule says, in NumPy: of the weights (or channels) that are left, those with the smallest values (norms) go."""
    others = () if dim is None else tuple(d for d in range(mask.ndim) if d != dim)
    if dim is None:
        sizes, there = abs(values * mask if scores is None else scores), mask > 0
    else:
        sizes = np.linalg.vector_norm(values * mask if scores is None else scores, axis=others, ord=n)
        there = mask.sum(axis=others) > 0
    count = amount if isinstance(amount, int) else round(amount * there.sum())
    order = np.argsort(np.where(there, sizes, np.inf), axis=None)
    kept = there.copy()
    kept.flat[order[:count]] = False
    return mask * (kept if dim is None else np.expand_dims(kept, others))


rounds = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 1), st.floats(0, 1)),
        st.sampled_from([None, 0, 1, 2, -1]),
        st.sampled_from([1, 2, float("inf")]),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@given(rounds=rounds, seed=st.integers(0, 1000))
def test_the_least_of_those_left_go(rounds: list[tuple[float, int | None, float, bool]], seed: int) -> None:
    """One pruning after the other, by weights or by scores, single weights or channels along any dim."""
    rng = np.random.default_rng(seed)
    conv = nn.Conv1d(3, 4, 2)
    conv.register_forward_pre_hook(lambda module, inputs: None)  # which is no pruning
    conv.weight.data = tg.tensor(values := rng.normal(size=(4, 3, 2)))
    mask = np.ones((4, 3, 2))
    for amount, dim, n, scored in rounds:
        scores = rng.normal(size=(4, 3, 2)) if scored else None
        given = None if scores is None else tg.tensor(scores)
        expected = left(mask, values, scores, amount, dim if dim is None else dim % 3, n)
        if amount == 1 and not mask.any():
            with pytest.raises(ValueError, match="only 0"):
                prune.l1_unstructured(conv, "weight", 1)
            return
        if dim is None:
            assert prune.l1_unstructured(conv, "weight", amount, given) is conv
        else:
            assert prune.ln_structured(conv, "weight", amount, n, dim, given) is conv
        mask = expected
        np.testing.assert_array_equal(conv.weight_mask.numpy(), mask)
        np.testing.assert_array_equal(conv.weight.detach().numpy(), mask * values)


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
    model[1].weight.data.mul_(1e-9)
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=10)
    assert [layer.weight_mask.sum().item() for layer, _ in pairs] == [20, 0]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.5)
    assert [layer.weight_mask.sum().item() for layer, _ in pairs] == [10, 0]
    order = model[0].weight_mask.flatten().nonzero().flatten().tolist()
    prune.global_unstructured(pairs, prune.L1Unstructured, {pairs[0]: tg.arange(20.0).reshape(5, 4)}, amount=3)
    assert model[0].weight_mask.flatten().nonzero().flatten().tolist() == order[3:]
    assert not any(mask.requires_grad for layer, _ in pairs for mask in layer.buffers())


def test_a_container_keeps_what_was_done() -> None:
    linear = prune.l1_unstructured(nn.Linear(4, 3), "weight", 1)
    prune.random_unstructured(linear, "weight", 1)
    prune.random_structured(linear, "weight", 1, dim=0)
    (container,) = linear._forward_pre_hooks.values()
    assert [type(method) for method in container] == [prune.L1Unstructured, prune.RandomUnstructured, prune.RandomStructured]
    assert len(container) == 3
    assert container[0] is next(iter(container))
    grown = prune.PruningContainer()
    for method in container:
        grown.add_pruning_method(method)
    assert grown[:] == container[:]
    other = prune.Identity()
    other._tensor_name = "bias"
    with pytest.raises(ValueError, match="prunes 'weight', and the method 'bias'"):
        container.add_pruning_method(other)
    with pytest.raises(TypeError, match="instance of a subclass"):
        container.add_pruning_method(prune.Identity)


class Above(prune.BasePruningMethod):
    """A method of one's own, whose mask is made of the weights."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def compute_mask(self, t: tg.Tensor, default_mask: tg.Tensor) -> tg.Tensor:
        return default_mask * tg.where(t > self.limit, t / t.detach(), 0)


def test_a_method_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = nn.Linear(2, 2)
    linear.weight.data = tg.tensor([[-1.0, 1.0], [2.0, 3.0]])
    method = Above.apply(linear, "weight", limit=0)
    assert list(linear._forward_pre_hooks.values()) == [method]
    assert linear.weight_mask.tolist() == [[0, 1], [1, 1]]
    assert prune.identity(linear, "weight") is prune.custom_from_mask(linear, "weight", tg.tensor([[1, 1], [1, 0]])) is linear
    Above.apply(linear, "weight", limit=1)
    assert linear.weight_mask.tolist() == [[0, 0], [1, 0]]
    assert not linear.weight_mask.requires_grad
    x = tg.tensor([3.0, 1.0, 2.0])
    assert Above(1.5).prune(x).tolist() == [3, 0, 2]
    assert Above(1.5).prune(x, tg.tensor([0.0, 1, 1])).tolist() == [0, 0, 2]
    assert Above(1.5).prune(x, importance_scores=tg.tensor([0.0, 2, 2])).tolist() == [0, 1, 2]
    monkeypatch.setattr(Above, "PRUNING_TYPE", "some")
    with pytest.raises(ValueError, match=r"PRUNING_TYPE of Above must be .*, not 'some'"):
        Above.apply(linear, "weight", limit=0)
