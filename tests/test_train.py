"""fit, evaluate, metrics and callbacks: the loop does what PyTorch programs write by hand, and stops when it should."""

from __future__ import annotations

import io
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import tinygrad_edu as tg
from tinygrad_edu import Tensor, data, evaluate, fit, nn, optim, predict, tensor
from tinygrad_edu.cli import Network
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.metrics import accuracy, top_k_accuracy
from tinygrad_edu.nn.functional import cross_entropy
from tinygrad_edu.train import BestWeights, Callback, ClipGradients, EarlyStopping, Run, Schedule

QUIET = {"loss": cross_entropy, "progress": False}


def start(lr: float = 0.01, hidden: int = 8) -> tuple[Network, optim.Optimizer]:
    tg.manual_seed(0)
    model = Network([4, hidden, 3])
    model.scale_to(data.iris().x)
    return model, optim.Adam(model.parameters(), lr=lr)


# -- the loop ------------------------------------------------------------------------------------------------------
def test_fit_is_the_loop_written_by_hand() -> None:
    table = data.iris()
    model, optimizer = start()
    history = fit(model, data.DataLoader(table, 16, shuffle=True), optimizer=optimizer, epochs=3, **QUIET)
    other, optimizer = start()
    loader = data.DataLoader(table, 16, shuffle=True)
    losses = []
    for _ in range(3):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = cross_entropy(other(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        losses.append(total / len(table))
    assert history["loss"] == losses
    assert history.stopped is None
    assert len(history.seconds) == 3
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert a.tolist() == b.tolist()
        assert a.grad is None


def test_history_validation_and_metrics() -> None:
    model, optimizer = start()
    table = data.iris()
    named = {"right": accuracy, "best 2": lambda z, y: top_k_accuracy(z, y, 2)}
    history = fit(model, table, optimizer=optimizer, epochs=4, validation=(table.x, table.y), metrics=named, **QUIET)
    assert list(history) == ["loss", "right", "best 2", "val_loss", "val_right", "val_best 2"]
    assert all(len(values) == 4 for values in history.values())
    final = evaluate(model, table, loss=cross_entropy, metrics=[accuracy], batch_size=7)
    assert final["accuracy"] == pytest.approx(history["val_right"][-1])
    assert final["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-5)
    assert accuracy(predict(model, table.x, batch_size=40), table.y) == pytest.approx(final["accuracy"])


class Modes(nn.Module):
    """Notes the mode of every call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.frozen, self.seen = nn.Linear(4, 3), nn.Linear(1, 1), []
        self.frozen.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((self.training, tg.is_grad_enabled()))
        return self.linear(x)


def test_modes() -> None:
    model, table = Modes(), data.iris()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fit(model, (table.x, table.y), optimizer=optimizer, validation=table, batch_size=150, epochs=2, **QUIET)
    assert model.seen == [(True, True), (False, False)] * 2
    assert model.training
    assert not model.frozen.training
    model.eval()
    fit(model, (table.x, table.y), optimizer=optimizer, batch_size=150, **QUIET)
    assert not model.training


def test_ctrl_c_keeps_model_and_history() -> None:
    class Interrupt(Callback):
        ended = False

        def after_backward(self, run: Run) -> None:
            if run.epoch == 2 and run.batches == 25:
                raise KeyboardInterrupt

        def end(self, run: Run) -> None:
            Interrupt.ended = True

    model, optimizer = start()
    history = fit(model, data.iris(), optimizer=optimizer, epochs=9, batch_size=15, callbacks=[Interrupt()], **QUIET)
    assert len(history["loss"]) == 2
    assert history.stopped == "interrupted in epoch 3"
    assert Interrupt.ended
    assert model.training


def test_a_loss_that_is_no_number_ends_training() -> None:
    model, table = nn.Linear(4, 1), data.iris()

    def squared(z: Tensor, y: Tensor) -> Tensor:
        return ((z - y.unsqueeze(1)) ** 2).mean()

    optimizer = optim.SGD(model.parameters(), lr=1e6)
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="lower the learning rate"):
        history = fit(model, table, loss=squared, optimizer=optimizer, epochs=50, progress=False)
    assert history.stopped is not None
    assert "lower the learning rate" in history.stopped


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": nn.Linear}, "fit: model is a Module, .* not the class Linear: make one of it"),
        ({"loss": nn.CrossEntropyLoss}, "the class CrossEntropyLoss: make one of it"),
        ({"loss": "mse"}, "loss is a function .* not 'mse'"),
        ({"optimizer": optim.Adam}, "the class Adam: make one of it"),
        ({"optimizer": "adam"}, r"such as optim.Adam\(model.parameters\(\)\), and not 'adam'"),
        ({"optimizer": optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)}, "holds no parameter of this model"),
        ({"epochs": 2.5}, "a whole number, at least 1, not 2.5"),
        ({"epochs": 0}, "a whole number, at least 1, not 0"),
        ({"metrics": ["accuracy"]}, r"such as \[metrics.accuracy\], and not \['accuracy'\]"),
        ({"metrics": {"right": "accuracy"}}, "list of functions"),
        ({"metrics": accuracy}, "list of functions"),
        ({"metrics": (metric for metric in [accuracy])}, "list of functions"),
        ({"metrics": [lambda z, y: 1.0, lambda z, y: 2.0]}, "a name of its own, .* called <lambda>: give them as a dict"),
        ({"metrics": {"loss": accuracy}}, "a name of its own, other than loss"),
        ({"callbacks": EarlyStopping("loss")}, "not a EarlyStopping: put it in brackets"),
        ({"callbacks": [3]}, "a callback is a Callback or a learning-rate schedule, and not 3"),
        ({"callbacks": [EarlyStopping]}, "not the class EarlyStopping: make one of it"),
        ({"callbacks": [optim.SGD([tensor(1.0, requires_grad=True)], lr=1.0)]}, "and not SGD"),
        ({"data": (np.ones((2, 4)), tensor([0, 1]))}, r"one is a ndarray: write tensor\(\.\.\.\) around it"),
        ({"data": tg.ones(2, 4)}, r"a pair \(x, y\), a dataset or a DataLoader, not a Tensor"),
        ({"data": [tg.ones(2, 4), tensor([0, 1])]}, r"a pair \(x, y\), a dataset or a DataLoader, not a list"),
        ({"data": "mnist"}, "not a str"),
        ({"data": None}, "not a NoneType"),
        ({"data": (tg.ones(2, 4), tensor([0, 1]), tensor([0, 1]))}, "this one has 3 parts"),
        ({"data": [{"x": 1, "y": 2}]}, "and not a dict: for others write the loop yourself"),
        ({"data": [(tg.ones(4), 1)]}, r"the single number 1: .* DataLoader\(samples"),
        ({"data": [(tg.ones(4), tensor(1))]}, r"the single number tensor\(1\): .* DataLoader\(samples"),
        ({"data": data.DataLoader(tg.ones(2, 4), 2)}, "and not a Tensor: for others"),
        ({"data": iter([])}, "in every epoch, and a list_iterator only once"),
        ({"validation": zip([], strict=True)}, "a zip only once"),
    ],
)
def test_what_fit_is_given_is_looked_at_before_anything_ran(given: dict, says: str) -> None:
    model, optimizer = start()
    ran: list[int] = []
    model.register_forward_hook(lambda *args: ran.append(1))
    arguments = {"model": model, "data": data.iris(), "optimizer": optimizer, **QUIET, **given}
    with pytest.raises((TypeError, ValueError), match=says):
        fit(**arguments)
    assert not ran


@pytest.mark.parametrize("drop", [True, False])
def test_no_data(drop: bool) -> None:
    model, optimizer = start()
    loader = data.DataLoader(data.Subset(data.iris(), [0, 1] if drop else []), 16, drop_last=drop)
    with pytest.raises(ValueError, match="no data"):
        fit(model, loader, optimizer=optimizer, **QUIET)
    with pytest.raises(ValueError, match="no data"):
        predict(model, data.iris().x[:0])


@pytest.mark.parametrize("wrong", [lambda model: model, lambda model: model.parameters, lambda model: nn.Sequential(model)])
def test_an_optimizer_names_what_it_takes(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"model\.parameters\(\)"):
        optim.SGD(wrong(nn.Linear(1, 1)), lr=0.1)


def test_streams_and_lists_of_batches() -> None:
    table = data.iris()
    model, optimizer = start()
    batches = [(table.x[i : i + 50], table.y[i : i + 50]) for i in (0, 50, 100)]

    class Stream(data.IterableDataset):
        def __iter__(self) -> Any:
            return iter(table[i] for i in range(150))

    for source in (batches, Stream(), data.DataLoader(Stream(), 50)):
        assert len(fit(model, source, optimizer=optimizer, epochs=2, **QUIET)["loss"]) == 2


def test_progress_bar() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    model, optimizer = start()
    table = data.iris()
    fit(model, table, loss=cross_entropy, optimizer=optimizer, epochs=3, validation=table, metrics=[accuracy], console=console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("3/3", "loss", "(val ", "accuracy", "/s"):
        assert part in text


def test_progress_bar_of_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """It moves without ipywidgets, and a training that fails leaves it as it was."""
    display = pytest.importorskip("IPython.display")
    shown: list[str] = []

    class Handle:
        def update(self, progress: Any) -> None:
            shown.append(progress._repr_mimebundle_((), ())["text/plain"])

    monkeypatch.setattr(display, "display", lambda progress, display_id: Handle())
    monkeypatch.setattr("tinygrad_edu.train.REFRESHES", 1000)
    console = Console(force_jupyter=True)

    class Wait(Callback):
        def after_epoch(self, run: Run) -> None:
            before = len(shown)
            while len(shown) == before:
                time.sleep(0.001)

    model, optimizer = start()
    fit(model, data.iris(), loss=cross_entropy, optimizer=optimizer, epochs=3, callbacks=[Wait()], console=console)
    assert len(shown) > 3
    assert "3/3" in shown[-1]
    with pytest.raises(ShapeError):
        fit(model, (tg.ones(4, 5), tg.ones(4)), loss=cross_entropy, optimizer=optimizer, console=console)
    count = len(shown)
    time.sleep(0.01)
    assert len(shown) == count


# -- callbacks -----------------------------------------------------------------------------------------------------
def test_callbacks_are_called_in_order() -> None:
    calls = []

    class Notes(Callback):
        pass

    for name in ("begin", "after_backward", "after_batch", "after_epoch", "end"):
        setattr(Notes, name, lambda self, run, name=name: calls.append(name))
    model, optimizer = start()
    fit(model, data.iris(), optimizer=optimizer, epochs=2, batch_size=75, callbacks=[Notes()], **QUIET)
    epoch = ["after_backward", "after_batch"] * 2 + ["after_epoch"]
    assert calls == ["begin", *epoch, *epoch, "end"]


def test_early_stopping() -> None:
    model, optimizer = start(lr=0)
    stopping = EarlyStopping("loss", patience=3, min_delta=1e-4)
    history = fit(model, data.iris(), optimizer=optimizer, epochs=50, callbacks=[stopping], **QUIET)
    assert len(history["loss"]) == 4
    assert history.stopped == "loss was best in epoch 1 and not better in the 3 after it"


def test_best_weights(tmp_path: Path) -> None:
    class Spoil(Callback):
        def after_epoch(self, run: Run) -> None:
            if run.epoch >= 3:
                for p in run.model.parameters():
                    p.data = p.data * 0

    model, optimizer = start()
    table = data.iris()
    best = BestWeights("val_accuracy", mode="max", path=tmp_path / "best")
    settings = {"validation": table, "metrics": [accuracy], "callbacks": [best, Spoil()]}
    history = fit(model, table, optimizer=optimizer, epochs=6, **settings, **QUIET)
    found = evaluate(model, table, loss=cross_entropy, metrics=[accuracy])["accuracy"]
    assert found == max(history["val_accuracy"])
    saved = tg.load(tmp_path / "best")
    for name, value in model.state_dict().items():
        assert saved[name].tolist() == value.tolist()


def test_clip_gradients() -> None:
    norms = []

    class Norm(Callback):
        def after_backward(self, run: Run) -> None:
            norms.append(math.sqrt(sum((p.grad**2).sum().item() for p in run.model.parameters())))

    model, optimizer = start()
    fit(model, data.iris(), optimizer=optimizer, callbacks=[Norm(), ClipGradients(0.1), Norm()], **QUIET)
    assert max(norms[::2]) > 0.1
    for before, after in zip(norms[::2], norms[1::2], strict=True):
        assert after == pytest.approx(min(before, 0.1), rel=1e-3)


def test_schedules() -> None:
    model, optimizer = start(lr=1.0)
    table = data.iris()
    halving = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    fit(model, table, optimizer=optimizer, epochs=3, callbacks=[halving], **QUIET)
    assert optimizer.param_groups[0]["lr"] == 0.125
    fit(model, table, optimizer=optimizer, batch_size=50, callbacks=[Schedule(halving, every="batch")], **QUIET)
    assert optimizer.param_groups[0]["lr"] == 0.125 / 8
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, threshold=1e9, patience=0)
    fit(model, table, optimizer=optimizer, epochs=1, callbacks=[Schedule(plateau, monitor="loss")], **QUIET)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.125 / 80)


def test_predict_takes_samples_without_targets() -> None:
    model, _ = start()
    for unfit in (data.iris(), data.DataLoader(data.iris()), (data.iris().x, data.iris().y), data.iris().x.numpy()):
        with pytest.raises(TypeError, match=r"predict takes the samples alone, as a tensor, not a \w+: predict\(model, data.x\)"):
            predict(model, unfit)


def test_a_method_that_would_never_be_called_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"Own.on_epoch_end would never be called: .* after_backward, after_batch, after_epoch, end"
    ):

        class Own(Callback):
            def on_epoch_end(self, run: Run) -> None:
                raise NotImplementedError


def test_refused_callbacks() -> None:
    model, optimizer = start()
    with pytest.raises(KeyError, match="Pass validation="):
        fit(model, data.iris(), optimizer=optimizer, callbacks=[EarlyStopping()], **QUIET)
    with pytest.raises(ValueError, match="mode"):
        EarlyStopping(mode="best")
    with pytest.raises(ValueError, match="every"):
        Schedule(None, every="second")
    with pytest.raises(ValueError, match="max_norm must be above 0, not -1"):
        ClipGradients(-1)


# -- schedules -----------------------------------------------------------------------------------------------------
def test_a_schedule_that_steps_before_the_optimizer_warns() -> None:
    w = tg.ones(1, requires_grad=True)

    class Own(optim.SGD):
        def step(self, closure: Any = None) -> None:
            """Changes nothing, and does not say that it was called."""

    def schedule(kind: type = optim.SGD) -> Any:
        return optim.lr_scheduler.StepLR(kind([w], lr=0.1), 2)

    wrong = schedule()
    with pytest.warns(UserWarning, match=r"called before optimizer.step\(\)"):
        wrong.step()
    wrong.step()  # once is enough
    right, own = schedule(), schedule(Own)
    right.optimizer.step()
    right.step()
    own.optimizer.step()
    own.step()
    optimizer = optim.SGD([w], lr=0.1)
    several = [optim.lr_scheduler.StepLR(optimizer, 2), optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]
    optim.lr_scheduler.SequentialLR(optimizer, several, [3])  # steps them by itself
