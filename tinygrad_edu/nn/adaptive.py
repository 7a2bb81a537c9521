"""A softmax over very many classes of which few are frequent, such as the words of a language: the rare ones are asked for last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..backend import require
from ..errors import DtypeError, ShapeError, describe
from ..ops.joining import cat
from ..ops.softmax import log_softmax
from ..tensor import Tensor, raw, wrap
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module


class _ASMoutput(NamedTuple):
    """The logarithm of the probability of each sample's class, and the mean of what is lost."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """ln p(class) = ln p_head(class) for the frequent ones, else ln p_head(its cluster) + ln p_cluster(class)

    The head has a score for each frequent class and one for each cluster of rarer ones. A cluster's own scores are computed only of
    samples that belong to it, and with fewer numbers the rarer its classes are: in_features / div_valueⁱ of them for cluster i.

    Args:
        n_classes: how many; they must be numbered from the most frequent to the rarest.
        cutoffs: where clusters begin: with [10, 100] the classes from 0 to 9 are in the head, to 99 in a cluster, the rest in another.
        head_bias: whether the head has a bias.

    Source: Grave et al. 2017; https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        bounds = [0, *cutoffs, n_classes]
        if not cutoffs or any(int(n) != n for n in bounds) or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs must be integers that rise, above 0 and below n_classes={n_classes}; they are "
                f"{list(cutoffs)}."
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = bounds[1:]
        self.shortlist_size, self.n_clusters = self.cutoffs[0], len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs), 1):
            hidden = int(in_features // div_value**i)
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, device=device, dtype=dtype),
                    Linear(hidden, high - low, bias=False, device=device, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new first values."""
        for layer in (self.head, *(layer for cluster in self.tail for layer in cluster)):
            layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Of (N, in_features) and N class numbers, or of one sample and its class: `output`, (N,) or (), and `loss`, minus its mean."""
        if input_.ndim not in (1, 2) or input_.shape[:-1] != target_.shape:
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss takes inputs (N, in_features) and targets (N,), or (in_features,) and (); these are "
                f"{describe(input_)} and {describe(target_)}."
            )
        if target_.dtype.kind not in "iu":
            raise DtypeError(
                f"AdaptiveLogSoftmaxWithLoss: targets must be class numbers of dtype int64, not {describe(target_)}; convert them with "
                ".long()."
            )
        x, labels = input_.reshape(-1, input_.shape[-1]), raw(target_).reshape(-1).astype(np.int64)
        require(
            ((labels >= 0) & (labels < self.n_classes)).all(),
            lambda: RuntimeError(
                f"AdaptiveLogSoftmaxWithLoss: targets must be in [0, {self.n_classes}); they go from {labels.min()} to {labels.max()}."
            ),
        )
        place = labels.copy()  # of the class, or of its cluster, in the head
        parts = []
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            rows = np.flatnonzero((labels >= low) & (labels < high))
            place[rows] = self.shortlist_size + i
            if rows.size:
                log_p = log_softmax(self.tail[i](x[wrap(rows)]), 1)
                parts.append((wrap(rows), log_p.gather(1, wrap(labels[rows, None] - low)).squeeze(1)))
        output = log_softmax(self.head(x), 1).gather(1, wrap(place[:, None])).squeeze(1)
        for those, log_p in parts:
            output = output.index_add(0, those, log_p)
        return _ASMoutput(output if target_.ndim else output[0], -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The logarithms of the probabilities of all classes, (N, n_classes)."""
        head = log_softmax(self.head(input), 1)
        first = self.shortlist_size
        clusters = [log_softmax(scores(input), 1) + head[:, first + i, None] for i, scores in enumerate(self.tail)]
        return cat([head[:, :first], *clusters], 1)

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each sample among the frequent ones, if none of the clusters is likelier; else that of all classes."""
        best = self.head(input).argmax(1)
        rare = best >= self.shortlist_size
        best[rare] = self.log_prob(input[rare]).argmax(1)
        return best
