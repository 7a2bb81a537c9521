"""What the backward pass says when it cannot go on, with the operation and the line where the learner wrote it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..callsite import source_line
from ..errors import GraphError, describe, takes_for_tensors
from ..op import Op
from ..tensor import Tensor

SPENT = (
    "backward() already went through this graph (at {}). A graph is used up by its first backward pass: compute the loss "
    "again; to add several losses, sum them and call backward once; what goes on from step to step, as the state of a recurrent "
    "network, take without its history, h = h.detach(); or call the first backward with retain_graph=True."
)
RELEASED = (
    "this graph was too large to be kept after backward() (at {}), so there is nothing to look at any more. Look at it before "
    "backward, or call backward(retain_graph=True)."
)


def name_of(node: Tensor) -> str:
    """The operation that made a tensor, and where: `mul (file.py:3: z = x * y)`."""
    made = source_line(node.made_at)
    return node.op.name + (f" ({made})" if made else "")  # type: ignore[union-attr]


def rule_name(node: Tensor, slot: int) -> str:
    """The rule that makes the gradient of an input: `the rule dx of mul (file.py:3: z = x * y)`."""
    this = node.op
    assert this is not None
    return f"the rule d{this.inputs[slot]} of {name_of(node)}" if this.joint is None else f"the joint rule of {name_of(node)}"


def as_gradient(raw: Any, node: Tensor, slot: int, create_graph: bool) -> Any:
    """What a rule returned, if it is a gradient: an array, or with `create_graph` a tensor. A tensor among arrays is as good as one."""
    if isinstance(raw, Tensor):
        return raw if create_graph else raw.array
    if raw is None:
        raise GraphError(
            f"{rule_name(node, slot)} returned None. Is a `return` missing? For an input that gets no gradient, leave the rule out."
        )
    if not hasattr(raw, "shape"):
        raise GraphError(
            f"{rule_name(node, slot)} returned a {type(raw).__name__}, {raw!r:.60}. A rule returns an array of its input's shape "
            "(a tensor when it is called with tensors)."
        )
    if create_graph:
        raise GraphError(
            f"{rule_name(node, slot)} was called with tensors, as for every derivative of a derivative, and returned an array, "
            "whose own derivative nobody knows. Call functions in it that take both, as tg.exp(x), and not NumPy's."
        )
    return raw


def explained(error: Exception, node: Tensor) -> Exception:
    """A failure of the walk at `node`, with the operation whose rule failed and the line where the learner wrote it."""
    if isinstance(error, TypeError) and node.op is not None:
        for slot, rule in enumerate(node.op.rules if node.op.joint is None else [node.op.joint]):
            if rule is not None and not _accepts(rule, node):
                return GraphError(
                    f"{rule_name(node, slot)} takes {inspect.signature(rule)} and must take ({_arguments(node.op)}): the gradient g "
                    "of the result, the result z, then every input, and every setting by its name."
                )
    if takes_for_tensors(error):
        error.add_note(
            "A rule gets arrays (and tensors for derivatives of derivatives): call functions in it, which take both, as in "
            "tg.mean(g, 0, keepdim=True), and no methods of tensors."
        )
    if node.op is not None and name_of(node) not in str(error):
        error.add_note(f"in the rule of {name_of(node)}, whose result is {describe(node)}")
    return error


def _accepts(rule: Callable, node: Tensor) -> bool:
    try:
        inspect.signature(rule).bind(None, node.array, *node.values, **dict.fromkeys(_settings(node.op)))  # type: ignore[arg-type]
    except TypeError:
        return False
    except ValueError:  # a function that is not written in Python does not say what it takes
        return True
    return True


def _settings(this: Op) -> list[str]:
    """What a rule gets by name."""
    return [*this.settings, *([this.keeps] if this.keeps else [])]


def _arguments(this: Op) -> str:
    """What a rule gets, as in `g, z, x, dim`."""
    *inputs, last = this.inputs
    return ", ".join(["g", "z", *inputs, f"*{last}" if this.variadic else last, *_settings(this)])


def warn_of_nan(roots: Sequence[Tensor], complete: dict[Tensor, Any]) -> None:
    """Where the loss is a number and a gradient is not, and where() chose: say how that comes about."""
    if not all(isinstance(root.array, np.ndarray) for root in roots):  # on a GPU, a look would mean to wait
        return
    if any(np.isnan(root.array).any() for root in roots):
        return
    for x, g in complete.items():
        if np.isnan(g.array if isinstance(g, Tensor) else g).any():
            warnings.warn(
                f"backward() made a NaN in the gradient of {describe(x)}. The loss is not NaN, and where() is on the way: the branch "
                "that it does not choose gets a gradient of 0, and 0·inf is NaN. Keep that branch finite too, for example "
                "where(c, f(where(c, x, 1)), 0). `with autograd.detect_anomaly():` names the operation.",
                stacklevel=5,
            )
            return
