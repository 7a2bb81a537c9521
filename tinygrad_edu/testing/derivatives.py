"""gradcheck: gradients against differences of the function's values; gradgradcheck: the same of the gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..autograd.engine import topological_order
from ..autograd.function import is_function
from ..autograd.gradients import grad
from ..autograd.messages import name_of
from ..errors import DtypeError, GraphError, describe
from ..op import recording
from ..ops.creation import tensor
from ..tensor import Tensor


class GradcheckError(RuntimeError):
    """A gradient that differs from the differences of the function's values."""


_ELSEWHERE = "tensors(elements=...) chooses the numbers."  # said where no rule is to blame
_CALL = "the function"  # begins what is wrong with the computation, and not with a rule
_FEW_DIGITS = "the values have too few digits"
_FIRST = ("the gradient of", "backward gives", "the function's values give", "values")
_SECOND = (
    "the derivative of the gradients by",
    "backward through the rules gives",
    "differences of the gradients give",
    "gradients",
)
_AGAIN = 10  # calls with the same inputs, to tell a function that draws random numbers


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """Check the gradients of `func` at `inputs` against central differences, (f(x + eps) - f(x - eps)) / 2·eps.

    The outputs are weighted with random numbers and summed, and every element of every input that requires grad is varied.
    (Ones as weights would hide errors: the gradients of a softmax, say, sum to 0.) Gradients must also be the same where the
    inputs lie in memory in another order, as those of x.T or x[::2] do. All this is seen in float64; whether a rule is right in
    float32 as well shows `assert_close` of the gradients of `x.float()` and of `x`, with check_dtype=False and a wide rtol.

    Args:
        func: a function of the inputs that returns a tensor or several.
        inputs: the tensors (and other arguments) to call it with; those that require grad must be float64. The parameters of a model
            are checked too if they are among them: gradcheck(lambda x, *_: model(x), (x, *model.parameters())).
        eps: how far an element is moved to each side, times √|x| where |x| > 1, so that the values of large numbers differ enough.
        atol, rtol: what may differ: atol + rtol·|difference quotient|.
        raise_exception: raise GradcheckError instead of returning False.
        nondet_tol: what gradients may differ by in a second backward pass (on a GPU, where numbers are added in any order).
        fast_mode: taken for PyTorch's sake, without effect: every element is varied.

    Raises:
        GradcheckError: the worst element, with its gradient and its difference quotient, in which way it is wrong, and the rule that
            is; or the function changed an input in place, or gives other values in every call.
        DtypeError: an input that requires grad is not float64: the quotients would be too inexact to tell anything.
        GraphError: no input requires grad.
        TypeError: the function returns no tensor.

    >>> from tinygrad_edu import Tensor, exp
    >>> gradcheck(exp, Tensor([0.0, 1.0], dtype="float64", requires_grad=True))
    True

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """
    _require_function(func)
    inputs = _as_tuple(inputs)
    problems = _first_order(func, inputs, eps, atol, rtol, nondet_tol=nondet_tol)
    return _verdict("gradcheck", _first_order, problems, func, inputs, raise_exception)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """Check the second derivatives of `func`, by `gradcheck` of its gradients, as functions of the inputs and of `grad_outputs`.

    The gradients must also be those of an ordinary backward, in which the rules work on arrays; whether these are right, `gradcheck`
    shows.

    Args:
        grad_outputs: the gradients that the outputs get, one for each (default: random numbers).
        func, inputs, eps, atol, rtol, raise_exception, nondet_tol, fast_mode: as for `gradcheck`, and it raises the same errors.

    >>> from tinygrad_edu import Tensor, exp
    >>> gradgradcheck(exp, Tensor([0.0, 1.0], dtype="float64", requires_grad=True))
    True

    Source: https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradgradcheck.html
    """
    _require_function(func)
    inputs = _as_tuple(inputs)
    problems = _second_order(func, inputs, eps, atol, rtol, grad_outputs, nondet_tol)
    return _verdict("gradgradcheck", _second_order, problems, func, inputs, raise_exception)


def _verdict(
    who: str, look: Callable[..., dict[int, str]], problems: dict[int, str], func: Any, inputs: tuple, raise_exception: bool
) -> bool:
    if problems and raise_exception:
        reasons = list(dict.fromkeys(problems.values()))
        if unsteady := "" if reasons[0].startswith(_CALL) else _unsteady(func, inputs):
            reasons = [unsteady]
        else:
            reasons += _wrong_rules(look, func(*inputs))
        raise GradcheckError(f"{who}: " + "\n".join(reasons))
    return not problems


def _first_order(
    func: Callable[..., Any],
    inputs: tuple,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    words: tuple = _FIRST,
    nondet_tol: float = 0.0,
) -> dict[int, str]:
    """What is wrong with the gradients of `func`, by the number of the input."""
    what, analytic, numeric, compared = words
    variables = _variables(inputs)
    outputs, changed = _called(func, inputs, variables)
    if changed:
        return changed
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape) for y in outputs]

    kinds = [(y.shape, y.dtype) for y in outputs]

    def value() -> Any:
        found = _float_outputs(func(*inputs))
        if (others := [(y.shape, y.dtype) for y in found]) != kinds:
            raise GradcheckError(
                f"{_CALL} returns {_listed(kinds)}, and {_listed(others)} where an input is moved by {eps}: so there is no derivative."
            )
        return [y.numpy(force=True).copy() for y in found]

    seeds = [tensor(w, dtype=y.dtype, device=y.device) for y, w in zip(outputs, weights, strict=True)]
    given = _noted(variables) + [("the gradient g that it got", seed, seed.numpy(force=True).copy()) for seed in seeds]
    gradients = _analytic(outputs, seeds, list(variables.values()))
    if name := _changed(given):
        message = f"a rule changed {name}, in place, and others use it too. A rule makes a new array: g * 2, and not g *= 2."
        return dict.fromkeys(variables, message)
    if unsteady := _other_gradients(_analytic(outputs, seeds, list(variables.values())), gradients, variables, nondet_tol, what):
        return unsteady
    finite = all(np.isfinite(y.numpy(force=True)).all() for y in outputs)
    problems = {}
    for (i, x), gradient in zip(variables.items(), gradients, strict=True):
        found = np.zeros(x.shape) if gradient is None else gradient
        expected = np.empty(x.shape)
        for index in np.ndindex(x.shape):
            expected[index] = _slope(value, weights, x, index, eps, eps)
        off = np.abs(found - expected)
        wrong = ~(off <= atol + rtol * np.abs(expected))  # so that NaN counts as wrong
        if wrong.any():
            worst = np.argmax(np.where(np.isnan(off), np.inf, off) * wrong)
            at = tuple(int(k) for k in np.unravel_index(worst, x.shape))
            sides = _slope(value, weights, x, at, 1e3 * eps, 0.0), _slope(value, weights, x, at, 0.0, 1e3 * eps)
            problems[i] = (
                f"{what} input {i}, {describe(x)}, is wrong{f' at {list(at)}' if at else ''}: {analytic} {found[at]:.6g}, {numeric} "
                f"{expected[at]:.6g} (a difference of {off[at]:.3g}; allowed: {atol:g} + {rtol:g} of the latter)."
                + f" {int(wrong.sum())} of its {x.array.size} elements are wrong." * (x.array.size > 1)
                + _how(found, expected, at, sides, finite, compared, reached=gradient is not None)
            )
        elif _has_float32_digits(found[np.abs(found) > atol]):  # what rounding leaves of 0 has few digits anyway
            problems[i] = f"{what} input {i}, {describe(x)}, has only the digits of float32: a rule computes in float32."
    return problems or _otherwise_in_memory(func, inputs, variables, seeds, gradients, atol, rtol, what)


def _listed(kinds: list[tuple]) -> str:
    return ", ".join(f"{shape} {dtype}" for shape, dtype in kinds)


def _called(func: Callable[..., Any], inputs: tuple, variables: dict[int, Tensor]) -> tuple[list[Tensor], dict[int, str]]:
    """The function's results, and what is wrong if the call has changed an input."""
    given = _noted(variables)
    outputs = _float_outputs(func(*inputs))
    if not (changed := _changed(given)):
        return outputs, {}
    return outputs, dict.fromkeys(
        variables,
        f"{_CALL} changed {changed}, in place, so neither its gradient nor anything computed from it later can be right. "
        "A forward computation makes a new array: x + 1, and not x += 1.",
    )


def _unsteady(func: Callable[..., Any], inputs: tuple) -> str:
    """What to say of a function that gives other values when it is called again with the same inputs."""
    first, *others = ([y.numpy(force=True).copy() for y in _float_outputs(func(*inputs))] for _ in range(_AGAIN))
    for again in others:
        for was, now in zip(first, again, strict=True):
            if was.shape != now.shape or not np.array_equal(was, now, equal_nan=True):
                return (
                    f"{_CALL} gives other values when it is called again with the same inputs: {was.tolist()}, then {now.tolist()}. "
                    "It draws random numbers (a dropout: check it after eval(), or call manual_seed() in the function) or remembers "
                    "something between calls, so there is no derivative to compare with."
                )
    return ""


def _otherwise_in_memory(
    func: Callable[..., Any],
    inputs: tuple,
    variables: dict[int, Tensor],
    seeds: list[Tensor],
    gradients: list[np.ndarray | None],
    atol: float,
    rtol: float,
    what: str,
) -> dict[int, str]:
    """What is wrong with the gradients where arrays do not lie in memory element by element, as those of x.T and x[::2] do not."""
    scattered = [t for t in (*variables.values(), *seeds) if t.base is None and t.array.size > 1]
    held = [t.array for t in scattered]
    try:
        for t in scattered:
            t.array = _scattered(t.array)
        again = _analytic(_float_outputs(func(*inputs)), seeds, list(variables.values()))
    finally:
        for t, array in zip(scattered, held, strict=True):
            t.array = array
    return {
        i: f"{what} input {i}, {describe(x)}, is another where arrays lie in memory in another order, as those of x.T and x[::2] do: "
        f"{b.tolist()}, and otherwise {a.tolist()}. Something goes by the memory: ravel(order='K'), a stride, a buffer."
        for (i, x), a, b in zip(variables.items(), gradients, again, strict=True)
        if a is not None and b is not None and not np.allclose(a, b, rtol, atol, equal_nan=True)
    }


def _scattered(array: Any) -> Any:
    """A copy with gaps in memory between the elements, and with the first dim for the fastest."""
    wide = backend.namespace(backend.device_of(array)).empty((*array.shape[::-1], 2), array.dtype)
    wide[..., 0] = array.T
    return wide[..., 0].T


def _other_gradients(
    again: list[np.ndarray | None], first: list[np.ndarray | None], variables: dict[int, Tensor], nondet_tol: float, what: str
) -> dict[int, str]:
    """What is wrong with gradients that are others in a second backward pass through the same graph."""
    return {
        i: f"{what} input {i}, {describe(x)}, is another in a second backward pass: {a.tolist()}, then {b.tolist()}. A rule draws random "
        "numbers, or remembers something; or a GPU adds in another order: then say with nondet_tol how much may differ."
        for (i, x), a, b in zip(variables.items(), first, again, strict=True)
        if a is not None and b is not None and not np.allclose(a, b, 0, nondet_tol, equal_nan=True)
    }


def _second_order(
    func: Callable[..., Any],
    inputs: tuple,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    grad_outputs: Any = None,
    nondet_tol: float = 0.0,
) -> dict[int, str]:
    """What is wrong with the gradients of `func` as functions, by the number of the input; the grad_outputs are further inputs."""
    variables = _variables(inputs)
    outputs, changed = _called(func, inputs, variables)
    outputs = [y for y in outputs if y.requires_grad]
    if changed:
        return changed
    if not outputs:  # then all there is to see is whether that is right
        return _first_order(func, inputs, eps, atol, rtol, nondet_tol=nondet_tol)
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        seeds: Any = [
            tensor(rng.normal(size=y.shape), device=y.device, requires_grad=True, name=f"grad_outputs[{i}]")
            for i, y in enumerate(outputs)
        ]
    else:
        seeds = _as_tuple(grad_outputs)

    def gradients(*arguments: Any, create_graph: bool = True) -> list[Any]:
        outputs = [y for y in _float_outputs(func(*arguments[: len(inputs)])) if y.requires_grad]
        given = list(arguments[len(inputs) :])
        return list(grad(outputs, list(variables.values()), given, create_graph=create_graph, materialize_grads=True))

    usual, again = (gradients(*inputs, *seeds, create_graph=create_graph) for create_graph in (False, True))
    for (i, x), a, b in zip(variables.items(), usual, again, strict=True):
        a, b = a.numpy(force=True), b.numpy(force=True)
        if not np.allclose(a, b, rtol, atol, equal_nan=True):
            return {
                i: f"the gradient of input {i}, {describe(x)}, is {a.tolist()} in a usual backward, where rules get arrays, and "
                f"{b.tolist()} with create_graph=True, where they get tensors (and None for what the operation keeps)."
            }
    return _first_order(gradients, (*inputs, *seeds), eps, atol, rtol, _SECOND, nondet_tol)


def _how(
    found: np.ndarray,
    expected: np.ndarray,
    at: tuple[int, ...],
    sides: tuple[float, float],
    finite: bool,
    compared: str,
    reached: bool,
) -> str:
    """In which way a gradient is wrong, where that can be told from it and from the slopes to both sides, taken over longer steps."""
    left, right = sides
    size, middle = max(1.0, abs(left), abs(right)), (left + right) / 2
    if abs(found[at] - middle) < 1e-3 * size:
        return f" Over longer steps the two agree: {_FEW_DIGITS}, as if they were computed in float32."
    if not finite and not np.isfinite(left + right):
        return f" There the {compared} are NaN or infinite by themselves. Check where they are finite: {_ELSEWHERE}"
    if not (np.isfinite(left + right) and abs(expected[at]) < 100 * size):
        return f" There the {compared} jump or end, so there is no derivative. Check beside it: {_ELSEWHERE}"
    if not abs(right - left) < 0.02 * size:
        return (
            f" There the {compared} have a kink: their slope is {left:.4g} to one side and {right:.4g} to the other, so there is no "
            f"derivative, and only their mean passes. Check beside it: {_ELSEWHERE}"
        )
    if not reached:
        return (
            " Backward does not reach it: on the way there is an operation without a rule for it, or a detached or NumPy value."
        )
    clear = np.abs(expected) > 1e-3 * np.abs(expected).max()
    factors = found[clear] / expected[clear]
    same = factors.size and not np.isclose(factors[0], (0, 1)).any() and np.allclose(factors, factors[0], rtol=1e-3)
    return f" It is {factors[0]:.4g} times what it should be." if same else ""


def _has_float32_digits(array: np.ndarray) -> bool:
    """Whether numbers computed from random ones of float64 are numbers of float32: then something on the way was."""
    array = np.where(np.abs(array) < 1e-12, 0, array)  # what rounding left of a 0 may be a power of 2
    with np.errstate(over="ignore"):
        return bool(array.any()) and np.array_equal(array, array.astype(np.float32), equal_nan=True)


def _wrong_rules(look: Callable[..., dict[int, str]], results: Any) -> Iterator[str]:
    """Of the learner's own operations in the graph of the results, those that are wrong by themselves."""
    for node in topological_order([y for y in _float_outputs(results) if y.requires_grad]):
        this = node.op
        assert this is not None
        if this.forward.__module__.startswith("tinygrad_edu."):
            continue
        inputs = tuple(
            tensor(x.array, dtype="float64", requires_grad=x.requires_grad)
            if isinstance(x, Tensor) and x.dtype.kind == "f"
            else x
            for x in node.inputs
        )
        own = is_function(this)
        found = look(this.joint.__self__.again if own else functools.partial(recording(this), **node.settings), inputs)
        problems = {i: problem for i, problem in found.items() if _ELSEWHERE not in problem}
        if problems:
            slots = problems if look is _first_order else range(len(this.rules))
            rule = (
                "forward computation"
                if any(problem.startswith(_CALL) or _FEW_DIGITS in problem for problem in problems.values())
                else "backward"
                if own
                else "joint rule"
                if this.joint
                else "rule " + " or ".join(f"d{this.inputs[i]}" for i in slots)
            )
            yield f"Checked by itself, {name_of(node)} fails: see its {rule}."


def _require_function(func: Any) -> None:
    if not callable(func):
        raise TypeError(
            "gradcheck(func, inputs): the first is a function, such as tg.sin, and not what it gave, tg.sin(x); here it is a "
            f"{type(func).__name__}."
        )


def _as_tuple(inputs: Any) -> tuple:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _variables(inputs: tuple) -> dict[int, Tensor]:
    """The inputs that require grad, by number."""
    found = {i: x for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad}
    if not found:
        raise GraphError("gradcheck: no input requires grad, so there is nothing to check. Make one with requires_grad=True.")
    for i, x in found.items():
        if x.dtype != dtypes.float64:
            raise DtypeError(
                f"gradcheck: input {i} is {x.dtype}, and differences of its function's values would be too inexact to judge gradients "
                "by. Make the tensors with dtype=float64."
            )
        if x.array.size and any(n > 1 and step == 0 for n, step in zip(x.shape, x.array.strides, strict=True)):
            raise GraphError(
                f"gradcheck: elements of input {i}, {describe(x)}, share their places in memory (an expand?), so they cannot be varied "
                "one by one. Call clone() on it."
            )
    return found


def _float_outputs(result: Any) -> list[Tensor]:
    """The tensors of floats among a function's results: the others (indices, counts) have no gradient."""
    outputs = [result] if isinstance(result, Tensor) else result if isinstance(result, tuple | list) else []
    found = [y for y in outputs if isinstance(y, Tensor)]
    if not found:
        raise TypeError(
            f"the function to check must return a tensor or several, and it returned {result!r}. Is a `return` missing, or did item() "
            "or numpy() make plain numbers of the result?"
        )
    return [y for y in found if y.dtype.kind == "f"]


def _noted(variables: dict[int, Tensor]) -> list[tuple[str, Tensor, np.ndarray]]:
    """The inputs under their names, with the values they have now."""
    return [(f"input {i}, {describe(x)}", x, x.numpy(force=True).copy()) for i, x in variables.items()]


def _changed(given: list[tuple[str, Tensor, np.ndarray]]) -> str:
    """The name of the first tensor that no longer has the values it had."""
    return next((name for name, x, was in given if not np.array_equal(was, x.numpy(force=True), equal_nan=True)), "")


def _analytic(outputs: list[Tensor], seeds: list[Tensor], variables: list[Tensor]) -> list[np.ndarray | None]:
    """The gradients of the outputs' sum weighted with the seeds; None where backward does not come."""
    tracked = [(y, seed) for y, seed in zip(outputs, seeds, strict=True) if y.requires_grad]
    if not tracked:  # constants, as far as the rules know
        return [None] * len(variables)
    found = grad([y for y, _ in tracked], variables, [seed for _, seed in tracked], retain_graph=True, allow_unused=True)
    return [None if g is None else g.numpy(force=True) for g in found]


def _slope(value: Callable[[], list], weights: list, x: Tensor, index: tuple[int, ...], behind: float, ahead: float) -> float:
    """How the weighted sum of values changes, per change of one element of x, which is moved to both sides and put back."""
    here = float(x.array[index])
    scale = max(1.0, abs(here) ** 0.5, 1e-6 * abs(here))  # the last: so that it is moved at all
    low, high = here - behind * scale, here + ahead * scale
    try:
        x.array[index] = high
        above = value()
        x.array[index] = low
        below = value()
    finally:
        x.array[index] = here
    with np.errstate(invalid="ignore"):  # of ∞ - ∞, where a constant ∞ has not changed
        changes = [np.where(up == down, 0.0, up - down) for up, down in zip(above, below, strict=True)]
    return sum(float(np.sum(change * w)) for change, w in zip(changes, weights, strict=True)) / (high - low)
