"""Folding: a group that is folded is one card, which stands for all tensors in it."""

from __future__ import annotations

from .format import Node, Trace


def nodes_in(trace: Trace, path: str = "") -> list[Node]:
    """The nodes in a group and in those inside it; all without a path."""
    return [node for node in trace.nodes if not path or path in trace.groups_around(node.module)]


def card_of(trace: Trace, node: Node, depth: int, path: str = "") -> str:
    """What stands for a node in a picture of the group `path` (or of all) that opens so many levels of groups.

    It is the node's own id, or the path of the group in which it is folded. (Of a node outside of `path`, levels count from the top.)
    """
    around = trace.groups_around(node.module)
    inside = around[around.index(path) + 1 :] if path in around else around
    return inside[depth] if len(inside) > depth else node.id


def cards(trace: Trace, depth: int, path: str = "") -> set[str]:
    """All that is to be seen in such a picture."""
    return {card_of(trace, node, depth, path) for node in nodes_in(trace, path)}


def depth_that_fits(trace: Trace, most: int, path: str = "") -> int | None:
    """How many levels can be open in a picture of so many cards; None if it would have more even with all groups folded."""
    deepest = max((len(trace.groups_around(node.module)) for node in nodes_in(trace, path)), default=0)
    return next((depth for depth in range(deepest, -1, -1) if len(cards(trace, depth, path)) <= most), None)
