"""First values: by statistics and by what they must satisfy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.nn import Parameter, init

SHAPE = (60, 40, 3, 3)  # a convolution: fan-in 360, fan-out 540


@pytest.fixture(autouse=True)
def seeded() -> None:
    tg.manual_seed(0)


def fresh(*shape: int) -> Parameter:
    return Parameter(tg.full(shape, 99.0))


@pytest.mark.parametrize(
    ("fill", "std", "uniform"),
    [
        (lambda t: init.uniform_(t, -2, 4), 6 / math.sqrt(12), True),
        (lambda t: init.normal_(t, 0, 3), 3, False),
        (init.xavier_uniform_, math.sqrt(2 / 900), True),
        (lambda t: init.xavier_normal_(t, gain=2), 2 * math.sqrt(2 / 900), False),
        (init.kaiming_uniform_, math.sqrt(2 / 360), True),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), math.sqrt(1 / 3 / 360), True),
        (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 540), False),
        (lambda t: init.kaiming_normal_(t, nonlinearity="tanh"), 5 / 3 / math.sqrt(360), False),
    ],
)
def test_spread(fill: Any, std: float, uniform: bool) -> None:
    p = fresh(*SHAPE)
    assert fill(p) is p
    found = p.detach().numpy()
    assert abs(found.std() / std - 1) < 0.03
    width = (found.max() - found.min()) / std
    assert (width <= math.sqrt(12) * 1.001) == uniform
    assert p.requires_grad
    assert p.is_leaf


@given(bounds=st.tuples(st.floats(-2, 0), st.floats(0.5, 2)), std=st.floats(0.5, 2))
@settings(max_examples=10, deadline=None)
def test_trunc_normal(bounds: tuple[float, float], std: float) -> None:
    low, high = bounds
    found = init.trunc_normal_(fresh(200, 50), 0.0, std, low, high).detach().numpy()
    assert low - 1e-6 <= found.min() < found.max() <= high + 1e-6
    from scipy.stats import truncnorm

    assert abs(found.mean() - truncnorm.mean(low / std, high / std, scale=std)) < 0.05


def test_trunc_normal_far_from_its_mean_warns() -> None:
    with pytest.warns(UserWarning, match="standard deviations"):
        init.trunc_normal_(fresh(3), 10.0)


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), gain=st.floats(0.5, 2))
@settings(max_examples=20, deadline=None)
def test_orthogonal(rows: int, columns: int, gain: float) -> None:
    q = init.orthogonal_(Parameter(tg.zeros(rows, columns, dtype=tg.float64)), gain).detach().numpy()
    product = q @ q.T if rows <= columns else q.T @ q
    np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-10)
    assert init.orthogonal_(fresh(3, 2, 2)).shape == (3, 2, 2)


def test_sparse() -> None:
    found = init.sparse_(fresh(50, 20), 0.35, std=2.0).detach().numpy()
    assert ((found == 0).sum(0) == math.ceil(0.35 * 50)).all()
    assert abs(found[found != 0].std() - 2) < 0.2


def test_constants() -> None:
    assert init.constant_(fresh(2), 3).tolist() == [3, 3]
    assert init.ones_(fresh(2)).tolist() == [1, 1]
    assert init.zeros_(fresh(2)).tolist() == [0, 0]
    assert init.eye_(fresh(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_convolution_passes_its_input_on(groups: int) -> None:
    weight = init.dirac_(fresh(4, 4 // groups, 3, 3), groups)
    x = tg.randn(1, 4, 5, 5)
    z = tg.nn.functional.conv2d(x, weight, padding=1, groups=groups)
    np.testing.assert_allclose(z.detach().numpy(), x.numpy(), atol=1e-6)


def test_gains() -> None:
    expected = {"linear": 1, "conv2d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: init.calculate_gain(name) for name in expected} == expected
    assert init.calculate_gain("leaky_relu", 1) == 1
    assert math.isclose(init.calculate_gain("leaky_relu"), math.sqrt(2 / (1 + 0.01**2)))


def test_seeds_and_generators() -> None:
    drawn = [init.kaiming_normal_(fresh(5, 5), generator=tg.Generator().manual_seed(7)).tolist() for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ("at least 2 dims", lambda: init.xavier_uniform_(fresh(3))),
        ("mode must be", lambda: init.kaiming_normal_(fresh(3, 3), mode="sideways")),
        ("no gain is known for 'nothing'", lambda: init.calculate_gain("nothing")),
        ("slope of leaky_relu must be a number", lambda: init.calculate_gain("leaky_relu", True)),
        ("takes a matrix", lambda: init.eye_(fresh(3))),
        ("3, 4 or 5 dims", lambda: init.dirac_(fresh(3, 3))),
        ("cannot be cut into 2 groups", lambda: init.dirac_(fresh(3, 3, 3), groups=2)),
        ("at least 2 dims", lambda: init.orthogonal_(fresh(3))),
        ("takes a matrix", lambda: init.sparse_(fresh(3), 0.1)),
    ],
)
def test_refused(says: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=says):
        wrong()
