"""PyTorch's other paths to what is here, so that `from tinygrad_edu.utils.data.sampler import Sampler` finds it."""

from __future__ import annotations

import sys
from typing import Any

from . import backends, data, nn
from .cuda import amp as cuda_amp
from .nn import normalization
from .ops import random

PATHS: dict[str, Any] = {
    "backends.cuda": backends.cuda,
    "backends.cudnn": backends.cudnn,
    "backends.mps": backends.mps,
    "cuda.amp": cuda_amp,
    "nn.modules": nn,
    "nn.modules.batchnorm": normalization,
    "random": random,
    "utils.data.dataloader": data.loader,
    "utils.data.dataset": data.dataset,
    "utils.data.sampler": data.sampler,
}
_FILES = (
    "activation", "container", "conv", "dropout", "linear", "loss", "module", "normalization", "padding", "pooling", "transformer",
)  # fmt: skip
PATHS |= {f"nn.modules.{name}": getattr(nn, name) for name in _FILES}


def open_paths() -> None:
    """Let Python's import find them."""
    package = sys.modules[__package__]
    for path, target in PATHS.items():
        sys.modules[f"{__package__}.{path}"] = target
        above, _, name = path.rpartition(".")
        held = package
        for part in above.split(".") if above else []:
            held = getattr(held, part)
        if not hasattr(held, name):
            setattr(held, name, target)
