"""tinygrad_edu: a tensor autograd engine to see and understand backpropagation with."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import (
    absent,
    accelerator,
    amp,
    autograd,
    backends,
    cuda,
    data,
    distributed,
    hub,
    jit,
    linalg,
    metrics,
    nn,
    ops,
    optim,
    paths,
    special,
    testing,
    utils,
)
from .amp import autocast, is_autocast_enabled
from .backend import device, get_default_device, set_default_device
from .backends import (
    are_deterministic_algorithms_enabled,
    get_num_threads,
    set_float32_matmul_precision,
    set_num_threads,
    use_deterministic_algorithms,
)
from .check import check_training
from .dtypes import (
    bfloat16,
    bool_,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from .grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .nn.summary import summary
from .old_names import (
    BoolTensor,
    ByteTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    set_default_tensor_type,
)
from .op import op
from .ops.activation import *
from .ops.arithmetic import *
from .ops.arranging import *
from .ops.classification import *
from .ops.comparison import *
from .ops.convolution import *
from .ops.creation import *
from .ops.cumulative import *
from .ops.diagonal import *
from .ops.distance import *
from .ops.einsum import *
from .ops.elementwise import *
from .ops.embedding import *
from .ops.indexing import *
from .ops.joining import *
from .ops.likelihood import *
from .ops.linalg import *
from .ops.loss import *
from .ops.matrix import *
from .ops.norms import *
from .ops.padding import *
from .ops.pooling import *
from .ops.products import *
from .ops.random import *
from .ops.recurrent import *
from .ops.reduction import *
from .ops.scatter import *
from .ops.shape import *
from .ops.softmax import *
from .ops.sorting import *
from .ops.special import i0
from .ops.splitting import *
from .ops.statistics import *
from .ops.upsampling import channel_shuffle, pixel_shuffle, pixel_unshuffle
from .printing import set_printoptions
from .serialization import load, save
from .spelling import take_other_names
from .tensor import Tensor
from .train import History, evaluate, fit, predict

# What is loaded when it is first asked for, and the file that holds it: half of this package's import time would go into them.
if TYPE_CHECKING:
    from . import distributions, func, see
    from .compiler import CompileError, compile
    from .func import vmap
    from .profiler import profile
    from .see import check_graph, draw, explain, play, record, step  # type: ignore[no-redef]
_LATER = {
    **dict.fromkeys(("see", "check_graph", "draw", "explain", "play", "record", "step"), "see"),
    **dict.fromkeys(("compile", "CompileError"), "compiler"),
    **dict.fromkeys(("func", "vmap"), "func"),
    "distributions": "distributions",
    "profile": "profiler",
}


def __getattr__(name: str) -> Any:
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        return getattr(Tensor, name)  # what changes a tensor in place is a function too: sin_(x)
    if name not in _LATER:
        raise absent.missing(__name__, name)
    file = importlib.import_module(f".{_LATER[name]}", __name__)
    return file if name == _LATER[name] else getattr(file, name)


def _play(self: Tensor, *args: Any, **options: Any) -> Any:
    """The backward pass from this tensor, to play step by step in a browser or notebook; see `play`."""
    return importlib.import_module(".see", __name__).play(self, *args, **options)


Tensor.play = _play  # type: ignore[attr-defined]

paths.open_paths()
take_other_names(globals())

# What PyTorch has under these names too.
autograd.gradcheck, autograd.gradgradcheck = testing.gradcheck, testing.gradgradcheck
Size, dtype = tuple, np.dtype
channels_last, contiguous_format, preserve_format = "channels_last", "contiguous_format", "preserve_format"
newaxis = None
e, inf, nan, pi = math.e, math.inf, math.nan, math.pi

# PyTorch's other names for dtypes. They shadow Python's own names in this module only.
float, double, half = float32, float64, float16
int, long, short, char, byte = int32, int64, int16, int8, uint8
bool = bool_

__version__ = "0.1.0"
