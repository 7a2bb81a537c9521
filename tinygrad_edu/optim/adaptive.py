"""Optimizers that give every number its own rate, after the gradients it has seen."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .gathered import elementwise
from .optimizer import Optimizer, in_blocks, steady


class Adagrad(Optimizer):
    """Rates that shrink with the sum of squared gradients so far.

    s ← s + g²;  p ← p - lr / (1 + (t-1)·lr_decay) · g / (√s + eps)

    Source: Duchi, Hazan, Singer 2011; https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        defaults = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize}
        super().__init__(params, {**defaults, "initial_accumulator_value": initial_accumulator_value}, **options)

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "sum" not in state:
            state.update(step=0, sum=np.full_like(p, group["initial_accumulator_value"]))
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        state["sum"] += g * g
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        p -= rate * g / (np.sqrt(state["sum"]) + group["eps"])


class Adadelta(Optimizer):
    """Steps in the parameters' own units: the ratio of what it moved lately to the gradients lately.

    s ← rho·s + (1-rho)·g²;  d = g·√(u + eps) / √(s + eps);  u ← rho·u + (1-rho)·d²;  p ← p - lr·d

    Source: Zeiler 2012; https://pytorch.org/docs/stable/generated/torch.optim.Adadelta.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        if not 0 <= rho <= 1:
            raise ValueError(f"Adadelta: rho must be in [0, 1], not {rho}.")
        super().__init__(
            params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}, **options
        )

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "square_avg" not in state:
            state.update(step=0, square_avg=np.zeros_like(p), acc_delta=np.zeros_like(p))
        state["step"] += 1
        s, u, rho, eps = state["square_avg"], state["acc_delta"], group["rho"], group["eps"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        s *= rho
        s += (1 - rho) * g * g
        d = g * np.sqrt(u + eps) / np.sqrt(s + eps)
        u *= rho
        u += (1 - rho) * d * d
        p -= group["lr"] * d


class RMSprop(Optimizer):
    """Gradients divided by the root of their recent mean square.

    s ← alpha·s + (1-alpha)·g²;  p ← p - lr·g / (√s + eps);   centered: √(s - ḡ²) with the recent mean ḡ;  momentum as in SGD

    Source: Hinton's lecture 6e, 2012; https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        defaults = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, {**defaults, "centered": centered, "maximize": maximize}, **options)

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "square_avg" not in state:
            state.update(step=0, square_avg=np.zeros_like(p))
        state["step"] += 1
        s, alpha = state["square_avg"], group["alpha"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        s *= alpha
        s += (1 - alpha) * g * g
        if group["centered"]:
            mean = state.setdefault("grad_avg", np.zeros_like(p))
            mean += (1 - alpha) * (g - mean)
            s = s - mean * mean
        d = g / (np.sqrt(s) + group["eps"])
        if group["momentum"]:
            v = state.setdefault("momentum_buffer", np.zeros_like(p))
            v *= group["momentum"]
            v += d
            d = v
        p -= group["lr"] * d


class _OfMeans(Optimizer):
    """With running means that are divided by 1 - βᵗ, as they start at zero."""

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        betas = group["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"{type(self).__name__}: betas are two numbers, such as (0.9, 0.999), not {betas!r:.80}.")
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ValueError(f"{type(self).__name__}: betas[{i}] must be in [0, 1), not {beta}.")


class Adam(_OfMeans):
    """The mean of recent gradients divided by the root of their mean square, both corrected for starting at zero.

    m ← β₁·m + (1-β₁)·g;  v ← β₂·v + (1-β₂)·g²;  p ← p - lr·(m / (1-β₁ᵗ)) / (√(v / (1-β₂ᵗ)) + eps);  amsgrad: the largest v so far

    Source: Kingma, Ba 2015; https://pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    decoupled = False  # weight decay is part of the gradient

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **options: Any,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, {**defaults, "decoupled_weight_decay": decoupled_weight_decay or self.decoupled}, **options)

    @elementwise
    @steady
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "exp_avg" not in state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = state["exp_avg_sq"].copy()
        state["step"] += 1
        beta1, new1, beta2, new2, eps, rate, keep = self.factors(p, state, group)
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                p *= keep
            else:
                g = g + group["weight_decay"] * p
        largest = state.get("max_exp_avg_sq", p)  # of the second moments, with amsgrad
        for here, slope, m, v, top in in_blocks(p, g, state["exp_avg"], state["exp_avg_sq"], largest):
            m *= beta1
            change = np.multiply(slope, new1, out=np.empty_like(slope))
            m += change
            v *= beta2
            np.multiply(slope, slope, out=change)
            change *= new2
            v += change
            if group["amsgrad"]:
                np.maximum(top, v, out=top)
            np.sqrt(top if group["amsgrad"] else v, out=change)
            change += eps
            np.divide(m, change, out=change)
            change *= rate
            here -= change

    def factors(self, p: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, ...]:
        """The numbers of this step: β₁, 1-β₁, β₂, 1-β₂, eps and rate with both corrections in them, 1 - lr·weight_decay."""
        dtype = p.dtype if type(p) is np.ndarray else None
        return _factors(float(group["lr"]), *group["betas"], group["eps"], group["weight_decay"], int(state["step"]), dtype)


@functools.lru_cache(maxsize=64)
def _factors(lr: float, beta1: float, beta2: float, eps: float, decay: float, step: int, dtype: Any) -> tuple[Any, ...]:
    """What `Adam.factors` returns, made once a step, not for each parameter: a quarter of its time for small ones.

    Both corrections are taken out of the root and the fraction: (lr·√c₂ / c₁) · m / (√v + eps·√c₂) with c = 1 - βᵗ.
    """
    unbias = math.sqrt(1 - beta2**step)
    factors = beta1, 1 - beta1, beta2, 1 - beta2, eps * unbias, lr / (1 - beta1**step) * unbias, 1 - lr * decay
    return factors if dtype is None else tuple(np.array(factor, dtype) for factor in factors)  # see backend.number


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: p ← p - lr·weight_decay·p, then Adam's step.

    Source: Loshchilov, Hutter 2019; https://pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, **options)


class Adamax(_OfMeans):
    """Adam with the largest recent gradient in place of the root mean square.

    m ← β₁·m + (1-β₁)·g;  u ← max(β₂·u, |g| + eps);  p ← p - lr / (1-β₁ᵗ) · m / u

    Source: Kingma, Ba 2015; https://pytorch.org/docs/stable/generated/torch.optim.Adamax.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}, **options
        )

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "exp_avg" not in state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_inf=np.zeros_like(p))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        state["exp_avg"] += (1 - beta1) * (g - state["exp_avg"])
        state["exp_inf"][...] = np.maximum(beta2 * state["exp_inf"], np.abs(g) + group["eps"])
        p -= group["lr"] / (1 - beta1 ** state["step"]) * state["exp_avg"] / state["exp_inf"]


class NAdam(_OfMeans):
    """Adam with Nesterov's look ahead.

    μₜ = β₁·(1 - 0.96^(t·momentum_decay) / 2);  p ← p - lr·(μₜ₊₁·m / (1 - Π μ·μₜ₊₁) + (1-μₜ)·g / (1 - Π μ)) / (√(v / (1-β₂ᵗ)) + eps)

    Source: Dozat 2016; https://pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        super().__init__(params, {**defaults, "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}, **options)

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "exp_avg" not in state:
            state.update(step=0, mu_product=1.0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        state["step"] += 1
        t, (beta1, beta2), lr = state["step"], group["betas"], group["lr"]
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                p *= 1 - lr * group["weight_decay"]
            else:
                g = g + group["weight_decay"] * p
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * group["momentum_decay"]))
        state["mu_product"] *= mu
        root = np.sqrt(v / (1 - beta2**t)) + group["eps"]
        p -= lr * (1 - mu) / (1 - state["mu_product"]) * g / root
        p -= lr * mu_next / (1 - state["mu_product"] * mu_next) * m / root


class RAdam(_OfMeans):
    """Adam that starts as plain momentum until the variance of its rates is known well enough.

    ρ = ρ∞ - 2t·β₂ᵗ / (1-β₂ᵗ), ρ∞ = 2 / (1-β₂) - 1;  for ρ > 5 Adam's step times √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)), else p ← p - lr·m / (1-β₁ᵗ)

    Source: Liu et al. 2020; https://pytorch.org/docs/stable/generated/torch.optim.RAdam.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**defaults, "decoupled_weight_decay": decoupled_weight_decay}, **options)

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "exp_avg" not in state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        state["step"] += 1
        t, (beta1, beta2), lr = state["step"], group["betas"], group["lr"]
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                p *= 1 - lr * group["weight_decay"]
            else:
                g = g + group["weight_decay"] * p
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        step = lr * m / (1 - beta1**t)
        if length > 5:
            rectify = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            step = step * rectify * math.sqrt(1 - beta2**t) / (np.sqrt(v) + group["eps"])
        p -= step
