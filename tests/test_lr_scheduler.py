"""Learning-rate schedules, where a number to compare is not enough (tests/oracle compares their rates with PyTorch's)."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim, tensor
from tinygrad_edu.optim import lr_scheduler as schedules
from tinygrad_edu.optim.swa_utils import SWALR

MAKE: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: schedules.LambdaLR(o, lambda t: 0.5**t),
    "MultiplicativeLR": lambda o: schedules.MultiplicativeLR(o, lambda t: 0.5),
    "StepLR": lambda o: schedules.StepLR(o, 2),
    "MultiStepLR": lambda o: schedules.MultiStepLR(o, [1, 3]),
    "ConstantLR": lambda o: schedules.ConstantLR(o),
    "LinearLR": lambda o: schedules.LinearLR(o, 0.5, 0.0, 3),
    "ExponentialLR": lambda o: schedules.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: schedules.PolynomialLR(o, 3),
    "CosineAnnealingLR": lambda o: schedules.CosineAnnealingLR(o, 3),
    "CosineAnnealingWarmRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 2),
    "OneCycleLR": lambda o: schedules.OneCycleLR(o, 1.0, 20),
    "CyclicLR": lambda o: schedules.CyclicLR(o, 0.1, 0.5, 3),
    "SWALR": lambda o: SWALR(o, 0.01, 3),
    "SequentialLR": lambda o: schedules.SequentialLR(o, [schedules.LinearLR(o), schedules.StepLR(o, 1)], [2]),
    "ChainedScheduler": lambda o: schedules.ChainedScheduler([schedules.LinearLR(o), schedules.StepLR(o, 1)]),
}


def sgd(lr: Any = 0.5) -> Any:
    return optim.SGD([tg.ones(2, requires_grad=True)], lr=lr, momentum=0.9)


def walk(optimizer: Any, schedule: Any, steps: int) -> list[float]:
    seen = []
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        seen.append(float(optimizer.param_groups[0]["lr"]))
    return seen


@pytest.mark.parametrize("name", MAKE)
def test_a_rate_that_is_a_tensor_stays_this_tensor_and_no_other_rate_changes_with_it(name: str) -> None:
    optimizer, expected = sgd(tensor(0.5, dtype="float64")), sgd()
    group, rate = optimizer.param_groups[0], optimizer.param_groups[0]["lr"]
    schedule = MAKE[name](optimizer)
    assert walk(optimizer, schedule, 6) == pytest.approx(walk(expected, MAKE[name](expected), 6))
    assert group["lr"] is rate
    start, last = float(group["initial_lr"]), [float(x) for x in schedule.get_last_lr()]
    rate.fill_(100.0)
    assert float(group["initial_lr"]) == start
    assert [float(x) for x in schedule.get_last_lr()] == last
    assert [float(x) for x in getattr(schedule, "base_lrs", [start])] != [100.0]


@pytest.mark.parametrize("name", MAKE)
def test_a_saved_schedule_goes_on_where_it_stopped(name: str) -> None:
    optimizer, again = sgd(), sgd()
    schedule, other = MAKE[name](optimizer), MAKE[name](again)
    walk(optimizer, schedule, 4)
    other.load_state_dict(pickle.loads(pickle.dumps(schedule.state_dict())))
    again.load_state_dict(optimizer.state_dict())
    assert other.get_last_lr() == schedule.get_last_lr()
    assert walk(again, other, 5) == walk(optimizer, schedule, 5)


class Halving:
    """A function with something to remember."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, t: float) -> float:
        return self.factor**t


@pytest.mark.parametrize(
    "make",
    [
        lambda o, f: schedules.LambdaLR(o, f),
        lambda o, f: schedules.MultiplicativeLR(o, [f]),
        lambda o, f: schedules.CyclicLR(o, 0.1, 0.5, 3, scale_fn=f),
    ],
)
def test_of_functions_a_state_holds_what_they_remember_and_no_function(make: Any) -> None:
    optimizer, again = sgd(), sgd()
    schedule, other = make(optimizer, Halving(0.5)), make(again, Halving(0.9))
    walk(optimizer, schedule, 3)
    other.load_state_dict(schedule.state_dict())
    again.load_state_dict(optimizer.state_dict())
    assert walk(again, other, 4) == walk(optimizer, schedule, 4)
    optimizer, again = sgd(), sgd()
    plain, other = (make(o, lambda t: 0.5**t) for o in (optimizer, again))
    other.load_state_dict(plain.state_dict())  # holds None for the function, and here it stays what it was
    assert walk(again, other, 3) == walk(optimizer, plain, 3)


def test_a_saved_cycle_brings_its_mode() -> None:
    optimizer, again = sgd(), sgd()
    schedule = schedules.CyclicLR(optimizer, 0.1, 0.5, 3, mode="exp_range", gamma=0.5)
    other = schedules.CyclicLR(again, 0.1, 0.5, 3)
    other.load_state_dict(schedule.state_dict())
    assert walk(again, other, 9) == walk(optimizer, schedule, 9)


@pytest.mark.parametrize("kind", ["Optimizer", "own step", "gone on"])
def test_a_schedule_stepped_before_the_optimizer_warns(kind: str) -> None:
    class Own(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    for first, warned in (("schedule", True), ("optimizer", False)):
        optimizer = Own([tg.ones(2, requires_grad=True)], lr=0.5) if kind == "own step" else sgd()
        optimizer.param_groups[0]["initial_lr"] = 0.5
        schedule = schedules.StepLR(optimizer, 2, last_epoch=7 if kind == "gone on" else -1)
        if first == "optimizer":
            optimizer.step()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            schedule.step()
        assert bool(seen) == warned


def test_schedules_made_of_schedules_may_be_parts_of_others() -> None:
    """Each begins from the rate of the start at its milestone, and what was made of it before is taken back."""
    optimizer = sgd(1.0)
    parts = [
        schedules.ChainedScheduler([schedules.ConstantLR(optimizer, 0.5, 2), schedules.ExponentialLR(optimizer, 0.5)]),
        schedules.SequentialLR(optimizer, [schedules.LinearLR(optimizer, 0.25, 1.0, 3), schedules.StepLR(optimizer, 1)], [2]),
    ]
    schedule = schedules.SequentialLR(optimizer, parts, [3])
    assert schedule.get_last_lr() == [0.5]
    assert walk(optimizer, schedule, 7) == pytest.approx([0.25, 0.25, 0.25, 0.5, 1.0, 0.1, 0.01])


def test_two_cycles_keep_their_own_bounds() -> None:
    optimizer = sgd()
    first = schedules.CyclicLR(optimizer, 0.1, 0.2, 2, base_momentum=0.5, max_momentum=0.6)
    second = schedules.CyclicLR(optimizer, 0.3, 0.4, 2, base_momentum=0.7, max_momentum=0.8)
    schedule = schedules.SequentialLR(optimizer, [first, second], [4])
    group = optimizer.param_groups[0]
    seen = [(group["lr"], group["momentum"])]
    for _ in range(6):
        optimizer.step()
        schedule.step()
        seen.append((group["lr"], group["momentum"]))
    assert seen[2] == pytest.approx((0.2, 0.5))
    assert seen[4] == pytest.approx((0.3, 0.8))
    assert seen[6] == pytest.approx((0.4, 0.7))


def test_a_group_that_is_added_follows_a_plateau() -> None:
    """With the least rate that was given for all; a list of them must be made longer first."""
    for least in (0.2, [0.2]):
        optimizer = sgd()
        schedule = schedules.ReduceLROnPlateau(optimizer, patience=0, min_lr=least)
        optimizer.add_param_group({"params": [tg.ones(1, requires_grad=True)], "lr": 0.8})
        schedule.step(1.0)
        if isinstance(least, list):
            with pytest.raises(ValueError, match="min_lr: 1 values for 2 parameter groups"):
                schedule.step(1.0)
            schedule.min_lrs.append(0.1)
        schedule.step(1.0)
        assert schedule.get_last_lr() == [0.2, pytest.approx(0.1 if isinstance(least, list) else 0.2)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: schedules.SequentialLR(o, [schedules.ReduceLROnPlateau(o)], []), "it needs a value each time"),
        (lambda o: schedules.ChainedScheduler([schedules.ReduceLROnPlateau(o)]), "it needs a value each time"),
        (lambda o: schedules.ChainedScheduler([schedules.StepLR(o, 1)], sgd()), "must belong to the same optimizer"),
        (lambda o: schedules.ChainedScheduler([]), "at least one"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 2.5), "T_0 must be a whole number"),
        (lambda o: schedules.OneCycleLR(o, 1.0, 2.5), "total_steps must be a whole number"),
        (lambda o: schedules.OneCycleLR(o, 1.0, 5, max_momentum=[0.9, 0.8]), "max_momentum: 2 values for 1 parameter groups"),
    ],
)
def test_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(sgd())
