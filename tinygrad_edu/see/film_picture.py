"""A film as pictures (extra `plot`): a moment of it, or an animation as .gif or .mp4; in the current style of matplotlib."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import check_whole
from ..plot import empty_figure

if TYPE_CHECKING:
    from .film import Film, Kept, Moment

PARTS = ("loss", "measures", "plane", "weights", "gradients", "outputs")
ROWS = 6  # layers of which there are histograms


def plot_film(film: Film, parts: Sequence[str] = (), moment: int = -1, path: Any = None) -> Any:
    """A moment of a film; see `Film.plot`."""
    count = len(film.checked().moments)
    if not -count <= moment < count:
        raise IndexError(f"there is no moment {moment}; this film has {count}, 0 to {count - 1}.")
    picture = FilmPicture(film, parts, gradients=bool(film.moments[moment].gradients))
    picture.draw(moment % count)
    if path is not None:
        picture.figure.savefig(path)
    return picture.figure


def animate_film(film: Film, path: Any, parts: Sequence[str] = (), frames: int = 60, fps: int = 10) -> Path:
    """Write a film as a GIF or MP4; see `Film.save`."""
    path = Path(path)
    if path.suffix.lower() not in (".gif", ".mp4"):
        raise ValueError(
            f"save writes .gif and .mp4, not {path.suffix or 'a file without ending'!r}; film.play(path) writes a page, film.plot(path=...) "
            "a picture and to_json() the data."
        )
    check_whole("frames", frames)
    check_whole("fps", fps)
    picture = FilmPicture(film, parts)
    last = len(film.moments) - 1
    shots = picture.shots(sorted({round(k * last / max(frames - 1, 1)) for k in range(frames)}))
    (_write_gif if path.suffix.lower() == ".gif" else _write_mp4)(path, shots, picture.figure, fps)
    return path


def _write_gif(path: Path, shots: Iterator[Any], figure: Any, fps: int) -> None:
    from PIL import Image  # comes with matplotlib

    # an octree finds a picture's colours in a tenth of the time that Pillow's usual way takes, and without dots the file is smaller
    first, *others = (
        Image.fromarray(shot).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        for shot in shots
    )
    first.save(path, save_all=True, append_images=others, duration=1000 / fps, loop=0)


def mp4_writer() -> Any:
    """What writes .mp4, or an error that says how to get ffmpeg."""
    from matplotlib.animation import FFMpegWriter

    if not FFMpegWriter.isAvailable():
        raise FileNotFoundError(
            "to write .mp4, install the program ffmpeg (https://ffmpeg.org) so that it is on PATH; .gif needs nothing."
        )
    return FFMpegWriter


def _write_mp4(path: Path, shots: Iterator[Any], figure: Any, fps: int) -> None:
    writer = mp4_writer()(fps=fps)
    screen = empty_figure(*figure.get_size_inches())
    image = screen.figimage(next(shots))
    with writer.saving(screen, str(path), dpi=figure.dpi):
        writer.grab_frame()
        for shot in shots:
            image.set_data(shot)
            writer.grab_frame()


class FilmPicture:
    """A figure for the moments of a film: on top the curves and the plane, below a row of histograms for each layer.

    What is the same at all moments is drawn at once; `draw` makes the rest anew and keeps it in `moving`.
    """

    def __init__(self, film: Film, parts: Sequence[str], gradients: bool = True) -> None:
        self.film = film.checked()
        there = {
            "measures": any(m.measures for m in film.moments),
            "plane": film.plane is not None,
            "outputs": any(m.outputs for m in film.moments),
        }
        for part in parts:
            if part not in PARTS:
                raise ValueError(f"a film has no part {part!r}; there are {', '.join(PARTS)}.")
            if not there.get(part, True):
                need = "record(samples) with points of the plane" if part == "plane" else "record(samples)"
                raise ValueError(
                    f"this film has no {part}: " + ("none were given." if part == "measures" else f"it needs {need}.")
                )
        there["gradients"] = gradients  # there are none after the last step: whoever asks for them sees that
        shown = [part for part in PARTS if (part in parts if parts else there.get(part, True))]
        self.above, self.columns = [p for p in shown if p in PARTS[:3]], [p for p in shown if p in PARTS[3:]]
        layers = [layer for layer in film.layers if layer.parameters]
        if len(layers) > ROWS:
            layers = [layers[round(k * (len(layers) - 1) / (ROWS - 1))] for k in range(ROWS)]
        self.layers = layers if self.columns else []
        rows = [self.above] * bool(self.above) + [[f"{part} {k}" for part in self.columns] for k in range(len(self.layers))]
        width, heights = math.lcm(*map(len, rows)), [2.6] * bool(self.above) + [1.0] * len(self.layers)
        self.figure = empty_figure(3.2 * max(map(len, rows)), 1.1 * sum(heights) + 0.6)
        self.axes = self.figure.subplot_mosaic([list(np.repeat(row, width // len(row))) for row in rows], height_ratios=heights)

        self.moving: list[Any] = []
        self.title = self.figure.suptitle(self.film.title)
        self.steps = np.array([m.step for m in self.film.moments])
        self.curves = {}
        if "loss" in self.axes:
            losses = {"batch": [m.loss for m in self.film.moments], "smoothed": [m.trend for m in self.film.moments]}
            self.curves["loss"] = {**losses, **self._measures(True)}
        if "measures" in self.axes:
            self.curves["measures"] = self._measures(False)
        for name, curves in self.curves.items():
            for k, values in enumerate(curves.values()):
                self.axes[name].plot(self.steps, _numbers(values), color=f"C{k}", alpha=0.3, linewidth=1)
            self.axes[name].set_xlabel("step")
        if "plane" in self.axes:
            assert self.film.plane is not None
            self.axes["plane"].set(xlim=self.film.plane.across, ylim=self.film.plane.up)
        self.histograms = {}
        for part, (k, layer) in itertools.product(self.columns, enumerate(self.layers)):
            key = layer.path if part == "outputs" else next(iter(layer.parameters))
            kept = [getattr(m, part).get(key) for m in self.film.moments]
            self.histograms[f"{part} {k}"] = kept
            ax = self.axes[f"{part} {k}"]
            ax.set_title(f"{part}: {key or layer.kind}", fontsize=8)
            ax.tick_params(labelsize=7)
            ax.locator_params(axis="x", nbins=5)
            ax.set_yticks([])
            if found := [k.histogram for k in kept if k and k.histogram]:
                ax.set_xlim(min(h.low for h in found), max(h.high for h in found))

    def draw(self, i: int) -> None:
        """Show moment i."""
        moment = self.film.moments[i]
        self.title.set_text(f"{self.film.title}: step {moment.step}")
        for artist in self.moving:
            artist.remove()
        self.moving = []
        for name, curves in self.curves.items():
            self.moving += self._curves(self.axes[name], curves, moment)
        if "plane" in self.axes:
            self.moving += self._plane(self.axes["plane"], moment)
        for name, kept in self.histograms.items():
            self.moving.append(self._histogram(self.axes[name], kept[i], f"C{PARTS[3:].index(name.split()[0])}"))

    def shots(self, moments: Iterable[int]) -> Iterator[Any]:
        """Pictures of these moments as arrays of pixels. What stays is drawn once, which takes ten times as long as the rest."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(self.figure)
        self.draw(0)
        self.title.set_animated(True)  # not a part of what stays
        canvas.draw()  # which finds the layout
        self.figure.set_layout_engine("none")
        for artist in self.moving:
            artist.set_visible(False)
        canvas.draw()
        stays = canvas.copy_from_bbox(self.figure.bbox)
        frame = self.axes["plane"].spines.values() if "plane" in self.axes else []  # half of it is below the plane's colours
        for i in moments:
            self.draw(i)
            canvas.restore_region(stays)
            for artist in sorted([self.title, *self.moving, *frame], key=lambda artist: artist.get_zorder()):
                self.figure.draw_artist(artist)
            yield np.array(canvas.buffer_rgba())

    def _measures(self, losses: bool) -> dict[str, list[Any]]:
        names = dict.fromkeys(name for m in self.film.moments for name in m.measures if name.endswith("loss") == losses)
        return {name: [m.measures.get(name) for m in self.film.moments] for name in names}

    def _curves(self, ax: Any, curves: dict[str, list[Any]], moment: Moment) -> list[Any]:
        past = self.steps <= moment.step
        lines = [ax.axvline(moment.step, color="gray", linestyle=":", linewidth=1)]
        for k, (name, values) in enumerate(curves.items()):
            width = 0.8 if name == "batch" else 1.5
            lines += ax.plot(self.steps[past], _numbers(values)[past], color=f"C{k}", label=name, linewidth=width)
        return [*lines, ax.legend(fontsize=7, loc="best")]

    def _plane(self, ax: Any, moment: Moment) -> list[Any]:
        plane = self.film.plane
        assert plane is not None
        side = round(len(moment.cells or [0]) ** 0.5)
        cells = np.array([float(c) for c in moment.cells or [0]]).reshape(side, side)
        extent = (*plane.across, *plane.up)
        edges: list[Any] = []
        ink = self.title.get_color()  # of the style
        if plane.outputs > 1:
            classes, certainty = cells // 100, np.clip((cells % 100 / 100 - 1 / plane.outputs) / (1 - 1 / plane.outputs), 0.01, 1)
            colours: dict[str, Any] = {"cmap": "tab10", "vmin": 0, "vmax": 9}
            shade = 0.08 + 0.4 * certainty
            image = ax.imshow(np.ma.masked_less(classes, 0), origin="lower", extent=extent, aspect="auto", alpha=shade, **colours)
            for k in np.unique(classes)[1:]:
                line = np.where(classes == k, certainty, -certainty)
                edges.append(ax.contour(line, [0], extent=extent, colors=ink, linewidths=0.8))
        else:
            colours = {"cmap": "coolwarm", "edgecolors": ink, "linewidths": 0.4}
            image = ax.imshow(
                np.ma.masked_invalid(cells), origin="lower", extent=extent, aspect="auto", cmap="coolwarm", alpha=0.7
            )
        return [image, *edges, ax.scatter(*np.transpose(plane.points), s=8, c=plane.labels, **colours)]

    def _histogram(self, ax: Any, kept: Kept | None, color: str) -> Any:
        if not kept or not kept.histogram:
            return ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center", color="gray", fontsize=8)
        h = kept.histogram
        ax.set_ylim(0, 1.05 * max(h.counts))
        return ax.stairs(h.counts, np.linspace(h.low, h.high, len(h.counts) + 1), fill=True, color=color)


def _numbers(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if v is None else float(v) for v in values])
