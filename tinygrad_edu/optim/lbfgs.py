"""L-BFGS: steps that know the curvature, from the last few changes of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..clock import mark_changed
from ..grad_mode import enable_grad
from .optimizer import Optimizer, in_numbers


class LBFGS(Optimizer):
    """Newton's method with the inverse curvature estimated from the last `history_size` steps; `step` needs a closure.

    d = -H·g, where H is built from s = Δp and y = Δg by the two-loop recursion;  p ← p + t·d

    Args:
        lr: the first step length of each search (1 suits the method).
        max_iter, max_eval: iterations and evaluations of the closure in one `step` (max_eval default: 1.25·max_iter).
        tolerance_grad, tolerance_change: stop when the gradient, or the change of loss and parameters, is smaller.
        line_search_fn: None (fixed step) or "strong_wolfe".

    Source: Nocedal, Wright, Numerical Optimization, 2nd ed., algorithms 7.4, 3.5 and 3.6; https://pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
    """

    on_arrays = True

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f'LBFGS: line_search_fn must be None or "strong_wolfe", not {line_search_fn!r}.')
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS looks at all parameters together and takes one group only.")

    # The parameters and gradients as one long vector each.
    def _gradient(self) -> Any:
        params = self.param_groups[0]["params"]
        return np.concatenate([(p._grad.array if p._grad is not None else np.zeros_like(p.array)).ravel() for p in params])

    def _point(self) -> Any:
        return np.concatenate([p.array.ravel() for p in self.param_groups[0]["params"]])

    def _move_to(self, point: Any) -> None:
        start = 0
        for p in self.param_groups[0]["params"]:
            p.array[...] = point[start : start + p.array.size].reshape(p.array.shape)
            mark_changed(p.array)
            start += p.array.size

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise ValueError(
                "LBFGS evaluates the loss several times in a step: pass a closure that zeroes gradients, calls backward and returns the loss."
            )
        group, state = in_numbers(self.param_groups[0]), self.state[self.param_groups[0]["params"][0]]
        state.setdefault("steps", [])  # pairs (s, y), the oldest first
        state.setdefault("n_iter", 0)

        def evaluate() -> tuple[float, Any]:
            with enable_grad():
                value = float(closure())
            return value, self._gradient()

        with enable_grad():
            first = closure()
        loss, g = float(first), self._gradient()
        evaluations = 1
        if np.abs(g).max() <= group["tolerance_grad"]:
            return first
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            d = _direction(g, state, group["history_size"])
            loss_before, state["before"], state["d"] = loss, g, d
            t = min(1.0, 1.0 / float(np.abs(g).sum())) * group["lr"] if state["n_iter"] == 1 else group["lr"]
            slope = float(g @ d)
            state["t"] = t
            if slope > -group["tolerance_change"]:
                break
            point = self._point()
            if group["line_search_fn"] is None:
                self._move_to(point + t * d)
                if iteration < group["max_iter"]:
                    loss, g = evaluate()
                    evaluations += 1
            else:

                def along(t: float, point: Any = point, d: Any = d) -> tuple[float, Any]:
                    self._move_to(point + t * d)
                    return evaluate()

                most = group["max_eval"] - evaluations
                loss, g, t, used = strong_wolfe(along, t, d, loss, g, slope, group["tolerance_change"], most)
                self._move_to(point + t * d)
                evaluations += used
            state["t"] = t
            if (
                evaluations >= group["max_eval"]
                or np.abs(g).max() <= group["tolerance_grad"]
                or np.abs(t * d).max() <= group["tolerance_change"]
                or abs(loss - loss_before) < group["tolerance_change"]
            ):
                break
        return first


def _direction(g: Any, state: dict[str, Any], history_size: int) -> Any:
    """Where to go: against the gradient at first, then by the curvature that the last steps have shown, which are noted."""
    if state["n_iter"] == 1:
        return -g
    memory, y, s = state["steps"], g - state["before"], state["d"] * state["t"]
    if float(y @ s) > 1e-10:
        memory.append((s, y))
        del memory[:-history_size]
    return _two_loops(memory, g)


def _two_loops(memory: list[tuple[Any, Any]], g: Any) -> Any:
    """-H·g without ever forming H (algorithm 7.4)."""
    q = -g
    weights = []
    for s, y in reversed(memory):
        alpha = (s @ q) / (y @ s)
        weights.append(alpha)
        q = q - alpha * y
    if memory:
        s, y = memory[-1]
        q = q * ((y @ s) / (y @ y))
    for (s, y), alpha in zip(memory, reversed(weights), strict=True):
        q = q + (alpha - (y @ q) / (y @ s)) * s
    return q


def cubic_minimum(x1: float, f1: float, g1: float, x2: float, f2: float, g2: float, low: float, high: float) -> float:
    """Where the cubic through two points with these values and slopes is least, kept within [low, high] (equation 3.59)."""
    if x1 > x2:
        x1, f1, g1, x2, f2, g2 = x2, f2, g2, x1, f1, g1
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1 * d1 - g1 * g2
    if square < 0:
        return (low + high) / 2
    d2 = square**0.5
    return min(max(x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2)), low), high)


def strong_wolfe(
    along: Callable[[float], tuple[float, Any]], t: float, d: Any, f: float, g: Any, slope: float, tolerance: float, most: int
) -> tuple[float, Any, float, int]:
    """A step length at which the loss fell enough and the slope is flat enough (strong Wolfe conditions, c1 = 1e-4, c2 = 0.9).

    Returns the loss, the gradient, the step length and the number of evaluations. First a bracket is grown until it holds such
    a point (algorithm 3.5), then it is narrowed (algorithm 3.6), both by cubic interpolation, with at most `most` evaluations in all but the first.
    """
    c1, c2 = 1e-4, 0.9
    reach = float(np.abs(d).max())
    start = (0.0, f, g, slope)
    before, count = start, 0
    bracket: list[tuple[float, float, Any, float]] = []
    found = False
    f_new, g_new = along(t)
    evaluations = 1
    while count < most:
        now = (t, f_new, g_new, float(g_new @ d))
        if f_new > f + c1 * t * slope or (count > 1 and f_new >= before[1]) or (now[3] >= 0 and not abs(now[3]) <= -c2 * slope):
            bracket = [before, now]
            break
        if abs(now[3]) <= -c2 * slope:
            bracket, found = [now], True
            break
        longer = cubic_minimum(before[0], before[1], before[3], t, f_new, now[3], t + 0.01 * (t - before[0]), t * 10)
        before, t = now, longer
        f_new, g_new = along(t)
        evaluations += 1
        count += 1
    else:
        bracket = [start, (t, f_new, g_new, float(g_new @ d))]
    stalled = False
    low, high = (0, 1) if bracket[0][1] <= bracket[-1][1] else (1, 0)
    while not found and count < most:
        if abs(bracket[1][0] - bracket[0][0]) * reach < tolerance:
            break
        (t0, f0, _, s0), (t1, f1, _, s1) = bracket
        least, largest = min(t0, t1), max(t0, t1)
        t = cubic_minimum(t0, f0, s0, t1, f1, s1, least, largest)
        margin = 0.1 * (largest - least)
        if min(largest - t, t - least) < margin:  # too near an end: go inside, unless this is the first time
            if stalled or t >= largest or t <= least:
                t = largest - margin if abs(t - largest) < abs(t - least) else least + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        f_new, g_new = along(t)
        evaluations += 1
        count += 1
        now = (t, f_new, g_new, float(g_new @ d))
        if f_new > f + c1 * t * slope or f_new >= bracket[low][1]:
            bracket[high] = now
            low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        else:
            if abs(now[3]) <= -c2 * slope:
                found = True
            elif now[3] * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = now
    t, f_new, g_new, _ = bracket[low if len(bracket) > 1 else 0]
    return f_new, g_new, t, evaluations
