"""Distributions: what SciPy says of them, draws that fit, gradients through draws, and what is refused."""

from __future__ import annotations

import contextlib
import math
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, optim, tensor
from tinygrad_edu import distributions as D
from tinygrad_edu.distributions import gamma
from tinygrad_edu.errors import GraphError
from tinygrad_edu.testing import gradcheck

from . import strict_cupy

N = 20_000
LOC, SCALE = tensor([0.5, -2.0], dtype="float64"), tensor([0.3, 1.5], dtype="float64")
WEIGHTS = tensor([0.2, 0.3, 0.5], dtype="float64")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    tg.manual_seed(0)


loc, scale = LOC.numpy(), SCALE.numpy()
# Of SciPy: the distribution for each number of the batch.
CONTINUOUS: dict[str, Any] = {
    "Normal": (D.Normal(LOC, SCALE), stats.norm(loc, scale)),
    "LogNormal": (D.LogNormal(LOC, SCALE), stats.lognorm(s=scale, scale=np.exp(loc))),
    "Uniform": (D.Uniform(LOC, LOC + SCALE), stats.uniform(loc, scale)),
    "Exponential": (D.Exponential(SCALE), stats.expon(scale=1 / scale)),
    "Laplace": (D.Laplace(LOC, SCALE), stats.laplace(loc, scale)),
    "Cauchy": (D.Cauchy(LOC, SCALE), stats.cauchy(loc, scale)),
    "Gumbel": (D.Gumbel(LOC, SCALE), stats.gumbel_r(loc, scale)),
    "HalfNormal": (D.HalfNormal(SCALE), stats.halfnorm(scale=scale)),
    "Gamma": (D.Gamma(SCALE, 2.0), stats.gamma(scale, scale=0.5)),
    "Chi2": (D.Chi2(SCALE), stats.chi2(scale)),
    "Beta": (D.Beta(SCALE, 2.0), stats.beta(scale, 2)),
    "StudentT": (D.StudentT(4 + SCALE, LOC, SCALE), stats.t(4 + scale, loc, scale)),
    "Pareto": (D.Pareto(SCALE, 3.0), stats.pareto(3, scale=scale)),
    "Weibull": (D.Weibull(SCALE, 1.5), stats.weibull_min(1.5, scale=scale)),
    "HalfCauchy": (D.HalfCauchy(SCALE), stats.halfcauchy(scale=scale)),
    "InverseGamma": (D.InverseGamma(3 + SCALE, 2.0), stats.invgamma(3 + scale, scale=2)),
}
WITHOUT_DIVERGENCE = ("StudentT", "Binomial of logits", "NegativeBinomial", "Pareto", "Weibull")
DISCRETE: dict[str, Any] = {
    "Poisson": (D.Poisson(SCALE), stats.poisson(scale), range(20)),
    "NegativeBinomial": (D.NegativeBinomial(4 * SCALE, SCALE / 2), stats.nbinom(4 * scale, 1 - scale / 2), range(120)),
    "Bernoulli of probs": (D.Bernoulli(SCALE / 2), stats.bernoulli(scale / 2), range(2)),
    "Bernoulli of logits": (D.Bernoulli(logits=LOC), stats.bernoulli(1 / (1 + np.exp(-loc))), range(2)),
    "Geometric": (D.Geometric(SCALE / 2), stats.geom(scale / 2, loc=-1), range(200)),
    "Binomial": (D.Binomial(5, SCALE / 2), stats.binom(5, scale / 2), range(6)),
    "Binomial of logits": (D.Binomial(tensor([3, 5]), logits=LOC), stats.binom([3, 5], 1 / (1 + np.exp(-loc))), range(4)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str) -> None:
    """SciPy's density, moments, entropy and quantiles; and Kolmogorov and Smirnov's test does not reject the draws."""
    mine, theirs = CONTINUOUS[name]
    p = np.array([[0.01, 0.01], [0.3, 0.8], [0.99, 0.5]])
    x = theirs.ppf(p)
    np.testing.assert_allclose(mine.log_prob(tensor(x)).numpy(), theirs.logpdf(x), rtol=1e-9)
    if name not in ("Beta", "StudentT"):  # they have none, as in PyTorch
        np.testing.assert_allclose(mine.cdf(tensor(x)).numpy(), p, rtol=1e-9)
    if name not in ("Beta", "StudentT", "Gamma", "Chi2", "InverseGamma"):
        np.testing.assert_allclose(mine.icdf(tensor(p)).numpy(), x, rtol=1e-9)
    spread = (math.inf, math.inf) if name == "Cauchy" else (theirs.var(), theirs.std())  # where SciPy says NaN
    for found, expected in zip((mine.mean, mine.variance, mine.stddev), (theirs.mean(), *spread), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(mine.entropy().numpy(), theirs.entropy(), rtol=1e-9)
    drawn = mine.sample((N,))
    assert drawn.shape == (N, 2)
    assert not drawn.requires_grad
    uniform = theirs.cdf(drawn.numpy())  # of what fits
    assert all(stats.kstest(uniform[:, i], "uniform").pvalue > 0.01 for i in range(2))


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str) -> None:
    mine, theirs, values = DISCRETE[name]
    x = np.array(list(values), np.float64)[:, None]
    np.testing.assert_allclose(mine.log_prob(tensor(x)).numpy(), theirs.logpmf(x), rtol=1e-9)
    np.testing.assert_allclose(mine.mean.numpy(), theirs.mean(), rtol=1e-9)
    np.testing.assert_allclose(mine.variance.numpy(), theirs.var(), rtol=1e-9)
    drawn = mine.sample((N,)).numpy()
    assert drawn.shape == (N, 2)
    for i in range(2):
        expected = theirs.pmf(x)[:, i] * N
        often = expected > 5
        counts = (drawn[:, i] == x).sum(1)
        assert stats.chisquare(counts[often], expected[often] * counts[often].sum() / expected[often].sum()).pvalue > 0.01


def test_a_choice() -> None:
    for choice in (D.Categorical(3 * WEIGHTS), D.Categorical(logits=WEIGHTS.log() + 7)):
        np.testing.assert_allclose(choice.probs.numpy(), WEIGHTS.numpy())
        np.testing.assert_allclose(choice.log_prob(tensor([2, 0])).exp().numpy(), [0.5, 0.2])
        np.testing.assert_allclose(choice.entropy().item(), stats.entropy(WEIGHTS.numpy()))
        drawn = choice.sample((N,))
        assert drawn.dtype == tg.int64
        assert stats.chisquare(np.bincount(drawn.numpy()), WEIGHTS.numpy() * N).pvalue > 0.01
        assert choice.mode.item() == 2
    vectors = D.OneHotCategorical(WEIGHTS)
    drawn = vectors.sample((4, 2))
    assert drawn.shape == (4, 2, 3)
    assert (drawn.sum(-1) == 1).all()
    assert vectors.log_prob(drawn).tolist() == D.Categorical(WEIGHTS).log_prob(drawn.argmax(-1)).tolist()


def test_a_choice_that_cannot_be() -> None:
    """A masked action (logit -∞) is never drawn and breaks no gradient."""
    logits = tensor([0.5, -math.inf, 1.5], requires_grad=True)
    policy = D.Categorical(logits=logits)
    assert set(policy.sample((1000,)).tolist()) == {0, 2}
    (policy.log_prob(tensor(2)) + policy.entropy()).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[1] == 0


def test_vectors() -> None:
    covariance = tensor([[2.0, 0.6], [0.6, 0.5]], dtype="float64")
    theirs = stats.multivariate_normal(loc, covariance.numpy())
    for how in (
        {"covariance_matrix": covariance},
        {"precision_matrix": tg.linalg.inv(covariance)},
        {"scale_tril": tg.linalg.cholesky(covariance)},
    ):
        mine = D.MultivariateNormal(LOC, **how)
        x = np.random.default_rng(0).normal(size=(5, 2))
        np.testing.assert_allclose(mine.log_prob(tensor(x)).numpy(), theirs.logpdf(x))
        np.testing.assert_allclose(mine.entropy().item(), theirs.entropy())
        np.testing.assert_allclose(mine.covariance_matrix.numpy(), covariance.numpy())
        drawn = mine.sample((N,)).numpy()
        np.testing.assert_allclose(np.cov(drawn.T), covariance.numpy(), atol=0.06)
        np.testing.assert_allclose(drawn.mean(0), loc, atol=0.03)


def test_a_mixture() -> None:
    mixture = D.MixtureSameFamily(D.Categorical(WEIGHTS[:2]), D.Normal(LOC, SCALE))
    weights = WEIGHTS[:2].numpy() / 0.5
    x = np.linspace(-16, 12, 20_001)
    density = (stats.norm(loc, scale).pdf(x[:, None]) * weights).sum(1)
    np.testing.assert_allclose(mixture.log_prob(tensor(x)).exp().numpy(), density)
    mean = np.trapezoid(x * density, x)
    np.testing.assert_allclose(mixture.mean.item(), mean, rtol=1e-3)
    np.testing.assert_allclose(mixture.variance.item(), np.trapezoid((x - mean) ** 2 * density, x), rtol=1e-2)
    assert stats.kstest(mixture.sample((N,)).numpy(), lambda v: stats.norm(loc, scale).cdf(v[:, None]) @ weights).pvalue > 0.01


class Squashing(D.transforms.Transform):
    """tanh as an agent's program writes it."""

    domain = D.constraints.real
    codomain = D.constraints.interval(-1.0, 1.0)
    bijective = True
    sign = +1

    def __init__(self) -> None:
        super().__init__(cache_size=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Squashing)

    __hash__ = None  # type: ignore[assignment]

    def _call(self, x: tg.Tensor) -> tg.Tensor:
        return x.tanh()

    def _inverse(self, y: tg.Tensor) -> tg.Tensor:
        return 0.5 * (y.log1p() - (-y).log1p())

    def log_abs_det_jacobian(self, x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        return 2 * (math.log(2) - x - nn.functional.softplus(-2 * x))


@pytest.mark.parametrize("tanh", [Squashing, lambda: D.TanhTransform(cache_size=1)])
def test_squashed_actions(tanh: Any) -> None:
    """Their density is 1 in sum; and that of an action which was drawn is exact where tanh has no digits left."""
    y = np.linspace(-1 + 1e-7, 1 - 1e-7, 200_001)
    action = D.TransformedDistribution(D.Normal(tensor(0.3, dtype="float64"), 0.6), [tanh()])
    np.testing.assert_allclose(np.trapezoid(action.log_prob(tensor(y)).exp().numpy(), y), 1, rtol=1e-6)
    loc = tensor([20.0, -15.0], requires_grad=True)
    action = D.Independent(D.TransformedDistribution(D.Normal(loc, 1.0), [tanh()]), 1)
    drawn = action.rsample((7,))
    assert drawn.abs().max() == 1
    log_prob = action.log_prob(drawn)
    assert log_prob.shape == (7,)
    assert log_prob.isfinite().all()
    log_prob.sum().backward()
    np.testing.assert_allclose(loc.grad.numpy(), 2 * 7 * np.sign(loc.detach().numpy()), rtol=1e-4)  # of -2·log 2 + 2·|x|


def test_what_a_transform_remembers_without_a_graph() -> None:
    """It is not given out where a graph is wanted."""
    tanh, x = D.TanhTransform(cache_size=1), tensor(0.5, requires_grad=True)
    with tg.no_grad():
        tanh(x)
    y = tanh(x)
    assert y.requires_grad
    assert tanh(x) is y
    assert tanh.inv(y) is x


def test_a_flow_learns_a_density() -> None:
    """A normal number through learnt transforms becomes log-normal."""
    loc, log_scale = tensor(0.0, requires_grad=True), tensor(0.0, requires_grad=True)
    data = D.LogNormal(1.5, 0.5).sample((500,))
    optimizer = optim.Adam([loc, log_scale], lr=0.1)
    for _ in range(150):
        flow = D.TransformedDistribution(D.Normal(0.0, 1.0), [D.AffineTransform(loc, log_scale.exp()), D.ExpTransform()])
        optimizer.zero_grad()
        loss = -flow.log_prob(data).mean()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(
        [loc.item(), log_scale.exp().item()], [data.log().mean().item(), data.log().std().item()], rtol=1e-2
    )
    assert stats.kstest(flow.sample((N,)).log().numpy(), stats.norm(loc.item(), log_scale.exp().item()).cdf).pvalue > 0.01


class Triangular(D.Distribution):
    """A distribution of one's own, which defines what PyTorch's programs do."""

    arg_constraints: dict = {}  # noqa: RUF012 (as they write it)
    has_rsample = True

    def __init__(self, width: Any, validate_args: bool | None = None) -> None:
        (self.width,) = D.utils.broadcast_all(width)
        super().__init__(self.width.shape, validate_args=validate_args)

    @D.constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return D.constraints.interval(-self.width, self.width)

    def rsample(self, sample_shape: Any = ()) -> tg.Tensor:
        shape = self._extended_shape(sample_shape)
        return self.width * (tg.rand(shape) - tg.rand(shape))

    def log_prob(self, value: tg.Tensor) -> tg.Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return ((1 - value.abs() / self.width) / self.width).log()


def test_a_distribution_of_ones_own() -> None:
    width = tensor([1.0, 2.0], requires_grad=True)
    both = D.Independent(Triangular(width), 1)
    drawn = both.rsample((3,))
    assert (drawn.shape, both.sample().shape, both.log_prob(drawn).shape) == ((3, 2), (2,), (3,))
    assert drawn.requires_grad
    assert not both.sample().requires_grad
    assert (D.TransformedDistribution(Triangular(width), D.ExpTransform()).sample((9,)) > 0).all()
    with pytest.raises(ValueError, match=r"Triangular: the value must be between -1 and 1; .*there is 1.5"):
        Triangular(1.0).log_prob(tensor(1.5))
    with pytest.raises(NotImplementedError, match="Distribution has no _draw, rsample or sample"):
        D.Distribution().sample()


class Clipped(D.Normal):
    """A known distribution, drawn from in another way."""

    def sample(self, sample_shape: Any = ()) -> tg.Tensor:
        return super().sample(sample_shape).clamp(-0.1, 0.1)

    def rsample(self, sample_shape: Any = ()) -> tg.Tensor:
        return super().rsample(sample_shape).clamp(-0.2, 0.2)


def test_what_is_made_of_a_distribution_of_ones_own_draws_as_that_does() -> None:
    base = Clipped(tg.zeros(3), tg.ones(3))
    for whole in (
        D.Independent(base, 1),
        D.TransformedDistribution(base, D.transforms.AffineTransform(0.0, 1.0)),
        D.MixtureSameFamily(D.Categorical(tg.ones(3)), base),
    ):
        assert whole.sample((50,)).abs().max().item() == tensor(0.1).item()
        if whole.has_rsample:
            assert whole.rsample((50,)).abs().max().item() == tensor(0.2).item()


def test_a_distribution_of_ones_own_says_how_it_is_expanded() -> None:
    class Half(D.Normal):
        def __init__(self, loc: Any, scale: Any) -> None:
            super().__init__(loc, scale / 2)

    class Expandable(Half):
        def expand(self, batch_shape: Any) -> D.Distribution:
            return Expandable(self.loc.expand(batch_shape), 2 * self.scale.expand(batch_shape))

    with pytest.raises(NotImplementedError, match=r"Half has an __init__ of its own.*define Half.expand"):
        D.Independent(Half(tg.zeros(2), tg.ones(2)), 1).expand((3,))
    expanded = D.Independent(Expandable(tg.zeros(2), tg.ones(2)), 1).expand((3,))
    assert expanded.variance.tolist() == [[0.25, 0.25]] * 3


def test_a_distribution_of_ones_own_may_compute_its_shapes() -> None:
    class Of(D.Distribution):
        arg_constraints: dict = {}  # noqa: RUF012 (as they write it)

        def __init__(self, base: D.Distribution) -> None:
            self.base = base
            super().__init__()

        batch_shape = property(lambda self: self.base.batch_shape)

    assert Of(D.Normal(tg.zeros(2), tg.ones(2))).batch_shape == (2,)
    assert Of(D.Normal(tg.zeros(2), tg.ones(2)))._extended_shape((3,)) == (3, 2)


def test_constraints_of_a_distribution_of_ones_own_are_looked_at() -> None:
    class Named(Triangular):
        arg_constraints: dict = {"width": D.constraints.positive, "center": D.constraints.dependent}  # noqa: RUF012

    with pytest.raises(ValueError, match=r"Named: width must be greater than 0; .* there is -1.0"):
        Named(tensor([1.0, -1.0]))
    assert Named(-1.0, validate_args=False).width == -1


@pytest.mark.parametrize(
    ("constraint", "words", "inside", "outside"),
    [
        (D.constraints.boolean, "0 or 1", [0.0, 1.0], [0.5, 2.0]),
        (D.constraints.integer_interval(1, 3), "a whole number between 1 and 3", [1.0, 3.0], [0.0, 1.5, 4.0]),
        (D.constraints.nonnegative_integer, "0 or 1 or 2 ...", [0.0, 7.0], [-1.0, 0.5]),
        (D.constraints.nonnegative, "at least 0", [0.0, 0.5], [-0.5]),
        (D.constraints.interval(tensor(-1.0), 1.0), "between -1 and 1", [-1.0, 1.0], [1.5, math.nan]),
        (D.constraints.interval(tensor([0.0, 1.0]), 2.0), "between its lower and 2", [1.0, 1.0], [-1.0, 0.5]),
        (D.constraints.simplex, "shares, at least 0 and 1 together", [[0.25, 0.75]], [[0.5, 0.6], [-0.5, 1.5]]),
        (D.constraints.one_hot, "a vector with a single 1, and 0 elsewhere", [[0.0, 1.0]], [[1.0, 1.0], [0.5, 0.5]]),
    ],
)
def test_constraints(constraint: Any, words: str, inside: list, outside: list) -> None:
    assert constraint.words == words
    assert constraint.check(tensor(inside)).all()
    assert not constraint.check(tensor(outside)).any() or "lower" in words


def test_a_constraint_and_a_vector_of_ones_own() -> None:
    class Even(D.constraints.Constraint):
        event_dim = 1

    assert (str(Even()), Even().words) == ("even()", "in even()")
    assert str(D.constraints.nonnegative) == "greater_than_eq(lower_bound=0.0)"
    with pytest.raises(NotImplementedError, match=r"Even has no check\(value\)"):
        Even().check(tg.ones(2))

    class Pair(D.Distribution):
        def __init__(self, validate_args: bool | None = None) -> None:
            super().__init__((4,), (2,), validate_args)

        @D.constraints.dependent_property
        def support(self) -> Any:
            return D.constraints.real_vector

        def sample(self, sample_shape: Any = ()) -> tg.Tensor:
            return tg.ones(*sample_shape, 4, 2)

    flow = D.TransformedDistribution(Pair(), D.ExpTransform())
    assert flow.sample((3,)).shape == (3, 4, 2)
    assert D.Independent(Pair(), 1).sample().shape == (4, 2)
    assert Pair().support is D.constraints.real_vector
    assert str(D.Independent(D.Normal(tg.zeros(2), 1.0), 1)) == "Independent(Normal(loc: (2,), scale: (2,)), 1)"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_near_the_ends_have_a_finite_density(dtype: str) -> None:
    c = tensor(0.01, dtype=dtype)
    for made in (D.Beta(c, c), D.Dirichlet(tensor([0.01, 0.01, 0.01], dtype=dtype))):
        x = made.sample((2000,))
        assert (x > 0).all()
        assert (x < 1).all()
        assert np.isfinite(made.log_prob(x).numpy()).all()


@pytest.mark.parametrize("name", ["Normal", "Independent", "MixtureSameFamily", "TransformedDistribution"])
def test_expanded_is_of_the_same_kind_and_looks_at_values_as_before(name: str) -> None:
    base = D.Normal(tg.zeros(3), 1.0)
    parameters: dict[str, tuple] = {
        "Normal": (tg.zeros(3), 1.0),
        "Independent": (base, 1),
        "MixtureSameFamily": (D.Categorical(tg.ones(3)), base),
        "TransformedDistribution": (base, D.ExpTransform()),
    }
    own = type("Own", (getattr(D, name),), {})(*parameters[name])
    expanded = own.expand((2, 3))
    assert type(expanded) is type(own)
    with pytest.raises(ValueError, match="the value must be"):
        expanded.log_prob(tg.full((2, 3, *own.event_shape), math.nan))
    unchecked = type(own)(*parameters[name], validate_args=False)
    assert not unchecked.expand((2, 3))._validate_args


def test_transforms_refuse() -> None:
    flow = D.TransformedDistribution(D.Normal(0.0, 1.0), D.ExpTransform())
    with pytest.raises(ValueError, match=r"value must be greater than 0; .* there is -1.0"):
        flow.log_prob(tensor(-1.0))
    with pytest.raises(TypeError, match=r"a transform is a Transform of distributions\.transforms, not 3"):
        D.TransformedDistribution(D.Normal(0.0, 1.0), [D.ExpTransform(), 3])
    with pytest.raises(ValueError, match="cache_size must be 0 or 1, not 2"):
        D.TanhTransform(cache_size=2)
    with pytest.raises(NotImplementedError, match="TransformedDistribution has no mean"):
        flow.mean  # noqa: B018
    with pytest.raises(NotImplementedError, match="Transform has no _inverse"):
        D.Transform().inv(tensor(1.0))


# -- every distribution ------------------------------------------------------------------------------------------------
POSITIVE, SHARES = {"loc": [0.5, 2.0], "scale": [0.5, 2.0]}, [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]
EVERY: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("Normal", "LogNormal", "Laplace", "Cauchy", "Gumbel"), POSITIVE),
    **{key: {"scale": [0.5, 2.0]} for key in ("HalfNormal", "HalfCauchy")},
    **{key: {"rate": [0.5, 2.0]} for key in ("Exponential", "Poisson")},
    "Uniform": {"low": [0.0, 1.0], "high": [2.0, 1.5]},
    **{key: {"concentration": [0.5, 2.0], "rate": [1.5, 2.0]} for key in ("Gamma", "InverseGamma")},
    "Chi2": {"df": [0.5, 2.0]},
    **{key: {"concentration1": [0.5, 2.0], "concentration0": [1.5, 2.0]} for key in ("Beta", "Kumaraswamy")},
    "StudentT": {"df": [0.5, 2.0], **POSITIVE},
    "Pareto": {"scale": [0.5, 2.0], "alpha": [3.0, 2.0]},
    "Weibull": {"scale": [0.5, 2.0], "concentration": [3.0, 2.0]},
    "VonMises": {"loc": [0.5, 2.0], "concentration": [3.0, 2.0]},
    "Dirichlet": {"concentration": SHARES},
    **{key: {"probs": [0.3, 0.8]} for key in ("Bernoulli", "Geometric")},
    **{key: {"total_count": [4.0, 4.0], "probs": [0.3, 0.8]} for key in ("Binomial", "NegativeBinomial")},
    **{key: {"probs": SHARES} for key in ("Categorical", "OneHotCategorical", "OneHotCategoricalStraightThrough")},
    "Multinomial": {"total_count": 3, "probs": SHARES},
    "RelaxedBernoulli": {"temperature": 0.3, "probs": [0.3, 0.8]},
    "RelaxedOneHotCategorical": {"temperature": 0.3, "probs": SHARES},
    "Normal of a number": {"loc": 0.3, "scale": [0.5, 2.0]},
    "NegativeBinomial of a number": {"total_count": 2.3, "probs": [0.3, 0.8]},
    "MultivariateNormal": {"loc": [0.5, 2.0], "scale_tril": [[2.0, 0.0], [0.6, 0.5]]},
    "LowRankMultivariateNormal": {"loc": [0.5, 2.0], "cov_factor": [[1.0], [0.5]], "cov_diag": [0.5, 2.0]},
}
EVERY |= {
    f"{name} of logits": {k: x for k, x in given.items() if k != "probs"} | {"logits": np.log(given["probs"]).tolist()}
    for name, given in EVERY.items()
    if "probs" in given
}
every = pytest.mark.parametrize("name", EVERY)


def made(name: str, changed: dict[str, Any], validate_args: bool | None = None, **how: Any) -> Any:
    """One of EVERY; its lists become tensors."""
    given = {k: tensor(x, **how) if isinstance(x, list) else x for k, x in {**EVERY[name], **changed}.items()}
    return getattr(D, name.split()[0])(**given, validate_args=validate_args)


def test_every_kind_is_among_them() -> None:
    found = {name for name, kind in vars(D).items() if isinstance(kind, type) and issubclass(kind, D.Distribution)}
    others = {"Distribution", "Independent", "MixtureSameFamily", "TransformedDistribution"}
    assert found == {name.split()[0] for name in EVERY} | others


@every
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(("dtype", "default"), [("float32", "float64"), ("float64", "float32")])
def test_what_is_told_is_of_the_parameters_dtype_and_device(
    name: str, device: str, dtype: str, default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict_cupy.install(monkeypatch)
    tg.set_default_dtype(default)
    try:
        d = made(name, {}, dtype=dtype, device=device)
        for k, x in EVERY[name].items():
            same = getattr(d, k).log_softmax(-1) if k == "logits" and "Categorical" in name else getattr(d, k)
            found = same.tolist() if isinstance(same, Tensor) else same
            np.testing.assert_allclose(found, x, rtol=1e-6 if dtype == "float32" else 1e-12)
        told = {"sample": d.sample((5,))}
        for what, get in {
            **{what: lambda what=what: getattr(d, what) for what in ("mean", "mode", "variance", "stddev")},
            **{what: lambda what=what: getattr(d, what)(told["sample"]) for what in ("log_prob", "cdf")},
            "icdf": lambda: d.icdf(tg.full_like(told["sample"], 0.5)),
            "entropy": lambda: d.entropy(),
            "all values": lambda: d.enumerate_support(),
            "all values for all": lambda: d.enumerate_support(expand=False),
        }.items():
            with contextlib.suppress(NotImplementedError):
                told[what] = get()
        classes = ("sample", "mode", "all values", "all values for all") if name.startswith("Categorical") else ()
        assert {k: str(x.dtype) for k, x in told.items()} == {k: "int64" if k in classes else dtype for k in told}
        assert all(x.device.type == device for x in told.values())
        if "all values" in told:
            values, few = told["all values"], told["all values for all"]
            assert values.shape[1:] == d.batch_shape + d.event_shape
            assert few.shape == (len(values), *(1 for _ in d.batch_shape), *d.event_shape)
            assert tg.equal(few.expand(values.shape), values)
    finally:
        tg.set_default_dtype("float32")


@every
def test_values_that_cannot_be_are_refused(name: str) -> None:
    d = made(name, {})
    x = d.sample((2,))
    wrong = x - 5 if name.startswith("Categorical") else x * math.nan
    for ask in (d.log_prob, d.cdf):
        with contextlib.suppress(NotImplementedError):
            with pytest.raises(ValueError, match="the value must be"):
                ask(wrong)
            with pytest.raises(TypeError, match=r"the value must be a tensor, not .*: write tensor\("):
                ask(x.tolist())
            with pytest.raises(ValueError, match="has no probability for a value of shape"):
                ask(tg.zeros(7, 5, dtype=x.dtype))


@every
def test_parameters_that_are_nan_are_named_unless_nobody_looks(name: str) -> None:
    for k, x in EVERY[name].items():
        if isinstance(x, list):
            wrong = {k: np.full_like(x, math.nan).tolist()}
            with pytest.raises(ValueError, match=rf": .*\b{k}\b.* must be|must be .*\b{k}\b"):
                made(name, wrong)
            assert getattr(made(name, wrong, validate_args=False), k).isnan().any()
            try:
                D.Distribution.set_default_validate_args(False)
                assert getattr(made(name, wrong), k).isnan().any()
            finally:
                D.Distribution.set_default_validate_args(True)


# -- distributions that SciPy has not ----------------------------------------------------------------------------------
def test_kumaraswamy() -> None:
    """Its density is the slope of its distribution function, of which its draws are."""
    mine = D.Kumaraswamy(tensor([0.7, 2.0], dtype="float64"), tensor([1.5, 3.0], dtype="float64"))
    x = tg.linspace(0.05, 0.95, 7, dtype="float64").unsqueeze(1).expand(7, 2).clone().requires_grad_()
    (slope,) = tg.autograd.grad(mine.cdf(x).sum(), x)
    np.testing.assert_allclose(mine.log_prob(x).exp().detach().numpy(), slope.numpy(), rtol=1e-10)
    np.testing.assert_allclose(mine.icdf(mine.cdf(x)).detach().numpy(), x.detach().numpy(), rtol=1e-10)
    drawn = mine.sample((N,))
    assert all(stats.kstest(mine.cdf(drawn).numpy()[:, i], "uniform").pvalue > 0.01 for i in range(2))
    steps = mine.icdf(tg.linspace(0, 1, 100_002, dtype="float64")[1:-1].unsqueeze(1))
    for found, expected in (
        (mine.mean, steps.mean(0)), (mine.variance, steps.var(0)), (mine.entropy(), -mine.log_prob(steps).mean(0)),
    ):  # fmt: skip
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=2e-3)
    assert mine.mode[0].isnan()
    for a, b in ((1.0, 1.0), (1.0, 2.5), (2.5, 1.0), (0.5, 1.0), (1.0, 0.5)):  # then it is a beta distribution
        for x in (0.0, 0.3, 1.0):
            expected = D.Beta(a, b).log_prob(tensor(x, dtype="float64"))
            assert D.Kumaraswamy(a, b).log_prob(tensor(x, dtype="float64")).item() == pytest.approx(expected.item(), abs=1e-12)
    assert D.Kumaraswamy(tensor([1.0, 2.0]), tensor([2.0, 1.0])).mode.tolist() == [0, 1]
    assert D.Kumaraswamy(tensor([0.5, 2.0]), tensor([2.0, 0.5])).mode.isnan().all()
    best = mine.mode[1].expand(2)
    assert all(mine.log_prob(best)[1] > mine.log_prob(best + step)[1] for step in (-1e-3, 1e-3))


@pytest.mark.parametrize("concentration", [1e-3, 0.7, 5.0, 300.0])
def test_angles(concentration: float) -> None:
    mine, theirs = D.VonMises(LOC, concentration), stats.vonmises(concentration, loc)
    x = np.linspace(-3, 3, 7)[:, None]
    np.testing.assert_allclose(mine.log_prob(tensor(x)).numpy(), theirs.logpdf(x), rtol=1e-9)
    np.testing.assert_allclose(mine.mean.numpy(), loc)
    drawn = mine.sample((N,)).numpy()
    assert abs(drawn).max() <= math.pi
    around = (drawn - loc + math.pi) % (2 * math.pi) - math.pi
    assert all(stats.kstest(around[:, i], stats.vonmises(concentration).cdf).pvalue > 0.01 for i in range(2))
    np.testing.assert_allclose(mine.variance.numpy(), 1 - np.cos(around).mean(0), atol=0.02)
    k = tensor(concentration, dtype="float64", requires_grad=True)
    assert gradcheck(lambda loc, k: D.VonMises(loc, k).log_prob(tensor([1.0, 2.0])), (LOC.clone().requires_grad_(), k))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_relaxed_choices(temperature: float) -> None:
    """Rounded, their draws are those of choices; their densities integrate to 1; a coin is a choice of two."""
    coin = D.RelaxedBernoulli(temperature, logits=LOC)
    drawn = coin.sample((N,))
    for i, p in enumerate(coin.probs.numpy()):
        assert stats.binomtest(int((drawn[:, i] > 0.5).sum()), N, p).pvalue > 0.01
        assert (
            stats.kstest(drawn[:, i].numpy(), lambda x, i=i: special.expit(temperature * special.logit(x) - loc[i])).pvalue > 0.01
        )
    x = tg.linspace(0, 1, 200_001, dtype="float64")[1:-1]
    for i in range(2):
        if temperature > 0.5:  # else the density is infinite at the ends
            density = D.RelaxedBernoulli(temperature, logits=LOC[i]).log_prob(x).exp()
            np.testing.assert_allclose(tg.trapezoid(density, x).item(), 1, rtol=5e-3)
    two = D.RelaxedOneHotCategorical(temperature, logits=tg.stack((LOC, tg.zeros(2, dtype="float64")), 1))
    shares = tg.stack((x, 1 - x), 1)[1000:-1000:1000].unsqueeze(1)
    np.testing.assert_allclose(two.log_prob(shares).numpy(), coin.log_prob(shares[..., 0]).numpy(), rtol=1e-9)
    choice = D.RelaxedOneHotCategorical(temperature, WEIGHTS)
    drawn = choice.sample((N,))
    assert stats.chisquare(np.bincount(drawn.argmax(-1).numpy()), WEIGHTS.numpy() * N).pvalue > 0.01
    assert choice.log_prob(drawn).isfinite().all()
    assert D.RelaxedOneHotCategorical(0.01, WEIGHTS.float()).sample((N,)).log().isfinite().all()
    for made in (coin, choice):
        wide = made.expand((4, *made.batch_shape))
        assert wide.rsample((3,)).shape == (3, 4, *made.batch_shape, *made.event_shape)
        assert wide.temperature == temperature


def test_straight_through() -> None:
    """Draws are choices; their gradient is that of the probabilities."""
    probs = WEIGHTS.clone().requires_grad_()
    made = D.OneHotCategoricalStraightThrough(probs)
    drawn, value = made.rsample((5,)), tensor([1.0, -2.0, 4.0], dtype="float64")
    assert set(drawn.unique().tolist()) == {0, 1}
    (found,) = tg.autograd.grad((drawn @ value).sum(), probs, retain_graph=True)
    (expected,) = tg.autograd.grad(5 * (made.probs @ value), probs)
    np.testing.assert_allclose(found.numpy(), expected.numpy())
    assert not made.sample().requires_grad


def test_vectors_that_vary_in_few_directions() -> None:
    factor, diagonal = tg.randn(2, 4, 2, dtype="float64"), tg.rand(2, 4, dtype="float64") + 0.5
    mine = D.LowRankMultivariateNormal(tg.randn(4, dtype="float64"), factor, diagonal)
    whole = D.MultivariateNormal(mine.loc, factor @ factor.mT + diagonal.diag_embed())
    x = tg.randn(3, 2, 4, dtype="float64")
    for found, expected in (
        (mine.log_prob(x), whole.log_prob(x)), (mine.entropy(), whole.entropy()), (mine.variance, whole.variance),
    ):  # fmt: skip
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9)
    for p, q in ((mine, whole), (whole, mine), (mine, mine)):
        assert D.kl_divergence(p, q).abs().max() < 1e-12
    drawn = mine.sample((N,)).numpy()[:, 1]
    np.testing.assert_allclose(np.cov(drawn.T), whole.covariance_matrix[1].numpy(), atol=0.15)
    assert mine.expand((3, 2)).sample().shape == (3, 2, 4)


# -- gradients ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "kind",
    [
        D.Normal,
        D.LogNormal,
        D.Laplace,
        lambda loc, scale: D.Pareto(loc.exp(), scale),
        lambda loc, scale: D.Weibull(loc.exp(), scale),
        lambda loc, scale: D.Kumaraswamy(loc.exp(), scale),
        lambda loc, scale: D.HalfCauchy(loc.exp() * scale),
        lambda loc, scale: D.RelaxedBernoulli(scale, logits=loc),
        lambda loc, scale: D.RelaxedOneHotCategorical(scale[:1], logits=loc),
        lambda loc, scale: D.LowRankMultivariateNormal(loc, tg.outer(loc, scale), scale),
    ],
)
def test_gradients_pass_through_draws(kind: Any) -> None:
    def drawn(loc: Any, scale: Any) -> Any:
        tg.manual_seed(1)
        return kind(loc, scale).rsample((3,))

    assert gradcheck(drawn, (LOC.clone().requires_grad_(), SCALE.clone().requires_grad_()))


SHAPES = [0.002, 0.05, 0.5, 1.0, 3.0, 40.0, 1e4]


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_through_gamma_draws(shape: float) -> None:
    """In the mean over all draws they are the derivatives of E[x] = c / rate and E[log x] = ψ(c) - log rate.

    The draws are quantiles in place of random numbers; those of the smallest shapes are too small for floats, but their logarithms are not.
    """
    n = 4000
    place = (np.arange(n) + 0.5) / n
    with np.errstate(divide="ignore"):
        logs = np.log(stats.gamma(shape).ppf(place))
    tiny = np.log(place) / shape + special.gammaln(shape + 1) / shape  # P(c, x) = x^c / Γ(c + 1) for small x
    logs = np.where(tiny < -40, tiny, logs)
    c, rate = (tg.full((n,), x, dtype="float64", requires_grad=True) for x in (shape, 2.0))
    with mock.patch("tinygrad_edu.distributions.gamma.log_standard_gamma", return_value=tensor(logs)):
        y = gamma.log_gamma(c)
        x = D.Gamma(c, rate).rsample()
    assert y.tolist() == logs.tolist()
    of_y = tg.autograd.grad(y.sum(), c)[0]
    np.testing.assert_allclose(of_y.mean().item(), special.polygamma(1, shape), rtol=2e-3)
    of_c, of_rate = tg.autograd.grad(x.sum(), (c, rate))
    np.testing.assert_allclose(of_c.mean().item(), 1 / 2, rtol=3e-3)
    np.testing.assert_allclose(of_rate.numpy(), -x.detach().numpy() / 2, atol=1e-300)


def test_gradients_through_shares() -> None:
    """E[f(x)] of Beta and Dirichlet by integration, and by draws; and that of Student's numbers, whose E[|x|] is known."""
    c = tensor([0.4, 2.5], dtype="float64", requires_grad=True)

    def expected(a: float, b: float) -> float:
        return stats.beta(a, b).expect(lambda x: np.sin(3 * x) + x**2)

    step = 1e-4
    slopes = [
        (expected(0.4 + step, 2.5) - expected(0.4 - step, 2.5)) / (2 * step),
        (expected(0.4, 2.5 + step) - expected(0.4, 2.5 - step)) / (2 * step),
    ]
    n = 20_000
    draws = (D.Beta(c[0], c[1]).rsample((n,)), D.Dirichlet(c).rsample((n,))[:, 0])
    for x in draws:
        g = tg.autograd.grad(((3 * x).sin() + x**2).mean(), c)[0]
        np.testing.assert_allclose(g.numpy(), slopes, rtol=0.03)
    df = tensor(6.0, dtype="float64", requires_grad=True)
    g = tg.autograd.grad(D.StudentT(df).rsample((n,)).abs().mean(), df)[0]

    def spread(df: float) -> float:
        return stats.t(df).expect(abs)

    np.testing.assert_allclose(g.item(), (spread(6.1) - spread(5.9)) / 0.2, rtol=0.06)


def test_second_derivatives_through_gamma_draws_are_not_offered() -> None:
    c = tensor([0.5, 2.0], requires_grad=True)
    g = tg.autograd.grad(D.Gamma(c, 1.0).rsample().sum(), c, create_graph=True)[0]
    with pytest.raises(GraphError, match="not offered to be differentiated again"):
        tg.autograd.grad(g.sum(), c)


def test_small_shares() -> None:
    """Concentrations near 0 give shares near corners, and no NaN; and numbers too small for a float that are not 0."""
    c = tg.full((1000, 3), 0.001, requires_grad=True)
    x = D.Dirichlet(c).rsample()
    np.testing.assert_allclose(x.sum(-1).detach().numpy(), 1, rtol=1e-6)
    assert (x.amax(-1) > 0.999).float().mean() > 0.95
    (x**2).sum().backward()
    assert c.grad.isfinite().all()
    small = D.Gamma(tg.full((1000,), 0.001), 1.0)
    assert small.log_prob(small.sample()).isfinite().all()


def test_shares() -> None:
    c = np.array([0.5, 2.0, 3.5])
    mine, theirs = D.Dirichlet(tensor(c)), stats.dirichlet(c)
    x = theirs.rvs(6, random_state=0)
    np.testing.assert_allclose(mine.log_prob(tensor(x)).numpy(), [theirs.logpdf(row) for row in x])
    np.testing.assert_allclose(mine.mean.numpy(), theirs.mean())
    np.testing.assert_allclose(mine.variance.numpy(), theirs.var())
    np.testing.assert_allclose(mine.entropy().item(), theirs.entropy())
    drawn = mine.sample((N,)).numpy()
    for i, share in enumerate(c):
        assert stats.kstest(drawn[:, i], stats.beta(share, c.sum() - share).cdf).pvalue > 0.01
    np.testing.assert_allclose(
        np.corrcoef(drawn.T)[0, 1], theirs.cov()[0, 1] / np.sqrt(theirs.var()[0] * theirs.var()[1]), atol=0.03
    )
    q = D.Dirichlet(tensor([1.0, 1.0, 2.0], dtype="float64"))
    x = tensor(theirs.rvs(200_000, random_state=0))
    np.testing.assert_allclose(D.kl_divergence(mine, q).item(), (mine.log_prob(x) - q.log_prob(x)).mean().item(), rtol=1e-2)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: D.Categorical(logits=x),
        lambda x: D.Categorical(x.exp()),
        lambda x: D.OneHotCategorical(logits=x),
        lambda x: D.Bernoulli(logits=x),
        lambda x: D.Bernoulli(x.sigmoid()),
        lambda x: D.Geometric(logits=x),
        lambda x: D.Binomial(3, logits=x),
        lambda x: D.Binomial(3, x.sigmoid()),
        lambda x: D.Beta(x.exp(), 1.0),
        lambda x: D.StudentT(x.exp()),
    ],
)
def test_gradients_after_a_draw_are_those_before(make: Any) -> None:
    """What sample() computes first (probs of logits, say) has its graph: an agent draws an action, and then asks for the entropy."""
    x = tensor([0.3, -1.0, 0.5], dtype="float64", requires_grad=True)

    first, second = make(x), make(x)
    value = first.sample()
    for told in (lambda made: made.entropy(), lambda made: made.log_prob(value)):
        after, before = (tg.autograd.grad(told(made).sum(), x, retain_graph=True)[0] for made in (first, second))
        assert after.tolist() == before.tolist()
        assert after.any()


def test_discrete_draws_pass_no_gradient() -> None:
    with pytest.raises(NotImplementedError, match=r"Categorical has no rsample: .*REINFORCE"):
        D.Categorical(WEIGHTS).rsample()


def test_log_probabilities_have_gradients() -> None:
    loc, scale = LOC.clone().requires_grad_(), SCALE.clone().requires_grad_()
    x = tensor([0.2, 1.0], dtype="float64", requires_grad=True)
    for kind in (D.Normal, D.Laplace):
        assert gradcheck(lambda loc, scale, x, kind=kind: kind(loc, scale).log_prob(x), (loc, scale, x))
    assert gradcheck(lambda c, rate, x: D.Gamma(c, rate).cdf(x), (scale, scale.detach().clone().requires_grad_(), x))
    logits = tg.randn(2, 3, dtype="float64", requires_grad=True)
    assert gradcheck(lambda z: D.Categorical(logits=z).log_prob(tensor([2, 0])), logits)
    assert gradcheck(lambda z: D.Categorical(logits=z).entropy(), logits)
    assert gradcheck(lambda z: D.Bernoulli(logits=z).log_prob(tg.ones(2, 3)), logits)


# -- divergence --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in (*CONTINUOUS, *DISCRETE) if name not in WITHOUT_DIVERGENCE])
def test_divergence_is_the_mean_of_the_log_ratio(name: str) -> None:
    """E_p[log p - log q] by integration over p's quantiles, or by a sum over all values."""
    p, theirs, *values = {**CONTINUOUS, **DISCRETE}[name]
    moved = [parameter for parameter in p.parameters if parameter != "total_count"]
    q = (
        type(p)(**{parameter: getattr(p, parameter) + 0.2 * (parameter in moved) for parameter in p.parameters})
        if name != "Uniform"
        else None
    )
    q = q or D.Uniform(p.low - 0.1, p.high + 0.2)
    if values:
        x = tensor(np.array(list(values[0]), np.float64)[:, None])
        expected = (p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))).sum(0)
    else:
        x = tensor(theirs.ppf((np.arange(200_000)[:, None] + 0.5) / 200_000))
        expected = (p.log_prob(x) - q.log_prob(x)).mean(0)
    np.testing.assert_allclose(D.kl_divergence(p, q).numpy(), expected.numpy(), rtol=1e-3)
    assert D.kl_divergence(p, p).abs().max() < 1e-12


def test_divergence_where_something_cannot_be() -> None:
    p, q = D.Categorical(tensor([0.5, 0.5, 0.0])), D.Categorical(tensor([1.0, 0.0, 0.0]))
    assert D.kl_divergence(p, q) == math.inf
    assert abs(D.kl_divergence(q, p).item() - math.log(2)) < 1e-6
    assert D.kl_divergence(D.Uniform(0.0, 2.0), D.Uniform(0.0, 1.0)) == math.inf


def test_divergence_of_events_and_unknown_kinds() -> None:
    p = D.Independent(D.Normal(tg.zeros(4, 3), tg.ones(4, 3)), 1)
    q = D.Independent(D.Normal(tg.ones(4, 3), tg.ones(4, 3)), 1)
    assert D.kl_divergence(p, q).tolist() == [1.5] * 4
    with pytest.raises(NotImplementedError, match="no formula for the divergence of Normal from Laplace"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Laplace(0.0, 1.0))

    class Mine(D.Normal):
        pass

    @D.register_kl(Mine, D.Laplace)
    def _mine(p: Mine, q: D.Laplace) -> tg.Tensor:
        return p.loc * 0 + 7

    assert D.kl_divergence(Mine(0.0, 1.0), D.Laplace(0.0, 1.0)) == 7
    assert D.kl_divergence(Mine(0.0, 1.0), D.Normal(1.0, 1.0)) == 0.5


# -- shapes ------------------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(1, 3), max_size=2), st.lists(st.integers(1, 3), max_size=2))
def test_shapes(sample: list[int], batch: list[int]) -> None:
    made = [
        D.Normal(tg.zeros(*batch) if batch else 0.0, 1.0),
        D.Categorical(tg.ones(*batch, 4)),
        D.OneHotCategorical(tg.ones(*batch, 4)),
        D.MultivariateNormal(tg.zeros(*batch, 2), tg.eye(2)),
        D.Independent(D.Laplace(tg.zeros(*batch, 2), 1.0), 1),
        D.MixtureSameFamily(D.Categorical(tg.ones(3)), D.Normal(tg.zeros(*batch, 3), 1.0)),
        D.MixtureSameFamily(D.Categorical(tg.ones(3)), D.Dirichlet(tg.ones(*batch, 3, 2))),
        D.Dirichlet(tg.ones(*batch, 3)),
        D.Binomial(4, tg.full((*batch,), 0.5)),
        D.TransformedDistribution(D.Normal(tg.zeros(*batch, 2), 1.0), D.AffineTransform(tg.zeros(2), 2.0, event_dim=1)),
    ]
    for each in made:
        assert each.batch_shape == tuple(batch)
        x = each.sample(sample)
        assert x.shape == (*sample, *batch, *each.event_shape)
        assert each.log_prob(x).shape == (*sample, *batch)
        wide = each.expand((2, *batch))
        assert wide.batch_shape == (2, *batch)
        assert wide.sample(sample).shape == (*sample, 2, *batch, *each.event_shape)


def test_all_values() -> None:
    assert D.Bernoulli(0.5).enumerate_support().tolist() == [0, 1]
    assert D.Categorical(tg.ones(2, 3)).enumerate_support().tolist() == [[0, 0], [1, 1], [2, 2]]
    assert D.Categorical(tg.ones(2, 3)).enumerate_support(expand=False).shape == (3, 1)
    assert D.OneHotCategorical(tg.ones(3)).enumerate_support().tolist() == tg.eye(3).tolist()


# -- what is refused ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: D.Normal(0.0, -1.0), r"Normal: scale must be greater than 0; in \(\) float32 there is -1.0"),
        (
            lambda: D.Normal(tensor([0.0, math.nan]), 1.0),
            r"Normal: loc must be a number, not NaN; in \(2,\) float32 there is nan",
        ),
        (lambda: D.Uniform(1.0, 1.0), "Uniform: high must be greater than low"),
        (lambda: D.Bernoulli(tensor(1.5)), "Bernoulli: probs must be between 0 and 1"),
        (lambda: D.Bernoulli(), "Bernoulli needs either probs or logits, and not neither"),
        (lambda: D.Categorical(tensor([-1.0, 2.0])), "Categorical: probs must be at least 0; .* there is -1.0"),
        (lambda: D.Categorical(tensor([0.0, 0.0])), "Categorical: the sum of probs must be greater than 0"),
        (lambda: D.Categorical(tensor(1.0)), "Categorical: probs or logits need a dim for the classes"),
        (
            lambda: D.Categorical(tensor([1.0, 2.0])).log_prob(tensor(2)),
            "the value must be a whole number between 0 and 1; .* there is 2",
        ),
        (lambda: D.Bernoulli(0.5).log_prob(tensor(0.5)), "the value must be 0 or 1"),
        (lambda: D.Exponential(1.0).log_prob(tensor(-1.0)), "the value must be at least 0"),
        (lambda: D.OneHotCategorical(tg.ones(2)).log_prob(tensor([1.0, 1.0])), "a vector with a single 1"),
        (lambda: D.Normal(tg.zeros(3), 1.0).log_prob(tg.zeros(2)), r"of shape \(3,\) has no probability for .* shape \(2,\)"),
        (lambda: D.MultivariateNormal(tg.zeros(2), tg.ones(2, 2).triu()), "the matrix must be symmetric"),
        (lambda: D.MultivariateNormal(tg.zeros(2), scale_tril=tg.ones(2, 2)), "scale_tril must be 0 above the diagonal"),
        (lambda: D.MultivariateNormal(tg.zeros(2)), "needs one of covariance_matrix, precision_matrix and scale_tril; 0"),
        (lambda: D.MultivariateNormal(tg.zeros(3), tg.eye(2)), r"loc must be \(\.\.\., n\)"),
        (lambda: D.Gamma(0.0, 1.0), "Gamma: concentration must be greater than 0"),
        (lambda: D.Beta(1.0, 2.0).log_prob(tensor(1.5)), "the value must be between 0 and 1"),
        (lambda: D.Dirichlet(tensor(1.0)), "concentration needs a dim for the shares"),
        (lambda: D.Dirichlet(tg.ones(2)).log_prob(tg.ones(2)), "the value must be shares, at least 0 and 1 together"),
        (lambda: D.Geometric(0.0), "Geometric: probs must be greater than 0"),
        (lambda: D.Binomial(1.5, 0.5), "total_count must be 0 or 1 or 2"),
        (lambda: D.Binomial(2, 0.5).log_prob(tensor(3.0)), "a whole number between 0 and 2"),
        (lambda: D.Pareto(2.0, 1.0).log_prob(tensor(1.0)), "the value must be at least 2"),
        (lambda: D.Weibull(1.0, 0.0), "Weibull: concentration must be greater than 0"),
        (lambda: D.InverseGamma(1.0, -1.0), "InverseGamma: rate must be greater than 0"),
        (lambda: D.RelaxedBernoulli(1.0), "RelaxedBernoulli needs either probs or logits, and not neither"),
        (lambda: D.RelaxedBernoulli(0.0, 0.5), "RelaxedBernoulli: temperature must be greater than 0"),
        (lambda: D.RelaxedOneHotCategorical(-1.0, tg.ones(2)), "RelaxedOneHotCategorical: temperature must be greater than 0"),
        (lambda: D.LowRankMultivariateNormal(tg.zeros(3), tg.zeros(2, 1), tg.ones(3)), r"cov_factor \(\.\.\., n, rank\)"),
        (lambda: D.LowRankMultivariateNormal(tg.zeros(2), tg.zeros(2, 1), tg.zeros(2)), "cov_diag must be greater than 0"),
        (lambda: D.MultivariateNormal(tensor(1.0), tg.eye(1)), r"loc must be \(\.\.\., n\)"),
        (lambda: D.MultivariateNormal(tg.zeros(2), scale_tril=tg.ones(2)), r"the matrix \(\.\.\., n, n\)"),
        (lambda: D.LowRankMultivariateNormal(tg.zeros(2), tg.ones(2), tg.ones(2)), r"cov_factor \(\.\.\., n, rank\)"),
        (lambda: D.MixtureSameFamily(D.Categorical(tg.ones(3)), D.Normal(tg.zeros(2), 1.0)), "does not fit components"),
        (lambda: D.MixtureSameFamily(D.Categorical(tg.ones(2, 3)), D.Normal(tg.zeros(3), 1.0)), "does not fit components"),
        (lambda: D.MixtureSameFamily(D.Categorical(tg.ones(2, 3)), D.Normal(tg.zeros(4, 3), 1.0)), "does not fit components"),
        (
            lambda: D.kl_divergence(D.MultivariateNormal(tg.zeros(2), tg.eye(2)), D.MultivariateNormal(tg.zeros(3), tg.eye(3))),
            "vectors of 2 and of 3 numbers",
        ),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), r"a batch of shape \(\) has no 1 last dims"),
    ],
)
def test_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_refused_kinds() -> None:
    with pytest.raises(TypeError, match=r"write \(5,\)"):
        D.Normal(0.0, 1.0).sample(5)
    with pytest.raises(TypeError, match="the choice is a Categorical, not Normal"):
        D.MixtureSameFamily(D.Normal(tg.zeros(3), 1.0), D.Normal(tg.zeros(3), 1.0))
    with pytest.raises(NotImplementedError, match="Poisson has no entropy"):
        D.Poisson(1.0).entropy()
    with pytest.raises(AttributeError, match="Wishart"):
        D.Wishart  # noqa: B018


def test_what_is_not_looked_at() -> None:
    assert D.Normal(0.0, -1.0, validate_args=False).scale == -1
    try:
        D.Distribution.set_default_validate_args(False)
        assert D.Uniform(0.0, 1.0).log_prob(tensor(2.0)) == -math.inf
    finally:
        D.Distribution.set_default_validate_args(True)


# -- in use ------------------------------------------------------------------------------------------------------------
def test_reinforce_learns_the_better_arm() -> None:
    logits = tg.zeros(2, requires_grad=True)
    optimizer = optim.Adam([logits], lr=0.1)

    @tg.compile
    def step() -> Any:
        policy = D.Categorical(logits=logits)
        action = policy.sample((16,))
        reward = tg.where(action == 1, 1.0, 0.0)
        optimizer.zero_grad()
        loss = -(policy.log_prob(action) * (reward - 0.5)).mean()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(60):
        step()
    assert step.plans
    assert D.Categorical(logits=logits).probs[1] > 0.9


def test_compiled_draws_are_those_of_the_same_seed() -> None:
    """Also those that gradients pass through, and those behind transforms."""

    def losses(wrap: Any) -> list[float]:
        tg.manual_seed(0)
        x = tensor([0.5, 2.0], requires_grad=True)
        optimizer = optim.SGD([x], lr=0.01)

        def step() -> Any:
            squashed = D.TransformedDistribution(D.Normal(x, 1.0), D.TanhTransform(cache_size=1))
            drawn = [D.Gamma(x.exp(), 1.0).rsample(), D.Beta(x.exp(), 2.0).rsample(), squashed.log_prob(squashed.rsample())]
            trials = [D.Binomial(5, logits=x), D.Geometric(logits=x), D.StudentT(x.exp())]
            loss = sum(y.sum() for y in (*drawn, *(each.log_prob(each.sample()) for each in trials)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        compiled = wrap(step)
        found = [compiled().item() for _ in range(6)]
        assert wrap is not tg.compile or compiled.plans
        return found

    assert losses(tg.compile) == losses(lambda step: step)


def test_a_variational_autoencoder_s_loss() -> None:
    encoder, decoder = nn.Linear(5, 4), nn.Linear(2, 5)
    x = tg.rand(8, 5)
    mean, log_scale = encoder(x).chunk(2, -1)
    posterior = D.Independent(D.Normal(mean, log_scale.exp()), 1)
    prior = D.Independent(D.Normal(tg.zeros(2), tg.ones(2)), 1)
    likelihood = D.Independent(D.Bernoulli(logits=decoder(posterior.rsample())), 1)
    loss = (D.kl_divergence(posterior, prior.expand((8,))) - likelihood.log_prob((x > 0.5).float())).mean()
    loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in (*encoder.parameters(), *decoder.parameters()))


def test_the_size_of_a_number_is_never_negative() -> None:
    assert D.HalfNormal(1.0, validate_args=False).log_prob(tensor(-0.5)) == -math.inf
    with pytest.raises(ValueError, match="HalfNormal: the value must be at least 0"):
        D.HalfNormal(1.0).log_prob(tensor(-0.5))


def test_gumbels_noise_draws_from_softmax() -> None:
    logits = tensor([0.5, 0.0, 1.5], dtype="float64")
    drawn = (logits + D.Gumbel(tg.zeros(3, dtype="float64"), 1.0).sample((N,))).argmax(-1)
    assert stats.chisquare(np.bincount(drawn.numpy()), logits.softmax(-1).numpy() * N).pvalue > 0.01


def test_counts_of_classes() -> None:
    counts = D.Multinomial(6, WEIGHTS)
    drawn = counts.sample((N,))
    assert (drawn.sum(-1) == 6).all()
    for i, p in enumerate(WEIGHTS.tolist()):
        expected = stats.binom(6, p).pmf(range(7)) * N
        often = expected > 5
        found = np.bincount(drawn[:, i].long().numpy(), minlength=7)
        assert stats.chisquare(found[often], expected[often] * found[often].sum() / expected[often].sum()).pvalue > 0.01
    theirs = stats.multinomial(6, WEIGHTS.numpy())
    np.testing.assert_allclose(counts.log_prob(tensor([1.0, 2.0, 3.0])).item(), theirs.logpmf([1, 2, 3]))
    np.testing.assert_allclose(counts.entropy().item(), theirs.entropy())
    assert D.Multinomial(2, tensor([0.0, 1.0])).log_prob(tensor([0.0, 2.0])) == 0
    assert counts.log_prob(tensor([1.0, 1.0, 0.0])) == D.Multinomial(2, WEIGHTS).log_prob(tensor([1.0, 1.0, 0.0]))
    for wrong in ([3.0, 2.0, 2.0], [1.5, 1.5, 3.0], [-1.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match="Multinomial: the value must be counts, at most 6 together"):
            counts.log_prob(tensor(wrong))
    with pytest.raises(ValueError, match="total_count must be a whole number"):
        D.Multinomial(1.5, WEIGHTS)  # type: ignore[arg-type]


def test_no_trials_succeed_where_none_are_made() -> None:
    none = D.NegativeBinomial(tensor([0.0, 2.0]), probs=tensor([0.5, 0.5]))
    assert none.log_prob(tensor(0.0)).tolist() == pytest.approx([0.0, 2 * math.log(0.5)])
    assert (none.sample((200,))[:, 0] == 0).all()
    with pytest.raises(ValueError, match="NegativeBinomial: probs must be less than 1"):
        D.NegativeBinomial(1.0, 1.0)
