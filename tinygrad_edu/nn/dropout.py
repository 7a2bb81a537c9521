"""Dropout layers: at random, elements or whole channels become 0 while training; in evaluation nothing is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from ..tensor import Tensor
from .inplace import honouring_inplace
from .module import Module


class _Dropout(Module):
    """z = function(x) while training, x afterwards.

    Args:
        p: the probability that an element (or a channel) is dropped.
        inplace: let the input itself take the result.
    """

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p is a probability, in [0, 1]; it is {p}.")
        self.p, self.inplace = p, inplace

    @honouring_inplace
    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """z = x·mask, with mask 0 with probability p, else 1 / (1 - p), drawn anew for every element while training.

    Source: Srivastava et al. 2014; https://pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """

    function = dropout


class Dropout1d(_Dropout):
    """z = x·mask, with one mask for each channel of (N, C, L) or (C, L).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Dropout1d.html
    """

    function = dropout1d


class Dropout2d(_Dropout):
    """z = x·mask, with one mask for each channel of (N, C, H, W).

    Source: Tompson et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """

    function = dropout2d


class Dropout3d(_Dropout):
    """z = x·mask, with one mask for each channel of (N, C, D, H, W) or (C, D, H, W).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Dropout3d.html
    """

    function = dropout3d


class AlphaDropout(_Dropout):
    """z = a·(x where kept, else α') + b: dropout for selu networks, which keeps mean 0 and variance 1.

    Source: Klambauer et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.AlphaDropout.html
    """

    function = alpha_dropout


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.FeatureAlphaDropout.html
    """

    function = feature_alpha_dropout
