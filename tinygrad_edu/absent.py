"""What PyTorch has and this library has not, on purpose: whoever asks for it is told why, and what to use."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_COMPLEX = "complex numbers are not offered; keep real and imaginary parts as two tensors."
_EXPORT = "there is nothing to export a graph to; compile() records a training step, and save() keeps weights."
_PROFILE = "profile(step) shows where the time of a training step goes, per operation and per module."
_QUANTIZED = "networks are not computed in 8-bit integers here; float16 halves the memory: model.half()."
_ONE_DEVICE = "a training runs in one process on one device here; use the module or the data itself."
_SPARSE = "sparse tensors are not offered; use a dense tensor, or index_add and scatter_add with the indices of what is not 0."

# Modules, by their path behind `tinygrad_edu`.
MODULES = {
    "ao": _QUANTIZED,
    "autograd.forward_ad": "func.jvp gives the same products, and func.jacfwd whole Jacobians.",
    "autograd.graph": "utils.checkpoint saves memory, and hooks (register_hook) see and change gradients.",
    "autograd.profiler": _PROFILE,
    "export": _EXPORT,
    "fft": _COMPLEX,
    "fx": _EXPORT,
    "multiprocessing": _ONE_DEVICE,
    "nn.parallel": _ONE_DEVICE,
    "onnx": _EXPORT,
    "quantization": _QUANTIZED,
    "sparse": _SPARSE,
    "utils.benchmark": "Python's timeit measures a function. " + _PROFILE,
    "utils.tensorboard": "fit() returns a training's history, and record() films it.",
}
# Modules that are here only to be asked whether they are used.
ALMOST_ABSENT = {"distributed": _ONE_DEVICE, "jit": _EXPORT}
NOT_OFFERED = {
    **MODULES,
    **dict.fromkeys(
        ("cdouble", "cfloat", "complex", "complex64", "complex128", "istft", "polar", "stft", "view_as_complex"), _COMPLEX
    ),
    **dict.fromkeys(("sparse_coo_tensor", "sparse_csr_tensor", "optim.SparseAdam"), _SPARSE),
    **dict.fromkeys(("profiler.ProfilerActivity", "profiler.record_function", "profiler.schedule"), _PROFILE),
    "as_strided": "use unfold, or slices and reshapes, which know their gradients.",
    "nn.DataParallel": _ONE_DEVICE,
    "nn.SyncBatchNorm": "a training runs on one device here; use BatchNorm1d, BatchNorm2d or BatchNorm3d.",
}


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a module does not have."""
    path = f"{module}.{name}".partition(".")[2]
    why = NOT_OFFERED.get(path, ALMOST_ABSENT.get(path.rpartition(".")[0]))
    return AttributeError(f"module {module!r} has no attribute {name!r}" + (f": {why}" if why else ""))


class Absent(ModuleType):
    """Stands where PyTorch has a module: `from tinygrad_edu.fft import rfft` says why there is none."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of every module
            raise AttributeError(name)
        raise ImportError(f"there is no {self.__name__}: {self.__doc__}")


for _path, _why in MODULES.items():
    _name = f"{__package__}.{_path}"
    sys.modules[_name] = Absent(_name, _why)
