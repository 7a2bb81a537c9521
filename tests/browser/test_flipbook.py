"""A Flipbook in a browser: its slider turns the pages, its button plays them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from tinygrad_edu.plot import Flipbook, new_figure


def seen(page: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(page.locator("img").screenshot())).convert("L"), float)


@pytest.fixture
def page(show: Callable[..., Any]) -> Any:
    figures = []
    for place in range(4):
        figure, ax = new_figure()
        ax.bar([place], [1], color="black")
        ax.set_xlim(-1, 4)
        figures.append(figure)
    return show("<!doctype html><meta charset=utf-8>" + Flipbook(figures)._repr_html_())


def test_each_page_shows_its_own_bar_and_no_other(page: Any) -> None:
    pictures = []
    for i in (0, 1, 2, 3, 1, 0):
        page.locator("input").fill(str(i))
        assert page.locator("output").inner_text() == str(i + 1)
        page.wait_for_function("document.querySelector('img').complete")
        pictures.append(seen(page))
    dark = [np.flatnonzero((picture < 50).mean(0) > 0.5).mean() for picture in pictures]  # where the bar is
    assert dark[0] < dark[1] < dark[2] < dark[3]
    assert np.ptp([(picture < 50).sum() for picture in pictures]) < 0.05 * (pictures[0] < 50).sum()
    assert (pictures[4] == pictures[1]).all()
    assert (pictures[5] == pictures[0]).all()


def test_the_button_plays_to_the_end_and_begins_again(page: Any) -> None:
    button, slider = page.locator("button"), page.locator("input")
    button.click()
    page.wait_for_function("document.querySelector('input').value == 3")
    page.wait_for_function("document.querySelector('button').innerText == '▶'")
    button.click()
    assert slider.input_value() == "0"
    button.click()  # stops
    page.wait_for_timeout(600)
    assert slider.input_value() == "0"
