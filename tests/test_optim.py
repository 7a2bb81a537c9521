"""Optimizers, where PyTorch has nothing to compare (tests/oracle compares the formulas with PyTorch's)."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim, tensor

ALL = ["SGD", "ASGD", "Rprop", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in ALL),
        *((name, {"maximize": True}) for name in ALL),
        *((name, {"weight_decay": 0.1}) for name in ALL if name != "Rprop"),
        *(("SGD", {"momentum": 0.9, **more}) for more in ({}, {"weight_decay": 0.1}, {"maximize": True}, {"nesterov": True})),
        ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ],
)
def test_a_parameter_of_no_dimension_is_changed_like_one_of_one_number(name: str, options: dict) -> None:
    """NumPy makes numbers of arrays without dims, which are not changed in place: what an optimizer keeps must be an array."""
    found = []
    for shape in ((), (1,)):
        p = tensor(np.full(shape, 1.0), requires_grad=True)
        optimizer = getattr(optim, name)([p], lr=0.5, **options)
        for gradient in (3.0, -1.0, 2.0):
            p.grad = tensor(np.full(shape, gradient))
            optimizer.step()
        found.append(p.item())
        kept = [x for x in optimizer.state_dict()["state"].get(0, {}).values() if isinstance(x, tg.Tensor)]
        assert all(x.numpy().shape == shape for x in kept)
    assert found[0] == found[1] != 1


def steps_of(optimizer: Any, p: Any, *rates: float) -> list[Any]:
    """Where three numbers go in a step at each of these rates, which are written into the tensor that holds the rate, if one does."""
    seen = []
    for rate in rates:
        lr = optimizer.param_groups[0]["lr"]
        if isinstance(lr, tg.Tensor):
            lr.fill_(rate)
        else:
            optimizer.param_groups[0]["lr"] = rate

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (p * p + 1).sqrt().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        seen.append(p.tolist())
    return seen


@pytest.mark.parametrize("name", [*ALL, "Muon", "LBFGS"])
def test_settings_may_be_tensors_which_change(name: str) -> None:
    """As in PyTorch: what they hold at a step counts."""

    def walked(number: Any) -> Any:
        p = tensor([[1.0, -2.0, 3.0]], dtype="float64", requires_grad=True)
        betas = {"betas": (number(0.5), number(0.75))} if "betas" in inspect.signature(getattr(optim, name)).parameters else {}
        return steps_of(getattr(optim, name)([p], lr=number(0.5), **betas), p, 0.5, 0.25, 0.125)

    with_numbers = walked(float)
    assert walked(tensor) == with_numbers
    assert len({str(place) for place in with_numbers}) == 3


def test_names_for_all_parameters_or_for_none() -> None:
    a, b = tensor([1.0], requires_grad=True), tensor([2.0], requires_grad=True)
    with pytest.raises(ValueError, match="or none of them"):
        optim.SGD([("a", a), b])
    optimizer = optim.SGD([("a", a)])
    with pytest.raises(ValueError, match="or none of them"):
        optimizer.add_param_group({"params": [b]})
    assert len(optimizer.param_groups) == 1


def test_adam_in_blocks_is_adam() -> None:
    """What is cut into blocks comes to the same as its rows, which are not."""
    rng = np.random.default_rng(0)
    numbers, gradient = rng.normal(size=(2, 3, 50_000)).astype("float32")
    whole = tensor(numbers, requires_grad=True)
    rows = [tensor(row, requires_grad=True) for row in numbers]
    both, apart = optim.Adam([whole], lr=0.1), optim.Adam(rows, lr=0.1)
    for _ in range(3):
        whole.grad = tg.tensor(gradient)
        for row, g in zip(rows, gradient, strict=True):
            row.grad = tg.tensor(g)
        both.step()
        apart.step()
    np.testing.assert_array_equal(whole.detach().numpy(), np.stack([row.detach().numpy() for row in rows]))
    assert whole.numel() > optim.optimizer.BLOCK
    assert rows[0].numel() < optim.optimizer.BLOCK


def test_the_number_of_steps_may_be_a_tensor() -> None:
    """In a state that PyTorch saved it is one."""
    p = tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([p])
    p.grad = p.detach().clone()
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0]["step"] = tensor(1.0)
    optimizer.load_state_dict(saved)
    optimizer.step()
    assert optimizer.state[p]["step"] == 2


def test_a_loaded_state_replaces_all_settings() -> None:
    """Also those that came later, as a schedule's initial_lr, or another schedule would start from the rate of the first."""
    p = tg.ones(2).requires_grad_()
    optimizer = optim.SGD([("p", p)], lr=0.1)
    state = optimizer.state_dict()
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    assert "initial_lr" in optimizer.param_groups[0]
    optimizer.load_state_dict(state)
    assert "initial_lr" not in optimizer.param_groups[0]
    assert optimizer.param_groups[0]["params"] == [p]
    assert optimizer.param_groups[0]["param_names"] == ["p"]
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_state_that_belongs_to_no_parameter_is_kept() -> None:
    """As MADGRAD's count of steps, self.state["k"]."""

    class Counting(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.5})
            self.state["k"] = tg.tensor([0])

        def step(self, closure: Any = None) -> None:
            self.state["k"] += 1
            for p in self.param_groups[0]["params"]:
                p.data -= self.param_groups[0]["lr"] / self.state["k"].item()

    p = tg.zeros(1).requires_grad_()
    optimizer, other = Counting([p]), Counting([p])
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    other.step()
    assert (p.tolist(), other.state["k"].tolist(), optimizer.state["k"].tolist()) == ([-0.75], [2], [1])


def test_an_optimizer_of_ones_own_may_add_to_what_is_loaded_or_copied() -> None:
    class Newer(optim.SGD):
        def __setstate__(self, state: dict[str, Any]) -> None:
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("since", 2)

    first, second = (Newer([tg.zeros(1).requires_grad_()], lr=0.1) for _ in range(2))
    second.load_state_dict(first.state_dict())
    assert [o.param_groups[0].get("since") for o in (first, second, copy.deepcopy(first))] == [None, 2, 2]


class Halving(optim.SGD):
    """An optimizer with a step of its own."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        return super().step()


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, Halving], ids=lambda kind: kind.__name__)
def test_hooks_before_and_after_steps(make: Any) -> None:
    """Each is called once for a step, with its arguments, which the first may replace; a hook that was removed is not called."""
    p = tensor([1.0, 2.0], requires_grad=True)
    optimizer, seen = make([p], lr=0.1), []

    def before(given: Any, args: tuple, kwargs: dict) -> Any:
        seen.append(("before", given is args[0] is optimizer, args[1:], kwargs))
        p.grad = tg.zeros(2)
        return (args[0], lambda: 7), {}

    first = optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(lambda given, args, kwargs: seen.append(("after", given is optimizer, len(args), kwargs)))
    p.grad = tg.ones(2)
    optimizer.step(closure=None)
    assert seen == [("before", True, (), {"closure": None}), ("after", True, 2, {})]
    assert p.tolist() == [1, 2]
    first.remove()
    seen.clear()
    assert optimizer.step() is None
    assert seen == [("after", True, 1, {})]


def test_what_a_hook_before_steps_returns() -> None:
    optimizer = optim.SGD([tg.zeros(1).requires_grad_()])
    optimizer.register_step_pre_hook(lambda *given: 3)
    with pytest.raises(RuntimeError, match=r"before step\(\) returns None, or the arguments as \(args, kwargs\), and not 3"):
        optimizer.step()


def test_a_hook_before_a_state_is_loaded() -> None:
    """It may change the state, or return another one; what was given stays as it is."""
    saved = optim.SGD([tg.zeros(1).requires_grad_()], lr=0.1).state_dict()
    other = optim.SGD([tg.zeros(1).requires_grad_()], lr=0.5)

    def faster(optimizer: Any, state: dict) -> None:
        state["param_groups"] = [{**state["param_groups"][0], "lr": 3.0}]

    hook = other.register_load_state_dict_pre_hook(faster)
    other.load_state_dict(saved)
    assert (other.param_groups[0]["lr"], saved["param_groups"][0]["lr"]) == (3, 0.1)
    hook.remove()
    other.register_load_state_dict_pre_hook(lambda optimizer, state: other.state_dict())
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == 3


def test_a_state_that_is_a_models_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'state' and 'param_groups', and this one \['weight', 'bias'\]"):
        optim.Adam([tensor([1.0])]).load_state_dict(tg.nn.Linear(2, 1).state_dict())


def test_what_an_optimizer_refuses() -> None:
    w = tensor([1.0], requires_grad=True)
    for make, error, said in (
        (lambda: optim.SGD(w, lr=0.1), TypeError, r"single tensor: write \[w\]"),
        (lambda: optim.SGD(3, lr=0.1), TypeError, "this is a int"),
        (lambda: optim.SGD([], lr=0.1), ValueError, "got no parameters"),
        (lambda: optim.SGD([w, 3], lr=0.1), TypeError, "takes tensors"),
        (lambda: optim.SGD([w * 2], lr=0.1), ValueError, "only change leaves"),
        (lambda: optim.SGD([w, w], lr=0.1), ValueError, "twice"),
        (lambda: optim.SGD([{"params": [w]}, {"params": [w]}], lr=0.1), ValueError, "twice"),
        (lambda: optim.SGD([w], lr=-0.1), ValueError, r"SGD: lr must be at least 0, not -0\.1"),
        (lambda: optim.SGD([w], lr=0.1, nesterov=True), ValueError, "Nesterov.* needs momentum > 0"),
        (lambda: optim.Adam([w], betas=(0.9, 1.0)), ValueError, r"Adam: betas\[1\] must be in \[0, 1\), not 1"),
        (lambda: optim.Adadelta([w], rho=1.5), ValueError, r"rho must be in \[0, 1\], not 1\.5"),
    ):
        with pytest.raises(error, match=said):
            make()
    first, second = optim.SGD([w], lr=0.1), optim.SGD([w, tensor([2.0])], lr=0.5)
    with pytest.raises(ValueError, match=r"groups of \[2\] parameters; this optimizer has \[1\]"):
        first.load_state_dict(second.state_dict())
    assert "Parameter Group 0\n" in repr(first)
    assert "    lr: 0.1\n" in repr(first)


@pytest.mark.parametrize("name", ALL)
def test_options_that_change_nothing_are_taken_and_others_refused(name: str) -> None:
    p = tensor([1.0], requires_grad=True)
    make = getattr(optim, name)
    assert make([p], foreach=True, fused=None, capturable=False).defaults == make([p]).defaults
    with pytest.raises(ValueError, match=f"{name}: differentiable=True is not offered"):
        make([p], differentiable=True)
    with pytest.raises(TypeError, match="speed"):
        make([p], speed="high")


@pytest.mark.parametrize(
    "make", [lambda o: optim.lr_scheduler.ExponentialLR(o, 0.5), lambda o: optim.lr_scheduler.StepLR(o, 1, 0.5)]
)
def test_a_group_that_is_added_follows_the_schedule(make: Any) -> None:
    """From its own rate on, as in PyTorch."""
    a, b = (tg.ones(1, requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([a], lr=0.1)
    schedule = make(optimizer)
    optimizer.step()
    schedule.step()
    optimizer.add_param_group({"params": [b], "lr": 0.4})
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.025, 0.2])
    assert schedule.get_last_lr() == pytest.approx([0.025, 0.2])


def test_a_group_that_is_added_needs_a_function_of_its_own() -> None:
    a, b = (tg.ones(1, requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([a], lr=0.1)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    optimizer.step()
    optimizer.add_param_group({"params": [b], "lr": 0.4})
    with pytest.raises(ValueError, match="group 1 was added after this LambdaLR"):
        schedule.step()
    schedule.lr_lambdas.append(lambda step: 1.0)
    schedule.step()
    assert optimizer.param_groups[1]["lr"] == 0.4


def test_an_optimizer_of_ones_own_may_have_several_values_for_a_setting() -> None:
    p = tg.nn.Parameter(tg.ones(2))

    class Adafactor(optim.Optimizer):
        def __init__(self, params: Any, eps: Any = (1e-30, 1e-3)) -> None:
            super().__init__(params, {"lr": None, "eps": eps, "betas": None})

    assert Adafactor([p]).param_groups[0]["eps"] == (1e-30, 1e-3)
    with pytest.raises(ValueError, match="eps must be at least 0"):
        Adafactor([p], eps=(1e-30, -1e-3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD([p], lr=tensor([0.1, 0.2])), r"lr must be one number, not a tensor of shape \(2,\)"),
        (
            lambda p: optim.Adam([{"params": [p], "eps": tensor([1e-8] * 3)}]),
            r"eps must be one number, not a tensor of shape \(3,\)",
        ),
        (lambda p: optim.NAdam([p], momentum_decay=-0.1), "momentum_decay must be at least 0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tg.ones(2, requires_grad=True))


@pytest.mark.parametrize("average", [{}, {"avg_fn": optim.swa_utils.get_swa_avg_fn()}])
def test_an_averaged_model_can_be_pickled(average: dict[str, Any]) -> None:
    model = tg.nn.Linear(2, 1)
    averaged = optim.swa_utils.AveragedModel(model, **average)
    averaged.update_parameters(model)
    again = pickle.loads(pickle.dumps(averaged))
    with tg.no_grad():
        model.weight += 1
    for each in (averaged, again):
        each.update_parameters(model)
        np.testing.assert_allclose(each.module.weight.array, model.weight.array - 0.5, rtol=1e-5)


@pytest.mark.parametrize("of_module", [False, True])
def test_gradients_become_zero_in_their_memory(of_module: bool) -> None:
    layer = tg.nn.Linear(2, 1, bias=False)
    gradient = layer.weight.grad = tensor([[float("nan"), 2.0]])
    (layer if of_module else optim.SGD(layer.parameters(), lr=1.0)).zero_grad(set_to_none=False)
    assert layer.weight.grad is gradient
    assert gradient.tolist() == [[0.0, 0.0]]
