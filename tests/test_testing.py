"""gradcheck, gradgradcheck, assert_close and the strategies: they find what is wrong and accept what is right."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, tensor, testing
from tinygrad_edu.errors import DtypeError, GraphError
from tinygrad_edu.op import op, registry
from tinygrad_edu.testing import GradcheckError, assert_close, broadcastable_shapes, gradcheck, gradgradcheck, shapes, tensors

from . import strict_cupy

quick = settings(max_examples=25, database=None, deadline=None)


@pytest.fixture(autouse=True)
def _own_ops_leave_no_trace():
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


def variable(*values: float, name: str | None = None) -> Tensor:
    return tensor(list(values), dtype="float64", requires_grad=True, name=name)


# -- gradcheck -------------------------------------------------------------------------------------------------------
def test_accepts_right_gradients() -> None:
    x, y = variable(0.5, 1.5), variable(2.0, -1.0)
    assert gradcheck(lambda x, y: (x * y).exp(), (x, y))
    assert gradgradcheck(lambda x, y: (x * y).exp(), (x, y))
    assert gradcheck(lambda x: (x * 2, x.sum(), x > 0), x), "several results, one of them not of floats"
    assert gradcheck(lambda x: x.sum(), tensor(0.5, dtype="float64", requires_grad=True)), "0-d"
    assert gradcheck(lambda x: x * 2, tensor(np.zeros((0, 2)), requires_grad=True)), "empty"
    assert gradcheck(lambda x, k: x * k, (x, 3)), "other arguments"
    assert gradcheck(lambda a, b: a * b, (x, x)), "one tensor twice"
    assert x.tolist() == [0.5, 1.5], "the inputs are put back exactly"
    assert x.grad is None


def wrong_at_one_place() -> tuple:
    @op(dx=lambda g, z, x: g * (2 * x + (x == 3.0)))
    def my_square(x):
        """z = x²;  ∂x = 2·g·x"""
        return x * x

    return my_square, variable(1.0, 2.0, 3.0, name="w")


def test_reports_the_worst_element() -> None:
    square, w = wrong_at_one_place()
    with pytest.raises(GradcheckError) as caught:
        gradcheck(square, w)
    message = str(caught.value)
    assert "input 0, w (3,) float64" in message
    assert "[2]" in message
    assert "1 of its 3 elements" in message
    backward, numeric = map(float, re.findall(r"gives? (-?\d+\.?\d*)", message))
    assert backward / numeric == pytest.approx(7 / 6)
    assert "times" not in message, "the others are right"
    assert not gradcheck(square, w, raise_exception=False)


class Backwards(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return -2 * g * x


def in_float32(x):
    """z = sin x, computed in float32;  ∂x = g·cos x"""
    return np.sin(x).astype(np.float32)


def writing(g, z, x):
    g *= 2 * x
    return g


WRONG = {  # a rule of z = x² or of what is given, and what the message says
    "sign": (lambda g, z, x: -2 * g * x, r"It is -1 times what it should be\.\n.*mine \(.*\) fails: see its rule dx\."),
    "half": (lambda g, z, x: g * x, r"It is 0\.5 times what it should be"),
    "float32": (lambda g, z, x: np.float32(2) * g.astype(np.float32) * x.astype(np.float32), "has only the digits of float32"),
    "writing": (writing, r"a rule changed the gradient g that it got, in place.*g \* 2, and not g \*= 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_says_in_which_way_a_rule_is_wrong(name: str) -> None:
    rule, message = WRONG[name]

    @op(dx=rule)
    def mine(x):
        """z = x²"""
        return x * x

    with pytest.raises(GradcheckError, match=f"(?s){message}"):
        gradcheck(lambda x: mine(x) + mine(x * 3), variable(0.7, -1.3))


def test_gradients_that_are_others_in_every_backward_pass() -> None:
    """Within the tolerance for differences, and still not the same."""
    numbers = np.random.default_rng(0)

    @op(dx=lambda g, z, x: 2 * g * x * (1 + 1e-6 * numbers.random()))
    def shaky(x):
        """z = x²;  ∂x = 2·g·x and a bit"""
        return x * x

    x = variable(0.7, -1.3)
    with pytest.raises(GradcheckError, match=r"is another in a second backward pass: \[.*rule draws random numbers"):
        gradcheck(shaky, x)
    assert gradcheck(shaky, x, nondet_tol=1e-4)
    assert gradgradcheck(tg.sin, x, nondet_tol=1e-4)


@pytest.mark.parametrize("result", [lambda x: None, lambda x: x.sum().item(), lambda x: [1.0, 2.0], lambda x: x.detach().numpy()])
def test_a_function_that_returns_no_tensor_is_refused(result) -> None:
    x = tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(TypeError, match="must return a tensor or several, and it returned"):
            check(result, x)


def test_says_which_of_several_operations_is_wrong() -> None:
    @op(dx=lambda g, z, x, y: g * y, dy=lambda g, z, x, y: g * y)
    def my_mul(x, y):
        """z = x·y;  ∂x = g·y;  ∂y = (wrong)"""
        return x * y

    @op(dx=lambda g, z, x: g * (x > 0))
    def my_relu(x):
        """z = max(x, 0);  ∂x = g where x > 0"""
        return np.maximum(x, 0)

    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x: my_relu(my_mul(x, x + 1)), variable(0.7, 1.3))
    assert "my_mul" in str(caught.value)
    assert "rule dy" in str(caught.value)
    assert "my_relu" not in str(caught.value).replace("my_relu(my_mul(", ""), "its rule is right"
    with pytest.raises(GradcheckError, match=r"Backwards .* fails: see its backward"):
        gradcheck(lambda x: my_relu(Backwards.apply(x)), variable(0.7, 1.3))
    with pytest.raises(GradcheckError, match="does not reach it"):
        gradcheck(lambda x: my_relu(x.detach() * 2), variable(0.7, 1.3))


def test_says_where_there_is_no_derivative() -> None:
    @op(dx=lambda g, z, x: g * (x > 0))
    def my_relu(x):
        """z = max(x, 0);  ∂x = g where x > 0"""
        return np.maximum(x, 0)

    why = {
        "values have a kink: their slope is 0 to one side and": (gradcheck, my_relu),
        "gradients jump or end": (gradgradcheck, tg.abs),
        "values jump or end": (gradcheck, tg.sqrt),
    }
    for reason, (check, function) in why.items():
        with pytest.raises(GradcheckError, match=rf"There the {reason}.*Check beside it"), np.errstate(all="ignore"):
            check(function, variable(1.0, 0.0))
    with pytest.raises(GradcheckError, match="There the values are NaN or infinite by themselves"), np.errstate(all="ignore"):
        gradcheck(tg.log, variable(1.0, -1.0))
    with pytest.raises(GradcheckError) as caught:
        gradcheck(my_relu, variable(1.0, 0.0))
    assert "see its rule" not in str(caught.value)


def test_says_that_values_change_by_themselves() -> None:
    calls = []

    @op(dx=lambda g, z, x: g * 2)
    def remembers(x):
        """z = 2·x, and a little more in each call;  ∂x = 2·g"""
        calls.append(x)
        return x * 2 + 1e-3 * len(calls)

    dropout = tg.nn.Dropout(0.5)
    for check, function in ((gradcheck, remembers), (gradcheck, dropout), (gradgradcheck, dropout)):
        with pytest.raises(GradcheckError) as caught:
            check(function, variable(1.0, 2.0))
        assert "gives other values when it is called again with the same inputs: [" in str(caught.value)
        assert "rule" not in str(caught.value)


def test_finds_what_goes_by_the_memory() -> None:
    @op(dx=lambda g, z, x: g * 2 * x.ravel("K").reshape(x.shape))
    def by_memory(x):
        """z = x²;  ∂x = 2·g·x, of the elements in the order in which they lie in memory"""
        return x * x

    x = tensor([[1.0, 2.0], [3.0, 4.0]], dtype="float64", requires_grad=True)
    with pytest.raises(
        GradcheckError, match=r"(?s)in memory in another order, as those of x\.T.*by_memory .* fails: see its rule dx"
    ):
        gradcheck(by_memory, x)
    assert x.array.flags.c_contiguous, "put back"
    assert gradcheck(by_memory, variable(2.0)), "one element has no order"


def test_a_constant_infinity_has_no_slope() -> None:
    mask = tensor([True, False])
    assert gradcheck(lambda x: x.masked_fill(mask, -float("inf")), variable(1.0, 2.0))


def test_large_numbers_are_moved_by_more() -> None:
    assert gradcheck(tg.square, variable(1.0, 1e4, 1e8, 1e16, -1e25))
    assert gradcheck(tg.sin, variable(1.0, 1e4, -1e8))


def test_elements_that_share_a_place_are_refused() -> None:
    with pytest.raises(GraphError, match=r"share their places in memory.*Call clone\(\)"):
        gradcheck(tg.exp, tensor([[1.0]], dtype="float64").expand(3, 2).requires_grad_())
    assert gradcheck(tg.exp, tensor([1.0], dtype="float64").expand(1, 1).requires_grad_())


def test_outputs_that_depend_on_values_are_refused() -> None:
    for other in (lambda x: tg.cat([x, x]), lambda x: x.float(), lambda x: (x, x)):
        with pytest.raises(GradcheckError, match=r"the function returns \([12],\) float.* where an input is moved"):
            gradcheck(lambda x, other=other: other(x) if x >= 1 else x, variable(1.0))


def test_says_when_values_have_too_few_digits() -> None:
    sine = op(dx=lambda g, z, x: g * tg.cos(x))(in_float32)
    with pytest.raises(
        GradcheckError, match=r"(?s)too few digits, as if they were computed in float32.*see its forward computation"
    ):
        gradcheck(lambda x: sine(x).double(), variable(0.3, 0.7))


def test_second_derivatives_of_a_constant_are_none() -> None:
    assert gradgradcheck(lambda x: x.detach() * 0, variable(1.0))

    @op
    def no_rule(x):
        """z = x²"""
        return x * x

    with pytest.raises(GradcheckError, match="without a rule"):
        gradgradcheck(no_rule, variable(1.0))


def test_a_rule_is_the_same_on_tensors() -> None:
    """What is kept is None in derivatives of derivatives: a rule that computes something else then is consistent in itself."""

    @op(keeps="e", dx=lambda g, z, x, e: g * (x if e is None else e))
    def my_exp(x):
        """z = eˣ;  ∂x = g·z (wrong without what was kept)"""
        e = np.exp(x)
        return e, e

    assert gradcheck(my_exp, variable(0.5))
    with pytest.raises(GradcheckError, match=r"usual backward.*create_graph=True(?s:.*)my_exp .*see its rule dx"):
        gradgradcheck(my_exp, variable(0.5))


def test_a_numpy_function_in_a_rule_is_named() -> None:
    @op(dx=lambda g, z, x: g * np.cos(x))
    def my_sin(x):
        """z = sin x;  ∂x = g·cos x"""
        return np.sin(x)

    assert gradcheck(my_sin, variable(0.5))
    with pytest.raises(GraphError, match=r"tg\.sin\(x\) and not np\.sin\(x\)") as caught:
        gradgradcheck(my_sin, variable(0.5))
    assert "in the rule of my_sin" in caught.value.__notes__[0]


def test_finds_what_weights_of_one_hide() -> None:
    """The gradient of sum(softmax(x)) is 0 whatever the rule is, so long as it subtracts its mean."""

    @op(dx=lambda g, z, x: (g - g.mean()) * z)
    def my_softmax(x):
        """z = eˣ / Σ eˣ;  ∂x = (wrong)"""
        e = np.exp(x)
        return e / e.sum()

    with pytest.raises(GradcheckError):
        gradcheck(my_softmax, variable(0.1, 0.2, 0.3))


def test_finds_a_missing_gradient_and_nan() -> None:
    @op(dx=lambda g, z, x: g * float("nan"))
    def my_identity(x):
        """z = x;  ∂x = NaN"""
        return x * 1

    x = variable(1.0)
    assert not gradcheck(my_identity, x, raise_exception=False)
    assert not gradcheck(my_identity, x, raise_exception=False, fast_mode=True)
    assert not gradcheck(lambda x: x.detach() * 2, x, raise_exception=False)
    assert gradcheck(lambda x: x.detach() * 0, x), "a constant has no gradient, and that is right"


def test_finds_a_wrong_second_derivative() -> None:
    @op(dx=lambda g, z, x: g * 3 * (x * x).detach() if isinstance(x, Tensor) else g * 3 * x * x)
    def my_cube(x):
        """z = x³;  ∂x = 3·g·x²"""
        return x**3

    x = variable(0.5, 2.0)
    assert gradcheck(my_cube, x)
    with pytest.raises(GradcheckError):
        gradgradcheck(my_cube, x)
    assert gradgradcheck(lambda x: x**3, x)
    assert gradgradcheck(lambda x: x * 2, x), "linear: only the gradient of the incoming gradient is there"
    got = []

    @op(dx=lambda g, z, x: got.append(g.tolist()) or 3 * g)
    def my_triple(x):
        """z = 3·x;  ∂x = 3·g"""
        return 3 * x

    assert gradgradcheck(my_triple, x, variable(4.0, 7.0)), "with grad_outputs given"
    assert got[0] == [4, 7]

    @op(dx=lambda g, z, x: 3 * (g.detach() if isinstance(g, Tensor) else g))
    def my_constant_triple(x):
        """z = 3·x;  ∂x = 3·g, without g's history"""
        return 3 * x

    assert gradcheck(my_constant_triple, x)
    with pytest.raises(GradcheckError, match=r"input 1, grad_outputs\[0\]"):
        gradgradcheck(my_constant_triple, x)


def test_says_what_it_needs() -> None:
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(TypeError, match=r"the first is a function, such as tg\.sin, and not what it gave"):
            check(tg.sin(variable(1.0)), variable(1.0))
    with pytest.raises(DtypeError, match=r"float32.*float64"):
        gradcheck(tg.exp, tensor([1.0], requires_grad=True))
    with pytest.raises(GraphError, match="requires grad"):
        gradcheck(tg.exp, tensor([1.0], dtype="float64"))


def test_reaches_parameters_that_the_function_holds() -> None:
    w = variable(2.0, 3.0)
    assert gradcheck(lambda x, *_: x * w, (variable(1.0, 2.0), w))


def test_restores_the_input_when_the_function_fails() -> None:
    x = variable(1.0, 2.0)

    def fails(x: Tensor) -> Tensor:
        if x.array[0] != 1.0:
            raise ValueError
        return x * 1

    with pytest.raises(ValueError):  # noqa: PT011
        gradcheck(fails, x)
    assert x.tolist() == [1.0, 2.0]


# -- assert_close ----------------------------------------------------------------------------------------------------
PAIRS = {
    "equal": ([1.0, 2.0], [1.0, 2.0], {}),
    "within float32": (np.float32([1.0]), np.float32([1.000001]), {}),
    "beyond float32": (np.float32([1.0]), np.float32([1.0001]), {}),
    "beyond float64": (np.array([1.0]), np.array([1.000001]), {}),
    "within float16": (np.float16([1.0]), np.float16([1.001]), {}),
    "asymmetric": (np.array([1.0]), np.array([2.0]), {"rtol": 0.5, "atol": 0}),
    "asymmetric the other way": (np.array([2.0]), np.array([1.0]), {"rtol": 0.5, "atol": 0}),
    "shapes": (np.ones(2), np.ones(3), {}),
    "no broadcasting": (np.ones((1, 2)), np.ones(2), {}),
    "dtypes": (np.float32([1]), np.float64([1]), {}),
    "dtypes allowed": (np.float32([1]), np.float64([1]), {"check_dtype": False}),
    "nan": (np.array([np.nan]), np.array([np.nan]), {}),
    "equal_nan": (np.array([np.nan, 1]), np.array([np.nan, 1]), {"equal_nan": True}),
    "nan against a number": (np.array([np.nan]), np.array([1.0]), {"equal_nan": True}),
    "infinities": (np.array([np.inf, -np.inf]), np.array([np.inf, -np.inf]), {}),
    "opposite infinities": (np.array([np.inf]), np.array([-np.inf]), {}),
    "infinity against a number": (np.array([1.0]), np.array([np.inf]), {}),
    "integers": (np.array([1, 2]), np.array([1, 2]), {}),
    "integers differ": (np.array([1, 2]), np.array([1, 3]), {}),
    "large integers differ": (np.array([2**62]), np.array([2**62 + 1]), {}),
    "bools": (np.array([True]), np.array([False]), {}),
    "empty": (np.ones((0, 2)), np.ones((0, 2)), {}),
    "nested": ([np.ones(2), {"a": np.ones(1)}], [np.ones(2), {"a": np.ones(1)}], {}),
    "nested differ": ([np.ones(2), {"a": np.ones(1)}], [np.ones(2), {"a": np.zeros(1)}], {}),
    "lengths": ([np.ones(2)], [np.ones(2), np.ones(2)], {}),
    "keys": ({"a": np.ones(2)}, {"b": np.ones(2)}, {}),
    "numbers": (1.0, 1.0 + 1e-9, {}),
    "numbers differ": (1.0, 1.1, {}),
    "None": (None, None, {}),
    "one tolerance": (1.0, 1.0, {"rtol": 1.0}),
    "text": ("a", "a", {}),
}


def verdict(assert_close, a, b, convert, how) -> type | None:
    def converted(x):
        if isinstance(x, dict):
            return {k: converted(v) for k, v in x.items()}
        if isinstance(x, list):
            return [converted(v) for v in x]
        return convert(x) if isinstance(x, np.ndarray) else x

    try:
        assert_close(converted(a), converted(b), **how)
    except Exception as error:
        return type(error)
    return None


@pytest.mark.parametrize(("a", "b", "how"), PAIRS.values(), ids=PAIRS)
def test_assert_close_judges_as_pytorch(a, b, how) -> None:
    torch = pytest.importorskip("torch")
    theirs = verdict(torch.testing.assert_close, a, b, torch.from_numpy, how)
    assert verdict(assert_close, a, b, tensor, how) is theirs
    assert verdict(assert_close, a, b, lambda x: x, how) is theirs, "arrays"


def test_assert_close_says_where() -> None:
    with pytest.raises(AssertionError, match=r"1 of 4 elements at \['w'\] are not close.*\[1, 0\]: 5\.0, expected 3\.0"):
        assert_close({"w": tensor([[1.0, 2.0], [5.0, 4.0]])}, {"w": tensor([[1.0, 2.0], [3.0, 4.0]])})
    with pytest.raises(AssertionError, match=r"^mine$"):
        assert_close(1.0, 2.0, msg="mine")
    with pytest.raises(AssertionError, match=r"^mine: 1 of 1"):
        assert_close(1.0, 2.0, msg=lambda text: f"mine: {text}")
    with pytest.raises(TypeError, match="tensors with tensors"):
        assert_close(tensor([1.0]), np.ones(1))


def test_assert_close_looks_at_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    strict_cupy.install(monkeypatch)
    here, there = tg.ones(2), tg.ones(2, device="cuda")
    with pytest.raises(AssertionError, match="the devices differ: cpu and cuda:0"):
        assert_close(here, there)
    assert_close(here, there, check_device=False)


# -- strategies ------------------------------------------------------------------------------------------------------
@quick
@given(shapes(min_dims=1, max_dims=2, min_side=2, max_side=3))
def test_shapes(shape: tuple) -> None:
    assert 1 <= len(shape) <= 2
    assert all(2 <= n <= 3 for n in shape)


@quick
@given(broadcastable_shapes(3))
def test_broadcastable_shapes(found: list) -> None:
    assert len(found) == 3
    np.broadcast_shapes(*found)


@quick
@given(tensors(shape=(2, 3), dtype="float32", elements=(0.5, 1.5), requires_grad=True))
def test_tensors(x: Tensor) -> None:
    assert (x.shape, x.dtype, x.requires_grad) == ((2, 3), tg.float32, True)
    assert 0.5 <= x.min().item() <= x.max().item() <= 1.5


@quick
@given(
    tensors(dtype="int64", elements=st.sampled_from([3, 7])),
    tensors(dtype="bool"),
    tensors(dtype="uint8"),
    tensors(dtype="float16"),
)
def test_tensors_of_other_dtypes(integers: Tensor, truths: Tensor, small: Tensor, half: Tensor) -> None:
    assert set(integers.ravel().tolist()) <= {3, 7}
    assert [x.dtype for x in (truths, small, half)] == [np.dtype("bool"), tg.uint8, tg.float16]


def test_a_failing_example_is_shown_as_the_tensor_it_is() -> None:
    @settings(database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
    @given(tensors((2, 2), requires_grad=True))
    def check(x):
        assert x[1, 0] <= 0

    with pytest.raises(AssertionError) as caught:
        check()
    shown = " ".join("".join(caught.value.__notes__).split())
    assert re.search(r"x=tensor\(\[\[0\., 0\.\], \[.*, 0\.\]\], dtype=float64, requires_grad=True\)", shown), shown


@quick
@given(tensors(dtype="float16"), tensors())
def test_default_numbers_are_equal_or_well_apart(half: Tensor, double: Tensor) -> None:
    for x in (half, double):
        assert (x * 16 == (x * 16).round()).all()
        assert (x.abs() <= 2).all()


@quick
@given(st.data())
def test_an_own_operation_in_three_lines(data) -> None:
    first, second = data.draw(broadcastable_shapes(2, max_dims=2, max_side=3))
    x, y = (data.draw(tensors(shape=s, requires_grad=True)) for s in (first, second))
    assert gradcheck(lambda x, y: (x * y).sin(), (x, y))
    assert gradgradcheck(lambda x, y: (x * y).sin(), (x, y))


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis.extra.numpy", None)
    for strategy in (testing.shapes, lambda: testing.broadcastable_shapes(2), testing.tensors):
        with pytest.raises(ImportError, match=r"tinygrad-edu\[test\]"):
            strategy()


def test_a_function_that_changes_its_input_is_noticed() -> None:
    @op(dx=lambda g, z, x: g)
    def careless(x):  # type: ignore[no-untyped-def]
        """z = x + 1, written into x;  ∂x = g"""
        x += 1
        return x.copy()

    x = tg.zeros(3, dtype=tg.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match=r"changed input 0, .* in place.*x \+ 1, and not x \+= 1"):
        gradcheck(careless, x)


def test_a_notebooks_cell_is_called_as_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by the name of the file that stands for it."""
    names = SimpleNamespace(format_code_name=lambda name: ("Cell", "In[3]") if name == "123.py" else None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(compile=names)))
    cell = "@op(dx=lambda g, z, x: g)\ndef wrong(x):\n    'z = 2·x;  ∂x = g'\n    return 2 * x\ngradcheck(wrong, x)"
    x = tg.ones(2, dtype=tg.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match=r"wrong \(In\[3\]:5\) fails: see its rule dx"):
        exec(compile(cell, "123.py", "exec"), {"__name__": "__main__", "op": op, "gradcheck": gradcheck, "x": x})
