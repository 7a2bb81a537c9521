"""Small parameters that an optimizer updates as one: nobody can tell, whatever happens between steps."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.errors import InplaceError
from tinygrad_edu.optim import gathered

ALL = ["SGD", "ASGD", "Rprop", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"]
EVENTS = ["step", "freeze", "thaw", "load", "copy", "pickle", "forget", "older", "replace", "other data", "swap", "fewer", "add"]


def walk(kind: str, options: dict, events: list[str], small: int) -> list[Any]:
    """Where the parameters and their states are after each of these events, each followed by a step."""
    rng = np.random.default_rng(0)

    def parameter(*shape: int) -> Any:
        return nn.Parameter(tg.tensor(rng.normal(size=shape), dtype="float64"))

    held = [parameter(3, 2), parameter(2, 3).t().detach().requires_grad_(), parameter(), parameter(4), parameter(0, 3)]
    named = list(zip("abcde", held, strict=True))
    optimizer = getattr(optim, kind)([{"params": named[:3]}, {"params": named[3:], "lr": 0.01}], **options)
    before, gathered.SMALL = gathered.SMALL, small
    seen = []
    try:
        for event in ["step", *events]:
            w, group = held[0], optimizer.param_groups[0]
            state = optimizer.state[w]
            if event in ("freeze", "thaw"):
                w.requires_grad_(event == "thaw")
            elif event == "load":
                optimizer.load_state_dict(optimizer.state_dict())
            elif event in ("copy", "pickle"):
                both = held, optimizer
                held, optimizer = copy.deepcopy(both) if event == "copy" else pickle.loads(pickle.dumps(both))
            elif event == "forget":
                optimizer.state.clear()
            elif event == "older" and "step" in state:
                state["step"] += 2
            elif event == "replace":
                state.update({name: x * 2 for name, x in state.items() if isinstance(x, np.ndarray)})
            elif event == "other data":
                w.data = w.detach() * 2
            elif event == "swap":
                optimizer.state[w], optimizer.state[held[1]] = optimizer.state[held[1]], state
                for p in held[:2]:
                    optimizer.state[p] = {
                        name: x.reshape(p.shape).copy() if isinstance(x, np.ndarray) else x
                        for name, x in optimizer.state[p].items()
                    }
            elif event == "fewer" and len(group["params"]) > 2:
                gone = group["params"].pop()
                held = [p for p in held if p is not gone]
            elif event == "add":
                held.append(parameter(2, 2))
                group["params"].append(held[-1])
            for p in held:
                p.grad = tg.tensor(rng.normal(size=p.shape)) if p.requires_grad else None
            optimizer.step()
            seen.append([p.tolist() for p in held])
            seen.append([{k: np.asarray(x).tolist() for k, x in optimizer.state[p].items()} for p in held])
    finally:
        gathered.SMALL = before
    return seen


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"maximize": True}], ids=str)
@pytest.mark.parametrize("kind", ALL)
@given(events=st.lists(st.sampled_from(EVENTS), max_size=8))
def test_together_is_as_one_by_one(kind: str, options: dict, events: list[str]) -> None:
    if kind == "Rprop" and "weight_decay" in options:
        options = {}
    assert walk(kind, options, events, gathered.SMALL) == walk(kind, options, events, 0)


class Counted(optim.Adam):
    """Adam that notes the shapes of what it is given."""

    shapes: list[Any]

    @gathered.elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        self.shapes.append(p.shape)
        super().update(p, g, state, group)


class Unmarked(Counted):
    """An update of one's own, which may look at shapes."""

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        super().update(p, g, state, group)


def test_what_goes_together() -> None:
    """Small parameters of one dtype; what stands alone is given as it is, and so is everything to an update without the mark."""
    shapes = [(2, 3), (3,), (gathered.SMALL + 1,), ()]
    found = {}
    for kind in (Counted, Unmarked):
        params = [tg.ones(*shape).requires_grad_() for shape in shapes] + [tg.ones(5, dtype="float64", requires_grad=True)]
        optimizer = kind(params)
        optimizer.shapes = []
        for p in params:
            p.grad = tg.ones_like(p)
        optimizer.step()
        found[kind] = optimizer.shapes
    assert found == {Counted: [(9,), *shapes[2:], (5,)], Unmarked: [*shapes, (5,)]}


def test_a_parameter_of_another_shape_is_refused() -> None:
    """What is kept for it does not fit any more; that of the others must not slip to its place."""
    a, b = (tg.ones(n).requires_grad_() for n in (1, 2))
    optimizer = optim.Adam([a, b])
    for _ in range(2):
        for p in (a, b):
            p.grad = tg.ones_like(p)
        optimizer.step()
    a.data, b.data = tg.ones(2), tg.ones(1)
    a.grad, b.grad = tg.ones(2), tg.ones(1)
    with pytest.raises(ValueError, match="shape"):
        optimizer.step()
    assert a.tolist() == [1, 1]
    assert b.tolist() == [1]


def test_a_graph_that_needs_the_weights_before_the_step() -> None:
    a, b = (tg.ones(n).requires_grad_() for n in (1, 2))
    losses = [(p * p * p).sum() for p in (a, b)]
    sum(losses).backward(retain_graph=True)
    optim.Adam([a, b]).step()
    for loss in losses:
        with pytest.raises(InplaceError, match="changed in place after it was used"):
            loss.backward()


def test_compiled_it_is_the_same() -> None:
    """What is changed in a parameter's own state between calls counts in the next one."""
    found = []
    for wrap in (lambda f: f, tg.compile):
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        x, y = tg.randn(5, 3), tg.randn(5, 2)
        first, last = model[0].bias, model[2].weight

        def descend(optimizer: Any = optimizer, model: Any = model, x: Any = x, y: Any = y) -> Any:
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(descend)
        changes = {
            6: lambda last=last, state=optimizer.state: state[last].update(step=2),
            10: lambda first=first, state=optimizer.state: state[first].update(exp_avg=state[first]["exp_avg"] * 3),
            13: lambda optimizer=optimizer: optimizer.load_state_dict(optimizer.state_dict()),
            16: lambda optimizer=optimizer: optimizer.state.clear(),
            20: lambda first=first: first.requires_grad_(False),
            24: lambda first=first: first.requires_grad_(True),
        }
        losses = []
        for i in range(28):
            changes.get(i, lambda: None)()
            losses.append(step().item())
        found.append(losses)
    assert found[0] == found[1]
    assert len(set(found[0])) == len(found[0])
