"""Films in a real browser."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.see import Film, record
from tinygrad_edu.train import fit

PICTURE = "document.querySelector('header').outerHTML + document.querySelector('main').innerHTML"


def filmed(samples: data.Table, model: nn.Module, epochs: int = 2, **options: Any) -> Film:
    film = record(samples, **options)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    fit(model, samples, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs, metrics=[accuracy], validation=samples,
        callbacks=[film], progress=False)  # fmt: skip
    return film


@cache
def moons() -> Film:
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    return filmed(data.moons(), model, title="Two moons")


@cache
def iris() -> Film:
    tg.manual_seed(0)
    return filmed(data.iris(), nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), title="Iris")


@cache
def digits() -> Film:
    tg.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10)
    return filmed(data.digits(), nn.Sequential(*layers), epochs=1, every=8, title="Digits")


def shown(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.parametrize("make", [moons, iris, digits])
def test_back_shows_the_same_as_forward(show, make):
    film = make()
    page = show(film.play().html)
    page.keyboard.press("Home")
    seen = [page.evaluate(PICTURE)]
    for _ in film.moments[1:]:
        page.keyboard.press("ArrowRight")
        seen.append(page.evaluate(PICTURE))
    assert len(set(seen)) == len(film.moments)
    assert not any(word in picture for picture in seen for word in ("undefined", "[object", "NaN"))
    for i in range(len(film.moments) - 2, -1, -1):
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(PICTURE) == seen[i], f"moment {i}"
    for i in (3, 1, len(film.moments) - 1, 0):  # and by a jump
        page.evaluate(f"player.state.go({i})")
        assert page.evaluate(PICTURE) == seen[i], f"moment {i}"


def test_numbers_are_the_recorded_ones(show):
    film = moons()
    page = show(film.play().html)
    for i, moment in enumerate(film.moments):
        page.evaluate(f"player.state.go({i})")
        names = page.locator("#facts dt").all_inner_texts()
        facts = dict(zip(names, map(shown, page.locator("#facts dd").all_inner_texts()), strict=True))
        squares = [
            math.prod(kept.numbers.shape) * (kept.numbers.mean**2 + kept.numbers.std**2) for kept in moment.gradients.values()
        ]
        expected = {
            "whole epochs": moment.epoch,
            "loss of this batch": moment.loss,
            "smoothed": moment.trend,
            **moment.measures,
            "gradient length": math.sqrt(sum(squares)) or None,
        }
        assert facts == pytest.approx({name: v for name, v in expected.items() if v is not None}, rel=6e-3)
        assert page.locator("#losses b").first.inner_text() == ("–" if moment.loss is None else f"{moment.loss:.3g}")
        for label, kept in ((f"{name}:", kept) for name, kept in moment.weights.items()):
            told = page.locator(f"#layers svg[aria-label^='{label}']").get_attribute("aria-label")
            low, _, high = told.removeprefix(label).partition(",")[0].partition(" to ")
            assert [shown(low), shown(high)] == pytest.approx([kept.numbers.min, kept.numbers.max], rel=6e-3)


def test_the_marks_are_where_the_numbers_are(show):
    """The mark on the curve, the bars of a histogram and the boundary in the plane, from the drawing back to the numbers."""
    film = moons()
    page = show(film.play().html)
    curve = page.locator("#losses .curve.ahead").nth(1).get_attribute("d")
    points = [tuple(map(float, pair.split())) for pair in curve[1:].split("L")]
    assert len(points) == len(film.moments)
    heights, trends = np.array(points)[:, 1], np.array([m.trend for m in film.moments])
    assert np.corrcoef(heights, trends)[0, 1] == pytest.approx(-1, abs=1e-4)
    for i in (0, 7, len(film.moments) - 1):
        page.evaluate(f"player.state.go({i})")
        dot = page.locator("#losses .dot.trend")
        assert (float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))) == points[i]
        bars = page.locator("#layers svg[aria-label^='Histogram of 2.weight'] path.histogram").get_attribute("d")
        tall = [float(bar.partition("v-")[2].partition("H")[0]) for bar in bars.split("z") if bar]
        counts = np.array([c for c in film.moments[i].weights["2.weight"].histogram.counts if c])
        assert np.allclose(np.array(tall) / max(tall), counts / counts.max(), atol=0.01)
        line = page.locator("#plane .boundary").get_attribute("d")
        cells = np.array(film.moments[i].cells).reshape(40, 40) // 100
        for segment in filter(None, line.split("M")):  # on the line, both classes are near
            column, row = (float(v) / 100 * 39 for v in segment.split("L")[0].split())
            near = cells[math.floor(39 - row) : math.ceil(39 - row) + 1, math.floor(column) : math.ceil(column) + 1]
            around = cells[max(0, int(39 - row) - 1) : int(39 - row) + 3, max(0, int(column) - 1) : int(column) + 3]
            assert near.size
            assert len(set(around.flat)) == 2
    assert page.locator("#plane .sample").count() == len(film.plane.points) + 2  # and one of each class beside its name


def test_filters_are_small_pictures(show):
    """Each cell of a filter stands where its number does: as far to the right and as far down."""
    film = digits()
    page = show(film.play().html)
    paths = page.locator("#layers svg[aria-label^='0.weight'] path")
    found = {}  # place: how strong its colour is, with its sign
    for path in paths.all():
        strength = path.evaluate("path => parseInt(path.style.getPropertyValue('--t'))")
        strength *= -1 if "minus" in path.get_attribute("class") else 1
        for x, y in re.findall(r"M([\d.]+) ([\d.]+)h", path.get_attribute("d")):
            found[float(y), float(x)] = strength
    assert len(found) == 4 * 3 * 3
    rows = sorted({y for y, _ in found})
    columns = sorted({x for _, x in found})
    assert (len(rows), len(columns)) == (6, 6)  # two filters beside each other, in two lines
    seen = np.array([[found[y, x] for x in columns] for y in rows])
    kept = np.reshape(film.moments[0].weights["0.weight"].filters.data, (2, 2, 3, 3)).swapaxes(1, 2).reshape(6, 6)
    assert (np.sign(seen) == np.sign(kept))[np.abs(seen) > 0].all()
    assert np.corrcoef(seen.ravel() ** 2 * np.sign(seen.ravel()), kept.ravel())[0, 1] > 0.99
    assert "4 of 4" not in page.locator("#layers").inner_text()  # all of them


def test_keyboard_slider_and_speed(show):
    film = moons()
    page = show(film.play().html)
    count = page.locator("#count")
    page.keyboard.press("End")
    assert count.inner_text() == f"{len(film.moments)} / {len(film.moments)}"
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    first = next(i for i, moment in enumerate(film.moments) if moment.epoch == 1)
    assert count.inner_text() == f"{first + 1} / {len(film.moments)}"
    page.locator("#slider").fill("3")
    assert count.inner_text().startswith("4 /")
    page.locator("#speed").select_option("4")
    page.locator("body").click(position={"x": 640, "y": 2})
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    page.locator("[data-go=play][aria-label=Pause]").wait_for()
    page.locator("[data-go=play][aria-label=Play]").wait_for()  # it stops at the end by itself
    assert count.inner_text() == f"{len(film.moments)} / {len(film.moments)}"
    page.locator("[data-go=first]").click()
    assert count.inner_text().startswith("1 /")


def test_text_is_text(show):
    evil = "<img src=x onerror=alert(1)>"
    samples = data.moons()
    table = data.Table(samples.x, samples.y, [evil, "{{data}}"])
    film = record(table, title=f"{evil}{{{{title}}}}")
    model = nn.Linear(2, 2)
    nn.functional.cross_entropy(model(samples.x), samples.y).backward()
    film.keep(model, 1.0, **{evil: 0.5, f"{evil}loss": 2.0})
    page = show(film.play().html)
    assert page.locator("h1").inner_text() == f"{evil}{{{{title}}}}"
    assert page.locator("#plane .names li").all_inner_texts() == [evil, "{{data}}"]
    assert evil in page.locator("#facts").inner_text()
    assert page.locator("main script, main img").count() == 0


def test_a_film_of_what_went_wrong(show):
    """Infinite and missing numbers, one moment only, no samples: it is shown all the same."""
    film = record()
    model = nn.Linear(3, 1)
    model.weight.grad = tg.tensor([[math.nan, math.inf, 1.0]])
    film.keep(model, math.nan)
    page = show(film.play().html)
    assert "NaN" in page.locator("#facts").inner_text()
    assert page.locator("#layers .odd").count() == 1
    assert not page.locator("#plane").is_visible()
    assert not page.locator("#measures").is_visible()
    assert page.locator("#layers thead th").all_inner_texts() == ["LAYER", "WEIGHTS", "GRADIENTS"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(show, scheme):
    axe_module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    axe = axe_module.Axe()
    for film in (moons(), digits()):
        page = show(film.play().html, color_scheme=scheme, reduced_motion="reduce")
        for i in (0, len(film.moments) // 2, len(film.moments) - 1):
            page.evaluate(f"player.state.go({i})")
            results = axe.run(page)
            assert results.violations_count == 0, results.generate_report()


def test_small_screens_and_print(show):
    page = show(moons().play().html)
    page.set_viewport_size({"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(media="print")
    assert not page.locator(".transport").is_visible()
    assert page.locator("#plane svg").first.is_visible()
