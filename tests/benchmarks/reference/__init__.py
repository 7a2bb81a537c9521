"""The workloads by hand: bare NumPy, no autograd, in place where that helps. The limit for an engine on NumPy.

Each function takes a `Start` and returns a step: called, it does one training step and returns the loss.
These are frozen: a ratio means something over time only as long as its reference stays the same.
"""

from .dense import deep, iris, nielsen, small_ops
from .lenet import lenet
from .lstm import lstm
from .pieces import ADAM_RATE, RATE, SMALL_OPS, Start, Step
from .transformer import transformer

__all__ = [
    "ADAM_RATE",
    "RATE",
    "SMALL_OPS",
    "Start",
    "Step",
    "deep",
    "iris",
    "lenet",
    "lstm",
    "nielsen",
    "small_ops",
    "transformer",
]
