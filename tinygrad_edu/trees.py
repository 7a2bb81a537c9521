"""What functions take and return: tensors and other values, nested in tuples, lists, dicts and dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

from .tensor import Tensor


def parts_of(tree: Any) -> dict[Any, Any] | None:
    """What stands in a tuple, list, dict or dataclass, by number or name; None of a value.

    A dataclass that may be called (a module, say) or holds more than its fields is an object, and so a value.
    """
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    if isinstance(tree, Mapping):
        return dict(tree)
    if is_dataclass(tree) and not callable(tree):
        names = [field.name for field in fields(tree)]
        if getattr(tree, "__dict__", {}).keys() <= set(names):
            return {name: getattr(tree, name) for name in names}
    return None


def leaves(tree: Any) -> Iterator[Any]:
    """The values themselves, in order.

    >>> list(leaves([1, (2, {"three": 3})]))
    [1, 2, 3]
    """
    parts = parts_of(tree)
    if parts is None:
        yield tree
    else:
        for part in parts.values():
            yield from leaves(part)


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors among them."""
    return (x for x in leaves(tree) if isinstance(x, Tensor))


def pairs(tree: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Each value with the one in its place in another tree, which must be nested alike; ValueError if it is not.

    >>> list(pairs({"a": 1, "b": [2]}, {"b": [20], "a": 10}))
    [(1, 10), (2, 20)]
    """
    parts, others = parts_of(tree), parts_of(other)
    if parts is None and others is None:
        yield tree, other
    elif parts is None or others is None or parts.keys() != others.keys():
        raise ValueError(f"{_kind(tree, parts)} and {_kind(other, others)} are not nested alike.")
    else:
        for name, part in parts.items():
            yield from pairs(part, others[name])


def _kind(tree: Any, parts: dict | None) -> str:
    return f"a {type(tree).__name__}" + (f" of {', '.join(map(str, parts)) or 'nothing'}" if parts is not None else "")


def mapped(function: Callable, tree: Any, *others: Any) -> Any:
    """The same nesting with function(x) in place of every value x; with others nested alike, function(x, y ...).

    >>> mapped(lambda x, y: x * y, [1, (2, {"three": 3})], [10, (20, {"three": 30})])
    [10, (40, {'three': 90})]
    """
    if isinstance(tree, tuple | list):
        parts = [mapped(function, *each) for each in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)  # a namedtuple takes them one by one
    if (named := parts_of(tree)) is None:
        return function(tree, *others)
    alike: Any = [parts_of(other) for other in others]
    found = {name: mapped(function, part, *(other[name] for other in alike)) for name, part in named.items()}
    return found if isinstance(tree, Mapping) else filled(copy(tree), found)


def filled(tree: Any, parts: dict[str, Any]) -> Any:
    """A dataclass, with these fields; without its __init__, so that nothing is computed from them again."""
    for name, part in parts.items():
        object.__setattr__(tree, name, part)
    return tree
