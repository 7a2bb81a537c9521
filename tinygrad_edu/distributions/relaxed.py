"""What the distributions share that soften a choice by a temperature, so that gradients pass through it."""

from __future__ import annotations

from typing import Any

from .distribution import Distribution, beside


class Relaxed(Distribution):
    """Stands before the distribution whose choice it softens, as in RelaxedBernoulli(Relaxed, Coin).

    Args:
        temperature: greater than 0; of the probabilities' dtype and device. One for the whole batch, which `expand` leaves as it is.
        probs, logits: as of that distribution.
    """

    has_rsample = True
    fixed = ("temperature",)

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)
        given = getattr(self, self.parameters[0])
        self.temperature = beside(temperature, given)[0].type_as(given)
        self._require("temperature", self.temperature, self.temperature > 0, "greater than 0")
