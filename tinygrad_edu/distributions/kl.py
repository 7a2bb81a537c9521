"""Kullback and Leibler's divergence of two distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import ShapeError
from ..ops.activation import softplus
from ..ops.arithmetic import xlogy
from ..ops.indexing import where
from ..ops.linalg import solve_triangular
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import EULER, Gumbel
from .half_cauchy import HalfCauchy
from .half_normal import HalfNormal
from .independent import Independent, sum_last
from .inverse_gamma import InverseGamma
from .laplace import Laplace
from .log_normal import LogNormal
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .uniform import Uniform

_FORMULAS: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """A decorator for a function of p and q that computes the divergence of two kinds of distributions, for `kl_divergence`."""

    def register(formula: Callable) -> Callable:
        _FORMULAS[type_p, type_q] = formula
        return formula

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p ‖ q) = E_p[log p(x) - log q(x)]

    Args:
        p, q: distributions with a formula for their kinds (see `register_kl`), or for kinds that they inherit from.

    Returns:
        a number for each of the batch, 0 or greater; ∞ where q cannot be what p can.

    Raises:
        NotImplementedError: there is no formula for these two.

    Source: https://pytorch.org/docs/stable/distributions.html#module-torch.distributions.kl
    """
    for kinds in ((a, b) for a in type(p).__mro__ for b in type(q).__mro__):
        if kinds in _FORMULAS:
            return _FORMULAS[kinds](p, q)
    raise NotImplementedError(
        f"there is no formula for the divergence of {type(p).__name__} from {type(q).__name__}. Take the mean of p.log_prob(x) - "
        "q.log_prob(x) over samples x of p, or give a formula to register_kl."
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio - 1 - ratio.log())


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    return (((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2) / (4 * p.scale * q.scale)).log()


@register_kl(HalfCauchy, HalfCauchy)
def _half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Tensor:
    return _cauchy(p._both_sides, q._both_sides)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, apart = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return EULER * (ratio - 1) - ratio.log() - 1 - apart + (apart + (ratio + 1).lgamma()).exp()


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal(p._logarithm, q._logarithm)


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ShapeError(f"kl_divergence: vectors of {p.event_shape[0]} and of {q.event_shape[0]} numbers.")
    scale = solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    apart = solve_triangular(q.scale_tril, (q.loc - p.loc).unsqueeze(-1), upper=False)
    squares = (scale**2).sum((-2, -1)) + (apart**2).sum((-2, -1))
    return q._log_volume() - p._log_volume() + 0.5 * (squares - p.event_shape[0])


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return apart / q.scale + ratio * (-apart / p.scale).exp() - ratio.log() - 1


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    inside = ratio - 1 - ratio.log() + q.alpha * (p.scale / q.scale).log()
    return where(p.scale < q.scale, math.inf, inside)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    c, d, ratio = p.concentration, q.concentration, q.rate / p.rate
    return (c - d) * c.digamma() + d.lgamma() - c.lgamma() - d * ratio.log() + c * (ratio - 1)


@register_kl(InverseGamma, InverseGamma)
def _inverse_gamma(p: InverseGamma, q: InverseGamma) -> Tensor:
    return _gamma(p._inverse, q._inverse)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ShapeError(f"kl_divergence: vectors of {p.event_shape[0]} and of {q.event_shape[0]} numbers.")
    c, d = p.concentration, q.concentration
    return ((c - d) * (c.digamma() - c.sum(-1, keepdim=True).digamma())).sum(-1) + q._log_size() - p._log_size()


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._shares, q._shares)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    nought = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return _possible(one, p.probs, q.probs) + _possible(nought, 1 - p.probs, 1 - q.probs)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - xlogy(p.mean, 1 - q.probs) - q.probs.log()


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "kl_divergence: there is no formula where the second distribution has more trials than the first."
        )
    each = xlogy(p.probs, p.probs / q.probs) + xlogy(1 - p.probs, (1 - p.probs) / (1 - q.probs))
    return where(p.total_count > q.total_count, math.inf, p.total_count * each)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    return _possible(p.probs * (p.logits - q.logits), p.probs, q.probs).sum(-1)


def _possible(term: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """A class's part of the divergence: 0 where p cannot be, ∞ where p can be and q cannot."""
    return where(p == 0, 0.0, where(q == 0, math.inf, term))


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_categorical(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._class, q._class)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise ShapeError("kl_divergence: the events of two Independent distributions have different numbers of dims.")
    return sum_last(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)
