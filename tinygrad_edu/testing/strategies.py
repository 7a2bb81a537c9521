"""Strategies for Hypothesis: shapes, and tensors of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import dtypes
from ..ops.creation import tensor
from ..tensor import Tensor

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def _hypothesis() -> Any:
    try:
        import hypothesis.extra.numpy
        import hypothesis.strategies
    except ImportError as error:
        raise ImportError('the strategies of tinygrad_edu.testing need Hypothesis: pip install "tinygrad-edu[test]"') from error
    return hypothesis


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> SearchStrategy[tuple[int, ...]]:
    """Shapes, the empty one and those with a side of 0 among them."""
    return _hypothesis().extra.numpy.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    n: int, *, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[list[tuple[int, ...]]]:
    """Lists of n shapes that broadcast together: with `data.draw` an operation of several inputs is tested on them.

    >>> from hypothesis import given, settings, strategies
    >>> from tinygrad_edu.testing import gradcheck
    >>> @settings(max_examples=10, database=None)
    ... @given(strategies.data())
    ... def test_mul(data):
    ...     inputs = [data.draw(tensors(shape, requires_grad=True)) for shape in data.draw(broadcastable_shapes(2))]
    ...     assert gradcheck(lambda x, y: x * y, inputs)
    >>> test_mul()
    """
    strategy = _hypothesis().extra.numpy.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return strategy.map(lambda found: list(found.input_shapes))


def tensors(
    shape: Any = None, dtype: Any = "float64", elements: Any = None, requires_grad: bool = False
) -> SearchStrategy[Tensor]:
    """Tensors.

    Args:
        shape: a shape or a strategy for it (default: `shapes()`).
        dtype: float64 by default, which `gradcheck` needs.
        elements: (low, high), or a strategy (default: sixteenths from -2 to 2 for floats, which are often equal and else far enough
            apart for difference quotients; integers from -5 to 5, or from 0 to 5 if unsigned).
        requires_grad: as for `Tensor`.

    An operation with a kink is checked beside it, relu for instance with

    >>> from hypothesis.strategies import floats
    >>> beside_0 = tensors(elements=floats(-2, -0.1) | floats(0.1, 2), requires_grad=True)
    """
    hypothesis = _hypothesis()
    strategies, dtype = hypothesis.strategies, dtypes.as_dtype(dtype)
    if elements is None and dtype.kind == "f":
        elements = strategies.floats(-2, 2).map(lambda x: round(16 * x) / 16)
    elif elements is None:
        elements = {"i": (-5, 5), "u": (0, 5), "b": (False, True)}[dtype.kind]
    if isinstance(elements, tuple):
        low, high = elements
        elements = (
            strategies.floats(low, high, width=8 * dtype.itemsize, allow_subnormal=False)
            if dtype.kind == "f"
            else strategies.booleans()
            if dtype.kind == "b"
            else strategies.integers(low, high)
        )
    arrays = hypothesis.extra.numpy.arrays(dtype, shapes() if shape is None else shape, elements=elements)

    @strategies.composite  # and not map, of which Hypothesis would print the function in place of the tensor
    def drawn(draw: Callable) -> Tensor:
        return tensor(draw(arrays), requires_grad=requires_grad)

    return drawn()
