"""PyTorch's other paths to what is here, so that `from tinygrad_edu.utils.data.sampler import Sampler` finds it."""

from __future__ import annotations

import sys
from typing import Any

from . import amp, data, nn
from .backend import cuda
from .nn import normalization
from .ops import random

PATHS: dict[str, Any] = {
    "cuda": cuda,
    "cuda.amp": amp.cuda,
    "nn.modules": nn,
    "random": random,
    "nn.modules.batchnorm": normalization,
    "utils.data.dataloader": data.loader,
    "utils.data.dataset": data.dataset,
    "utils.data.sampler": data.sampler,
}
PATHS |= {
    f"nn.modules.{name}": getattr(nn, name)
    for name in [
        "activation",
        "container",
        "conv",
        "dropout",
        "linear",
        "loss",
        "module",
        "normalization",
        "padding",
        "pooling",
        "transformer",
    ]
}


_NO_COMPLEX = "complex numbers are not offered; keep real and imaginary parts as two tensors."
_NO_EXPORT = "there is nothing to export a graph to; `compile` records a training step, and save() keeps weights."
_NO_SPARSE = "sparse tensors are not offered; use a dense tensor, or index_add and scatter_add with the indices of what is not 0."

# What PyTorch has and this library does not, on purpose: why, and what to use.
NOT_OFFERED = {
    "bfloat16": "NumPy has no such dtype; use float32, or float16.",
    **dict.fromkeys(("complex", "complex64", "complex128", "cfloat", "cdouble", "polar", "view_as_complex"), _NO_COMPLEX),
    **dict.fromkeys(("fft", "stft", "istft"), _NO_COMPLEX),
    "distributions": "write the log-probability out, such as log_softmax(logits, -1).gather(-1, action) for a choice; draw with multinomial.",
    **dict.fromkeys(("jit", "fx", "onnx", "export"), _NO_EXPORT),
    **dict.fromkeys(("sparse", "sparse_coo_tensor", "sparse_csr_tensor"), _NO_SPARSE),
    **dict.fromkeys(("distributed", "multiprocessing"), "a training runs in one process here."),
    "as_strided": "use unfold, or slices and reshapes, which know their gradients.",
    "hub": "models are not downloaded here; load weights with load().",
}


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
