"""Weight norm, spectral norm and orthogonal weights, as parametrizations."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...errors import ShapeError, check_whole
from ...grad_mode import no_grad
from ...ops.arithmetic import maximum
from ...ops.creation import eye
from ...ops.joining import cat
from ...ops.linalg import qr, solve
from ...ops.matrix import matrix_exp
from ...ops.norms import vector_norm
from ...ops.random import randn
from ...ops.shape import one_dim
from ...tensor import Tensor
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from ..parameter import Buffer
from .parametrize import register_parametrization


class _WeightNorm(Module):
    """w = g · v / ‖v‖: the length and the direction of each row are trained apart."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = None if dim == -1 else dim

    def norm(self, v: Tensor) -> Tensor:
        if self.dim is None:
            return vector_norm(v)
        rows = one_dim(self.dim, v.ndim)
        return vector_norm(v, 2, tuple(i for i in range(v.ndim) if i != rows), keepdim=True)

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / self.norm(v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return self.norm(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length g and the direction v of a weight's rows instead of the weight: w = g · v / ‖v‖.

    Args:
        dim: along which dim each slice has a length of its own; None, and as in PyTorch -1 too: one length for all.

    Source: Salimans, Kingma 2016; https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    register_parametrization(module, name, _WeightNorm(dim))
    module._register_load_state_dict_pre_hook(partial(_read_older_names, name))
    return module


def _read_older_names(name: str, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
    """Let a state dict of the older form, with weight_g and weight_v, be read, too."""
    for older, newer in ((f"{name}_g", "original0"), (f"{name}_v", "original1")):
        if prefix + older in state_dict:
            state_dict[f"{prefix}parametrizations.{name}.{newer}"] = state_dict.pop(prefix + older)


class _SpectralNorm(Module):
    """w = v / σ(v), where σ is the largest singular value, found by the power iteration u ← Wv, v ← Wᵀu."""

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        check_whole("n_power_iterations", n_power_iterations)
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps
        if weight.ndim > 1:
            matrix = self.matrix(weight).detach()
            self._u = Buffer(self.unit(matrix.new_zeros(matrix.shape[0]).normal_()))
            self._v = Buffer(self.unit(matrix.new_zeros(matrix.shape[1]).normal_()))
            self.iterate(matrix, 15)

    def unit(self, x: Tensor) -> Tensor:
        return x / maximum(vector_norm(x), Tensor(float(self.eps), dtype=x.dtype, device=x.device))

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


def outputs_dim(module: Module) -> int:
    """The dim of a weight that counts the outputs."""
    return int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value, so that the layer stretches no input: w = v / σ(v).

    Args:
        n_power_iterations: steps towards the singular value at every forward in train mode.
        dim: the dim of the outputs (default 0, 1 for transposed convolutions).

    Source: Miyato et al. 2018; https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.spectral_norm.html
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{type(module).__name__} has no parameter {name!r}.")
    if dim is None:
        dim = outputs_dim(module)
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _Orthogonal(Module):
    """w = base · rotation: the columns of w (its rows, if it is wide) stay at right angles and of length 1.

    The rotation is made of the skew matrix A = X - Xᵀ of the lower triangle X that is trained: e^A, or Cayley's
    (1 - A/2)⁻¹·(1 + A/2).
    """

    base: Buffer

    def __init__(self, weight: Tensor, orthogonal_map: str) -> None:
        super().__init__()
        self.orthogonal_map, self.size, self.wide = orthogonal_map, weight.shape, weight.shape[-2] < weight.shape[-1]
        self.register_buffer("base", None)

    def forward(self, free: Tensor) -> Tensor:
        lower = (free.mT if self.wide else free).tril(-1)
        rows, columns = lower.shape[-2:]
        if rows != columns:
            lower = cat([lower, lower.new_zeros(*lower.shape[:-1], rows - columns)], -1)
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            rotation = matrix_exp(skew)
        else:
            one = eye(rows, dtype=skew.dtype, device=skew.device)
            rotation = solve(one - skew / 2, one + skew / 2)
        w = self.base @ rotation[..., :columns]
        return w.mT if self.wide else w

    def right_inverse(self, weight: Tensor) -> Tensor:
        if weight.shape != self.size:
            raise ShapeError(f"this orthogonal weight has the shape {self.size}; {weight.shape} cannot be assigned to it.")
        tall = weight.mT if self.wide else weight
        rows, columns = tall.shape[-2:]
        if rows != columns:
            tall = cat([tall, randn(*tall.shape[:-1], rows - columns, dtype=tall.dtype, device=tall.device)], -1)
        q, r = qr(tall)
        self.base = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)  # an orthogonal weight stays what it is
        return weight.new_zeros(*weight.shape)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep a weight's columns (its rows, if it is wide) at right angles and of length 1.

    It starts at the present weight, made orthogonal (by QR) if it is not.

    Args:
        orthogonal_map: "matrix_exp" (default) or "cayley"; "householder" is not offered.
        use_trivialization: only True is offered: what is trained is a rotation of the first weight.

    Source: Lezcano-Casado 2019; https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.orthogonal.html
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        raise ValueError(f"{type(module).__name__} has no parameter {name!r} of at least 2 dims.")
    if orthogonal_map not in (None, "matrix_exp", "cayley") or not use_trivialization:
        raise ValueError(
            f'orthogonal: the maps "matrix_exp" and "cayley" are offered, with use_trivialization=True; not {orthogonal_map!r} with '
            f"use_trivialization={use_trivialization}."
        )
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map or "matrix_exp"))
