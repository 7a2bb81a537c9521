"""Averages of a model's weights over its training, as `torch.optim.swa_utils`; they often generalise better than the last weights.

Source: https://pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from ..grad_mode import no_grad
from ..nn.module import Module
from ..nn.normalization import _BatchNorm
from ..ops.creation import tensor
from ..tensor import Tensor
from .lr_scheduler import LRScheduler, one_each
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


# -- averaging functions: of one tensor (the average, the model's, how many are averaged), or in place of lists of them --
def _equal_average(average: Any, current: Any, count: Any) -> Any:
    return average + (current - average) / (count + 1)


def get_swa_avg_fn() -> Callable:
    """The equal average of all so far: average + (model - average) / (n + 1)."""
    return _equal_average


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """An average that forgets: decay · average + (1 - decay) · model."""
    if not 0 <= decay <= 1:
        raise ValueError(f"a decay must lie between 0 and 1, not {decay}.")
    return lambda average, current, count: decay * average + (1 - decay) * current


def _of_lists(average_of: Callable) -> Callable:
    @no_grad()
    def update(averages: list[Tensor], currents: list[Tensor], count: Any) -> None:
        for average, current in zip(averages, currents, strict=True):
            average.copy_(average_of(average, current, count))

    return update


def get_swa_multi_avg_fn() -> Callable:
    """As `get_swa_avg_fn`, for lists of tensors, in place."""
    return _of_lists(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """As `get_ema_avg_fn`, for lists of tensors, in place."""
    return _of_lists(get_ema_avg_fn(decay))


# -- the averaged model ----------------------------------------------------------------------------------------------
class AveragedModel(Module):
    """A copy of a model whose parameters are averages: call `update_parameters(model)` after optimizer steps.

    Args:
        device: where the copy lives.
        avg_fn: (average, model's tensor, how many are averaged) -> the new average; default: the equal average of all.
        multi_avg_fn: the same for lists of tensors, in place.
        use_buffers: average the buffers too; otherwise they are the model's last ones.

    >>> from tinygrad_edu import nn
    >>> model = nn.Linear(1, 1)
    >>> averaged = AveragedModel(model)
    >>> for weight in (1.0, 2.0, 6.0):
    ...     _ = nn.init.constant_(model.weight, weight)
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.item()
    3.0

    Source: https://pytorch.org/docs/stable/generated/torch.optim.swa_utils.AveragedModel.html
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel takes avg_fn or multi_avg_fn, not both.")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the average; the first ones are copied."""

        def together(walks: list[Callable]) -> tuple[list[Tensor], list[Tensor]]:
            averages = [t.detach() for walk in walks for t in walk(self.module)]
            currents = [t.detach() for walk in walks for t in walk(model)]
            return averages, [t.to(average.device) for t, average in zip(currents, averages, strict=True)]

        averaged: list[Callable] = [Module.parameters]
        copied: list[Callable] = [Module.buffers]
        if self.use_buffers:
            averaged, copied = averaged + copied, []
        if self.n_averaged.array == 0:
            averaged, copied = [], averaged + copied
        update = self.multi_avg_fn or _of_lists(self.avg_fn or _equal_average)
        update(*together(averaged), self.n_averaged)
        for average, current in zip(*together(copied), strict=True):
            average.copy_(current)
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running means and variances of a model's batch norms anew, from one pass over the data.

    Args:
        loader: gives batches; of a list or tuple the first part is passed to the model.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.swa_utils.update_bn.html
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta, was_training = [norm.momentum for norm in norms], model.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the equal average of all batches
    model.train()
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in some steps, and constant from there.

    Args:
        swa_lr: the last rate, or a list with one for each group.
        anneal_epochs: the number of steps on the way.
        anneal_strategy: "cos" (half a cosine) or "linear".

    Source: https://pytorch.org/docs/stable/generated/torch.optim.swa_utils.SWALR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f'anneal_strategy must be "cos" or "linear", not {anneal_strategy!r}.')
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be an integer of at least 0, not {anneal_epochs!r}.")
        for group, lr in zip(optimizer.param_groups, one_each(swa_lr, optimizer, "swa_lr"), strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _part(self, step: int) -> float:
        """How much of the way is gone, from 0 to 1."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def next_lr(self, lr: float, base: float, index: int) -> float:
        step = max(1, self.last_epoch) if self.anneal_epochs == 0 else self.last_epoch
        last, before, now = self.optimizer.param_groups[index]["swa_lr"], self._part(step - 1), self._part(step)
        start = last if before == 1 else (lr - before * last) / (1 - before)  # where the way began, from where it is now
        return last * now + start * (1 - now)
