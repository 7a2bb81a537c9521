"""Where a function is flat nothing passes back, not even an infinite gradient: √ of clamp(x, min=0) has the slope 0 below 0, not NaN."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F

XS = [-7.0, -2.0, -0.4, 0.4, 2.0, 7.0]
LIMITS = [-3.0, -3.0, 1.0, 1.0, 3.0, 3.0]


def beside(function: Callable) -> Callable:
    return lambda x: function(x, tg.tensor(LIMITS, dtype=x.dtype))


# Which of XS have a slope that is not 0.
FUNCTIONS = {
    "relu": (F.relu, [0, 0, 0, 1, 1, 1]),
    "relu6": (F.relu6, [0, 0, 0, 1, 1, 0]),
    "hardtanh": (F.hardtanh, [0, 0, 1, 1, 0, 0]),
    "hardsigmoid": (F.hardsigmoid, [0, 1, 1, 1, 1, 0]),
    "hardshrink": (F.hardshrink, [1, 1, 0, 0, 1, 1]),
    "softshrink": (F.softshrink, [1, 1, 0, 0, 1, 1]),
    "threshold": (lambda x: F.threshold(x, 1.0, 0.0), [0, 0, 0, 0, 1, 1]),
    "clamp": (lambda x: x.clamp(-1, 1), [0, 0, 1, 1, 0, 0]),
    "clamp of one side": (lambda x: x.clamp(min=0), [0, 0, 0, 1, 1, 1]),
    "clamp by a tensor": (lambda x: x.clamp(tg.tensor(LIMITS, dtype=x.dtype)), [0, 1, 0, 0, 0, 1]),
    "clamp to a tensor": (lambda x: x.clamp(max=tg.tensor(LIMITS, dtype=x.dtype)), [1, 0, 1, 1, 1, 0]),
    "maximum": (beside(tg.maximum), [0, 1, 0, 0, 0, 1]),
    "minimum": (beside(tg.minimum), [1, 0, 1, 1, 1, 0]),
    "fmax": (beside(tg.fmax), [0, 1, 0, 0, 0, 1]),
    "fmin": (beside(tg.fmin), [1, 0, 1, 1, 1, 0]),
    "max": (tg.max, [0, 0, 0, 0, 0, 1]),
    "amin": (tg.amin, [1, 0, 0, 0, 0, 0]),
    "median": (tg.median, [0, 0, 1, 0, 0, 0]),
    "floor": (tg.floor, [0] * 6),
    "sign": (tg.sign, [0] * 6),
    "round": (tg.round, [0] * 6),
    "x // y": (beside(tg.floor_divide), [0] * 6),
    "places to the nearest pixel": (lambda x: F.grid_sample(tg.ones(1, 1, 2, 2).to(x), x.view(1, 3, 1, 2), "nearest"), [0] * 6),
    "x⁰": (lambda x: x**0, [0] * 6),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_infinite_gradients_do_not_pass_where_it_is_flat(name: str, dtype: str) -> None:
    function, slopes = FUNCTIONS[name]
    x = tg.tensor(XS, dtype=dtype, requires_grad=True)
    z = function(x)
    z.backward(tg.full(z.shape, math.inf, dtype=dtype))
    assert [abs(g) for g in x.grad.tolist()] == [math.inf if slope else 0 for slope in slopes]


@pytest.mark.parametrize("function", [lambda x: x.norm(), lambda x: x.std()])
def test_infinite_gradients_do_not_pass_where_length_and_deviation_are_0(function: Callable) -> None:
    x = tg.zeros(3, requires_grad=True)
    function(x).sqrt().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_the_root_of_what_is_clamped() -> None:
    x = tg.tensor([-4.0, 4.0], requires_grad=True)
    x.clamp(min=0).sqrt().sum().backward()
    assert x.grad.tolist() == [0, 0.25]
