"""Films of a training: what the weights, gradients, losses and outputs were, moment by moment.

    film = record(samples)
    fit(model, samples, ..., callbacks=[film])
    film.play()

The format, "tinygrad_edu.film/1", is these dataclasses as JSON (`to_json`, `from_json`), without the fields that are None.
A film stays small however long the training and however large the model: of each tensor a moment keeps all numbers up to 64 of them
and an 8x8 sample beyond, their statistics, and a histogram; and a film that has become too long drops every second moment and keeps
half as many from then on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from ..grad_mode import no_grad
from ..nn import Module
from ..nn.module import keeping_mode
from ..ops.random import fork_rng
from ..plot import animate_film, plot_film
from ..tensor import Tensor, wrap
from ..train import Callback, Run, on_device
from .page import Page
from .plain import Numbers, from_text, number, numbers_of, on_cpu, plain, to_text
from .style import short

FORMAT = "tinygrad_edu.film/1"
SAMPLES = 256  # that the model is shown at each moment
GRID = 40  # points of the plane in each direction
BINS = 24
FILTERS = 6  # of a convolution that are shown as pictures, and how many numbers these may have together
FILTERED = 160
MOMENTS = 240  # at most, and fewer of a model with many tensors: BUDGET is how many pictures of tensors a film may hold
BUDGET = 12_000


@dataclass(frozen=True)
class Histogram:
    """How many of the finite numbers lie in each of the equal parts between `low` and `high`."""

    low: float
    high: float
    counts: list[int]


@dataclass(frozen=True)
class Kept:
    """What is kept of a tensor. Of more than two dims, it is seen as a matrix: its first dim down, all others across.

    filters: of the weights of a convolution, or their gradient, the first few filters, each for the first channel.
    """

    numbers: Numbers
    histogram: Histogram | None = None  # None: no finite number
    filters: Numbers | None = None

    @staticmethod
    def of(array: Any) -> Kept:
        array = on_cpu(array)
        if array.ndim > 2:
            array = array.reshape(len(array), -1)
        finite = array[np.isfinite(array)].astype(np.float64)
        if not finite.size:
            return Kept(numbers_of(array))
        counts, edges = np.histogram(finite, BINS)
        return Kept(numbers_of(array), Histogram(float(edges[0]), float(edges[-1]), counts.tolist()))

    @staticmethod
    def of_parameter(array: Any) -> Kept:
        kept = Kept.of(array)
        size = math.prod(array.shape[2:])
        if array.ndim != 4 or not 1 < size <= FILTERED:
            return kept
        filters = array[: min(FILTERS, FILTERED // size), 0]
        return dataclasses.replace(kept, filters=numbers_of(filters, FILTERED))


@dataclass(frozen=True)
class Layer:
    """A module with parameters of its own, or one without modules inside. parameters: the shape of each, by its whole name."""

    path: str
    kind: str
    parameters: dict[str, list[int]]


@dataclass(frozen=True)
class Plane:
    """The samples, where each is a point of the plane, and the grid of points at which the model is asked.

    across, up: the first and the last of the GRID places of the grid in each direction.
    outputs: how many numbers the model gives for a point.
    """

    across: list[float]
    up: list[float]
    points: list[list[float]]
    labels: list[Any]
    outputs: int


@dataclass(frozen=True)
class Moment:
    """The training before one of its steps; weights, gradients and outputs belong together.

    step: how many steps the optimizer had made.
    epoch: how many whole epochs there had been.
    loss: of the batch whose gradient this is; None after the last step, where there are no gradients either.
    trend: the loss, smoothed: each batch counts 0.9 times as much as the one after it.
    measures: the latest other numbers: fit's metrics and validation of the last epoch, or what `keep` was given.
    weights, gradients: by the parameter's name. outputs: of the layers, for the samples, by the layer's path.
    cells: what the model says at each point of the grid, row by row from below: with several outputs 100 · the class of the largest
        + how certain it is, in percent (0 to 99, from softmax), with one output this number itself; -1 or "nan" where it is none.
    """

    step: int
    epoch: int
    trend: Any
    measures: dict[str, Any]
    weights: dict[str, Kept]
    gradients: dict[str, Kept]
    outputs: dict[str, Kept]
    loss: Any = None
    cells: list[Any] | None = None


@dataclass
class Film:
    """A recorded training: plain data, which `play`, the pictures and `save` show. `record` makes one.

    layers: in the order in which the model holds them. classes: their names, if the samples have any.
    """

    title: str
    layers: list[Layer] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    plane: Plane | None = None
    classes: list[str] = field(default_factory=list)
    format: str = FORMAT

    def to_json(self) -> str:
        """The film as one line of JSON."""
        return to_text(self)

    @staticmethod
    def from_json(text: str) -> Film:
        """The film that `to_json` wrote.

        Raises:
            ValueError: this is not a film, or one of another version.
        """
        return from_text(Film, text, "film", FORMAT)

    def play(self, path: str | Path | None = None, *, open: bool = False) -> FilmPlayer:
        """The film as a page to play forwards and backwards; in a notebook, as the last line of a cell, it shows itself.

        Args:
            path: a file to write the page to.
            open: show the page in the browser.

        Raises:
            ValueError: nothing has been recorded.
        """
        player = FilmPlayer(self.checked())
        player.deliver(path, open)
        return player

    def plot(self, *parts: str, moment: int = -1, path: Any = None) -> Any:
        """A picture of one moment (needs matplotlib, extra `plot`); returns the figure.

        Args:
            parts: any of "loss", "measures", "plane" (the decision boundary), and, as histograms for each layer, "weights",
                "gradients", "outputs"; default: all that there is at this moment (after the last step, there are no gradients).
            moment: which one, by its place in `moments`; default: the last.
            path: a file to write the picture to.

        Raises:
            ImportError: there is no matplotlib.
            ValueError: nothing has been recorded, or no such part.
        """
        return plot_film(self, parts, moment, path)

    def save(self, path: str | Path, *parts: str, frames: int = 60, fps: int = 10) -> Path:
        """Write the film as an animation, .gif or .mp4 (needs matplotlib, extra `plot`; for .mp4 also the program ffmpeg).

        Args:
            parts: what to show; see `plot`.
            frames: how many moments to show at most, evenly spread.
            fps: how many of them in a second.

        Raises:
            ImportError, FileNotFoundError: there is no matplotlib, or no ffmpeg.
            ValueError: nothing has been recorded, no such part, or another kind of file.
        """
        return animate_film(self, path, parts, frames, fps)

    def checked(self) -> Film:
        """The film, if there is anything on it."""
        if not self.moments:
            raise ValueError(
                "nothing is on this film yet: pass it to fit(callbacks=[film]), or call film.keep(model, loss) after loss.backward()."
            )
        return self

    def __repr__(self) -> str:
        if not self.moments:
            return f"<film {self.title!r}: nothing recorded yet>"
        return (
            f"<film {self.title!r}: {len(self.moments)} moments, to step {self.moments[-1].step}; "
            ".play() plays it, .save('film.gif') writes it>"
        )


class FilmPlayer(Page):
    """A page that plays a film. In a notebook it shows itself."""

    name, shows, unit = "film", "the loss during training", "moment"

    def __init__(self, film: Film) -> None:
        super().__init__(film.title)
        self.film = film

    def _data(self) -> dict[str, Any]:
        return {"film": plain(self.film), "grid": GRID}

    def still(self) -> str:
        """The smoothed loss as a curve."""
        width, height = 600, 200
        found = [(m.step, m.trend) for m in self.film.moments if not isinstance(m.trend, str)]
        if len(found) < 2:
            return super().still()
        steps, losses = zip(*found, strict=True)
        low, high = min(0, *losses), max(losses) or 1
        places = (
            f"{10 + (width - 20) * step / (steps[-1] or 1):.1f},{height - 10 - (height - 40) * (loss - low) / (high - low):.1f}"
            for step, loss in found
        )
        words = escape(f"{self.title}: loss {short(losses[0])} → {short(losses[-1])} in {steps[-1]} steps")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="14">'
            f'<text x="10" y="20" fill="#808080">{words}</text>'
            f'<polyline points="{" ".join(places)}" fill="none" stroke="#c8407a" stroke-width="2"/></svg>'
        )

    def __repr__(self) -> str:
        return (
            f"FilmPlayer({self.title!r}, {len(self.film.moments)} moments): "
            "shows itself in a notebook; .save('film.html') writes the page, .open() opens it"
        )


class Recording(Film, Callback):
    """A film in the making: a callback for `fit`, or `keep` in a loop of your own; see `record`."""

    def __init__(self, samples: Any, every: int, title: str) -> None:
        super().__init__(title)
        self.every = every
        self._batch = _chosen(samples) if samples is not None else None
        self.classes = list(getattr(samples, "class_names", []))
        self._step, self._epoch = 0, 0
        self._trend = 0.0
        self._measures: dict[str, Any] = {}

    def keep(self, model: Module, loss: Any, **measures: float) -> None:
        """Keep this moment, if it is due: call it for every batch, after `loss.backward()` and before `optimizer.step()`.

        Args:
            loss: the batch's loss, a tensor of one element or a number.
            measures: other numbers to draw curves of: accuracy=0.9.

        Raises:
            ValueError: there are no gradients; or this is another model than before.
        """
        if not isinstance(model, Module):
            raise TypeError(f"keep takes the model, a Module, and then the loss, not a {type(model).__name__}.")
        if isinstance(loss, Tensor) and loss.numel() != 1:
            raise ValueError(f"the loss must be one number, not a tensor of shape {tuple(loss.shape)}: take its mean().")
        value = float(loss.item() if isinstance(loss, Tensor) else loss)
        self._trend = 0.9 * self._trend + 0.1 * value if self._step else value
        self._measures.update({name: float(v) for name, v in measures.items()})
        if self.moments and not self.moments[-1].gradients:  # training goes on after its end
            del self.moments[-1]
        if self._step % self.every == 0:
            self._add(model, value)
        self._step += 1

    # -- as a callback of fit
    def after_backward(self, run: Run) -> None:
        self.keep(run.model, run.loss)

    def after_epoch(self, run: Run) -> None:
        self._epoch += 1
        self._measures = {name: values[-1] for name, values in run.history.items() if name != "loss"}

    def end(self, run: Run) -> None:
        if self.moments:
            self._add(run.model, None)

    # -- one moment
    def _add(self, model: Module, loss: float | None) -> None:
        layers = _layers(model)
        if self.layers and layers != self.layers:
            raise ValueError(
                "this is another model than the one that the film has recorded so far: make a new film with record()."
            )
        parameters = dict(model.named_parameters())
        gradients = {name: p.grad.array for name, p in parameters.items() if p.grad is not None} if loss is not None else {}
        if loss is not None and not gradients:
            raise ValueError(
                "no parameter has a gradient: call keep after loss.backward(), and before optimizer.step() and zero_grad()."
            )
        self.layers = layers
        outputs, cells = self._ask(model)
        self.moments.append(
            Moment(
                step=self._step,
                epoch=self._epoch,
                loss=number(loss),
                trend=number(self._trend),
                measures={name: number(float(v)) for name, v in self._measures.items()},
                weights={name: Kept.of_parameter(p.array) for name, p in parameters.items()},
                gradients={name: Kept.of_parameter(g) for name, g in gradients.items()},
                outputs={path: Kept.of(array) for path, array in outputs.items()},
                cells=cells,
            )
        )
        most = max(16, min(MOMENTS, BUDGET // (2 * len(parameters) + len(outputs) or 1)))
        if loss is not None and len(self.moments) > most:
            self.moments = self.moments[::2]
            self.every *= 2

    def _ask(self, model: Module) -> tuple[dict[str, Any], list[Any] | None]:
        """What each layer gives for the samples, and the model for the points of the plane; leaves the model as it is."""
        if self._batch is None:
            return {}, None
        found: dict[str, Any] = {}

        def keep(path: str) -> Callable:
            def hook(module: Module, args: Any, output: Any) -> None:
                first = output[0] if isinstance(output, tuple) else output
                if isinstance(first, Tensor) and first.dtype.kind == "f":
                    found[path] = first.array

            return hook

        with keeping_mode(model), no_grad(), fork_rng():
            model.eval()
            (x, y), *_ = on_device([self._batch], model)
            hooks = [model.get_submodule(layer.path).register_forward_hook(keep(layer.path)) for layer in self.layers]
            try:
                model(x)
            finally:
                for hook in hooks:
                    hook.remove()
            if x.ndim != 2 or x.shape[1] != 2:
                return found, None
            if self.plane is None:
                self.plane = _plane(x, y)
            across, up = (np.linspace(low, high, GRID) for low, high in (self.plane.across, self.plane.up))
            grid = wrap(np.stack(np.meshgrid(across, up), -1).reshape(-1, 2).astype(x.dtype.name)).to(x.device)
            said = on_cpu(model(grid).array).astype(np.float64).reshape(GRID * GRID, -1)
        self.plane = dataclasses.replace(self.plane, outputs=said.shape[1])
        return found, _cells(said)


def record(samples: Any = None, *, every: int = 1, title: str = "Training") -> Recording:
    """Record a training as a film: give it to `fit` as a callback, or call its `keep` in a loop of your own. Then play it.

    Each moment keeps the loss and, of every parameter, its values and its gradient; with `samples` also what every layer gives for them,
    in eval mode, and, where they are points of the plane, what the model says all around them. All numbers are those before the
    optimizer's step; `fit` adds the moment after the last one. Training goes exactly as it would go unrecorded. Memory is
    bounded: a large tensor is kept as its statistics, a histogram and an 8x8 sample, and at most 240 moments are kept.
    (In fit, callbacks before this one in the list have changed the gradients already, those after it have not.)

    Args:
        samples: what to show to the model: a pair of tensors (x, y), or a data set; 256 of it are used, evenly spread.
        every: keep every so many batches; when the film is full, every second moment goes and this doubles.
        title: what pictures are headed with.

    Raises:
        ValueError: `every` is less than 1, or there are no samples.
        TypeError: the samples are no pair of tensors and no data set.

    >>> from tinygrad_edu import nn, optim, data, manual_seed
    >>> from tinygrad_edu.train import fit
    >>> _ = manual_seed(0)
    >>> moons = data.moons()
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> film = record(moons, every=5, title="Moons")
    >>> _ = fit(model, moons, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters()), callbacks=[film], progress=False)
    >>> [moment.step for moment in film.moments]
    [0, 5, 7]
    >>> film.moments[0].gradients["2.bias"].numbers.shape
    [2]

    The same in a loop of your own:

    >>> film = record(moons)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     loss = nn.functional.cross_entropy(model(moons.x), moons.y)
    ...     loss.backward()
    ...     film.keep(model, loss)
    ...     optimizer.step()
    >>> film
    <film 'Training': 3 moments, to step 2; .play() plays it, .save('film.gif') writes it>
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ValueError(f"every must be a whole number of batches, at least 1, not {every!r}.")
    return Recording(samples, every, title)


def _chosen(samples: Any) -> list[Any]:
    """A batch of at most SAMPLES samples, always the same."""
    if isinstance(samples, tuple) and len(samples) == 2 and all(isinstance(part, Tensor) for part in samples):
        samples = TensorDataset(*samples)
    if not isinstance(samples, Dataset) or isinstance(samples, IterableDataset):
        raise TypeError(
            f"record takes samples as a pair of tensors (x, y) or as a data set with a length, not a {type(samples).__name__}."
        )
    if not len(samples):  # type: ignore[arg-type]
        raise ValueError("record was given no samples: the data set is empty.")
    n = len(samples)  # type: ignore[arg-type]
    indices = np.linspace(0, n - 1, min(n, SAMPLES)).astype(int).tolist()
    with fork_rng():
        batch = next(iter(DataLoader(Subset(samples, indices), batch_size=len(indices))))
    if len(batch) != 2:
        raise TypeError(f"a sample must be a pair (x, y); these have {len(batch)} parts.")
    return batch


def _layers(model: Module) -> list[Layer]:
    """Where there is something to see: modules with parameters of their own, and those that hold no other module."""
    layers = []
    for path, module in model.named_modules():
        own = {f"{path}.{name}" if path else name: list(p.shape) for name, p in module.named_parameters(recurse=False)}
        if own or not list(module.children()):
            layers.append(Layer(path, type(module).__name__, own))
    return layers


def _plane(x: Tensor, y: Tensor) -> Plane:
    points, labels = on_cpu(x.array).astype(np.float64), on_cpu(y.array).reshape(len(y), -1)[:, 0]
    margin = 0.1 * np.ptp(points, 0) + 1e-6
    low, high = (points.min(0) - margin).tolist(), (points.max(0) + margin).tolist()
    across, up = ([low[i], high[i]] for i in (0, 1))
    return Plane(across, up, [[float(f"{v:.5g}") for v in point] for point in points.tolist()], labels.tolist(), 0)


def _cells(said: np.ndarray) -> list[Any]:
    if said.shape[1] == 1:
        return [number(float(f"{v:.4g}")) for v in said[:, 0].tolist()]
    with np.errstate(invalid="ignore"):
        certainty = 1 / np.exp(said - said.max(1, keepdims=True)).sum(1)  # softmax of the largest
    known = np.isfinite(certainty)
    percent = np.minimum(np.where(known, certainty, 0) * 100, 99).astype(int)
    return np.where(known, 100 * said.argmax(1) + percent, -1).tolist()
