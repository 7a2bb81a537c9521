"""Every row of the catalogue (tests/cases) through every property that an operation must have."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, autograd, no_grad, ops, tensor
from tinygrad_edu.autograd.engine import topological_order
from tinygrad_edu.errors import InplaceError
from tinygrad_edu.op import registry
from tinygrad_edu.tensor import wrap
from tinygrad_edu.testing import assert_close, gradcheck, gradgradcheck
from tinygrad_edu.trees import leaves

from . import strict_cupy
from .cases import Case, catalogue

CASES = catalogue()
_seen: Counter = Counter()


def _id(case: Case) -> str:
    _seen[case.name] += 1
    return case.name + (f"-{_seen[case.name]}" if _seen[case.name] > 1 else "")


every_row = pytest.mark.parametrize("case", [pytest.param(case, id=_id(case)) for case in CASES])
# NumPy warns of infinities and of NaN, which many operations give on purpose
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

# Public functions without a row, and why.
WITHOUT_ROW = {
    "broadcast_shapes": "takes shapes and returns one",
    "detach": "the method's other name",
    "numel": "returns an int",
    "view": "reshape's row; it refuses some memory layouts",
    "view_as": "reshape's row; it refuses some memory layouts",
    **{f"conv{n}d": "convolution's row" for n in (1, 3)},
    **{
        f"{n}dropout{d}": "random, so in tests/test_dropout.py"
        for n in ("", "alpha_", "feature_alpha_")
        for d in ("", "1d", "2d", "3d")
    },
    "gumbel_softmax": "random, so in tests/test_dropout.py",
    **{f"conv_transpose{n}d": "conv_input's row" for n in (1, 3)},
}


# -- helpers ---------------------------------------------------------------------------------------------------------
def floating(array: Any) -> bool:
    return array.dtype.kind == "f"


def tensors_of(arrays: list[np.ndarray], **how: Any) -> list[Tensor]:
    """Tensors of a sample's arrays; those of floats require grad."""
    return [tensor(a, requires_grad=floating(a), **how) for a in arrays]


def outputs(case: Case, inputs: list[Tensor], settings: dict[str, Any]) -> list[Tensor]:
    """The results that have a gradient."""
    return [z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor) and z.requires_grad]


def gradients(results: list[Tensor], inputs: list[Tensor], create_graph: bool = False) -> list[Any]:
    """The gradients of the results, weighted with random numbers, as arrays."""
    rng = np.random.default_rng(0)
    seeds = [tensor(np.asarray(rng.normal(size=z.shape)), dtype=z.dtype, device=z.device) for z in results]
    variables = [x for x in inputs if x.requires_grad]
    found = autograd.grad(results, variables, seeds, create_graph=create_graph, materialize_grads=True)
    return [g.numpy(force=True) for g in found]  # type: ignore[union-attr]


def what(arrays: list[np.ndarray], settings: dict[str, Any]) -> str:
    return f"{[f'{a.shape} {a.dtype}' for a in arrays]} {settings}"


# -- values and gradients --------------------------------------------------------------------------------------------
@every_row
def test_value(case: Case) -> None:
    """The reference's value; and the inputs stay as they were."""
    for arrays, settings in case.samples():
        inputs = tensors_of(arrays)
        found = list(leaves(case.function(*inputs, **settings)))
        with np.errstate(all="ignore"):
            expected = list(leaves(case.reference(*(a.copy() for a in arrays), **settings)))
        assert len(found) == len(expected), what(arrays, settings)
        for z, e in zip(found, expected, strict=True):
            z = z.numpy(force=True) if isinstance(z, Tensor) else np.asarray(z)
            assert z.shape == np.shape(e), what(arrays, settings)
            np.testing.assert_allclose(z, e, rtol=1e-7, atol=1e-9, err_msg=what(arrays, settings))
        for x, a in zip(inputs, arrays, strict=True):
            np.testing.assert_array_equal(x.array, a, err_msg="the operation changed its input")


@every_row
def test_gradients(case: Case) -> None:
    """First and second derivatives against differences."""
    for arrays, settings in case.samples():
        inputs = tensors_of(arrays)
        if not outputs(case, inputs, settings):
            continue

        def function(*inputs: Tensor, settings: dict = settings) -> Any:
            return [z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor)]

        assert gradcheck(function, inputs, atol=1e-6, rtol=1e-5), what(arrays, settings)
        if case.second:
            assert gradgradcheck(function, inputs, atol=1e-6, rtol=1e-5), what(arrays, settings)


def test_gradients_without_what_was_kept() -> None:
    """What an operation keeps saves time: without it, as where a used graph is explained, its rule comes to the same gradient."""
    seen = set()
    for case in CASES:
        for arrays, settings in case.samples():
            inputs = tensors_of(arrays)
            results = outputs(case, inputs, settings)
            keeping = [node for node in topological_order(results) if node.op.keeps]
            if keeping:
                expected = gradients(outputs(case, inputs, settings), inputs)
                for node in keeping:
                    seen.add(node.op.name)
                    node.kept = None
                for g, e in zip(gradients(results, inputs), expected, strict=True):
                    np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-12, err_msg=what(arrays, settings))
    assert seen >= {name for name in OWN_OPS if registry[name].keeps}


@every_row
def test_one_tensor_twice(case: Case) -> None:
    """f(x, x) gives x the sum of both gradients."""
    for arrays, settings in case.samples():
        twins = [
            i for i, a in enumerate(arrays) if floating(a) and (a.shape, case.domains[i]) == (arrays[0].shape, case.domains[0])
        ]
        if len(twins) < 2 or not outputs(case, tensors_of(arrays), settings):
            continue
        equal = [arrays[0] if i in twins else a for i, a in enumerate(arrays)]
        inputs = tensors_of(equal)
        parts = gradients(outputs(case, inputs, settings), inputs)
        expected = sum(parts[sum(floating(a) for a in arrays[:i])] for i in twins)
        x = tensor(arrays[0], requires_grad=True)
        inputs = [x if i in twins else y for i, y in enumerate(tensors_of(equal))]
        np.testing.assert_allclose(gradients(outputs(case, inputs, settings), [x])[0], expected, rtol=1e-9, atol=1e-12)


# -- kinds of inputs -------------------------------------------------------------------------------------------------
def transposed(a: np.ndarray) -> np.ndarray:
    return np.array(a, order="F")


def strided(a: np.ndarray) -> np.ndarray:
    """Every second element of a larger array."""
    return np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a


def backwards(a: np.ndarray) -> np.ndarray:
    """With negative strides."""
    return np.asarray(np.flip(np.flip(a).copy()))


@every_row
def test_memory_layouts(case: Case) -> None:
    """However the numbers lie in memory, values and gradients are the same."""
    for arrays, settings in case.samples():
        inputs = tensors_of(arrays)
        values = [z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor)]
        results = outputs(case, inputs, settings)
        expected = gradients(results, inputs) if results else []
        for layout in (transposed, strided, backwards):
            inputs = [wrap(layout(a)).requires_grad_(floating(a)) for a in arrays]
            for z, e in zip(
                (z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor)), values, strict=True
            ):
                assert_close(z, e, equal_nan=True, msg=lambda m: f"{layout.__name__} {what(arrays, settings)}: {m}")  # noqa: B023
            for g, e in zip(gradients(outputs(case, inputs, settings), inputs) if results else [], expected, strict=True):
                np.testing.assert_allclose(g, e, rtol=1e-7, atol=1e-9, err_msg=f"{layout.__name__} {what(arrays, settings)}")


@every_row
def test_dtype_stays(case: Case) -> None:
    """float16 in, float16 out and back; and float32 computes what float64 does."""
    for dtype in case.dtypes:
        for arrays, settings in case.samples():
            if not any(floating(a) for a in arrays):
                continue
            inputs = tensors_of([a.astype(dtype) if floating(a) else a for a in arrays])
            found = [z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor)]
            for z in found:
                assert not floating(z) or z.dtype == dtype, f"{dtype} became {z.dtype}: {what(arrays, settings)}"
            results = [z for z in found if z.requires_grad]
            for create_graph in (False, True) if results else ():
                fresh = outputs(case, inputs, settings)
                variables = [x for x in inputs if x.requires_grad]
                raw = autograd.grad(
                    fresh, variables, [tg.ones_like(z) for z in fresh], create_graph=create_graph, materialize_grads=True
                )
                for g in raw:
                    assert g is not None
                    assert g.dtype == dtype, f"the gradient of {dtype} is {g.dtype}: {what(arrays, settings)}"
            if dtype == "float32":
                exact = [z for z in leaves(case.function(*tensors_of(arrays), **settings)) if isinstance(z, Tensor)]
                for z, e in zip(found, exact, strict=True):
                    assert_close(z, e, rtol=1e-3, atol=1e-4, equal_nan=True, check_dtype=False)


@every_row
def test_device(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a device as strict as CuPy: the same values and gradients, and nothing leaves the device."""
    strict_cupy.install(monkeypatch)
    make = tg.tensor
    for arrays, settings in case.samples():
        moved = {k: tensor(v, device="cuda") if isinstance(v, np.ndarray) else v for k, v in settings.items()}
        here, there = tensors_of(arrays), tensors_of(arrays, device="cuda")
        with monkeypatch.context() as patch:  # the constants that a row makes are on the device, too
            patch.setattr(tg, "tensor", lambda *data, **how: make(*data, **{"device": "cuda", **how}))
            found = [z for z in leaves(case.function(*there, **moved)) if isinstance(z, Tensor)]
            again = outputs(case, there, moved)
        values = [z for z in leaves(case.function(*here, **settings)) if isinstance(z, Tensor)]
        for z, e in zip(found, values, strict=True):
            assert isinstance(z.array, strict_cupy.ndarray), f"a result left the device: {what(arrays, settings)}"
            assert_close(z.cpu(), e, equal_nan=True)
        for results, create_graph in (([z for z in found if z.requires_grad], False), (again, True)):
            if results:
                expected = gradients(outputs(case, here, settings), here, create_graph)
                for g, e in zip(gradients(results, there, create_graph), expected, strict=True):
                    np.testing.assert_allclose(g, e, rtol=1e-7, atol=1e-9)


# -- changes in place ------------------------------------------------------------------------------------------------
@every_row
def test_changed_after_use(case: Case) -> None:
    """After an input's or the output's memory was changed, backward raises or its gradients are still right."""
    for arrays, settings in case.samples():
        inputs = tensors_of(arrays)
        results = outputs(case, inputs, settings)
        if not results:
            continue
        expected = gradients(results, inputs)
        for changed in range(len(inputs) + len(results)):
            inputs = tensors_of(arrays)
            results = outputs(case, inputs, settings)
            x = [*inputs, *results][changed]
            try:
                with no_grad():
                    x.copy_(x + 0.37 if floating(x) else ~x if x.dtype == np.bool_ else tg.zeros_like(x))
                found = gradients(results, inputs)
            except InplaceError:
                continue
            for g, e in zip(found, expected, strict=True):
                np.testing.assert_allclose(
                    g,
                    e,
                    rtol=1e-9,
                    atol=1e-12,
                    err_msg=f"a wrong gradient after a change of number {changed}: {what(arrays, settings)}",
                )


# -- completeness ----------------------------------------------------------------------------------------------------
OWN_OPS = sorted(name for name, op in registry.items() if op.forward.__module__.startswith("tinygrad_edu."))


@pytest.mark.parametrize("name", OWN_OPS)
def test_op_has_formula_and_row(name: str) -> None:
    op = registry[name]
    assert re.search(r"z[^=;]*=", op.formula), f"the docstring of {name} has no line with `z =`"
    assert "∂" in op.formula or not op.differentiable, f"the docstring of {name} does not give its derivatives (∂)"
    assert any(name in case.ops for case in CASES), f"no row of the catalogue has {name!r} among its ops"


def test_rows_name_ops_that_exist() -> None:
    unknown = {name for case in CASES for name in case.ops or () if name not in registry and not find(name)}
    assert not unknown


def find(name: str) -> Any:
    """A public function by the last part of its name."""
    return next((getattr(m, name) for m in (tg, tg.linalg) if hasattr(m, name)), None)


def test_every_public_function_has_a_row() -> None:
    covered = {case.name.rpartition(".")[2] for case in CASES}
    functions = {id(inspect.unwrap(find(name))) for name in covered if find(name)}
    missing = []
    for file in (module.name for module in pkgutil.iter_modules(ops.__path__)):
        if file in ("creation", "random", "inplace"):
            continue
        module = importlib.import_module(f"tinygrad_edu.ops.{file}")
        names = set(getattr(module, "__all__", ())) - covered - set(WITHOUT_ROW)
        missing += sorted(f"{file}.{name}" for name in names if id(inspect.unwrap(getattr(module, name))) not in functions)
    assert not missing, f"{len(missing)} functions have no row in tests/cases: {' '.join(missing)}"
