"""A module as a function of its parameters.

Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.stateless.functional_call.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...tensor import Tensor
from ..module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with these tensors in the places of its parameters and buffers of the same names; it stays as it is.

    Args:
        parameter_and_buffer_dicts: names as in `state_dict()`; what is not named keeps its own value.
        args: the arguments, as a tuple, or the only one.
        tie_weights: a tensor that the module holds under several names is replaced under all of them.
        strict: every parameter and buffer must be named.

    Raises:
        KeyError: a name that the module does not have, or with `strict` one that is missing.

    >>> from tinygrad_edu import nn, ones, tensor
    >>> functional_call(nn.Linear(2, 1), {"weight": ones(1, 2), "bias": ones(1)}, ones(3, 2)).flatten()
    tensor([3., 3., 3.])

    Source: https://pytorch.org/docs/stable/generated/torch.func.functional_call.html
    """
    dicts = [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, Mapping) else parameter_and_buffer_dicts
    given = {name: value for part in dicts for name, value in part.items()}
    places = {
        f"{path}.{name}" if path else name: (owner, name, value)
        for path, owner in module.named_modules(remove_duplicate=False)
        for name, value in owner._own(Tensor)
    }
    unknown, missing = [name for name in given if name not in places], [name for name in places if name not in given]
    if unknown or (strict and missing):
        raise KeyError(
            f"functional_call: {type(module).__name__} has no {', '.join(unknown)}; it has {', '.join(places)}."
            if unknown
            else f"functional_call with strict=True: {', '.join(missing)} is missing."
        )
    by_tensor = {places[name][2]: value for name, value in given.items()} if tie_weights else {}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    try:
        for path, (owner, name, own) in places.items():
            vars(owner)[name] = given.get(path, by_tensor.get(own, own))
        return module(*args, **(kwargs or {}))
    finally:
        for owner, name, own in places.values():
            vars(owner)[name] = own
