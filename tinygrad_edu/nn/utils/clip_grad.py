"""Gradient clipping: one steep place must not throw the parameters far away."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import kind
from ...grad_mode import no_grad
from ...ops.joining import stack
from ...ops.norms import vector_norm
from ...ops.reduction import all as all_
from ...tensor import Tensor


def _tensors(given: Tensor | Iterable[Tensor]) -> list[Tensor]:
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, Tensor) else [given]
    if wrong := [x for x in found if not isinstance(x, Tensor)]:
        raise TypeError(f"gradients are clipped of tensors, such as those of model.parameters(), and not of a {kind(wrong[0])}.")
    return found


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in _tensors(parameters) if p.grad is not None]


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all numbers in these tensors together.

    Args:
        norm_type: p of the norm, inf for the largest size.
        error_if_nonfinite: raise if it is NaN or infinite.
        foreach: taken for PyTorch's sake; it makes no difference here.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.get_total_norm.html
    """
    norm_type = float(norm_type)  # also "inf"
    found = _tensors(tensors)
    if not found:
        return Tensor(0.0)
    first = found[0]
    norms = [vector_norm(t, norm_type).to(first) for t in found]
    total = vector_norm(stack(norms), norm_type)
    if error_if_nonfinite and not all_(total.isfinite()).array:
        raise RuntimeError(
            f"the total norm of order {norm_type} is {total.item()}, so it cannot be clipped. Find out where it arises with "
            "autograd.detect_anomaly(), or pass error_if_nonfinite=False to scale by it all the same."
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients of parameters, whose total norm is known, to a total norm of at most `max_norm`.

    g ← g · min(1, max_norm / (norm + 1e-6))

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grads_with_norm_.html
    """
    if not float(max_norm) >= 0:
        raise ValueError(f"max_norm is the length that gradients may have, at least 0, and not {max_norm}.")
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for g in _gradients(parameters):
        g.mul_(scale.to(g))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together, in place, so that their total norm is at most `max_norm`; returns the norm before.

    g ← g · min(1, max_norm / (norm + 1e-6))

    Source: Pascanu et al. 2013; https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """
    parameters = _tensors(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


clip_grad_norm = clip_grad_norm_


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Cut every number of every gradient, in place, to [-clip_value, clip_value].

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html
    """
    if not float(clip_value) >= 0:
        raise ValueError(f"clip_value is the size that numbers of gradients may have, at least 0, and not {clip_value}.")
    for g in _gradients(parameters):
        g.clamp_(-float(clip_value), float(clip_value))
