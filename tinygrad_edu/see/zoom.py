"""zoom: one operation on tensors as the operations on single numbers that it is made of.

An operation's forward computation says how; it is run once more, on NumPy arrays whose elements are tensors of one element each.
What it does with them is recorded as always, and that record is the scalar graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import engine
from ..errors import GraphError
from ..op import enable_grad, recording
from ..ops.joining import cat
from ..tensor import Tensor, wrap
from .style import shape_text
from .trace import Trace, _Tracer, on_cpu, trace

ELEMENTS = 64  # of each tensor that goes in or comes out
NODES = 150


class ZoomError(ValueError):
    """An operation that cannot be opened into single numbers, or not readably."""


def zoom(z: Tensor, loss: Tensor | None = None) -> Trace:
    """The operation that made `z`, opened into operations on single numbers: a trace to draw, play or step through.

    Args:
        z: what an operation made.
        loss: backward then starts with the gradient that this loss has for z; without it, with ones.

    Raises:
        ZoomError: too large to be readable, or an operation that is more than arithmetic on numbers (sorting, say).

    >>> from tinygrad_edu import tensor
    >>> from tinygrad_edu.see import zoom
    >>> x = tensor([[1.0, 2.0]], requires_grad=True)
    >>> w = tensor([[3.0], [4.0]], requires_grad=True)
    >>> z = x @ w
    >>> for node in zoom(z).nodes:
    ...     print(node.name, node.expr)
    x[0, 0] None
    w[0, 0] None
    x[0, 1] None
    w[1, 0] None
    v4 x[0, 0] * w[0, 0]
    v5 x[0, 1] * w[1, 0]
    z[0, 0] v4 + v5
    """
    if not isinstance(z, Tensor) or z.op is None:
        raise GraphError("zoom opens what a recorded operation made; this tensor is a leaf, or was computed without recording.")
    named = _Tracer(z, None, backward=False).names
    what = f"{z.op.name} of {' and '.join(shape_text(x.shape) for x in z.inputs if isinstance(x, Tensor))}"
    if max(z.array.size, *(x.array.size for x in z.inputs if isinstance(x, Tensor))) > ELEMENTS:
        raise ZoomError(f"zoom shows tensors of up to {ELEMENTS} elements; this is {what}. Take a few rows and columns of each.")
    inputs = [
        _elements(x, named[x]) if isinstance(x, Tensor) and x.dtype.kind == "f" else v
        for x, v in zip(z.inputs, z.values, strict=True)
    ]
    parts = _computed(z, inputs, what)
    for index, part in np.ndenumerate(parts):
        if part.op is not None:
            part.name = _spot(named[z], index)
    flat = parts.reshape(-1).tolist()
    whole = cat(flat) if len(flat) > 1 else flat[0]
    if len(flat) > 1:
        whole.name = named[z]
    order = engine.topological_order([whole])
    if len(order) > NODES:
        raise ZoomError(f"zoom shows up to {NODES} numbers; {what} needs {len(order)}. Take fewer rows and columns.")
    for node in order:
        node.made_at = z.made_at if node is whole and len(flat) > 1 else None  # no line of the learner's says the rest
    return trace(whole, wrap(_gradient(z, loss).reshape(-1)), title=f"{named[z]}: {what}, number by number")


def _elements(x: Tensor, name: str) -> np.ndarray:
    """An array of tensors of one element each, called x[0, 0], x[0, 1] ..."""
    parts = np.empty(x.shape, object)
    for index, value in np.ndenumerate(x.numpy(force=True)):
        parts[index] = Tensor(np.asarray([value]), requires_grad=x.requires_grad, name=_spot(name, index))
    return parts


def _computed(z: Tensor, inputs: list[Any], what: str) -> np.ndarray:
    """The operation on these arrays of tensors: as its forward computation does it, or else element by element; refused unless
    that gives what it gave before."""
    for compute in (_forward, _each):
        parts = np.empty(z.shape, object)
        try:
            with enable_grad():
                compute(z, inputs, parts)
            values = [part.item() for part in parts.flat]
        except Exception:  # whatever NumPy cannot do with arrays of objects
            continue
        if np.allclose(values, z.numpy(force=True).reshape(-1), rtol=1e-4, atol=1e-6, equal_nan=True):
            return parts
    raise ZoomError(f"{what} is not made of arithmetic on single numbers alone, so it cannot be opened.")


def _forward(z: Tensor, inputs: list[Any], parts: np.ndarray) -> None:
    found = z.op.forward(*inputs, **z.settings)  # type: ignore[union-attr]
    if z.ndim:
        parts[...] = found
    else:
        parts[()] = found


def _each(z: Tensor, inputs: list[Any], parts: np.ndarray) -> None:
    operation = recording(z.op)  # type: ignore[arg-type]
    spread = np.broadcast_arrays(*inputs)
    for index in np.ndindex(z.shape):
        parts[index] = operation(*(x[index] for x in spread), **z.settings)


def _spot(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _gradient(z: Tensor, loss: Tensor | None) -> np.ndarray:
    if loss is None:
        return np.ones_like(z.numpy(force=True))
    for step in engine.steps(loss):
        if step.kind == "visit" and step.node is z:
            return on_cpu(step.after)
    raise GraphError("zoom: the loss was not made from this tensor.")
