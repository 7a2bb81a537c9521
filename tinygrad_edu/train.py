"""Training: `fit` is the canonical loop, with a progress bar, a history and callbacks around it.

Without these, the loop is five lines, and whoever writes their own needs no more:

    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .data import DataLoader, Dataset, IterableDataset, TensorDataset
from .errors import as_given, check_whole
from .grad_mode import no_grad
from .nn import Module
from .nn.module import keeping_mode
from .nn.utils import clip_grad_norm_
from .ops.joining import cat
from .optim import Optimizer
from .optim.lr_scheduler import ReduceLROnPlateau
from .plot import plot_history
from .serialization import save
from .tensor import Tensor

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

REFRESHES = 5  # of the progress bar, in a second

Metrics = Sequence[Callable] | dict[str, Callable]


class History(dict):
    """What training recorded: for each name ("loss", "accuracy", "val_loss" ...) a list with a number for every whole epoch.

    `stopped` says why training ended early, and is None if it did not; `seconds` is how long each epoch took.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stopped: str | None = None
        self.seconds: list[float] = []

    def add(self, values: dict[str, float]) -> None:
        """Append an epoch's numbers."""
        for name, value in values.items():
            self.setdefault(name, []).append(value)

    def plot(self, path: Any = None) -> Any:
        """Draw every curve over the epochs (needs matplotlib, extra `plot`); returns the figure, and writes it to `path`."""
        return plot_history(self, path)


class Run:
    """A training in progress, which callbacks see and may change: set `stop` to a reason, and it ends after this epoch.

    model, optimizer, epochs: as given to `fit`. epoch: whole epochs so far; batches, samples: as many of these. loss: the tensor of the
    latest batch. history: the `History` so far.
    """

    def __init__(self, model: Module, optimizer: Optimizer, epochs: int) -> None:
        self.model, self.optimizer, self.epochs = model, optimizer, epochs
        self.epoch = 0  # whole epochs so far
        self.batches = 0  # and batches, and samples
        self.samples = 0
        self.means = Means()  # of this epoch
        self.loss: Tensor | None = None  # of the latest batch
        self.history = History()
        self.stop: str | None = None

    def add(self, count: int, values: dict[str, float]) -> None:
        """Note what a batch of `count` samples gave."""
        self.batches += 1
        self.samples += count
        self.means.add(count, values)


# -- the loop ------------------------------------------------------------------------------------------------------
def fit(
    model: Module,
    data: Any,
    *,
    loss: Callable,
    optimizer: Optimizer,
    epochs: int = 1,
    validation: Any = None,
    metrics: Metrics = (),
    callbacks: Iterable[Any] = (),
    batch_size: int = 32,
    compile: bool = False,
    progress: bool = True,
    console: Console | None = None,
) -> History:
    """Train a model on batches (x, y): for every batch, one step of the optimizer down the gradient of `loss(model(x), y)`.

    The model is trained in train mode and validated in eval mode; batches are moved to its device. Ctrl-C ends training and keeps
    the model and the history of the whole epochs; so does a loss that is no longer a finite number.

    Args:
        data: a DataLoader, a dataset or a pair of tensors (x, y); the latter two are shuffled and cut into batches of `batch_size`.
        loss: a function of (prediction, target), such as an `nn` loss module.
        optimizer: made for this model's parameters. (LBFGS, which computes the loss several times a step, needs a loop of its own.)
        validation: data to evaluate after every epoch.
        metrics: functions of (prediction, target), or a dict of names and functions; see `tinygrad_edu.metrics`.
        callbacks: `Callback`s; a learning-rate schedule in this list is stepped after every epoch.
        compile: record a step once, and replay it; see `tinygrad_edu.compile`. (Without the optimizer's part of it if a callback is
            to see the gradients before that.)
        progress: show a progress bar.

    Returns:
        History: the mean loss and metrics of every epoch, by name; those of the validation as "val_loss" ...

    Raises:
        ValueError: no data, epochs that are no whole number of at least one, two metrics of one name, or an optimizer that was made for
            another model.
        TypeError: a model, a loss, a metric or an optimizer that is none: a class or a name, say; data that are no tensors.
    """
    check_whole("epochs", epochs)
    check_parts("fit", model=model, loss=loss, optimizer=optimizer)
    if not {p for group in optimizer.param_groups for p in group["params"]} & {*model.parameters()}:
        raise ValueError(
            "fit: the optimizer holds no parameter of this model, so it would train nothing: make it after the model, and anew "
            "whenever the model is made anew."
        )
    for given in (data, validation):
        if isinstance(given, Iterator):
            raise TypeError(
                f"the data is gone through in every epoch, and a {type(given).__name__} only once: give list(...) of it."
            )
    loader = as_loader(data, batch_size, shuffle=True)
    measured = named(metrics)
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks is a list, such as [EarlyStopping()], and not a {type(callbacks).__name__}: put it in brackets."
        )
    actions = [each if isinstance(each, Callback) else Schedule(each) for each in callbacks]
    run, number = Run(model, optimizer, epochs), 0.0  # the loss of the latest batch
    between = [each for each in actions if type(each).after_backward is not Callback.after_backward]

    def step(x: Any, y: Any) -> tuple[Any, Tensor]:
        optimizer.zero_grad()
        prediction = model(x)
        value = loss(prediction, y)
        value.backward()
        if not between:
            optimizer.step()
        return prediction, value

    if compile:
        from .compiler import compile as plan_of  # only where it is asked for: a tenth of this package's import time

        step = plan_of(step)
    with bar(loader, epochs, progress, console) as show, keeping_mode(model), on_ctrl_c(run):
        for action in actions:
            action.begin(run)
        while run.epoch < epochs and run.stop is None:
            started, run.means = time.perf_counter(), Means()
            model.train()
            for x, y in pairs(loader, model):
                prediction, value = step(x, y)
                run.loss = value
                if between:
                    for action in between:
                        action.after_backward(run)
                    optimizer.step()
                number = value.item()
                run.add(len(y), {"loss": number, **measure(measured, prediction, y)})
                show(run)
                if not math.isfinite(number):
                    run.stop = (
                        f"the loss became {number} in epoch {run.epoch + 1}: lower the learning rate, or see check_training"
                    )
                    break
                for action in actions:
                    action.after_batch(run)
            else:
                run.epoch += 1
                run.history.add(run.means.values())
                if validation is not None:
                    checked = evaluate(model, validation, loss=loss, metrics=metrics, batch_size=batch_size)
                    run.history.add({f"val_{name}": value for name, value in checked.items()})
                run.history.seconds.append(time.perf_counter() - started)
                show(run)
                for action in actions:
                    action.after_epoch(run)
    for action in actions:
        action.end(run)
    optimizer.zero_grad()
    run.history.stopped = run.stop
    if not math.isfinite(number):
        warnings.warn(f"fit ended early: {run.stop}.", stacklevel=2)
    return run.history


WANTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "model": ("a Module, such as nn.Linear(2, 1)", lambda x: isinstance(x, Module)),
    "loss": (
        "a function of (prediction, target), such as nn.CrossEntropyLoss()",
        lambda x: callable(x) and not isinstance(x, type),
    ),
    "optimizer": ("one made for the model, such as optim.Adam(model.parameters())", lambda x: isinstance(x, Optimizer)),
}


def check_parts(caller: str, **parts: Any) -> None:
    """Refuse a class or a name, say, where a model, a loss or an optimizer is needed."""
    for name, given in parts.items():
        wanted, is_one = WANTED[name]
        if not is_one(given):
            raise TypeError(f"{caller}: {name} is {wanted}, and not {as_given(given)}.")


def evaluate(model: Module, data: Any, *, loss: Callable, metrics: Metrics = (), batch_size: int = 256) -> dict[str, float]:
    """The mean loss and metrics over data, in eval mode and without recording; arguments as for `fit`."""
    check_parts("evaluate", model=model, loss=loss)
    means, measured = Means(), named(metrics)
    with keeping_mode(model), no_grad():
        model.eval()
        for x, y in pairs(as_loader(data, batch_size), model):
            prediction = model(x)
            means.add(len(y), {"loss": loss(prediction, y).item(), **measure(measured, prediction, y)})
    return means.values()


def predict(model: Module, x: Any, batch_size: int = 256) -> Tensor:
    """The model's outputs for samples `x` (a tensor), in eval mode and without recording."""
    check_parts("predict", model=model)
    if not isinstance(x, Tensor):
        raise TypeError(f"predict takes the samples alone, as a tensor, not a {type(x).__name__}: predict(model, data.x), say.")
    with keeping_mode(model), no_grad():
        model.eval()
        outputs = [model(*batch) for batch in on_device(as_loader((x,), batch_size), model)]
    if not outputs:
        raise ValueError(NO_DATA)
    return cat(outputs)


NO_DATA = "there is no data: the loader gave no batch. Is the dataset empty, or smaller than a batch (drop_last)?"


class Means:
    """Running means over samples, of numbers that are means of batches: the loss and metrics, by name."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, count: int, values: dict[str, float]) -> None:
        """Add a batch of `count` samples."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * count
        self.count += count

    def values(self) -> dict[str, float]:
        if not self.count:
            raise ValueError(NO_DATA)
        return {name: total / self.count for name, total in self.sums.items()}


@no_grad()
def measure(metrics: dict[str, Callable], prediction: Any, target: Any) -> dict[str, float]:
    """What each metric says of a batch."""
    return {name: float(metric(prediction, target)) for name, metric in metrics.items()}


# -- what the loop needs -------------------------------------------------------------------------------------------
def as_loader(data: Any, batch_size: int, shuffle: bool = False) -> Any:
    """A loader for what `fit` takes: anything that gives batches, a dataset, or a tuple of tensors."""
    alone = isinstance(data, Tensor | str) or (isinstance(data, list) and data and isinstance(data[0], Tensor))
    if alone or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        raise TypeError(f"the data must be a pair (x, y), a dataset or a DataLoader, not a {type(data).__name__}.")
    if isinstance(data, tuple):
        if wrong := [type(part).__name__ for part in data if not isinstance(part, Tensor)]:
            raise TypeError(
                f"the data must be tensors, such as a pair (x, y), and one is a {wrong[0]}: write tensor(...) around it."
            )
        data = TensorDataset(*data)
    if isinstance(data, Dataset) or not hasattr(data, "__iter__"):
        return DataLoader(data, batch_size=batch_size, shuffle=shuffle and not isinstance(data, IterableDataset))
    return data


def on_device(loader: Iterable[Any], model: Module) -> Iterator[Any]:
    """The loader's batches, on the device of the model's parameters."""
    parameter = next(model.parameters(), None)
    for batch in loader:
        if isinstance(batch, Mapping | Tensor):  # whose parts are names, or rows
            raise TypeError(f"a batch is a pair (x, y), and not a {type(batch).__name__}: for others write the loop yourself.")
        where = None if parameter is None else parameter.device
        yield [x.to(where) if isinstance(x, Tensor) and where is not None and x.device != where else x for x in batch]


def pairs(loader: Iterable[Any], model: Module) -> Iterator[Any]:
    """The loader's batches (x, y), on the device of the model's parameters."""
    for batch in on_device(loader, model):
        if len(batch) != 2:
            raise ValueError(
                f"a batch is a pair (x, y), and this one has {len(batch)} parts: for others write the loop yourself."
            )
        if any(isinstance(part, int | float) or (isinstance(part, Tensor) and not part.ndim) for part in batch):
            raise ValueError(
                f"a batch is a pair of tensors (x, y) with a row for each sample, and in this one there is the single number {batch[1]!r}: "
                "samples are put together to batches by a loader, DataLoader(samples, batch_size=32)."
            )
        yield batch


def named(metrics: Metrics) -> dict[str, Callable]:
    """Metrics by name; a function is called by its own."""
    if not isinstance(metrics, Collection) or not all(map(callable, metrics.values() if isinstance(metrics, dict) else metrics)):
        raise TypeError(
            f"metrics is a list of functions of (prediction, target), such as [metrics.accuracy], and not {metrics!r}."
        )
    found = metrics if isinstance(metrics, dict) else {getattr(m, "__name__", type(m).__name__): m for m in metrics}
    if len(found) < len(metrics) or "loss" in found:
        raise ValueError(
            f"each metric needs a name of its own, other than loss, and these are called {', '.join(found)}: give them as a dict."
        )
    return found


@contextmanager
def on_ctrl_c(run: Run) -> Iterator[None]:
    """End the training, not the program."""
    try:
        yield
    except KeyboardInterrupt:
        run.stop = f"interrupted in epoch {run.epoch + 1}"


@contextmanager
def bar(loader: Any, epochs: int, visible: bool, console: Console | None) -> Iterator[Callable[[Run], None]]:
    """A progress bar over all batches, in a terminal or a notebook; gives the function that brings it up to date."""
    if not visible:
        yield lambda run: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[epoch]}"),
        BarColumn(bar_width=8),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    batches = len(loader) if hasattr(loader, "__len__") else None
    started = time.perf_counter()
    progress = Progress(*columns, console=console, refresh_per_second=REFRESHES)
    task = progress.add_task("", total=batches and epochs * batches, epoch=f"1/{epochs}", text="")
    with moving_in_notebook(progress) if progress.console.is_jupyter else progress:

        def show(run: Run) -> None:
            parts = []
            for name, value in run.means.values().items():
                checked = run.history.get(f"val_{name}")
                parts.append(f"{name} {value:.3g}" + (f" (val {checked[-1]:.3g})" if checked else ""))
            speed = run.samples / (time.perf_counter() - started)
            text = "  ".join([*parts, f"{speed:,.0f}/s"])
            epoch = f"{min(run.epoch + 1, epochs)}/{epochs}"
            progress.update(task, completed=run.batches, epoch=epoch, text=text)

        yield show


@contextmanager
def moving_in_notebook(progress: Progress) -> Iterator[None]:
    """Show a bar that moves, without ipywidgets, which rich's own way needs."""
    from IPython.display import display

    shown, over = display(progress, display_id=True), threading.Event()

    def refresh() -> None:
        while not over.wait(1 / REFRESHES):
            shown.update(progress)

    thread = threading.Thread(target=refresh, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        shown.update(progress)


# -- callbacks -----------------------------------------------------------------------------------------------------
class Callback:
    """Something to do during training: override what you need. Each method gets the `Run`."""

    def __init_subclass__(cls) -> None:
        unknown = [name for name in vars(cls) if name.startswith(("on_", "before_", "after_")) and not hasattr(Callback, name)]
        if unknown:
            known = ", ".join(name for name in vars(Callback) if name[0] != "_")
            raise TypeError(f"{cls.__name__}.{unknown[0]} would never be called: the methods of a Callback are {known}.")

    def begin(self, run: Run) -> None:
        """Before the first batch."""

    def after_backward(self, run: Run) -> None:
        """When the gradients are there, before the optimizer's step."""

    def after_batch(self, run: Run) -> None:
        """After the optimizer's step."""

    def after_epoch(self, run: Run) -> None:
        """After an epoch and its validation; the history holds its numbers."""

    def end(self, run: Run) -> None:
        """At the end, also after Ctrl-C."""


class Schedule(Callback):
    """Step a learning-rate schedule after every epoch, or after every batch with `every="batch"`.

    ReduceLROnPlateau is given the number called `monitor`.
    """

    def __init__(self, scheduler: Any, every: str = "epoch", monitor: str = "val_loss") -> None:
        if every not in ("epoch", "batch"):
            raise ValueError(f'every must be "epoch" or "batch", not {every!r}.')
        if isinstance(scheduler, type | Optimizer) or not hasattr(scheduler, "step"):
            raise TypeError(f"a callback is a Callback or a learning-rate schedule, and not {as_given(scheduler)}.")
        self.scheduler, self.every, self.monitor = scheduler, every, monitor

    def after_batch(self, run: Run) -> None:
        if self.every == "batch":
            self.scheduler.step()

    def after_epoch(self, run: Run) -> None:
        if self.every == "batch":
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(_watched(run, self.monitor))
        else:
            self.scheduler.step()


class ClipGradients(Callback):
    """Shorten the gradient of all parameters together to at most `max_norm`, so that one steep place cannot throw them far.

    g ← g · min(1, max_norm / ‖g‖)
    """

    def __init__(self, max_norm: float) -> None:
        if not max_norm > 0:
            raise ValueError(f"ClipGradients: max_norm must be above 0, not {max_norm}.")
        self.max_norm = max_norm

    def after_backward(self, run: Run) -> None:
        clip_grad_norm_(run.model.parameters(), self.max_norm)


class _Best(Callback):
    """Whether the number called `monitor` is the best so far: the smallest, or with `mode="max"` the largest."""

    def __init__(self, monitor: str = "val_loss", mode: str = "min") -> None:
        if mode not in ("min", "max"):
            raise ValueError(f'mode must be "min" or "max", not {mode!r}.')
        self.monitor, self.sign = monitor, 1 if mode == "min" else -1

    def begin(self, run: Run) -> None:
        self.best, self.best_epoch = math.inf, 0

    def improved(self, run: Run, by: float = 0.0) -> bool:
        value = self.sign * _watched(run, self.monitor)
        if value < self.best - by:
            self.best, self.best_epoch = value, run.epoch
            return True
        return False


class EarlyStopping(_Best):
    """Stop when a number has not become better by more than `min_delta` for `patience` epochs."""

    def __init__(self, monitor: str = "val_loss", patience: int = 5, min_delta: float = 0.0, mode: str = "min") -> None:
        super().__init__(monitor, mode)
        self.patience, self.min_delta = patience, min_delta

    def after_epoch(self, run: Run) -> None:
        if not self.improved(run, self.min_delta) and run.epoch - self.best_epoch >= self.patience:
            run.stop = f"{self.monitor} was best in epoch {self.best_epoch} and not better in the {self.patience} after it"


class BestWeights(_Best):
    """Remember the weights of the best epoch, put them back at the end, and keep them in a file too if a `path` is given."""

    def __init__(self, monitor: str = "val_loss", mode: str = "min", path: Any = None) -> None:
        super().__init__(monitor, mode)
        self.path = path

    def begin(self, run: Run) -> None:
        super().begin(run)
        self.state: dict[str, Tensor] | None = None

    def after_epoch(self, run: Run) -> None:
        if self.improved(run):
            self.state = {name: value.clone() for name, value in run.model.state_dict().items()}
            if self.path is not None:
                save(self.state, self.path)

    def end(self, run: Run) -> None:
        if self.state is not None:
            run.model.load_state_dict(self.state)


def _watched(run: Run, name: str) -> float:
    """The latest number of that name; KeyError says which there are."""
    if name not in run.history:
        hint = " Pass validation= to fit for the val_ numbers." if name.startswith("val_") else ""
        raise KeyError(f"there is no {name!r} in the history; it has {', '.join(run.history)}.{hint}")
    return run.history[name][-1]
