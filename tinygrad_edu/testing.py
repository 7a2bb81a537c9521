"""Tests of derivatives, for the operations here and for your own.

`gradcheck` compares gradients with differences of the function's values, `gradgradcheck` does the same for second
derivatives, `assert_close` compares tensors. `shapes`, `broadcastable_shapes` and `tensors` are Hypothesis strategies; with
them an operation of your own is tested on many random tensors in three lines:

>>> from hypothesis import given, settings
>>> from tinygrad_edu.testing import gradcheck, tensors
>>> @settings(max_examples=10, database=None)
... @given(tensors(requires_grad=True))
... def test_cube(x):
...     assert gradcheck(lambda x: x * x * x, x)
>>> test_cube()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes
from .autograd.engine import grad
from .errors import DtypeError, GraphError, describe
from .ops.creation import tensor
from .tensor import Tensor

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["GradcheckError", "assert_close", "broadcastable_shapes", "gradcheck", "gradgradcheck", "shapes", "tensors"]


class GradcheckError(RuntimeError):
    """A gradient that differs from the differences of the function's values."""


# -- derivatives -----------------------------------------------------------------------------------------------------
def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Check the gradients of `func` at `inputs` against central differences, (f(x + eps) - f(x - eps)) / 2·eps.

    The outputs are weighted with random numbers and summed, and every element of every input that requires grad is varied.
    (Ones as weights would hide errors: the gradients of a softmax, say, sum to 0.)

    Args:
        func: a function of the inputs that returns a tensor or several.
        inputs: the tensors (and other arguments) to call it with; those that require grad must be float64.
        eps: how far an element is moved to each side.
        atol, rtol: what may differ: atol + rtol·|difference quotient|.
        raise_exception: raise GradcheckError instead of returning False.

    Raises:
        GradcheckError: the worst element, with its gradient and its difference quotient; or the function changed an input in place.
        DtypeError: an input that requires grad is not float64: the quotients would be too inexact to tell anything.
        GraphError: no input requires grad.

    >>> from tinygrad_edu import Tensor, exp
    >>> gradcheck(exp, Tensor([0.0, 1.0], dtype="float64", requires_grad=True))
    True

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """
    inputs = _as_tuple(inputs)
    variables = _variables("gradcheck", inputs)
    given = {name: x.numpy(force=True).copy() for name, x in variables.items()}
    outputs = _float_outputs(func(*inputs))
    for name, x in variables.items():
        if not np.array_equal(given[name], x.numpy(force=True), equal_nan=True):
            raise GradcheckError(
                f"gradcheck: the function changed {name}, {describe(x)}, in place, so neither its gradient nor anything computed from "
                "it later can be right. A forward computation makes a new array: x + 1, and not x += 1."
            )
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape) for y in outputs]

    def value() -> Any:
        return [y.numpy(force=True).copy() for y in _float_outputs(func(*inputs))]

    analytic = _analytic(outputs, weights, list(variables.values()))
    problems = []
    for (name, x), found in zip(variables.items(), analytic, strict=True):
        numeric = _difference_quotients(value, weights, x, eps)
        off = np.abs(found - numeric)
        wrong = ~(off <= atol + rtol * np.abs(numeric))  # so that NaN counts as wrong
        if wrong.any():
            excess = np.where(np.isnan(off), np.inf, off) * wrong
            at = tuple(int(i) for i in np.unravel_index(np.argmax(excess), x.shape))
            problems.append(
                f"the gradient of {name}, {describe(x)}, is wrong at {list(at)}: backward gives {found[at]:.10g}, the "
                f"function's values give {numeric[at]:.10g} (a difference of {off[at]:.3g}; allowed: {atol:g} + {rtol:g} of the "
                f"latter). {int(wrong.sum())} of its {x.array.size} elements are wrong."
            )
    if problems and raise_exception:
        raise GradcheckError("gradcheck: " + "\n".join(problems))
    return not problems


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Check the second derivatives of `func`, by `gradcheck` of its gradients, as functions of the inputs and of `grad_outputs`.

    Args:
        grad_outputs: the gradients that the outputs get, one for each (default: random numbers).
        func, inputs, eps, atol, rtol, raise_exception: as for `gradcheck`, and it raises the same errors.

    >>> from tinygrad_edu import Tensor, exp
    >>> gradgradcheck(exp, Tensor([0.0, 1.0], dtype="float64", requires_grad=True))
    True

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradgradcheck.html
    """
    inputs = _as_tuple(inputs)
    variables = list(_variables("gradgradcheck", inputs).values())
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        outputs = _float_outputs(func(*inputs))
        seeds: Any = [
            tensor(rng.normal(size=y.shape), device=y.device, requires_grad=True, name=f"grad_outputs[{i}]")
            for i, y in enumerate(outputs)
            if y.requires_grad
        ]
    else:
        seeds = _as_tuple(grad_outputs)

    def gradients(*arguments: Any) -> list[Tensor]:
        outputs = [y for y in _float_outputs(func(*arguments[: len(inputs)])) if y.requires_grad]
        found = grad(outputs, variables, list(arguments[len(inputs) :]), create_graph=True, materialize_grads=True)
        return [g for g in found if g is not None]

    return gradcheck(gradients, (*inputs, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _as_tuple(inputs: Any) -> tuple:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _variables(who: str, inputs: tuple) -> dict[str, Tensor]:
    """The inputs that require grad, by what messages call them."""
    found = {f"input {i}": x for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad}
    if not found:
        raise GraphError(f"{who}: no input requires grad, so there is nothing to check. Make one with requires_grad=True.")
    for name, x in found.items():
        if x.dtype != dtypes.float64:
            raise DtypeError(
                f"{who}: {name} is {x.dtype}, and differences of its function's values would be too inexact to judge gradients "
                "by. Make the tensors with dtype=float64."
            )
    return found


def _float_outputs(result: Any) -> list[Tensor]:
    """The tensors of floats among a function's results: the others (indices, counts) have no gradient."""
    return [y for y in _as_tuple(result) if isinstance(y, Tensor) and y.dtype.kind == "f"]


def _analytic(outputs: list[Tensor], weights: list, variables: list[Tensor]) -> list[np.ndarray]:
    """The gradients of the weighted sum of the outputs."""
    tracked = [(y, w) for y, w in zip(outputs, weights, strict=True) if y.requires_grad]
    if not tracked:  # constants, as far as the rules know
        return [np.zeros(x.shape) for x in variables]
    seeds = [tensor(w, dtype=y.dtype, device=y.device) for y, w in tracked]
    found = grad([y for y, _ in tracked], variables, seeds, materialize_grads=True)
    return [g.numpy(force=True) for g in found if g is not None]


def _difference_quotients(value: Callable[[], list], weights: list, x: Tensor, eps: float) -> np.ndarray:
    """The derivative of the weighted sum of values with respect to each element of x, which is moved a little and put back."""
    found = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        here = float(x.array[index])
        above, below = here + eps, here - eps
        try:
            x.array[index] = above
            high = value()
            x.array[index] = below
            low = value()
        finally:
            x.array[index] = here
        rise = sum(float(np.sum((up - down) * w)) for up, down, w in zip(high, low, weights, strict=True))
        found[index] = rise / (above - below)
    return found


# -- comparing tensors -----------------------------------------------------------------------------------------------
_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # rtol, atol, as PyTorch's


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Fail unless |actual - expected| ≤ atol + rtol·|expected| everywhere, with equal shapes, dtypes and devices.

    Args:
        actual, expected: tensors, arrays, numbers, or sequences or mappings of these.
        rtol, atol: both or none; default by dtype: 1.3e-6 and 1e-5 for float32, 1e-7 for float64, 0 for integers.
        equal_nan: whether NaN equals NaN.
        check_device, check_dtype: whether these must be equal too.
        msg: what the error says, or a function that makes it of the usual text.

    Raises:
        AssertionError: they differ; it names the place of the largest difference.

    >>> from tinygrad_edu import Tensor
    >>> assert_close(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]) * 1.0000001)

    Source: https://pytorch.org/docs/stable/testing.html
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: give both rtol and atol, or neither.")
    problem = next(_differences(actual, expected, "", rtol, atol, equal_nan, check_device, check_dtype), None)
    if problem is not None:
        raise AssertionError(problem if msg is None else msg(problem) if callable(msg) else msg)


def _differences(a: Any, b: Any, place: str, rtol: Any, atol: Any, equal_nan: bool, device: bool, dtype: bool) -> Iterator[str]:
    """What is different, in words."""
    rest = (rtol, atol, equal_nan, device, dtype)
    where = f" at {place}" if place else ""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            yield f"the keys{where} differ: {sorted(map(str, a))} and {sorted(map(str, b))}"
        for key in a.keys() & b.keys():
            yield from _differences(a[key], b[key], f"{place}[{key!r}]", *rest)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            yield f"the lengths{where} differ: {len(a)} and {len(b)}"
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from _differences(x, y, f"{place}[{i}]", *rest)
    elif a is None and b is None:
        return
    elif not all(isinstance(x, Tensor | int | float) or hasattr(x, "__array_function__") for x in (a, b)) or (
        isinstance(a, Tensor) != isinstance(b, Tensor)
    ):
        raise TypeError(f"assert_close compares tensors with tensors and numbers with numbers{where}: {type(a)}, {type(b)}.")
    else:
        yield from _different_values(a, b, where, *rest)


def _different_values(
    a: Any, b: Any, where: str, rtol: Any, atol: Any, equal_nan: bool, device: bool, dtype: bool
) -> Iterator[str]:
    if device and isinstance(a, Tensor) and a.device != b.device:
        yield f"the devices{where} differ: {a.device} and {b.device}"
    a, b = (x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x) for x in (a, b))
    if a.shape != b.shape:
        yield f"the shapes{where} differ: {a.shape} and {b.shape}"
        return
    if dtype and a.dtype != b.dtype:
        yield f"the dtypes{where} differ: {a.dtype} and {b.dtype}"
    if rtol is None:
        rtol, atol = np.max([_TOLERANCES.get(str(x.dtype), (0.0, 0.0)) for x in (a, b)], axis=0)
    with np.errstate(all="ignore"):
        a, b = (
            x.astype(np.float64) if x.dtype.kind in "fb" else x.astype(object) for x in (a, b)
        )  # object: exact for any integer
        off = np.asarray(abs(a - b), dtype=np.float64)
        near = np.asarray(a == b, dtype=bool) | np.asarray(off <= atol + rtol * abs(b), dtype=bool) & np.isfinite(off)
    if equal_nan:
        near |= np.asarray(a != a, dtype=bool) & np.asarray(b != b, dtype=bool)
    if not near.all():
        worst = np.where(near, -1.0, np.where(np.isnan(off), np.inf, off))
        at = tuple(int(i) for i in np.unravel_index(np.argmax(worst), worst.shape))
        yield (
            f"{int((~near).sum())} of {near.size} elements{where} are not close. The worst is at {list(at)}: {a[at]}, expected "
            f"{b[at]}, a difference of {off[at]:.4g} (allowed: {atol:g} + {rtol:g} of the expected)."
        )


# -- strategies ------------------------------------------------------------------------------------------------------
def _hypothesis() -> Any:
    try:
        import hypothesis.extra.numpy
        import hypothesis.strategies
    except ImportError as error:
        raise ImportError('the strategies of tinygrad_edu.testing need Hypothesis: pip install "tinygrad-edu[test]"') from error
    return hypothesis


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> SearchStrategy[tuple[int, ...]]:
    """Shapes, the empty one and those with a side of 0 among them."""
    return _hypothesis().extra.numpy.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    n: int, *, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[list[tuple[int, ...]]]:
    """Lists of n shapes that broadcast together."""
    strategy = _hypothesis().extra.numpy.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return strategy.map(lambda found: list(found.input_shapes))


def tensors(
    shape: Any = None, dtype: Any = "float64", elements: Any = None, requires_grad: bool = False
) -> SearchStrategy[Tensor]:
    """Tensors.

    Args:
        shape: a shape or a strategy for it (default: `shapes()`).
        dtype: float64 by default, which `gradcheck` needs.
        elements: (low, high), or a strategy (default: -2 to 2 for floats, -5 to 5 for signed integers, 0 to 5 for unsigned).
        requires_grad: as for `Tensor`.
    """
    hypothesis = _hypothesis()
    strategies, dtype = hypothesis.strategies, dtypes.as_dtype(dtype)
    if elements is None:
        elements = {"f": (-2.0, 2.0), "i": (-5, 5), "u": (0, 5), "b": (False, True)}[dtype.kind]
    if isinstance(elements, tuple):
        low, high = elements
        elements = (
            strategies.floats(low, high, width=8 * dtype.itemsize, allow_subnormal=False)
            if dtype.kind == "f"
            else strategies.booleans()
            if dtype.kind == "b"
            else strategies.integers(low, high)
        )
    arrays = hypothesis.extra.numpy.arrays(dtype, shapes() if shape is None else shape, elements=elements)
    return arrays.map(lambda array: tensor(array, requires_grad=requires_grad))
