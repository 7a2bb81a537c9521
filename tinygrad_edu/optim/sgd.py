"""Gradient descent and its averaged form."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import number
from .gathered import elementwise
from .optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum (a running sum of gradients) if asked for.

    g ← g + weight_decay·p;  v ← momentum·v + (1 - dampening)·g;  p ← p - lr·v   (Nesterov: p ← p - lr·(g + momentum·v))

    Source: https://pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov's momentum needs momentum > 0 and dampening = 0.")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
            **options,
        )

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if momentum:
            v = state.get("momentum_buffer")
            if v is None:
                v = state["momentum_buffer"] = np.copy(g)  # an array even where g is a number
            else:
                v *= momentum
                v += (1 - group["dampening"]) * g
            g = g + momentum * v if group["nesterov"] else v
        p -= number(group["lr"], p) * g


class ASGD(Optimizer):
    """Gradient descent with a decaying rate, beside the average of the parameters so far (in `state["ax"]`).

    p ← p·(1 - lambd·η) - η·g;  ax ← ax + (p - ax)·μ;  η = lr / (1 + lambd·lr·t)^alpha;  μ = 1 / max(1, t - t0)

    Source: https://pytorch.org/docs/stable/generated/torch.optim.ASGD.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "maximize": maximize},
            **options,
        )

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "ax" not in state:
            state.update(step=0, eta=group["lr"], mu=1.0, ax=np.zeros_like(p))
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        p *= 1 - group["lambd"] * state["eta"]
        p -= state["eta"] * g
        state["ax"] += (p - state["ax"]) * state["mu"]
        state["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * state["step"]) ** group["alpha"]
        state["mu"] = 1 / max(1, state["step"] - group["t0"])


class Rprop(Optimizer):
    """Resilient backpropagation: a step size per number, which grows while the gradient keeps its sign and shrinks when it turns.

    s = sign(g·g_before);  η ← clamp(η·(η⁺ if s > 0, η⁻ if s < 0));  g ← 0 where s < 0;  p ← p - η·sign(g)

    Source: https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        **options: Any,
    ) -> None:
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Rprop: etas must be (below 1, above 1), not {etas}.")
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}, **options)

    @elementwise
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "prev" not in state:
            state.update(step=0, prev=np.zeros_like(p), step_size=np.full_like(p, group["lr"]))
        state["step"] += 1
        (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
        turned = np.sign(g * state["prev"])
        factor = np.where(turned > 0, grow, np.where(turned < 0, shrink, 1)).astype(p.dtype)
        state["step_size"][...] = np.clip(state["step_size"] * factor, least, most)
        g = g * (turned >= 0)
        p -= np.sign(g) * state["step_size"]
        state["prev"][...] = g
