"""Recurrent layers: loops by hand, transposes, directions, packed sequences, refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn
from tinygrad_edu.errors import DtypeError, ShapeError
from tinygrad_edu.nn.utils import rnn as packing
from tinygrad_edu.testing import gradcheck, gradgradcheck

KINDS = ["RNN", "LSTM", "GRU"]
every_kind = pytest.mark.parametrize("kind", KINDS)
sizes = st.integers(1, 4)


def normal(*shape: int) -> Tensor:
    return tg.randn(*shape, dtype=tg.float64)


def states_of(last: Any) -> list[Tensor]:
    """What a layer returns as its last states, as a list."""
    return list(last) if isinstance(last, tuple) else [last]


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.numpy(force=True), b.numpy(force=True), rtol=1e-9, atol=1e-12)


def weights(layer: Any, number: int = 0, direction: str = "") -> dict[str, Tensor]:
    """The parameters of one layer in one direction, under the names of a cell or of a layer alone."""
    end = f"_l{number}{direction}"
    return {name.removesuffix(end): p.detach() for name, p in layer.named_parameters() if name.endswith(end)}


# -- what a layer computes -------------------------------------------------------------------------------------------
@every_kind
@given(steps=sizes, batch=sizes, inputs=sizes, hidden=sizes, layers=st.integers(1, 2), bias=st.booleans())
@settings(max_examples=10, deadline=None)
def test_a_layer_is_its_cell_in_a_loop(
    kind: str, steps: int, batch: int, inputs: int, hidden: int, layers: int, bias: bool
) -> None:
    layer = getattr(nn, kind)(inputs, hidden, layers, bias=bias, dtype=tg.float64)
    x = normal(steps, batch, inputs).requires_grad_()
    output, last = layer(x)
    found = list(x.unbind())
    for number in range(layers):
        cell = getattr(nn, kind + "Cell")(found[0].shape[1], hidden, bias=bias, dtype=tg.float64)
        cell.load_state_dict(weights(layer, number))
        state: Any = None
        for t, step in enumerate(found):
            state = cell(step, state)
            found[t] = states_of(state)[0]
        for whole, one in zip(states_of(last), states_of(state), strict=True):
            close(whole[number], one)
    close(output, tg.stack(found))
    seed = normal(*output.shape)
    close(tg.autograd.grad(output, x, seed)[0], tg.autograd.grad(tg.stack(found), x, seed)[0])


@every_kind
@given(steps=sizes, batch=sizes, bidirectional=st.booleans())
@settings(max_examples=10, deadline=None)
def test_batch_first_is_a_transpose_and_no_batch_is_a_batch_of_one(
    kind: str, steps: int, batch: int, bidirectional: bool
) -> None:
    layer = getattr(nn, kind)(3, 2, 2, bidirectional=bidirectional, dtype=tg.float64)
    other = copy.deepcopy(layer)
    other.batch_first = True
    x = normal(steps, batch, 3)
    output, last = layer(x)
    transposed, again = other(x.transpose(0, 1))
    close(output, transposed.transpose(0, 1))
    alone, last_alone = layer(x[:, 0])
    close(alone, output[:, 0])
    for a, b, c in zip(states_of(last), states_of(again), states_of(last_alone), strict=True):
        close(a, b)
        close(a[:, 0], c)


@every_kind
def test_the_second_direction_is_a_layer_on_the_reversed_sequence(kind: str) -> None:
    both = getattr(nn, kind)(3, 2, bidirectional=True, dtype=tg.float64)
    backwards = getattr(nn, kind)(3, 2, dtype=tg.float64)
    backwards.load_state_dict({f"{name}_l0": w for name, w in weights(both, 0, "_reverse").items()})
    x = normal(4, 2, 3)
    (output, last), (flipped, last_flipped) = both(x), backwards(x.flip(0))
    close(output[..., 2:], flipped.flip(0))
    for a, b in zip(states_of(last), states_of(last_flipped), strict=True):
        close(a[1], b[0])


@every_kind
def test_a_sequence_can_be_continued(kind: str) -> None:
    layer = getattr(nn, kind)(3, 2, 2, dtype=tg.float64)
    x = normal(5, 2, 3)
    whole, last = layer(x)
    first, state = layer(x[:2])
    second, end = layer(x[2:], state)
    close(whole, tg.cat([first, second]))
    for a, b in zip(states_of(last), states_of(end), strict=True):
        close(a, b)


@pytest.mark.parametrize("kind", [*KINDS, "relu"])
def test_gradients(kind: str) -> None:
    """First and second derivatives through two layers in two directions, in inputs, states and weights."""
    settings = {"nonlinearity": "relu"} if kind == "relu" else {}
    layer = getattr(nn, "RNN" if kind == "relu" else kind)(2, 1, 2, bidirectional=True, dtype=tg.float64, **settings)
    names = [name for name, _ in layer.named_parameters()]
    states = [normal(4, 1, 1).requires_grad_() for _ in range(layer.states)]

    def run(x: Tensor, *given: Tensor) -> list[Tensor]:
        for name, w in zip(names, given[layer.states :], strict=True):
            object.__setattr__(layer, name, w)
        output, last = layer(x, given[: layer.states] if kind == "LSTM" else given[0])
        return [output, *states_of(last)]

    inputs = [normal(3, 1, 2).requires_grad_(), *states, *(p.detach().clone().requires_grad_() for p in layer.parameters())]
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)


@every_kind
def test_a_second_backward_and_a_look_at_it_find_the_same(kind: str) -> None:
    """The rules use what the forward pass kept, or compute it again when it was let go."""
    layer, x = getattr(nn, kind)(3, 2, dtype=tg.float64), normal(4, 2, 3).requires_grad_()
    output, last = layer(x)
    loss = sum(((state * normal(*state.shape)).sum() for state in [output, *states_of(last)]), tg.tensor(0.0))
    inputs = [x, *layer.parameters()]
    first = tg.autograd.grad(loss, inputs, retain_graph=True)
    loss.backward()
    found = {step.to: step.after for step in tg.autograd.steps(loss) if step.kind == "contribute"}
    for once, leaf in zip(first, inputs, strict=True):
        close(once, leaf.grad)
        np.testing.assert_allclose(found[leaf], leaf.grad.numpy(), rtol=1e-9, atol=1e-12)


@every_kind
def test_derivatives_of_derivatives_start_from_the_same_gradients(kind: str) -> None:
    """Also where one tensor is several inputs: a layer whose first states are made of one another, and of its weights."""
    layer, h = getattr(nn, kind)(3, 2, dtype=tg.float64), normal(1, 2, 2).requires_grad_()
    h0 = h * layer.weight_hh_l0.sum()
    output, last = layer(normal(4, 2, 3), (h0, h0) if kind == "LSTM" else h0)
    loss = sum(((state**2).sum() for state in [output, *states_of(last)]), tg.tensor(0.0))
    inputs = [h, *layer.parameters()]
    by_rule = tg.autograd.grad(loss, inputs, retain_graph=True)
    for a, b in zip(by_rule, tg.autograd.grad(loss, inputs, create_graph=True), strict=True):
        assert b.requires_grad
        close(a, b)


def test_gates_close_and_open() -> None:
    """An LSTM whose forget gate is open and whose input gate is closed keeps its cell state, and its gradient, for ever."""
    layer = nn.LSTM(1, 1, dtype=tg.float64)
    with tg.no_grad():
        for p in layer.parameters():
            p.zero_()
        layer.bias_ih_l0.copy_(tg.tensor([-100.0, 100.0, 0.0, 0.0]))
    c = tg.full((1, 1, 1), 0.7, dtype=tg.float64, requires_grad=True)
    _, (_, last) = layer(normal(200, 1, 1), (tg.zeros(1, 1, 1, dtype=tg.float64), c))
    assert last.item() == pytest.approx(0.7)
    assert tg.autograd.grad(last.sum(), c)[0].item() == pytest.approx(1.0)


@every_kind
def test_large_numbers_do_not_overflow(kind: str) -> None:
    layer = getattr(nn, kind)(2, 3)
    x = tg.tensor([[[1e4, -1e4]], [[-1e30, 1e30]]], requires_grad=True)
    output, _ = layer(x)
    output.sum().backward()
    assert np.isfinite(output.numpy(force=True)).all()
    assert np.isfinite(x.grad.numpy()).all()  # type: ignore[union-attr]


def test_dropout_acts_between_layers_and_only_while_training() -> None:
    layer = nn.GRU(3, 4, 2, dropout=1.0)
    x = tg.randn(5, 2, 3)
    trained, _ = layer(x)
    other, _ = layer(x * 2)
    close(trained, other)  # nothing reaches the second layer
    layer.eval()
    assert not np.allclose(layer(x)[0].numpy(force=True), layer(x * 2)[0].numpy(force=True))
    with pytest.warns(UserWarning, match="between layers"):
        nn.GRU(3, 4, dropout=0.5)


@every_kind
def test_it_learns_to_remember(kind: str) -> None:
    """The first of several numbers, at the end of the sequence."""
    tg.manual_seed(0)
    layer, out = getattr(nn, kind)(1, 8), nn.Linear(8, 1)
    optimizer = tg.optim.Adam([*layer.parameters(), *out.parameters()], lr=0.03)
    x = tg.rand(4, 64, 1)
    loss = tg.tensor(1.0)
    for _ in range(200):
        loss = ((out(layer(x)[0][-1]) - x[0]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


# -- packed sequences ------------------------------------------------------------------------------------------------
lengths_of_sequences = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@every_kind
@given(lengths=lengths_of_sequences, bidirectional=st.booleans())
@settings(max_examples=12, deadline=None)
def test_packed_sequences_are_as_if_each_were_alone(kind: str, lengths: list[int], bidirectional: bool) -> None:
    layer = getattr(nn, kind)(2, 3, 2, bidirectional=bidirectional, dtype=tg.float64)
    sequences = [normal(length, 2).requires_grad_() for length in lengths]
    output, last = layer(packing.pack_sequence(sequences, enforce_sorted=False))
    found = packing.unpack_sequence(output)
    for i, (x, z) in enumerate(zip(sequences, found, strict=True)):
        alone, last_alone = layer(x)
        close(z, alone)
        for a, b in zip(states_of(last), states_of(last_alone), strict=True):
            close(a[:, i], b)
        seed = normal(*z.shape)
        close(tg.autograd.grad(z, x, seed, retain_graph=True)[0], tg.autograd.grad(alone, x, seed)[0])


@given(lengths=lengths_of_sequences, batch_first=st.booleans(), extra=st.integers(0, 2))
@settings(max_examples=20, deadline=None)
def test_packing_and_padding_undo_each_other(lengths: list[int], batch_first: bool, extra: int) -> None:
    sequences = [normal(length, 2) for length in lengths]
    padded = packing.pad_sequence(sequences, batch_first, -1.0)
    packed = packing.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert len(packed.data) == sum(lengths)
    again, found = packing.pad_packed_sequence(packed, batch_first, -1.0, total_length=max(lengths) + extra)
    assert found.tolist() == lengths
    close(again.narrow(1 if batch_first else 0, 0, max(lengths)), padded)
    for x, y in zip(packing.unpad_sequence(padded, lengths, batch_first), sequences, strict=True):
        close(x, y)


def test_padding_on_the_left() -> None:
    padded = packing.pad_sequence([tg.tensor([1, 2]), tg.tensor([3])], batch_first=True, padding_value=9, padding_side="left")
    assert padded.tolist() == [[1, 2], [9, 3]]


# -- names and refusals ----------------------------------------------------------------------------------------------
def test_names() -> None:
    layer = nn.LSTM(3, 4, 2, bidirectional=True)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert list(layer.state_dict()) == [f"{k}_l{n}{d}" for n in (0, 1) for d in ("", "_reverse") for k in kinds]
    assert [len(group) for group in layer.all_weights] == [4] * 4
    assert layer.flatten_parameters() is None
    assert repr(layer) == "LSTM(3, 4, num_layers=2, bidirectional=True)"
    assert all(abs(p.numpy(force=True)).max() <= 0.5 for p in layer.parameters())


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: nn.LSTM(3, 4, proj_size=2), NotImplementedError, "nn.Linear"),
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, "tanh"),
    (lambda: nn.GRU(3, 0), ValueError, "above 0"),
    (lambda: nn.GRU(3, 4.0), TypeError, "ints"),  # type: ignore[arg-type]
    (lambda: nn.GRU(3, 4, 2, dropout=1.5), ValueError, "probability"),
    (lambda: nn.RNN(3, 4)(tg.ones(2)), ValueError, "3 dims"),
    (lambda: nn.RNN(3, 4)(tg.ones(5, 2, 2)), ShapeError, "input_size = 3"),
    (lambda: nn.RNN(3, 4)(tg.ones(0, 2, 3)), ShapeError, "one step"),
    (lambda: nn.RNN(3, 4)(tg.ones(5, 2, 3, dtype=tg.float64)), DtypeError, "float64"),
    (lambda: nn.RNN(3, 4)(tg.ones(5, 2, 3), tg.ones(1, 1, 4)), ShapeError, r"\(1, 2, 4\)"),
    (lambda: nn.RNN(3, 4)(tg.ones(5, 3), tg.ones(1, 1, 4)), ShapeError, r"\(1, 4\)"),
    (lambda: nn.LSTM(3, 4)(tg.ones(5, 2, 3), tg.ones(1, 2, 4)), TypeError, "two"),
    (lambda: nn.LSTM(3, 4)(tg.ones(5, 2, 3), (tg.ones(1, 2, 4), tg.ones(1, 1, 4))), ShapeError, "first state"),
    (lambda: nn.GRUCell(3, 4)(tg.ones(2, 2)), ShapeError, "weights"),
    (lambda: nn.GRUCell(3, 4)(tg.ones(2, 3), tg.ones(1, 4)), ShapeError, "state"),
    (lambda: nn.GRUCell(3, 4)(tg.ones(2, 1, 3)), ValueError, "2 dims"),
    (lambda: packing.pack_padded_sequence(tg.ones(3, 2), [1, 3]), RuntimeError, "enforce_sorted=False"),
    (lambda: packing.pack_padded_sequence(tg.ones(3, 2), [3, 0]), RuntimeError, "between 1 and 3"),
    (lambda: packing.pack_padded_sequence(tg.ones(3, 2), [4, 3]), RuntimeError, "between 1 and 3"),
    (lambda: packing.pack_padded_sequence(tg.ones(3, 2), [3]), ShapeError, "each of 2"),
    (lambda: packing.pack_padded_sequence(tg.ones(3, 2), [2.7, 1.2]), ShapeError, "a whole number"),
    (lambda: packing.unpad_sequence(tg.ones(3, 2), [-1, 1]), RuntimeError, "between 0 and 3"),
    (lambda: packing.pad_sequence([]), RuntimeError, "no sequences"),
    (lambda: packing.pad_sequence([tg.ones(3, 2), tg.ones(2, 3)]), ShapeError, "dim 0"),
    (lambda: packing.pad_packed_sequence(packing.pack_sequence([tg.ones(3)]), total_length=2), ValueError, "total_length"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "says"), REFUSED)
def test_refusals(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_last_states_are_in_memory_of_their_own(kind: Any, steps: int) -> None:
    output, last = kind(2, 3)(tg.ones(steps, 4, 2))
    before = output.tolist()
    state = last[0] if isinstance(last, tuple) else last
    state.detach_()
    state.zero_()
    assert output.tolist() == before
    assert output.requires_grad
