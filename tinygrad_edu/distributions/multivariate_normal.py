"""The normal distribution of vectors."""

from __future__ import annotations

from ..errors import ShapeError, describe
from ..ops.linalg import cholesky, inv, solve_triangular
from ..ops.random import randn
from ..ops.shape import broadcast_shapes
from ..tensor import Tensor
from . import constraints
from .distribution import LOG_2_PI, Distribution


class MultivariateNormal(Distribution):
    """p(x) = exp(-(x - loc)ᵀ Σ⁻¹ (x - loc) / 2) / √|2π·Σ|

    Args:
        loc: the mean, (..., n).
        covariance_matrix: Σ, positive definite, (..., n, n); or
        precision_matrix: Σ⁻¹; or
        scale_tril: L with Σ = L·Lᵀ, lower triangular with a positive diagonal: the quickest, since all is computed with it.

    Source: https://pytorch.org/docs/stable/distributions.html#multivariatenormal
    """

    has_rsample = True
    parameters = ("loc", "scale_tril")
    arg_constraints = {"loc": constraints.real_vector}
    support = constraints.real_vector

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = [x for x in (covariance_matrix, precision_matrix, scale_tril) if x is not None]
        if len(matrices) != 1:
            raise ValueError(
                f"MultivariateNormal needs one of covariance_matrix, precision_matrix and scale_tril; {len(matrices)} are given."
            )
        (matrix,) = matrices
        if loc.ndim < 1 or matrix.ndim < 2 or matrix.shape[-2:] != (loc.shape[-1],) * 2:
            raise ShapeError(
                f"MultivariateNormal: loc must be (..., n) and the matrix (..., n, n); they are {describe(loc)} and {describe(matrix)}."
            )
        batch = broadcast_shapes(loc.shape[:-1], matrix.shape[:-2])
        self.loc = loc.expand((*batch, *loc.shape[-1:]))
        super().__init__(batch, loc.shape[-1:], validate_args)
        if scale_tril is not None:
            diagonal = matrix.diagonal(dim1=-2, dim2=-1)
            self._require("the diagonal of scale_tril", diagonal, diagonal > 0, "greater than 0")
            self._require("scale_tril", matrix, matrix.triu(1) == 0, "0 above the diagonal")
        else:
            near = (matrix - matrix.mT).abs() <= 1e-6 * (1 + matrix.abs())
            self._require("the matrix", matrix, near, "symmetric")
            matrix = cholesky(matrix if precision_matrix is None else inv(matrix))
        self.scale_tril = matrix.expand((*batch, *matrix.shape[-2:]))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        noise = randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """-(|L⁻¹(x - loc)|² + n·log(2π)) / 2 - log|L|"""
        z = solve_triangular(self.scale_tril, (self._validate_sample(value) - self.loc).unsqueeze(-1), upper=False).squeeze(-1)
        return -0.5 * ((z * z).sum(-1) + self.event_shape[0] * LOG_2_PI) - self._log_volume()

    def entropy(self) -> Tensor:
        """n·(1 + log(2π)) / 2 + log|L|"""
        return 0.5 * self.event_shape[0] * (1 + LOG_2_PI) + self._log_volume()

    def _log_volume(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    mean = mode = property(lambda self: self.loc)
    covariance_matrix = property(lambda self: self.scale_tril @ self.scale_tril.mT)
    precision_matrix = property(lambda self: inv(self.covariance_matrix))
    variance = property(lambda self: (self.scale_tril**2).sum(-1))
