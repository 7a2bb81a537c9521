"""Distributions as PyTorch computes them: values, moments, divergences and their gradients."""

from __future__ import annotations

import contextlib
import math
from typing import Any
from unittest import mock

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import distributions

from .test_op_db import torch

rng = np.random.default_rng(0)


def positive(*shape: int) -> np.ndarray:
    return rng.uniform(0.3, 2, shape)


def covariance(n: int) -> np.ndarray:
    root = rng.normal(size=(n, n))
    return root @ root.T + np.eye(n)


# The kind, its parameters, those of another one of the kind, and values.
LOC, VALUES = rng.normal(size=3), rng.normal(size=(4, 2, 3))
COIN, CLASS = rng.integers(0, 2, (4, 2, 3)).astype(np.float64), rng.integers(0, 5, (4, 2))
CASES: list[tuple[str, dict, dict, np.ndarray]] = [
    ("Normal", {"loc": LOC, "scale": positive(2, 3)}, {"loc": LOC + 1, "scale": positive(2, 3)}, VALUES),
    ("LogNormal", {"loc": LOC, "scale": positive(2, 3)}, {"loc": LOC + 1, "scale": positive(2, 3)}, np.exp(VALUES)),
    ("Laplace", {"loc": LOC, "scale": positive(2, 3)}, {"loc": LOC + 1, "scale": positive(2, 3)}, VALUES),
    ("Cauchy", {"loc": LOC, "scale": positive(2, 3)}, {"loc": LOC + 1, "scale": positive(2, 3)}, VALUES),
    ("Gumbel", {"loc": LOC, "scale": positive(2, 3)}, {"loc": LOC + 1, "scale": positive(2, 3)}, VALUES),
    ("HalfNormal", {"scale": positive(2, 3)}, {"scale": positive(2, 3)}, np.abs(VALUES)),
    (
        "Uniform",
        {"low": -positive(3), "high": positive(2, 3)},
        {"low": -3 * np.ones(3), "high": positive(2, 3)},
        rng.uniform(-0.2, 0.2, (4, 2, 3)),
    ),
    ("Exponential", {"rate": positive(3)}, {"rate": positive(3)}, positive(4, 3)),
    ("Poisson", {"rate": positive(3)}, {"rate": positive(3)}, rng.integers(0, 8, (4, 3)).astype(np.float64)),
    *(
        ("Gamma", {"concentration": positive(2, 3), "rate": positive(3)}, {"concentration": positive(3), "rate": positive(3)}, x)
        for x in (positive(4, 2, 3), 20 * positive(4, 2, 3))
    ),
    ("Chi2", {"df": 3 * positive(3)}, {"df": positive(3)}, positive(4, 2, 3)),
    (
        "Beta",
        {"concentration1": 2 * positive(2, 3), "concentration0": 2 * positive(3)},
        {"concentration1": positive(3), "concentration0": positive(2, 3)},
        rng.uniform(0.01, 0.99, (4, 2, 3)),
    ),
    ("Dirichlet", {"concentration": 2 * positive(2, 3)}, {"concentration": positive(3)}, rng.dirichlet([1, 2, 3], (4, 2))),
    ("Dirichlet", {"concentration": positive(2, 3) / 2}, {"concentration": positive(3)}, rng.dirichlet([1, 2, 3], (4, 2))),
    ("StudentT", {"df": 3 * positive(2, 3), "loc": LOC, "scale": positive(3)}, {"df": positive(3)}, VALUES),
    ("StudentT", {"df": np.array([0.5, 1.0, 1.5, 2.0, 3.0])}, {"df": positive(5)}, rng.normal(size=(4, 5))),
    ("Geometric", {"probs": rng.uniform(size=(2, 3))}, {"probs": rng.uniform(size=3)}, COIN + 2),
    ("Geometric", {"logits": rng.normal(size=(2, 3))}, {"logits": rng.normal(size=3)}, COIN),
    (
        "Binomial",
        {"total_count": np.full(3, 4.0), "probs": rng.uniform(size=(2, 3))},
        {"total_count": np.full(3, 4.0), "probs": rng.uniform(size=3)},
        COIN + 3,
    ),
    (
        "Binomial",
        {"total_count": np.array([4.0, 5.0, 3.0]), "logits": rng.normal(size=(2, 3))},
        {"total_count": np.array([4.0, 2.0, 3.0]), "logits": rng.normal(size=3)},
        COIN + 1,
    ),
    ("Bernoulli", {"probs": rng.uniform(size=(2, 3))}, {"probs": rng.uniform(size=(2, 3))}, COIN),
    ("Bernoulli", {"logits": rng.normal(size=(2, 3))}, {"logits": rng.normal(size=(2, 3))}, COIN),
    ("Bernoulli", {"probs": np.array([0.0, 1.0, 0.5])}, {"probs": np.array([0.0, 0.5, 1.0])}, np.array([0.0, 1.0, 1.0])),
    ("Categorical", {"probs": positive(2, 5)}, {"probs": positive(2, 5)}, CLASS),
    ("Categorical", {"logits": rng.normal(size=(2, 5))}, {"logits": rng.normal(size=(2, 5))}, CLASS),
    ("Categorical", {"probs": np.array([0.0, 1.0, 3.0])}, {"probs": np.array([1.0, 0.0, 3.0])}, np.array([0, 1, 2])),
    ("OneHotCategorical", {"probs": positive(2, 5)}, {"probs": positive(2, 5)}, np.eye(5)[CLASS]),
    *(
        ("NegativeBinomial", {"total_count": 3 * positive(2, 3), how: x}, {"total_count": positive(3), how: x}, COIN + 3)
        for how, x in (("probs", rng.uniform(0.1, 0.9, 3)), ("logits", rng.normal(size=(2, 3))))
    ),
    (
        "Pareto",
        {"scale": positive(3), "alpha": 2 * positive(2, 3)},
        {"scale": positive(3) / 7, "alpha": positive(3)},
        2 + positive(4, 2, 3),
    ),
    ("Pareto", {"scale": np.ones(3), "alpha": positive(3)}, {"scale": 2 * np.ones(3), "alpha": positive(3)}, 2 + positive(4, 3)),
    (
        "Weibull",
        {"scale": positive(3), "concentration": 1 + positive(2, 3)},
        {"scale": positive(3), "concentration": positive(3)},
        positive(4, 2, 3),
    ),
    ("HalfCauchy", {"scale": positive(2, 3)}, {"scale": positive(3)}, np.abs(VALUES)),
    (
        "InverseGamma",
        {"concentration": 2 * positive(2, 3), "rate": positive(3)},
        {"concentration": positive(3), "rate": positive(3)},
        positive(4, 2, 3),
    ),
    (
        "Kumaraswamy",
        {"concentration1": 2 * positive(2, 3), "concentration0": 2 * positive(3)},
        {"concentration1": positive(3), "concentration0": positive(3)},
        rng.uniform(0.01, 0.99, (4, 2, 3)),
    ),
    *(
        (
            ("RelaxedBernoulli"),
            {"temperature": np.array(0.7), how: x},
            {"temperature": np.array(0.7), how: x},
            rng.uniform(0.01, 0.99, (4, 2, 3)),
        )
        for how, x in (("probs", rng.uniform(0.1, 0.9, 3)), ("logits", rng.normal(size=(2, 3))))
    ),
    *(
        (
            ("RelaxedOneHotCategorical"),
            {"temperature": np.array(0.7), how: x},
            {"temperature": np.array(0.7), how: x},
            rng.dirichlet([1, 2, 3], (4, 2)),
        )
        for how, x in (("probs", positive(2, 3)), ("logits", rng.normal(size=(2, 3))))
    ),
    (
        "OneHotCategoricalStraightThrough",
        {"logits": rng.normal(size=(2, 5))},
        {"logits": rng.normal(size=(2, 5))},
        np.eye(5)[CLASS],
    ),
    (
        "LowRankMultivariateNormal",
        {"loc": rng.normal(size=(2, 3)), "cov_factor": rng.normal(size=(3, 2)), "cov_diag": positive(3)},
        {"loc": LOC, "cov_factor": rng.normal(size=(3, 1)), "cov_diag": positive(3)},
        VALUES,
    ),
    (
        "MultivariateNormal",
        {"loc": rng.normal(size=(2, 3)), "covariance_matrix": covariance(3)},
        {"loc": LOC, "covariance_matrix": covariance(3)},
        VALUES,
    ),
    (
        "MultivariateNormal",
        {"loc": LOC, "scale_tril": np.linalg.cholesky(covariance(3))},
        {"loc": LOC, "precision_matrix": covariance(3)},
        VALUES,
    ),
]


WITHOUT_GRADIENT = {("cdf", "Gamma"), ("cdf", "Chi2"), ("cdf", "InverseGamma")}  # PyTorch's igamma has none for the shape
# PyTorch's formula takes a logarithm of 1 - concentration0, which is NaN wherever there is a mode inside.
LEFT_OUT = {("mode", "Kumaraswamy")}


def computed(library: Any, kinds: Any, case: tuple) -> dict[str, np.ndarray]:
    """Everything that a distribution tells, and the gradients for the parameters; nothing where it raises NotImplementedError."""
    name, parameters, others, values = case
    kind = getattr(kinds, name)
    p = {k: library.tensor(x).requires_grad_() for k, x in parameters.items()}
    distribution = kind(**p)
    value = library.tensor(values)
    made = {
        "log_prob": lambda: distribution.log_prob(value),
        "cdf": lambda: distribution.cdf(value),
        "icdf": lambda: distribution.icdf(library.full_like(value, 0.3)),
        "kl": lambda: kinds.kl_divergence(distribution, kind(**{k: library.tensor(x) for k, x in others.items()})),
        "enumerate_support": distribution.enumerate_support,
        "entropy": distribution.entropy,
        "perplexity": distribution.perplexity,
        **{what: lambda what=what: getattr(distribution, what) for what in ("mean", "mode", "variance", "stddev")},
        **{what: lambda what=what: getattr(distribution, what) for what in ("probs", "logits") if hasattr(distribution, what)},
        **{
            what: lambda what=what: getattr(distribution, what)
            for what in ("covariance_matrix", "precision_matrix", "scale_tril")
        },
    }
    found: dict[str, Any] = {"shapes": np.array([*distribution.batch_shape, -1, *distribution.event_shape])}
    for what, compute in made.items():
        try:
            x = compute()
        except (NotImplementedError, AttributeError):
            continue
        found[what] = x.detach().numpy()
        if x.requires_grad and np.isfinite(found[what]).all() and (what, name) not in WITHOUT_GRADIENT:
            gradients = library.autograd.grad(x.sum(), list(p.values()), allow_unused=True, retain_graph=True)
            found |= {f"{what}, d {k}": g.numpy() for k, g in zip(p, gradients, strict=True) if g is not None}
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{'-'.join(case[1])}")
def test_all_that_a_distribution_tells(case: tuple) -> None:
    mine, theirs = computed(tg, distributions, case), computed(torch, torch.distributions, case)
    for what in mine.keys() | theirs.keys():
        if (what.partition(",")[0], case[0]) in LEFT_OUT:
            continue
        nothing = 0.0 if ", d " in what else math.nan  # some gradients of zeros are not computed here or there
        atol = 5e-9 if ", d " in what else 1e-10  # PyTorch's trigamma is 1e-9 off
        np.testing.assert_allclose(mine.get(what, nothing), theirs.get(what, nothing), rtol=1e-8, atol=atol, err_msg=what)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{'-'.join(case[1])}")
def test_which_parameters_and_values_are_possible(case: tuple) -> None:
    name, parameters, _, values = case
    mine, theirs = (
        getattr(kinds, name)(**{k: library.tensor(x) for k, x in parameters.items()})
        for library, kinds in ((tg, distributions), (torch, torch.distributions))
    )
    assert mine.arg_constraints.keys() <= theirs.arg_constraints.keys()
    assert all(
        constraint.check(getattr(mine, k)).all() for k, constraint in mine.arg_constraints.items() if k in ("loc", "scale")
    )
    for what in ("event_dim", "is_discrete"):
        assert getattr(mine.support, what) == getattr(theirs.support, what)
    assert mine.support.check(mine.sample((50,))).all()
    tries = [
        values,
        -values,
        values / 3,
        2 * values,
        values + 10,
        values - 0.5,
        np.nan * values,
        np.round(values),
        0 * values,
        0 * values + 1,
    ]
    for x in (x for x in tries if np.isfinite(x).all() or not mine.support.is_discrete):
        found, expected = mine.support.check(tg.tensor(x)), theirs.support.check(torch.tensor(x))
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    for each in (mine, theirs):
        independent = (distributions if each is mine else torch.distributions).Independent(each, len(each.batch_shape))
        assert independent.support.event_dim == len(independent.event_shape)


# Where cases meet: parameters, and values at the ends of what is possible.
ENDS: list[tuple[str, dict[str, list], list[float]]] = [
    *((name, {"scale": [1.0, 2.0]}, [0.0]) for name in ("HalfNormal", "HalfCauchy")),
    ("Exponential", {"rate": [1.0, 2.0]}, [0.0]),
    ("Uniform", {"low": [0.0, 0.0], "high": [2.0, 2.0]}, [0.0, 2.0]),
    ("Pareto", {"scale": [2.0] * 5, "alpha": [0.5, 1.0, 1.5, 2.0, 3.0]}, [2.0]),
    ("Beta", {"concentration1": [0.5, 1.0, 2.0], "concentration0": [2.0, 1.0, 0.5]}, [0.0, 1.0]),
    ("Gamma", {"concentration": [0.5, 1.0, 2.0], "rate": [1.0, 1.0, 1.0]}, [0.0]),
    ("Dirichlet", {"concentration": [[[0.5, 2.0, 1.0], [1.5, 1.9, 1.1]], [[1.0, 1.5, 0.2], [0.2, 0.3, 0.9]]]}, []),
    ("InverseGamma", {"concentration": [0.5, 1.0, 1.5, 2.0, 3.0], "rate": [1.0, 1.0, 1.0, 2.0, 2.0]}, []),
    ("StudentT", {"df": [0.5, 1.0, 1.5, 2.0, 3.0]}, []),
    ("Binomial", {"total_count": [4.0] * 4, "probs": [0.0, 1.0, 0.2, 0.5]}, [0.0, 4.0]),
    ("Geometric", {"probs": [1.0, 0.5]}, [0.0, 1.0]),
    ("Poisson", {"rate": [0.0, 1.0]}, [0.0, 1.0]),
    ("NegativeBinomial", {"total_count": [1.0, 2.0], "probs": [0.0, 0.5]}, [0.0, 1.0]),
]


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case[0])
def test_where_cases_meet(case: tuple) -> None:
    name, parameters, ends = case
    found: list[dict[str, np.ndarray]] = [{}, {}]
    for library, told in zip((tg, torch), found, strict=True):
        made = getattr(library.distributions, name)(
            **{k: library.tensor(x, dtype=library.float64) for k, x in parameters.items()}
        )
        values = [library.full(made.batch_shape, end, dtype=library.float64) for end in ends]
        for what in ("mean", "mode", "variance", "log_prob", "cdf"):
            with contextlib.suppress(NotImplementedError):
                for i, value in enumerate(values if what in ("log_prob", "cdf") else [None]):
                    told[f"{what} {i}"] = (getattr(made, what) if value is None else getattr(made, what)(value)).numpy()
    mine, theirs = found
    for what in mine.keys() & theirs.keys():
        np.testing.assert_allclose(mine[what], theirs[what], rtol=1e-10, atol=1e-12, err_msg=what)


@pytest.mark.parametrize("name", ["Normal", "Categorical", "Dirichlet"])
@pytest.mark.parametrize("dims", [0, 1, 2])
def test_dims_of_a_batch_as_an_event(name: str, dims: int) -> None:
    parameters = {
        "Normal": (VALUES[0], np.exp(VALUES[1])),
        "Categorical": (positive(2, 3, 5),),
        "Dirichlet": (positive(2, 3, 5),),
    }
    values = {"Normal": VALUES, "Categorical": CLASS[:, :, None], "Dirichlet": rng.dirichlet(np.ones(5), (4, 2, 3))}
    told = []
    for library in (tg, torch):
        kinds = library.distributions
        base = getattr(kinds, name)(*map(library.tensor, parameters[name]))
        made, x = kinds.Independent(base, dims), library.tensor(values[name])
        wide = made.expand((5, *made.batch_shape))
        told.append([made.log_prob(x), made.entropy(), wide.entropy(), made.mean, made.variance, made.support.check(x)])
        told[-1] += [library.tensor([*each.batch_shape, -1, *each.event_shape]) for each in (made, wide)]
    for mine, theirs in zip(*told, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-9)


@pytest.mark.parametrize("c", [1e-3, 0.1, 0.9, 2.0, 30.0, 1e4])
def test_gradients_through_draws_of_gamma_distributions(c: float) -> None:
    """PyTorch's derivatives of the draws that it makes, which are approximations of three digits where numbers are not extreme."""
    torch.manual_seed(0)  # one draw of 10,000 is where its approximation has two digits
    concentration = torch.full((200,), c, dtype=torch.float64, requires_grad=True)
    x = torch.distributions.Gamma(concentration, 1.0).rsample()
    (theirs,) = torch.autograd.grad(x.sum(), concentration)
    seen = x.detach().numpy() > 1e-300  # what is smaller PyTorch replaces by the smallest float
    with mock.patch("tinygrad_edu.distributions.gamma.log_standard_gamma", return_value=tg.tensor(np.log(x.detach().numpy()))):
        mine = tg.full((200,), c, dtype="float64", requires_grad=True)
        drawn = distributions.Gamma(mine, 1.0).rsample()
    np.testing.assert_allclose(drawn.detach().numpy(), x.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(tg.autograd.grad(drawn.sum(), mine)[0].numpy()[seen], theirs.numpy()[seen], rtol=2e-3)


@pytest.mark.parametrize("how", ["probs", "logits"])
def test_counts_of_classes(how: str) -> None:
    given, values = (
        (positive(2, 4) if how == "probs" else rng.normal(size=(2, 4))),
        rng.multinomial(5, [0.1, 0.2, 0.3, 0.4], (7, 2)),
    )
    found = []
    for library, kinds in ((tg, distributions), (torch, torch.distributions)):
        p = library.tensor(given).requires_grad_()
        made = kinds.Multinomial(5, **{how: p})
        assert made.sample((3,)).shape == made.expand((3, 2)).sample().shape == (3, 2, 4)
        told = [made.log_prob(library.tensor(values.astype(np.float64))), made.entropy(), made.mean, made.variance]
        found.append([x.detach().numpy() for x in (*told, *library.autograd.grad(sum(x.sum() for x in told), [p]))])
    for mine, theirs in zip(*found, strict=True):  # of n!, PyTorch takes the logarithm in float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-10)


def test_angles() -> None:
    """PyTorch's Bessel functions are approximations of seven digits."""
    found, values = [], rng.uniform(-3, 3, (4, 3))
    for library, kinds in ((tg, distributions), (torch, torch.distributions)):
        p = [library.tensor(x).requires_grad_() for x in (LOC, np.array([0.1, 2.0, 30.0]))]
        made = kinds.VonMises(*p)
        assert made.expand((2, 3)).sample((5,)).shape == (5, 2, 3)
        told = [made.log_prob(library.tensor(values)), made.mean, made.variance]
        found.append([x.detach().numpy() for x in (*told, *library.autograd.grad(sum(x.sum() for x in told), p))])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_mixtures() -> None:
    weights, loc, scale, values = (
        rng.normal(size=(2, 4)),
        rng.normal(size=(2, 4, 3)),
        positive(2, 4, 3),
        rng.normal(size=(5, 2, 3)),
    )

    def mixture(library: Any, kinds: Any) -> list:
        p = [library.tensor(x).requires_grad_() for x in (weights, loc, scale)]
        made = kinds.MixtureSameFamily(kinds.Categorical(logits=p[0]), kinds.Independent(kinds.Normal(p[1], p[2]), 1))
        found = [made.log_prob(library.tensor(values)), made.mean, made.variance]
        gradients = library.autograd.grad(sum(x.sum() for x in found), p)
        return [x.detach().numpy() for x in (*found, *gradients)]

    for mine, theirs in zip(mixture(tg, distributions), mixture(torch, torch.distributions), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10)


def test_a_choice_that_all_mixtures_share() -> None:
    """Its batch is broadcast to that of the components."""
    weights, loc, values = rng.normal(size=(2, 1, 4)), rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 2, 3))
    found = []
    for library, kinds in ((tg, distributions), (torch, torch.distributions)):
        choice = kinds.Categorical(logits=library.tensor(weights))
        made = kinds.MixtureSameFamily(choice, kinds.Normal(library.tensor(loc), 1.0))
        found.append([made.log_prob(library.tensor(values)), made.mean, made.variance, made.expand((6, 2, 3)).mean])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-10)


def turned(t: Any, T: Any) -> Any:
    """A transform of vectors."""

    class Turned(T.Transform):
        domain = codomain = t.distributions.constraints.real_vector
        bijective = True

        def _call(self, x: Any) -> Any:
            return 2 * x.flip(-1)

        def _inverse(self, y: Any) -> Any:
            return y.flip(-1) / 2

        def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
            return math.log(2) * x.shape[-1] + 0 * x.sum(-1)

    return Turned()


def folded(t: Any, T: Any) -> Any:
    """A transform of vectors into matrices."""

    class Folded(T.Transform):
        domain = t.distributions.constraints.real_vector
        codomain = t.distributions.constraints.independent(t.distributions.constraints.real, 2)
        bijective = True

        def _call(self, x: Any) -> Any:
            return x.unsqueeze(-1)

        def _inverse(self, y: Any) -> Any:
            return y.squeeze(-1)

        def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
            return 0 * x.sum(-1)

        def forward_shape(self, shape: Any) -> Any:
            return (*shape, 1)

        def inverse_shape(self, shape: Any) -> Any:
            return shape[:-1]

    return Folded()


# Made of a library's transforms: T.
TRANSFORMS: dict[str, Any] = {
    "exp": lambda t, T: T.ExpTransform(),
    "sigmoid": lambda t, T: T.SigmoidTransform(),
    "tanh": lambda t, T: [T.TanhTransform(cache_size=1)],
    "softplus": lambda t, T: [T.SoftplusTransform(), T.AffineTransform(0.0, 3.0)],
    "falling": lambda t, T: T.AffineTransform(1.0, -2.0),
    "vectors": lambda t, T: T.AffineTransform(t.tensor([1.0, 2.0, 3.0]), t.tensor([0.5, 2.0, 1.0]), event_dim=1),
    "own batch": lambda t, T: T.AffineTransform(t.zeros(2, 1), 2.0),
    "composed": lambda t, T: T.ComposeTransform([T.AffineTransform(0.5, 2.0), T.TanhTransform()]),
    "of vectors": lambda t, T: [T.ComposeTransform([T.AffineTransform(t.ones(3), 2.0, event_dim=1), T.SigmoidTransform()])],
    "identity": lambda t, T: T.identity_transform,
    "turned": turned,
    "turned back": lambda t, T: [T.SigmoidTransform(), turned(t, T).inv],
    "folded": lambda t, T: [T.AffineTransform(0.5, 2.0), turned(t, T), folded(t, T), T.ExpTransform()],
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str) -> None:
    """Values, inverses, stretching, log-probabilities, quantiles and shapes, and their gradients."""
    loc, scale, points = np.array([0.3, -0.2, 0.1]), np.array([1.1, 1.2, 0.7]), np.linspace(-2, 2, 6).reshape(2, 3)

    def told(library: Any, kinds: Any) -> list:
        p = [library.tensor(x).requires_grad_() for x in (loc, scale, points)]
        made = TRANSFORMS[name](library, kinds.transforms)
        whole = kinds.transforms.ComposeTransform(made) if isinstance(made, list) else made
        y = whole(p[2])
        distribution = kinds.TransformedDistribution(kinds.Normal(p[0], p[1]), made)
        event = kinds.TransformedDistribution(kinds.Independent(kinds.Normal(p[0], p[1]), 1), made)
        found = [y, whole.inv(y), whole.log_abs_det_jacobian(p[2], y), distribution.log_prob(y), event.log_prob(y)]
        found.append(whole.inv.log_abs_det_jacobian(y, p[2]))
        if not distribution.event_shape:
            found += [distribution.icdf(library.full_like(p[2], 0.3)), distribution.cdf(y)]
        gradients = library.autograd.grad(sum((x**2).sum() for x in found), p)
        wide = distribution.expand((4, 2, 3)[: 3 - whole.codomain.event_dim])
        shapes = [
            distribution.batch_shape,
            distribution.event_shape,
            wide.rsample((5,)).shape,
            event.batch_shape,
            event.event_shape,
        ]
        shapes += [whole.forward_shape((5, 2, 3)), whole.inverse_shape(y.shape)]
        shapes += [whole.inv.forward_shape(y.shape), whole.inv.inverse_shape((5, 2, 3))]
        dims = [whole.domain.event_dim, whole.codomain.event_dim, whole.inv.domain.event_dim]
        return [*(x.detach().numpy() for x in (*found, *gradients)), *map(tuple, shapes), dims]

    for mine, theirs in zip(told(tg, distributions), told(torch, torch.distributions), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-7)
