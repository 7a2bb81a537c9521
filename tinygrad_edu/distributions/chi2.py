"""The χ² distribution: of sums of squares of normal numbers."""

from __future__ import annotations

from typing import Any

from . import constraints
from .gamma import Gamma


class Chi2(Gamma):
    """The distribution of a sum of df squares of normal numbers: Gamma(df / 2, 1 / 2).

    Args:
        df: how many they are, the degrees of freedom, greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#chi2
    """

    parameters = ("df",)
    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(df / 2, 0.5, validate_args)

    df = property(lambda self: 2 * self.concentration)
