"""Muon: momentum whose matrices are made orthogonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .optimizer import Optimizer


class Muon(Optimizer):
    """For matrices: momentum, brought near the closest orthogonal matrix by a few Newton-Schulz steps.

    v ← v + (1-momentum)·(g - v);  O ≈ U Vᵀ where g + momentum·(v - g) = U S Vᵀ;  p ← (1 - lr·weight_decay)·p - lr·√max(1, rows/columns)·O

    The orthogonal matrix is computed in the parameter's own precision (PyTorch uses bfloat16).

    Raises:
        ValueError: a parameter that is not a matrix.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; https://pytorch.org/docs/stable/generated/torch.optim.Muon.html
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f'Muon: adjust_lr_fn must be None, "original" or "match_rms_adamw", not {adjust_lr_fn!r}.')
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "eps": eps}
        super().__init__(
            params, {**defaults, "ns_coefficients": ns_coefficients, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        )

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(
                    f"Muon changes matrices only; a parameter of shape {p.shape} needs another optimizer, such as AdamW."
                )

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        v = state.setdefault("momentum_buffer", np.zeros_like(p))
        v += (1 - group["momentum"]) * (g - v)
        direction = g + group["momentum"] * (v - g) if group["nesterov"] else v
        rows, columns = p.shape
        ratio = (
            0.2 * math.sqrt(max(rows, columns))
            if group["adjust_lr_fn"] == "match_rms_adamw"
            else math.sqrt(max(1, rows / columns))
        )
        p *= 1 - group["lr"] * group["weight_decay"]
        p -= group["lr"] * ratio * orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])


def orthogonal(g: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Near the closest orthogonal matrix: X ← a·X + (b·XXᵀ + c·(XXᵀ)²)·X pushes every singular value towards 1."""
    a, b, c = coefficients
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / np.maximum(np.linalg.norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if g.shape[0] > g.shape[1] else x
