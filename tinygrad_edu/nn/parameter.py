"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..clock import tick
from ..tensor import Tensor, to_array


def _array(name: str, data: Any) -> Any:
    """The array of a tensor, shared, or of other numbers; an integer alone would be a size."""
    if isinstance(data, Tensor):
        return to_array(data, None, None, copy=False)
    if isinstance(data, int | np.integer):
        raise TypeError(
            f"{name} takes a tensor, not {data!r}: write {name}(tensor({float(data)})), or for a size {name}(zeros({data}))."
        )
    return Tensor(data).array


class Parameter(Tensor):
    """A tensor that a `Module` finds in its attributes and an optimizer changes; it requires grad and shares its data's memory.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        self.array = _array("Parameter", np.empty(0, "float32") if data is None else data)
        self.serial = tick()
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo: dict) -> Parameter:
        """A parameter with the same numbers, and without a gradient: so a copy of a model begins anew."""
        copy: Any = super().__deepcopy__(memo)
        copy._grad = None
        return copy

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that belongs to a module's state without being trained, as batch norm's running mean.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
    """

    persistent = True  # whether it belongs to the state_dict

    def __init__(self, data: Any, *, persistent: bool = True) -> None:
        self.array = _array("Buffer", data)
        self.persistent = persistent


def as_buffer(tensor: Tensor, persistent: bool) -> Buffer:
    """The very same tensor, its history included, marked as a buffer."""
    tensor.__class__ = Buffer
    tensor.persistent = persistent  # type: ignore[attr-defined]
    return tensor  # type: ignore[return-value]
