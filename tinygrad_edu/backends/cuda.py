"""How NVIDIA's GPUs may round products of matrices; without effect here (see `backends`)."""

from __future__ import annotations

from types import SimpleNamespace

matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=True)


def is_built() -> bool:
    """False: PyTorch's CUDA code is not here; `tinygrad_edu.cuda.is_available()` says whether a GPU can be used."""
    return False
