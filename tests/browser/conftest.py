"""One browser for all tests here, if there is one: playwright with an installed Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[browser]'")
    if CHROMIUM is None:
        pytest.skip("needs an installed Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a page of HTML; at the end of the test nothing may have failed on it, and nothing may have been requested."""
    opened, complaints = [], []

    def open_page(html: str, **options: Any) -> Any:
        path = tmp_path / f"page{len(opened)}.html"
        path.write_text(html, "utf-8")
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        page = context.new_page()
        opened.append(context)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in opened:
        context.close()
    assert complaints == []
