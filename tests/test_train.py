"""fit, evaluate, metrics and callbacks: the loop does what PyTorch programs write by hand, and stops when it should."""

from __future__ import annotations

import base64
import io
import math
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import tinygrad_edu as tg
from tinygrad_edu import Tensor, data, evaluate, fit, nn, optim, predict, tensor
from tinygrad_edu.cli import Network
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.metrics import accuracy, binary_accuracy, confusion_matrix, mean_absolute_error, top_k_accuracy
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
        ({"epochs": 2.5}, "a whole number, at least 1, not 2.5"),
        ({"epochs": 0}, "a whole number, at least 1, not 0"),
        ({"metrics": ["accuracy"]}, r"such as \[metrics.accuracy\], and not \['accuracy'\]"),
        ({"metrics": {"right": "accuracy"}}, "list of functions"),
        ({"metrics": accuracy}, "list of functions"),
        ({"callbacks": EarlyStopping("loss")}, "not a EarlyStopping: put it in brackets"),
        ({"data": (np.ones((2, 4)), tensor([0, 1]))}, r"one is a ndarray: write tensor\(\.\.\.\) around it"),
    ],
)
def test_what_fit_is_given_is_looked_at_before_anything_ran(given: dict, says: str) -> None:
    model, optimizer = start()
    before = model.state_dict()["layers.0.weight"].clone()
    arguments = {"data": data.iris(), "optimizer": optimizer, **QUIET, **given}
    with pytest.raises((TypeError, ValueError), match=says):
        fit(model, **arguments)
    assert (model.state_dict()["layers.0.weight"] == before).all()


@pytest.mark.parametrize("drop", [True, False])
def test_no_data(drop: bool) -> None:
    model, optimizer = start()
    loader = data.DataLoader(data.Subset(data.iris(), [0, 1] if drop else []), 16, drop_last=drop)
    with pytest.raises(ValueError, match="no data"):
        fit(model, loader, optimizer=optimizer, **QUIET)
    with pytest.raises(ValueError, match="epochs"):
        fit(model, data.iris(), optimizer=optimizer, epochs=0, **QUIET)


@pytest.mark.parametrize("wrong", [lambda model: model, lambda model: model.parameters, lambda model: nn.Sequential(model)])
def test_an_optimizer_names_what_it_takes(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"model\.parameters\(\)"):
        optim.SGD(wrong(nn.Linear(1, 1)), lr=0.1)


def test_data_without_a_pair_is_refused() -> None:
    model, optimizer = start()
    table = data.iris()
    for without_labels in (table.x, [table.x, table.y]):
        with pytest.raises(TypeError, match=r"a pair \(x, y\)"):
            fit(model, without_labels, optimizer=optimizer, **QUIET)


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


def test_refused_callbacks() -> None:
    model, optimizer = start()
    with pytest.raises(TypeError, match="a callback is"):
        fit(model, data.iris(), optimizer=optimizer, callbacks=[3], **QUIET)
    with pytest.raises(KeyError, match="Pass validation="):
        fit(model, data.iris(), optimizer=optimizer, callbacks=[EarlyStopping()], **QUIET)
    with pytest.raises(ValueError, match="mode"):
        EarlyStopping(mode="best")
    with pytest.raises(ValueError, match="every"):
        Schedule(None, every="second")


# -- metrics -------------------------------------------------------------------------------------------------------
@given(n=st.integers(1, 20), classes=st.integers(1, 5), k=st.integers(1, 5), seed=st.integers(0, 99))
def test_accuracy_by_counting(n: int, classes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.random((n, classes)), rng.integers(classes, size=n)
    z, y = tensor(scores), tensor(labels)
    rank = [sorted(range(classes), key=lambda c: -row[c]).index(label) for row, label in zip(scores, labels, strict=True)]
    assert accuracy(z, y) == pytest.approx(sum(r == 0 for r in rank) / n)
    assert top_k_accuracy(z, y, k) == pytest.approx(sum(r < k for r in rank) / n)
    counts = np.zeros((classes, classes), int)
    for row, label in zip(scores, labels, strict=True):
        counts[label, row.argmax()] += 1
    assert confusion_matrix(z, y).tolist() == counts.tolist()


def test_metrics_of_other_shapes() -> None:
    z = tg.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert accuracy(z, tg.tensor([[0, 1]])) == 1.0
    assert binary_accuracy(tg.tensor([2.0, -1.0, 3.0]), tg.tensor([1, 0, 0])) == pytest.approx(2 / 3)
    assert binary_accuracy(tg.tensor([0.6]), tg.tensor([1.0]), threshold=0.5) == 1.0
    assert mean_absolute_error(tg.tensor([1.0, 2.0]), tg.tensor([2.0, 4.0])) == 1.5
    for metric in (accuracy, binary_accuracy, mean_absolute_error):
        with pytest.raises(ShapeError):
            metric(tg.ones(4, 1), tg.ones(4, 2))


# -- pictures ------------------------------------------------------------------------------------------------------
def test_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_edu.plot import plot_decision

    model, optimizer = start()
    table = data.iris()
    history = fit(model, table, optimizer=optimizer, epochs=2, validation=table, metrics=[accuracy], **QUIET)
    figure = history.plot(tmp_path / "curves.png")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert (tmp_path / "curves.png").stat().st_size > 1000
    moons = data.moons()
    plot_decision(lambda x: tg.stack([x[:, 0], x[:, 1]], 1), moons.x, moons.y, tmp_path / "plane.svg", steps=20)
    assert "<svg" in (tmp_path / "plane.svg").read_text()


def test_a_figure_shows_itself_in_a_notebook() -> None:
    """IPython shows matplotlib's figures only after pyplot was imported."""
    pytest.importorskip("matplotlib")
    formatters = pytest.importorskip("IPython.core.formatters")
    from tinygrad_edu.plot import new_figure

    bundle, _ = formatters.DisplayFormatter().format(new_figure()[0])
    assert bundle["image/png"].startswith(b"\x89PNG")


def test_the_regions_of_a_decision_have_their_samples_colours() -> None:
    colors = pytest.importorskip("matplotlib.colors")
    from tinygrad_edu.plot import plot_decision

    x, y = tg.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), tg.tensor([0, 1, 2])
    regions, samples = plot_decision(lambda x: x @ tg.ones(2, 3), x, y, steps=5).axes[0].collections
    expected = [colors.to_rgb(f"C{k}") for k in range(3)]
    assert [tuple(color[:3]) for color in regions.get_facecolor()] == expected
    assert [tuple(color[:3]) for color in samples.get_facecolor()] == expected


@pytest.mark.parametrize(("dtype", "asked"), [(tg.float32, tg.float32), (tg.float64, tg.float64), (tg.int64, tg.float32)])
def test_the_points_of_a_decision_have_the_samples_dtype(dtype: tg.dtype, asked: tg.dtype) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_edu.plot import plot_decision

    def outputs(points: tg.Tensor) -> tg.Tensor:
        assert points.dtype == asked
        assert points.unique().numel() > 5  # and are not rounded to those of the samples
        return points

    plot_decision(outputs, tg.tensor([[0, 0], [1, 1]], dtype=dtype), tg.tensor([0, 1]), steps=7)


def test_what_a_decision_cannot_draw_is_said() -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_edu.plot import plot_decision

    x, y = tg.tensor([[0.0, 0.0], [1.0, 1.0]]), tg.tensor([0, 1])
    with pytest.raises(ValueError, match=r"plane of two inputs, so x is \(samples, 2\), and not \(2, 4\)"):
        plot_decision(lambda x: x, tg.ones(2, 4), y)
    with pytest.raises(TypeError, match=r"whole numbers.*write y\.long\(\)"):
        plot_decision(lambda x: x, x, y.float())
    for one in (lambda x: x[:, :1], lambda x: x[:, 0]):
        with pytest.raises(ValueError, match=r"a score for each class.*cat\(\[-model\(x\), model\(x\)\], 1\)"):
            plot_decision(one, x, y, steps=5)


def test_accuracy_takes_scores() -> None:
    with pytest.raises(ValueError, match="the scores themselves, without argmax"):
        accuracy(tg.tensor([0, 1]), tg.tensor([0, 1]))


def test_decisions_side_by_side() -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_edu.plot import new_figure, plot_decision

    x, y = tg.tensor([[0.0, 0.0], [1.0, 1.0]]), tg.tensor([0, 1])
    figure, axes = new_figure(ncols=2)
    assert all(plot_decision(lambda x: x, x, y, steps=5, ax=ax) is figure for ax in axes)
    assert [len(ax.collections) for ax in axes] == [2, 2]  # regions and samples


def test_matplotlib_draws_a_table_column_by_column() -> None:
    """It looks for a first number with math.isfinite, and takes a ValueError for "this is a row"."""
    ax = pytest.importorskip("matplotlib.figure").Figure().subplots()
    table = tg.arange(6.0).reshape(3, 2)
    assert [line.get_ydata().tolist() for line in ax.plot(range(3), table)] == table.T.tolist()


def test_a_flipbook_has_a_picture_for_every_figure() -> None:
    image = pytest.importorskip("PIL.Image")
    from tinygrad_edu.plot import DPI, Flipbook, _png, new_figure, with_palette

    def bars() -> Iterator[Any]:
        for height in (0, 1, 2):
            figure, ax = new_figure()
            ax.bar([0], [height], color="black")
            ax.set_ylim(0, 2)
            yield figure

    figures = list(bars())
    book = Flipbook(figures, title="<bars>")
    html = book._repr_html_()
    found = re.search('base64,([^"]*)" data-pages="([^"]*)"', html)
    assert found
    first, *pages = (image.open(io.BytesIO(base64.b64decode(page))).convert("RGBA") for page in (found[1], *found[2].split()))
    pictures = [image.alpha_composite(first, page) for page in pages]  # over the first one, as a notebook shows them
    for figure, picture in zip(figures, pictures, strict=True):
        alone = image.open(io.BytesIO(with_palette(_png(figure, DPI)))).convert("RGBA")
        assert np.abs(np.asarray(picture, float) - np.asarray(alone)).max() < 3  # each page is its figure, in their order
    assert len(set(book.pages)) == 3
    assert max(map(len, book.pages)) < len(book.first) / 2  # for they hold only their bars
    assert 'max="2"' in html
    assert "<bars>" not in html
    with pytest.raises(ValueError, match="at least one figure"):
        Flipbook([])


def test_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tinygrad-edu\[plot\]"):
        tg.History().plot()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"loss": nn.CrossEntropyLoss}, r"the class CrossEntropyLoss: make one of it"),
        ({"loss": "mse"}, r"loss is a function .* not 'mse'"),
        ({"optimizer": optim.Adam}, r"the class Adam: make one of it"),
        ({"optimizer": "adam"}, r"such as optim.Adam\(model.parameters\(\)\), and not 'adam'"),
        ({"optimizer": optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)}, "holds no parameter of this model"),
    ],
)
def test_fit_refuses_a_wrong_loss_or_optimizer_before_anything_ran(given: dict, says: str) -> None:
    model, optimizer = start()
    ran = []
    model.register_forward_hook(lambda *args: ran.append(1))
    with pytest.raises((TypeError, ValueError), match=says):
        fit(model, data.iris(), **{"loss": cross_entropy, "optimizer": optimizer, "progress": False, **given})
    assert not ran


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
