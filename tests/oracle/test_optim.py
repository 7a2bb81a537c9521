"""Optimizers and schedules against PyTorch's: the same parameters and rates after several steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinygrad_edu import optim, tensor

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(size=(3, 4)), RNG.normal(size=(5, 2))]
GRADIENTS = [[RNG.normal(size=w.shape) for w in WEIGHTS] for _ in range(12)]

# Name, settings, and the largest difference: PyTorch keeps some numbers (a rate, a product) in float32, Muon's matrices in bfloat16.
OPTIMIZERS: list[tuple[str, dict[str, Any], float]] = [
    ("SGD", {"lr": 0.1}, 1e-13),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, 1e-13),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}, 1e-13),
    ("ASGD", {"t0": 3, "weight_decay": 0.1}, 1e-8),
    ("Rprop", {"lr": 0.1}, 1e-13),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}, 1e-13),
    ("Adadelta", {"rho": 0.8, "weight_decay": 0.1}, 1e-13),
    ("RMSprop", {"centered": True, "momentum": 0.9, "weight_decay": 0.1}, 1e-13),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}, 1e-13),
    ("Adam", {"maximize": True, "betas": (0.5, 0.6)}, 1e-13),
    ("AdamW", {"amsgrad": True}, 1e-13),
    ("Adamax", {"weight_decay": 0.1}, 1e-13),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}, 1e-9),
    ("RAdam", {"weight_decay": 0.1}, 1e-13),
    ("Muon", {"lr": 0.01}, 1e-3),
]


@pytest.mark.parametrize(("name", "settings", "allowed"), OPTIMIZERS)
def test_optimizer(name: str, settings: dict[str, Any], allowed: float) -> None:
    ours = [tensor(w, requires_grad=True) for w in WEIGHTS]
    theirs = [torch.tensor(w, requires_grad=True) for w in WEIGHTS]
    a, b = getattr(optim, name)(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    for gradients in GRADIENTS:
        for p, q, g in zip(ours, theirs, gradients, strict=True):
            p.grad, q.grad = tensor(g), torch.tensor(g)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=0, atol=allowed)


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
@pytest.mark.parametrize("history", [3, 100])
def test_lbfgs_on_rosenbrock(line_search: str | None, history: int) -> None:
    start = [-1.2, 1.0]
    x, y = tensor(start, dtype="float64", requires_grad=True), torch.tensor(start, dtype=torch.float64, requires_grad=True)
    settings = {
        "lr": 0.001 if line_search is None else 1.0,
        "max_iter": 7,
        "history_size": history,
        "line_search_fn": line_search,
    }
    a, b = optim.LBFGS([x], **settings), torch.optim.LBFGS([y], **settings)

    def closure(optimizer: Any, p: Any) -> Any:
        def evaluate() -> Any:
            optimizer.zero_grad()
            loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
            loss.backward()
            return loss

        return evaluate

    for _ in range(4):
        a.step(closure(a, x))
        b.step(closure(b, y))
    np.testing.assert_allclose(x.array, y.detach().numpy(), rtol=1e-6)


SCHEDULES: list[tuple[str, tuple, dict[str, Any]]] = [
    ("LambdaLR", (lambda t: 0.9**t,), {}),
    ("MultiplicativeLR", (lambda t: 0.95,), {}),
    ("StepLR", (7,), {}),
    ("MultiStepLR", ([3, 8, 8, 20],), {}),
    ("ConstantLR", (), {}),
    ("LinearLR", (0.2, 0.7, 9), {}),
    ("ExponentialLR", (0.9,), {}),
    ("PolynomialLR", (13, 2.0), {}),
    ("CosineAnnealingLR", (11, 0.01), {}),
    ("CosineAnnealingWarmRestarts", (3, 2, 0.01), {}),
    ("OneCycleLR", (1.0,), {"total_steps": 45}),
    ("OneCycleLR", ([1.0, 2.0],), {"total_steps": 45, "three_phase": True, "anneal_strategy": "linear"}),
    ("CyclicLR", (0.01, 0.5), {"step_size_up": 5, "step_size_down": 3, "mode": "triangular2"}),
    ("CyclicLR", (0.01, 0.5), {"step_size_up": 5, "mode": "exp_range", "gamma": 0.9}),
    ("ReduceLROnPlateau", (), {"patience": 2}),
    ("ReduceLROnPlateau", (), {"mode": "max", "patience": 1, "cooldown": 2, "threshold_mode": "abs"}),
]


def made(module: Any, tensor: Any, lr: Any = 0.5) -> Any:
    """An optimizer of two groups."""
    groups = [
        {"params": [tensor(np.ones(2), requires_grad=True)]},
        {"params": [tensor(np.ones(3), requires_grad=True)], "lr": 0.3},
    ]
    return module.SGD(groups, lr=lr, momentum=0.9)


def assert_same_rates(ours: Any, theirs: Any, rel: float = 1e-12) -> None:
    for a, b in zip(ours.param_groups, theirs.param_groups, strict=True):
        assert float(a["lr"]) == pytest.approx(float(b["lr"]), rel=rel, abs=1e-15)
        assert a["momentum"] == pytest.approx(b["momentum"], rel=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(("name", "args", "settings"), SCHEDULES)
def test_schedule(name: str, args: tuple, settings: dict[str, Any], as_tensor: bool) -> None:
    ours = made(optim, tensor, tensor(0.5) if as_tensor else 0.5)
    theirs = made(torch.optim, torch.tensor, torch.tensor(0.5) if as_tensor else 0.5)
    schedule = getattr(optim.lr_scheduler, name)(ours, *args, **settings)
    expected = getattr(torch.optim.lr_scheduler, name)(theirs, *args, **settings)
    for t in range(40):
        assert_same_rates(ours, theirs, rel=1e-5 if as_tensor else 1e-12)
        theirs.step()
        value = ([5, 4, 4, 4, 4, 3, 3, 3, 3, 3][t % 10] * 0.99**t,) if name == "ReduceLROnPlateau" else ()
        schedule.step(*value)
        expected.step(*value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stopped", [0, 2, 4])
@pytest.mark.parametrize(("name", "args", "settings"), [s for s in SCHEDULES if s[0] != "ReduceLROnPlateau"])
def test_schedule_made_anew_where_another_stopped(name: str, args: tuple, settings: dict[str, Any], stopped: int) -> None:
    """The groups hold the rates of then, and initial_lr."""
    both = []
    for module, optimizer in ((optim, made(optim, tensor)), (torch.optim, made(torch.optim, torch.tensor))):
        make = getattr(module.lr_scheduler, name)
        schedule = make(optimizer, *args, **settings)
        for _ in range(stopped + 1):
            schedule.step()
        both.append((optimizer, make(optimizer, *args, **settings, last_epoch=stopped)))
    (ours, schedule), (theirs, expected) = both
    for _ in range(12 if name != "CosineAnnealingWarmRestarts" else 1):  # whose restarts PyTorch forgets
        assert_same_rates(ours, theirs)
        schedule.step()
        expected.step()


# Which schedules PyTorch does not treat as all others: its MultiplicativeLR goes on from the rate of the schedule before, and not of the
# start; a CyclicLR that is not the first begins from the other's rate, and goes on with its own.
APART = {"SequentialLR": ("ReduceLROnPlateau", "MultiplicativeLR"), "ChainedScheduler": ("ReduceLROnPlateau", "CyclicLR")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("together", "name", "args", "settings"),
    [(together, *schedule) for together, apart in APART.items() for schedule in SCHEDULES if schedule[0] not in apart],
)
def test_schedules_of_schedules(together: str, name: str, args: tuple, settings: dict[str, Any]) -> None:
    both = []
    for module, optimizer in ((optim, made(optim, tensor)), (torch.optim, made(torch.optim, torch.tensor))):
        make = module.lr_scheduler
        parts = [make.LinearLR(optimizer, 0.25, 1.0, 6), getattr(make, name)(optimizer, *args, **settings)]
        both.append(
            (
                optimizer,
                make.ChainedScheduler(parts) if together == "ChainedScheduler" else make.SequentialLR(optimizer, parts, [4]),
            )
        )
    (ours, schedule), (theirs, expected) = both
    for _ in range(20):
        assert_same_rates(ours, theirs)
        schedule.step()
        expected.step()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "args", "settings"), SCHEDULES)
def test_pytorchs_state_of_a_schedule_can_be_loaded(name: str, args: tuple, settings: dict[str, Any]) -> None:
    ours, theirs = made(optim, tensor), made(torch.optim, torch.tensor)
    schedule = getattr(optim.lr_scheduler, name)(ours, *args, **settings)
    expected = getattr(torch.optim.lr_scheduler, name)(theirs, *args, **settings)
    value = (3.0,) if name == "ReduceLROnPlateau" else ()
    for _ in range(4):
        expected.step(*value)
    schedule.load_state_dict(expected.state_dict())
    for a, b in zip(ours.param_groups, theirs.param_groups, strict=True):
        a.update({k: v for k, v in b.items() if k != "params"})
    for _ in range(8):
        schedule.step(*value)
        expected.step(*value)
        assert_same_rates(ours, theirs)
