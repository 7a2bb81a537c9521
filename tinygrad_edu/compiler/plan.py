"""From lines to a plan: what is not needed is dropped, memory is shared out, and Python's source is written and compiled."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np

from .. import clock
from ..callsite import source_line
from ..clock import mark_changed, record_of
from ..optim.optimizer import Optimizer
from ..printing import bytes_text
from ..tensor import Tensor, wrap
from .record import COPIES, Draw, Line, Method, Operand, Tape, Value, call, check, copy, data, get, grad, operands, put

# Functions that put their result where `out` says, beside ufuncs and their reductions; the methods are quicker than the functions.
WITH_OUT = {
    np.concatenate,
    np.stack,
    np.cumsum,
    np.cumprod,
    np.dot,
    np.mean,
    np.var,
    np.std,
    np.clip,
    np.argmax,
    np.argmin,
    np.einsum,
}
COMPARED = {np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!="}
METHODS = {np.dot, np.put, np.cumsum, np.cumprod, np.mean, np.var, np.std, np.clip, np.argmax, np.argmin}
LINE = 64  # bytes that a processor's cache takes at a time
EFFECTS = {call, check, grad, data}


class Outdated(Exception):
    """Something outside of the arguments is not what it was when the plan was recorded; nothing was done yet."""


class Changed(Exception):
    """A decision that the package took while recording would be another one now; nothing was done yet."""


class TooLate(Exception):
    """The same, after something was done that cannot be undone: random numbers drawn, a running mean moved on."""


# -- which lines, and which memory -----------------------------------------------------------------------------------
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
    """The lines with every check that only looks at arguments moved to the front: when one fails, nothing was done yet."""
    early: set[int] = set()
    written = {x.value for line in lines for x in line.written}
    for i, line in enumerate(lines):
        if line.function is check:
            wanted, chosen = {x.value for x in line.reads()}, {i}
            for j in reversed(range(i)):
                if any(x.value in wanted for x in lines[j].results):
                    chosen.add(j)
                    wanted.update(x.value for x in lines[j].reads())
            made = {x.value for j in chosen for x in lines[j].results}
            pure = not any(isinstance(lines[j].function, Draw) for j in chosen)
            if pure and all(v not in written and (v in made or v.kind in ("argument", "constant")) for v in wanted):
                early |= chosen
    return [lines[i] for i in sorted(early)] + [line for i, line in enumerate(lines) if i not in early]


def straight(lines: list[Line], returned: set[Value]) -> list[Line]:
    """The lines with results put at once where the next line would only copy them to: `p -= g` is one call."""
    found: list[Line] = []
    reads = Counter(x.value for line in lines for x in line.reads())
    for line in lines:
        if line.function is copy and line.written and isinstance(line.args[0], Operand):
            (source,), (target,) = line.args, line.written
            maker = next((i for i in reversed(range(len(found))) if source in found[i].results), None)
            between = found[(maker or 0) + 1 :]
            if (
                maker is not None
                and reads[source.value] == 1
                and source.value not in returned
                and puts_out(found[maker])
                and (source.shape, source.dtype) == (target.shape, target.dtype)
                and (found[maker].function is not np.dot or target.strides == source.strides)
                and len(found[maker].results) == 1
                and (isinstance(found[maker].function, np.ufunc) or target.value not in {x.value for x in found[maker].reads()})
                and not any(x.value is target.value for each in between for x in (*each.reads(), *each.written, *each.results))
                and not any(each.function is call for each in between)
                and (target.value.kind != "own" or any(x.value is target.value for each in found[:maker] for x in each.written))
            ):
                found[maker] = found[maker]._replace(results=(), written=(target,))
                continue
        found.append(line)
    return found


def as_product(line: Line) -> Line:
    """A sum over the first or last dim as a product with ones, which takes NumPy a third of the time."""
    if line.function != np.add.reduce or len(line.results) != 1 or set(line.kwargs) != {"axis"}:
        return line
    (x,), z, axis = line.args, line.results[0], line.kwargs["axis"]
    dims = tuple(range(len(x.shape)))
    over = dims if axis is None else tuple(d % len(dims) for d in (axis if isinstance(axis, tuple) else (axis,)))
    count = math.prod(x.shape[d] for d in over)
    if not (x.is_rows() and z.is_rows() and x.dtype == z.dtype and x.dtype.char in "fd" and 0 < count <= 4096 and z.size):
        return line
    array = np.ones(count, x.dtype)
    ones = Operand(Value("constant", array, 1), 0, array.shape, array.strides, array.dtype)
    args: tuple
    shape: tuple[int, ...]
    if over == dims:
        args, shape = (x.as_rows((count,)), ones), ()
    elif over == dims[-len(over) :]:
        args, shape = (x.as_rows((z.size, count)), ones), (z.size,)
    elif over == dims[: len(over)]:
        args, shape = (ones, x.as_rows((count, z.size))), (z.size,)
    else:
        return line
    return line._replace(function=np.dot, args=args, kwargs={}, results=(z.as_rows(shape),))


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


# -- the plan --------------------------------------------------------------------------------------------------------
class Plan:
    """A recorded call as a flat Python function of NumPy's calls on buffers that are made once.

    `replay(*arrays)` runs it on new arguments, unless it raises `Outdated` or `Changed`; `print(plan)` shows it.
    """

    def __init__(self, tape: Tape, name: str, results: Any, names: dict[int, str]) -> None:
        self.name = name
        self.outside = [(t, a, t._requires_grad) for t, a in tape.outside.items()]
        self.modes = list(tape.modes.items())
        self.grads_before = [(t, None if x is None else x.operand()) for t, x in tape.grads_before.items()]
        self.optimizers, self.same_steps = tape.looked_into, tape.same_steps
        self.settings = [
            (group, key, value)
            for optimizer in tape.looked_into
            for group, saved in zip(optimizer.param_groups, tape.settings[optimizer], strict=True)
            for key, value in saved.items()
        ]
        self.names: dict[Any, str] = {}  # of operands, by operand, and of other objects, by id
        self.scope: dict[str, Any] = {
            "__name__": __package__ + ".plan",
            "tensor": returned,
            "clock": clock,
            "Outdated": Outdated,
            "Changed": Changed,
            "TooLate": TooLate,
        }
        self.given = names | _names_of_states(tape.looked_into, names)
        self.constants: set[str] = set()
        self.shown: dict[str, str] = {}  # how a name is printed that is not the name itself
        self.looks: dict[str, tuple[str, Operand]] = {}  # views and the buffers that they look at

        lines = needed(tape.lines, {x.value for x in operands(results)})
        self.lines = lines = [as_product(line) for line in straight(checks_first(lines), {x.value for x in operands(results)})]
        kept = {x.value for line in lines if line.function in (grad, data) for x in line.reads()}
        self._share_memory(lines, kept, set(operands(results)))
        self._write(tape, lines, results)

    # -- memory
    def _share_memory(self, lines: list[Line], kept: set[Value], returned: set[Operand]) -> None:
        """Decide where every value lies."""
        lives: dict[Value, list[int]] = {}
        seen: dict[Value, set[Operand]] = {}
        for i, line in enumerate(lines):
            for x in (*line.reads(), *line.results, *line.written):
                if x.value.kind == "own":
                    lives.setdefault(x.value, [i, i])[1] = i
                    seen.setdefault(x.value, set()).add(x)
        for x in returned:
            if x.value in lives:
                lives[x.value][1] = len(lines)
                seen[x.value].add(x)
        written = {x.value for line in lines for x in line.written}
        single = {v for v, looks in seen.items() if len(looks) == 1} - written - kept
        self.fresh = {x.value for line in lines if not puts_out(line) for x in line.results} & single
        pooled = sorted((v for v in lives if v not in self.fresh and v not in kept), key=lambda v: lives[v][0])
        number = {v: n for n, v in enumerate(pooled)}
        in_place: dict[int, int] = {}
        for i, line in enumerate(lines):
            if elementwise(line.function) and len(line.results) == 1:
                z = line.results[0]
                for x in line.reads():
                    if x[1:] == z[1:] and z.value in number and x.value in number and lives[x.value][1] == i:
                        in_place[number[z.value]] = number[x.value]
                        break
        blocks, sizes = share([(*lives[v], v.nbytes) for v in pooled], in_place)
        self.unshared = sum(v.nbytes for v in lives)
        self.blocks = [new_block(size) for size in sizes]
        self.place = {v: self.blocks[b] for v, b in zip(pooled, blocks, strict=True)}
        self.bytes = sum(sizes) + sum(v.nbytes for v in lives if v in kept)

    def array_of(self, x: Operand) -> np.ndarray:
        """The real array of an operand."""
        return look(self.place.get(x.value, x.value.array), x)

    # -- source
    def name_of(self, x: Any) -> str:
        """The name of an array in the source: one for each place in memory, shape and dtype."""
        if isinstance(x, Operand) and x.value not in self.fresh:
            array = self.array_of(x)
            key: Any = (array.__array_interface__["data"][0], x.shape, array.strides, x.dtype)
        else:
            array, key = None, x if isinstance(x, Operand) else id(x)
        if key not in self.names:
            kind = x.value.kind if isinstance(x, Operand) else type(x).__name__
            wanted = self.given.get(id(x.value.array) if isinstance(x, Operand) else id(x))
            letter = {"own": "a", "argument": "x", "constant": "c", "outside": "w"}.get(
                kind, "t" if isinstance(x, Tensor) else "o"
            )
            if wanted and isinstance(x, Operand) and x.shape == x.value.array.shape[::-1] != x.value.array.shape:
                wanted += "_T"
            name, n = wanted, 1
            while name is None or name in self.scope:
                name, n = f"{wanted}_{n}" if wanted else f"{letter}{n}", n + 1
            self.names[key] = name
            self.scope[name] = array if isinstance(x, Operand) else x
            if kind == "constant":
                self.constants.add(name)
                if not x.shape:
                    self.shown[name] = repr(self.array_of(x).item() if x.value.fill is None else x.value.fill)
        return self.names[key]

    def text(self, x: Any) -> str:
        """An argument as source."""
        if isinstance(x, Operand):
            return self.name_of(x)
        if isinstance(x, tuple | list) and not hasattr(x, "_fields"):
            inner = ", ".join(map(self.text, x))
            return f"[{inner}]" if isinstance(x, list) else f"({inner},)" if len(x) == 1 else f"({inner})"
        if isinstance(x, slice):
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        if x is None or x is Ellipsis or type(x) in (bool, int, str) or (type(x) is float and math.isfinite(x)):
            return repr(x)
        if isinstance(x, type) and x.__module__ == "builtins":
            return x.__name__
        if isinstance(x, np.dtype | type):
            name = np.dtype(x).name
            self.scope[name] = np.dtype(x)
            return name
        return self.name_of(x)

    def function(self, f: Any) -> str:
        """A function's name, with the function bound to it."""
        if isinstance(f, Draw):
            self.given.setdefault(id(f.generator), "numbers")
            return f"{self.name_of(f.generator)}().{f.method}"
        if isinstance(f, Method):
            return f"{self.name_of(f.this)}.{f.name}"
        if getattr(f, "__self__", None) is not None and isinstance(f.__self__, np.ufunc):
            return f"{self.function(f.__self__)}.{f.__name__}"
        name = f.__name__
        while self.scope.setdefault(name, f) is not f:
            name += "_"
        return name

    def _write(self, tape: Tape, lines: list[Line], results: Any) -> None:
        """Write the source of the function, and compile it."""
        body: list[tuple[str, str]] = []  # (the learner's line, ours)
        buffers = [self.name_of(x.operand()) for x in tape.arguments]
        body += [("", f"{buffer}[...] = given_{buffer}") for buffer in buffers]
        for tensor, before in self.grads_before:
            if before is not None:
                body.append(("", f"{self.name_of(before)}[...] = {self.name_of(tensor)}._grad.array"))
        read = Counter(x.value for line in lines for x in line.reads())
        for line, after in zip(lines, [*lines, None][1:], strict=True):
            if compares(line, after) and read[line.results[0].value] == 1:
                continue  # the check compares by itself
            body.append((source_line(line.site), self._line(line)))
        for x, buffer in zip(tape.arguments, buffers, strict=True):
            if any(o.value is x.memory.value for line in lines for o in line.written):
                body.append(("", f"given_{buffer}[...] = {buffer}"))
        body += [("", f"{self.name_of(module)}.training = {mode}") for module, mode in tape.modes_set.items()]
        body.append(("", f"return {self._result(results)}"))
        self.body = body
        work, ending = [line for _, line in body[:-1]], body[-1][1]
        source = [f"def replay({', '.join('given_' + b for b in buffers)}):", *self._guard(), *work, *self._marks(lines), ending]
        exec(compile("\n    ".join(source), f"<plan of {self.name}>", "exec"), self.scope)
        self.replay = self.scope["replay"]
        if tape.quiet:
            ignored: Any = dict.fromkeys(tape.quiet, "ignore")
            self.replay = np.errstate(**ignored)(self.replay)

    def _guard(self) -> list[str]:
        """A line that raises unless everything that the plan found outside of its arguments is still there."""
        conditions = []
        for tensor, array, requires_grad in self.outside:
            name = self.name_of(tensor)
            conditions.append(f"{name}.array is {self.name_of(array)} and {name}._requires_grad is {requires_grad}")
        conditions += [f"{self.name_of(module)}.training is {mode}" for module, mode in self.modes]
        for tensor, before in self.grads_before:
            conditions.append(f"{self.name_of(tensor)}._grad is {'None' if before is None else 'not None'}")
        for optimizer in self.optimizers:
            name, held = self.name_of(optimizer), self.name_of(optimizer.state)
            conditions.append(f"{name}.state is {held} and len({name}.param_groups) == {len(optimizer.param_groups)}")
            for p, state in optimizer.state.items():
                conditions.append(f"{held}[{self.name_of(p)}] is {self.name_of(state)}")
                arrays = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
                conditions += [f"{self.name_of(state)}[{k!r}] is {self.name_of(v)}" for k, v in arrays.items()]
        conditions += [f"{self.name_of(a)}['step'] == {self.name_of(b)}['step']" for a, b in self.same_steps if a is not b]
        conditions += [f"{self.name_of(group)}[{key!r}] == {self.text(value)}" for group, key, value in self.settings]
        return [f"if not ({' and '.join(conditions)}): raise Outdated"] if conditions else []

    def _marks(self, lines: list[Line]) -> list[str]:
        """A line that notes when tensors from outside were changed."""
        written = {id(x.value.array): x.value.array for line in lines for x in line.written if x.value.kind == "outside"}
        for array in written.values():
            mark_changed(array)
        records = [self.name_of(record_of(array)) for array in written.values()]
        return [f"clock.last_change = {''.join(f'{record}[0] = ' for record in records)}clock.tick()"] if records else []

    def _result(self, tree: Any) -> str:
        if isinstance(tree, Operand):
            return f"tensor({self.name_of(tree)})"
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return f"{self.function(type(tree))}({', '.join(map(self._result, tree))})"
        if isinstance(tree, tuple):
            return f"({''.join(self._result(x) + ', ' for x in tree)})"
        if isinstance(tree, list):
            return f"[{', '.join(map(self._result, tree))}]"
        if isinstance(tree, dict):
            return "{" + ", ".join(f"{k!r}: {self._result(x)}" for k, x in tree.items()) + "}"
        return self.text(tree)

    def _line(self, line: Line) -> str:
        """The source of one line."""
        f, args, kwargs = line.function, line.args, line.kwargs
        if f is check:
            before = self.lines[: next(i for i, each in enumerate(self.lines) if each is line)]
            decided = self.text(args[0])
            if before and compares(before[-1], line):
                x, number = before[-1].args
                decided = f"{self.text(x)}.item() {COMPARED[before[-1].function]} {number!r}"
            done = any(each.function in EFFECTS - {check} or isinstance(each.function, Draw) or lasting(each) for each in before)
            late = f"TooLate({source_line(line.site)!r})" if done else "Changed"
            return f"if {'not ' if args[1] else ''}{decided}: raise {late}"
        if f is call:
            return f"{self.function(args[0])}({', '.join(map(self.text, args[1:]))})"
        if f is grad:
            return f"{self.name_of(args[0])}._grad = {'None' if args[1] is None else self.name_of(self._tensor(args[1]))}"
        if f is data:
            return f"{self.name_of(args[0])}.array = {self.text(args[1])}"
        if f is put:
            return f"{self.text(args[0])}[{self.text(args[1])}] = {self.text(args[2])}"
        targets = [self.text(x) for x in (*line.results, *line.written)]
        if f in COPIES:
            return f"{targets[0]}[...] = {self.text(args[0])}"
        if f is get:
            made = f"{self.text(args[0])}[{self.text(args[1])}]"
        else:
            options = [f"{k}={self.text(x)}" for k, x in kwargs.items()]
            if puts_out(line):
                options.append(f"out={targets[0] if len(targets) == 1 else '(' + ', '.join(targets) + ')'}")
            first, given = "", [self.text(x) for x in args]
            if f in METHODS or getattr(f, "__objclass__", None) is np.ndarray:  # a method is quicker than the function
                first, given = given[0] + ".", given[1:]
            name = f.__name__ if first else self.function(f)
            made = f"{first}{name}({', '.join([*given, *options])})"
        if puts_out(line) or (line.written and not line.results):
            return made
        places = [t if x.value in self.fresh else f"{t}[...]" for t, x in zip(targets, line.results, strict=True)]
        return f"{', '.join(places)} = {made}"

    def _tensor(self, x: Operand) -> Tensor:
        """The tensor that is a gradient, the same at each call."""
        key = ("tensor", self.name_of(x))
        if key not in self.names:
            self.names[key] = key[1] + "_tensor"
            self.scope[key[1] + "_tensor"] = t = wrap(self.array_of(x))
            self.names[id(t)] = key[1] + "_tensor"
        return self.scope[self.names[key]]

    # -- to be compared
    def differs(self, other: Plan) -> str:
        """The first line in which two recordings of one call differ, as a message; the empty string if none does."""
        for (site, mine), (_, theirs) in zip(self.body, other.body, strict=False):
            if mine != theirs:
                return f"{site}\n  {theirs}\n  {mine}"
        if len(self.body) != len(other.body):
            return f"{len(other.body)} lines, then {len(self.body)}"
        for name, value in self.scope.items():
            if name in self.constants:
                found = other.scope[name]
                if found.tobytes() != value.tobytes():
                    site, line = next(((s, line) for s, line in self.body if name in line), ("", ""))
                    return f"{site}\n  {line}\n  {name} was {found!r:.60}, then {value!r:.60}"
        return ""

    # -- to be read
    def __str__(self) -> str:
        """The plan as Python, with the learner's lines above what they became, and what every array is where it comes up first."""
        met: set[str] = set()
        lines, site = [], ""
        for where, text in self.body:
            if where != site and where:
                lines.append(f"    # {where}")
            site = where
            names = list(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text)))
            new = [
                self._about(n)
                for n in names
                if n not in met and isinstance(self.scope.get(n), np.ndarray) and n not in self.shown
            ]
            met.update(names)
            text = (
                re.sub(r"\bc\d+\b", lambda m: self.shown.get(m[0], m[0]), text).replace("._grad", ".grad").replace("_tensor", "")
            )
            lines.append(f"    {text:50}  # {'; '.join(new)}" if new else f"    {text}")
        head = f"plan of {self.name}: {len(self.body)} lines, {bytes_text(self.bytes)} in {len(self.blocks)} block{'s'[: len(self.blocks) != 1]}"
        return "\n".join([f"{head} (each array in memory of its own: {bytes_text(self.unshared)})", *lines])

    def _about(self, name: str) -> str:
        """What an array is: its dtype, shape and memory."""
        array = self.scope[name]
        place = next(
            (f", block {i}" for i, block in enumerate(self.blocks, 1) if array.size and np.may_share_memory(array, block)), ""
        )
        same = name in self.constants and array.size and (array == array.flat[0]).all()
        return f"{name}: {array.dtype} {array.shape}{place}{f', all {array.flat[0]:g}' if same else ''}"


def _names_of_states(optimizers: list[Optimizer], names: dict[int, str]) -> dict[int, str]:
    """What the settings of optimizers are called, and what they keep for parameters that have a name."""
    found = {id(group): "group" for optimizer in optimizers for group in optimizer.param_groups}
    for optimizer in optimizers:
        for p, state in optimizer.state.items():
            name = names.get(id(p.array), "state")
            found |= {id(state): f"{name}_state"} | {id(x): f"{name}_{k}" for k, x in state.items() if isinstance(x, np.ndarray)}
    return found


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


def returned(array: Any) -> Tensor:
    """What a plan returns: a copy, which the next call does not overwrite."""
    return wrap(np.array(array))
