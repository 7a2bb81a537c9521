"""The player's page, its layout and the naive orders, without a browser."""

from __future__ import annotations

import json
import re
import sys
import time

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.errors import GraphError
from tinygrad_edu.see import GraphvizError, Trace, group, layout, play, trace
from tinygrad_edu.see.graphviz import render
from tinygrad_edu.see.layout import HEIGHT, WIDTH, views, views_of
from tinygrad_edu.see.orders import MOST_STEPS, Order, naive_orders
from tinygrad_edu.see.trace import Tracer


def shared_tensor():
    """h is used three times, and one of the ways from it to the loss is longer than the others."""
    w = tg.tensor(0.5, requires_grad=True, name="w")
    h = tg.tanh(w * 2)
    return h * h + tg.exp(tg.sin(h))


def chain(n: int):
    h = tg.tensor(0.5, requires_grad=True, name="w")
    for _ in range(n):
        h = h * h + 0.1
    return h


def model_loss():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    loss = (model(tg.randn(5, 3)) ** 2).mean()
    return model, loss


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


# -- the page ----------------------------------------------------------------------------------------------------------
def test_the_page_holds_the_trace():
    loss = shared_tensor()
    player = play(loss)
    data = data_of(player.html)
    assert data["trace"] == json.loads(player.trace.to_json())
    assert set(data["maths"]) == {"mul", "tanh", "sin", "exp", "add"}
    assert [order["name"] for order in data["orders"]] == ["recursive", "breadth first"]


def test_it_is_self_contained():
    html = play(shared_tensor()).html
    assert "default-src 'none'" in html
    assert not re.findall(
        r"""(?:src|href)\s*=\s*["'](?!data:)|url\((?!#)|@import|fetch\(|XMLHttpRequest""", html.replace("url(#tip", "")
    )
    assert "{{" not in html


def test_names_are_text():
    evil = "</script><script>alert(1)</script>{{js}}"
    w = tg.tensor(2.0, requires_grad=True, name=evil)
    player = play(w * w, title="<b>{{data}}</b>")
    html = player.html
    assert html.count("</script>") == 2
    assert "<title>&lt;b&gt;{{data}}&lt;/b&gt;</title>" in html
    assert data_of(html)["trace"]["nodes"][0]["name"] == evil
    assert "<script>" not in player.still()


def test_nothing_is_changed():
    loss = shared_tensor()
    leaf = trace(loss).nodes[0]
    play(loss)
    loss.backward()
    assert play(loss).trace.nodes[0] == leaf


def test_save_and_open(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    loss = shared_tensor()
    path = tmp_path / "page.html"
    player = play(loss, path)
    assert path.read_text("utf-8") == player.html
    assert not opened
    play(loss, path, open=True)
    assert opened == [path.as_uri()]
    written = player.open()
    assert opened[1] == written.as_uri()
    assert written.exists()


def test_the_method_and_a_trace_from_a_file():
    loss = shared_tensor()
    assert loss.play(title="mine").trace.title == "mine"
    again = Trace.from_json(trace(loss).to_json())
    assert data_of(play(again).html)["orders"] == []


def test_a_gradient_to_start_with():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    player = play(x * x, gradient=tg.tensor([1.0, 0.0]))
    seed = next(step for step in player.trace.steps if step.kind == "seed")
    assert player.trace.tensors[seed.after].data == [1.0, 0.0]


def test_refusals():
    with pytest.raises(TypeError, match="play takes a tensor"):
        play(3.0)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="does not require grad"):
        play(tg.tensor(1.0))


def test_notebook(monkeypatch):
    player = play(shared_tensor())
    html = player._repr_html_()
    assert html.index("<img") < html.index("<iframe")
    assert 'src="data:image/svg+xml;base64,' in html
    assert "srcdoc=" in html

    def missing(*args):
        raise GraphvizError("none")

    monkeypatch.setattr(sys.modules["tinygrad_edu.see.draw"], "render", missing)
    assert "trust this notebook" in player.still()


# -- opened cards ------------------------------------------------------------------------------------------------------
def test_what_opens_and_what_stays_closed():
    x = tg.randn(2, 3, requires_grad=True)
    a = (x @ tg.randn(3, 2)).tanh()
    b = tg.sort(a.T, dim=0).values
    loss = b.sum() * tg.ones(9, 9)
    player = play(loss, gradient=tg.ones(9, 9))
    ops = {player.trace.node(id).op: player.closed.get(id, "opens") for id in {**player.zooms, **player.closed}}
    assert [ops[name] for name in ("matmul", "tanh", "sum")] == ["opens"] * 3
    assert ops["permute"].startswith("permute only passes numbers on")
    assert "up to 64 elements" in ops["mul"]


def test_an_opened_card_begins_with_the_gradient_that_arrived():
    x = tg.tensor([[1.0, -2.0]], requires_grad=True)
    y = x @ tg.tensor([[3.0], [4.0]])
    loss = (y * y * 5.0).sum()
    player = play(loss)
    id = next(node.id for node in player.trace.nodes if node.op == "matmul")
    inside = player.zooms[id]
    (seed,) = [step for step in inside.steps if step.kind == "seed"]
    assert inside.tensors[seed.after].data == [2 * -5.0 * 5.0]
    gradients = {inside.node(id).name: inside.tensors[ref].data for id, ref in inside.steps[-1].gradients.items()}
    assert gradients == {"x[0, 0]": [-150.0], "x[0, 1]": [-200.0]}


def test_a_page_has_room_for_so_many_numbers():
    h = tg.randn(4, 4, requires_grad=True)
    for _ in range(40):
        h = tg.tanh(h * 0.5)
    player = play(h.sum())
    assert 500 < sum(len(inside.nodes) for inside in player.zooms.values()) <= 600
    assert "no room for more numbers; play(zoom(" in list(player.closed.values())[-1]
    assert sum(map(len, data_of(player.html)["zooms"].values())) < 200_000
    assert play(player.trace).zooms == {}


def test_nothing_is_not_opened():
    y = tg.ones(0, 3, requires_grad=True) * 2
    why = list(play(y.sum()).closed.values())
    assert why[0] == "y has no elements: there is nothing to open."
    assert why[1].startswith("sum only passes numbers on")


def test_opening_is_refused_before_it_takes_long():
    layer = nn.RNN(2, 2)
    out, _ = layer(tg.randn(30, 1, 2))
    player = play(out.sum() + tg.linalg.det(tg.randn(8, 8, requires_grad=True)))
    assert any("30 steps in time" in why for why in player.closed.values())
    assert any("determinants of up to 4 rows; this matrix has 8" in why for why in player.closed.values())


# -- the layout ----------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["graphviz", "own"])
def layout_by(request, monkeypatch):
    if request.param == "own":

        def missing(*args):
            raise GraphvizError("none")

        monkeypatch.setattr(layout, "render", missing)
    return request.param


def overlaps(a, b) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


@pytest.mark.usefixtures("layout_by")
def test_cards_do_not_overlap_and_lines_are_there():
    model, loss = model_loss()
    t = trace(loss)
    (view,) = views(t)
    assert set(view.cards) == {node.id for node in t.nodes}
    boxes = list(view.cards.values())
    assert not any(overlaps(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(0 <= box.x <= view.width - WIDTH and 0 <= box.y <= view.height - HEIGHT for box in boxes)
    assert sorted(edge for line in view.lines for edge in line.edges) == sorted(edge.id for edge in t.edges)
    assert all(re.fullmatch(r"M[-\d. ]+C[-\d. ]+(L[-\d. ]+)?", line.path) for line in view.lines)
    del model


@pytest.mark.usefixtures("layout_by")
def test_a_frame_holds_its_cards_and_no_others():
    model, loss = model_loss()
    (view,) = views(trace(loss))
    for path, frame in view.groups.items():
        inside = {card for inner, cards in view.inside.items() if inner == path or inner.startswith(path + ".") for card in cards}
        assert all(overlaps(frame, box) == (card in inside) for card, box in view.cards.items())
    del model


def test_every_use_is_a_line():
    x = tg.tensor(3.0, requires_grad=True)
    (view,) = views(trace(x * x))
    assert [line.edges for line in view.lines] == [["e0"], ["e1"]]
    assert view.lines[0].path != view.lines[1].path


@pytest.mark.usefixtures("layout_by")
def test_folding():
    model, loss = model_loss()
    t = trace(loss)
    top, inside = views(t, depth=0)
    assert list(top.folded) == [inside.path]
    assert set(top.cards) == {"v0", *top.folded, *(node.id for node in t.nodes if node.module is None)}
    assert set(inside.cards) - set(inside.beside) == set(top.folded[inside.path])
    assert {line.dst for line in inside.lines if line.src in inside.beside} <= set(inside.cards)
    del model


def test_large_graphs_are_folded_by_themselves_and_too_large_ones_refused():
    h = tg.tensor(0.5, requires_grad=True)
    for t in range(60):
        with group(f"step {t}"):
            h = tg.tanh(h * 0.5 + 0.1)
    found = views(trace(h))
    assert len(found) == 61
    assert len(found[0].cards) == 61
    with pytest.raises(GraphError, match=r"depth=.*max_nodes="):
        play(h, depth=1, max_nodes=100)
    with pytest.raises(GraphError, match=r"max_nodes is 100\. Make groups"):  # there is nothing to fold
        play(chain(80), max_nodes=100)
    with pytest.raises(GraphError, match="max_nodes is 2000"):
        play(chain(1200))


def test_a_weight_that_is_used_at_every_step_does_not_hold_up_the_layout():
    """Graphviz would need minutes for the lines from w to 300 steps."""
    w = tg.tensor(0.5, requires_grad=True)
    h = w
    for t in range(300):
        with group(f"step {t}"):
            h = tg.tanh(h * w)
    began = time.perf_counter()
    (whole, *_) = views(trace(h))
    assert time.perf_counter() - began < 10
    assert len({(box.x, box.y) for box in whole.cards.values()}) == len(whole.cards) == 301
    assert all(line.path for line in whole.lines)


def test_all_pictures_of_a_page_are_laid_out_at_once(monkeypatch):
    """Those of the graph and its groups together, and those of all operations that open."""
    calls = []
    monkeypatch.setattr(layout, "render", lambda dot, kind: calls.append(dot) or render(dot, kind))
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))
    player = play(model(tg.randn(2, 2)).sum(), depth=0)
    assert len(player.zooms) > 3
    assert player.html
    assert len(calls) == 2
    many = [player.trace, *player.zooms.values()]
    assert views_of(many) == [views(one) for one in many]


# -- orders ----------------------------------------------------------------------------------------------------------------
def orders_of(loss) -> tuple[Tracer, list[Order]]:
    tracer = Tracer(loss, None, backward=True)
    return tracer, naive_orders(loss, None, tracer.ids, tracer.edges)


def test_on_a_tree_every_order_is_right():
    w = tg.tensor([0.5, 2.0], requires_grad=True)
    _, orders = orders_of(tg.tanh(w * 2).sum())
    assert [(order.first_wrong, order.wrong, order.stopped) for order in orders] == [(None, {}, False)] * 2


def test_where_and_by_how_much_they_go_wrong():
    loss = shared_tensor()
    tracer, (recursive, breadth_first) = orders_of(loss)
    ids = {name: id for id, name in ((tracer.ids[x], x.name) for x in tracer.ids)}
    w = ids["w"]
    loss.backward()
    right = next(x for x in tracer.ids if x.name == "w").grad.item()
    for order in (recursive, breadth_first):
        wrong = order.wrong[w]
        given, expected = (order.tensors[ref].data[0] for ref in (wrong.given, wrong.right))
        assert expected == pytest.approx(right, rel=1e-5)
        assert wrong.times == pytest.approx(given / right, rel=1e-4)
        assert wrong.off == pytest.approx(abs(given - right), rel=1e-4)
        first = order.steps[order.first_wrong]
        assert first.kind == "visit"
        assert first.got < first.uses
    assert recursive.wrong[w].times > 1  # what was handed on before is handed on again
    assert breadth_first.wrong[w].times < 1  # what arrives late is never handed on


def test_steps_of_an_order_add_up():
    _, orders = orders_of(shared_tensor())
    for order in orders:
        numbers = [np.array(t.data) for t in order.tensors]
        for step in order.steps:
            if step.kind == "contribute":
                before = 0 if step.before is None else numbers[step.before]
                assert np.allclose(before + numbers[step.reduced], numbers[step.after], rtol=1e-5)


def test_an_order_that_takes_exponentially_long_is_stopped():
    _, (recursive, breadth_first) = orders_of(chain(20))
    assert recursive.stopped
    assert len(recursive.steps) == MOST_STEPS + 1
    assert not breadth_first.stopped
