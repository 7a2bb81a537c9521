"""Drawn graphs: their cards, arrows and frames, folding, sizes, formats, and the search for Graphviz."""

from __future__ import annotations

import base64
import importlib.metadata
import re
import stat
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import tinygrad_edu as tg
from tinygrad_edu import draw, nn
from tinygrad_edu.see import GraphvizError, group, play, trace
from tinygrad_edu.see.draw import CELL
from tinygrad_edu.see.graphviz import PURE, program

GOLDEN = Path(__file__).parent / "golden"


def arrows(drawing) -> int:
    return len(re.findall(r"^\s*\w+ -> \w+", drawing.dot, re.M))


def cards(drawing) -> int:
    return len(re.findall(r"^\s*n\d+ \[", drawing.dot, re.M))


def small():
    w = tg.tensor([[0.5, -1.0]], requires_grad=True)
    x = tg.tensor([[2.0, 3.0]])
    y = tg.tanh(w * x)
    return (y * y).sum()


def mlp():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    return model, model(tg.ones(4, 2)).sum()


def test_every_use_is_an_arrow():
    drawing = draw(small())
    assert (cards(drawing), arrows(drawing)) == (6, 6)
    assert repr(drawing) == "<drawing of (y * y).sum(): 6 cards, 6 arrows>"


def test_cards_show_names_numbers_shapes_and_source():
    text = draw(small()).dot
    for part in ("<B>w</B>", "⊙", "tanh", "1×2", "scalar", "w * x", ">0.5<", ">−1<"):
        assert part in text
    without = draw(small(), values=False).dot
    assert "below 0" not in without
    assert re.findall(r"\w+(?=&#160;<FONT[^>]*>■</FONT>&#160;below 0)", text) == ["value", "gradient"]
    assert re.findall(r"\w+(?=&#160;<FONT[^>]*>■</FONT>&#160;below 0)", draw(small(), gradients=False).dot) == ["value"]
    assert ">0.5<" not in without
    assert len(draw(small(), gradients=False).dot) < len(text)


def test_matrices_of_a_tensor_stand_apart():
    gaps = [
        draw(tg.ones(*shape, requires_grad=True).sum()).dot.count('HEIGHT="3"') for shape in ((4, 2), (2, 2, 2), (3, 1, 2, 2))
    ]
    assert gaps == [0, 2, 4]  # in values and in gradients


def test_small_gradients_are_seen():
    """A hundredth of the largest has a colour of its own, in a picture as on a page."""
    x = tg.tensor([1.0, 100.0], requires_grad=True)
    assert draw((x * x).sum()).dot.count('BGCOLOR="#ffffff"') == 0


def test_a_picture_is_well_formed_and_escaped():
    x = tg.tensor([1.0, float("nan")], requires_grad=True, name='<script>&"')
    drawing = draw((x * 2).sum())
    root = ET.fromstring(drawing.svg())
    assert root.tag.endswith("svg")
    assert '<script>&"' in "".join(root.itertext())


def test_modules_are_frames_that_fold():
    _model, loss = mlp()
    whole = draw(loss)
    assert len(re.findall("subgraph", whole.dot)) == 3  # the model and two layers; no frame around tanh alone
    folded = draw(loss, depth=0)
    assert (cards(folded), arrows(folded)) == (3, 2)
    assert "13 parameters" in folded.dot
    parts = draw(loss, depth=1)
    assert (cards(parts), arrows(parts)) == (5, 4)


def test_arrows_between_folded_boxes_go_together():
    w = tg.tensor(2.0, requires_grad=True)
    with group("a"):
        x, y = w * 1, w * 2
    with group("b"):
        z = x * y
    drawing = draw(z, depth=0)
    assert arrows(drawing) == 2
    assert drawing.dot.count("×2") == 2


def test_time_steps_fold():
    h = tg.tensor(1.0, requires_grad=True)
    for t in range(5):
        with group(f"step {t}"):
            h = (h * 2).tanh() + h
    assert cards(draw(h, depth=0)) == 6
    assert cards(draw(h)) == 16
    assert cards(draw(h, max_nodes=10)) == 6  # folds by itself to what fits


def test_a_graph_that_is_too_large_says_what_to_do():
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(200):
        y = y * 2
    with pytest.raises(ValueError, match=r"201 tensors.*at most 150.*see\.group.*max_nodes=201"):
        draw(y)
    assert cards(draw(y, max_nodes=201)) == 201
    _model, loss = mlp()
    with pytest.raises(ValueError, match="smaller depth="):
        draw(loss, depth=1, max_nodes=3)


def test_what_is_not_a_scalar_is_drawn_without_gradients():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    assert cards(draw(x * 2)) == 2


def test_a_model_without_data():
    model, _ = mlp()
    model.train()
    drawing = draw(model, (1, 2))
    assert "4×2" not in drawing.dot
    assert "1×3" in drawing.dot
    assert "draw(" not in drawing.dot  # which is what the learner wrote where it was computed
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match=r"draw\(model, \(1, 4\)\)"):
        draw(model)
    model.forward = lambda x: x.sum().item()
    with pytest.raises(ValueError, match="no tensor in what Sequential returns"):
        draw(model, (1, 2))


def test_a_trace_can_be_drawn():
    assert cards(draw(trace(small()))) == 6


def test_directions():
    assert "rankdir=TB" in draw(small(), direction="TB").dot
    with pytest.raises(ValueError, match='"LR"'):
        draw(small(), direction="left")


@pytest.mark.parametrize("picture", [draw, play])
@pytest.mark.parametrize("depth", [-1, 0.5])
def test_a_depth_that_is_none_is_refused(picture, depth):
    with pytest.raises(ValueError, match=rf"a whole number, at least 0, not {depth}"):
        picture(small(), depth=depth)


def test_what_belongs_to_a_model_is_refused_of_a_tensor(tmp_path):
    for path in ("graph.svg", tmp_path / "graph.svg"):
        with pytest.raises(ValueError, match=r"draw\(\.\.\.\)\.save\('.*graph\.svg'\)"):
            draw(small(), path)
    with pytest.raises(ValueError, match="an input belongs to a model"):
        draw(small(), input_data=tg.ones(1))


@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("dot", b"digraph")])
def test_files(tmp_path, kind, begins):
    path = draw(small()).save(tmp_path / f"graph.{kind}")
    assert path.read_bytes().startswith(begins)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf, \.dot"):
        draw(small()).save(tmp_path / "graph.jpg")


def test_notebooks_get_svg_and_pixels_of_the_same_picture():
    """A notebook that is not trusted shows no SVG."""
    bundle = draw(small())._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    points = re.search(r'viewBox="0.00 0.00 ([\d.]+) ([\d.]+)"', bundle["image/svg+xml"])
    png = base64.b64decode(bundle["image/png"])
    assert png.startswith(b"\x89PNG")
    pixels = [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)]
    assert pixels == pytest.approx([float(size) * 96 / 72 for size in points.groups()], abs=3)


def test_in_a_notebook_a_wide_picture_is_made_smaller_as_long_as_it_can_be_read():
    def width_of(n: int) -> tuple[float, float]:
        """Of a chain, in the notebook and by itself."""
        h = tg.tensor(0.5, requires_grad=True)
        for _ in range(n):
            h = tg.tanh(h)
        drawing = draw(h)
        there, itself = (re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"\s+viewBox="0.00 0.00 ([\d.]+) ([\d.]+)"', svg)
                         for svg in (drawing._repr_mimebundle_()["image/svg+xml"], drawing.svg()))  # fmt: skip
        shape = [float(there[1]) / float(there[2]), float(itself[1]) / float(itself[2])]
        assert shape[0] == pytest.approx(shape[1], rel=1e-3)
        assert there.groups()[2:] == itself.groups()[2:]
        return float(there[1]), float(itself[1])

    shown, itself = width_of(2)
    assert shown == itself < CELL
    shown, itself = width_of(6)
    assert shown == pytest.approx(CELL)
    assert itself > CELL
    shown, itself = width_of(20)
    assert shown == pytest.approx(0.6 * itself)
    assert shown > CELL


# -- Graphviz ------------------------------------------------------------------------------------------------------------
def pure() -> str:
    """The Graphviz that pip installs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        return program()


def fake(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_search(tmp_path, monkeypatch):
    monkeypatch.delenv("GRAPHVIZ_DOT", raising=False)
    fake(tmp_path / "dot", "exit 3")
    fake(tmp_path / "mine", "echo drawn")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == str(tmp_path / "dot")
    with pytest.raises(GraphvizError, match="exit code 3"):
        draw(small()).svg()
    monkeypatch.setenv("GRAPHVIZ_DOT", "mine")
    assert program() == str(tmp_path / "mine")
    monkeypatch.setenv("GRAPHVIZ_DOT", "nothing")
    with pytest.raises(GraphvizError, match="'nothing', which is not a program"):
        program()


def test_without_graphviz(monkeypatch, tmp_path):
    monkeypatch.delenv("GRAPHVIZ_DOT", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("tinygrad_edu.see.graphviz.PURE", "not there")
    with pytest.raises(GraphvizError, match=r"pip install graphviz-pure.*graphviz\.org"):
        draw(small()).save(tmp_path / "graph.svg")
    assert draw(small()).save(tmp_path / "graph.dot").read_text().startswith("digraph")
    text = draw(small())._repr_mimebundle_()["text/plain"]
    assert "graphviz-pure" in text
    assert "digraph" in text


def test_pure_graphviz_cannot_write_pdf(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHVIZ_DOT", pure())
    with pytest.raises(GraphvizError, match="cannot write PDF: install Graphviz"):
        draw(small()).save(tmp_path / "graph.pdf")


@pytest.mark.skipif(importlib.metadata.version(PURE) != "0.2.2", reason="versions lay out differently")
@pytest.mark.parametrize("name", ["small", "mlp", "folded"])
def test_golden_pictures(name, monkeypatch):
    """To accept a change: delete the file, run this twice, and look at the new picture."""
    monkeypatch.setenv("GRAPHVIZ_DOT", pure())
    _model, loss = mlp()  # it has to live: pictures ask it for the names of its parts
    drawing = {"small": lambda: draw(small()), "mlp": lambda: draw(loss), "folded": lambda: draw(loss, depth=1)}[name]()
    path = GOLDEN / f"{name}.svg"
    if not path.exists():
        drawing.save(path)
        pytest.fail(f"{path.name} was not there and is written now")
    assert drawing.svg() in path.read_text()
