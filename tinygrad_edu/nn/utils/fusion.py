"""A layer and the batch norm behind it as one layer, for evaluation: w·(W·x + b - mean) / √(variance + eps) + shift is linear in x, too.

Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.fuse_conv_bn_eval.html
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ...ops.creation import ones_like, zeros_like
from ...tensor import Tensor
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution that does what the batch norm behind it did, too.

    Args:
        conv_w, conv_b: those of the convolution; of a transposed one with `transpose`.
        bn_rm, bn_rv, bn_eps, bn_w, bn_b: running mean and variance, eps, scale and shift of the batch norm.
    """
    scale = (ones_like(bn_rm) if bn_w is None else bn_w) * (bn_rv + bn_eps).rsqrt()
    shift = zeros_like(bn_rm) if bn_b is None else bn_b
    bias = zeros_like(bn_rm) if conv_b is None else conv_b
    channels = (1, -1) if transpose else (-1, 1)
    weight = conv_w * scale.reshape(*channels, *(1,) * (conv_w.ndim - 2))
    return Parameter(weight.to(conv_w.dtype), conv_w.requires_grad), Parameter(
        (bias - bn_rm) * scale + shift, (conv_w if conv_b is None else conv_b).requires_grad
    )


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear layer that does what the batch norm behind it did, too."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A copy of the convolution that does what the batch norm behind it does, too; both in evaluation mode.

    Raises:
        ValueError: one of them is in training mode, or the batch norm has no running statistics.
    """
    for layer in (conv, bn):
        if layer.training:
            raise ValueError(
                f"layers are fused for evaluation, and {type(layer).__name__} is in training mode: call eval() first."
            )
    if bn.running_mean is None:
        raise ValueError(f"{type(bn).__name__} has no running statistics, so it depends on the batch and cannot be fused.")
    fused = deepcopy(conv)
    statistics = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    fused.weight, fused.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics, transpose=transpose)
    return fused


fuse_linear_bn_eval = fuse_conv_bn_eval
