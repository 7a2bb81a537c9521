"""The player: a backward pass as one page of HTML, to step through forwards and backwards. It needs no network.

The page holds a trace and draws, at step i, `frame(trace, i)`; nothing else decides what is seen. Its parts are player.html,
player.css and player.js beside this file; this module puts them and the data together.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
import webbrowser
from functools import cached_property
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..op import registry
from ..tensor import Tensor
from .draw import draw
from .graphviz import GraphvizError
from .layout import MAX_NODES, READABLE, View, views
from .maths import maths_of
from .orders import RIGHT_CODE, Order, naive_orders
from .style import as_image
from .trace import Trace, _plain, _Tracer

FRAME_HEIGHT = 720  # of the player in a notebook, in pixels


class Player:
    """A page that plays a trace. In a notebook it shows itself.

    trace: what it plays. html: the page. orders: the same backward pass in naive orders.
    """

    def __init__(self, trace: Trace, orders: list[Order], pictures: list[View]) -> None:
        self.trace, self.orders, self._views = trace, orders, pictures

    @cached_property
    def html(self) -> str:
        parts = {name: files(__package__).joinpath(f"player.{name}").read_text("utf-8") for name in ("html", "css", "js")}
        parts["title"] = escape(self.trace.title)
        parts["data"] = json.dumps(self._data(), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], parts.pop("html"))

    def _data(self) -> dict[str, Any]:
        names = [node.op for node in self.trace.nodes if node.op]
        return {
            "trace": _plain(self.trace),
            "views": _plain(self._views),
            "orders": _plain(self.orders),
            "rightCode": RIGHT_CODE,
            "maths": {name: {**_plain(maths_of(name)), "elementwise": _is_elementwise(name)} for name in names},
        }

    def save(self, path: str | Path) -> Path:
        """Write the page to a file; returns its path."""
        path = Path(path)
        path.write_text(self.html, "utf-8")
        return path

    def open(self, path: str | Path | None = None) -> Path:
        """Write the page (to a temporary file, unless `path` is given) and show it in the browser."""
        written = self.save(path or Path(tempfile.mkdtemp(prefix="tinygrad_edu-")) / "player.html").resolve()
        webbrowser.open(written.as_uri())
        return written

    def still(self) -> str:
        """The graph at the last step as an SVG picture: what is left where a notebook may not run pages."""
        try:
            return draw(self.trace).svg()
        except (GraphvizError, ValueError):  # no Graphviz, or too much for one picture
            words = escape(f"{self.trace.title}: trust this notebook, or run the cell, to play it.")
            return f'<svg xmlns="http://www.w3.org/2000/svg" width="700" height="30"><text x="5" y="20" fill="#808080">{words}</text></svg>'

    def _repr_html_(self) -> str:
        title = escape(self.trace.title)
        page = (
            f'<iframe title="{title}, step by step" srcdoc="{escape(self.html)}" '
            f'style="width:100%;height:{FRAME_HEIGHT}px;border:0" allow="fullscreen"></iframe>'
        )
        return as_image(self.still(), f"{self.trace.title}: the graph with its gradients") + page

    def __repr__(self) -> str:
        return (
            f"Player({self.trace.title!r}, {len(self.trace.steps)} steps): "
            "shows itself in a notebook; .save('page.html') writes the page, .open() opens it"
        )


def play(
    loss: Tensor | Trace,
    path: str | Path | None = None,
    *,
    open: bool = False,
    gradient: Any = None,
    title: str | None = None,
    depth: int | None = None,
    max_nodes: int = MAX_NODES,
) -> Player:
    """Play the computation of `loss` and its backward pass, step by step, on a page of HTML.

    In a notebook, `play(loss)` as the last line of a cell shows it. Nothing is changed: every `.grad` stays as it is.

    Args:
        loss: a tensor that requires grad, before `backward()` or after it; or a Trace.
        path: a file to write the page to.
        open: show the page in the browser.
        gradient: the gradient to start with; 1 for a loss of one element.
        title: what the page is headed with; default: the loss as you wrote it.
        depth: how many levels of modules are drawn open; default: as many as stay readable. A click opens the others.
        max_nodes: how many cards one picture may have.

    Raises:
        GraphError: what `trace` refuses, or a graph too large to draw.

    >>> from tinygrad_edu import tensor
    >>> from tinygrad_edu.see import play
    >>> w = tensor([0.5, -1.0], requires_grad=True)
    >>> loss = (w * w).sum()
    >>> player = play(loss)
    >>> player.trace.title
    '(w * w).sum()'
    """
    if isinstance(loss, Trace):
        trace, orders = loss, []
    elif isinstance(loss, Tensor):
        tracer = _Tracer(loss, gradient, backward=True)
        trace = tracer.trace(title)
        orders = naive_orders(loss, gradient, tracer.ids, tracer.edges) if len(trace.nodes) <= READABLE else []
    else:
        raise TypeError(f"play takes a tensor, usually a loss, or a Trace, not a {type(loss).__name__}.")
    if title is not None:
        trace = dataclasses.replace(trace, title=title)
    player = Player(trace, orders, views(trace, depth, max_nodes))
    if open:
        player.open(path)
    elif path is not None:
        player.save(path)
    return player


def _is_elementwise(name: str) -> bool:
    """Whether each number of the result comes from the numbers at the same place."""
    module = registry[name].forward.__module__.rpartition(".")[2] if name in registry else ""
    return module in ("arithmetic", "elementwise", "activation") and not registry[name].joint
