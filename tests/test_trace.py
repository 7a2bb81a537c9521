"""The trace: its invariants on arbitrary graphs, names, sources, groups, large tensors, JSON."""

from __future__ import annotations

import gc
import linecache
import math
import os
import select
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import check_graph, explain, nn
from tinygrad_edu.errors import GraphError
from tinygrad_edu.op import registry
from tinygrad_edu.see import Trace, frame, group, trace, zoom
from tinygrad_edu.see.plain import Numbers
from tinygrad_edu.see.style import short

from . import strict_cupy

ONE = {
    "tanh": tg.tanh,
    "exp": lambda x: tg.exp(x * 0.1),
    "square": lambda x: x * x,
    "transpose": lambda x: x.T if x.ndim == 2 else x,
    "first": lambda x: x[:1] if x.ndim else x,
    "rows": lambda x: x.sum(0) if x.ndim else x,
    "softmax": lambda x: tg.softmax(x, -1) if x.ndim else x,
    "detached": lambda x: x.detach() + 1,
    "scaled": lambda x: 2 - x * 3,
    "unused": lambda x: (x.exp(), x)[1],
}
TWO = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "matmul": lambda x, y: x @ y if x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0] else x - y,
    "cat": lambda x, y: tg.cat((x, y)) if x.ndim and x.shape[1:] == y.shape[1:] and y.ndim else x * y,
    "maximum": tg.maximum,
}
SHAPES = [(), (3,), (1, 3), (3, 1), (3, 3), (2, 3), (2, 1)]


@st.composite
def losses(draw: st.DrawFn) -> tuple[tg.Tensor, list[tg.Tensor]]:
    """A loss of an arbitrary graph, and the graph's leaves."""
    numbers = np.random.default_rng(draw(st.integers(0, 99)))
    leaves = [
        tg.tensor(numbers.normal(size=shape), requires_grad=i == 0 or draw(st.booleans()))
        for i, shape in enumerate(draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4)))
    ]
    pool = list(leaves)
    for _ in range(draw(st.integers(1, 12))):
        x = pool[draw(st.integers(0, len(pool) - 1))]
        if draw(st.booleans()):
            new = ONE[draw(st.sampled_from(sorted(ONE)))](x)
        else:
            y = pool[draw(st.integers(0, len(pool) - 1))]
            try:
                new = TWO[draw(st.sampled_from(sorted(TWO)))](x, y)
            except ValueError:  # shapes that do not fit
                continue
        if new.numel() <= 64:
            pool.append(new)
    some = [x for x in pool[-3:] if x.requires_grad] or leaves[:1]
    loss = some[0].sum()
    for x in some[1:]:
        loss = loss + (x * x).sum()
    return loss, [x for x in leaves if x.requires_grad]


def array(t: Trace, ref: int | None) -> np.ndarray:
    assert ref is not None
    numbers = t.tensors[ref]
    return np.array([float(v) for v in numbers.data], numbers.dtype).reshape(numbers.shape)  # type: ignore[union-attr]


arbitrary = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@arbitrary
@given(losses())
def test_every_step_adds_up(made):
    loss, _ = made
    t = trace(loss)
    gradients: dict[str, np.ndarray] = {}
    got: dict[str, int] = {}
    visited: set[str] = set()
    for step in t.steps:
        if step.kind == "seed":
            gradients[step.node] = array(t, step.after)
        elif step.kind == "visit":
            node = t.node(step.node)
            assert step.got == got.get(node.id, 0) == step.uses == node.uses  # only when every part is in
            assert len(step.parts) == step.uses
            if step.parts:
                total = sum(array(t, part.tensor) for part in step.parts)
                np.testing.assert_allclose(total, array(t, step.after), rtol=1e-12)
            np.testing.assert_array_equal(gradients[node.id], array(t, step.after))
            visited.add(node.id)
        elif step.kind == "contribute":
            to, edge = t.node(step.to), t.edge(step.edge)
            assert (edge.src, edge.dst, edge.slot) == (step.to, step.node, step.slot)
            assert step.node in visited
            assert to.id not in visited
            reduced = array(t, step.reduced)
            assert list(reduced.shape) == to.shape
            summed = array(t, step.raw).sum(tuple(step.reduced_axes)).reshape(to.shape)
            np.testing.assert_allclose(summed, reduced, rtol=1e-12, atol=1e-12)
            before = 0 if step.before is None else array(t, step.before)
            np.testing.assert_array_equal(before + reduced, array(t, step.after))
            if step.before is not None:
                np.testing.assert_array_equal(before, gradients[to.id])
            got[to.id] = got.get(to.id, 0) + 1
            assert (step.got, step.uses) == (got[to.id], to.uses)
            gradients[to.id] = array(t, step.after)
            check_equation(t, step)
    assert {id for id in gradients if t.node(id).op} == visited
    assert all(got.get(id, 0) == t.node(id).uses for id in gradients)


def check_equation(t: Trace, step) -> None:
    if step.equation is None:
        return
    terms = [array(t, term.tensor) for term in step.equation.terms]
    raw = array(t, step.raw)
    found = {
        "same": lambda: terms[0],
        "sum": lambda: terms[0].sum(tuple(range(terms[0].ndim - raw.ndim))),
        "times": lambda: terms[0] * terms[1],
        "weighted": lambda: np.tensordot(terms[1], terms[0], terms[0].ndim),
        "matmul": lambda: (np.atleast_2d(terms[0]) @ np.atleast_2d(terms[1])).reshape(raw.shape),
    }[step.equation.kind]()
    np.testing.assert_allclose(found.reshape(raw.shape), raw, rtol=1e-4, atol=1e-7)


@arbitrary
@given(losses())
def test_it_is_what_backward_does_and_changes_nothing(made):
    loss, leaves = made
    t = trace(loss)
    assert all(x.grad is None for x in leaves)
    assert trace(loss) == t
    loss.backward()
    kept = [None if x.grad is None else x.grad.numpy().copy() for x in leaves]
    assert trace(loss) == t  # after backward as before it
    for x, before in zip(leaves, kept, strict=True):
        assert (x.grad is None) == (before is None)
        if before is not None:
            np.testing.assert_array_equal(x.grad.numpy(), before)
    found = [array(t, ref) for ref in t.steps[-1].gradients.values()]
    given_back = [g for g in kept if g is not None]
    assert len(found) == len(given_back)
    for g in given_back:
        assert any(np.array_equal(g, f) for f in found)


@arbitrary
@given(losses(), st.data())
def test_a_frame_depends_on_nothing_but_its_number(made, data):
    t = trace(made[0])
    last = len(t.steps) - 1
    from_the_left = [frame(t, i) for i in range(last + 1)]
    from_the_right = [frame(t, i) for i in range(last, -1, -1)][::-1]
    assert from_the_left == from_the_right
    i = data.draw(st.integers(0, last))
    assert frame(t, i) == from_the_left[i]
    assert from_the_left[last].complete == set(from_the_left[last].gradients)
    arrivals = {step.to: k for k, step in enumerate(t.steps) if step.kind == "contribute"}  # the last of each
    for k, seen in enumerate(from_the_left):
        assert seen.step is t.steps[k]
        assert seen.complete == {id for id in seen.gradients if arrivals.get(id, -1) <= k}


@arbitrary
@given(losses())
def test_the_graph_is_the_engine_s(made):
    loss, _ = made
    t = trace(loss)
    assert t.node(t.loss).op is not None
    ops = [step.node for step in t.steps if step.kind == "op"]
    assert ops == [node.id for node in t.nodes if node.op is not None]
    for node in t.nodes:
        assert t.node(node.id) is node
        edges = [edge for edge in t.edges if edge.dst == node.id]
        assert [(edge.slot, edge.src) for edge in edges] == [(i, x) for i, x in enumerate(node.inputs) if x is not None]
        assert all(int(edge.src[1:]) < int(node.id[1:]) for edge in edges)  # inputs first
        assert (node.op in t.rules) == (node.op is not None)
    assert Trace.from_json(t.to_json()) == t


# -- what is asked for ---------------------------------------------------------------------------------------------------
def test_a_loss_that_is_not_one_number_needs_a_gradient():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="single number"):
        trace(x * x)
    t = trace(x * x, tg.tensor([1.0, 10.0]))
    assert list(t.steps[-1].gradients) == ["v0"]
    assert array(t, t.steps[-1].gradients["v0"]).tolist() == [2.0, 40.0]
    assert [step.kind for step in trace(x * x, backward=False).steps] == ["op"]


def test_refusals_say_what_to_do():
    with pytest.raises(GraphError, match="requires_grad=True"):
        trace(tg.tensor(1.0))
    with pytest.raises(TypeError, match="begins at a tensor"):
        trace(3.0)
    with pytest.raises(ValueError, match="not even JSON"):
        Trace.from_json("no")
    with pytest.raises(ValueError, match="trace/9"):
        Trace.from_json('{"format": "tinygrad_edu.trace/9"}')
    for damaged in ('{"format": "tinygrad_edu.trace/1"}', '{"format": "tinygrad_edu.trace/1", "nodes": 3}'):
        with pytest.raises(ValueError, match="this trace is damaged"):
            Trace.from_json(damaged)
    t = trace(tg.tensor(1.0, requires_grad=True) * 2)
    with pytest.raises(IndexError, match="steps 0 to"):
        frame(t, len(t.steps))


def test_hooks():
    x = tg.tensor(2.0, requires_grad=True)
    h = x * 3
    loss = h * h
    h.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    t = trace(loss)
    assert array(t, t.steps[-1].gradients["v0"]) == 360.0
    assert "The hooks on x may still change them" in t.steps[-1].sentence
    loss.backward()
    assert x.grad.item() == 361.0


def test_a_leaf_alone():
    x = tg.tensor(2.0, requires_grad=True)
    t = trace(x)
    assert [step.kind for step in t.steps] == ["seed", "done"]
    assert t.node(t.loss).name == "x"


def test_a_deep_graph():
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3000):
        y = y * 1.001
    assert len(trace(y).nodes) == 3001


# -- numbers -------------------------------------------------------------------------------------------------------------
def numbers(values) -> Numbers:
    x = tg.tensor(values, requires_grad=True)
    t = trace(x, tg.ones_like(x))
    return t.tensors[t.nodes[0].value]


def test_nan_and_infinities_are_strings():
    found = numbers([1.0, math.nan, math.inf, -math.inf])
    assert found.data == [1.0, "nan", "inf", "-inf"]
    assert (found.min, found.max, found.nonfinite) == (1.0, 1.0, 3)
    assert numbers([math.nan]).max is None


def test_numbers_are_exact_and_short():
    x = tg.tensor([0.1, 1 / 3, 1e-30], dtype="float32", requires_grad=True)
    data = trace(x, tg.ones_like(x)).tensors[0].data
    assert data == [0.1, 0.33333334, 1e-30]
    assert (np.array(data, "float32") == x.detach().numpy()).all()


def test_a_large_tensor_is_a_sample_with_statistics():
    values = np.arange(20.0 * 5 * 30).reshape(20, 5, 30)
    found = numbers(values)
    assert found.data is None
    assert (found.min, found.max, found.mean) == (0.0, 2999.0, 1499.5)
    sample = found.sample
    assert sample is not None
    assert (len(sample.rows), len(sample.cols)) == (8, 8)
    expected = values.reshape(-1, 30)[np.ix_(sample.rows, sample.cols)]
    np.testing.assert_array_equal(np.array(sample.data).reshape(8, 8), expected)
    assert numbers(np.zeros((8, 8))).data is not None
    assert numbers(np.zeros((3, 0))).data == []


def test_equations_of_large_tensors_show_the_same_rows_and_columns():
    x, w = tg.randn(20, 30), tg.randn(30, 12, requires_grad=True)
    t = trace(tg.tanh(x @ w + tg.ones(12, requires_grad=True)).sum())
    steps = {(step.rule, step.slot): step for step in t.steps if step.equation and step.rule != "sum"}
    assert {k: step.equation.kind for k, step in steps.items()} == {
        ("tanh", 0): "times",
        ("add", 0): "same",
        ("add", 1): "same",
        ("matmul", 1): "matmul",
    }
    for (rule, _), step in steps.items():
        raw, *terms = (t.tensors[ref].sample for ref in (step.raw, *(term.tensor for term in step.equation.terms)))
        if rule == "matmul":
            left, right = terms
            assert (left.rows, right.cols, left.cols) == (raw.rows, raw.cols, right.rows)
        else:
            assert all((term.rows, term.cols) == (raw.rows, raw.cols) for term in terms)


def test_a_rule_is_recognized_whatever_the_gradient_is():
    """Where all of a gradient is 0, or where relu happens to change nothing."""
    x = tg.tensor([[-1.0, 2.0], [3.0, -4.0]], requires_grad=True)
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    t = trace(tg.relu(x), tg.tensor([[0.0, 5.0], [6.0, 0.0]]))
    assert next(step.equation.kind for step in t.steps if step.kind == "contribute") == "times"
    t = trace(x @ w, tg.zeros(2, 2))
    shown = [(step.equation.kind, [(term.role, term.transposed) for term in step.equation.terms]) for step in t.steps if step.raw]
    assert shown == [
        ("matmul", [("gradient", False), ("value", True)]),
        ("matmul", [("value", True), ("gradient", False)]),
    ]


def test_a_product_with_one_row_stands_as_in_the_formula():
    x, w = tg.randn(1, 3, requires_grad=True), tg.randn(2, 3, requires_grad=True)
    t = trace(tg.nn.functional.linear(x, w), tg.randn(1, 2))
    shown = {step.slot: [(term.role, term.transposed) for term in step.equation.terms] for step in t.steps if step.raw}
    assert shown == {0: [("gradient", False), ("value", False)], 1: [("gradient", True), ("value", False)]}


def test_products_with_vectors_stand_as_in_the_formula():
    """Which factor comes first, and which is transposed; also where the numbers of another order would fit as well."""
    w, x, y = tg.randn(2, 3, requires_grad=True), tg.randn(3, requires_grad=True), tg.randn(2, requires_grad=True)
    symmetric = tg.tensor([[1.0, 2.0], [2.0, 1.0]], requires_grad=True)
    linear = tg.nn.functional.linear
    for z in (w @ x, y @ w, symmetric @ y, y @ symmetric, tg.mv(w, x), linear(x, w), linear(y, symmetric)):
        t = trace(z, tg.randn(len(z)))
        for step in t.steps:
            if step.raw is None:
                continue
            left, right = (t.tensors[term.tensor] for term in step.equation.terms)
            assert left.shape[1] == right.shape[0]
            assert np.size(t.tensors[step.raw].data) == left.shape[0] * right.shape[1]
            node = t.node(step.node)
            written = t.rules[node.op].derivatives[t.rules[node.op].inputs[step.slot]]
            names = {"gradient": "g", "value": dict(zip(node.inputs, t.rules[node.op].inputs, strict=False))}
            said = [
                (names["gradient"] if term.role == "gradient" else names["value"][term.node]) + "ᵀ" * term.transposed
                for term in step.equation.terms
            ]
            assert "·".join(said) == written


def test_a_reshape_hands_its_gradient_on():
    t = trace(tg.randn(2, 3, requires_grad=True).reshape(1, 3, 2), tg.randn(1, 3, 2))
    assert [step.equation.kind for step in t.steps if step.raw is not None] == ["same"]
    t = trace(tg.randn(2, 3, requires_grad=True).T, tg.randn(3, 2))
    assert [step.equation.kind for step in t.steps if step.raw is not None] == ["weighted"]


def test_what_takes_part_in_a_result():
    """Of each input of a convolution with two filters: how much each number counts, or whether it does. The image has zeros."""
    image, conv = tg.eye(4)[None, None], tg.nn.Conv2d(1, 2, 3)
    t = trace(conv(image), tg.ones(1, 2, 2, 2))
    weights, kernel, bias = (array(t, term.tensor) for term in t.steps[0].equation.terms[1:])
    assert weights[0, 1, 1, 0, 0, 0, 1:, :3].tolist() == conv.weight[1, 0].tolist()
    assert all((kernel[0, o, r, c, p] == (o == p)).all() for o in (0, 1) for p in (0, 1) for r in (0, 1) for c in (0, 1))
    assert (bias == np.eye(2)[None, :, None, None]).all()


def test_what_a_largest_number_is_chosen_from():
    x = tg.tensor(np.random.default_rng(0).normal(size=(1, 1, 4, 5)), requires_grad=True)
    for z in (tg.nn.functional.max_pool2d(x, 2, padding=1), x.amax(-1), x.amin(2), x.max()):
        t = trace(z, tg.ones_like(z))
        (step,) = (step for step in t.steps if step.kind == "op")
        values, among = (array(t, term.tensor) for term in step.equation.terms)
        choose = {"largest": np.max, "smallest": np.min}[step.equation.kind]
        chosen = [choose(values[each == 1]) for each in among.reshape(-1, *x.shape)]
        np.testing.assert_array_equal(np.reshape(chosen, z.shape), z.detach().numpy())
        if z.ndim == 4:  # a window over the edge, and one inside
            assert np.argwhere(among[0, 0, 0, 0]).tolist() == [[0, 0, 0, 0]]
            assert np.argwhere(among[0, 0, 1, 1]).tolist() == [[0, 0, r, c] for r in (1, 2) for c in (1, 2)]
    relu, part = tg.relu(abs(x)), x[..., 1:].flip(-1)
    for z in (relu, part, x.sort()[0]):  # made of the same numbers, but nothing is compared
        kinds = [step.equation.kind for step in trace(z, tg.ones_like(z)).steps if step.kind == "op" and step.equation]
        assert not {"largest", "smallest"} & set(kinds)


def test_tensors_on_a_gpu(monkeypatch):
    strict_cupy.install(monkeypatch)
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], device="cuda", requires_grad=True)
    b = tg.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = tg.tanh(x @ x + b)
    loss = (y * y).sum()
    t = trace(loss)
    assert {step.equation.kind for step in t.steps if step.equation} == {"same", "times", "matmul", "weighted"}
    assert [edge.src for edge in t.edges][:2] == ["v0", "v0"]
    loss.backward()
    assert trace(loss) == t
    assert check_graph(loss)
    assert "x.grad = " in str(explain(x))
    assert "∂loss/∂b[0] = " in str(explain(b, element=0))
    assert zoom(x @ x).nodes


# -- names and sources ---------------------------------------------------------------------------------------------------
def names(t: Trace) -> list[str]:
    return [node.name for node in t.nodes]


def test_names_in_order_of_preference():
    w = tg.tensor(2.0, requires_grad=True)
    params = {"bias": tg.tensor(1.0, requires_grad=True)}
    given = tg.tensor(1.0, requires_grad=True, name="an explicit name")
    h = w * given
    h = h + params["bias"]
    loss = (h * h).sum()
    assert names(trace(loss)) == ["w", "an explicit name", "bias", "h⁽¹⁾", "h⁽²⁾", "v5", "loss"]


def test_names_when_the_variables_are_gone():
    def forward():
        weight = tg.tensor(2.0, requires_grad=True)
        hidden = tg.tanh(weight * 3)
        return hidden * hidden

    assert names(trace(forward())) == ["weight", "v1", "hidden", "v3"]


def test_an_expression_that_records_several_operations_names_the_last():
    """Only the last is what it says; those on the way are written with the names of what they are made from."""
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    spread = tg.var(x)
    t = trace(spread * 1)
    assert names(t).count("spread") == 1
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Tanh())
    y = model(x)
    found = [node.expr for node in trace(y.sum()).nodes if node.op]
    assert found == ["linear(x, 0.weight, 0.bias)", "tanh(v3)", "model(x)", "y.sum()"]


def test_source_expressions():
    é = tg.tensor([1.0], requires_grad=True)  # columns are counted in characters, not in bytes
    loss = ("é", (é * 2).tanh()
                 .sum())[1]  # fmt: skip
    t = trace(loss)
    assert [node.expr for node in t.nodes] == [None, "é * 2", "(é * 2).tanh()", "(é * 2).tanh() .sum()"]
    assert t.title == "(é * 2).tanh() .sum()"
    span = t.node("v1").src
    lines = t.sources[span.source]
    assert span.source == "test_trace.py"
    assert lines[span.line][span.column : span.end_column] == "é * 2"
    assert len(lines) < 20


def run(text: str, filename: str, known: bool = True, **space) -> dict:
    """The variables of a program with this file name."""
    if known:
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    space |= {"tg": tg, "trace": trace}
    exec(compile(text, filename, "exec"), space)
    return space


def test_a_cell_that_python_cannot_parse_still_shows_its_text():
    text = "x = tg.tensor(1.0, requires_grad=True)\ny = x * x\nt = trace(y)\n"
    linecache.cache["<a cell>"] = (1, None, ("%time\n" + text).splitlines(keepends=True), "<a cell>")
    space: dict = {"tg": tg, "trace": trace}
    exec(compile("\n" + text, "<a cell>", "exec"), space)
    assert space["t"].nodes[-1].expr == "x * x"


def test_an_unknown_source_is_written_in_names():
    t = run("x = tg.tensor(1.0, requires_grad=True)\nt = trace((x * 2).tanh())\n", "<nowhere>", known=False)["t"]
    assert [node.expr for node in t.nodes[1:]] == ["x * 2", "tanh(v1)"]
    assert t.sources == {}
    assert t.nodes[1].src is None


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_the_prompt():
    """What is typed at Python's prompt is known too, each input with its own lines."""
    import pty

    typed = [
        "import tinygrad_edu as tg; from tinygrad_edu.see import trace; print('rea' + 'dy')",
        "x = tg.tensor(1.0, requires_grad=True)",
        "def square(a):",
        "    return a * a",
        "",
        "y = square(x) + x",
        "t = trace(y); print('found', [n.expr for n in t.nodes], [list(s.values()) for s in t.sources.values()])",
    ]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PYTHONPATH": os.getcwd(), "PYTHON_BASIC_REPL": "1"}
    with subprocess.Popen([sys.executable, "-q"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        for line in typed:
            os.write(ours, line.encode() + b"\n")
            answer = "ready" if line is typed[0] else "... " if line.startswith(("def", " ")) else ">>> "
            said, ends = "", time.monotonic() + 60
            while answer not in said and time.monotonic() < ends:
                if select.select([ours], [], [], 0.2)[0]:
                    said += os.read(ours, 65536).decode(errors="ignore")
        process.kill()
    os.close(ours)
    assert "found [None, 'a * a', 'square(x) + x']" in said
    assert "[['def square(a):', '    return a * a'], ['y = square(x) + x']]" in said


def test_a_command():
    program = """import tinygrad_edu as tg; from tinygrad_edu.see import trace
x = tg.tensor(1.0, requires_grad=True)
t = trace(tg.tanh(x * 2)); print([n.expr for n in t.nodes], t.sources["command"][3][:21])"""
    found = subprocess.run([sys.executable, "-Wignore", "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[None, 'x * 2', 'tg.tanh(x * 2)'] t = trace(tg.tanh(x *\n"


def test_two_files_of_one_name():
    square = run("def square(x):\n    return x * x\n", "/a/model.py")["square"]
    t = run("x = tg.tensor(1.0, requires_grad=True)\nt = trace(square(x) + 1)\n", "/b/model.py", square=square)["t"]
    assert t.sources == {
        "model.py⁽¹⁾": {1: "def square(x):", 2: "    return x * x"},
        "model.py⁽²⁾": {1: "x = tg.tensor(1.0, requires_grad=True)", 2: "t = trace(square(x) + 1)"},
    }


def test_attributes():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    t = trace((x**3)[:, 1:].sum(dim=1), tg.ones(1))
    attrs = [node.attrs for node in t.nodes]
    assert attrs[1] == {"exponent": 3}
    assert attrs[3]["dim"] == 1
    pooled = tg.nn.functional.max_pool2d(tg.ones(1, 1, 4, 4, requires_grad=True), 2)
    assert trace(pooled.sum()).nodes[1].attrs == {"windows": "2×2 of 2×2"}


# -- groups --------------------------------------------------------------------------------------------------------------
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 3)])
        self.cell = nn.Linear(3, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        for _ in range(2):
            x = self.cell(x)
        return x


def test_modules_are_groups():
    model, x = Net(), tg.ones(4, 2)
    loss = model(x).sum()
    t = trace(loss)
    assert [(g.path, g.kind, g.parent) for g in t.modules] == [
        ("model", "Net", None),
        ("model.layers.0", "Linear", "model"),
        ("model.layers.1", "Linear", "model"),
        ("model.cell #1", "Linear", "model"),
        ("model.cell #2", "Linear", "model"),
        ("model.cell", "Linear", "model"),
    ]
    where = {node.name: node.module for node in t.nodes}
    assert where["layers.0.weight"] == "model.layers.0"
    assert where["cell.bias"] == "model.cell"
    assert where["x⁽¹⁾"] is None or where["x⁽¹⁾"] == "model"
    assert where["loss"] is None


def test_layers_of_their_own():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    t = trace(b(a(tg.ones(1, 2))).sum())
    assert [g.path for g in t.modules] == ["a", "b"]
    assert {"a.weight", "b.weight"} <= set(names(t))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.body(x))


def test_groups_of_a_model_that_is_gone():
    def make():
        inner = Two()
        return (inner(tg.ones(2, 3)) ** 2).mean(), weakref.ref(inner), weakref.ref(inner.body[0])

    loss, *modules = make()
    assert [module() for module in modules] == [None, None]  # the graph does not keep it
    nothing = None  # a variable, but not the name of what is gone
    gone = trace(loss)
    assert nothing is None
    whole = Two()
    there = trace((whole(tg.ones(2, 3)) ** 2).mean())
    assert {g.path: g.kind for g in gone.modules} == {g.path.replace("whole", "Two"): g.kind for g in there.modules}
    assert len(gone.modules) == 5
    assert [node.module for node in gone.nodes] == [node.module and node.module.replace("whole", "Two") for node in there.nodes]
    assert "body.0.weight" in [node.name for node in gone.nodes]


def test_a_trace_keeps_no_model():
    def make():
        inner = Two()
        trace(inner(tg.ones(2, 3)).sum())
        return weakref.ref(inner.head.weight)

    weight = make()
    gc.collect()
    assert weight() is None


def test_groups_by_hand():
    h = tg.tensor(1.0, requires_grad=True)
    with group("outer"):
        for _ in range(2):
            with group("inner"):
                h = h * 2
        with group(3):
            h = h + 1
    t = trace(h)
    assert [g.path for g in t.modules] == ["outer", "outer.inner #1", "outer.inner #2", "outer.3"]
    assert [node.module for node in t.nodes] == [None, "outer.inner #1", "outer.inner #2", "outer.3"]


def test_each_round_of_a_loop_makes_a_value_of_the_variable():
    def looped():
        w, h = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), tg.ones(2)
        for _ in range(3):
            h = w @ h
        for _ in range(2):
            h = tg.tanh(h)
        for _ in range(2):
            h *= 2
        return h

    t = trace(looped(), tg.ones(2))
    made = [(node.name, node.expr) for node in t.nodes if node.op]
    assert made == list(zip([f"h⁽{i}⁾" for i in "²³⁴⁵⁶⁷⁸"], ["w @ h"] * 3 + ["tg.tanh(h)"] * 2 + ["h *= 2"] * 2, strict=True))


def test_what_a_function_in_pytorchs_style_is_applied_to_has_its_name():
    class Times(tg.autograd.Function):
        @staticmethod
        def forward(ctx, k, x):
            ctx.k = k
            return x * k

        @staticmethod
        def backward(ctx, g):
            return None, g * ctx.k

    def applied():
        x = tg.ones(2, requires_grad=True)
        return Times.apply(3, x)

    assert [node.name for node in trace(applied(), tg.ones(2)).nodes if not node.op] == ["x"]


def test_a_function_of_a_module_is_no_method_of_it():
    def computed():
        x, weight = tg.ones(2, requires_grad=True), tg.ones(3, 2, requires_grad=True)
        return tg.nn.functional.linear(x, weight=weight), tg.nn.functional.linear(x, weight), x.mul(x.exp())

    by_keyword, by_place, method = (trace(z, tg.ones(len(z))) for z in computed())
    assert [node.name for node in by_keyword.nodes if not node.op] == ["x", "v1"]
    assert [node.name for node in by_place.nodes if not node.op] == ["x", "weight"]
    assert [node.name for node in method.nodes if not node.op] == ["x"]


def test_a_module_called_inside_groups_by_hand():
    cell = nn.Linear(2, 2)
    h = tg.ones(1, 2)
    for step in range(2):
        with group(f"step {step}"):
            h = cell(h)
    t = trace(h.sum())
    assert [g.path for g in t.modules] == ["step 0", "step 0.cell", "step 1", "step 1.cell", "cell"]
    assert {node.name: node.module for node in t.nodes if node.requires_grad and not node.op} == {
        "weight": "cell",
        "bias": "cell",
    }


def test_the_steps_of_a_loop_that_uses_its_weights_again_are_groups():
    w = tg.randn(2, 2, requires_grad=True)
    h, sequence = tg.zeros(1, 2), tg.randn(3, 1, 2)
    first = w * 2
    for x in sequence:
        h = tg.tanh(h @ w + x)
        if h.shape == (0,):
            break
    t = trace((h * h).sum() + first.sum())
    assert [(g.path, g.kind, g.parent) for g in t.modules] == [(f"step {i}", "group", None) for i in (1, 2, 3)]
    inside = [(node.op, node.module) for node in t.nodes if node.module]
    assert inside == [(op, f"step {i}") for i in (1, 2, 3) for op in ("matmul", "add", "tanh")]


def test_the_steps_of_cells_in_a_module_are_groups():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.ih, self.hh = nn.Linear(2, 3), nn.Linear(3, 3)

        def forward(self, sequence):
            h = None
            for x in sequence:
                h = tg.tanh(self.ih(x)) if h is None else tg.tanh(self.ih(x) + self.hh(h))
            return h

    reader = Reader()
    t = trace(reader(tg.randn(4, 1, 2)).sum())
    steps = [g.path for g in t.modules if g.parent == "reader" and "step" in g.path]
    assert steps == [f"reader.step {i}" for i in (1, 2, 3, 4)]
    last = [g.path for g in t.modules if g.parent == steps[-1]]
    assert last == ["reader.step 4.ih", "reader.step 4.hh"]


def test_layers_on_one_another_are_no_steps_in_time():
    weights = [tg.randn(2, 2, requires_grad=True) for _ in range(3)]
    h = tg.randn(1, 2)
    for w in weights:
        h = tg.tanh(h @ w)
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for layer in layers:
        h = tg.tanh(layer(h))
    del layer
    assert [g.path for g in trace(h.sum()).modules] == ["layers.0", "layers.1"]


def test_a_forward_pass_that_failed_leaves_no_group_behind():
    model = Net()
    with pytest.raises(RuntimeError):
        model(tg.ones(4, 5))
    loss = model(tg.ones(4, 2)).sum()
    assert [g.path for g in trace(loss).modules if g.parent is None] == ["model"]


def test_an_operation_that_cannot_be_asked_twice():
    """A trace may ask an operation for its numbers again, to show how they add up; one that refuses is traced all the same."""
    asked = []

    @tg.op(dx=lambda g, z, x: 2 * g)
    def only_once(x):
        """z = 2·x;  ∂x = 2·g"""
        if asked:
            raise RuntimeError("asked twice")
        asked.append(x)
        return 2 * x

    try:
        loss = only_once(tg.tensor([1.0, 2.0], requires_grad=True)).sum()
        assert [step.kind for step in trace(loss).steps][-1] == "done"
    finally:
        del registry["only_once"]


def test_a_number_in_little_room_is_that_number():
    """Within half of its last digit: of three, below 0.1 of two."""
    rng = np.random.default_rng(0)
    for value in [
        *(10 ** rng.uniform(-9, 9, 2000) * rng.choice([-1, 1], 2000)),
        100.4,
        999.6,
        1199.77,
        -3008.08,
        0.00154,
        2e5,
        99999.4,
    ]:
        shown = float(short(value).replace("−", "-"))
        assert shown == pytest.approx(value, rel=0.0051 if 0.1 <= abs(value) < 1e5 else 0.051)
