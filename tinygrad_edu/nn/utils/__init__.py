"""Small helpers for training, as `torch.nn.utils`."""

from __future__ import annotations

from typing import Any

from ...absent import missing
from . import fusion, parametrizations, parametrize, prune, rnn, stateless
from .before_forward import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm
from .clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters
from .fusion import fuse_conv_bn_eval, fuse_conv_bn_weights, fuse_linear_bn_eval, fuse_linear_bn_weights


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
