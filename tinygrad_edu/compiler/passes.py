"""From a recording to fewer and quicker lines: what is not needed is dropped, checks go first, results go where they belong."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .lines import COPIES, Draw, Line, Operand, Value, call, check, copy, grad

# Functions that put their result where `out` says, beside ufuncs and their reductions; the methods are quicker than the functions.
WITH_OUT = {
    np.concatenate, np.stack, np.cumsum, np.cumprod, np.dot, np.mean, np.var, np.std, np.clip, np.argmax, np.argmin, np.einsum,
}  # fmt: skip
COMPARED = {np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!="}
METHODS = {np.dot, np.put, np.cumsum, np.cumprod, np.mean, np.var, np.std, np.clip, np.argmax, np.argmin}
EFFECTS = {call, check, grad}


def needed(lines: list[Line], kept: set[Value]) -> list[Line]:
    """The lines whose results somebody reads: dead code goes, from the last line back."""
    found = []
    for line in reversed(lines):
        touched = {x.value for x in (*line.results, *line.written)}
        if line.function in EFFECTS or isinstance(line.function, Draw) or lasting(line) or touched & kept:
            kept.update(x.value for x in line.reads())
            kept.update(x.value for x in line.written)
            found.append(line)
    return found[::-1]


def lasting(line: Line) -> bool:
    """Whether a line writes to memory that is not the plan's."""
    return any(x.value.kind in ("outside", "argument") for x in line.written)


def checks_first(lines: list[Line]) -> list[Line]:
    """The lines with every check that only looks at what nobody writes moved to the front: when one fails, nothing was done yet."""
    early: set[int] = set()
    written = {x.value for line in lines for x in line.written}
    given = ("argument", "constant") if any(line.function is call for line in lines) else ("argument", "constant", "outside")
    for i, line in enumerate(lines):
        if line.function is check:
            wanted, chosen = {x.value for x in line.reads()}, {i}
            for j in reversed(range(i)):
                if any(x.value in wanted for x in lines[j].results):
                    chosen.add(j)
                    wanted.update(x.value for x in lines[j].reads())
            made = {x.value for j in chosen for x in lines[j].results}
            pure = not any(isinstance(lines[j].function, Draw) for j in chosen)
            if pure and all(v not in written and (v in made or v.kind in given) for v in wanted):
                early |= chosen
    return [lines[i] for i in sorted(early)] + [line for i, line in enumerate(lines) if i not in early]


def straight(lines: list[Line], returned: set[Value]) -> list[Line]:
    """The lines with results put at once where the next line would only copy them to: `p -= g` is one call."""
    found: list[Line] = []
    reads = Counter(x.value for line in lines for x in line.reads())
    for line in lines:
        source = line.args[0] if line.function is copy and line.written else None
        if isinstance(source, Operand) and reads[source.value] == 1 and source.value not in returned:
            maker = next((i for i in reversed(range(len(found))) if source in found[i].results), None)
            if maker is not None and _may_put(found, maker, source, line.written[0]):
                found[maker] = found[maker]._replace(results=(), written=line.written)
                continue
        found.append(line)
    return found


def _may_put(lines: list[Line], i: int, source: Operand, target: Operand) -> bool:
    """Whether line i, which makes `source`, could as well put it where `target` is, to which it is copied after all these lines."""
    line, between = lines[i], lines[i + 1 :]
    if not puts_out(line) or len(line.results) != 1 or (source.shape, source.dtype) != (target.shape, target.dtype):
        return False
    if line.function is np.dot and target.strides != source.strides:
        return False
    if not isinstance(line.function, np.ufunc) and target.value in {
        x.value for x in line.reads()
    }:  # it may read what it has written
        return False
    if any(each.function is call or target.value in {x.value for x in each.touches()} for each in between):
        return False
    return target.value.kind != "own" or any(target.value in {x.value for x in each.written} for each in lines[:i])


def compares(line: Line, after: Line | None) -> bool:
    """Whether a line compares one number with one of Python's for nothing but the check after it."""
    if line.function not in COMPARED or after is None or after.function is not check or after.args[0] not in line.results:
        return False
    x, number = line.args
    return isinstance(x, Operand) and not x.shape and isinstance(number, int)


def puts_out(line: Line) -> bool:
    """Whether a function can be told where to put its result."""
    f = line.function
    if isinstance(f, np.ufunc) or isinstance(getattr(f, "__self__", None), np.ufunc):
        return getattr(f, "__name__", "") != "at"
    if isinstance(f, Draw):
        return False
    if f is np.dot:
        return (line.results or line.written)[0].is_rows()
    return f in WITH_OUT or f in COPIES or (f in METHODS and f is not np.put)


def elementwise(function: Any) -> bool:
    """Whether a function makes each number of its result from those at the same place, so that the result may lie in their memory."""
    return function is np.clip or (isinstance(function, np.ufunc) and function.signature is None)
