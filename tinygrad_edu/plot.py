"""Pictures of a training: the curves of a history, and the regions into which a model divides the plane (extra `plot`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    ax.contourf(across, up, regions, levels=np.arange(classes + 1) - 0.5, alpha=0.3, cmap="tab10", vmin=0, vmax=9)
    ax.scatter(points[:, 0], points[:, 1], c=labels, s=12, cmap="tab10", vmin=0, vmax=9)
    if path is not None:
        figure.savefig(path)
    return figure
