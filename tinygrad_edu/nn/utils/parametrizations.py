"""Weight norm, spectral norm and orthogonal weights, as parametrizations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...op import no_grad
from ...ops.arithmetic import maximum
from ...ops.matrix import matrix_exp
from ...ops.norms import vector_norm
from ...tensor import Tensor
from ..module import Module
from ..parameter import Buffer
from .parametrize import register_parametrization


def _others(x: Tensor, dim: int) -> tuple[int, ...]:
    """All dims but one."""
    return tuple(i for i in range(x.ndim) if i != dim % x.ndim)


class _WeightNorm(Module):
    """w = g · v / ‖v‖: the length and the direction of each row are trained apart."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def norm(self, v: Tensor) -> Tensor:
        return vector_norm(v) if self.dim is None else vector_norm(v, 2, _others(v, self.dim), keepdim=True)

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / self.norm(v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return self.norm(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length g and the direction v of a weight's rows instead of the weight: w = g · v / ‖v‖.

    Args:
        dim: along which dim each slice has a length of its own; None: one length for all.

    Source: Salimans, Kingma 2016; https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    return register_parametrization(module, name, _WeightNorm(dim))


class _SpectralNorm(Module):
    """w = v / σ(v), where σ is the largest singular value, found by the power iteration u ← Wv, v ← Wᵀu."""

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps
        if weight.ndim > 1:
            matrix = self.matrix(weight).detach()
            self._u = Buffer(self.unit(matrix.new_zeros(matrix.shape[0]).normal_()))
            self._v = Buffer(self.unit(matrix.new_zeros(matrix.shape[1]).normal_()))
            self.iterate(matrix, 15)

    def unit(self, x: Tensor) -> Tensor:
        return x / maximum(vector_norm(x), Tensor(self.eps, dtype=x.dtype, device=x.device))

    def matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1) if weight.ndim > 1 else weight

    def iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(self.unit(matrix @ self._v))
                self._v.copy_(self.unit(matrix.T @ self._u))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return self.unit(weight)
        matrix = self.matrix(weight)
        if self.training:
            self.iterate(matrix.detach(), self.n_power_iterations)
        return weight / (self._u.clone() @ (matrix @ self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value, so that the layer stretches no input: w = v / σ(v).

    Args:
        n_power_iterations: steps towards the singular value at every forward in train mode.
        dim: the dim of the outputs (default 0, 1 for transposed convolutions).

    Source: Miyato et al. 2018; https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.spectral_norm.html
    """
    if n_power_iterations < 1:
        raise ValueError(f"n_power_iterations must be at least 1, not {n_power_iterations}.")
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{type(module).__name__} has no parameter {name!r}.")
    if dim is None:
        dim = int(type(module).__name__.startswith("ConvTranspose"))
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _Orthogonal(Module):
    """w = e^(A - Aᵀ) · base: rotations of a fixed orthogonal matrix; the columns of w (or rows, if it is wide) stay at right angles."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.wide = weight.shape[-2] < weight.shape[-1]
        tall = weight.mT if self.wide else weight
        q, _ = np.linalg.qr(tall.detach().cpu().numpy(), mode="complete")
        self.base = Buffer(Tensor(q, dtype=weight.dtype, device=weight.device))

    def forward(self, free: Tensor) -> Tensor:
        tall = free.mT if self.wide else free
        rows, columns = tall.shape[-2:]
        lower = tall.tril(-1)
        square = lower if rows == columns else lower.new_zeros(*lower.shape[:-1], rows - columns)
        if rows != columns:
            from ...ops.joining import cat

            square = cat([lower, square], -1)
        w = (matrix_exp(square - square.mT) @ self.base)[..., :columns]
        return w.mT if self.wide else w

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight.new_zeros(*weight.shape)


def orthogonal(module: Module, name: str = "weight") -> Module:
    """Keep a weight's columns (its rows, if it is wide) at right angles and of length 1, through the exponential of a skew matrix.

    The first value is the orthogonal matrix nearest in span to the present weight.

    Source: Lezcano-Casado 2019; https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.orthogonal.html
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        raise ValueError(f"{type(module).__name__} has no parameter {name!r} of at least 2 dims.")
    return register_parametrization(module, name, _Orthogonal(weight))
