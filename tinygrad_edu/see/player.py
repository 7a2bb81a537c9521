"""The player: a backward pass as one page of HTML, to step through forwards and backwards. It needs no network.

The page holds a trace and draws, at step i, `frame(trace, i)`; nothing else decides what is seen. Its parts are player.html,
player.css and player.js beside this file.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

from ..op import registry
from ..tensor import Tensor
from .draw import draw
from .format import Trace
from .graphviz import GraphvizError
from .layout import MAX_NODES, READABLE, View, views, views_of
from .maths import maths_of
from .orders import RIGHT_CODE, Order, naive_orders
from .page import Page
from .plain import plain
from .trace import Tracer
from .zoom import openings


class Player(Page):
    """A page that plays a trace. In a notebook it shows itself.

    trace: what it plays. html: the page. orders: the same backward pass in naive orders. zooms: by node, the operation that made
    it opened into operations on single numbers. closed: why others cannot be opened.
    """

    name, shows, unit = "player", "the graph with its gradients", "step"

    def __init__(
        self, trace: Trace, pictures: list[View], orders: list[Order], zooms: dict[str, Trace], closed: dict[str, str]
    ) -> None:
        super().__init__(trace.title)
        self.trace, self.orders, self.zooms, self.closed, self._views = trace, orders, zooms, closed, pictures

    def _data(self) -> dict[str, Any]:
        names = {node.op: None for trace in (self.trace, *self.zooms.values()) for node in trace.nodes if node.op}
        return {
            "trace": plain(self.trace),
            "views": plain(self._views),
            "orders": plain(self.orders),
            "zooms": {
                node: _packed({"trace": plain(opened), "views": plain(pictures)})
                for (node, opened), pictures in zip(self.zooms.items(), views_of(self.zooms.values()), strict=True)
            },
            "closed": self.closed,
            "rightCode": RIGHT_CODE,
            "maths": {name: {**plain(maths_of(name)), "elementwise": _is_elementwise(name)} for name in names},
        }

    def still(self) -> str:
        """The graph at the last step as an SVG picture: what is left where a notebook may not run pages."""
        try:
            return draw(self.trace).svg()
        except (GraphvizError, ValueError):  # no Graphviz, or too much for one picture
            return super().still()

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

    In a notebook, `play(loss)` as the last line of a cell shows it. Nothing is changed: every `.grad` stays as it is. A card with a
    plus opens into the single numbers of its operation (key Z, and Escape to come back), as `see.zoom` does.

    Args:
        loss: a tensor that requires grad, before `backward()` or after it; or a Trace.
        path: a file to write the page to. It needs nothing beside it: a site shows it with <iframe src="loss.html">.
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
    orders: list[Order] = []
    zooms: dict[str, Trace] = {}
    closed: dict[str, str] = {}
    if isinstance(loss, Trace):
        trace, pictures = loss, views(loss, depth, max_nodes)
    elif isinstance(loss, Tensor):
        tracer = Tracer(loss, gradient, backward=True)
        trace = tracer.trace(title)
        pictures = views(trace, depth, max_nodes)  # first: it refuses what cannot be drawn
        orders = naive_orders(loss, gradient, tracer.ids, tracer.edges) if len(trace.nodes) <= READABLE else []
        zooms, closed = openings(tracer, trace)
    else:
        raise TypeError(
            f"play takes a tensor, usually a loss, or a Trace (a film has its own play()), not a {type(loss).__name__}."
        )
    if title is not None:
        trace = dataclasses.replace(trace, title=title)
    player = Player(trace, pictures, orders, zooms, closed)
    player.deliver(path, open)
    return player


def _packed(data: Any) -> str:
    """As text of about a tenth of the size: graphs of numbers repeat themselves, and most are never opened."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _is_elementwise(name: str) -> bool:
    """Whether each number of the result comes from the numbers at the same place."""
    module = registry[name].forward.__module__.rpartition(".")[2] if name in registry else ""
    return module in ("arithmetic", "elementwise", "activation") and not registry[name].joint
