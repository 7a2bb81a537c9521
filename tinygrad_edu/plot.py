"""Pictures of a training (extra `plot`): curves of a history, regions into which a model divides the plane, books of figures.

All are in the current style of matplotlib: for a dark notebook, `plt.style.use("dark_background")` makes them dark.
"""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .errors import DtypeError, ShapeError, describe
from .tensor import Tensor, wrap


def empty_figure(width: float = 6, height: float = 4) -> Any:
    """A figure, or an ImportError that says how to get matplotlib.

    The figure is made without pyplot: it opens no window and needs no display. A notebook knows how to show figures from pyplot
    on; this one shows itself before.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('to draw, install matplotlib: pip install "tinygrad-edu[plot]".') from None
    figure: Any = Figure(figsize=(width, height), layout="constrained")
    figure._repr_png_ = functools.partial(_png, figure)
    return figure


def new_figure(**options: Any) -> tuple[Any, Any]:
    """A figure and its axes."""
    figure = empty_figure()
    return figure, figure.subplots(**options)


def plot_history(history: Mapping[str, Sequence[float]], path: Any = None) -> Any:
    """Curves over the epochs: losses in one picture, and everything else in a second; returns the figure."""
    losses = [name for name in history if name.endswith("loss")]
    others = [name for name in history if name not in losses]
    groups = [names for names in (losses, others) if names]
    figure, axes = new_figure(nrows=len(groups) or 1, sharex=True, squeeze=False)
    for ax, names in zip(axes[:, 0], groups, strict=False):
        for name in names:
            ax.plot(range(1, len(history[name]) + 1), history[name], "--" if name.startswith("val_") else "-", label=name)
        ax.legend()
    axes[-1, 0].set_xlabel("epoch")
    if path is not None:
        figure.savefig(path)
    return figure


def plot_decision(
    outputs: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, path: Any = None, steps: int = 200, ax: Any = None
) -> Any:
    """The class that `outputs` gives to every point of the plane, under the samples x (n, 2) with classes y; returns the figure.

    It is a figure of its own, or that of the axes `ax`, into which it is drawn. The points have the dtype of x.

    Raises:
        ShapeError: the samples are not of two numbers each, or the outputs are not a score for each class.
        DtypeError: the classes are no whole numbers. ValueError: one of them is negative, or there are no samples.
    """
    if x.ndim != 2 or x.shape[1] != 2:
        raise ShapeError(f"plot_decision draws the plane of two inputs, so x is (samples, 2), and not {describe(x)}.")
    if y.dtype.kind not in "iu":
        raise DtypeError(f"plot_decision: the classes y are whole numbers, and not {describe(y)}: write y.long().")
    if y.shape != x.shape[:1]:
        raise ShapeError(
            f"plot_decision: y holds the class of each sample, (samples,), and is {describe(y)} beside {describe(x)}."
        )
    if not y.array.size or y.array.min() < 0:
        raise ValueError(
            f"plot_decision: the classes y are numbers from 0 on, of one sample or more, and these are {y.tolist()[:10]}."
        )
    x = x if x.is_floating_point() else x.float()
    points, labels = x.numpy(force=True), y.numpy(force=True)
    margin = 0.1 * np.ptp(points, 0)
    low, high = points.min(0) - margin, points.max(0) + margin
    across, up = np.linspace(low[0], high[0], steps), np.linspace(low[1], high[1], steps)
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2).astype(points.dtype)
    scores = outputs(wrap(grid))
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ShapeError(
            f"plot_decision: the outputs are a score for each class, (points, classes), and not {describe(scores)}. Of a single one, z of "
            "shape (points, 1), that is above 0 for class 1, make two: lambda x: cat([-model(x), model(x)], 1)."
        )
    regions = scores.numpy(force=True).argmax(1).reshape(steps, steps)
    figure, ax = new_figure() if ax is None else (ax.figure, ax)
    classes = int(max(labels.max(), regions.max())) + 1
    colors = [f"C{k}" for k in range(classes)]  # matplotlib's, or the current style's, one after another
    ax.contourf(across, up, regions, levels=np.arange(classes + 1) - 0.5, alpha=0.3, colors=colors)
    ax.scatter(points[:, 0], points[:, 1], c=[colors[label] for label in labels], s=12)
    if path is not None:
        figure.savefig(path)
    return figure


class Flipbook:
    """Figures of matplotlib as the pages of a book, to leaf through with a slider (or its arrow keys) or to play in a notebook.

    Where a notebook may not run anything, as on GitHub, the first page is seen.

    Args:
        figures: figures of equal size; a generator that closes each one after its turn saves memory.
        title: what the book shows, for those who cannot see it.
    """

    def __init__(self, figures: Iterable[Any], title: str = "pictures") -> None:
        self.title = title
        pages = [_png(figure, DPI) for figure in figures]
        if not pages:
            raise ValueError("a Flipbook needs at least one figure.")
        self.first = with_palette(pages[0])
        self.pages = [with_palette(page, pages[0]) for page in pages]  # what changes

    def _repr_html_(self) -> str:
        first, *pages = (base64.b64encode(page).decode() for page in (self.first, *self.pages))
        turn = (
            "const page = this.closest('div').querySelector('img');"
            # the first page, under the changes of the others; those that let their ground through are whole
            + ("page.style.background ||= `0 / 100% 100% url(${page.src})`;" if self.first != self.pages[0] else "")
            + "page.src = 'data:image/png;base64,' + page.dataset.pages.split(' ')[this.value];"
            "this.nextElementSibling.value = +this.value + 1"
        )
        play = (
            "const slider = this.closest('div').querySelector('input'), stop = () => {"
            "clearInterval(this.timer); this.timer = 0; this.textContent = '▶' };"
            "const show = value => { slider.value = value; slider.dispatchEvent(new Event('input')) };"
            "if (this.timer) return stop();"
            "if (slider.value === slider.max) show(0);"
            "this.textContent = '❚❚';"
            f"this.timer = setInterval(() => slider.value === slider.max ? stop() : show(+slider.value + 1), {MILLISECONDS})"
        )
        return (
            f'<div><img alt="{escape(self.title)}" src="data:image/png;base64,{first}" data-pages="{" ".join(pages)}" '
            f'style="display:block;max-width:100%;zoom:{100 / DPI:.2f}">'
            f'<button type="button" aria-label="play or stop" style="width:3em" onclick="{escape(play)}">▶</button> '
            f'<label>page <input type="range" min="0" max="{len(pages) - 1}" value="0" style="width:20em;vertical-align:middle" '
            f'oninput="{escape(turn)}"> <output>1</output> of {len(pages)}</label></div>'
        )

    def __repr__(self) -> str:
        return f"Flipbook({self.title!r}, {len(self.pages)} pages): shows itself in a notebook"


DPI = 120  # of a page, which is shown at the size of 100, so that it is sharp on fine screens too
MILLISECONDS = 400  # that a page stays when a book is played


def _png(figure: Any, dpi: Any = "figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def with_palette(png: bytes, below: bytes | None = None) -> bytes:
    """The same picture with at most 127 colours: a third of the bytes, and the eye sees no difference in a plot.

    Where it is as the picture `below`, if that is given, it lets that show through: half the bytes again. One that lets its
    ground through stays as it is.
    """
    from PIL import Image  # comes with matplotlib

    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    if picture.getchannel("A").getextrema() != (255, 255):
        return png
    pixels, same = np.array(picture), None
    if below is not None and (ground := np.asarray(Image.open(io.BytesIO(below)).convert("RGBA"))).shape == pixels.shape:
        changed = (pixels != ground).any(-1)
        for axis in (0, 1):  # and a rim of two pixels around it: without, traces are left where a browser scales the pages
            changed = np.any([np.roll(changed, k, axis) for k in range(-2, 3)], axis=0)
        same = ~changed
        pixels[same] = 255  # so that the colours are chosen for the rest
    small = Image.fromarray(pixels).convert("RGB").quantize(127, dither=Image.Dither.NONE)
    clear = None
    if same is not None:
        colours = (small.getpalette() or [])[: 3 * 127]
        clear = len(colours) // 3
        small.putpalette([*colours, 255, 255, 255])
        small.paste(clear, mask=Image.fromarray(same))
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True, transparency=clear)
    return file.getvalue()
