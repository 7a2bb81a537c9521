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

    Where `forward` assigns another tensor to one of these names, that is found in the dict afterwards.

    Args:
        parameter_and_buffer_dicts: names as in `state_dict()`; what is not named keeps its own value.
        args: the arguments, as a tuple, or the only one.
        tie_weights: a tensor that the module holds under several names is replaced under all of them.
        strict: every parameter and buffer must be named.

    Raises:
        KeyError: a name that the module does not have, or with `strict` one that is missing.
        ValueError: a name in two dicts, or two tensors for one that is held under two names.

    >>> from tinygrad_edu import nn, ones, tensor
    >>> functional_call(nn.Linear(2, 1), {"weight": ones(1, 2), "bias": ones(1)}, ones(3, 2)).flatten()
    tensor([3., 3., 3.])

    Source: https://pytorch.org/docs/stable/generated/torch.func.functional_call.html
    """
    dicts = [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, Mapping) else parameter_and_buffer_dicts
    given = {name: value for part in dicts for name, value in part.items()}
    if len(given) < sum(map(len, dicts)):
        raise ValueError(
            f"functional_call: there is a name in several of the dicts, which hold {'; '.join(map(', '.join, dicts))}."
        )
    places = {
        f"{path}.{name}" if path else name: (owner, name, value)
        for path, owner in module.named_modules(remove_duplicate=False)
        for name, value in owner._own(Tensor)
    }
    if unknown := [name for name in given if name not in places]:
        raise KeyError(f"functional_call: {type(module).__name__} has no {', '.join(unknown)}; it has {', '.join(places)}.")
    replaced = _with_tied(given, places) if tie_weights else given
    if strict and (missing := [name for name in places if name not in replaced]):
        raise KeyError(f"functional_call with strict=True: {', '.join(missing)} is missing.")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    kinds = {owner: owner._in_place_of for owner, _, _ in places.values()}  # not empty within another functional_call
    try:
        for path, value in replaced.items():
            owner, name, own = places[path]
            vars(owner)[name] = value
            owner._in_place_of = {**owner._in_place_of, name: owner._in_place_of.get(name, type(own))}
        return module(*args, **(kwargs or {}))
    finally:
        for path, value in replaced.items():
            owner, name, own = places[path]
            for part in dicts:
                if isinstance(part, dict) and path in part and vars(owner)[name] is not value:
                    part[path] = vars(owner)[name]
            vars(owner)[name] = own
        for owner, before in kinds.items():
            vars(owner).pop("_in_place_of", None)
            if before:
                owner._in_place_of = before


def _with_tied(given: Mapping[str, Tensor], places: Mapping[str, tuple[Module, str, Tensor]]) -> dict[str, Tensor]:
    """What is given, under all the names of each tensor that the module holds under several."""
    by_tensor: dict[Tensor, str] = {}
    for name, value in given.items():
        first = by_tensor.setdefault(places[name][2], name)
        if given[first] is not value:
            raise ValueError(
                f"functional_call: {first} and {name} are one tensor of the module, and two different ones are given "
                "for them: leave one out, or call it with tie_weights=False."
            )
    return {name: given[by_tensor[own]] for name, (_, _, own) in places.items() if own in by_tensor}
