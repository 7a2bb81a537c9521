"""The player in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn as nn
from tinygrad_edu.op import registry
from tinygrad_edu.see import Player, frame, group, play
from tinygrad_edu.see.maths import maths_of

from ..cases import catalogue


def small() -> tuple[Player, Any]:
    tg.manual_seed(0)
    w = tg.randn(2, 3, requires_grad=True)
    x = tg.randn(2, 3)
    b = tg.tensor([0.5, -1.0, 0.0], requires_grad=True)
    y = tg.tanh(w * x + b)
    loss = (y * y).sum() + tg.exp(tg.sin(y)).mean() * 0.1
    return play(loss), {"w": w, "b": b, "loss": loss}


def network() -> Player:
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    target = tg.tensor([0, 1, 1, 0, 1])
    return play(nn.functional.cross_entropy(model(tg.randn(5, 3)), target), title="a network")


def last(player: Player) -> int:
    return len(player.trace.steps) - 1


PICTURE = "document.querySelector('header').outerHTML + document.querySelector('main').innerHTML"


def test_frames_say_what_kind_of_module_they_are(show):
    page = show(network().html)
    told = page.locator(".frame text").all_text_contents()
    assert set(told) == {"model · Sequential", "model.0 · Linear", "model.1 · ReLU", "model.2 · Linear"}


@pytest.mark.parametrize("make", [lambda: small()[0], network], ids=["small", "network"])
def test_back_shows_the_same_as_forward(show, make):
    player = make()
    page = show(player.html)
    page.keyboard.press("Home")
    seen = [page.evaluate(PICTURE)]
    for _ in range(last(player)):
        page.keyboard.press("ArrowRight")
        seen.append(page.evaluate(PICTURE))
    assert len(set(seen)) == len(seen)
    for i in range(last(player) - 1, -1, -1):
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(PICTURE) == seen[i], f"step {i}"
    for i in (7, 2, last(player), 0):  # and by a jump
        page.evaluate(f"player.state.go({i})")
        assert page.evaluate(PICTURE) == seen[i], f"step {i}"


def test_frames_are_those_of_the_trace(show):
    player, _ = small()
    page = show(player.html)
    for i in range(len(player.trace.steps)):
        expected = frame(player.trace, i)
        for id, seen in page.evaluate(f"player.frame({i})").items():
            assert seen["known"] == (id in expected.values)
            assert seen["complete"] == (id in expected.complete)
            ref = expected.gradients.get(id)
            assert (seen["gradient"] or {}).get("data") == (None if ref is None else player.trace.tensors[ref].data)


def test_numbers_are_the_engines(show):
    """The gradients of the last step, as they stand on the page, are those that backward() leaves."""
    player, made = small()
    page = show(player.html)
    page.keyboard.press("End")
    made["loss"].backward()
    for name in ("w", "b"):
        figure = page.locator("#equation figure", has=page.locator("figcaption mi", has_text=re.compile(f"^{name}$")))
        shown = [float(text.replace("−", "-")) for text in figure.locator(".num").all_inner_texts()]
        assert np.allclose(shown, made[name].grad.numpy().reshape(-1), rtol=6e-3, atol=6e-4)


def recurrent() -> Player:
    tg.manual_seed(0)
    W, U, h = tg.randn(2, 3, requires_grad=True), tg.randn(2, 2, requires_grad=True), tg.zeros(2)
    for x in tg.randn(3, 3):
        h = tg.tanh(W @ x + U @ h)
    return play((h * h).sum())


@pytest.mark.parametrize(
    "make",
    [lambda: small()[0], network, lambda: convolution(), lambda: filters(), recurrent],
    ids=["small", "network", "convolution", "filters", "recurrent"],
)
def test_the_worked_cell_is_right_at_every_step(show, make):
    player = make()
    page = show(player.html)
    count = 0
    for i in range(len(player.trace.steps)):
        page.evaluate(f"player.state.go({i})")
        for text in page.locator(".worked").all_inner_texts():
            left, _, right = text.split("\n")[-1].replace("One cell, worked", "").replace("ONE CELL, WORKED", "").rpartition("=")
            left = re.sub(r"e−", "e-", left).replace("−", "-").replace("·", "*").strip()
            if re.fullmatch(r"(max|min)?[-\d.e+*/(), ]+", left):
                made = float(right.replace("−", "-"))
                assert eval(left) == pytest.approx(made, rel=0.03, abs=3e-3), text  # numbers of three digits
                count += 1
            else:
                assert re.fullmatch(r"[a-z]+\(.*\)", left), text
    assert count > 5


def convolution() -> Player:
    tg.manual_seed(0)
    x = tg.randn(1, 1, 4, 4, requires_grad=True)
    kernel, bias = tg.randn(1, 1, 2, 2, requires_grad=True), tg.tensor([0.5], requires_grad=True)
    h = nn.functional.conv2d(x, kernel, bias)
    return play((nn.functional.max_pool2d(h, 2, stride=1) ** 2).mean())


def test_a_cell_of_a_max_pooling_is_worked_through(show):
    player = convolution()
    page = show(player.html)
    (i,) = (i for i, step in enumerate(player.trace.steps) if step.kind == "op" and step.rule == "max_pool")
    page.evaluate(f"player.state.go({i})")
    page.locator(".num[data-pick]").nth(3).click()  # the last window, of 2×2
    assert page.locator(".num.used").count() == 4
    used = [float(text.replace("−", "-")) for text in page.locator(".num.used").all_inner_texts()]
    left, _, right = page.locator(".worked").inner_text().replace("−", "-").partition(" = ")
    assert [float(text) for text in left.partition("max(")[2].strip(")").split(",")] == pytest.approx(used, rel=0.05)
    assert float(right) == pytest.approx(max(used), rel=0.05)


def test_a_cell_of_a_convolution_is_worked_through(show):
    """Forwards a window of x with the kernel, and the bias; backwards what reached the cells that a number had a part in."""
    player = convolution()
    page = show(player.html)
    steps = {(step.kind, step.slot): i for i, step in enumerate(player.trace.steps) if step.rule == "convolution"}
    node = player.trace.node(player.trace.steps[steps["op", None]].node)
    x, kernel = (np.array(player.trace.tensors[player.trace.node(id).value].data) for id in node.inputs[:2])
    page.evaluate(f"player.state.go({steps['op', None]})")
    page.locator(".num[data-pick]").nth(4).click()  # the middle of 3×3
    window = x.reshape(4, 4)[1:3, 1:3].reshape(-1)
    used = [float(text.replace("−", "-")) for text in page.locator(".num.used").all_inner_texts()]
    assert used == pytest.approx([*window, *kernel, 0.5], rel=0.06, abs=0.006)
    terms = (
        page.locator(".worked").inner_text().upper().removeprefix("ONE CELL, WORKED").replace("−", "-").split("=")[0].split(" + ")
    )
    assert float(terms.pop()) == 0.5
    products = [np.prod([float(factor.strip("() ")) for factor in term.split("·")]) for term in terms[-4:]]
    assert products == pytest.approx(window * kernel, rel=0.03, abs=0.01)
    for slot, cell, count in ((0, 5, 4), (1, 0, 9)):  # a number of x inside, a number of the kernel
        page.evaluate(f"player.state.go({steps['contribute', slot]})")
        page.locator(".num[data-pick]").nth(cell).click()
        assert page.locator(".worked").first.inner_text().count("·") == count
        assert page.locator(".terms").first.locator(".num.used").count() == 2 * count


def filters() -> Player:
    """An image with zeros, two filters, and a network behind them."""
    tg.manual_seed(0)
    image = tg.eye(5)[None, None]
    h = nn.functional.max_pool2d(nn.Conv2d(1, 2, 3)(image).relu(), 2, stride=1)
    return play(nn.functional.cross_entropy(nn.Linear(8, 2)(h.flatten(1)), tg.tensor([1])))


def test_what_takes_part_in_a_cell_is_framed(show):
    """Of a convolution a window, though it holds zeros, one of two filters and its bias; of a linear layer a row each and a bias."""
    player = filters()
    page = show(player.html)
    steps = {step.rule: i for i, step in enumerate(player.trace.steps) if step.kind == "op"}
    for rule, cell, expected in (
        ("convolution", 9, [[0, 1, 2, 5, 6, 7, 10, 11, 12], [*range(9, 18)], [1]]),
        ("convolution", 8, [[12, 13, 14, 17, 18, 19, 22, 23, 24], [*range(9)], [0]]),
        ("linear", 1, [[*range(8)], [*range(8, 16)], [1]]),
    ):
        page.evaluate(f"player.state.go({steps[rule]})")
        page.locator(".num[data-pick]").nth(cell).click()
        framed = "[...document.querySelectorAll('#equation figure')].map(f => [...f.querySelectorAll('.used')].map(n => Number(n.dataset.k)))"
        assert page.evaluate(framed)[:3] == expected


def test_matrices_of_a_tensor_of_four_dims_stand_apart(show):
    player = filters()
    page = show(player.html)
    tops = "[...document.querySelectorAll('#equation figure:nth-of-type(2) .num')].map(n => n.getBoundingClientRect().top)"
    gaps = np.diff(sorted(set(page.evaluate(tops))))
    assert (gaps[2] > gaps[[0, 1, 3, 4]] + 4).all()  # three rows of one filter, three of the next


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1000, 700), (390, 844)])
def test_formulas_fit_their_cards(show, width, height):
    page = show(filters().html)
    page.set_viewport_size({"width": width, "height": height})
    sizes = []
    for i in range(last(filters()) + 1):
        page.evaluate(f"player.state.go({i})")
        for rule in page.locator(".rule").all():
            assert rule.evaluate("r => r.scrollWidth <= r.clientWidth"), rule.inner_text()
            sizes.append(float(rule.evaluate("r => r.style.fontSize || '1em'").removesuffix("em")))
    assert len(sizes) > 10
    assert min(sizes) >= 0.65


def test_the_bar_of_steps_stays_in_sight_on_a_phone(show):
    page = show(network().html)
    page.set_viewport_size({"width": 390, "height": 500})
    for scrolled in ("0", "document.documentElement.scrollHeight"):
        page.evaluate(f"scrollTo(0, {scrolled})")
        bar = page.locator(".transport").bounding_box()
        assert bar["y"] >= 0
        assert bar["y"] + bar["height"] <= 500


@pytest.mark.parametrize(("power", "shown"), [(2, "·2·x2−1"), (0.5, "·0.5·x0.5−1"), (0, "·0·x0−1(0 where 0=0)")])
def test_a_constant_exponent_stands_in_the_formula(show, power, shown):
    x = tg.tensor([1.0, 4.0], requires_grad=True)
    player = play((x**power).sum())
    page = show(player.html)
    at = next(i for i, step in enumerate(player.trace.steps) if step.kind == "contribute" and step.rule == "pow")
    page.evaluate(f"player.state.go({at})")
    formula = page.evaluate("[...document.querySelectorAll('.rule > :not(h3)')].map(part => part.textContent).join('')")
    assert formula.replace("\u00a0", " ").endswith(shown)


def test_in_formulas_the_layer_is_an_index_of_its_weight(show):
    page = show(network().html)
    page.keyboard.press("End")
    maths = page.locator("#equation math").evaluate_all(
        "found => found.map(math => [...math.querySelectorAll('mfrac > :last-child > msub > *')].map(part => part.textContent))"
    )
    assert sorted(maths) == [["bias", "0"], ["bias", "2"], ["weight", "0"], ["weight", "2"]]


def test_the_worked_cell_of_large_tensors(show):
    tg.manual_seed(0)
    w = tg.randn(30, 12, requires_grad=True)
    player = play(tg.tanh(tg.randn(20, 30) @ w).sum())
    page = show(player.html)
    for i, step in enumerate(player.trace.steps):
        if step.kind == "contribute" and step.rule in ("tanh", "matmul"):
            page.evaluate(f"player.state.go({i})")
            assert ", 4×4 of it" in page.locator("#equation figcaption").last.inner_text()
            assert page.locator("#equation .num.used").count() == (2 if step.rule == "tanh" else 8)
            text = page.locator(".worked").inner_text()
            assert ("…" in text) == (step.rule == "matmul")
            assert page.locator(".num.made").inner_text()[:4] == page.locator(".worked b").inner_text()[:4]


def test_a_chosen_cell_is_worked_through(show):
    player, _ = small()
    page = show(player.html)
    contribute = next(i for i, step in enumerate(player.trace.steps) if step.kind == "contribute" and step.rule == "tanh")
    page.evaluate(f"player.state.go({contribute})")
    cell = page.locator(".num[data-pick]").nth(4)
    text = cell.inner_text()
    cell.click()
    assert page.locator(".num.made").first.inner_text() == text
    assert page.locator(".worked b").first.inner_text() == text


def test_keys(show):
    player, _ = small()
    page = show(player.html)

    def at() -> int:
        return page.evaluate("player.state.at")

    page.keyboard.press("ArrowRight")
    assert at() == 1
    page.keyboard.press("End")
    assert at() == last(player)
    page.keyboard.press("ArrowRight")
    assert at() == last(player)
    page.keyboard.press("Shift+ArrowLeft")
    assert player.trace.steps[at()].kind == "visit"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert at() == 0
    page.keyboard.press(" ")
    assert page.evaluate("player.state.timer") is not None
    page.wait_for_timeout(1500)
    assert at() > 0
    page.keyboard.press(" ")
    assert page.evaluate("player.state.timer") is None
    page.locator("#slider").focus()  # the slider understands the same keys
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert at() == 1
    page.keyboard.press("c")
    assert page.locator("#stage .follow").get_attribute("aria-pressed") == "true"
    page.keyboard.press("f")
    assert page.locator("#stage .follow").get_attribute("aria-pressed") == "false"


def test_a_click_on_a_card_goes_to_its_step(show):
    player, _ = small()
    page = show(player.html)
    node = next(node for node in player.trace.nodes if node.op == "tanh")
    page.evaluate(f"player.state.go({len(player.trace.nodes)})")
    page.locator(f"[data-id={node.id}]").click()
    step = player.trace.steps[page.evaluate("player.state.at")]
    assert node.id in (step.node, step.to)
    page.keyboard.press("Home")
    page.locator(f"[data-id={node.id}]").focus()
    page.keyboard.press("Enter")
    assert player.trace.steps[page.evaluate("player.state.at")].node == node.id


def test_a_waiting_gradient_says_so(show):
    player, _ = small()
    page = show(player.html)
    for i, step in enumerate(player.trace.steps):
        if step.kind == "contribute" and step.uses > 1:
            page.evaluate(f"player.state.go({i})")
            card = page.locator(f"[data-id={step.to}]")
            assert card.locator(".count").text_content() == f"{step.got}/{step.uses} in"
            assert ("partial" in card.get_attribute("class")) == (step.got < step.uses)


def test_the_source_is_highlighted(show):
    player, _ = small()
    page = show(player.html)
    for i, step in enumerate(player.trace.steps):
        node = player.trace.node(step.node)
        page.evaluate(f"player.state.go({i})")
        assert page.locator("#source mark").all_inner_texts() == [node.expr]


def test_the_heading_of_the_source_stays_whole(show):
    """At a notebook's width the panel has room for three lines, and scrolls to the one that runs."""
    page = show(small()[0].html)
    page.set_viewport_size({"width": 1080, "height": 760})
    for key in ("Home", "ArrowRight", "End"):
        page.keyboard.press(key)
        heading, panel = page.locator("#source h3").bounding_box(), page.locator("#source").bounding_box()
        assert heading["y"] > panel["y"]


def test_dark_and_light(show):
    player, _ = small()

    def ground(page: Any) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert ground(show(player.html, color_scheme="light")) > 600
    page = show(player.html, color_scheme="dark")
    assert ground(page) < 150
    page.keyboard.press("d")
    assert ground(page) > 600
    page.keyboard.press("d")
    assert ground(page) < 150


CUT_OFF = """() => [...document.querySelectorAll(".panel, .panel *, header, header *, .crumbs")].filter((e) =>
    e.scrollWidth > e.clientWidth + 1 && e.clientWidth && getComputedStyle(e).overflowX !== "visible" && !e.closest("#source, h1")
    || e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("#source")).map((e) => e.outerHTML)"""


@pytest.mark.parametrize("width", [860, 700, 420])
def test_nothing_is_cut_off_in_a_narrow_window(show, width):
    """860: a cell of a notebook."""
    player = convolution()
    page = show(player.html)
    page.set_viewport_size({"width": width, "height": 760})
    for i in range(len(player.trace.steps)):
        page.evaluate(f"player.state.go({i})")
        assert page.evaluate(CUT_OFF) == []
        mark, panel = page.locator("#source mark").bounding_box(), page.locator("#source").bounding_box()
        assert panel["y"] <= mark["y"] < mark["y"] + mark["height"] <= panel["y"] + panel["height"]
    page.evaluate(f"player.state.zoom('{next(iter(player.zooms))}')")
    page.locator("#stage .crumbs span").wait_for()
    crumbs, camera = page.locator("#stage .crumbs").bounding_box(), page.locator("#stage .camera").bounding_box()
    assert crumbs["x"] + crumbs["width"] <= camera["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [860, 740])
def test_the_first_view_shows_all_that_the_first_step_is_about(show, width):
    """Also where the whole graph would be too small to read: then the view follows the steps."""
    player = network()
    page = show(player.html)
    page.set_viewport_size({"width": width, "height": 760})
    page.reload()
    node = player.trace.node(player.trace.steps[0].node)
    stage = page.locator("#stage").bounding_box()
    for id in (node.id, *node.inputs):
        box = page.locator(f"[data-id={id}] .body").bounding_box()
        for at, size in (("x", "width"), ("y", "height")):
            assert stage[at] <= box[at] < box[at] + box[size] <= stage[at] + stage[size], id


def test_the_choice_of_orders_and_their_code_are_in_sight(show):
    """Also where the panel was scrolled to a line of the source before, and nothing lies over them."""
    page = show(network().html)
    page.set_viewport_size({"width": 1024, "height": 768})
    page.reload()
    page.keyboard.press("End")
    page.keyboard.press("o")
    for button in page.locator("#source .tabs button").all():
        box = button.bounding_box()
        for y in (box["y"] + 2, box["y"] + box["height"] - 2):
            found = page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('button')?.textContent", [box["x"] + 8, y])
            assert found == button.text_content()


def test_a_view_that_is_too_wide_to_be_read_follows_the_steps(show):
    h = tg.tensor(0.5, requires_grad=True)
    for t in range(80):
        with group(f"step {t}"):
            h = tg.tanh(h * 0.5 + 0.1)
    page = show(play(h, depth=0).html)
    for path in ("step 3", "", "step 5", ""):
        page.evaluate(f"player.state.open({path!r})")
        narrow = page.evaluate("document.querySelector('#stage .card').getBoundingClientRect().width") < 70
        assert not narrow


def test_long_names_and_expressions_fit_their_card(show):
    a_name_longer_than_its_card = tg.ones(2, requires_grad=True)
    W_x = tg.ones(2, requires_grad=True)
    out = (a_name_longer_than_its_card * W_x + W_x * 12345.678 - a_name_longer_than_its_card).sum()
    page = show(play(out).html)
    assert page.locator(".card .name", has_text=re.compile("^Wx$")).locator(".index").text_content() == "x"
    for card in page.locator(".card").all():
        name, symbol, body = (card.locator(part).first.bounding_box() for part in (".name", ".symbol", ".body"))
        assert name["x"] + name["width"] <= symbol["x"]
        for line in card.locator(".shape").all():
            words = line.bounding_box()
            assert words is None or words["x"] + words["width"] <= body["x"] + body["width"]


def test_reduced_motion_and_print(show):
    player, _ = small()
    page = show(player.html, reduced_motion="reduce")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("getComputedStyle(document.querySelector('.wire.now')).animationName") == "none"
    page.emulate_media(media="print")
    assert not page.locator(".transport").is_visible()
    assert page.locator("#stage svg").is_visible()
    for width in (500, 1000):
        page.set_viewport_size({"width": width, "height": 700})
        ends = """() => ["#source", ".code > div"].map((found) => [...document.querySelectorAll(found)].map((one) => {
            const box = one.getBoundingClientRect(); return [box.right, box.bottom]; }))"""
        (panel,), lines = page.evaluate(ends)  # on paper nobody can scroll to the end of a line, or to the last line
        assert lines
        assert all(right <= panel[0] and bottom <= panel[1] for right, bottom in lines)


def test_names_show_as_text(show):
    w = tg.tensor(2.0, requires_grad=True, name="<script>alert(1)</script>")
    page = show(play(w * w, title="<img src=x onerror=alert(1)>").html)
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.locator("h1").inner_text() == "<img src=x onerror=alert(1)>"
    assert page.locator(".card .name").first.text_content().startswith("<script>")
    assert page.locator("#headline").inner_text().endswith("<script>alert(1)</script>")
    assert page.locator("main script, img").count() == 0


def test_every_operation_draws_its_maths(show):
    """As real formulas: every element that is drawn is one that MathML knows, and has a size."""
    formulas = [f"<p>{text}</p>" for name in registry for text in (maths_of(name).forward, *maths_of(name).rules.values())]
    page = show(f"<!DOCTYPE html><meta charset=utf-8><title>maths</title>{''.join(formulas)}")
    assert page.evaluate("[...document.querySelectorAll('math')].every(m => m.getBoundingClientRect().height > 5)")
    unknown = "[...document.querySelectorAll('math *')].filter(e => e.constructor.name !== 'MathMLElement').map(e => e.localName)"
    assert page.evaluate(unknown) == []


def test_orders(show):
    player, _ = small()
    page = show(player.html)
    page.keyboard.press("o")
    assert page.locator("#other").is_visible()
    seen = []
    for k, order in enumerate(player.orders):
        page.evaluate(f"player.state.showOrder({k})")
        page.keyboard.press("End")
        assert page.locator("#equation h3").inner_text().lower().startswith(f"in the end: {len(order.wrong)} of")
        assert page.locator("#equation .off").count() == len(order.wrong)
        seen.append(page.evaluate(PICTURE))
        page.keyboard.press("Home")
        page.keyboard.press("End")
        assert page.evaluate(PICTURE) == seen[-1]
        page.evaluate(f"player.state.go({order.first_wrong})")
        assert page.locator("#other .card.early").count() == 1
        assert "although only" in page.locator("#headline").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#other").is_visible()


def test_folded_modules_open(show):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    player = play((model(tg.randn(5, 3)) ** 2).mean(), depth=0)
    page = show(player.html)
    page.keyboard.press("End")
    folded = page.locator("[data-group=model]")
    assert "6 of 6 gradients" in folded.text_content() or "gradients" in folded.text_content()
    folded.click()
    assert page.locator(".crumbs select").input_value() == "model"
    assert page.locator("[data-group]").count() == 0
    page.keyboard.press("Backspace")
    assert page.locator(".crumbs select").input_value() == ""
    page.evaluate("player.state.open('model')")
    page.keyboard.press("Home")
    page.keyboard.press("End")  # the loss is not in there: back to the whole graph
    assert page.locator(".crumbs select").input_value() == ""


def product() -> tuple[Player, Any]:
    tg.manual_seed(0)
    x, w = tg.randn(2, 3, requires_grad=True), tg.randn(3, 2, requires_grad=True)
    y = x @ w
    loss = (y * y).sum()
    return play(loss), {"x": x, "w": w, "loss": loss}


def wait_until_open(page: Any, name: str) -> None:
    page.locator("#stage .crumbs span", has_text=f"{name}: ").wait_for()


def test_a_card_opens_into_its_numbers(show):
    """They, and their gradients in the end, are those of the engine, and the whole graph comes back as it was."""
    player, made = product()
    page = show(player.html)
    y = next(node.id for node in player.trace.nodes if node.name == "y")
    at = next(i for i, step in enumerate(player.trace.steps) if step.kind == "visit" and step.node == y)
    page.evaluate(f"player.state.go({at})")
    before = page.evaluate(PICTURE)
    page.locator(f"[data-id={y}] .open").click()
    wait_until_open(page, "y")
    assert page.locator("#phase").inner_text().lower() == "backward pass"  # as it was outside
    assert page.locator("#source mark").inner_text() == "x @ w"
    page.keyboard.press("End")
    made["loss"].backward()
    inner = page.evaluate("player.trace")
    for name in ("x", "w"):
        for index in np.ndindex(made[name].shape):
            spot = f"{name}[{index[0]}, {index[1]}]"
            node = next(node for node in inner["nodes"] if node["name"] == spot)
            values = inner["tensors"][node["value"]]["data"]
            gradients = page.evaluate(f"player.frame(player.state.last())['{node['id']}'].gradient.data")
            assert values == pytest.approx([made[name].numpy(force=True)[index]])
            assert gradients == pytest.approx([made[name].grad.numpy()[index]], rel=1e-5)
            card = page.locator(f"#stage [data-id={node['id']}]")
            assert card.locator(".name").text_content() == spot
            shown = [float(text.replace("−", "-")) for text in card.locator(".number").all_text_contents()]
            assert shown == pytest.approx([*values, *gradients], rel=6e-3, abs=6e-4)
    page.keyboard.press("Escape")
    assert page.evaluate(PICTURE) == before


def test_opening_by_key(show):
    player, _ = product()
    page = show(player.html)
    first = player.trace.node(player.trace.steps[0].node)
    page.keyboard.press("z")  # what the step is about
    wait_until_open(page, first.name)
    assert page.evaluate("player.state.at") == 0
    page.keyboard.press("ArrowRight")
    assert page.locator("#stepno").inner_text().lower().startswith("forward 2 of")
    page.keyboard.press("Backspace")
    assert page.locator("#stage .crumbs").text_content() == ""
    assert page.evaluate("player.state.at") == 0
    loss = page.locator(f"#stage [data-id={player.trace.loss}]")
    loss.focus()
    page.keyboard.press("z")  # the chosen card
    wait_until_open(page, "loss")
    assert page.evaluate("document.activeElement.dataset.id") == page.evaluate("player.trace.loss")
    page.locator("#stage .crumbs button").click()
    assert page.evaluate("document.activeElement.dataset.id") == player.trace.loss


def test_what_does_not_open_says_why(show):
    player, _ = small()
    page = show(player.html)
    openable = {card.get_attribute("data-id") for card in page.locator(".card:has(.open)").all()}
    assert openable == set(player.zooms)
    assert openable | set(player.closed) == {node.id for node in player.trace.nodes if node.op}
    page.locator(f"[data-id={player.trace.loss}]").focus()
    page.keyboard.press("z")
    assert page.locator("#note").inner_text() == "loss is made of single numbers already."
    page.keyboard.press("ArrowRight")
    assert not page.locator("#note").is_visible()
    page.locator("[data-id=v0]").focus()
    page.keyboard.press("z")
    assert page.locator("#note").inner_text().startswith("No operation made")


def test_opened_while_two_orders_are_shown(show):
    player, _ = small()
    page = show(player.html)
    page.keyboard.press("o")
    page.locator(f"#stage [data-id={next(iter(player.zooms))}] .open").click()
    page.locator("#stage .crumbs span", has_text="number by number").wait_for()
    assert not page.locator("#other").is_visible()
    assert not page.locator("#orders").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#orders").is_visible()


PAINTED = "const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"
# How fast this computer is now: a page of plain boxes, made anew and painted. It takes 30 ms where nothing else runs.
YARDSTICK = f"""async () => {{
    {PAINTED}
    await painted();
    const begin = performance.now();
    document.body.innerHTML = "<div style='float: left; border: 1px solid; width: 9em'>a box</div>".repeat(2000);
    await painted();
    return performance.now() - begin;
}}"""
MOVES = f"""async (moves) => {{
    {PAINTED}
    const times = [];
    for (const i of moves) {{
        await painted();
        const begin = performance.now();
        player.state.go(i);
        await painted();
        times.push(performance.now() - begin);
    }}
    return times;
}}"""


def test_300_tensors_repaint_quickly(show):
    """From the call until the browser has painted, in a tenth of a second: the first jump over the whole graph, jumps after it, single steps."""
    h = tg.randn(4, 4, requires_grad=True)
    for _ in range(100):
        h = tg.tanh(h @ h * 0.5)
    player = play(h.sum(), max_nodes=400)
    assert len(player.trace.nodes) > 300
    moves = [last(player), 0, last(player), *range(last(player) // 2, last(player) // 2 + 10)]
    best, yardstick = np.full(len(moves), np.inf), np.inf
    for _ in range(8):  # others use this computer too: the quickest of some tries counts
        page = show(player.html)
        assert page.locator(".card").count() == len(player.trace.nodes)
        best = np.minimum(best, page.evaluate(MOVES, moves))
        yardstick = min(yardstick, page.evaluate(YARDSTICK))
        if best.max() < 100:
            break
    assert best.max() < 100 * max(1, yardstick / 30), f"{np.round(best)}, where {yardstick:.0f} ms paint a plain page"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(show, scheme):
    axe_module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    axe = axe_module.Axe()
    player, _ = small()
    page = show(player.html, color_scheme=scheme)
    for step in (3, len(player.trace.steps) // 2, last(player)):
        page.evaluate(f"player.state.go({step})")
        results = axe.run(page)
        assert results.violations_count == 0, results.generate_report()
    page.evaluate("player.state.showOrder(0)")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    page.evaluate(f"player.state.zoom('{next(iter(player.zooms))}')")
    page.evaluate("player.state.zoom('v0')")  # with the note why it does not open
    assert page.locator("#note").is_visible()
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()


def test_large_graphs_are_folded(show):
    h = tg.randn(2, 2, requires_grad=True)
    for t in range(60):
        with group(f"step {t}"):
            h = tg.tanh(h * 0.5 + h @ h)
    page = show(play(h.sum()).html)
    assert page.locator(".card.group").count() == 60
    page.evaluate("player.state.open('step 30')")
    assert page.locator(".card").count() < 10


def players_of_the_catalogue() -> Iterator[tuple[str, Player]]:
    """Of each function in the catalogue, two samples: the first, and one that is unusual (0-d or empty, mostly)."""
    for case in {case.name: case for case in catalogue()}.values():
        samples = list(case.samples())
        for arrays, settings in (samples[0], samples[-1]):
            inputs = [tg.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
            out = case.function(*inputs, **settings)
            found = out if isinstance(out, tuple | list) else (out,)
            loss = next((z for z in found if isinstance(z, tg.Tensor) and z.requires_grad), None)
            if loss is not None:
                yield case.name, play(loss, gradient=tg.ones_like(loss.detach()), title=case.name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_function_of_the_catalogue_plays(browser):
    """Every step of every operation is drawn, without an error and without a hole in it."""
    page = browser.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(f"{name}: {error}"))
    for name, player in players_of_the_catalogue():
        page.set_content(player.html)
        seen = page.evaluate(
            """() => player.trace.steps.map((_, i) => {
                try { player.state.go(i); } catch (error) { return `undefined: ${error.stack}`; }
                return document.querySelector(".inspector").textContent;
            })"""
        )
        problems += [f"{name}, step {i}: {text}" for i, text in enumerate(seen) if "undefined" in text or "[object" in text]
    page.close()
    assert problems == []
