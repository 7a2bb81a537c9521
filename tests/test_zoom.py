"""zoom: the scalar graph computes what the operation does, forwards and backwards."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd, draw, nn
from tinygrad_edu.errors import GraphError
from tinygrad_edu.see import ZoomError, play, trace, zoom

functional = nn.functional


def inputs():
    tg.manual_seed(3)
    return {
        "x": tg.randn(2, 3, requires_grad=True, dtype="float64"),
        "w": tg.randn(3, 2, requires_grad=True, dtype="float64"),
        "b": tg.randn(2, requires_grad=True, dtype="float64"),
    }


OPENED = {
    "matmul": lambda x, w, b: x @ w,
    "broadcast": lambda x, w, b: w + b,
    "linear": lambda x, w, b: functional.linear(x, w.detach().T, b),
    "tanh": lambda x, w, b: x.tanh(),
    "relu": lambda x, w, b: tg.relu(x),
    "sum": lambda x, w, b: x.sum(0),
    "sum to a scalar": lambda x, w, b: x.sum(),
    "mean": lambda x, w, b: x.mean(1),
    "prod": lambda x, w, b: w.prod(),
    "softmax": lambda x, w, b: tg.softmax(x, 1),
    "transpose": lambda x, w, b: x.T,
    "slice": lambda x, w, b: x[0, 1:],
    "cat": lambda x, w, b: tg.cat((x, w.detach().T)),
    "power": lambda x, w, b: x**3,
    "cumsum": lambda x, w, b: x.cumsum(0),
    "maximum": lambda x, w, b: x.amax(1),
    "cross-entropy": lambda x, w, b: functional.cross_entropy(x, tg.tensor([0, 2])),
    "logsumexp": lambda x, w, b: tg.logsumexp(x, 1),
    "norm": lambda x, w, b: tg.norm(x),
    "norm of columns": lambda x, w, b: tg.linalg.vector_norm(x, dim=0, keepdim=True),
    "3-norm": lambda x, w, b: tg.linalg.vector_norm(x, 3, dim=1),
    "variance": lambda x, w, b: x.var(1),
    "layer norm": lambda x, w, b: functional.layer_norm(x, (3,)),
    "convolution": lambda x, w, b: functional.conv2d(x[None, None], w[None, None, :2], padding=1),
    "max pooling": lambda x, w, b: functional.max_pool2d(x[None, None], 2, stride=1, padding=1),
    "padding": lambda x, w, b: functional.pad(x, (1, 0), value=2.0),
    "triangle": lambda x, w, b: tg.tril(x),
    "determinant": lambda x, w, b: tg.linalg.det(x @ w),
    "determinant of 3×3": lambda x, w, b: tg.linalg.det(w @ x + tg.eye(3, dtype=tg.float64)),
    "inverse": lambda x, w, b: tg.linalg.inv(x @ w),
    "linear equations": lambda x, w, b: tg.linalg.solve(x @ w, b),
    "squared error": lambda x, w, b: functional.mse_loss(b, tg.tensor([1.0, 2.0], dtype="float64")),
}


@pytest.mark.parametrize("name", OPENED)
def test_the_scalar_graph_computes_the_same(name):
    given = inputs()
    z = OPENED[name](**given)
    g = np.random.default_rng(0).normal(size=z.shape)
    loss = (z * tg.tensor(g)).sum()
    t = zoom(z, loss)

    def data(ref):
        return np.array(t.tensors[ref].data, float)

    last = t.node(t.loss)
    np.testing.assert_allclose(data(last.value), z.numpy(force=True).reshape(-1), rtol=1e-6)
    expected = {n: autograd.grad(z, x, tg.tensor(g), retain_graph=True, allow_unused=True)[0] for n, x in given.items()}
    for node, ref in t.steps[-1].gradients.items():
        found = re.fullmatch(r"(\w+)\[(.*)\]", t.node(node).name)
        assert found is not None
        index = tuple(map(int, found[2].split(", ")))
        if found[1] in given:
            np.testing.assert_allclose(data(ref), expected[found[1]].numpy()[index], rtol=1e-6, atol=1e-12)
    assert all(node.shape == [1] for node in t.nodes[:-1])


def test_a_matrix_product_is_multiplications_and_sums():
    given = inputs()
    z = given["x"] @ given["w"]
    t = zoom(z)
    ops = [node.op for node in t.nodes if node.op]
    assert (ops.count("mul"), ops.count("add"), ops.count("cat")) == (12, 8, 1)
    assert [node.name for node in t.nodes if node.name.startswith("z")] == ["z[0, 0]", "z[0, 1]", "z[1, 0]", "z[1, 1]", "z"]
    assert "<B>w[2, 1]</B>" in draw(t).dot
    assert t.title == "z: matmul of 2×3 and 3×2, number by number"
    assert given["x"].grad is None


LAYERS = {
    "RNN": lambda: nn.RNN(2, 3, batch_first=True, dtype="float64"),
    "RNN with relu": lambda: nn.RNN(2, 3, nonlinearity="relu", batch_first=True, dtype="float64"),
    "LSTM": lambda: nn.LSTM(2, 3, batch_first=True, dtype="float64"),
    "GRU": lambda: nn.GRU(2, 3, batch_first=True, dtype="float64"),
    "GRU without biases": lambda: nn.GRU(2, 3, bias=False, batch_first=True, dtype="float64"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_recurrent_layer_opens_into_its_steps_in_time(kind):
    tg.manual_seed(0)
    layer, sequence = LAYERS[kind](), tg.randn(1, 4, 2, dtype="float64")
    out, _ = layer(sequence)
    loss = (out * tg.randn(1, 4, 3, dtype="float64")).sum()
    whole = trace(loss)
    fused = next(node for node in whole.nodes if (node.op or "").endswith("_steps"))
    t = zoom(out, loss)

    def data(trace, ref):
        numbers = trace.tensors[ref]
        return np.array(numbers.data or numbers.sample.data, float)

    np.testing.assert_allclose(data(t, t.node(t.loss).value), data(whole, fused.value), rtol=1e-12)
    for step in whole.steps:
        if step.kind == "contribute" and step.node == fused.id:
            same = next(n for n in t.nodes if n.op is None and n.name == whole.node(step.to).name)
            np.testing.assert_allclose(data(t, t.steps[-1].gradients[same.id]), data(whole, step.raw), rtol=1e-10)
    assert [g.path for g in t.modules] == [f"step {k}" for k in range(4)]
    assert {f"{t.node(t.loss).name}[3]", "h", "weight_hh_l0"} <= {node.name for node in t.nodes}
    assert [g.name for g in t.nodes if g.src] == [t.node(t.loss).name]


def test_what_cannot_be_opened_says_so():
    x = tg.randn(3, 4, requires_grad=True)
    with pytest.raises(ZoomError, match="up to 64 elements"):
        zoom(tg.ones(9, 9, requires_grad=True) * 2)
    big = tg.ones(8, 8, requires_grad=True)
    with pytest.raises(ZoomError, match="needs"):
        zoom(big @ big)
    with pytest.raises(ZoomError, match="not made of arithmetic"):
        zoom(tg.linalg.cholesky(x @ x.T))
    with pytest.raises(GraphError, match="leaf"):
        zoom(x)
    with pytest.raises(GraphError, match="not made from"):
        zoom(x * 2, (x * 3).sum())


class Scaled(autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        ctx.save_for_backward(x)
        ctx.k = k
        return x * x * k

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x * ctx.k, None


def test_a_function_in_pytorchs_style_stays_closed():
    x = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    z = Scaled.apply(x, 3)
    with pytest.raises(ZoomError, match=r"Scaled is an autograd\.Function, whose forward records nothing"):
        zoom(z)
    page = play(z.sum())  # the other operations can be opened
    assert page.trace.steps[-1].kind == "done"
    assert "autograd.Function" in page.html
