"""Switches of the libraries behind PyTorch, as `torch.backends`: programs set and ask them before they start.

None of these libraries is used here. So each says that it is not available, and its switches may be set and change nothing, as in
PyTorch on a computer without a GPU.

Source: https://pytorch.org/docs/stable/backends.html
"""

from __future__ import annotations

import os
import warnings
from types import SimpleNamespace

__all__ = [
    "are_deterministic_algorithms_enabled",
    "cuda",
    "cudnn",
    "get_num_threads",
    "mps",
    "set_float32_matmul_precision",
    "set_num_threads",
    "use_deterministic_algorithms",
]

_absent = {"is_available": lambda: False, "is_built": lambda: False}
cuda = SimpleNamespace(**_absent, matmul=SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=True))
cudnn = SimpleNamespace(**_absent, version=lambda: None, enabled=True, benchmark=False, deterministic=False, allow_tf32=True)
mps = SimpleNamespace(**_absent)


_deterministic = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Taken for PyTorch's sake: on the CPU, the same computation always has the same result."""
    global _deterministic
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was told last, False at first, as in PyTorch."""
    return _deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Taken for PyTorch's sake: it would allow rounding, and products of float32 are always computed in float32 here."""


def get_num_threads() -> int:
    """How many processors NumPy's libraries may use: all that this process has, unless variables such as OMP_NUM_THREADS say less."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(num: int) -> None:
    """Refused with a warning: NumPy's libraries read the number of threads when they start."""
    warnings.warn(
        f"set_num_threads has no effect: start Python with the environment variables OMP_NUM_THREADS={num} and "
        f"OPENBLAS_NUM_THREADS={num} instead.",
        stacklevel=2,
    )
