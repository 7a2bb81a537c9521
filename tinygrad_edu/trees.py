"""What functions take and return: tensors and other values, nested in tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .tensor import Tensor


def leaves(tree: Any) -> Iterator[Any]:
    """The values themselves, in order.

    >>> list(leaves([1, (2, {"three": 3})]))
    [1, 2, 3]
    """
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from leaves(part)
    elif isinstance(tree, Mapping):
        yield from leaves(list(tree.values()))
    else:
        yield tree


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors among them."""
    return (x for x in leaves(tree) if isinstance(x, Tensor))


def mapped(function: Callable, tree: Any, *others: Any) -> Any:
    """The same nesting with function(x) in place of every value x; with others nested alike, function(x, y ...).

    >>> mapped(lambda x, y: x * y, [1, (2, {"three": 3})], [10, (20, {"three": 30})])
    [10, (40, {'three': 90})]
    """
    if isinstance(tree, tuple | list):
        parts = [mapped(function, *each) for each in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)  # a namedtuple takes them one by one
    if isinstance(tree, Mapping):
        return {key: mapped(function, part, *(other[key] for other in others)) for key, part in tree.items()}
    return function(tree, *others)
