"""Whether what an operation used is still what it was: changes in place, found by the clock that everything carries.

An operation carries the time it was recorded, changed memory the time of its last change (`clock.mark_changed`), and a tensor that
was changed with its history what it was before (`views.rebind`). So a use is compared with the changes since, and recording pays
nothing for it.
"""

from __future__ import annotations

import dis
import functools
from types import CodeType
from typing import Any

from ..clock import changed_since
from ..errors import GraphError, InplaceError, describe
from ..tensor import MAX_SWITCHES, Tensor, wrap
from ..views import earlier
from .function import is_function
from .messages import SPENT, name_of


def as_used(x: Tensor, node: Tensor) -> Tensor:
    """The input `x` as it was when `node` was made from it, before later changes; it takes x's place in the node."""
    used = x
    while used._changed_at > node.serial:
        if used.spent and not used.inputs:
            raise GraphError(SPENT.format(describe(used)))
        before = used._before
        if before is None:
            raise InplaceError(
                f"{name_of(node)} used a tensor that was overwritten in place, or changed by detach_(), since: {describe(used)}. "
                "The way back through its old value is lost; make a new tensor instead (x = x.detach(), x = zeros_like(x))."
            )
        used = before
    if used._requires_grad and not _required_grad(used, node.serial):
        used = wrap(used.array)
    node.inputs = tuple(used if y is x else y for y in node.inputs)
    return used


def as_taken(x: Any) -> Any:
    """What a rule is to compute with: a view whose base was changed since, with its history, as it was taken; it would follow the change."""
    follows = isinstance(x, Tensor) and x.base is not None and x.base[0].changed_at > x.serial
    return earlier(x) if follows else x


def _required_grad(leaf: Tensor, time: int) -> bool:
    """Whether a leaf required grad then: what an operation used before it was switched on was a constant."""
    later = sum(switch > time for switch in leaf._switched)
    if later == MAX_SWITCHES:
        raise GraphError(
            f"requires_grad of {describe(leaf)} was switched so often since an operation used it that backward() cannot tell "
            "what it was then. Call backward() before switching."
        )
    return leaf._requires_grad ^ (later % 2 == 1)


def check_unchanged(node: Tensor, on_path: set[Tensor] | None) -> None:
    """Raise if a value that the rules of this node will read was changed in place after the node was recorded."""
    for x, value in zip(node.inputs, node.values, strict=True):
        if isinstance(x, Tensor) and x.array.shape != value.shape:
            raise InplaceError(
                f"{name_of(node)} used a tensor of shape {value.shape}, whose data was replaced since by data of another shape: "
                f"{describe(x)}. Call backward() before that."
            )
    held = [(node.array, None), *zip(node.values, node.inputs, strict=True), *((value, None) for value in node.settings.values())]
    changed = [i for i, (value, x) in enumerate(held) if _changed(value, x, node.serial)]
    if not changed:
        return
    read = _values_needed(node, on_path)
    for i in changed:
        x = held[i][1]
        if i in read or i > len(node.values):
            what = "its result" if i == 0 else f"its input {describe(x)}" if isinstance(x, Tensor) else "a setting"
            raise InplaceError(
                f"{name_of(node)} needs a value for its gradient that was changed in place after it was used: {what}. "
                "Call backward(), or look at the graph, before changing it (an optimizer's step() changes weights); or change a copy "
                "(x = x.clone())."
            )


def _changed(value: Any, x: Any, time: int) -> bool:
    """Whether a value that was used then, or the data that the tensor it came from has now, was changed since."""
    if not hasattr(value, "strides"):  # a number or a dtype
        return False
    return changed_since(value, time) or (isinstance(x, Tensor) and changed_since(x.array, time))


def _values_needed(node: Tensor, on_path: set[Tensor] | None) -> frozenset[int]:
    """Which values the rules of this node will read: 0 is the output, 1 the first input ..."""
    this = node.op
    assert this is not None
    needed = [isinstance(x, Tensor) and x._requires_grad and (on_path is None or x in on_path) for x in node.inputs]
    if this.joint is not None:
        if is_function(this):
            return this.joint.__self__.values_read()
        rules = {this.joint} if any(needed) else set()
    else:
        rules = {rule for rule, need in zip(this.rules, needed, strict=True) if need and rule is not None}
    return frozenset().union(*(_values_read(getattr(rule, "__code__", None), len(node.values)) for rule in rules))


@functools.cache
def _values_read(code: CodeType | None, count: int) -> frozenset[int]:
    """Which values a rule reads, found in its bytecode: 0 is the output, 1 the first input ... Only asking a shape or a
    dtype does not count."""
    if code is None or code.co_flags & 0x04 or code.co_cellvars:  # *args, or names used in an inner function: assume all
        return frozenset(range(count + 1))
    names = code.co_varnames[1 : 2 + count]  # z and the inputs; g before and the settings behind them do not count
    found: set[int] = set()
    instructions = list(dis.get_instructions(code))
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        if instruction.opname.startswith("LOAD_FAST"):
            loaded = list(instruction.argval) if isinstance(instruction.argval, tuple) else [instruction.argval]
            asked = following is not None and following.opname == "LOAD_ATTR" and following.argval
            if asked in ("shape", "ndim", "dtype", "size"):
                loaded.pop()
            found.update(names.index(name) for name in loaded if name in names)
    return frozenset(found)
