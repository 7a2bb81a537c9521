"""Pictures of a training: curves, decisions and flipbooks."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import data


def test_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tinygrad_edu.plot import plot_decision

    history = tg.History()
    for epoch in (1.0, 2.0):
        history.add({"loss": 1 / epoch, "accuracy": epoch / 4, "val_loss": 2 / epoch, "val_accuracy": epoch / 5})
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
    with pytest.raises(ValueError, match=r"class of each sample, \(samples,\), and is \(2, 1\)"):
        plot_decision(lambda x: x, x, y.unsqueeze(1))
    for wrong in (tg.tensor([0, -1]), y[:0]):
        with pytest.raises(ValueError, match=r"numbers from 0 on"):
            plot_decision(lambda x: x, x[: len(wrong)], wrong)
    for one in (lambda x: x[:, :1], lambda x: x[:, 0]):
        with pytest.raises(ValueError, match=r"a score for each class.*cat\(\[-model\(x\), model\(x\)\], 1\)"):
            plot_decision(one, x, y, steps=5)


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
