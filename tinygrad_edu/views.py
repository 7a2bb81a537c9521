"""Views: tensors that look at the memory of another one, and how they follow it when it is changed with its history.

A change in memory every view sees. A change that is recorded for backward overwrites nothing: the tensor gets a new value
(`rebind`), and its views are taken again when they are next used (`refresh`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .clock import tick
from .errors import InplaceError, describe

if TYPE_CHECKING:
    from .tensor import Tensor


class Anchor:
    """What all views of one tensor share: who it is, and when it last changed in place in a way that is recorded."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.contiguous = tensor.array.flags.c_contiguous  # else some operation (a convolution) chose another order
        self.changed_at = 0


def note_view(view: Tensor, x: Tensor, *way: tuple[Callable, dict[str, Any]]) -> None:
    """Note that `view` shares the memory of `x`, and the way there: the operation and its settings; none for detach()."""
    if x.base is None and x._anchor is None:
        x._anchor = Anchor(x)
    anchor, before = x.base or (x._anchor, ())
    view.base = anchor, (*before, *way) if way and before is not None else None
    view.serial = tick()


def refresh(view: Tensor) -> None:
    """Let a view follow its base, if that changed in place with its history since: the view is taken again.

    A change in memory needs none of this. A recorded one overwrites nothing (see `rebind`), so the view holds the old values.
    """
    anchor, way = view.base
    if anchor.changed_at <= view.serial:
        return
    base = anchor.tensor()
    if base is None or way is None:
        problem = "is gone" if base is None else "it shares memory with through detach() or data, which cannot follow"
        raise InplaceError(
            f"{describe(view)} is a view of a tensor that was changed in place, in a way that is recorded for backward, after the view "
            f"was taken, and that {problem}. Take the view after the change, or clone() it before."
        )
    from .grad_mode import enable_grad

    with enable_grad():
        rebind(view, earlier(view), look(base, way))


def look(base: Any, way: tuple) -> Any:
    """A view of a tensor (or array), or a view of a view ..., by the operations and settings that `note_view` noted."""
    for operation, settings in way:
        base = operation(base, **settings)
    return base


def earlier(target: Tensor) -> Tensor:
    """What a tensor is now, as a tensor that follows no other: what a change in place computes from, and what its uses until then find."""
    old: Tensor = object.__new__(type(target))
    old.array = target.array  # by assignment, as in every new tensor: a recording compiler knows it by that
    old.__dict__.update(target.__dict__)
    old.base = old._anchor = None
    return old


def rebind(target: Tensor, old: Tensor, result: Tensor) -> None:
    """Let `target` become `result`, a recorded function of `old = earlier(target)`: how a tensor with history changes in place.

    Nothing is overwritten. The old value lives on as an input of the result, with its history and its hooks, and what used the
    target before finds it there (`engine.as_used`).
    """
    retains, anchor = target._retains_grad, target._anchor
    target.__dict__ = {**result.__dict__, "name": target.name}
    target.serial = target._changed_at = tick()
    target._before = old
    if anchor is not None:
        target._anchor, anchor.changed_at = anchor, target.serial
    if retains:  # as in PyTorch, the gradient to retain is that of the latest value
        old._retains_grad = False
        target._retain()
