"""Modules: what they hold, hooks, state, modes; containers."""

from __future__ import annotations

import copy
import gc
import itertools
import pickle
import subprocess
import sys
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.errors import DtypeError, ShapeError
from tinygrad_edu.nn import functional as F


class Net(nn.Module):
    """Two linear layers, one of them twice, a parameter and buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.again = self.first
        self.block = nn.Sequential(nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2))
        self.scale = nn.Parameter(tg.ones(2))
        self.register_buffer("offset", tg.zeros(2))
        self.register_buffer("scratch", tg.zeros(2), persistent=False)
        self.register_parameter("absent", None)

    def forward(self, x: Any) -> Any:
        return self.block(self.again(self.first(x))) * self.scale + self.offset


# -- what a module holds ---------------------------------------------------------------------------------------------
def test_registration_and_iterators() -> None:
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names == ["scale", "first.weight", "first.bias", "block.0.weight", "block.1.weight", "block.1.bias"]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert next(name for name, _ in net.named_parameters(prefix="net")) == "net.scale"
    assert "again.weight" in dict(net.named_parameters(remove_duplicate=False))
    assert [name for name, _ in net.named_buffers(recurse=False)] == ["offset", "scratch"]
    assert [name for name, _ in net.named_children()] == ["first", "block"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "block", "block.0", "block.1"]
    assert net.get_submodule("block.1") is net.block[1]
    assert net.get_parameter("block.0.weight") is net.block[0].weight
    assert net.get_buffer("block.1.running_mean") is net.block[1].running_mean
    for wrong in ("block.7", "scale", "nothing"):
        with pytest.raises(AttributeError):
            net.get_submodule(wrong)
    with pytest.raises(AttributeError, match="is not a Parameter but a Buffer"):
        net.get_parameter("block.1.running_mean")
    with pytest.raises(AttributeError, match="is not a Buffer but a Parameter"):
        net.get_buffer("block.1.weight")


def test_assignments() -> None:
    net = Net()
    with pytest.raises(TypeError, match="Parameter"):
        net.scale = tg.ones(2)  # type: ignore[assignment]
    with pytest.raises(TypeError, match="Module"):
        net.first = len  # type: ignore[assignment]
    with pytest.raises(TypeError, match="buffer"):
        net.offset = 3
    net.scale = None  # type: ignore[assignment]
    assert "scale" not in dict(net.named_parameters())
    fresh = tg.ones(2)
    net.offset = fresh
    assert net.offset is fresh
    assert "offset" in net.state_dict()
    net.offset = None
    assert "offset" not in net.state_dict()
    net.offset = tg.ones(2)
    net.scratch = tg.ones(2)
    assert [name for name in net.state_dict() if name in ("offset", "scratch")] == ["offset"]
    net.register_buffer("early", None, persistent=False)
    net.register_buffer("late", None)
    net.early, net.late = tg.ones(1), tg.ones(1)
    assert [name for name in net.state_dict() if name in ("early", "late")] == ["late"]
    del net.block
    assert "block.0.weight" not in net.state_dict()
    for wrong, says in (("", "must not be empty"), ("a.b", "contain a dot"), ("forward", "already has an attribute 'forward'")):
        with pytest.raises(KeyError, match=says):
            net.register_buffer(wrong, tg.ones(1))
    with pytest.raises(TypeError, match="'weight' must be a Parameter or None"):
        net.register_parameter("weight", tg.ones(1))  # type: ignore[arg-type]


def test_a_buffer_keeps_its_history() -> None:
    """A recurrent state in a buffer: gradients flow through it."""
    holder = nn.Module()
    holder.register_buffer("state", tg.zeros(1))
    w = tg.tensor([2.0], requires_grad=True)
    holder.state = w * 3
    (holder.state * w).backward()
    assert w.grad is not None
    assert w.grad.item() == 12


def test_forgotten_super_init() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 2)

    with pytest.raises(AttributeError, match="super"):
        Forgetful()


def test_a_plain_list_of_modules_warns_when_parameters_are_asked_for() -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sizes, self.between, self.layers = (2, 2), [nn.ReLU()], []
            self.layers.append(nn.Linear(2, 2))

    with pytest.warns(UserWarning, match=r"Holder\.layers is a plain list .*ModuleList") as caught:
        list(nn.Sequential(Holder()).parameters())
    assert [Path(warning.filename).name for warning in caught] == ["test_module.py"]


def test_a_list_that_is_set_in_every_call_takes_no_more_memory_each_time() -> None:
    model = nn.Module()
    for _ in range(3):
        model.seen = []
        held = {name: len(value) for name, value in vars(model).items() if isinstance(value, tuple)}
    assert held == {"_plain": 1}


@pytest.mark.filterwarnings("error")
def test_a_plain_list_of_modules_that_are_registered_too_is_no_mistake() -> None:
    """As in pyGAT, whose heads are kept in a list and added one by one."""
    model = nn.Module()
    model.heads = [nn.Linear(2, 2), nn.Linear(2, 2)]
    for i, head in enumerate(model.heads):
        model.add_module(f"head{i}", head)
    model.blocks = {"a": model.heads[0]}
    assert len(list(nn.Sequential(model).parameters())) == 4


def test_getattr_finds_what_is_there_and_says_what_is_missing_in_a_property() -> None:
    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer0 = nn.Linear(2, 2)

        @property
        def width(self) -> int:
            return self.layer1.out_features

    stack = Stack()
    assert stack.__getattr__(f"layer{0}") is stack.layer0
    assert not hasattr(stack, "layer2")
    with pytest.raises(AttributeError, match="'Stack' object has no attribute 'layer1'"):
        stack.width  # noqa: B018


def test_set_submodule() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    model.set_submodule("1.0", nn.GELU(), strict=True)
    model.set_submodule("1.1", nn.Tanh())
    assert [type(module).__name__ for module in model[1]] == ["GELU", "Tanh"]
    with pytest.raises(AttributeError, match="no attribute '2'"):
        model.set_submodule("1.2", nn.Tanh(), strict=True)


# -- changing all of it ----------------------------------------------------------------------------------------------
def test_modes_reach_everything_and_can_be_overridden() -> None:
    class Frozen(nn.BatchNorm1d):
        def train(self, mode: bool = True) -> nn.Module:
            return super().train(False)

    model = nn.Sequential(nn.Sequential(nn.Dropout(), Frozen(2)))
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    model.train()
    assert model[0][0].training
    assert not model[0][1].training
    with pytest.raises(ValueError, match="True or False"):
        model.train("yes")  # type: ignore[arg-type]


def test_apply_visits_children_first() -> None:
    seen: list[Any] = []
    net = Net()
    assert net.apply(seen.append) is net
    assert seen == [net.first, net.block[0], net.block[1], net.block, net]


def test_freezing_and_zero_grad() -> None:
    net = Net()
    net.first.requires_grad_(False)
    net(tg.randn(4, 3)).sum().backward()
    assert net.first.weight.grad is None
    assert net.scale.grad is not None
    net.scale.grad = tg.tensor([float("nan"), 1.0])
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0, 0]
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_dtypes() -> None:
    net = Net()
    before = list(net.parameters())
    net(tg.randn(4, 3)).sum().backward()
    assert net.double() is net
    assert all(p is q for p, q in zip(before, net.parameters(), strict=True))
    assert {p.dtype for p in net.parameters()} == {tg.float64} == {p.grad.dtype for p in net.parameters()}  # type: ignore[union-attr]
    assert net.block[1].num_batches_tracked.dtype == tg.int64
    assert net.half().scale.dtype == tg.float16
    assert net.to(tg.float32).scale.dtype == tg.float32
    assert net.block[1].num_batches_tracked.dtype == tg.int64
    assert net.to("cpu").type(tg.float64).scale.dtype == tg.float64
    assert net.cpu() is net


def test_copies_are_apart() -> None:
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.again is other.first
        assert list(other.state_dict()) == list(net.state_dict())
        with tg.no_grad():
            other.scale.fill_(7)
        assert net.scale.tolist() == [1, 1]
        assert isinstance(other.scale, nn.Parameter)
        assert other.scratch.persistent is False


# -- state -----------------------------------------------------------------------------------------------------------
def test_state_goes_from_one_model_to_another() -> None:
    first, second = Net(), Net()
    first(tg.randn(5, 3))
    state = first.state_dict()
    assert list(state) == [
        "scale", "offset", "first.weight", "first.bias", "again.weight", "again.bias", "block.0.weight", "block.1.weight",
        "block.1.bias", "block.1.running_mean", "block.1.running_var", "block.1.num_batches_tracked",
    ]  # fmt: skip
    assert not any(t.requires_grad for t in state.values())
    assert str(second.load_state_dict(state)) == "<All keys matched successfully>"
    x = tg.randn(5, 3)
    np.testing.assert_array_equal(first.eval()(x).detach().numpy(), second.eval()(x).detach().numpy())
    assert list(first.state_dict(prefix="net.")) == ["net." + name for name in state]


def test_a_wrong_state_lists_everything_and_changes_nothing() -> None:
    net = Net()
    with tg.no_grad():
        net.scale.fill_(5)
    state = Net().state_dict()
    del state["first.bias"], state["block.1.bias"]
    state["surplus"] = state["more"] = tg.ones(1)
    state["block.0.weight"], state["offset"] = tg.ones(7), tg.ones(3)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    for name in ("first.bias", "block.1.bias", "surplus", "more", "block.0.weight", "offset"):
        assert name in str(caught.value)
    assert net.scale.tolist() == [5, 5]
    with pytest.raises(RuntimeError, match=r"block\.0\.weight"):  # shapes count also if not strict
        net.load_state_dict(state, strict=False)
    state["block.0.weight"], state["offset"] = tg.ones(2, 3), tg.ones(2)
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["first.bias", "block.1.bias"], ["surplus", "more"])
    assert net.scale.tolist() == [1, 1]


def test_a_class_may_read_and_write_its_state_in_its_own_way() -> None:
    """Of every module inside it is asked, too: names of an older version are read, and what is no tensor is written."""

    class Renamed(nn.Linear):
        _version = 3

        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "note"] = tg.ones(1)

        def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *lists: Any) -> None:
            versions.append(local_metadata.get("version"))
            state_dict.pop(prefix + "note", None)
            if prefix + "kernel" in state_dict:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel").T
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *lists)

    versions: list[Any] = []
    model, other = (nn.Sequential(OrderedDict(part=Renamed(2, 3))) for _ in range(2))
    state = model.state_dict()
    assert list(state) == ["part.weight", "part.bias", "part.note"]
    other.load_state_dict(state)
    assert other[0].weight.tolist() == model[0].weight.tolist()
    old = {"part.kernel": tg.zeros(2, 3), "part.bias": tg.ones(3)}
    assert not any(other.load_state_dict(old))
    assert list(old) == ["part.kernel", "part.bias"]  # what was given is not changed
    assert other[0].weight.tolist() == [[0, 0]] * 3
    assert versions == [3, None]
    with pytest.raises(RuntimeError, match=r"part\.weight has the shape \(3, 3\) in the state dict, and \(3, 2\) in the model"):
        other.load_state_dict({"part.kernel": tg.zeros(3, 3), "part.bias": tg.zeros(3)})
    assert other[0].bias.tolist() == [1, 1, 1]
    other[0]._load_from_state_dict({"kernel": tg.ones(2, 3), "bias": tg.zeros(3)}, "", {}, True, [], [], [])
    assert other[0].bias.tolist() == [0, 0, 0]


def test_hooks_of_the_state() -> None:
    model = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    seen: list[Any] = []
    model[0].register_state_dict_pre_hook(lambda module, prefix, keep_vars: seen.append((module, prefix, keep_vars)))
    handle = model[1].register_state_dict_post_hook(lambda module, state, prefix, metadata: state.pop(prefix + "bias"))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight"]
    assert seen == [(model[0], "0.", False)]
    handle.remove()
    state = model.state_dict()
    rename = model[0].register_load_state_dict_pre_hook(
        lambda module, state, prefix, *rest: state.update({prefix + "bias": state.pop(prefix + "old")})
    )
    state["0.old"] = state.pop("0.bias") * 0
    model.load_state_dict(state)
    assert model[0].bias.tolist() == [0, 0]
    rename.remove()
    excuse = model.register_load_state_dict_post_hook(
        lambda module, keys: (keys.missing_keys.clear(), keys.unexpected_keys.clear())
    )
    assert str(model.load_state_dict(state)) == "<All keys matched successfully>"
    excuse.remove()
    found = model.load_state_dict(state, strict=False)
    assert str(found) == "IncompatibleKeys(missing_keys=['0.bias'], unexpected_keys=['0.old'])"
    assert str(nn.Tanh().load_state_dict({"old": tg.ones(1)}, strict=False)).endswith("[], unexpected_keys=['old'])")
    assert str(nn.PReLU().load_state_dict({}, strict=False)).endswith("(missing_keys=['weight'], unexpected_keys=[])")
    model.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.append("more"))
    with pytest.raises(RuntimeError, match="missing: more"):
        model.load_state_dict(model.state_dict())
    model.register_state_dict_post_hook(lambda module, state, prefix, metadata: {"in its place": state})
    assert list(model.state_dict()) == ["in its place"]
    with pytest.raises(TypeError, match="a dict of names and tensors, not a list"):
        model.load_state_dict([])


def test_a_model_that_was_loaded_or_has_hooks_of_its_state_is_freed_at_once() -> None:
    model, seen = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), []
    model.register_load_state_dict_pre_hook(lambda module, *given: seen.append(type(module)))
    model.register_load_state_dict_post_hook(lambda module, names: None)
    held = weakref.ref(model[0].weight)
    gc.collect()
    gc.disable()
    try:
        model.load_state_dict(model.state_dict())
        assert seen == [nn.Sequential]
        del model
        assert held() is None  # without the garbage collector
    finally:
        gc.enable()


def test_batch_norm_reads_states_that_do_not_count_the_batches() -> None:
    """As PyTorch does, whose states before 0.4.1 had no counter."""
    layer = nn.BatchNorm1d(2)
    state = {name: value for name, value in layer.state_dict().items() if name != "num_batches_tracked"}
    assert not any(layer.load_state_dict(state))
    versioned = layer.state_dict()
    del versioned["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="missing: num_batches_tracked"):
        layer.load_state_dict(versioned)


def test_apply_of_a_class_reaches_what_is_no_buffer() -> None:
    class Scaled(nn.Linear):
        def _apply(self, fn: Any, recurse: bool = True) -> nn.Module:
            self.factor = fn(self.factor)
            return super()._apply(fn, recurse)

    layer = Scaled(2, 2)
    layer.factor = tg.ones(2)
    nn.Sequential(layer).double()
    assert layer.factor.dtype == layer.weight.dtype == tg.float64


# -- hooks -----------------------------------------------------------------------------------------------------------
def test_forward_hooks_see_and_replace() -> None:
    layer = nn.Linear(2, 2)
    x = tg.ones(1, 2)
    plain = layer(x)
    calls: list[str] = []
    handles = [
        layer.register_forward_pre_hook(lambda m, args: calls.append("pre")),
        layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,)),
        layer.register_forward_hook(lambda m, args, out: calls.append("after")),
        layer.register_forward_hook(lambda m, args, kwargs, out: out + 1, with_kwargs=True),
        layer.register_forward_pre_hook(lambda m, args: calls.append("first"), prepend=True),
    ]
    found = layer(x)
    assert calls == ["first", "pre", "after"]
    np.testing.assert_allclose(found.detach().numpy(), (layer.forward(x * 2) + 1).detach().numpy())
    for handle in handles:
        handle.remove()
    np.testing.assert_array_equal(layer(x).detach().numpy(), plain.detach().numpy())


def test_backward_hooks_see_and_replace() -> None:
    layer = nn.Linear(2, 1, bias=False)
    seen: list[Any] = []
    layer.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append((grad_in[0].tolist(), grad_out[0].tolist())))
    handle = layer.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] * 10,))
    x = tg.ones(1, 2).requires_grad_()
    (layer(x) * 3).sum().backward()
    w = layer.weight.detach()
    assert seen == [((3 * w).tolist(), [[3.0]])]
    np.testing.assert_allclose(x.grad.numpy(), 30 * w.numpy(), rtol=1e-6)  # type: ignore[union-attr]
    handle.remove()
    x.grad = None
    layer(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), w.numpy())  # type: ignore[union-attr]


def test_backward_pre_hooks_replace_the_gradient_of_the_output() -> None:
    layer = nn.Linear(2, 1, bias=False)
    seen: list[Any] = []
    layer.register_full_backward_pre_hook(lambda m, grad_out: seen.append(grad_out[0].tolist()))
    layer.register_full_backward_pre_hook(lambda m, grad_out: (grad_out[0] * 10,))
    layer.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append(grad_out[0].tolist()))
    first = layer.register_full_backward_pre_hook(lambda m, grad_out: seen.append("first"), prepend=True)
    x = tg.ones(1, 2).requires_grad_()
    (layer(x) * 3).sum().backward()
    assert seen == ["first", [[3.0]], [[30.0]]]
    assert layer.weight.grad.tolist() == [[30, 30]]  # type: ignore[union-attr]
    np.testing.assert_allclose(x.grad.numpy(), 30 * layer.weight.detach().numpy(), rtol=1e-6)  # type: ignore[union-attr]
    first.remove()
    layer(tg.ones(1, 2)).sum().backward()
    assert seen[3:] == [[[1.0]], [[10.0]]]
    alone = nn.Tanh()
    alone.register_full_backward_pre_hook(lambda m, grad_out: grad_out[0] * 10)  # a gradient in place of one
    x = tg.zeros(1, 2, requires_grad=True)
    alone(x).sum().backward()
    assert x.grad.tolist() == [[10, 10]]


def test_a_backward_hook_returns_as_many_gradients_as_it_got() -> None:
    layer, x = nn.Bilinear(2, 2, 1), tg.ones(2, 2).requires_grad_()
    layer.register_full_backward_hook(lambda m, grad_in, grad_out: grad_in[0])  # which has two rows, and is one gradient
    with pytest.raises(RuntimeError, match="returned 1 gradients in place of 2"):
        layer(x, x).sum().backward()


class Several(nn.Module):
    """Of two tensors several outputs."""

    def forward(self, x: tg.Tensor, y: tg.Tensor) -> tuple:
        return 2 * x, 3 * y, x * y, "text"


USES = {0: (0,), 1: (1,), 2: (0, 1)}  # which inputs an output is computed from


def test_backward_hooks_of_an_output_that_is_no_tensor_are_said_not_to_be_called() -> None:
    class Named(nn.Module):
        def forward(self, x: tg.Tensor) -> dict[str, tg.Tensor]:
            return {"twice": 2 * x}

    model = Named()
    x = tg.ones(2, requires_grad=True)
    model.register_full_backward_hook(lambda *given: pytest.fail("called"))
    with pytest.warns(UserWarning, match="Named are not called: its output is a dict"):
        model(x)["twice"].sum().backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("tracked", "reached"),
    [((0, 1), k) for k in ((0,), (1,), (2,), (0, 1), (0, 1, 2))] + [((0,), (0,)), ((0,), (1, 2)), ((1,), (1,)), ((1,), (0, 2))],
)
def test_backward_hooks_of_several_inputs_and_outputs(tracked: tuple, reached: tuple) -> None:
    """They are called once in each backward pass, with all gradients, also where some are not reached, and replace all of them."""
    inputs = tg.tensor([1.0, 2.0], dtype="float64"), tg.tensor([3.0, 4.0])
    leaves = [inputs[i].requires_grad_() for i in tracked]
    passed = [k for k in reached if set(USES[k]) & set(tracked)]  # gradients come through these outputs
    layer = Several()

    def loss(outputs: tuple) -> Any:
        return sum((k + 1) * outputs[k].sum() for k in reached)

    expected = tg.autograd.grad(loss(layer(*inputs)), leaves, materialize_grads=True)
    calls: list[list] = []

    def times(factor: int, grads: tuple) -> tuple:
        calls.append([None if g is None else g.tolist() for g in grads])
        return tuple(None if g is None else factor * g for g in grads)

    layer.register_full_backward_pre_hook(lambda m, grad_output: times(10, grad_output))
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: times(7, grad_input))
    outputs = layer(*inputs)
    sum(outputs[k].sum() for k in range(3)).backward(retain_graph=True)  # of which nothing is left in the next pass
    for _ in range(2):
        calls.clear()
        found = tg.autograd.grad(loss(outputs), leaves, retain_graph=True)
        for g, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(g.numpy(), 70 * e.numpy())
            assert g.dtype == e.dtype
        zeros = {i: [0.0, 0.0] for i in range(2)}
        gradients = zeros | {i: (10 * e).tolist() for i, e in zip(tracked, expected, strict=True)}
        assert calls == [[[k + 1.0] * 2 if k in passed else None for k in range(4)], [gradients[i] for i in range(2)]]


# -- containers ------------------------------------------------------------------------------------------------------
def test_sequential() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    x = tg.randn(4, 2)
    by_hand = model[2](model[1](model[0](x)))
    np.testing.assert_array_equal(model(x).detach().numpy(), by_hand.detach().numpy())
    assert len(model) == 3
    assert model[-1] is model[2]
    assert isinstance(model[:2], nn.Sequential)
    model.append(nn.Tanh()).insert(0, nn.Identity())
    assert [type(m).__name__ for m in model] == ["Identity", "Linear", "ReLU", "Linear", "Tanh"]
    del model[0]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    named = nn.Sequential(OrderedDict(hidden=nn.Linear(2, 3), out=nn.Linear(3, 1)))
    assert list(named.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert named.hidden is named[0]
    with pytest.raises(TypeError, match="Module"):
        nn.Sequential(nn.ReLU(), len)
    with pytest.raises(IndexError, match="index 9 is out of range for Sequential of length 4"):
        model[9]
    with pytest.raises(TypeError, match="Sequential takes Modules, not a"):
        nn.Sequential(OrderedDict(hidden=nn.Linear(2, 3)), nn.ReLU())


def test_lists_and_dicts() -> None:
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers += [nn.ReLU()]
    assert len(layers) == 4
    assert layers.pop() not in layers
    assert len(list(layers.parameters())) == 6
    table = nn.ModuleDict({"relu": nn.ReLU(), "line": nn.Linear(1, 1)})
    assert list(table) == ["relu", "line"]
    assert "line" in table
    assert list(table.state_dict()) == ["line.weight", "line.bias"]
    with pytest.raises(KeyError):
        table["absent"]
    weights = nn.ParameterList([tg.ones(2), nn.Parameter(tg.zeros(1))])
    assert [p.requires_grad for p in weights.parameters()] == [True, True]
    assert repr(weights[1:]) == "ParameterList(  (0): Parameter containing: [float32 of size 1])"
    for position, wrong, says in (
        (4, nn.ReLU(), "position 4 is out of range for ModuleList of length 3"),
        (0, tg, "takes Modules"),
    ):
        with pytest.raises((IndexError, TypeError), match=says):
            layers.insert(position, wrong)
        assert len(layers) == 3
    named = nn.ParameterDict({"a": tg.ones(2)})
    assert isinstance(named["a"], nn.Parameter)
    assert list(named.state_dict()) == ["a"]


def test_repr() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): Sequential(\n    (0): ReLU()\n  )\n)"
    )


# -- summary ---------------------------------------------------------------------------------------------------------
def test_summary_of_a_chain() -> None:
    sizes = (1000, 500, 125, 50, 10)
    chain = nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise(sizes)))
    for found in (nn.summary(chain, (64, 1000)), tg.summary(chain)):
        assert "8 arrays, 569_935 parameters, 2.175 MiB" in str(found)
        assert (found.arrays, found.parameters, found.trainable) == (8, 569_935, 569_935)
    assert [row.shapes for row in nn.summary(chain, (64, 1000)).rows[1:]] == [[(64, n)] for n in sizes[1:]]


def test_summary_leaves_the_model_as_it_was() -> None:
    net = Net()
    net.first.eval()
    net.block.requires_grad_(False)
    before = {name: t.tolist() for name, t in net.state_dict().items()}
    found = nn.summary(net, (2, 3))
    assert {name: t.tolist() for name, t in net.state_dict().items()} == before
    assert (net.training, net.first.training) == (True, False)
    assert not any(m._forward_hooks for m in net.modules())
    assert found.parameters == 2 + 12 + 6 + 4
    assert found.trainable == 14
    assert [row.depth for row in found.rows] == [0, 1, 1, 1, 2, 2]
    assert [row.shared for row in found.rows] == [False, False, True, False, False, False]


def test_summary_of_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(5, 3)

        def forward(self, index: Any, x: Any) -> Any:
            return self.embedding(index) + x, x

    found = nn.summary(Two(), [(4,), (4, 3)], dtypes=[tg.int64, None])
    assert found.rows[0].shapes == [(4, 3), (4, 3)]
    assert "Embedding" in str(found)
    with pytest.raises(ValueError, match="2 input shapes"):
        nn.summary(Two(), [(4,), (4, 3)], dtypes=[tg.int64])


def test_summary_of_an_input_where_its_shape_is_expected() -> None:
    with pytest.raises(TypeError, match=r"takes a shape, \(2, 4\), or the input itself as input_data"):
        nn.summary(nn.Linear(4, 3), tg.zeros(2, 4))


# -- mistakes of use -----------------------------------------------------------------------------------------------
def test_linear_names_itself_and_its_place() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Linear(5, 2)))
    with pytest.raises(
        ShapeError, match=r"Linear\(in_features=5.*must be in_features=5, and the input is \(7, 3\) float32"
    ) as found:
        model(tg.ones(7, 4))
    assert found.value.__notes__[-1] == "in the module 1.1 of Sequential"
    assert sum("in the module" in note for note in found.value.__notes__) == 1
    with pytest.raises(DtypeError, match=r"input is \(7, 4\) int64.*convert it with \.float\(\)") as wrong:
        model(tg.ones(7, 4, dtype=tg.int64))
    assert wrong.value.__notes__[-1] == "in the module 0 of Sequential"
    with pytest.raises(ShapeError) as alone:
        nn.Linear(2, 2)(tg.ones(3))
    assert not any("in the module" in note for note in getattr(alone.value, "__notes__", []))


@pytest.mark.parametrize(("kind", "state"), [(nn.LSTM, r"\(h, c\)"), (nn.GRU, "h"), (nn.RNN, "h")])
def test_sequential_says_that_a_recurrent_layer_returns_a_tuple(kind: type, state: str) -> None:
    model = nn.Sequential(kind(3, 4), nn.Linear(4, 2))
    with pytest.raises(TypeError, match=rf"{kind.__name__} returns a tuple, \(output, {state}\), and Linear .*takes one tensor"):
        model(tg.ones(1, 1, 3))

    class Output(nn.Module):
        def forward(self, found: tuple) -> tg.Tensor:
            return found[0]

    assert nn.Sequential(kind(3, 4), Output(), nn.Linear(4, 2))(tg.ones(5, 1, 3)).shape == (5, 1, 2)
    assert nn.Sequential(kind(3, 4), nn.Sequential(Output(), nn.Linear(4, 2)))(tg.ones(5, 1, 3)).shape == (5, 1, 2)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ReLU", "F.relu"),
        ("Sigmoid", "F.sigmoid"),
        ("LeakyReLU", "F.leaky_relu"),
        ("LogSoftmax", "F.log_softmax"),
        ("PReLU", "F.prelu"),
    ],
)
def test_a_layer_called_as_a_function(name: str, function: str) -> None:
    with pytest.raises(TypeError, match=rf"nn\.{name} is a layer.*nn\.{name}\(\)\(x\), or call the function: {function}\(x\)"):
        getattr(nn, name)(tg.ones(2))


def test_layers_can_still_be_copied() -> None:
    copied = copy.deepcopy(nn.LeakyReLU(0.3))
    assert copied.negative_slope == 0.3
    assert repr(copied) == "LeakyReLU(negative_slope=0.3)"


def test_a_model_kept_to_the_last_goes_quietly() -> None:
    """A library that Python takes down after this one may hold a model, as Hypothesis holds a test's globals."""
    program = "import json; from tinygrad_edu import nn; json.kept = nn.Linear(2, 1)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_a_forward_without_return_is_noticed() -> None:
    class Forgets(nn.Module):
        def forward(self, x: Any) -> None:
            x * 2

    with pytest.warns(UserWarning, match=r"Forgets\.forward\(\) gave None: is the `return` missing") as caught:
        Forgets()(tg.ones(2))
    assert caught[0].filename == __file__
    assert nn.Identity()(None) is None


@pytest.mark.parametrize("function", [F.gelu, F.cross_entropy, tg.softmax, tg.linalg.inv])
def test_functions_are_pickled_by_name(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)) is function
