"""tinygrad_edu: a tensor autograd engine to see and understand backpropagation with."""

from __future__ import annotations

from . import ops  # noqa: I001 (Tensor gets its methods first)
from . import autograd
from .backend import cuda, device, get_default_device, set_default_device
from .dtypes import finfo, float16, float32, float64, get_default_dtype, iinfo, int8, int16, int32, int64, set_default_dtype, uint8
from .op import enable_grad, inference_mode, is_grad_enabled, no_grad, op, set_grad_enabled
from .ops.arithmetic import *
from .ops.einsum import *
from .ops.elementwise import *
from .ops.products import *
from .ops.reduction import *
from .ops.shape import *
from .tensor import Tensor

__version__ = "0.1.0"
