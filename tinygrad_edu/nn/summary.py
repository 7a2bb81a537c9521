"""summary: what a model is made of, as a table.

The model is run once, without recording, and each module notes what it returned. The table is plain data (`Summary.rows`) that
prints itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from .. import dtypes
from ..grad_mode import no_grad
from ..ops.creation import zeros
from ..tensor import Tensor
from ..trees import tensors
from .module import Module, keeping_mode
from .parameter import Parameter


@dataclass
class Row:
    """One module of the model.

    name: what its owner calls it; kind: its class; depth: 0 for the model itself.
    shapes: of what it returned, empty if it was not called.
    parameters: how many numbers it trains by itself; the modules inside it have their own rows.
    shared: it stood in an earlier row, so its parameters are counted there.
    """

    name: str
    kind: str
    depth: int
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    parameters: int = 0
    shared: bool = False


@dataclass
class Summary:
    """The rows, and what they add up to; printing it shows the table.

    arrays: how many parameters there are; parameters: how many numbers in them, of these `trainable` with requires_grad.
    bytes: of the parameters; buffer_bytes: of the buffers; output_bytes: of what the innermost modules returned.
    """

    rows: list[Row]
    arrays: int
    parameters: int
    trainable: int
    bytes: int
    buffer_bytes: int
    output_bytes: int

    def __str__(self) -> str:
        ran = bool(self.output_bytes)
        cells = [("Layer", "Output shape" if ran else "", "Parameters")]
        for row in self.rows:
            layer = "  " * row.depth + (f"{row.name}: " if row.name else "") + row.kind
            shapes = ", ".join(str(shape) for shape in row.shapes) or "not called"
            count = "shared" if row.shared else f"{row.parameters:_}" if row.parameters else "-"
            cells.append((layer, shapes if ran else "", count))
        widths = [max(len(line[column]) for line in cells) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in cells]
        rule = "─" * len(lines[0])
        frozen = self.parameters - self.trainable
        total = f"Total: {self.arrays} arrays, {self.parameters:_} parameters, {_size(self.bytes)}"
        details = [f"{frozen:_} of the parameters are frozen (requires_grad=False)"] if frozen else []
        details += [f"Buffers (not trained): {_size(self.buffer_bytes)}"] if self.buffer_bytes else []
        details += [f"Layers' outputs for this input: {_size(self.output_bytes)}"] if ran else []
        return "\n".join([lines[0], rule, *lines[1:], rule, total, *details])

    __repr__ = __str__


def _size(count: int) -> str:
    """A number of bytes as people read it, as 2.175 MiB: rounded up, because so much room is needed."""
    if count < 1024:
        return f"{count} bytes"
    power = 1 if count < 1024**2 else 2 if count < 1024**3 else 3
    return f"{math.ceil(1000 * count / 1024**power) / 1000:.3f} {' KMG'[power]}iB"


def summary(
    model: Module,
    input_shape: Any = None,
    *,
    input_data: Any = None,
    dtypes: Any = None,
    depth: int | None = None,
    device: Any = None,
) -> Summary:
    """Layers, output shapes, numbers of parameters and memory of a model.

    Args:
        model: the model; it is left as it was, in its mode, without hooks.
        input_shape: of the input, the batch size included: `(64, 1000)`; of several inputs `[(64, 1000), (64, 3)]`. The inputs are
            zeros. Without it and without input_data, only parameters are counted.
        input_data: the input itself, or a tuple of inputs, instead of its shape.
        dtypes: of the inputs, one or one each (default: that of the model's parameters); models that begin with an Embedding take
            `dtypes=int64`.
        depth: how deep to look into modules; default: all the way.
        device: of the inputs (default: that of the model's parameters).

    >>> from tinygrad_edu import nn
    >>> nn.summary(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), (1, 4))
    Layer        Output shape  Parameters
    ─────────────────────────────────────
    Sequential   (1, 3)                 -
      0: Linear  (1, 3)                15
      1: ReLU    (1, 3)                 -
    ─────────────────────────────────────
    Total: 2 arrays, 15 parameters, 60 bytes
    Layers' outputs for this input: 24 bytes
    """
    returned: dict[Module, list[Tensor]] = {}
    inputs = inputs_for(model, input_shape, input_data, dtypes, device)
    if inputs is not None:
        _run(model, inputs, returned)
    rows: list[Row] = []
    seen: set[Module] = set()

    def visit(module: Module, name: str, level: int) -> None:
        own = {p for _, p in module.named_parameters(recurse=False)}
        shapes = [tuple(t.shape) for t in returned.get(module, [])]
        row = Row(name, type(module).__name__, level, shapes, sum(p.numel() for p in own), module in seen)
        rows.append(row)
        seen.add(module)
        if depth is None or level < depth:
            for child_name, child in module._own(Module):
                visit(child, child_name, level + 1)
        else:
            row.parameters = sum(p.numel() for p in module.parameters())

    visit(model, "", 0)
    parameters, buffers = list(model.parameters()), list(model.buffers())
    innermost = [t for module, tensors in returned.items() if not any(module.children()) for t in tensors]
    return Summary(
        rows,
        arrays=len(parameters),
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        bytes=sum(p.array.nbytes for p in parameters),
        buffer_bytes=sum(b.array.nbytes for b in buffers),
        output_bytes=sum(t.array.nbytes for t in innermost),
    )


def inputs_for(model: Module, input_shape: Any, input_data: Any, kinds: Any, device: Any) -> tuple | None:
    """The inputs to run the model with, or None."""
    if input_data is not None:
        return tuple(input_data) if isinstance(input_data, tuple | list) else (input_data,)
    if input_shape is None:
        return None
    if isinstance(input_shape, Tensor):
        raise TypeError(
            f"summary(model, input_shape) takes a shape, {tuple(input_shape.shape)}, or the input itself as input_data=..."
        )
    if isinstance(input_shape, int):
        input_shape = (input_shape,)
    shapes = [input_shape] if not input_shape or isinstance(input_shape[0], int) else list(input_shape)
    if not isinstance(kinds, list | tuple):
        kinds = [kinds] * len(shapes)
    if len(kinds) != len(shapes):
        raise ValueError(f"summary: {len(shapes)} input shapes, but {len(kinds)} dtypes.")
    first: Parameter | None = next(model.parameters(), None)
    usual = dtypes.get_default_dtype() if first is None else first.dtype
    place = device if device is not None or first is None else first.device
    return tuple(zeros(*shape, dtype=kind or usual, device=place) for shape, kind in zip(shapes, kinds, strict=True))


def _run(model: Module, inputs: tuple, returned: dict[Module, list[Tensor]]) -> None:
    """Call the model in evaluation mode, so that nothing in it changes, and note what each module returned."""
    note = lambda module, args, z: returned.update({module: list(tensors(z))})
    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with keeping_mode(model), no_grad():
            model.eval()
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
