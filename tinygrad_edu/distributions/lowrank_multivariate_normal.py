"""The normal distribution of long vectors that vary together in a few directions only."""

from __future__ import annotations

from ..errors import ShapeError, describe
from ..ops.creation import eye
from ..ops.linalg import cholesky, inv, solve_triangular
from ..ops.random import randn
from ..ops.shape import broadcast_shapes
from ..tensor import Tensor
from . import constraints
from .distribution import LOG_2_PI, Distribution, lazy_property


class LowRankMultivariateNormal(Distribution):
    """`MultivariateNormal` with Σ = W·Wᵀ + diag(d), of which only matrices of the size of W are needed

    Args:
        loc: the mean, (..., n).
        cov_factor: W, (..., n, rank).
        cov_diag: d, greater than 0, (..., n).

    Source: https://pytorch.org/docs/stable/distributions.html#lowrankmultivariatenormal
    """

    has_rsample = True
    parameters = ("loc", "cov_factor", "cov_diag")
    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        n = loc.shape[-1:]
        if loc.ndim < 1 or cov_factor.ndim < 2 or cov_factor.shape[-2:-1] != n or cov_diag.shape[-1:] != n:
            raise ShapeError(
                "LowRankMultivariateNormal: loc must be (..., n), cov_factor (..., n, rank) and cov_diag (..., n); they are "
                f"{describe(loc)}, {describe(cov_factor)} and {describe(cov_diag)}."
            )
        batch = broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self.loc, self.cov_diag = loc.expand((*batch, *n)), cov_diag.expand((*batch, *n))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        super().__init__(batch, n, validate_args)

    @lazy_property
    def _inner(self) -> Tensor:
        """L with L·Lᵀ = 1 + Wᵀ·diag(d)⁻¹·W, as large as the rank: |Σ| = |L|²·Π d, and Σ⁻¹ has a formula with it (Woodbury's)."""
        rank = self.cov_factor.shape[-1]
        one = eye(rank, dtype=self.loc.dtype, device=self.loc.device)
        return cholesky(one + self.cov_factor.mT @ (self.cov_factor / self.cov_diag.unsqueeze(-1)))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        how = {"dtype": self.loc.dtype, "device": self.loc.device}
        few = randn((*shape[:-1], self.cov_factor.shape[-1], 1), **how)
        return self.loc + (self.cov_factor @ few).squeeze(-1) + self.cov_diag.sqrt() * randn(shape, **how)

    def log_prob(self, value: Tensor) -> Tensor:
        """-(Σᵢ yᵢ² / dᵢ - |L⁻¹·Wᵀ·(y / d)|² + n·log(2π) + log|Σ|) / 2, with y = x - loc"""
        y = self._validate_sample(value) - self.loc
        inner = solve_triangular(self._inner, self.cov_factor.mT @ (y / self.cov_diag).unsqueeze(-1), upper=False)
        squares = (y * y / self.cov_diag).sum(-1) - (inner * inner).sum((-2, -1))
        return -0.5 * (squares + self.event_shape[0] * LOG_2_PI) - self._log_volume()

    def entropy(self) -> Tensor:
        """(n·(1 + log(2π)) + log|Σ|) / 2"""
        return 0.5 * self.event_shape[0] * (1 + LOG_2_PI) + self._log_volume()

    def _log_volume(self) -> Tensor:
        return self._inner.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * self.cov_diag.log().sum(-1)

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: (self.cov_factor**2).sum(-1) + self.cov_diag)
    covariance_matrix = property(lambda self: self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed())
    precision_matrix = property(lambda self: inv(self.covariance_matrix))
    scale_tril = property(lambda self: cholesky(self.covariance_matrix))
