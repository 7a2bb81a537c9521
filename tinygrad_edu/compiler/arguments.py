"""What a compiled function is called with: the kinds of its arguments, for each of which there is a plan, and the arrays among them."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dtypes import get_default_dtype
from ..grad_mode import grad_mode
from ..tensor import Tensor, raw
from ..trees import parts_of
from ..views import refresh
from .lines import CompileError

if TYPE_CHECKING:
    from .tape import Tape


def kind_of_call(args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, list[Any]]:
    """For which kind of call a plan is made, and the tensors and arrays among the arguments."""
    given: list[Any] = []
    key: tuple = (get_ident(), grad_mode.enabled, get_default_dtype())  # a plan has memory for one thread
    for x in args:
        key += (_key(x, given),)
    for name in kwargs:
        key += (name, _key(kwargs[name], given))
    if len(given) > 1:
        arrays = list(map(raw, given))
        if len(set(map(id, arrays))) < len(arrays):  # f(x, x) is another plan than f(x, y)
            key += (tuple(next(i for i, x in enumerate(arrays) if x is array) for array in arrays),)
    return key, given


def _key(x: Any, given: list[Any]) -> Any:
    """What a plan is made for: kind, shape and dtype of tensors, other arguments themselves. Collects tensors and arrays."""
    if isinstance(x, Tensor):
        if x.base is not None:
            refresh(x)
        given.append(x)
        return type(x), x.array.shape, x.array.dtype, x._requires_grad, x.op is None
    if isinstance(x, np.ndarray):
        given.append(x)
        return x.shape, x.dtype
    if isinstance(x, tuple | list):
        return (type(x), *[_key(part, given) for part in x])
    if (parts := parts_of(x)) is not None:  # a dict or dataclass
        return (type(x), *[((type(name), name), _key(part, given)) for name, part in parts.items()])
    if type(x) is float:
        return repr(x)  # which tells 0.0 from -0.0, and NaN from nothing
    if isinstance(x, slice):
        return slice, x.start, x.stop, x.step
    if isinstance(x, set):
        return set, frozenset(x)
    if x.__hash__ is None:
        raise CompileError(
            f"an argument is a {type(x).__name__}, which cannot be compared with that of another call; pass tensors."
        )
    return type(x), x


def refuse_overlaps(tape: Tape) -> None:
    """Refuse to change an argument in whose memory another one lies: a plan reads copies of them."""
    changed = [array for x, array in zip(tape.arguments, tape.arrays, strict=True) if tape.changes(x)]
    if any(x is not y and np.may_share_memory(x, y) for x in changed for y in tape.arrays):
        raise CompileError("an argument is changed in place and shares memory with another one. Pass a clone() of it.")
