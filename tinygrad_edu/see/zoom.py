"""zoom: one operation on tensors as the operations on single numbers that it is made of.

An operation's forward computation says how; it is run once more, on NumPy arrays whose elements are tensors of one element each.
What it does with them is recorded as always, and that record is the scalar graph. A recurrent layer, which is one operation too,
opens into its steps in time instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..autograd import engine, gradients
from ..autograd.function import is_function
from ..errors import GraphError
from ..grad_mode import enable_grad
from ..op import recording
from ..ops.creation import tensor
from ..ops.joining import cat
from ..ops.recurrent import STEP, step_by_step, together
from ..ops.shape import axes
from ..tensor import Tensor, wrap
from .format import Trace
from .plain import on_cpu
from .style import shape_text
from .trace import Tracer, trace

ELEMENTS = 64  # of each tensor that goes in or comes out
NODES = 150
EXPANDED = 4  # rows of a matrix whose determinant is written out: one of 5 rows has 120 products
ROOM = 600  # numbers, of all the operations of a graph that a page lets open
STEPS = 10  # in time, of a recurrent layer that a page lets open


class ZoomError(ValueError):
    """An operation that cannot be opened into single numbers, or not readably."""


def zoom(z: Tensor, loss: Tensor | None = None) -> Trace:
    """The operation that made `z`, opened into operations on single numbers: a trace to draw, play or step through.

    The output of an RNN, LSTM or GRU layer, which is one operation for the whole sequence, opens into one group for each step
    in time; of several layers, the last one.

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
    if not isinstance(z, Tensor):
        raise TypeError(f"zoom takes a tensor that an operation made, not a {type(z).__name__}.")
    if z.op is None:
        raise GraphError("zoom opens what a recorded operation made; this tensor is a leaf, or was computed without recording.")
    z = _layer_behind(z)
    gradient = _gradient(z, loss) if z.requires_grad else None
    return _opened(z, Tracer(z, None, backward=False).names, gradient)


def openings(tracer: Tracer, whole: Trace) -> tuple[dict[str, Trace], dict[str, str]]:
    """What the operations of a graph open into, by node, the smallest first and as many as a page has room for; and why the
    others stay closed.

    tracer: what made the trace `whole`, and so knows the tensors.
    """
    gradients = {step.node: tracer.arrays[step.after] for step in whole.steps if step.kind == "visit" and step.after is not None}
    found: dict[str, Trace] = {}
    closed: dict[str, str] = {}
    room = ROOM
    too_large = set()  # operations of which one of these shapes had no room: the next one like it is not even opened
    for z in sorted(tracer.order, key=_size):
        node, name = tracer.ids[z], tracer.names[z]
        kind = z.op, z.shape, *(x.shape for x in z.inputs if isinstance(x, Tensor))
        no_room = f"This page has no room for more numbers; play(zoom({name})) opens this one on a page of its own."
        if kind in too_large:
            closed[node] = no_room
            continue
        try:
            _refuse_trifles(z, name)
            opened = _opened(z, tracer.names, gradients.get(node))
        except ZoomError as error:
            closed[node] = str(error)
            continue
        if not any(inner.op not in (None, "cat") for inner in opened.nodes):
            closed[node] = f"{z.op.name} only passes numbers on: there is nothing computed inside."  # type: ignore[union-attr]
        elif len(opened.nodes) > room:
            closed[node] = no_room
            too_large.add(kind)
        else:
            room -= len(opened.nodes)
            found[node] = opened
    return found, closed


def _size(z: Tensor) -> int:
    return z.array.size + sum(x.array.size for x in z.inputs if isinstance(x, Tensor))


def _refuse_trifles(z: Tensor, name: str) -> None:
    """Refuse what a page has no use for, or no room, before any work is done."""
    assert z.op is not None
    if all(x.array.size == 1 for x in [z, *z.inputs] if isinstance(x, Tensor)):
        raise ZoomError(f"{name} is made of single numbers already.")
    if z.op.name in STEP and len(z.values[0]) > STEPS:
        raise ZoomError(
            f"{z.op.name} has {len(z.values[0])} steps in time, and a page opens up to {STEPS}; play(zoom({name})) opens them all."
        )


def _opened(z: Tensor, names: Mapping[Tensor, str], gradient: Any) -> Trace:
    """The operation that made z as a graph of its own, with this gradient to start from; None: forwards only."""
    assert z.op is not None
    if is_function(z.op):
        raise ZoomError(f"{z.op.name} is an autograd.Function, whose forward records nothing: there is nothing to open.")
    named = _names(z, names)
    over_time = z.op.name in STEP
    inputs = [x for x in z.inputs if isinstance(x, Tensor)][: 1 if over_time else None]
    what = f"{z.op.name} of {' and '.join(shape_text(x.shape) for x in inputs)}"
    whole = _steps_in_time(z, named) if over_time else _in_numbers(z, named, what)
    for node in engine.topological_order([whole], to_look_at=True):
        node.made_at = None  # no line of the learner's says what is in an operation
    if whole.array.size > 1:
        whole.name, whole.made_at = named[z], z.made_at
    title = f"{named[z]}: {what}, {'step by step' if over_time else 'number by number'}"
    if gradient is None or not whole.requires_grad:
        return trace(whole, title=title, backward=False)
    return trace(whole, wrap(on_cpu(gradient).reshape(whole.shape)), title=title)


def _layer_behind(z: Tensor) -> Tensor:
    """The operation of a recurrent layer, of whose result z is a part: the layer gives its output cut out and turned."""
    x = z
    while x.op is not None and x.op.name in ("index", "permute") and x.made_at == z.made_at:
        x = x.inputs[0]
    return x if x.op is not None and x.op.name in STEP else z


def _names(z: Tensor, names: Mapping[Tensor, str]) -> dict[Tensor, str]:
    """What the learner calls z and its inputs; else what the operation's formula calls them."""
    assert z.op is not None
    found = {x: names[x] for x in [*z.inputs, z] if isinstance(x, Tensor)}
    taken = set(names.values())
    arguments = z.op.inputs if not z.op.variadic else [f"x{i}" for i in range(len(z.inputs))]
    for x, argument in [*zip(z.inputs, arguments, strict=True), (z, "z")]:
        if isinstance(x, Tensor) and re.fullmatch(r"v\d+", found[x]) and argument not in taken:
            found[x] = argument
    return found


# -- number by number ----------------------------------------------------------------------------------------------------
def _in_numbers(z: Tensor, named: dict[Tensor, str], what: str) -> Tensor:
    """The elements of z, each made from elements of its inputs, joined to one tensor if there are several."""
    assert z.op is not None
    if z.array.size == 0:
        raise ZoomError(f"{named[z]} has no elements: there is nothing to open.")
    if max(z.array.size, *(x.array.size for x in z.inputs if isinstance(x, Tensor))) > ELEMENTS:
        raise ZoomError(f"zoom shows tensors of up to {ELEMENTS} elements; this is {what}. Take a few rows and columns of each.")
    inputs = [
        _elements(x, named[x]) if isinstance(x, Tensor) and x.dtype.kind == "f" else v
        for x, v in zip(z.inputs, z.values, strict=True)
    ]
    parts = _computed(z, inputs, what)
    for index, part in np.ndenumerate(parts):
        if not isinstance(part, Tensor):  # a number that no input has a part in: the zeros of a triangle, or padding
            parts[index] = tensor(np.asarray([part], z.dtype), name=_spot(named[z], index))
        elif part.op is not None:
            part.name = _spot(named[z], index)
    flat = parts.reshape(-1).tolist()
    whole = cat(flat) if len(flat) > 1 else flat[0]
    order = engine.topological_order([whole])
    count = len(engine.leaves(order) + order)
    if count > NODES:
        raise ZoomError(f"zoom shows up to {NODES} numbers; {what} needs {count}. Take fewer rows and columns.")
    return whole


def _elements(x: Tensor, name: str) -> np.ndarray:
    """An array of tensors of one element each, called x[0, 0], x[0, 1] ..."""
    parts = np.empty(x.shape, object)
    for index, value in np.ndenumerate(x.numpy(force=True)):
        parts[index] = tensor(np.asarray([value]), requires_grad=x.requires_grad, name=_spot(name, index))
    return parts


def _computed(z: Tensor, inputs: list[Any], what: str) -> np.ndarray:
    """The operation on these arrays of tensors: as its forward computation does it, or else element by element; refused unless
    that gives what it gave before."""
    for compute in (_form, _forward, _each) if z.op.name in FORMS else (_forward, _each):  # type: ignore[union-attr]
        parts = np.empty(z.shape, object)
        try:
            with enable_grad():
                compute(z, inputs, parts)
            values = [float(part) for part in parts.flat]
        except ZoomError:
            raise
        except Exception:  # whatever NumPy cannot do with arrays of objects
            continue
        if np.allclose(values, z.numpy(force=True).reshape(-1), rtol=1e-4, atol=1e-6, equal_nan=True):
            return parts
    raise ZoomError(
        f"{what} is not made of arithmetic on single numbers alone, so it cannot be opened. explain(x, element=...) follows one "
        "element of a gradient through it all the same."
    )


def _forward(z: Tensor, inputs: list[Any], parts: np.ndarray) -> None:
    _fill(parts, z.op.forward(*inputs, **z.settings))  # type: ignore[union-attr]


def _form(z: Tensor, inputs: list[Any], parts: np.ndarray) -> None:
    _fill(parts, FORMS[z.op.name](*inputs, **z.settings))  # type: ignore[union-attr]


def _fill(parts: np.ndarray, found: Any) -> None:
    if isinstance(found, np.ndarray):
        parts.reshape(-1)[:] = found.reshape(-1)
    else:
        parts[()] = found


def _det(x: np.ndarray) -> Any:
    """Expanded along the first row."""
    if len(x) > EXPANDED:
        raise ZoomError(f"zoom writes out determinants of up to {EXPANDED} rows; this matrix has {len(x)}.")
    if len(x) == 1:
        return x[0, 0]
    products = [x[0, j] * _det(_without(x, 0, j)) for j in range(len(x))]
    total = products[0]
    for j, product in enumerate(products[1:], 1):
        total = total - product if j % 2 else total + product
    return total


def _without(x: np.ndarray, row: int, column: int) -> np.ndarray:
    return np.delete(np.delete(x, row, 0), column, 1)


def _inv(x: np.ndarray) -> np.ndarray:
    """Each cofactor, transposed, over the determinant."""
    whole = _det(x)
    z = np.empty(x.shape, object)
    for i, j in np.ndindex(x.shape):
        cofactor = _det(_without(x, j, i)) if len(x) > 1 else 1
        z[i, j] = (cofactor if (i + j) % 2 == 0 else -cofactor) / whole
    return z


# Formulas of operations whose forward computation is written otherwise: to be safe from overflow, or by a library.
FORMS: dict[str, Callable] = {
    "logsumexp": lambda x, dim, keepdim: np.log(np.sum(np.exp(x), axis=axes(dim, x.ndim), keepdims=True)),
    "p_norm": lambda x, ord, dim, keepdim: np.sqrt(np.sum(x * x, axis=dim, keepdims=True)),  # the 2-norm
    "max_pool": lambda x, windows: windows.stages(x, np.maximum, -np.inf)[-1],
    "det": _det,
    "inv": _inv,
    "solve": lambda a, b: _inv(a) @ b,
}


def _each(z: Tensor, inputs: list[Any], parts: np.ndarray) -> None:
    operation = recording(z.op)  # type: ignore[arg-type]
    spread = np.broadcast_arrays(*inputs)
    for index in np.ndindex(z.shape):
        parts[index] = operation(*(x[index] for x in spread), **z.settings)


def _spot(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _gradient(z: Tensor, loss: Tensor | None) -> Any:
    if loss is None:
        return np.ones_like(z.array)
    for step in gradients.steps(loss):
        if step.kind == "visit" and step.node is z:
            return step.after
    raise GraphError("zoom: the loss was not made from this tensor.")


# -- recurrent layers, step by step --------------------------------------------------------------------------------------
def _steps_in_time(z: Tensor, named: dict[Tensor, str]) -> Tensor:
    """What RNN, LSTM or GRU does over a sequence, step by step: each step is a group, and what it makes has its name."""
    assert z.op is not None
    inputs: list[Any] = []
    for argument, x, value in zip(z.op.inputs, z.inputs, z.values, strict=True):
        if isinstance(x, Tensor):
            twice = any(named[x] == other.name for other in inputs if other is not None)  # the zeros that h and c begin with, say
            inputs.append(tensor(value, requires_grad=x.requires_grad, name=argument if twice else named[x]))
        else:
            inputs.append(x)
    with enable_grad():
        made = list(step_by_step(z.op.name, inputs, z.settings))
        for t, step in enumerate(made):
            for name, part in step.items():
                part.name = f"{named[z] if name == 'h' else name}[{t}]"
        return together(made, z.settings)
