"""Optimizers: small parameters are changed by one call, and nobody can tell. (tests/oracle compares the formulas with PyTorch's.)"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, optim
from tinygrad_edu.optim import optimizer as base

ELEMENTWISE = {
    "Adagrad": {"lr_decay": 0.1},
    "Adadelta": {"weight_decay": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Adam": {"amsgrad": True, "maximize": True},
    "AdamW": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "ASGD": {"t0": 3},
    "Rprop": {},
}
SHAPES = [(3, 4), (), (5,), (2, 3, 2), (2, 150, 150), (6,)]  # the last but one is too large to be copied


def start(name: str, settings: dict[str, Any]) -> tuple[list[Tensor], optim.Optimizer]:
    rng = np.random.default_rng(0)
    params = [Tensor(rng.normal(size=shape), dtype="float32", requires_grad=True) for shape in SHAPES]
    params[-1].data = params[-1].data.double()
    params[0].data = tg.tensor(np.asfortranarray(params[0].numpy(force=True)))
    return params, getattr(optim, name)([{"params": params[:4]}, {"params": params[4:], "lr": 0.03}], **settings)


def ready(params: list[Tensor], step: int) -> None:
    """Gradients; now and then one is missing."""
    rng = np.random.default_rng(step)
    for i, p in enumerate(params):
        g = Tensor(rng.normal(size=p.shape), dtype=p.dtype)
        p.grad = None if (step + i) % 5 == 0 and step > 3 else g


def trained(name: str, settings: dict[str, Any]) -> Iterator[tuple[list[Tensor], optim.Optimizer]]:
    """A training in which everything happens that may happen between two steps."""
    params, optimizer = start(name, settings)
    for step in range(16):
        ready(params, step)
        optimizer.step()
        yield params, optimizer
        if step == 2:
            optimizer.param_groups[0]["lr"] = 0.07
        elif step == 9:
            optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        elif step == 10:
            params, optimizer = copy.deepcopy((params, optimizer))
        elif step == 11:
            params, optimizer = pickle.loads(pickle.dumps((params, optimizer)))
        elif step == 12:
            params[0].data = params[0].data * 2
        elif step == 13:
            params[2].data = params[2].data.double()
            optimizer.state[params[2]].clear()
        elif step == 14:
            params.append(Tensor([1.0, 2.0], requires_grad=True))
            optimizer.add_param_group({"params": params[-1], "lr": 0.5})


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_side_by_side_is_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, states included."""
    together, one_by_one = trained(name, ELEMENTWISE[name]), trained(name, ELEMENTWISE[name])
    for params, optimizer in together:
        with monkeypatch.context() as patch:
            patch.setattr(base, "SMALL", -1)
            others, second = next(one_by_one)
        for p, q in zip(params, others, strict=True):
            np.testing.assert_array_equal(p.array, q.array, strict=True)
            assert list(optimizer.state[p]) == list(second.state[q])
            for a, b in zip(optimizer.state[p].values(), second.state[q].values(), strict=True):
                np.testing.assert_array_equal(a, b, strict=True)


class Counted(optim.Adam):
    """Adam that notes the sizes that it was called for. It takes over Adam's update, and says so."""

    def __init__(self, params: Any, **settings: Any) -> None:
        self.sizes: list[int] = []
        super().__init__(params, **settings)

    @optim.elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        self.sizes.append(p.size)
        super().update(p, g, state, group)


def test_one_call_for_all_that_are_alike() -> None:
    params = [Tensor(np.ones(shape), requires_grad=True) for shape in SHAPES]
    optimizer = Counted(params)
    for step in range(3):
        ready(params, step)
        optimizer.step()
    assert optimizer.sizes == [36, 45000] * 3
    params[0].grad = None  # it falls back by a step, and goes alone from then on: its rate is another
    optimizer.step()
    ready(params, 0)
    optimizer.step()
    assert optimizer.sizes[6:] == [24, 45000, 24, 12, 45000]
    assert [optimizer.state[p]["step"] for p in params] == [4, 5, 5, 5, 5, 5]


def test_an_update_of_ones_own_is_called_for_each_parameter() -> None:
    """Also when it is made from one that may be called for many at once, as its rate may depend on a norm."""

    class Normed(optim.Adam):
        def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
            seen.append((state["name"], p.shape))
            super().update(p, g / np.linalg.norm(g), state, group)

    seen: list[Any] = []
    model = nn.Linear(2, 3)
    optimizer = Normed(model.named_parameters())
    model(tg.ones(2)).sum().backward()
    optimizer.step()
    assert seen == [("weight", (3, 2)), ("bias", (3,))]


def test_the_state_is_seen_and_can_be_changed() -> None:
    """state[p] is what PyTorch's programs expect there, at any time, and what they put there counts."""
    a, b = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    optimizer = optim.Adam([("a", a), ("b", b)], betas=(0.5, 0.5))
    for _ in range(2):
        a.grad, b.grad = Tensor([1.0, 1.0]), Tensor([4.0, 4.0])
        optimizer.step()
    assert {k: v for k, v in optimizer.state[b].items() if k in ("name", "step")} == {"name": "b", "step": 2}
    np.testing.assert_array_equal(optimizer.state[b]["exp_avg"], [3.0, 3.0])
    optimizer.state[b]["exp_avg"][0] = 10
    optimizer.state[a]["exp_avg_sq"] = np.full(2, 7, "float32")
    optimizer.step()
    np.testing.assert_array_equal(optimizer.state[b]["exp_avg"], [7.0, 3.5])
    np.testing.assert_array_equal(optimizer.state[a]["exp_avg_sq"], [4.0, 4.0])


def test_parameters_stay_in_their_memory() -> None:
    """What looks at it sees the new numbers; two that share memory are both changed, one after the other."""
    memory = np.zeros(4, "float32")
    a, b, c = nn.Parameter(tg.from_numpy(memory)), nn.Parameter(tg.from_numpy(memory)), nn.Parameter(tg.zeros(4))
    a.grad = b.grad = c.grad = tg.ones(4)
    optim.Adam([a, b, c], lr=1.0).step()
    np.testing.assert_allclose(memory, -2, rtol=1e-6)
    np.testing.assert_allclose(c.detach().numpy(), -1, rtol=1e-6)


def test_a_parameter_of_no_dimension() -> None:
    p = Tensor(1.0, requires_grad=True)
    p.grad = Tensor(3.0)
    optim.Adam([p], lr=0.5).step()
    assert p.item() == pytest.approx(0.5)


def test_a_state_of_pytorch_counts_in_a_tensor() -> None:
    """There the number of steps is a tensor."""
    params = [Tensor([1.0, 2.0], requires_grad=True), Tensor(1.0, requires_grad=True)]
    optimizer = optim.Adam(params)
    for p in params:
        p.grad = p.detach().clone()
    optimizer.step()
    saved = optimizer.state_dict()
    for state in saved["state"].values():
        state["step"] = Tensor(1.0)
    optimizer.load_state_dict(saved)
    optimizer.step()
    assert [optimizer.state[p]["step"] for p in params] == [2, 2]
    assert type(optimizer.state[params[0]]["step"]) is int


def test_an_elementwise_optimizer_of_ones_own_can_be_compiled() -> None:
    class Averaged(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @optim.elementwise
        def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
            mean = state.setdefault("mean", np.zeros_like(p))
            mean += 0.5 * (g - mean)
            p -= group["lr"] * mean

    def losses(wrap: Any) -> list[float]:
        tg.manual_seed(0)
        model = nn.Linear(2, 3)
        optimizer = Averaged(model.parameters(), lr=0.1)

        def step(x: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = (model(x) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = wrap(step)
        return [run(tg.ones(4, 2)).item() for _ in range(6)]

    assert losses(tg.compile) == pytest.approx(losses(lambda step: step), rel=1e-5)
