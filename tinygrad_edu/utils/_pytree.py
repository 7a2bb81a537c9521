"""Values nested in tuples, lists, dicts and dataclasses, under PyTorch's path and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..trees import leaves as _leaves
from ..trees import mapped


def tree_map(func: Callable, tree: Any, *rests: Any) -> Any:
    """The same nesting with func(x) in place of every value x; with others nested alike, func(x, y ...)."""
    return mapped(func, tree, *rests)


def tree_flatten(tree: Any) -> tuple[list[Any], Any]:
    """The values, and their nesting for `tree_unflatten`.

    >>> values, spec = tree_flatten([1, (2, {"three": 3})])
    >>> tree_unflatten([10 * x for x in values], spec)
    [10, (20, {'three': 30})]
    """
    return list(_leaves(tree)), mapped(lambda x: None, tree)


def tree_unflatten(leaves: Iterable[Any], treespec: Any) -> Any:
    """Values nested as those were of which `tree_flatten` tells."""
    found, places = list(leaves), len(list(_leaves(treespec)))
    if len(found) != places:
        raise ValueError(f"tree_unflatten: {len(found)} values for {places} places.")
    rest = iter(found)
    return mapped(lambda _: next(rest), treespec)
