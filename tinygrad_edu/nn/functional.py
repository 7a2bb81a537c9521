"""Layers as functions, as `torch.nn.functional`: one list of where each stands.

Source: https://pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

from typing import Any

from ..absent import missing
from ..ops.activation import gelu, glu, hardshrink, logsigmoid, prelu, softplus, softshrink, softsign, tanhshrink
from ..ops.attention import *
from ..ops.classification import *
from ..ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, fold, unfold
from ..ops.ctc import ctc_loss
from ..ops.distance import *
from ..ops.dropout import gumbel_softmax
from ..ops.einsum import bilinear
from ..ops.elementwise import sigmoid, tanh
from ..ops.embedding import *
from ..ops.grid import *
from ..ops.likelihood import *
from ..ops.loss import *
from ..ops.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    rms_norm,
)
from ..ops.padding import pad
from ..ops.pooling import *
from ..ops.products import linear
from ..ops.softmax import log_softmax, softmax, softmin
from ..ops.upsampling import *
from ..spelling import take_other_names
from ..tensor import Tensor
from .attention import multi_head_attention_forward
from .inplace import (
    alpha_dropout,
    celu,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    elu,
    feature_alpha_dropout,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    mish,
    relu,
    relu6,
    rrelu,
    selu,
    silu,
    threshold,
)

take_other_names(globals())


def __getattr__(name: str) -> Any:
    if name in ("celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "selu_", "threshold_"):
        return getattr(Tensor, name)
    raise missing(__name__, name)
