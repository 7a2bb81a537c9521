"""Which memory every value of a plan lies in: blocks that are used again."""

from __future__ import annotations

import numpy as np

from .lines import Line, Operand, Value
from .passes import elementwise, puts_out

LINE = 64  # bytes that a processor's cache takes at a time


class Layout:
    """Where the values of a plan lie.

    Args:
        lines: the plan's lines.
        kept: values with memory of their own, since something outside of the plan goes on looking at them, such as gradients.
        returned: what the plan returns.

    Attributes:
        fresh: values that are new arrays in each call: those of functions that cannot be told where to put their result.
        blocks: the memory of all others.
        bytes: how much that is, with the kept values; unshared: what it would be if none were used again.
    """

    def __init__(self, lines: list[Line], kept: set[Value], returned: set[Operand]) -> None:
        lives: dict[Value, list[int]] = {}  # the first and the last line that needs it
        looks: dict[Value, set[Operand]] = {}
        for i, line in enumerate(lines):
            for x in line.touches():
                if x.value.kind == "own":
                    lives.setdefault(x.value, [i, i])[1] = i
                    looks.setdefault(x.value, set()).add(x)
        for x in returned:
            if x.value in lives:
                lives[x.value][1] = len(lines)
                looks[x.value].add(x)
        written = {x.value for line in lines for x in line.written}
        anew = [x for line in lines if not puts_out(line) for x in line.results]
        self.fresh = {x.value for x in anew if looks.get(x.value) == {x}} - written - kept
        pooled = sorted((v for v in lives if v not in self.fresh and v not in kept), key=lambda v: lives[v][0])
        number = {v: n for n, v in enumerate(pooled)}
        in_place: dict[int, int] = {}
        for i, line in enumerate(lines):
            if elementwise(line.function) and len(line.results) == 1 and (z := line.results[0]).value in number:
                ending = [x.value for x in line.reads() if x[1:] == z[1:] and x.value in number and lives[x.value][1] == i]
                if ending:
                    in_place[number[z.value]] = number[ending[0]]
        blocks, sizes = share([(*lives[v], v.nbytes) for v in pooled], in_place)
        self.unshared = sum(v.nbytes for v in lives)
        self.blocks = [new_block(size) for size in sizes]
        self.place = {v: self.blocks[b] for v, b in zip(pooled, blocks, strict=True)}
        self.bytes = sum(sizes) + sum(v.nbytes for v in lives if v in kept)

    def array_of(self, x: Operand) -> np.ndarray:
        """The real array of an operand."""
        return look(self.place.get(x.value, x.value.array), x)


def share(lives: list[tuple[int, int, int]], in_place: dict[int, int]) -> tuple[list[int], list[int]]:
    """Give every value a block of memory, so that no two that are needed at the same time have the same one.

    Args:
        lives: (first line, last line, bytes) of each value, by first line.
        in_place: values that may take over the block of another one in the line in which that is needed for the last time.

    Returns:
        the number of the block of each value, and the sizes of the blocks.

    >>> share([(0, 1, 8), (1, 2, 8), (2, 3, 8)], {})
    ([0, 1, 0], [8, 8])
    """
    blocks: list[int] = []
    sizes: list[int] = []
    busy: dict[int, int] = {}  # block -> the last line that needs it
    for i, (first, last, size) in enumerate(lives):
        giver = in_place.get(i)
        if giver is not None and busy[blocks[giver]] == first:
            block = blocks[giver]
        else:
            free = sorted((b for b, until in busy.items() if until < first), key=sizes.__getitem__)
            # The smallest that is large enough, or else the largest, which grows.
            block = next((b for b in free if sizes[b] >= size), free[-1] if free else len(sizes))
            if block == len(sizes):
                sizes.append(size)
            sizes[block] = max(sizes[block], size)
        busy[block] = last
        blocks.append(block)
    return blocks, sizes


def new_block(size: int) -> np.ndarray:
    """So many bytes that begin with a cache line: some processors copy ten times slower between memory that lies otherwise."""
    room = np.empty(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size]


def look(array: np.ndarray, x: Operand) -> np.ndarray:
    """The view of an array's memory that an operand stands for."""
    flat = array.ravel(order="K") if array.ndim else array.reshape(1)
    return np.ndarray(x.shape, x.dtype, flat, x.offset, x.strides) if x.size else np.empty(x.shape, x.dtype)
