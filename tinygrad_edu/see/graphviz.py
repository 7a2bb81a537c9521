"""Graphviz, wherever it is: DOT text in, a picture out.

The first of these that is there is used: what the environment variable GRAPHVIZ_DOT names, a `dot` on PATH (an installed
Graphviz), and `graphviz-pure`, a Graphviz that pip installs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

PURE = "graphviz-pure"
MISSING = (
    "pictures are laid out by Graphviz, and none was found. Either `pip install graphviz-pure`, or install Graphviz "
    "(https://graphviz.org/download) so that its program `dot` is on PATH; or name the program in the environment variable "
    'GRAPHVIZ_DOT. The text of the graph can be had without it: draw(loss).dot, or save("graph.dot").'
)


class GraphvizError(RuntimeError):
    """Graphviz is not there, or could not draw this."""


def program() -> str:
    """The Graphviz to run.

    Raises:
        GraphvizError: there is none.
    """
    explicit = os.environ.get("GRAPHVIZ_DOT")
    if explicit:
        found = shutil.which(explicit)
        if found is None:
            raise GraphvizError(f"the environment variable GRAPHVIZ_DOT names {explicit!r}, which is not a program.")
        return found
    scripts = sysconfig.get_path("scripts")  # an environment that is not activated is not on PATH
    found = shutil.which("dot") or shutil.which(PURE) or shutil.which(PURE, path=scripts)
    if found is None:
        raise GraphvizError(MISSING)
    return found


def render(dot: str, kind: str, dpi: int = 144) -> bytes:
    """A picture ("svg", "png" with so many pixels in an inch, "pdf") or a layout ("json", "plain") of DOT text.

    Raises:
        GraphvizError: no Graphviz, or one that cannot do this.
    """
    run = program()
    if kind == "pdf" and Path(run).stem == PURE:
        raise GraphvizError(
            "graphviz-pure cannot write PDF: install Graphviz (https://graphviz.org/download), or save the picture as svg or png."
        )
    if kind == "png" and Path(run).stem == PURE:
        dot = dot.replace("⊙", "·")  # which its font for pixels lacks
    sharp = [f"-Gdpi={dpi}"] if kind == "png" else []
    done = subprocess.run([run, f"-T{kind}", *sharp], input=dot.encode(), capture_output=True, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise GraphvizError(f"{run} could not draw this graph as {kind}: {said}")
    return done.stdout
