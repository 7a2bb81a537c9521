"""Pages as notebooks show them: the player and the film alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

import pytest

from tinygrad_edu.see.page import Page

from .test_film import moons
from .test_player import small

pytestmark = pytest.mark.parametrize("make", [lambda: small()[0], lambda: moons().play()], ids=["player", "film"])


def notebook(output: str, head: str = "") -> str:
    return f"<!DOCTYPE html><title>notebook</title>{head}<div>{output}</div>"


def test_the_page_plays_and_its_picture_is_hidden(show, make: Callable[[], Page]) -> None:
    page = show(notebook(make()._repr_html_()))
    page.wait_for_function("document.querySelector('iframe').contentWindow.player")
    assert not page.locator("img").is_visible()
    inside = page.frame_locator("iframe")
    inside.locator("[data-go=next]").click()
    page.keyboard.press("ArrowRight")
    assert inside.locator("#count").inner_text().startswith("3 /")


@pytest.mark.parametrize(
    ("ground", "scheme", "dark"),
    [("#111111", "light", True), ("white", "dark", False), ("transparent", "dark", True), ("transparent", "light", False)],
)
def test_it_is_dark_where_the_notebook_is(show, make: Callable[[], Page], ground: str, scheme: str, dark: bool) -> None:
    """Whatever the browser's scheme, unless the notebook has no ground of its own."""
    page = show(notebook(make()._repr_html_(), f"<style>body {{ background: {ground}; }}</style>"), color_scheme=scheme)
    page.wait_for_function("document.querySelector('iframe').contentWindow.player")
    inside = page.frame_locator("iframe").locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", inside)[:3])) < 150) == dark


# What VS Code allows the outputs of notebooks (src/vs/workbench/contrib/notebook/browser/view/renderers/backLayerWebView.ts).
VS_CODE = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src https: data:; "
    "connect-src https:; child-src https: data:;"
)


def test_in_vs_code(show, make: Callable[[], Page]) -> None:
    page = show(notebook(make()._repr_html_(), f'<meta http-equiv="Content-Security-Policy" content="{VS_CODE}">'))
    inside = page.frame_locator("iframe")
    inside.locator("[data-go=last]").click()
    assert not page.locator("img").is_visible()
    now, count = inside.locator("#count").inner_text().split(" / ")
    assert now == count


def test_in_a_frame_of_another_origin(show, make: Callable[[], Page]) -> None:
    """As in Colab: each output is a page of its own; there the picture may stay, but the page plays."""
    output = escape(notebook(make()._repr_html_()))
    page = show(notebook(f'<iframe sandbox="allow-scripts" srcdoc="{output}" width=1200 height=1500>'))
    inside = page.frame_locator("iframe").frame_locator("iframe")
    inside.locator("[data-go=next]").click()
    page.keyboard.press("ArrowRight")
    assert inside.locator("#count").inner_text().startswith("3 /")


def test_untrusted_it_is_a_picture(show, make: Callable[[], Page]) -> None:
    page = show(notebook(re.sub("<iframe.*</iframe>", "", make()._repr_html_(), flags=re.DOTALL)))
    image = page.locator("img")
    assert image.is_visible()
    assert image.evaluate("image => image.naturalWidth") > 100
