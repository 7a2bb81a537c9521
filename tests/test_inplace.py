"""Changes in place: a program that changes tensors and views of them means the same whether it is recorded or not.

Unrecorded, changes are writes to NumPy's memory, where every view follows by itself: this is the truth for the values, and its
finite differences are the truth for the gradients.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.errors import DtypeError, GraphError, InplaceError, ShapeError
from tinygrad_edu.ops import METHODS

# Ways to look at a (2, 3) tensor, to change one, and to compute from one.
VIEWS = {
    "row": lambda x: x[x.shape[0] - 1] if x.ndim else x.view(1),
    "all": lambda x: x[...],
    "every other": lambda x: x[::2] if x.ndim else x.unsqueeze(0),
    "transposed": lambda x: x.T if x.ndim == 2 else x.unsqueeze(0),
    "flat": lambda x: x.reshape(-1),
    "first": lambda x: x.narrow(0, 0, 1) if x.ndim else x.reshape(1),
}
CHANGES = {
    "add": lambda x, y: x.add_(y.sum()),
    "double": lambda x, y: x.mul_(2.0),
    "by itself": lambda x, y: x.mul_(x),
    "sin": lambda x, y: x.sin_(),
    "zero": lambda x, y: x.zero_(),
    "fill": lambda x, y: x.fill_(y.mean()),
    "copy": lambda x, y: x.copy_(y.mean()),
    "item": lambda x, y: x.__setitem__(0 if x.ndim else ..., y.mean()),
    "augmented item": lambda x, y: x.__setitem__(..., x[...].__imul__(y.sum() + 1)),
    "mask": lambda x, y: x.__setitem__(x > 0, 0.5),
    "clamp": lambda x, y: x.clamp_(-0.7, 0.9),
    "overlap": lambda x, y: x.__setitem__(slice(1, None), x[:-1].clone() * 1.5) if x.ndim else None,
}
USES = {"square": lambda x: x * x, "tanh": lambda x: x.tanh(), "sum": lambda x: x.sum() * 0.3}

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(VIEWS)), st.integers(0, 9)),
        st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.sampled_from(sorted(USES)), st.integers(0, 9)),
    ),
    min_size=2,
    max_size=8,
)


def run(program: list, x: tg.Tensor) -> tg.Tensor:
    """The program on two tensors computed from x; the sum of everything that it leaves behind."""
    tensors = [x * 1.0, x[0] * 0.5]
    for name, *places in program:
        y, *others = (tensors[place % len(tensors)] for place in places)
        if name in CHANGES:
            CHANGES[name](y, others[0])
        else:
            tensors.append({**VIEWS, **USES}[name](y))
    weights = (0.7, -1.1, 0.4, 0.9)
    return tg.stack([(t * weights[i % 4] + i).sum() for i, t in enumerate(tensors)]).sum()


@given(steps, st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_recorded_programs_mean_what_unrecorded_ones_do(program: list, seed: int) -> None:
    numbers = np.random.default_rng(seed).uniform(-1.0, 1.0, (2, 3))

    def truth(values: np.ndarray) -> float:
        with tg.no_grad():
            return run(program, tg.tensor(values)).item()

    x = tg.tensor(numbers, requires_grad=True)
    loss = run(program, x)
    assert loss.item() == pytest.approx(truth(numbers), rel=1e-12)
    slopes = [np.zeros((2, 3)), np.zeros((2, 3))]
    for slope, h in zip(slopes, (1e-5, 1e-6), strict=True):
        for place in np.ndindex(2, 3):
            shift = np.zeros((2, 3))
            shift[place] = h
            slope[place] = (truth(numbers + shift) - truth(numbers - shift)) / (2 * h)
    if not np.allclose(*slopes, rtol=1e-3, atol=1e-3):
        return  # a kink (of clamp or the mask) is near
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes[0], rtol=1e-3, atol=1e-3)


@given(steps, st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_second_derivatives_of_programs(program: list, seed: int) -> None:
    """A recorded backward pass gives the same gradient, and how fast that changes."""
    numbers, direction = np.random.default_rng(seed).uniform(-1.0, 1.0, (2, 2, 3))

    def gradient(values: np.ndarray, create_graph: bool = False) -> tuple[tg.Tensor, tg.Tensor]:
        x = tg.tensor(values, requires_grad=True)
        return x, tg.autograd.grad(run(program, x), x, create_graph=create_graph)[0]

    x, g = gradient(numbers, create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), gradient(numbers)[1].numpy(), rtol=1e-12, atol=1e-12)
    shifts = ((h, numbers + h * direction, numbers - h * direction) for h in (1e-5, 1e-6))
    slopes = [(gradient(after)[1].numpy() - gradient(before)[1].numpy()) / (2 * h) for h, after, before in shifts]
    if not np.allclose(*slopes, rtol=1e-3, atol=1e-3):
        return  # a kink
    along = (g * tg.tensor(direction)).sum()
    second = tg.autograd.grad(along, x, materialize_grads=True)[0] if along.requires_grad else tg.zeros(2, 3)
    np.testing.assert_allclose(second.numpy(), slopes[0], rtol=1e-3, atol=1e-3)


def test_what_is_made_of_a_view_is_made_of_what_it_shows_now() -> None:
    def assigned(view: tg.Tensor) -> tg.Tensor:
        found = tg.zeros(2)
        found.data = view
        return found

    ways = (tg.tensor, tg.Tensor, tg.nn.Parameter, tg.nn.Buffer, lambda view: tg.tensor([*view]), assigned)
    for make in ways:
        x = tg.ones(3, requires_grad=True) * 1
        view = x[:2]
        x.mul_(5)
        with tg.no_grad():
            assert make(view).tolist() == [5, 5]


def plain(result: Any) -> Any:
    if isinstance(result, tuple | list):
        return [plain(x) for x in result]
    return (str(result.tolist()), result.requires_grad) if isinstance(result, tg.Tensor) else result  # as text: NaN is not NaN


def test_every_method_sees_what_a_view_shows_now() -> None:
    numbers = tg.tensor([[0.9, 0.1, 0.4], [0.2, 0.8, 0.3], [0.5, 0.6, 0.7]], requires_grad=True)

    def base_and_view() -> tuple[tg.Tensor, tg.Tensor]:
        base = tg.zeros(4, 3)
        view = base[:3]
        base.copy_(tg.cat([numbers, numbers[:1]]))
        return base, view

    def outcome(name: str, args: tuple, x: tg.Tensor) -> Any:
        tg.manual_seed(0)
        try:
            return plain(getattr(x, name)(*args))
        except Exception as error:  # of arguments that do not fit, say
            return type(error)

    compared = 0
    for name in " ".join(METHODS.values()).split():
        for args in ((), (1,), (2, 1), (tg.full((3, 3), 0.5),)):
            base, view = base_and_view()
            expected = outcome(name, args, base_and_view()[0][:3])
            assert outcome(name, args, view) == expected, (name, args)
            compared += not isinstance(expected, type)
    assert compared > 200
    base, view = base_and_view()
    assert tg.searchsorted(view[1, ::2], view).tolist() == tg.searchsorted(base[1, ::2], base[:3]).tolist()


def test_a_view_follows_and_is_followed() -> None:
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    h = x * 1
    row, part = h[:2], h[1:]
    used = row * 10  # of the old value
    h[1] = x[0] * 7
    assert row.tolist() == [1, 7]
    row *= 2
    assert h.tolist() == [2, 14, 3]
    assert part.tolist() == [14, 3]
    (used.sum() + part.sum()).backward()
    assert x.grad.tolist() == [10 + 14, 10, 1]
    h = x * 1
    part = h[1]
    h *= 3
    again = h[1]
    with tg.no_grad():
        assert part.item() == part.detach().item() == h.detach()[1].item() == 6
    (part + again).backward()
    assert x.grad.tolist() == [24, 10 + 6, 1]


def test_recurrence_in_a_buffer() -> None:
    v = tg.tensor(2.0, requires_grad=True)
    position = tg.zeros(4, 2)
    for t in range(1, 4):
        position[t] = position[t - 1] + v * 0.5
    position[:, 0].sum().backward()
    assert v.grad.item() == 0.5 + 1 + 1.5


def test_second_derivative_of_a_recurrence_in_a_buffer() -> None:
    """Rules that compute with views of the buffer find them as they were taken, though the buffer has changed since."""
    w = tg.tensor(3.0, requires_grad=True)
    powers = tg.ones(4)
    for t in range(1, 4):
        powers[t] = powers[t - 1] * w
    slope = tg.autograd.grad(powers[3], w, create_graph=True)[0]
    assert slope.item() == 27
    assert tg.autograd.grad(slope, w)[0].item() == 18


def test_what_is_refused() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    for change in (lambda: w.add_(1), lambda: w[:1].mul_(2), lambda: w.__setitem__(0, 3.0)):
        with pytest.raises(InplaceError, match=r"w .*no_grad"):
            change()
    h = w * 1
    with pytest.raises(InplaceError, match="detach"):
        h.detach()[0] = w[0]
    wide = h.expand(3, 2)
    with pytest.raises(InplaceError, match="clone"):
        wide += 1
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        h += tg.ones(3, 2)
    with pytest.raises(DtypeError, match="float"):
        tg.ones(2, dtype=tg.int64).add_(0.5)
    with tg.no_grad():
        unrecorded = h[:1]
    before = tg.zeros(2)
    row = before[:1]
    before.requires_grad_()
    for view in (unrecorded, row):  # backward would give the gradient of what its base was
        with pytest.raises(InplaceError, match=r"a view without history of .*no_grad"):
            view.mul_(2)
    assert before.tolist() == [0, 0]
    part = tg.zeros(2)[:1].requires_grad_()  # a leaf, and its views are views of it alone
    with pytest.raises(InplaceError, match="shares memory"):
        part.view(1).mul_(2)
    assert w.tolist() == h.tolist() == [1, 2]

    def lost() -> tg.Tensor:
        base = tg.zeros(3)
        view = base[:2]
        base[0] = w[0]
        return view

    with pytest.raises(InplaceError, match=r"is gone\. .* clone\(\)"):
        lost().sum()
    detached = h.detach()
    h *= 2
    with pytest.raises(InplaceError, match=r"through detach\(\) or data, which cannot follow\. .* clone\(\)"):
        detached.sum()
    forgetful = h[0].detach_()
    h *= 2
    with pytest.raises(InplaceError, match=r"through detach\(\) or data, which cannot follow"):
        forgetful.item()


def test_hooks_of_a_view_that_follows() -> None:
    w, seen = tg.tensor([1.0, 2.0], requires_grad=True), []
    h = w * 1
    view = h[1]
    h *= 3
    view.register_hook(lambda g: seen.append(g.item()))
    (view * 5).backward()
    assert seen == [5]
    assert w.grad.tolist() == [0, 15]


def test_out_is_a_tensor_that_the_result_fits_into() -> None:
    x, w = tg.ones(2), tg.ones(2, requires_grad=True)
    out = tg.zeros(2, dtype=tg.float64)
    assert tg.add(x, x, out=out) is out
    assert tg.add(x, 3.0, out=None).tolist() == [4, 4]
    for ask, error, said in (
        (lambda: tg.add(x, x, out=3), TypeError, r"the result is \(2,\) float32, and out is a int"),
        (lambda: tg.max(tg.ones(2, 2), dim=0, out=out), TypeError, r"the result is a \w+, and out is \(2,\)"),
        (lambda: tg.add(x, x, out=tg.ones(3)), ShapeError, r"the result is \(2,\) float32, and out is \(3,\) float32"),
        (lambda: tg.add(x, x, out=tg.ones(2, dtype=tg.int64)), DtypeError, "lose the kind of numbers"),
        (lambda: tg.add(x, w, out=out), GraphError, "takes no part in gradients"),
    ):
        with pytest.raises(error, match=said):
            ask()
    assert out.tolist() == [2, 2]


@pytest.mark.parametrize("kept", [True, False])
def test_a_use_of_what_a_tensor_was_before(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tg.autograd.engine, "KEEP_GRAPH_BYTES", 2**20 if kept else 0)
    w, v = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    h = w * 2
    before = h * 3
    h.copy_(v * 1)
    h.backward()
    if kept:  # else the way back from h was let go, and with it what h was before
        assert [step.kind for step in tg.autograd.steps(before)][-1] == "done"
    with pytest.raises(GraphError, match="already went through"):
        before.backward()
    h = w * 2
    before = h * 3
    h.detach_()
    with pytest.raises(InplaceError, match=r"mul .* used a tensor that was .* changed by detach_\(\), since"):
        before.backward()


def test_values_that_backward_needs_are_protected() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    data = tg.tensor([3.0, 4.0], name="data")
    loss = (w * data).sum()
    data[0] = 9
    with pytest.raises(InplaceError, match=r"mul.*data"):
        loss.backward()
    assert w.grad is None
    loss = (w + data).sum()  # needs no value
    data += 1
    loss.backward()
    assert w.grad.tolist() == [1, 1]


def test_hooks_and_retained_gradients_around_a_change() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    h, seen = x * 1, []
    h.retain_grad()
    h.register_hook(lambda g: seen.append(g.tolist()))
    h *= 3
    (h * 2).sum().backward()
    assert seen == [[6, 6]]  # the hook belongs to the value before
    assert h.grad.tolist() == [2, 2]  # the retained gradient is the latest value's, as in PyTorch
    h = x * 1
    h *= 3
    h.sum().backward()
    with pytest.warns(UserWarning, match="keeps gradients only in leaves"):
        assert h.grad is None


def test_shapes_change_in_place() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    h = x * 1
    h.unsqueeze_(0).t_()
    assert h.shape == (2, 1)
    h += 1
    (h * h).sum().backward()
    assert x.grad.tolist() == [4, 6]
    y = tg.ones(1, 2)
    y.squeeze_().add_(1)
    assert y.tolist() == [2, 2]


def test_freed_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        x = tg.ones(3, requires_grad=True)
        h = x * 1
        row = h[:2]
        row *= 2
        h[0] = row[1] * 3
        loss = (h * row.sum()).sum()
        gone = weakref.ref(h)
        loss.backward()
        del h, row, loss
        assert gone() is None
    finally:
        gc.enable()


def test_what_could_not_follow_is_refused() -> None:
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    base = tg.zeros(3)
    one, other = base.view(3, 1), base.view(1, 3)
    del base
    one.add_(w.view(3, 1))
    assert one.tolist() == [[1], [2], [3]]
    with pytest.raises(InplaceError, match=r"view of a tensor that was changed in place, .* and that is gone"):
        other + 0
    p = tg.zeros(3, requires_grad=True)
    with pytest.raises(InplaceError, match="shares memory with another tensor through detach"):
        p.data[0].copy_(w[1])
    assert p.tolist() == [0, 0, 0]
