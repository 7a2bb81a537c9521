"""Tutorials as files: `NN_name.py` is written by hand (cells after `# %%`), `NN_name.ipynb` is the same after a run.

Tags of a cell, as in `# %% tags=["cover"]`:
- "cover": its picture is the tutorial's picture in the map of the course.
- "volatile": what it prints and draws may change (a timing).
- "exercise": a learner fills it in; "check": judges that. A Markdown cell with the solution follows, folded by <details>. A
  tutorial has three exercises, and tests/tutorials/wrong/NN_name.py has wrong answers to each: `# %% 1: part of what is said`.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import math
import os
import re
import subprocess
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

from tinygrad_edu.plot import with_palette

FOLDER = Path(__file__).parents[2] / "tutorials"
NAMES = sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.py"))
SECONDS = 60  # that a processor may work for a tutorial
BYTES = 1_000_000  # that its notebook may have

# How far two runs may be apart: a printed number by one unit of its last digit, or by this part of itself; a picture's
# pixels by this on average, where black and white are 1 apart.
NUMBER = 1e-4
PIXELS = 0.005


def source(name: str) -> Any:
    """The tutorial as a notebook without outputs."""
    notebook = jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"  # nbformat's own are random
    return notebook


def run(notebook: Any) -> Any:
    """Execute a notebook in its folder, with this checkout's package, with the Graphviz that pip installs (others draw slightly
    other pictures), and with one thread for matrix products: on a busy machine two spend most of their time waiting for each other."""
    graphviz = Path(sysconfig.get_path("scripts")) / "graphviz-pure"
    settings = {"GRAPHVIZ_DOT": str(graphviz), "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "100"}
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent), **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the machinery about itself
        client = NotebookClient(notebook, record_timing=False, coalesce_streams=True, timeout=10 * SECONDS)
        client.resources = {"metadata": {"path": str(FOLDER)}}
        client.execute(env=environment, stderr=subprocess.DEVNULL)  # of the kernel itself; what cells print comes as output
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})  # without the version that happened to run it
    return notebook


def written(name: str) -> Any:
    """The notebook as it was last written."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def write(name: str, notebook: Any) -> None:
    """Write a notebook, its plots with fewer colours to make it small, and its picture for the map."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = base64.b64encode(with_palette(base64.b64decode(output.data["image/png"]))).decode()
    nbformat.write(notebook, FOLDER / f"{name}.ipynb")
    path, picture = cover(name, notebook)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(picture)


def cover(name: str, notebook: Any) -> tuple[Path, bytes]:
    """Where the map shows a tutorial's picture, and that picture."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []) if "cover" in cell.metadata.get("tags", []) else []:
            data = output.get("data", {})
            if "image/svg+xml" in data:
                return FOLDER / "pictures" / f"{name}.svg", data["image/svg+xml"].encode()
            if "image/png" in data:
                return FOLDER / "pictures" / f"{name}.png", base64.b64decode(data["image/png"])
    raise ValueError(f'{name}.py: no cell with a picture is tagged: # %% tags=["cover"]')


# -- comparing -----------------------------------------------------------------------------------------------------
def differences(name: str, new: Any) -> Iterator[str]:
    """What is not as it was when the notebook was last written, one line for each."""
    if not (FOLDER / f"{name}.ipynb").is_file():
        yield "there is no notebook yet"
        return
    old = written(name)
    if (FOLDER / f"{name}.ipynb").stat().st_size > BYTES:
        yield f"the notebook is larger than {BYTES} bytes"
    if len(old.cells) != len(new.cells):
        yield f"{len(new.cells)} cells, the notebook has {len(old.cells)}"
        return
    for i, (was, now) in enumerate(zip(old.cells, new.cells, strict=True)):
        if (was.cell_type, was.source, was.metadata) != (now.cell_type, now.source, now.metadata):
            yield f"cell {i} has another source than in the notebook"
        elif "volatile" not in now.metadata.get("tags", []):
            yield from (f"cell {i}: {what}" for what in output_differences(was.get("outputs", []), now.get("outputs", [])))
    path, picture = cover(name, old)
    if not path.is_file() or path.read_bytes() != picture:
        yield f"pictures/{path.name} is not the picture in the notebook"


def output_differences(was: list[Any], now: list[Any]) -> Iterator[str]:
    """How the outputs of two runs of a cell differ."""
    old, new = [list(map(_shown, outputs)) for outputs in (was, now)]
    kinds = [[sorted(shown) for shown in outputs] for outputs in (old, new)]
    if kinds[0] != kinds[1]:
        yield f"the kinds of outputs were {kinds[0]}, now {kinds[1]}"
        return
    for before, after in zip(old, new, strict=True):
        for kind in after:
            if kind.startswith("image ") or kind == "image/png":
                apart = pixels_apart(before[kind], after[kind])
                if apart > PIXELS:
                    yield f"the picture is another one: its pixels are {apart:.2g} apart on average"
            elif (found := text_difference(before[kind], after[kind])) is not None:
                yield f"{kind} was {found[0]!r}, now {found[1]!r}"


def _shown(output: Any) -> dict[str, str]:
    """What an output shows, by kind."""
    if output.output_type == "stream":
        return {output.name: output.text}
    if output.output_type == "error":
        return {"error": f"{output.ename}: {output.evalue}"}
    book = re.search(r'src="data:image/png;base64,([^"]*)" data-pages="([^"]*)"', output.data.get("text/html", ""))
    if book:
        return {f"image {i}": _laid_over(book[1], page) for i, page in enumerate(book[2].split(), start=1)}
    return {kind: _without_program(text) if kind == "text/html" else text for kind, text in output.data.items()}


def _laid_over(first: str, page: str) -> str:
    """A page of a Flipbook as one sees it: it holds only what has changed since the first."""
    ground, changes = (Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA") for png in (first, page))
    if ground.size == changes.size:
        changes = Image.alpha_composite(ground, changes)
    file = io.BytesIO()
    changes.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _without_program(page: str) -> str:
    """Of a player only what it shows, unpacked: its program may be newer than the notebook."""
    found = re.search(r'<script [^>]*id="data"[^>]*>(.*?)</script>', html.unescape(page), re.DOTALL)
    return _PACKED.sub(lambda part: gzip.decompress(base64.b64decode(part[0])).decode(), found[1]) if found else page


_PACKED = re.compile(r"H4sI[A-Za-z0-9+/]{20,}=*")  # so begins what is packed by gzip
_NUMBER = re.compile(r"-?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)")


def text_difference(was: str, now: str) -> tuple[str, str] | None:
    """The first line in which two texts differ, or None; numbers with a decimal point may differ a little."""
    for before, after in zip(was.splitlines(), now.splitlines(), strict=False):
        old, new = _NUMBER.findall(before), _NUMBER.findall(after)
        if _NUMBER.split(before) != _NUMBER.split(after) or not all(map(_close, old, new)):
            at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
            return before[max(0, at - 40) :][:120], after[max(0, at - 40) :][:120]
    more = was.count("\n") - now.count("\n")
    return None if more == 0 else (f"{was.count(chr(10))} lines", f"{now.count(chr(10))} lines")


def _close(was: str, now: str) -> bool:
    decimals = len(now.lower().partition("e")[0].partition(".")[2])
    return math.isclose(float(was), float(now), rel_tol=NUMBER, abs_tol=max(1.01 * 10**-decimals, 1e-7) if decimals < 8 else 1e-6)


def pixels_apart(was: str, now: str) -> float:
    """The mean difference of two pictures, on a ground on which both black and white are seen; 1 where their sizes differ."""
    old, new = (_pixels(base64.b64decode(picture)) for picture in (was, now))
    return float(np.abs(old - new).mean()) if old.shape == new.shape else 1.0


def _pixels(png: bytes) -> np.ndarray:
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), dtype=float) / 255
    colour, alpha = picture[..., :3], picture[..., 3:]
    return colour * alpha + 0.5 * (1 - alpha)
