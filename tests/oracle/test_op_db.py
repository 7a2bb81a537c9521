"""PyTorch's own samples for its operators, run here: same values, dtypes, first and second gradients, same refusals.

`torch.testing._internal.common_methods_invocations.op_db` describes about 700 operators: samples of their arguments, and
arguments that they must refuse. Every operator that exists here under the same name is compared; the others are not
looked at. To run one: `pytest tests/oracle -p no:xdist -k "add or matmul"`, or `...::test_values[add-float64]`.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import re
import sys
import types
import unittest
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.trees import leaves

torch = pytest.importorskip("torch")
if importlib.util.find_spec("expecttest") is None:  # PyTorch's test helpers import it, and nothing here uses it
    sys.modules["expecttest"] = types.ModuleType("expecttest")
    sys.modules["expecttest"].TestCase = unittest.TestCase  # type: ignore[attr-defined]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    op_db = importlib.import_module("torch.testing._internal.common_methods_invocations").op_db

pytestmark = pytest.mark.filterwarnings("ignore")

DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool)

# Deliberate differences: the part of a test's id, "operator", "operator/variant" or either with "-dtype", and the reason.
DIFFERENT: dict[str, str] = {
    "nn.functional.local_response_norm-int64": "PyTorch cuts off the fraction of the mean of integers' squares",
    "cholesky_solve": "only the triangle of L counts here, for its gradient too",
    "zero_": "PyTorch's sample calls it as a function of the module; here it is a method",
    "logcumsumexp-float32": "PyTorch's rounding errors at inputs of 1e4 are beyond the tolerance; float64 agrees",
}

# The same for second gradients only.
SECOND_DIFFERENT = {
    "nn.functional.scaled_dot_product_attention": "PyTorch has none on the CPU",
    "linalg.norm": "of an empty vector: 0 here, NaN in PyTorch",
    **dict.fromkeys(("nn.functional.ctc_loss", "nn.functional.grid_sample"), "PyTorch has none"),
    "linalg.norm/subgradients_at_zero": "a norm has no second derivative at 0: infinite here, NaN in PyTorch",
}

# The same for whether a result shares memory with an argument, which is then changed with it.
OTHER_MEMORY = {
    "cartesian_prod": "of one tensor: a copy here, as of several; a view in PyTorch",
}

# The same for the names of arguments.
OTHER_NAMES = dict.fromkeys(("linalg.det", "linalg.inv"), "the matrix is x here, as in the formula, and A in PyTorch")

# Among equal numbers each of these may name another index than PyTorch: the numbers that they name are compared instead.
ANY_OF_EQUAL = {"kthvalue": 1, "topk": 1, "mode": 1, "sort": 1, "argsort": 0}  # which result is the index

# Their numbers are drawn from another generator, or are whatever was in memory: only shape and dtype are compared.
RANDOM = """
    bernoulli cauchy exponential geometric log_normal multinomial normal rand_like randint randint_like randn randn_like uniform
    nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d nn.functional.alpha_dropout nn.functional.rrelu
    nn.functional.feature_alpha_dropout nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d
    empty empty_like new_empty empty_permuted empty_strided new_empty_strided svd_lowrank pca_lowrank
"""

# Decompositions are unique up to signs: compared after PyTorch's own reduction to what is unique.
UP_TO_SIGNS = ("linalg.eigh", "linalg.svd", "svd", "linalg.qr", "qr", "geqrf")

# What an operator of PyTorch needs of the kinds that are not offered here, so that the sample is left out.
NOT_OFFERED = (torch.complex32, torch.complex64, torch.complex128, torch.bfloat16, torch.uint16, torch.uint32, torch.uint64)
LEFT_OUT_ARGUMENTS = ("layout", "memory_format", "pin_memory", "non_blocking")


# -- which operators are offered here --------------------------------------------------------------------------------
def find(root: Any, name: str) -> Any:
    """root.a.b.c, or None; modules do not count."""
    for part in name.split("."):
        root = getattr(root, part, None)
    return root if callable(root) or isinstance(root, property) else None


def with_ours(function: Any) -> Any:
    """A function of PyTorch's tests that runs on this library: what it calls `torch` is tinygrad_edu."""
    scope = {**function.__globals__, "torch": tg}
    return types.FunctionType(function.__code__, scope, None, function.__defaults__, function.__closure__)


def offered(info: Any) -> Callable[..., Any] | None:
    """The function of tinygrad_edu that is PyTorch's operator `info`, or None."""
    for name in (info.name, *(alias.name for alias in info.aliases)):
        found = find(tg, name) or find(tg.Tensor, name) or find(tg.Tensor, name + "_")
        if found is None:
            continue
        if type(info.op) is types.FunctionType and info.op.__module__.startswith("torch.testing"):
            # PyTorch's own way to call it, such as `lambda tensors, equation: torch.einsum(equation, tensors)`, on this library
            return with_ours(info.op)
        return found
    return None


def name_of(info: Any) -> str:
    """The operator's name, with its variant: "linalg.norm/subgradients_at_zero"."""
    return f"{info.name}/{info.variant_test_name}" if info.variant_test_name else info.full_name


OFFERED = {name_of(info): info for info in op_db}
OFFERED = {name: info for name, info in OFFERED.items() if offered(info)}


# -- from PyTorch to here --------------------------------------------------------------------------------------------
class LeaveOut(Exception):
    """A sample of something that is not offered: complex numbers, sparse tensors, other devices, out=."""


def translate(value: Any, memo: dict[int, Any]) -> Any:
    """PyTorch's tensors, dtypes and devices as this library's, in nested arguments; one tensor stays one tensor."""
    if isinstance(value, torch.Tensor):
        if value.dtype in NOT_OFFERED or value.layout is not torch.strided or value.device.type != "cpu" or value.ndim > 64:
            raise LeaveOut
        if id(value) not in memo:
            memo[id(value)] = tg.from_numpy(copied_with_strides(value.detach().resolve_neg())).requires_grad_(value.requires_grad)
        return memo[id(value)]
    if isinstance(value, torch.dtype):
        if value in NOT_OFFERED:
            raise LeaveOut
        return np.dtype(str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, complex | torch.Generator | torch.layout | torch.memory_format):
        raise LeaveOut
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, list | tuple):
        parts = [translate(x, memo) for x in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {k: translate(x, memo) for k, x in value.items() if k not in LEFT_OUT_ARGUMENTS}
    if isinstance(value, str) and value.partition(":")[0] in ("cuda", "meta"):
        raise LeaveOut
    if isinstance(value, torch.nn.Module):
        return translate_module(value)
    if isinstance(value, types.BuiltinFunctionType):
        return find(tg, value.__name__) or find(tg.nn.functional, value.__name__)
    if isinstance(value, types.FunctionType):
        return find(tg.nn.functional, value.__name__) or with_ours(value)
    return value


def copied_with_strides(x: Any) -> np.ndarray:
    """A copy that lies in memory as PyTorch's tensor does: transposed, with gaps, repeated."""
    memory = torch.as_strided(x, (x.untyped_storage().nbytes() // x.element_size(),), (1,), 0).numpy().copy()
    strides = [n * memory.itemsize for n in x.stride()]
    return np.ndarray(tuple(x.shape), memory.dtype, memory, x.storage_offset() * memory.itemsize, strides)


def translate_module(value: Any) -> Any:
    """A module as an argument: a distance, an activation, a transformer's layer or its norm."""
    cls = getattr(tg.nn, type(value).__name__)
    if isinstance(value, torch.nn.LayerNorm):
        return cls(value.normalized_shape, value.eps).to(str(value.weight.dtype)[6:])
    if not hasattr(value, "self_attn"):
        return cls()
    attention, activation = value.self_attn, translate(value.activation, {})
    sizes = attention.embed_dim, attention.num_heads, value.linear1.out_features, value.dropout.p, activation
    how = value.norm1.eps, attention.batch_first, value.norm_first, value.linear1.bias is not None
    return cls(*sizes, *how).to(str(value.linear1.weight.dtype)[6:])


def to_torch(x: Any) -> Any:
    """A result as PyTorch's tensor (or dtype), to be compared."""
    if isinstance(x, tg.Tensor):
        return torch.from_numpy(np.array(x.array))
    return x


# -- comparing -------------------------------------------------------------------------------------------------------
def same(ours: Any, theirs: Any, what: str, only_kind: bool = False) -> None:
    """Same value, shape and dtype; None stands for zeros."""
    __tracebackhide__ = True
    if ours is None and theirs is None:
        return
    if not isinstance(ours, tg.Tensor) and not isinstance(theirs, torch.Tensor):
        assert ours == theirs or (ours != ours and theirs != theirs) or str(theirs) == f"torch.{ours}", (
            f"{what}: {ours!r}, in PyTorch {theirs!r}"
        )
        return
    ours = torch.zeros_like(theirs) if ours is None else to_torch(ours)
    assert isinstance(ours, torch.Tensor), f"{what}: a {type(ours).__name__}, in PyTorch a tensor"
    theirs = torch.zeros_like(ours) if theirs is None else theirs
    assert isinstance(theirs, torch.Tensor), f"{what}: a tensor, in PyTorch a {type(theirs).__name__}"
    theirs = theirs.detach()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), (
        f"{what}: {tuple(ours.shape)} {ours.dtype}, in PyTorch {tuple(theirs.shape)} {theirs.dtype}"
    )
    if only_kind:
        return
    tolerance = {torch.float64: 1e-6, torch.float32: 2e-4, torch.float16: 1e-2}.get(theirs.dtype, 0)
    torch.testing.assert_close(
        ours,
        theirs,
        rtol=tolerance,
        atol=tolerance,
        equal_nan=True,
        msg=lambda report: f"{what}: {report}\nhere: {ours}\nPyTorch: {theirs}",
    )


def samples(info: Any, dtype: Any, requires_grad: bool = False) -> Iterator[tuple[Any, Any, str]]:
    """PyTorch's samples of an operator: PyTorch's arguments, ours, and a description."""
    torch.manual_seed(0)
    for number, sample in enumerate(info.sample_inputs("cpu", dtype, requires_grad=requires_grad)):
        if sample.kwargs.get("dropout_p"):  # random
            continue
        if info.name == "nn.functional.multi_head_attention_forward":
            sample.args = (*sample.args[:9], 0.0, *sample.args[10:])  # dropout_p, which most of its samples have
        try:
            memo: dict[int, Any] = {}
            ours = translate([sample.input, list(sample.args), sample.kwargs], memo)
        except LeaveOut:
            continue
        pairs = [(memo[id(x)], x) for x in leaves([sample.input, *sample.args, sample.kwargs]) if id(x) in memo]
        yield sample, (ours, pairs), f"sample {number} of {info.name} {dtype}: {str(sample)[:1500]}"


def run_both(info: Any, sample: Any, ours: Any, what: str) -> tuple[list[Any], list[Any]]:
    """The results here and in PyTorch, flat."""
    __tracebackhide__ = True
    theirs = info.op(sample.input, *sample.args, **sample.kwargs)
    if any(
        isinstance(x, torch.Tensor) and (x.is_complex() or x.layout is not torch.strided or x.dtype in NOT_OFFERED)
        for x in leaves(theirs)
    ):
        raise LeaveOut
    function, (first, args, kwargs) = offered(info), ours
    assert function is not None
    try:
        found = function(first, *args, **kwargs)
    except Exception as error:
        raise AssertionError(f"{what}\nraised {type(error).__name__}: {error}") from error
    if info.name in UP_TO_SIGNS:
        process = sample.output_process_fn_grad
        found, theirs = with_ours(process)(found), process(theirs)
    found, theirs = list(leaves(found)), list(leaves(theirs))
    assert len(found) == len(theirs), f"{what}\ngives {len(found)} results, in PyTorch {len(theirs)}"
    return found, theirs


CASES = [
    pytest.param(info, dtype, id=f"{name}-{str(dtype)[6:]}")
    for name, info in OFFERED.items()
    for dtype in DTYPES
    if dtype in info.dtypes and not {name, f"{name}-{str(dtype)[6:]}"} & set(DIFFERENT)
]


@pytest.mark.parametrize(("info", "dtype"), CASES)
def test_values(info: Any, dtype: Any) -> None:
    __tracebackhide__ = True
    for sample, (ours, _), what in samples(info, dtype):
        try:
            found, theirs = run_both(info, sample, ours, what)
        except LeaveOut:
            continue
        for i, (a, b) in enumerate(zip(found, theirs, strict=True)):
            if ANY_OF_EQUAL.get(info.name) == i and not dtype.is_floating_point:
                same(a, b, f"{what}\nresult {i}", only_kind=True)
                a, b = named(info.name, sample, to_torch(a)), named(info.name, sample, b)
                a = tg.tensor(a.numpy())
            same(a, b, f"{what}\nresult {i}", only_kind=info.name in RANDOM.split())


@pytest.mark.parametrize(
    ("info", "dtype"), [case for case in CASES if case.values[1] is torch.float64 and case.values[0].name not in OTHER_MEMORY]
)
def test_memory(info: Any, dtype: Any) -> None:
    """A result shares memory with an argument where PyTorch's does, and leaves it alone where PyTorch's does."""
    __tracebackhide__ = True
    for sample, (ours, pairs), what in samples(info, dtype):
        if not pairs or "memory_format" in sample.kwargs or "memory_format" in str(sample.args):
            continue
        try:
            found, theirs = run_both(info, sample, ours, what)
        except LeaveOut:
            continue
        for i, (a, b) in enumerate(zip(found, theirs, strict=True)):
            if isinstance(b, torch.Tensor) and b.numel():
                expected = any(b.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for _, x in pairs)
                assert any(np.shares_memory(a.array, x.array) for x, _ in pairs) == expected, (
                    f"{what}\nresult {i}, in PyTorch: {expected}"
                )


def argument_names(function: Any) -> list[str]:
    """The names of a function's arguments: by its signature, or the one at the head of its documentation."""
    if isinstance(function, types.FunctionType):
        parameters = inspect.signature(function).parameters.values()
        return [] if any(p.kind is p.VAR_POSITIONAL for p in parameters) else [p.name for p in parameters]
    head = re.match(r"\s*[\w.]+\(([^)*]*)", function.__doc__ or "")
    return re.findall(r"(\w+)(?:: [^,=]*)?(?:=[^,]*)?(?:,|$)", head[1]) if head else []


@pytest.mark.parametrize("name", [name for name, info in OFFERED.items() if {*DTYPES} & info.dtypes and name not in OTHER_NAMES])
def test_keywords(name: str) -> None:
    """Where PyTorch takes all arguments by name, so does this library."""
    __tracebackhide__ = True
    info = OFFERED[name]
    dtype = next(dtype for dtype in DTYPES if dtype in info.dtypes)
    names = argument_names(info.op)
    for sample, (ours, _), what in itertools.islice(samples(info, dtype), 10):
        if len(sample.args) >= len(names) or set(names[: 1 + len(sample.args)]) & set(sample.kwargs):
            continue
        try:
            theirs = info.op(**dict(zip(names, (sample.input, *sample.args), strict=False)), **sample.kwargs)
        except (TypeError, RuntimeError):
            continue
        (first, args, kwargs), function = ours, offered(info)
        assert function is not None
        found = function(**dict(zip(names, (first, *args), strict=False)), **kwargs)
        for a, b in zip(leaves(found), leaves(theirs), strict=True):
            same(a, b, f"{what}\nby names", only_kind=info.name in RANDOM.split() or info.name in UP_TO_SIGNS)


METHODS = {
    (name, variant.__name__): variant
    for name, info in OFFERED.items()
    for variant in (info.method_variant, info.inplace_variant)
    if variant is not None and hasattr(tg.Tensor, getattr(variant, "__name__", "")) and info.name not in RANDOM.split()
}


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_methods(name: str, method: str) -> None:
    """A method does what PyTorch's method does, and returns the tensor itself where it changes that in place."""
    __tracebackhide__ = True
    info, theirs = OFFERED[name], METHODS[name, method]
    for dtype in DTYPES:
        if dtype not in info.dtypes or f"{name}-{str(dtype)[6:]}" in DIFFERENT:
            continue
        for sample, (ours, _), what in itertools.islice(samples(info, dtype), 10):
            if not isinstance(sample.input, torch.Tensor):
                continue
            first, args, kwargs = ours
            try:
                expected = theirs(sample.input.clone(), *sample.args, **sample.kwargs)
            except (TypeError, RuntimeError):  # a result of another shape or dtype has no place in the tensor
                continue
            before = first.clone()
            found = getattr(before, method)(*args, **kwargs)
            assert found is before or not method.endswith("_") or method.startswith("_"), what
            for a, b in zip(leaves(found), leaves(expected), strict=True):
                same(a, b, f"{what}\n{method}", only_kind=info.name in UP_TO_SIGNS or info.name in ANY_OF_EQUAL)


def named(name: str, sample: Any, index: Any) -> Any:
    """The numbers that an index along a dim names."""
    x, place = sample.input, 1 if name in ("topk", "kthvalue") else 0  # of dim among the arguments behind x
    dim = sample.kwargs.get("dim", [*sample.args, -1, -1][place])
    if not x.ndim:
        return x
    short = index.ndim < x.ndim
    return torch.gather(x, dim, index.unsqueeze(dim) if short else index)


FLOAT_CASES = [case for case in CASES if case.values[0].supports_autograd and case.values[1].is_floating_point]


@pytest.mark.parametrize(("info", "dtype"), FLOAT_CASES)
def test_gradients(info: Any, dtype: Any) -> None:
    """First gradients in both of this library's ways (arrays, recorded), and in float64 second gradients."""
    __tracebackhide__ = True
    if info.name in RANDOM.split():
        pytest.skip("random numbers")
    rng = np.random.default_rng(0)
    for sample, (ours, pairs), what in samples(info, dtype, requires_grad=True):
        inputs = [pair for pair in dict.fromkeys(pairs) if pair[1].requires_grad]
        try:
            found, theirs = run_both(info, sample, ours, what)
        except LeaveOut:
            continue
        outputs = []
        for i, (a, b) in enumerate(zip(found, theirs, strict=True)):
            if isinstance(b, torch.Tensor) and b.is_floating_point():
                assert a.requires_grad == b.requires_grad, (
                    f"{what}\nresult {i}: requires_grad={a.requires_grad}, in PyTorch {b.requires_grad}"
                )
                if b.requires_grad:
                    outputs.append((a, b))
        if not outputs or not inputs:
            continue
        seeds = [pair_of(rng, b) for _, b in outputs]
        first, first_torch = both_gradients(outputs, inputs, seeds, what, create_graph=True)
        quick = tg.autograd.grad(*ours_of(outputs, inputs, seeds), retain_graph=True, allow_unused=True)
        for i, (a, b, c) in enumerate(zip(first, first_torch, quick, strict=True)):
            same(a, b, f"{what}\ngradient of input {i} (create_graph)")
            same(c, b, f"{what}\ngradient of input {i}")
        if dtype is torch.float64 and info.supports_gradgrad and name_of(info) not in SECOND_DIFFERENT:
            second_gradients(rng, list(zip(first, first_torch, strict=True)), inputs + seeds, what)


def second_gradients(rng: np.random.Generator, firsts: list, inputs: list, what: str) -> None:
    __tracebackhide__ = True
    roots = [(a, b) for a, b in firsts if b is not None and b.requires_grad]
    stray = [a for a, b in firsts if a is not None and a.requires_grad and (b is None or not b.requires_grad)]
    for a in stray:  # PyTorch says: a constant. A recorded zero is fine
        for g in tg.autograd.grad(a, [x for x, _ in inputs], tg.tensor(np.ones(a.shape)), retain_graph=True, allow_unused=True):
            assert g is None or not g.array.any(), f"{what}\na second gradient is not 0; PyTorch says it is"
    constant = [(a, b) for a, b in roots if a is None or not a.requires_grad]
    roots = [(a, b) for a, b in roots if a is not None and a.requires_grad]
    for _, b in constant:
        for g in torch.autograd.grad(b, [x for _, x in inputs], torch.ones_like(b), retain_graph=True, allow_unused=True):
            assert g is None or not g.any(), f"{what}\na first gradient is constant here; in PyTorch it has a gradient"
    if roots:
        seeds = [pair_of(rng, b) for _, b in roots]
        second, second_torch = both_gradients(roots, inputs, seeds, what)
        for i, (a, b) in enumerate(zip(second, second_torch, strict=True)):
            same(a, b, f"{what}\nsecond gradient, of input (or incoming gradient) {i}")


def pair_of(rng: np.random.Generator, like: Any) -> tuple[Any, Any]:
    """Random numbers as a tensor of both libraries."""
    array = rng.normal(size=tuple(like.shape)).astype(str(like.dtype)[6:])
    return tg.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


def ours_of(*pairs: list) -> list:
    return [[a for a, _ in each] for each in pairs]


def both_gradients(outputs: list, inputs: list, seeds: list, what: str, **how: Any) -> tuple[Any, Any]:
    __tracebackhide__ = True
    theirs = torch.autograd.grad(*([b for _, b in each] for each in (outputs, inputs, seeds)), allow_unused=True, **how)
    try:
        return tg.autograd.grad(*ours_of(outputs, inputs, seeds), allow_unused=True, **how), theirs
    except Exception as error:
        raise AssertionError(f"{what}\nits gradient raised {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("name", [n for n, info in OFFERED.items() if info.error_inputs_func and n not in DIFFERENT])
def test_refuses(name: str) -> None:
    """What PyTorch refuses is refused, but for numbers where PyTorch insists on tensors."""
    __tracebackhide__ = True
    info = OFFERED[name]
    for number, error in enumerate(info.error_inputs("cpu")):
        sample = error.sample_input
        number_for_tensor = not error.error_regex and any(isinstance(x, int | float) for x in (sample.input, *sample.args))
        if "out" in sample.kwargs or number_for_tensor:
            continue
        try:
            first, args, kwargs = translate([sample.input, list(sample.args), sample.kwargs], {})
        except LeaveOut:
            continue
        function = offered(info)
        assert function is not None
        try:
            found = function(first, *args, **kwargs)
        except Exception:
            continue
        said = f"error input {number} of {name} was accepted; PyTorch says {error.error_regex!r}"
        pytest.fail(f"{said}: {str(sample)[:1500]}\nresult: {found}")


def test_how_many_are_offered(capsys: pytest.CaptureFixture) -> None:
    missing = sorted(
        {info.name for info in op_db if not offered(info) and not info.name.startswith(("masked.", "signal.", "fft.", "_"))}
    )
    with capsys.disabled():
        print(f"\n{len(OFFERED)} of {len(op_db)} operators of PyTorch are offered and compared; not offered: {' '.join(missing)}")
    unknown = {key for key in [*DIFFERENT, *SECOND_DIFFERENT] if key.partition("-")[0] not in OFFERED}
    assert not unknown, f"deliberate differences are listed for operators that are not offered: {unknown}"
