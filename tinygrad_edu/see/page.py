"""Pages: data and what plays it, as one file of HTML that needs no network and shows itself in a notebook.

Every page is page.html around the body, style and program of its own kind (player.html, player.css, player.js), with the bar of steps
(transport.html) and the style and program that all share (page.css, page.js).
"""

from __future__ import annotations

import json
import re
import tempfile
import webbrowser
from functools import cached_property
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from .style import as_image

FRAME_HEIGHT = 760  # of a page in a notebook, in pixels


class Page:
    """A page with a title; each kind has its files, its data and a still picture. html: the page.

    name: of its files. shows: what is on the still picture. unit: what one goes through.
    """

    name: str
    shows: str
    unit: str

    def __init__(self, title: str) -> None:
        self.title = title

    def _data(self) -> dict[str, Any]:
        raise NotImplementedError

    @cached_property
    def html(self) -> str:
        def read(name: str) -> str:
            return files(__package__).joinpath(name).read_text("utf-8")

        shell = read("page.html").replace("{{body}}", read(f"{self.name}.html")).replace("{{transport}}", read("transport.html"))
        parts = {
            "title": escape(self.title),
            "heading": re.sub(r"((?<=[(,])|(?<=[a-z]\.))(?=\w)", "<wbr>", escape(self.title)),  # where a long one may be broken
            "css": read("page.css") + read(f"{self.name}.css"),
            "js": read("page.js") + read(f"{self.name}.js"),
            "data": json.dumps(self._data(), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], shell)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file; returns its path."""
        path = Path(path)
        path.write_text(self.html, "utf-8")
        return path

    def open(self, path: str | Path | None = None) -> Path:
        """Write the page (to a temporary file, unless `path` is given) and show it in the browser."""
        written = self.save(path or Path(tempfile.mkdtemp(prefix="tinygrad_edu-")) / f"{self.name}.html").resolve()
        webbrowser.open(written.as_uri())
        return written

    def deliver(self, path: str | Path | None, open: bool) -> None:
        """What `play` does with a path and with open=True."""
        if open:
            self.open(path)
        elif path is not None:
            self.save(path)

    def still(self) -> str:
        """An SVG picture: what is left where a notebook may not run pages."""
        words = escape(f"{self.title}: trust this notebook, or run the cell, to play it.")
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="700" height="30"><text x="5" y="20" fill="#808080">{words}</text></svg>'

    def _repr_html_(self) -> str:
        page = (
            f'<iframe title="{escape(self.title)}, {self.unit} by {self.unit}" srcdoc="{escape(self.html)}" '
            f'style="width:100%;height:{FRAME_HEIGHT}px;border:0" allow="fullscreen"></iframe>'
        )
        return as_image(self.still(), f"{self.title}: {self.shows}") + page
