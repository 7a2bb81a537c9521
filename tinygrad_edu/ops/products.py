"""Products of vectors and matrices: matmul, the linear layer, and matmul's relatives.

A product is linear in each factor, so the gradient of one factor is a product again: of the incoming gradient and the other
factor, transposed so that the sizes fit.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import Tensor
from .arithmetic import add, mul
from .reduction import sum
from .shape import broadcast_to, reshape, squeeze, unsqueeze
from .totals import total

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "chain_matmul", "cross", "dot", "ger", "kron", "linear", "matmul", "mm",
    "mv", "outer", "vdot",
]  # fmt: skip


def mt(x: Any) -> Any:
    """The matrices of `x` transposed."""
    return x.T if x.ndim == 2 else x.swapaxes(-2, -1)


def flat(x: Any) -> Any:
    """All dimensions but the last made into one: the matrix whose rows are the vectors in `x`."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


# -- matmul ----------------------------------------------------------------------------------------------------------
def _matmul_dx(g: Any, z: Any, x: Any, y: Any) -> Any:
    if y.ndim == 1:  # z was x times a vector: every row of x met the same vector
        return g[..., None] * y
    if x.ndim == 1:  # z was a vector times y
        return matmul(y, g[..., None])[..., 0]
    return matmul(g, mt(y))


def _matmul_dy(g: Any, z: Any, x: Any, y: Any) -> Any:
    if x.ndim == 1:
        return g * x if y.ndim == 1 else x[:, None] * g[..., None, :]
    if y.ndim == 1:
        return matmul(mt(x), g[..., None])[..., 0]
    if y.ndim == 2:  # one y for a whole batch: its gradient sums over the batch, in one product
        return matmul(flat(x).T, flat(g))
    return matmul(mt(x), g)


@op(dtype="same", dx=_matmul_dx, dy=_matmul_dy)
def matmul(x: Any, y: Any) -> Any:
    """Multiply matrices (or a matrix and a vector, or two vectors), each of a batch where there are more dimensions.

    z = x·y (rows of x times columns of y);  ∂x = g·yᵀ;  ∂y = xᵀ·g

    Args:
        x: (n,), (n, m) or (..., n, m).
        y: (m,), (m, k) or (..., m, k); the batch dimensions `...` broadcast.

    Raises:
        ShapeError: sizes that do not fit, with the transposition that would.

    >>> from tinygrad_edu import tensor
    >>> tensor([[1.0, 2.0], [3.0, 4.0]]) @ tensor([1.0, 10.0])
    tensor([21., 43.])

    Source: https://pytorch.org/docs/stable/generated/torch.matmul.html
    """
    try:
        if not x.ndim or not y.ndim or x.dtype.kind == "b":
            raise ValueError
        if y.ndim > 2:
            return np.matmul(x, y)
        if x.ndim <= 2:
            return x.dot(y)  # the same as @ and quicker
        return flat(x).dot(y).reshape(x.shape[:-1] + y.shape[1:])
    except (ValueError, AttributeError):
        raise ShapeError(_misfit("matmul", x, y)) from None


def _misfit(name: str, x: Any, y: Any) -> str:
    """Why two factors of a matrix product do not fit, and which transposition would make them fit."""
    given = f"{name}: {describe(x)} @ {describe(y)}"
    if not (getattr(x, "ndim", 0) and getattr(y, "ndim", 0)):
        return f"{given}: both factors must be tensors of at least 1 dimension; use * to multiply by a number."
    if x.dtype.kind == "b":
        return f"{given}: products of booleans cannot be added up; convert them, for example with .float()."
    rows = y.shape[-2] if y.ndim > 1 else y.shape[0]
    if x.shape[-1] == rows:
        return f"{given}: the batch sizes {x.shape[:-2]} and {y.shape[:-2]} do not broadcast together."
    which = "second last" if y.ndim > 1 else "only"
    message = f"{given}: the last size of the first, {x.shape[-1]}, must equal the {which} size of the second, {rows}."
    if x.ndim > 1 and x.shape[-2] == rows:
        return f"{message} x.mT @ y would fit."
    if y.ndim > 1 and x.shape[-1] == y.shape[-1]:
        return f"{message} x @ y.mT would fit."
    return message


# -- the linear layer ------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x: broadcast_to(g, shape=x.shape))
def sum_rows(x: Any) -> Any:
    """Add up the vectors in x: the gradient of a bias.

    z = Σ x over all dimensions but the last;  ∂x = g, repeated
    """
    return total(x, tuple(range(x.ndim - 1)))


def _product(x: Any, y: Any) -> Any:
    """Of two matrices; of arrays by dot, which takes half of @'s time where they are small."""
    return x @ y if isinstance(x, Tensor) else x.dot(y)


def _linear_dx(g: Any, z: Any, x: Any, weight: Any, bias: Any) -> Any:
    if weight.ndim == 1:
        return g[..., None] * weight
    return _product(g, weight) if g.ndim == 2 else matmul(g, weight)  # matmul makes one product of a batch


def _linear_dweight(g: Any, z: Any, x: Any, weight: Any, bias: Any) -> Any:
    if weight.ndim == 1:
        g = g[..., None]
    return _product(g.T, x) if g.ndim == 2 else _product(flat(g).T, flat(x))


def _linear_dbias(g: Any, z: Any, x: Any, weight: Any, bias: Any) -> Any:
    return sum_rows(g) if bias.ndim == 1 else g


@op(dtype="same", dx=_linear_dx, dweight=_linear_dweight, dbias=_linear_dbias)
def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Multiply by a matrix of weights and add a bias: what a fully connected layer computes.

    z = x·weightᵀ + bias;  ∂x = g·weight;  ∂weight = gᵀ·x;  ∂bias = Σ g over the batch

    Args:
        x: (..., in_features).
        weight: (out_features, in_features), or (in_features,) for one output without its dimension.
        bias: (out_features,) or None.

    Raises:
        ShapeError: sizes that do not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
    """
    try:
        if not x.ndim or weight.ndim not in (1, 2):
            raise ValueError
        z = x.dot(weight.T) if x.ndim <= 2 else flat(x).dot(weight.T).reshape(x.shape[:-1] + weight.shape[:-1])
    except ValueError:
        raise ShapeError(
            f"linear: x {x.shape} must be (..., in_features) and weight {weight.shape} (out_features, in_features), "
            "with the same in_features."
        ) from None
    if bias is not None:
        z += bias
    return z


# -- products of given dimensions ------------------------------------------------------------------------------------
def _require(name: str, *expected: tuple[Any, int]) -> None:
    for x, ndim in expected:
        if x.ndim != ndim:
            raise ShapeError(f"{name}: expected a tensor of {ndim} dimensions, but got {describe(x)}; matmul takes any number.")


def mm(input: Any, mat2: Any) -> Any:
    """Multiply two matrices, (n, m) by (m, k): `matmul` that refuses anything else.

    Source: https://pytorch.org/docs/stable/generated/torch.mm.html
    """
    _require("mm", (input, 2), (mat2, 2))
    return matmul(input, mat2)


def bmm(input: Any, mat2: Any) -> Any:
    """Multiply two batches of matrices pair by pair, (b, n, m) by (b, m, k).

    Source: https://pytorch.org/docs/stable/generated/torch.bmm.html
    """
    _require("bmm", (input, 3), (mat2, 3))
    if input.shape[0] != mat2.shape[0]:
        raise ShapeError(f"bmm: the batches {describe(input)} and {describe(mat2)} must be equally large; matmul broadcasts.")
    return matmul(input, mat2)


def mv(input: Any, vec: Any) -> Any:
    """Multiply a matrix and a vector, (n, m) by (m,).

    Source: https://pytorch.org/docs/stable/generated/torch.mv.html
    """
    _require("mv", (input, 2), (vec, 1))
    return matmul(input, vec)


def dot(input: Any, tensor: Any) -> Any:
    """The sum of the products of two vectors' elements, (n,) and (n,).

    Source: https://pytorch.org/docs/stable/generated/torch.dot.html
    """
    _require("dot", (input, 1), (tensor, 1))
    return matmul(input, tensor)


def vdot(input: Any, other: Any) -> Any:
    """`dot`, from which it differs for complex numbers only."""
    return dot(input, other)


def outer(input: Any, vec2: Any) -> Any:
    """Every element of one vector times every element of the other, (n,) and (m,) to (n, m).

    Source: https://pytorch.org/docs/stable/generated/torch.outer.html
    """
    _require("outer", (input, 1), (vec2, 1))
    return mul(unsqueeze(input, dim=1), vec2)


ger = outer


def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The sums of products of vectors' elements along one dimension; the others broadcast.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.vecdot.html
    """
    return sum(mul(x, y), dim=dim)


def chain_matmul(*matrices: Any) -> Any:
    """Multiply matrices in the order that takes the fewest multiplications; see `linalg.multi_dot`.

    Source: https://pytorch.org/docs/stable/generated/torch.chain_matmul.html
    """
    _require("chain_matmul", *((x, 2) for x in matrices))
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


def multi_dot(tensors: Any) -> Any:
    """Multiply two or more matrices in the order that takes the fewest multiplications.

    Args:
        tensors: matrices; the first and the last may be vectors.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.multi_dot.html
    """
    if len(tensors) < 2:
        raise ShapeError(f"multi_dot: needs at least 2 tensors, but got {len(tensors)}.")
    first, *middle, last = tensors
    if first.ndim == 1:
        return reshape(multi_dot([unsqueeze(first, dim=0), *middle, last]), shape=tuple(last.shape[1:]))
    if last.ndim == 1:
        return squeeze(multi_dot([first, *middle, unsqueeze(last, dim=1)]), dim=1)
    _require("multi_dot", *((x, 2) for x in tensors))
    for x, y in itertools.pairwise(tensors):
        if x.shape[1] != y.shape[0]:
            raise ShapeError(_misfit("multi_dot", x, y))
    sizes = [x.shape[0] for x in tensors] + [last.shape[1]]

    @functools.cache
    def cheapest(i: int, j: int) -> tuple[int, int]:
        """(multiplications, where to split) of the matrices i to j, both included."""
        if i == j:
            return 0, i
        return min((cheapest(i, k)[0] + cheapest(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i: int, j: int) -> Any:
        split = cheapest(i, j)[1]
        return tensors[i] if i == j else matmul(product(i, split), product(split + 1, j))

    return product(0, len(tensors) - 1)


# -- a tensor plus a product -----------------------------------------------------------------------------------------
def _plus(name: str, input: Any, product: Any, beta: Any, alpha: Any) -> Any:
    """beta·input + alpha·product, where the input broadcasts to the product and not the other way."""
    if input.dtype != product.dtype:
        raise DtypeError(f"{name}: the dtypes must be equal, but they are {input.dtype} and {product.dtype}.")
    if product.dtype.kind == "b":
        beta, alpha = bool(beta), bool(alpha)
    if product.dtype.kind != "f" and not (isinstance(beta, int) and isinstance(alpha, int)):
        warnings.warn(
            f"{name}: of beta {beta} and alpha {alpha} only the integer part counts for tensors of integers.", stacklevel=3
        )
        beta, alpha = int(beta), int(alpha)
    sizes = zip(input.shape[::-1], product.shape[::-1], strict=False)
    if input.ndim > product.ndim or any(n not in (1, m) for n, m in sizes):
        raise ShapeError(f"{name}: an input of shape {input.shape} does not broadcast to the product's shape {product.shape}.")
    product = product if alpha == 1 else mul(product, alpha)
    if beta == 0:  # as in PyTorch: a NaN in the input does not matter then
        return product
    return add(input if beta == 1 else mul(input, beta), product)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta·input + alpha·(mat1·mat2), for two matrices.

    Source: https://pytorch.org/docs/stable/generated/torch.addmm.html
    """
    return _plus("addmm", input, mm(mat1, mat2), beta, alpha)


def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta·input + alpha·(mat·vec), for a matrix and a vector.

    Source: https://pytorch.org/docs/stable/generated/torch.addmv.html
    """
    return _plus("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta·input + alpha·(vec1·vec2ᵀ), for two vectors.

    Source: https://pytorch.org/docs/stable/generated/torch.addr.html
    """
    return _plus("addr", input, outer(vec1, vec2), beta, alpha)


def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta·input + alpha·Σ (batch1ᵢ·batch2ᵢ), summed over two batches of matrices.

    Source: https://pytorch.org/docs/stable/generated/torch.addbmm.html
    """
    return _plus("addbmm", input, sum(bmm(batch1, batch2), dim=0, dtype=batch1.dtype), beta, alpha)


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta·input + alpha·(batch1ᵢ·batch2ᵢ), for each pair of two batches of matrices.

    Source: https://pytorch.org/docs/stable/generated/torch.baddbmm.html
    """
    return _plus("baddbmm", input, bmm(batch1, batch2), beta, alpha)


# -- Kronecker's and the cross product -----------------------------------------------------------------------------------
def kron(input: Any, other: Any) -> Any:
    """Kronecker's product: `other` repeated in blocks, each scaled by one element of `input`.

    Source: https://pytorch.org/docs/stable/generated/torch.kron.html
    """
    ndim = max(input.ndim, other.ndim)
    a = (1,) * (ndim - input.ndim) + tuple(input.shape)
    b = (1,) * (ndim - other.ndim) + tuple(other.shape)
    spread_a = [n for pair in zip(a, (1,) * ndim, strict=True) for n in pair]  # a₀, 1, a₁, 1 ...
    spread_b = [n for pair in zip((1,) * ndim, b, strict=True) for n in pair]  # 1, b₀, 1, b₁ ...
    z = mul(reshape(input, shape=tuple(spread_a)), reshape(other, shape=tuple(spread_b)))
    return reshape(z, shape=tuple(m * n for m, n in zip(a, b, strict=True)))


@op(dtype="common", dx=lambda g, z, x, y, dim: _cross(y, g, dim=dim), dy=lambda g, z, x, y, dim: _cross(g, x, dim=dim))
def _cross(x: Any, y: Any, *, dim: int = -1) -> Any:
    """Multiply vectors of 3 numbers to the vector that is perpendicular to both.

    z = x × y;  ∂x = y × g;  ∂y = g × x

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.cross.html
    """
    if x.ndim != y.ndim or not x.ndim or x.shape[dim] != 3 or y.shape[dim] != 3:
        raise ShapeError(f"cross: both tensors must have equally many dimensions and size 3 in dim {dim}: {x.shape}; {y.shape}.")
    a, b = np.moveaxis(x, dim, 0), np.moveaxis(y, dim, 0)
    z = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    return np.stack(z, axis=dim)


def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """Multiply vectors of 3 numbers to the vector that is perpendicular to both.

    Args:
        dim: the dimension of size 3; by default the first such. (`linalg.cross` takes the last dimension.)

    Source: https://pytorch.org/docs/stable/generated/torch.cross.html
    """
    if dim is None:
        if 3 not in input.shape:
            raise ShapeError(f"cross: no dimension has size 3: {describe(input)}; {describe(other)}.")
        dim = input.shape.index(3)
    return _cross(input, other, dim=dim)


linalg_cross = _cross
