"""tinygrad_edu: a tensor autograd engine to see and understand backpropagation with."""

from __future__ import annotations

import math

from . import (
    autograd,
    data,
    linalg,
    metrics,
    nn,
    ops,
    optim,
    see,
    testing,
    utils,
)
from .backend import cuda, device, get_default_device, set_default_device
from .check import check_training
from .dtypes import (
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
from .nn.summary import summary
from .op import enable_grad, inference_mode, is_grad_enabled, no_grad, op, set_grad_enabled
from .ops.activation import *
from .ops.arithmetic import *
from .ops.arranging import *
from .ops.comparison import *
from .ops.convolution import *
from .ops.creation import *
from .ops.diagonal import *
from .ops.distance import *
from .ops.einsum import *
from .ops.elementwise import *
from .ops.embedding import *
from .ops.indexing import *
from .ops.joining import *
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
from .ops.shape import *
from .ops.sorting import *
from .ops.splitting import *
from .ops.upsampling import channel_shuffle, pixel_shuffle, pixel_unshuffle
from .printing import set_printoptions
from .see import check_graph, draw, explain, play, step
from .serialization import load, save
from .tensor import Tensor
from .train import History, evaluate, fit, predict

# What PyTorch has under these names too.
autograd.gradcheck, autograd.gradgradcheck = testing.gradcheck, testing.gradgradcheck  # type: ignore[attr-defined]
Size = tuple
e, inf, nan, pi = math.e, math.inf, math.nan, math.pi

# PyTorch's other names for dtypes. They shadow Python's own names in this module only.
float, double, half = float32, float64, float16
int, long, short, char, byte = int32, int64, int16, int8, uint8
bool = bool_

__version__ = "0.1.0"
