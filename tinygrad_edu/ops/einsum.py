"""einsum: any sum of products, named by letters; and the products that are easiest to write with it.

`einsum` tidies its operands up (diagonals, what is summed alone) with operations that have their own gradients, and combines
them two at a time by one operation, whose gradients are einsums of the same kind.
"""

from __future__ import annotations

import functools
import math
import string
from typing import Any

import numpy as np

from ..errors import ShapeError, describe
from ..op import op
from .arithmetic import add, mul
from .creation import result_type, to
from .diagonal import diagonal
from .reduction import sum
from .shape import broadcast_to, one_dim, permute

__all__ = ["bilinear", "einsum", "inner", "tensordot"]


@op(
    dtype="same",
    dx=lambda g, z, x, y, equation: _einsum(g, y, equation=_for_gradient(equation, 0)),
    dy=lambda g, z, x, y, equation: _einsum(g, x, equation=_for_gradient(equation, 1)),
)
def _einsum(x: Any, y: Any, *, equation: str) -> Any:
    """Multiply two tensors and sum over the letters that the output lacks: each gradient is an einsum too.

    z = Σ x·y, such as "ij,jk->ik";  ∂x = Σ g·y, "ik,jk->ij";  ∂y = Σ g·x, "ik,ij->jk"

    No letter occurs twice in one term here, and each occurs in two of the three terms: `einsum` sees to that.
    """
    first, second, out = _terms(equation)
    batch = [c for c in first if c in second and c in out]
    left = [c for c in first if c not in second]
    right = [c for c in second if c not in first]
    summed = [c for c in first if c not in out]
    size = dict(zip(first + second, x.shape + y.shape, strict=True))

    def shape(*parts: list[str]) -> list[int]:
        return [math.prod(size[c] for c in part) for part in parts]

    shared = [size[c] for c in batch]
    x = np.reshape(np.transpose(x, [first.index(c) for c in batch + left + summed]), shared + shape(left, summed))
    y = np.reshape(np.transpose(y, [second.index(c) for c in batch + summed + right]), shared + shape(summed, right))
    z = np.reshape(np.matmul(x, y) if summed else x * y, [size[c] for c in batch + left + right])
    return np.transpose(z, [(batch + left + right).index(c) for c in out])


def _terms(equation: str) -> list[str]:
    return equation.replace("->", ",").split(",")


def _for_gradient(equation: str, slot: int) -> str:
    """The equation of an operand's gradient: that operand and the output change places."""
    *operands, out = _terms(equation)
    return f"{out},{operands[1 - slot]}->{operands[slot]}"


def einsum(equation: Any, *operands: Any) -> Any:
    """Sum products of the operands' elements over the indices that the output does not name (Einstein's notation).

    An index that occurs twice in one operand takes its diagonal; `...` stands for dimensions that broadcast. Without `->`
    the output has the indices that occur once, in alphabetical order. Operands are combined from left to right; two must have
    one dtype where their product is summed.

    Args:
        equation: "ij,jk->ik"; or einsum(x, [0, 1], y, [1, 2], [0, 2]).
        *operands: one tensor per term.

    Raises:
        ShapeError: an equation that does not fit the operands, or sizes that do not fit each other.

    >>> from tinygrad_edu import tensor, einsum
    >>> x = tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ii->", x)
    tensor(5.)

    Source: https://pytorch.org/docs/stable/generated/torch.einsum.html
    """
    if not isinstance(equation, str):
        equation, operands = _from_sublists((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    terms, out, size = _parse(equation, tuple(x.shape for x in operands))
    z, have = operands[0], ""
    for i, (x, term) in enumerate(zip(operands, terms, strict=True)):
        later = "".join(terms[i + 1 :]) + out
        x, term = _tidy(x, term, size, needed=have + later)
        if i == 0:
            z, have = x, term
        else:
            last = i == len(operands) - 1
            keep = out if last else "".join(c for c in dict.fromkeys(have + term) if c in later)
            if z.dtype != x.dtype and set(have + term) <= set(keep):  # nothing is summed: dtypes meet as in a product of elements
                dtype = result_type(z, x)
                z, x = to(z, dtype), to(x, dtype)
            z, have = _einsum(z, x, equation=f"{have},{term}->{keep}"), keep
    return z if have == out else permute(z, [have.index(c) for c in out])


def _tidy(x: Any, term: str, size: dict[str, int], needed: str) -> tuple[Any, str]:
    """An operand with its diagonals taken, its sizes of 1 expanded and what nobody else needs summed away."""
    for c in [c for c in dict.fromkeys(term) if term.count(c) > 1]:
        while term.count(c) > 1:
            i, j = term.index(c), term.rindex(c)
            x = diagonal(x, 0, i, j)
            term = term[:i] + term[i + 1 : j] + term[j + 1 :] + c
    shape = tuple(size[c] for c in term)
    x = x if x.shape == shape else broadcast_to(x, shape=shape)
    alone = [i for i, c in enumerate(term) if c not in needed]
    return (sum(x, dim=tuple(alone)) if alone else x), "".join(c for c in term if c in needed)


@functools.lru_cache(maxsize=256)
def _parse(equation: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[str], str, dict[str, int]]:
    """The operands' terms and the output's, with letters for what `...` stands for; and every letter's size."""

    def refuse(why: str) -> ShapeError:
        return ShapeError(f"einsum({equation!r}): {why}. The operands are {', '.join(map(str, shapes))}.")

    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise refuse(f"there are {len(terms)} terms for {len(shapes)} operands")
    for term in [*terms, out]:
        letters = term.replace("...", "", 1)
        if not all(c in string.ascii_letters for c in letters):
            raise refuse(f"the term {term!r} may hold only letters and one ellipsis (...)")
    hidden = [len(shape) - len(term.replace("...", "")) for shape, term in zip(shapes, terms, strict=True)]
    for term, rest in zip(terms, hidden, strict=True):
        if rest < 0 or (rest > 0 and "..." not in term):
            raise refuse(f"the term {term!r} must have one letter per dimension of its operand")
    free = [c for c in string.ascii_letters if c not in equation]
    longest = max(hidden)
    if longest > len(free):
        raise refuse("there are more than 52 different dimensions")
    dots = "".join(free[:longest])
    if not arrow:
        out = "..." + "".join(sorted(c for c in dict.fromkeys(left) if left.count(c) == 1 and c in string.ascii_letters))
    terms = [term.replace("...", dots[longest - rest :]) for term, rest in zip(terms, hidden, strict=True)]
    out = out.replace("...", dots)
    for c in out:
        if out.count(c) > 1 or not any(c in term for term in terms):
            raise refuse(f"the output's {c!r} must occur once in the output and somewhere in the operands")
    size: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for c, n in zip(term, shape, strict=True):
            if own.setdefault(c, n) != n or (size.setdefault(c, n) != n and 1 not in (size[c], n)):
                other = size[c] if own[c] == n else own[c]
                raise refuse(f"all dimensions of one letter must have one size, but {c!r} has {other} and {n}")
            size[c] = n if size[c] == 1 else size[c]
    return terms, out, size


def _from_sublists(given: tuple) -> tuple[str, tuple]:
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) in letters, which sort as the numbers do."""
    in_order = string.ascii_uppercase + string.ascii_lowercase

    def letters(sublist: Any) -> str:
        if not all(i is Ellipsis or 0 <= i < 52 for i in sublist):
            raise ValueError(f"einsum: dims are named by numbers from 0 to 51, or by ..., and not by {list(sublist)}.")
        return "".join("..." if i is Ellipsis else in_order[i] for i in sublist)

    pairs = len(given) // 2
    equation = ",".join(letters(given[2 * i + 1]) for i in range(pairs))
    return equation + ("->" + letters(given[-1]) if len(given) % 2 else ""), given[0 : 2 * pairs : 2]


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sum products over pairs of dimensions, one of `a` and one of `b` each; the other dimensions of both remain.

    Args:
        dims: how many of the last dimensions of `a` and the first of `b`; or the two lists of dimensions.

    Source: https://pytorch.org/docs/stable/generated/torch.tensordot.html
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: dims={dims} asks for more dimensions than {describe(a)} and {describe(b)} have.")
        dims = range(a.ndim - dims, a.ndim), range(dims)
    dims_a, dims_b = [one_dim(d, a.ndim) for d in dims[0]], [one_dim(d, b.ndim) for d in dims[1]]
    if len(dims_a) != len(dims_b) or len(set(dims_a)) < len(dims_a) or len(set(dims_b)) < len(dims_b):
        raise ShapeError(f"tensordot: dims must be two equally long lists, neither with a dimension twice, not {dims}.")
    letters = string.ascii_letters
    first, second = list(letters[: a.ndim]), list(letters[a.ndim : a.ndim + b.ndim])
    for i, j in zip(dims_a, dims_b, strict=True):
        second[j] = first[i]
    out = [c for c in first + second if first.count(c) + second.count(c) == 1]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(out)}", a, b)


def inner(input: Any, other: Any) -> Any:
    """The products of all vectors of `input` with all vectors of `other`, along their last dimensions.

    Source: https://pytorch.org/docs/stable/generated/torch.inner.html
    """
    if not input.ndim or not other.ndim:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(f"inner: the last sizes must be equal: {describe(input)}; {describe(other)}.")
    return tensordot(input, other, dims=([-1], [-1]))


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """A number from two vectors for each matrix in `weight`: what a bilinear layer computes.

    z_k = x₁ᵀ·weight_k·x₂ + bias_k

    Args:
        input1: (..., in1_features).
        input2: (..., in2_features).
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,) or None.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.bilinear.html
    """
    if input1.shape[:-1] != input2.shape[:-1]:
        raise ShapeError(f"bilinear: the inputs {input1.shape} and {input2.shape} must agree in all sizes but the last.")
    sizes = (input1.shape[-1], input2.shape[-1])
    if weight.ndim != 3 or sizes != weight.shape[1:]:
        raise ShapeError(
            f"bilinear: inputs whose last sizes are {sizes[0]} and {sizes[1]} need a weight (outputs, {sizes[0]}, {sizes[1]}), "
            f"and it is {describe(weight)}."
        )
    z = einsum("...i,kij,...j->...k", input1, weight, input2)
    return z if bias is None else add(z, bias)
