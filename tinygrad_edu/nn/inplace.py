"""Functions to which PyTorch gives an argument `inplace`: accepted here, too, but the result is a new tensor in any case.

In PyTorch it saves the memory of the result. Use what the function returns, and both mean the same.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..ops import activation as bends
from ..ops import dropout as dropouts


def with_inplace(function: Callable) -> Callable:
    """The function with `inplace` as its last argument."""
    settings = len(inspect.signature(function).parameters) - 1

    @functools.wraps(function)
    def call(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Any:
        return function(input, *(args[:settings] if len(args) == settings + 1 else args), **kwargs)

    return call


celu, elu, hardsigmoid, hardswish, hardtanh = map(
    with_inplace, (bends.celu, bends.elu, bends.hardsigmoid, bends.hardswish, bends.hardtanh)
)
leaky_relu, mish, relu, relu6 = map(with_inplace, (bends.leaky_relu, bends.mish, bends.relu, bends.relu6))
rrelu, selu, silu, threshold = map(with_inplace, (bends.rrelu, bends.selu, bends.silu, bends.threshold))
alpha_dropout, feature_alpha_dropout = map(with_inplace, (dropouts.alpha_dropout, dropouts.feature_alpha_dropout))
dropout, dropout1d, dropout2d, dropout3d = map(
    with_inplace, (dropouts.dropout, dropouts.dropout1d, dropouts.dropout2d, dropouts.dropout3d)
)
