"""Layers as functions, as `torch.nn.functional`: one list of where each stands.

Source: https://pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

from ..ops.activation import *
from ..ops.convolution import *
from ..ops.convolution import fold, unfold
from ..ops.elementwise import sigmoid, tanh
from ..ops.padding import pad
from ..ops.pooling import *
from ..ops.products import linear
from ..ops.reduction import log_softmax, softmax
from ..ops.upsampling import *
