"""PyTorch's own samples for its modules, run here with PyTorch's weights: same results, gradients, state, repr and refusals.

`torch.testing._internal.common_modules.module_db` describes about 100 modules: constructor arguments with inputs, in training
and in evaluation, and arguments that must be refused. Every module that exists here under the same name is compared; SAMPLES
adds modules that are not in PyTorch's list. To run one: `pytest tests/oracle/test_modules.py -p no:xdist -k BCELoss`.
"""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn

from .test_op_db import LeaveOut, both_gradients, leaves, pair_of, same, second_gradients, torch, translate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    common_modules = importlib.import_module("torch.testing._internal.common_modules")

pytestmark = pytest.mark.filterwarnings("ignore")

DTYPES = (torch.float64, torch.float32)

# Deliberate differences: a module's name, or the name and the part of the test ("Linear-signature"), and the reason.
DIFFERENT: dict[str, str] = {
    "RNNBase-signature": "the base of RNN, LSTM and GRU, to know them by, is not made itself",
    "RNNCellBase-signature": "the base of the cells, to know them by, is not made itself",
    "Hardtanh-signature": "PyTorch's min_value and max_value are other names for min_val and max_val, deprecated there",
}

# Their numbers are drawn from another generator: only shape and dtype are compared.
RANDOM = ("FractionalMaxPool2d", "FractionalMaxPool3d")


def made(constructor: tuple, *inputs: Any, **kwargs: Any) -> Any:
    """A sample: constructor arguments, and inputs as shapes of random numbers, as tensors or as they are."""
    rng = np.random.default_rng(0)

    def draw(dtype: Any, requires_grad: bool) -> list[Any]:
        return [
            torch.tensor(rng.normal(size=x), dtype=dtype, requires_grad=requires_grad) if isinstance(x, tuple) else x
            for x in inputs
        ]

    return constructor, kwargs, draw


# Modules that PyTorch's list lacks (or has too few samples of).
IMAGE = (2, 4, 6, 6)
SAMPLES: dict[str, list[Any]] = {
    "Identity": [made((), (2, 3)), made((54,), (2, 3), unused=1)],
    "Flatten": [made((), (2, 3, 4)), made((0, 1), (2, 3, 4))],
    "Unflatten": [made((1, (2, 2)), (3, 4)), made((-1, (2, -1)), (3, 4))],
    "CosineSimilarity": [made((), (5, 3), (5, 3)), made((), (5, 3), (3,), dim=0), made((), (5, 3, 2), (5, 3, 2), dim=2, eps=1.0)],
    "PairwiseDistance": [made((), (5, 3), (5, 3)), made((), (5, 3), (3,), p=1.0), made((), (5, 3), (5, 3), p=3.0, keepdim=True)],
    "TripletMarginLoss": [
        made((), (5, 3), (5, 3), (5, 3)),
        made((), (3,), (3,), (3,), margin=0.5, p=1, swap=True, reduction="sum"),
        made((), (5, 3), (5, 3), (5, 3), reduction="none"),
    ],
    "TripletMarginWithDistanceLoss": [
        made((), (5, 3), (5, 3), (5, 3)),
        made((), (5, 3), (5, 3), (5, 3), margin=3.0, swap=True, reduction="none"),
    ],
    "AdaptiveLogSoftmaxWithLoss": [
        made((8, 20, [3, 7]), (5, 8), torch.tensor([0, 2, 5, 19, 7]), div_value=2.0),
        made((8, 20, [3]), (4, 8), torch.tensor([1, 0, 2, 2]), head_bias=True),
        made((8, 20, [3, 7, 10]), (8,), torch.tensor(12), div_value=2.0),
    ],
    "EmbeddingBag": [
        made((10, 3), torch.tensor([[1, 2, 3], [3, 3, 9]])),
        made((10, 3), torch.tensor([1, 2, 3, 3, 3, 9]), torch.tensor([0, 4]), mode="sum"),
        made((10, 3), torch.tensor([[1, 2, 3], [3, 3, 9]]), mode="max", padding_idx=3),
    ],
    "Upsample": [
        made((), IMAGE, scale_factor=2),
        made((), IMAGE, size=(4, 9), mode="bilinear", align_corners=True),
        made((), IMAGE, scale_factor=2, mode="bicubic"),
        made((), (2, 3, 5), scale_factor=3, mode="linear"),
    ],
    "UpsamplingNearest2d": [made((), IMAGE, scale_factor=2)],
    "UpsamplingBilinear2d": [made((), IMAGE, scale_factor=2)],
    "PixelShuffle": [made((2,), IMAGE)],
    "PixelUnshuffle": [made((3,), IMAGE)],
    "ChannelShuffle": [made((2,), IMAGE)],
    "Unfold": [made((3,), IMAGE), made(((2, 3),), IMAGE, dilation=2, padding=1, stride=2)],
    "Fold": [
        made(((4, 5), (2, 2)), (2, 12, 12)),
        made(((4, 5), (2, 2)), (2, 12, 6), stride=(2, 1), padding=(1, 0), dilation=(2, 2)),
    ],
    "Hardsigmoid": [made((), (2, 3))],
    "PReLU": [made((3,), (2, 3, 4)), made((), (2, 3), init=0.5)],
    "Dropout": [made((0.0,), (2, 3)), made((), (2, 3), p=1.0)],
    **{f"Dropout{n}d": [made((0.0,), (2, 3) + (4,) * n)] for n in (1, 2, 3)},
    **{f"MaxUnpool{n}d": [] for n in (1, 2, 3)},
    "AlphaDropout": [made((0.0,), (2, 3))],
    "RReLU": [made((0.3, 0.3), (2, 3))],
    **{f"LPPool{n}d": [made((2, 3), (2, 3) + (7,) * n, stride=2)] for n in (1, 2, 3)},
}


# -- which modules are offered here, and their samples -----------------------------------------------------------------
def infos() -> dict[str, Any]:
    known = {info.name.removeprefix("nn."): info for info in common_modules.module_db}
    names = dict.fromkeys([*known, *SAMPLES])
    return {name: known.get(name) for name in names if name not in DIFFERENT and isinstance(getattr(nn, name, None), type)}


INFOS = infos()


def samples(name: str, dtype: Any, training: bool, requires_grad: bool = True) -> Iterator[tuple[Any, Any, str]]:
    """(constructor arguments, forward arguments, description), each arguments as (args, kwargs) of PyTorch's kind."""
    torch.manual_seed(0)
    info = INFOS[name]
    given = info.module_inputs_func(info, "cpu", dtype, requires_grad, training) if info else []
    for number, sample in enumerate(given):
        constructor, forward = sample.constructor_input, sample.forward_input
        if forward is not None and not constructor.kwargs.get("proj_size"):  # projections of the LSTM are not offered
            shown = f"{constructor.args}, {constructor.kwargs}); input: {forward.args}, {forward.kwargs}"
            what = f"sample {number}, training={training}: {name}({shown:.1500}"
            yield (constructor.args, constructor.kwargs), (forward.args, forward.kwargs), what
    for args, kwargs, draw in SAMPLES.get(name, ()):
        inputs = draw(dtype, requires_grad)
        yield (args, kwargs), (inputs, {}), f"{name}(*{args}, **{kwargs}), training={training}, inputs {str(inputs)[:1000]}"


def fresh(name: str, constructor: Any, forward: Any, dtype: Any) -> tuple[Any, Any]:
    """The same module here and in PyTorch, with weights of its own; a lazy one has them after its first call."""
    __tracebackhide__ = True
    args, kwargs = constructor
    theirs = getattr(torch.nn, name)(*args, **kwargs).to(dtype)
    args, kwargs = translate([list(args), kwargs], {})
    ours = getattr(nn, name)(*args, **kwargs).to(str(dtype)[6:])
    if name.startswith("Lazy"):
        with torch.no_grad(), tg.no_grad():
            theirs(*forward[0])
            ours(*translate([list(forward[0])], {})[0])
    return ours, theirs


def pair(name: str, constructor: Any, forward: Any, dtype: Any) -> tuple[Any, Any]:
    """The same module here and in PyTorch, with PyTorch's weights."""
    __tracebackhide__ = True
    ours, theirs = fresh(name, constructor, forward, dtype)
    state = {key: tg.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    return ours, theirs


def is_random(name: str, module: Any) -> bool:
    """Whether the module draws random numbers as it is now."""
    drops = any(getattr(m, "dropout", 0) for m in module.modules() if isinstance(getattr(m, "dropout", 0), float))
    drops = drops or any(isinstance(m, torch.nn.Dropout) and 0 < m.p < 1 for m in module.modules())
    return name in RANDOM or (drops and module.training)


def copied(value: Any, memo: dict[int, Any]) -> Any:
    """Nested arguments in which every tensor is a leaf of its own: a sample's tensors may be shared between samples."""
    if isinstance(value, torch.Tensor):
        return memo.setdefault(id(value), value.detach().clone().requires_grad_(value.requires_grad))
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return type(value)(copied(x, memo) for x in value)
    return {k: copied(x, memo) for k, x in value.items()} if isinstance(value, dict) else value


# -- forward and gradients -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: str(d)[6:])
@pytest.mark.parametrize("name", INFOS)
def test_module(name: str, dtype: Any, training: bool) -> None:
    """Same results, same gradients of inputs and parameters (in float64 second ones too), same state afterwards."""
    __tracebackhide__ = True
    rng = np.random.default_rng(0)
    info = INFOS[name]
    for constructor, forward, what in samples(name, dtype, training):
        try:
            memo: dict[int, Any] = {}
            args, kwargs = copied([list(forward[0]), forward[1]], {})
            our_args, our_kwargs = translate([args, kwargs], memo)
            ours, theirs = pair(name, constructor, forward, dtype)
        except LeaveOut:
            continue
        except Exception as error:
            raise AssertionError(f"{what}\nits constructor raised {type(error).__name__}: {error}") from error
        ours.train(training)
        theirs.train(training)
        expected = theirs(*args, **kwargs)
        try:
            found = ours(*our_args, **our_kwargs)
        except Exception as error:
            raise AssertionError(f"{what}\nraised {type(error).__name__}: {error}") from error
        found, expected = list(leaves(found)), list(leaves(expected))
        assert len(found) == len(expected), f"{what}\ngives {len(found)} results, in PyTorch {len(expected)}"
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            same(a, b, f"{what}\nresult {i}", only_kind=is_random(name, theirs))
        compare_state(ours, theirs, what)
        if is_random(name, theirs):
            continue
        outputs = []
        for a, b in zip(found, expected, strict=True):
            if isinstance(b, torch.Tensor) and b.requires_grad:
                assert a.requires_grad, f"{what}\na result does not require grad"
                outputs.append((a, b))
        inputs = [(memo[id(x)], x) for x in leaves([args, kwargs]) if isinstance(x, torch.Tensor) and x.requires_grad]
        inputs += list(zip(ours.parameters(), theirs.parameters(), strict=True))
        if not outputs or not inputs:
            continue
        seeds = [pair_of(rng, b) for _, b in outputs]
        quick, _ = both_gradients(outputs, inputs, seeds, what, retain_graph=True)
        first, first_torch = both_gradients(outputs, inputs, seeds, what, create_graph=True)
        labels = [f"input {i}" for i in range(len(inputs) - len(list(ours.parameters())))]
        labels += [key for key, _ in ours.named_parameters()]
        for label, a, b, c in zip(labels, first, first_torch, quick, strict=True):
            same(a, b, f"{what}\ngradient of {label} (create_graph)")
            same(c, b, f"{what}\ngradient of {label}")
        if dtype is torch.float64 and (info is None or info.supports_gradgrad):
            try:
                second_gradients(rng, list(zip(first, first_torch, strict=True)), inputs + seeds, what)
            except RuntimeError as error:
                if not re.search("derivative for .* is not implemented", str(error)):  # PyTorch's, for a few modules
                    raise


def compare_state(ours: Any, theirs: Any, what: str) -> None:
    """Same names in the same order, same values."""
    __tracebackhide__ = True
    found, expected = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(expected), f"{what}\nstate_dict: {list(found)}, in PyTorch {list(expected)}"
    for key in expected:
        same(found[key], expected[key], f"{what}\nstate {key}")


# -- what a module looks like --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", INFOS)
def test_first_weights(name: str) -> None:
    """Before training: same state names, shapes and dtypes, the same constants and equally spread random weights; same repr."""
    for constructor, forward, what in samples(name, torch.float32, training=True, requires_grad=False):
        torch.manual_seed(0)
        tg.manual_seed(0)
        try:
            ours, theirs = fresh(name, constructor, forward, torch.float32)
        except LeaveOut:
            continue
        expected, found = theirs.state_dict(), ours.state_dict()
        assert list(found) == list(expected), what
        for key, b in expected.items():
            a = found[key].numpy()
            b = b.numpy()
            assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{what}: {key}"
            if b.size and (b == b.flat[0]).all():
                np.testing.assert_array_equal(a, b, err_msg=f"{what}: {key}")
            elif b.size >= 60:
                assert abs(a).max() < 1.5 * abs(b).max(), f"{what}: {key}"
                assert abs(b).max() < 1.5 * abs(a).max(), f"{what}: {key}"
                assert 0.6 < a.std() / b.std() < 1.6, f"{what}: {key}"
        described = (
            repr(theirs).replace("torch.", "").replace("NonDynamicallyQuantizableLinear", "Linear")
            if "function" not in repr(theirs)
            else None
        )
        assert described is None or repr(ours) == described, f"{ours!r}, in PyTorch {described}"


NAMES = [
    name
    for name in dir(nn)
    if inspect.isclass(getattr(torch.nn, name, None)) and issubclass(getattr(torch.nn, name), torch.nn.Module)
    if f"{name}-signature" not in DIFFERENT
]


@pytest.mark.parametrize("name", NAMES)
def test_signature(name: str) -> None:
    """The constructor's arguments have PyTorch's names, order and defaults."""

    def arguments(cls: Any) -> list[Any]:
        parameters = list(inspect.signature(cls).parameters.values())
        return [(p.name, p.kind, p.default) for p in parameters]

    expected = arguments(getattr(torch.nn, name))
    if any(kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) for _, kind, _ in expected):
        pytest.skip("PyTorch takes *args")
    found = arguments(getattr(nn, name))
    known = {key for key, *_ in found}
    assert [key for key, *_ in found] == [key for key, *_ in expected], f"PyTorch's are {[key for key, *_ in expected]}"
    defaults = [(key, default) for key, _, default in expected if key in known and not callable(default)]
    assert [(key, default) for key, _, default in found if not callable(default)] == defaults


def torch_refuses(name: str, sample: Any, training: bool) -> bool:
    constructor, forward = sample.constructor_input, sample.forward_input
    try:
        module = getattr(torch.nn, name)(*constructor.args, **constructor.kwargs).train(training)
        if forward is not None:
            module(*forward.args, **forward.kwargs)
    except Exception:
        return True
    return False


@pytest.mark.parametrize("name", [n for n, info in INFOS.items() if info is not None and info.module_error_inputs_func])
def test_refuses(name: str) -> None:
    """What PyTorch refuses, when constructing or when calling, is refused."""
    __tracebackhide__ = True
    info = INFOS[name]
    for training in (True, False):
        for number, error in enumerate(info.module_error_inputs_func(info, "cpu", torch.float32, False, training)):
            sample = error.module_error_input
            if not torch_refuses(name, sample, training):  # some only in training
                continue
            try:
                args, kwargs = translate([list(sample.constructor_input.args), sample.constructor_input.kwargs], {})
                inputs = (
                    translate([list(sample.forward_input.args), sample.forward_input.kwargs], {}) if sample.forward_input else 0
                )
            except LeaveOut:
                continue
            try:
                module = getattr(nn, name)(*args, **kwargs)
                if error.error_on.name == "FORWARD_ERROR":
                    module.train(training)(*inputs[0], **inputs[1])
            except Exception:
                continue
            said = f"error input {number} of {name} was accepted; PyTorch says {error.error_regex!r}"
            pytest.fail(f"{said}: {(args, kwargs)} {inputs}"[:1500])


def test_how_many_are_offered(capsys: pytest.CaptureFixture) -> None:
    missing = sorted({info.name for info in common_modules.module_db} - {f"nn.{name}" for name in INFOS})
    with capsys.disabled():
        print(f"\n{len(INFOS)} modules are compared; not offered: {' '.join(missing)}")
    unknown = {key for key in DIFFERENT if not hasattr(nn, key.partition("-")[0])}
    assert not unknown, f"deliberate differences are listed for modules that are not offered: {unknown}"
