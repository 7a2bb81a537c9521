"""Films of a training: what the weights, gradients, losses and outputs were, moment by moment. `record` (recording.py) makes them.

The format, "tinygrad_edu.film/1", is these dataclasses as JSON (`to_json`, `from_json`), without the fields that are None.
Of each tensor a moment keeps all numbers up to 64 of them and an 8x8 sample beyond, their statistics, and a histogram.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .film_picture import animate_film, plot_film
from .page import Page
from .plain import Numbers, from_text, numbers_of, on_cpu, plain, to_text
from .style import short

FORMAT = "tinygrad_edu.film/1"
GRID = 40  # points of the plane in each direction
BINS = 24
FILTERS = 6  # of a convolution that are shown as pictures, and how many numbers these may have together
FILTERED = 160


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
    trend: the loss, smoothed: 0.9 times the trend before this batch and 0.1 times its loss; at the first batch, its loss.
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
