"""Pictures of a training: curves of a history, regions into which a model divides the plane, and a book of figures (extra `plot`)."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .tensor import Tensor


def new_figure(**options: Any) -> tuple[Any, Any]:
    """A figure and its axes, or an ImportError that says how to get matplotlib.

    The figure is made without pyplot: it opens no window and needs no display, and a notebook shows it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('to draw, install matplotlib: pip install "tinygrad-edu[plot]".') from None
    figure = Figure(figsize=(6, 4), layout="constrained")
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


def plot_decision(outputs: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, path: Any = None, steps: int = 200) -> Any:
    """The class that `outputs` gives to every point of the plane, under the samples x (n, 2) with classes y; returns the figure."""
    points, labels = x.numpy(force=True), y.numpy(force=True)
    margin = 0.1 * np.ptp(points, 0)
    low, high = points.min(0) - margin, points.max(0) + margin
    across, up = np.linspace(low[0], high[0], steps), np.linspace(low[1], high[1], steps)
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2).astype("float32")
    regions = outputs(Tensor(grid)).numpy(force=True).argmax(1).reshape(steps, steps)
    figure, ax = new_figure()
    classes = int(max(labels.max(), regions.max())) + 1
    colors = [f"C{k}" for k in range(classes)]  # matplotlib's, or the current style's, one after another
    ax.contourf(across, up, regions, levels=np.arange(classes + 1) - 0.5, alpha=0.3, colors=colors)
    ax.scatter(points[:, 0], points[:, 1], c=[colors[label] for label in labels], s=12)
    if path is not None:
        figure.savefig(path)
    return figure


class Flipbook:
    """Figures of matplotlib as the pages of a book, to leaf through with a slider (or its arrow keys) in a notebook.

    Where a notebook may not run anything, as on GitHub, the first page is seen.

    Args:
        figures: figures of equal size; a generator that closes each one after its turn saves memory.
        title: what the book shows, for those who cannot see it.
    """

    def __init__(self, figures: Iterable[Any], title: str = "pictures") -> None:
        self.title = title
        self.pages = [_png(figure) for figure in figures]
        if not self.pages:
            raise ValueError("a Flipbook needs at least one figure.")

    def _repr_html_(self) -> str:
        pages = [base64.b64encode(page).decode() for page in self.pages]
        turn = (
            "const page = this.closest('div').querySelector('img');"
            "page.src = 'data:image/png;base64,' + page.dataset.pages.split(' ')[this.value];"
            "this.nextElementSibling.value = +this.value + 1"
        )
        return (
            f'<div><img alt="{escape(self.title)}" src="data:image/png;base64,{pages[0]}" data-pages="{" ".join(pages)}" '
            f'style="display:block;max-width:100%;zoom:{100 / DPI:.2f}">'
            f'<label>page <input type="range" min="0" max="{len(pages) - 1}" value="0" style="width:20em;vertical-align:middle" '
            f'oninput="{turn}"> <output>1</output> of {len(pages)}</label></div>'
        )

    def __repr__(self) -> str:
        return f"Flipbook({self.title!r}, {len(self.pages)} pages): shows itself in a notebook"


DPI = 120  # of a page; it is shown at the size of 100, so that it is sharp on fine screens too


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return with_palette(file.getvalue())


def with_palette(png: bytes) -> bytes:
    """The same picture with at most 128 colours: a third of the bytes, and the eye sees no difference in a plot."""
    from PIL import Image  # comes with matplotlib

    file = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
