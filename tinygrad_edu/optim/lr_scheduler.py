"""Schedules of the learning rate: call `scheduler.step()` after each epoch (or batch).

A schedule says how the rate of a group follows from the rate before (`next_lr`), so that several schedules can act on one
optimizer at once; `self.last_epoch` counts the steps taken and `base` is the rate at the start.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any

from ..errors import check_whole, kind
from ..grad_mode import no_grad
from ..tensor import Tensor
from .optimizer import Optimizer


class LRScheduler:
    """The base of all schedules; a subclass writes `next_lr(lr, base, group_index)`.

    Args:
        optimizer: whose groups' "lr" is changed.
        last_epoch: -1 for a fresh start; more to go on after that many steps (groups then hold "initial_lr").

    Source: https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} takes an optimizer, not a {type(optimizer).__name__}.")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _own(group["lr"]))  # another schedule of the same optimizer may have set it
            elif "initial_lr" not in group:
                raise KeyError(f"to go on from last_epoch={last_epoch}, group {i} of the optimizer must hold 'initial_lr'.")
        self.base_lrs = [_own(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0  # calls of step(), which schedules in PyTorch's style read
        self.step()

    @property
    def begins(self) -> bool:
        """Whether this is the first step: the rate is that of the start, or of where the optimizer's state comes from (last_epoch > -1)."""
        return self.last_epoch == 0 or self._step_count == 1

    def next_lr(self, lr: float, base: float, index: int) -> float:
        """The rate of group number `index` after this step, from its rate before and at the start."""
        raise NotImplementedError(f"{type(self).__name__} has no next_lr(lr, base, index).")

    def get_lr(self) -> list[float]:
        """The rates of all groups after this step."""
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs) :]:  # that were added since
            self.base_lrs.append(_own(group.setdefault("initial_lr", _own(group["lr"]))))
        pairs = zip(groups, self.base_lrs, strict=True)
        return [self.next_lr(_own(group["lr"]), base, i) for i, (group, base) in enumerate(pairs)]

    def step(self, epoch: int | None = None) -> None:
        """Go one step on, or to the epoch of this number, and set the rates."""
        if self._step_count == 1 and not self.optimizer.stepped:
            warnings.warn(
                "scheduler.step() was called before optimizer.step(), so the first learning rate is skipped: call optimizer.step() "
                "for each batch, and scheduler.step() after it.",
                stacklevel=2,
            )
        self._step_count += 1
        following = self.last_epoch + 1
        way = [following if epoch is None else epoch]
        # Each rate follows from the one before: to jump means to go again from the start.
        if way[0] != following and type(self).get_lr is LRScheduler.get_lr:
            for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=False):
                set_rate(group, base)
            way = [*range(math.ceil(way[0])), way[0]]
        for self.last_epoch in way:
            for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
                set_rate(group, lr)
        self._last_lr = rates(self.optimizer)

    def _take_back(self) -> None:
        """Be as before the first step, which is taken when a schedule is made."""
        self.last_epoch -= 1
        self._step_count = 0

    def get_last_lr(self) -> list[float]:
        """The rates set last."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of objects that are called like functions what they hold, of functions None."""
        return {k: _without_functions(v) for k, v in vars(self).items() if k != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a saved schedule stopped; functions stay this schedule's own."""
        for name, saved in state_dict.items():
            mine = vars(self).get(name)
            if functions := [f for f in (mine if isinstance(mine, list) else [mine]) if callable(f)]:
                for f, held in zip(functions, saved if isinstance(saved, list) else [saved], strict=True):
                    if held:
                        vars(f).update(held)
            else:
                setattr(self, name, saved)


_LRScheduler = LRScheduler  # its older name, from which programs derive schedules of their own


def _without_functions(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_functions(v) if callable(v) else v for v in value]
    if not callable(value):
        return value
    return None if isinstance(value, FunctionType) else dict(getattr(value, "__dict__", {}))


def _own(rate: Any) -> Any:
    """A rate that nobody changes from elsewhere: it may be a tensor of one number."""
    return rate.detach().clone() if isinstance(rate, Tensor) else rate


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Give a group another rate; a tensor stays the one it is and holds another number."""
    if isinstance(group["lr"], Tensor):
        with no_grad():
            group["lr"].fill_(float(rate))
    else:
        group["lr"] = rate


def rates(optimizer: Optimizer) -> list[Any]:
    """The present rates of its groups."""
    return [_own(group["lr"]) for group in optimizer.param_groups]


class _ByFunction(LRScheduler):
    """What LambdaLR and MultiplicativeLR share: one function for all groups, or one for each."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1
    ) -> None:
        self.lr_lambdas = one_each(lr_lambda, optimizer, "lr_lambda")
        if wrong := [f for f in self.lr_lambdas if not callable(f)]:
            raise TypeError(
                f"{type(self).__name__}: lr_lambda is a function of the epoch, such as lambda t: 0.95**t, not {wrong[0]!r}."
            )
        super().__init__(optimizer, last_epoch)

    def factor(self, index: int) -> float:
        """What the function of a group gives for this step."""
        if index >= len(self.lr_lambdas):
            raise ValueError(
                f"group {index} was added after this {type(self).__name__} was made, which has {len(self.lr_lambdas)} functions, one for each "
                "group of then: append one to its lr_lambdas."
            )
        return self.lr_lambdas[index](self.last_epoch)


class LambdaLR(_ByFunction):
    """base · f(t), with one function for all groups or one for each.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html
    """

    def next_lr(self, lr: float, base: float, index: int) -> float:
        return base * self.factor(index)


class MultiplicativeLR(_ByFunction):
    """lr · f(t) at each step, with one function for all groups or one for each.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html
    """

    def next_lr(self, lr: float, base: float, index: int) -> float:
        return lr if self.begins else lr * self.factor(index)


class StepLR(LRScheduler):
    """lr · gamma every `step_size` steps.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if not step_size > 0:
            raise ValueError(f"StepLR: step_size must be above 0, not {step_size}.")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        return lr * self.gamma if self.last_epoch > 0 and self.last_epoch % self.step_size == 0 else lr


class MultiStepLR(LRScheduler):
    """lr · gamma at each milestone.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"MultiStepLR: milestones is a list of steps, such as [30, 80], not {milestones!r}.")
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        return lr * self.gamma ** self.milestones[self.last_epoch]


class ConstantLR(LRScheduler):
    """base · factor for `total_iters` steps, then base.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor must be in [0, 1], not {factor}.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        if self.last_epoch == 0:
            return lr * self.factor
        return lr / self.factor if self.last_epoch == self.total_iters else lr


class LinearLR(LRScheduler):
    """base · a factor that goes in a straight line from `start_factor` to `end_factor` in `total_iters` steps.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(
                f"LinearLR: start_factor must be in (0, 1] and end_factor in [0, 1], not {start_factor} and {end_factor}."
            )
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, t: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * t / self.total_iters

    def next_lr(self, lr: float, base: float, index: int) -> float:
        if self.last_epoch == 0:
            return lr * self.start_factor
        if self.begins or self.last_epoch > self.total_iters:
            return lr
        return lr * self._factor(self.last_epoch) / self._factor(self.last_epoch - 1)


class ExponentialLR(LRScheduler):
    """lr · gamma at each step.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        return lr if self.begins else lr * self.gamma


class PolynomialLR(LRScheduler):
    """base · (1 - t / total_iters)^power, 0 from then on.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        t, n = self.last_epoch, self.total_iters
        return lr if self.begins or t > n else lr * ((1 - t / n) / (1 - (t - 1) / n)) ** self.power


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min)·(1 + cos(π t / T_max)) / 2.

    Source: Loshchilov, Hutter 2017; https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if not T_max > 0:
            raise ValueError(f"CosineAnnealingLR: T_max, the steps down to eta_min, must be above 0, not {T_max}.")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        t, n = self.last_epoch, self.T_max
        if self.begins:
            return lr
        if (t - 1 - n) % (2 * n) == 0:  # just after the lowest point, where the ratio below would be 0 / 0
            return lr + (base - self.eta_min) * (1 - math.cos(math.pi / n)) / 2
        ratio = (1 + math.cos(math.pi * t / n)) / (1 + math.cos(math.pi * (t - 1) / n))
        return ratio * (lr - self.eta_min) + self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosine annealing over T_0 steps, then again from the start over T_0·T_mult, and so on; `step(epoch)` takes fractions.

    Source: Loshchilov, Hutter 2017; https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        check_whole("CosineAnnealingWarmRestarts: T_0", T_0)
        check_whole("CosineAnnealingWarmRestarts: T_mult", T_mult)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base: float, index: int) -> float:
        t: float = self.last_epoch
        if self.T_mult == 1:
            length: float = self.T_0
            t = t % length
        else:
            n = int(math.log(t / self.T_0 * (self.T_mult - 1) + 1, self.T_mult) + 1e-12)
            length = self.T_0 * self.T_mult**n
            t = t - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / length)) / 2


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to a tiny rate; momentum goes the other way.

    Args:
        max_lr, base_momentum, max_momentum: each one number, or one for each group.
        total_steps, or epochs and steps_per_epoch: the length of the cycle.
        pct_start: the part of it that goes up.
        anneal_strategy: "cos" or "linear".
        three_phase: down symmetrically first, then to the end rate.

    Source: Smith, Topin 2018; https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch.")
            total_steps = epochs * steps_per_epoch
        check_whole("OneCycleLR: total_steps", total_steps)
        if not 0 <= pct_start <= 1 or anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f'OneCycleLR: pct_start must be in [0, 1] and anneal_strategy "cos" or "linear", not {pct_start} and {anneal_strategy!r}.'
            )
        self.total_steps = total_steps
        peak = pct_start * total_steps - 1
        last = total_steps - 1
        self.phases: list[tuple[float, str, str, str, str]] = [(peak, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three_phase:
            self.phases += [(2 * pct_start * total_steps - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")]
            self.phases += [(last, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
        else:
            self.phases += [(last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        tops = one_each(max_lr, optimizer, "max_lr")
        if cycle_momentum:
            _momenta(self, optimizer, base_momentum, max_momentum, last_epoch)
        for group, top in zip(optimizer.param_groups, tops, strict=True):
            if last_epoch == -1:
                low = top / div_factor
                group.update(initial_lr=low, max_lr=top, min_lr=low / final_div_factor)
        super().__init__(optimizer, last_epoch)

    def _between(self, a: float, b: float, part: float) -> float:
        return a + (b - a) * part if self.anneal_strategy == "linear" else b + (a - b) / 2 * (1 + math.cos(math.pi * part))

    def next_lr(self, lr: float, base: float, index: int) -> float:
        t, group = self.last_epoch, self.optimizer.param_groups[index]
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: step {t} of a cycle of {self.total_steps} steps; make total_steps larger.")
        begin: float = 0
        for i, (end, lr_from, lr_to, momentum_from, momentum_to) in enumerate(self.phases):
            if t <= end or i == len(self.phases) - 1:
                part = (t - begin) / (end - begin)
                if self.cycle_momentum:
                    _set_momentum(group, self._between(group[momentum_from], group[momentum_to], part))
                return self._between(group[lr_from], group[lr_to], part)
            begin = end
        return lr


class CyclicLR(LRScheduler):
    """Up and down between base_lr and max_lr; momentum goes the other way.

    Args:
        step_size_up, step_size_down: steps of the way up and down (down default: as up).
        mode: "triangular", "triangular2" (half as high each cycle) or "exp_range" (gamma^t as high); or scale_fn.

    Source: Smith 2017; https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f'CyclicLR: mode must be "triangular", "triangular2" or "exp_range", not {mode!r}.')
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        down = step_size_up if step_size_down is None else step_size_down
        if not (step_size_up > 0 and down > 0):
            raise ValueError(f"CyclicLR: step_size_up and step_size_down must be above 0, not {step_size_up} and {down}.")
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.max_lrs = one_each(max_lr, optimizer, "max_lr")
        lows = one_each(base_lr, optimizer, "base_lr")
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = _momenta(self, optimizer, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lows, strict=True):
                set_rate(group, low)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lows  # also where another schedule was there first, whose initial_lr stays
        self._take_back()
        self.step()

    def scale_fn(self, x: float) -> float:
        """How high the cycle of number x is, or step x of all steps where scale_mode is "iterations"."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def next_lr(self, lr: float, base: float, index: int) -> float:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            low, high = self.base_momentums[index], self.max_momentums[index]
            _set_momentum(self.optimizer.param_groups[index], high - (high - low) * height)
        return base + (self.max_lrs[index] - base) * height


class _OfSeveral(LRScheduler):
    """What SequentialLR and ChainedScheduler share: several schedules of one optimizer."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        if wrong := [s for s in schedulers if not isinstance(s, LRScheduler)]:
            raise TypeError(f"{type(self).__name__} takes schedules, and not a {kind(wrong[0])}.")
        if any(s.optimizer is not optimizer for s in schedulers):
            raise ValueError(f"{type(self).__name__}: all schedulers must belong to the same optimizer.")
        if any(isinstance(s, ReduceLROnPlateau) for s in schedulers):
            raise ValueError(
                f"{type(self).__name__}: call the step(value) of ReduceLROnPlateau yourself; it needs a value each time."
            )
        self.optimizer, self._schedulers = optimizer, list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k not in ("optimizer", "_schedulers")}
        return {**state, "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_OfSeveral):
    """One schedule after another, each from the rate of the start; it changes over to the next one at each of the milestones.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} milestones, not {len(milestones)}."
            )
        super().__init__(optimizer, schedulers)
        self._milestones, self.last_epoch = milestones, last_epoch
        for scheduler in self._schedulers:
            scheduler._take_back()
        self.step()

    def _take_back(self) -> None:
        super()._take_back()
        self._schedulers[bisect_right(self._milestones, 0)]._take_back()

    def step(self) -> None:  # type: ignore[override]
        self.last_epoch += 1
        if self.last_epoch in (0, *self._milestones):
            # The schedule before has set the rates, and so has each of them when it was made.
            for group in self.optimizer.param_groups:
                set_rate(group, group["initial_lr"])
        scheduler = self._schedulers[bisect_right(self._milestones, self.last_epoch)]
        scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_OfSeveral):
    """Several schedules at once: each changes what the one before it left.

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler: give at least one scheduler.")
        super().__init__(optimizer or schedulers[0].optimizer, schedulers)
        self._last_lr = rates(self.optimizer)

    def _take_back(self) -> None:
        for scheduler in self._schedulers:
            scheduler._take_back()

    def step(self) -> None:  # type: ignore[override]
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = rates(self.optimizer)


class ReduceLROnPlateau(LRScheduler):
    """lr · factor when a quantity has not improved for `patience` steps: call `step(value)`.

    Args:
        mode: "min" (the value should fall) or "max".
        threshold, threshold_mode: what counts as an improvement: by this part ("rel") or by this much ("abs").
        cooldown: steps to wait after a change.
        min_lr: never below this (a number, or one per group).

    Source: https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, not {factor}.")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"ReduceLROnPlateau takes an optimizer, not a {type(optimizer).__name__}.")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError('ReduceLROnPlateau: mode must be "min" or "max", threshold_mode "rel" or "abs".')
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.min_lrs = one_each(min_lr, optimizer, "min_lr")
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = rates(optimizer)

    def _better(self, value: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        bar = self.best * (1 - sign * self.threshold) if self.threshold_mode == "rel" else self.best - sign * self.threshold
        return sign * value < sign * bar

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Note the value of this step."""
        value = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            leasts = self.min_lrs if self.default_min_lr is None else self.default_min_lr  # for groups that were added since, too
            self.min_lrs = one_each(leasts, self.optimizer, "min_lr")
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lower = max(float(group["lr"]) * self.factor, least)
                if group["lr"] - lower > self.eps:
                    set_rate(group, lower)
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = rates(self.optimizer)


def one_each(value: Any, optimizer: Optimizer, what: str) -> list[Any]:
    """One value per group, from one for all or a list of them."""
    count = len(optimizer.param_groups)
    values = [_own(v) for v in (value if isinstance(value, list | tuple) else [value] * count)]
    if len(values) != count:
        raise ValueError(f"{what}: {len(values)} values for {count} parameter groups.")
    return values


def _momenta(scheduler: LRScheduler, optimizer: Optimizer, base: Any, largest: Any, last_epoch: int) -> tuple[list, list]:
    """Between which momenta a schedule goes, for each group, which notes them."""
    lows, highs = one_each(base, optimizer, "base_momentum"), one_each(largest, optimizer, "max_momentum")
    if not all("momentum" in group or "betas" in group for group in optimizer.param_groups):
        raise ValueError(
            f"{type(scheduler).__name__}: cycle_momentum=True needs an optimizer with momentum or betas; pass cycle_momentum=False."
        )
    if last_epoch == -1:
        for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
            group.update(base_momentum=low, max_momentum=high)
    return lows, highs


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
