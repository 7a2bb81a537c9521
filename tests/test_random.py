"""Random tensors: reproducible, of the right shape, dtype and distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import tinygrad_edu as tg
from tinygrad_edu import Generator
from tinygrad_edu.errors import InplaceError

N = 20_000


@pytest.fixture(autouse=True)
def _seeded() -> None:
    tg.manual_seed(0)


def fits(x: tg.Tensor, distribution: stats.rv_continuous) -> None:
    """Kolmogorov and Smirnov's test does not reject the distribution (the seed is fixed: no luck involved)."""
    assert stats.kstest(x.numpy().ravel().astype(np.float64), distribution.cdf).pvalue > 0.01


# -- generators ------------------------------------------------------------------------------------------------------
DRAWS = {
    "rand": lambda g: tg.rand(2, 3, generator=g),
    "randn": lambda g: tg.randn(2, 3, generator=g),
    "randint": lambda g: tg.randint(100, (5,), generator=g),
    "randperm": lambda g: tg.randperm(20, generator=g),
    "normal": lambda g: tg.normal(0.0, 1.0, (4,), generator=g),
    "bernoulli": lambda g: tg.bernoulli(tg.full((30,), 0.5), generator=g),
    "multinomial": lambda g: tg.multinomial(tg.ones(30), 10, generator=g),
    "multinomial with replacement": lambda g: tg.multinomial(tg.ones(30), 10, replacement=True, generator=g),
    "poisson": lambda g: tg.poisson(tg.full((9,), 50.0), generator=g),
    "binomial": lambda g: tg.binomial(tg.full((9,), 50.0), tg.full((1,), 0.3), generator=g),
    "rand_like": lambda g: tg.rand_like(tg.zeros(4), generator=g),
    "randn_like": lambda g: tg.randn_like(tg.zeros(4), generator=g),
    "randint_like": lambda g: tg.randint_like(tg.zeros(9), 100, generator=g),
    "uniform_": lambda g: tg.zeros(4).uniform_(generator=g),
    "normal_": lambda g: tg.zeros(4).normal_(generator=g),
    "exponential_": lambda g: tg.zeros(4).exponential_(generator=g),
    "bernoulli_": lambda g: tg.zeros(30).bernoulli_(generator=g),
    "random_": lambda g: tg.zeros(4).random_(generator=g),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_seed_determines_the_numbers(draw) -> None:
    one, other = Generator().manual_seed(5), Generator().manual_seed(5)
    first, second = draw(one), draw(one)
    assert first.tolist() == draw(other).tolist()
    assert first.tolist() != second.tolist()
    tg.manual_seed(5)
    assert first.tolist() == draw(None).tolist()
    assert not first.requires_grad


def test_state_is_saved_and_restored() -> None:
    g = Generator().manual_seed(7)
    tg.rand(3, generator=g)
    state = g.get_state()
    assert state.dtype == tg.uint8
    a = tg.randn(5, generator=g)
    assert tg.randn(5, generator=g).tolist() != a.tolist()
    assert tg.randn(5, generator=g.set_state(state)).tolist() == a.tolist()
    assert g.initial_seed() == 7
    assert tg.randn(5, generator=Generator().set_state(state)).tolist() == a.tolist()
    with pytest.raises(RuntimeError, match="not a state"):
        g.set_state(tg.zeros(4, dtype=tg.uint8))


def test_default_generator() -> None:
    assert tg.manual_seed(3) is tg.default_generator
    assert tg.initial_seed() == 3
    state = tg.get_rng_state()
    a = tg.rand(2)
    tg.set_rng_state(state)
    assert tg.rand(2).tolist() == a.tolist()
    assert tg.seed() == tg.initial_seed() != 3
    with pytest.raises(RuntimeError, match="seed"):
        tg.manual_seed(2**64)
    assert tg.manual_seed(-1).initial_seed() == 2**64 - 1


def test_fork_rng_leaves_no_trace() -> None:
    with tg.ops.random.fork_rng():
        tg.manual_seed(9)
        tg.rand(5)
    a = tg.rand(2)
    tg.manual_seed(0)
    assert a.tolist() == tg.rand(2).tolist()


def test_generators_without_a_seed_differ() -> None:
    assert tg.rand(3, generator=Generator()).tolist() != tg.rand(3, generator=Generator()).tolist()


# -- distributions ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype: str) -> None:
    fits(tg.rand(N, dtype=dtype), stats.uniform)
    fits(tg.randn(N, dtype=dtype), stats.norm)
    fits(tg.normal(2.0, 3.0, (N,), dtype=dtype), stats.norm(2, 3))
    fits(tg.normal(tg.full((N,), 2.0, dtype=dtype), 3.0), stats.norm(2, 3))
    empty = tg.empty(N, dtype=dtype)
    fits(empty.uniform_(-1, 3), stats.uniform(-1, 4))
    fits(empty.normal_(1, 0.5), stats.norm(1, 0.5))
    fits(empty.exponential_(2), stats.expon(scale=0.5))


def test_float16_stays_below_one() -> None:
    x = tg.rand(100_000, dtype=tg.float16)
    assert x.dtype == tg.float16
    assert 0 <= x.min().item() < x.max().item() < 1
    assert abs(x.double().mean().item() - 0.5) < 0.01


def test_integers_are_equally_likely() -> None:
    for x in (
        tg.randint(2, 8, (N,)),
        tg.zeros(N, dtype=tg.int64).random_(2, 8),
        tg.multinomial(tg.ones(6), N, replacement=True) + 2,
    ):
        values, counts = np.unique(x.numpy(), return_counts=True)
        assert values.tolist() == [2, 3, 4, 5, 6, 7]
        assert stats.chisquare(counts).pvalue > 0.01


def test_bernoulli_and_poisson() -> None:
    p = tg.tensor([0.0, 0.1, 0.5, 1.0]).expand(N, 4)
    hits = tg.bernoulli(p)
    assert hits.dtype == p.dtype
    assert hits.unique().tolist() == [0.0, 1.0]
    np.testing.assert_allclose(hits.mean(0).numpy(), [0, 0.1, 0.5, 1], atol=0.012)
    assert tg.poisson(tg.full((N,), 4.0)).var().item() == pytest.approx(4, rel=0.05)
    assert tg.zeros(N).bernoulli_(tg.full((N,), 0.25)).mean().item() == pytest.approx(0.25, abs=0.01)
    assert tg.zeros(9, dtype=tg.int64).bernoulli(0.5).dtype == tg.int64


def test_multinomial_follows_the_weights() -> None:
    weights = tg.tensor([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]])
    drawn = tg.multinomial(weights, N, replacement=True)
    assert drawn.dtype == tg.int64
    for row, share in zip(drawn.numpy(), ([0.25, 0, 0.75], [0.5, 0.5, 0]), strict=True):
        np.testing.assert_allclose(np.bincount(row, minlength=3) / N, share, atol=0.012)
    once = tg.multinomial(weights.repeat(N, 1), 2)
    assert all(len(set(row)) == 2 for row in once.tolist()[:100])
    # without replacement the first of a row follows the weights as well, and 0 weights are never drawn
    np.testing.assert_allclose(np.bincount(once.numpy()[::2, 0], minlength=3) / N, [0.25, 0, 0.75], atol=0.012)


def test_permutations_are_equally_likely() -> None:
    seen = [tuple(tg.randperm(3).tolist()) for _ in range(3000)]
    _, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01
    assert sorted(tg.randperm(50).tolist()) == list(range(50))


# -- forms and dtypes ------------------------------------------------------------------------------------------------
def test_forms_of_shapes() -> None:
    for x in (tg.rand(2, 3), tg.rand((2, 3)), tg.rand([2, 3]), tg.rand(size=(2, 3)), tg.randn(2, 3), tg.randint(5, (2, 3))):
        assert x.shape == (2, 3)
    assert tg.rand(()).shape == tg.randn(()).shape == tg.randint(3, ()).shape == ()
    assert tg.rand(0, 2).shape == (0, 2)
    assert tg.randperm(0).shape == (0,)


def test_forms_of_randint() -> None:
    for x in (tg.randint(5, (9,)), tg.randint(0, 5, (9,)), tg.randint(high=5, size=(9,)), tg.randint(0, 5, size=(9,))):
        assert x.dtype == tg.int64
        assert 0 <= x.min().item() <= x.max().item() < 5
    assert tg.randint(0, 3, (2,), dtype=tg.float32).dtype == tg.float32
    assert tg.randint_like(tg.zeros(2, 2), 1, 3).dtype == tg.float32


def test_dtypes_and_requires_grad() -> None:
    assert tg.rand(2).dtype == tg.get_default_dtype()
    assert tg.rand(2, dtype=tg.float64, requires_grad=True).requires_grad
    assert tg.randn_like(tg.zeros(2, dtype=tg.float64)).dtype == tg.float64
    assert tg.rand_like(tg.zeros(2, dtype=tg.int64), dtype=tg.float32).dtype == tg.float32
    assert tg.randperm(3, dtype=tg.int32).dtype == tg.int32
    assert tg.zeros(3, dtype=tg.uint8).random_().dtype == tg.uint8
    assert set(tg.zeros(99, dtype=tg.bool_).random_().tolist()) == {True, False}


def test_normal_of_tensors_broadcasts() -> None:
    x = tg.normal(tg.zeros(2, 1), tg.ones(3))
    assert x.shape == (2, 3)
    assert tg.normal(1.0, tg.zeros(3)).tolist() == [1.0, 1.0, 1.0]


def test_in_place_respects_the_graph() -> None:
    w = tg.zeros(3, requires_grad=True)
    with pytest.raises(InplaceError):
        w.normal_()
    with tg.no_grad():
        assert w.normal_() is w
    assert w.requires_grad
    x = tg.ones(3, requires_grad=True)
    y = x * x
    with tg.no_grad():
        x.uniform_()
    with pytest.raises(InplaceError):
        y.sum().backward()


REFUSED = {  # and what is said
    "empty range": ("there are none", lambda: tg.randint(5, 5, (2,))),
    "does not fit": ("do not fit into uint8", lambda: tg.randint(0, 300, (2,), dtype=tg.uint8)),
    "no size": ("needs a size", lambda: tg.randint(5)),
    "negative size": ("negative sizes", lambda: tg.rand(-1)),
    "integers uniform": ("Use randint", lambda: tg.rand(2, dtype=tg.int64)),
    "integers normal_": ("int64 cannot hold them", lambda: tg.zeros(2, dtype=tg.int64).normal_()),
    "negative std": ("standard deviation", lambda: tg.normal(0.0, -1.0, (2,))),
    "numbers without size": ("two numbers and a size", lambda: tg.normal(0.0, 1.0)),
    "probability above 1": (r"in \[0, 1\]", lambda: tg.bernoulli(tg.tensor([1.5]))),
    "probability NaN": (r"in \[0, 1\]", lambda: tg.zeros(2).bernoulli_(float("nan"))),
    "bernoulli of integers": ("which are floats", lambda: tg.bernoulli(tg.tensor([1]))),
    "negative weight": ("not negative", lambda: tg.multinomial(tg.tensor([1.0, -1.0]), 1)),
    "all weights 0": ("fewer than 1 weights", lambda: tg.multinomial(tg.zeros(3), 1, replacement=True)),
    "more than there are": ("cannot draw 4 of 3", lambda: tg.multinomial(tg.ones(3), 4)),
    "more than are not 0": ("fewer than 2 weights", lambda: tg.multinomial(tg.tensor([1.0, 0.0]), 2)),
    "negative mean": ("not negative", lambda: tg.poisson(tg.tensor([-1.0]))),
    "successes of half a trial": ("counts of 0, 1, 2", lambda: tg.binomial(tg.tensor([0.5]), tg.tensor([0.5]))),
    "binomial of integers": ("as floats", lambda: tg.binomial(tg.tensor([2]), tg.tensor([0.5]))),
    "empty interval": ("is empty", lambda: tg.zeros(2).uniform_(1, 0)),
    "negative n": ("n must not be negative", lambda: tg.randperm(-1)),
    "rate 0": ("lambd must be positive", lambda: tg.zeros(2).exponential_(0)),
}


@pytest.mark.parametrize(("says", "call"), REFUSED.values(), ids=REFUSED)
def test_refused(says: str, call) -> None:
    with pytest.raises((RuntimeError, TypeError), match=says):
        call()


def test_random_tensors_have_names_as_others_do() -> None:
    assert [make(2, name="W").name for make in (tg.zeros, tg.rand, tg.randn)] == ["W"] * 3
