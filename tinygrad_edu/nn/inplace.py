"""Functions and layers to which PyTorch gives an argument `inplace`: the input takes the result, and is returned."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..ops import activation as bends
from ..ops import dropout as dropouts
from ..ops.inplace import in_place


def with_inplace(function: Callable) -> Callable:
    """The function with `inplace` as its last argument."""
    settings = len(inspect.signature(function).parameters) - 1
    changing = in_place(function)

    @functools.wraps(function)
    def call(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Any:
        if len(args) == settings + 1:
            *args, inplace = args  # type: ignore[assignment]
        return (changing if inplace else function)(input, *args, **kwargs)

    return call


def honouring_inplace(forward: Callable) -> Callable:
    """The forward of a layer that changes its input in place if the layer's `inplace` is set."""

    @functools.wraps(forward)
    def run(self: Any, input: Any) -> Any:
        return in_place(lambda x: forward(self, x))(input) if self.inplace else forward(self, input)

    return run


celu, elu, hardsigmoid, hardswish, hardtanh = map(
    with_inplace, (bends.celu, bends.elu, bends.hardsigmoid, bends.hardswish, bends.hardtanh)
)
leaky_relu, mish, relu, relu6 = map(with_inplace, (bends.leaky_relu, bends.mish, bends.relu, bends.relu6))
rrelu, selu, silu, threshold = map(with_inplace, (bends.rrelu, bends.selu, bends.silu, bends.threshold))
alpha_dropout, feature_alpha_dropout = map(with_inplace, (dropouts.alpha_dropout, dropouts.feature_alpha_dropout))
dropout, dropout1d, dropout2d, dropout3d = map(
    with_inplace, (dropouts.dropout, dropouts.dropout1d, dropouts.dropout2d, dropouts.dropout3d)
)
