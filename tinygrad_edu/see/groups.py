"""The modules of a graph as groups: which tensors were computed inside which call of which module, and parameters' names.

The passes of a loop that uses the same weights again and again, as a recurrent network written by hand does, are groups too:
`step 1`, `step 2` ... Nothing tells that there was a loop, but the same lines made tensors several times over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any
from weakref import ref

from ..calls import Outline, calls, gone
from ..tensor import Tensor


@dataclass(frozen=True)
class Group:
    """A module, or one call of a module that was called several times.

    path: unique; that of a submodule starts with its parent's: `model.layers.0`. `cell #2` is the second call of `cell`.
    kind: the module's class; "group" for `with group(...)`.
    parent: the path of the group around it; None at the top.
    """

    path: str
    kind: str
    parent: str | None = None


@dataclass(eq=False)
class _Call:
    """One call of a module, known by a weak reference; or one `with group(...)` or pass of a loop, known by its name."""

    module: ref | str
    began: float
    ended: float
    parent: _Call | None
    path: str = ""


class Groups:
    """The groups of a graph.

    found: the groups by path, each after the one around it.
    of: the path of the innermost group around a tensor, for tensors that have one.
    parameters: the path of a tensor inside its model, as in `state_dict`: `layers.0.weight`.
    """

    def __init__(self, nodes: Sequence[Tensor], variables: dict[int, str]) -> None:
        self.found: dict[str, Group] = {}
        self.of: dict[Tensor, str] = {}
        self.parameters: dict[Tensor, str] = {}
        made = [node for node in nodes if node.op is not None]
        self._outlines = {id(module): outline for module, outline in gone}
        log = [entry for entry in calls.log if isinstance(entry[0], str) or self._knows(entry[0])]
        innermost = _calls_around(made, log)
        steps = list(_steps_in_time(made, innermost))
        if steps:
            innermost = _calls_around(made, log + steps)
        used = _with_parents(innermost.values())
        roots = {
            id(call.module): call.module for call in used if not isinstance(call.module, str) and _module_around(call) is None
        }
        there = {i: module() for i, module in roots.items()}  # None: gone
        called = [
            (there[i] is not None and variables.get(id(there[i]))) or self._outline(module).kind for i, module in roots.items()
        ]
        names = dict(zip(roots, numbered(called), strict=True))
        self._place_calls(used, names)
        self.of = {node: innermost[node].path for node in made if node in innermost}
        leaves = {node for node in nodes if node.op is None}
        for i, module in roots.items():
            self._place_parameters(module, names[i], leaves)
        self.parameters = self._short(self.parameters)

    def _knows(self, module: ref) -> bool:
        return id(module) in self._outlines or module() is not None

    def _outline(self, module: ref) -> Outline:
        """Of a module that is there, or of one that is gone."""
        if id(module) not in self._outlines:
            self._outlines[id(module)] = module()._outline()  # type: ignore[union-attr]
        return self._outlines[id(module)]

    def _walk(self, module: ref, path: str = "", above: frozenset[int] = frozenset()) -> Iterator[tuple[str, ref]]:
        """(path, module) of this one and of all inside it."""
        yield path, module
        for name, inner in self._outline(module).modules.items():
            if self._knows(inner) and id(inner) not in above:
                yield from self._walk(inner, f"{path}.{name}" if path else name, above | {id(module)})

    def _path_inside(self, call: _Call, names: dict[int, str]) -> str:
        """Where a module is inside the one that called it, as `layers.0`; its class if it is not inside it."""
        if isinstance(call.module, str):
            return call.module
        around = _module_around(call)
        if around is None:
            return names[id(call.module)]
        paths = (path for path, module in self._walk(around) if module is call.module and path)
        return next(paths, self._outline(call.module).kind)

    def _place_calls(self, used: list[_Call], names: dict[int, str]) -> None:
        times = Counter((call.parent, _key(call)) for call in used)
        number: Counter = Counter()
        for call in used:
            inside = self._path_inside(call, names)
            base = f"{call.parent.path}.{inside}" if call.parent else inside
            which = call.parent, _key(call)
            number[which] += 1
            call.path = f"{base} #{number[which]}" if times[which] > 1 else base
            kind = "group" if isinstance(call.module, str) else self._outline(call.module).kind
            self.found[call.path] = Group(call.path, kind, call.parent.path if call.parent else None)

    def _place_parameters(self, module: ref, name: str, leaves: set[Tensor]) -> None:
        """Parameters and buffers stand in the group of their module, or beside the groups of its calls."""
        for path, inner in self._walk(module):
            outline = self._outline(inner)
            for key, tensor in outline.tensors.items():
                value = tensor()
                if value not in leaves or value in self.parameters:
                    continue
                group = f"{name}.{path}" if path else name
                self.parameters[value] = f"{group}.{key}"
                self.of[value] = self._group_at(group, outline.kind)

    @staticmethod
    def _short(names: dict[Tensor, str]) -> dict[Tensor, str]:
        """Without the name of the model, unless two models have a parameter of the same name."""
        inside = {value: name.partition(".")[2] for value, name in names.items()}
        times = Counter(inside.values())
        return {value: name if times[inside[value]] > 1 else inside[value] for value, name in names.items()}

    def _group_at(self, path: str, kind: str) -> str:
        if path not in self.found:
            parent = path.rpartition(".")[0]
            while parent and parent not in self.found:
                parent = parent.rpartition(".")[0]
            self.found[path] = Group(path, kind, parent or None)
        return path


def _calls_around(made: Iterable[Tensor], log: Iterable[tuple[Any, float, float]]) -> dict[Tensor, _Call]:
    """The innermost call around each tensor, of the calls that this thread made. Calls lie one inside another or apart."""
    waiting = sorted(log, key=lambda entry: -entry[1])
    found: dict[Tensor, _Call] = {}
    current: _Call | None = None
    for node in sorted(made, key=lambda node: node.serial):
        while waiting and waiting[-1][1] < node.serial:
            module, began, ended = waiting.pop()
            current = _Call(module, began, ended, _still_running(current, began))
        current = _still_running(current, node.serial)
        if current is not None:
            found[node] = current
    return found


def _still_running(call: _Call | None, time: float) -> _Call | None:
    while call is not None and call.ended < time:
        call = call.parent
    return call


# -- loops ---------------------------------------------------------------------------------------------------------------
@dataclass
class _Piece:
    """What happened at one place in a call: an operation, or a call inside it. key: the same for what the same line did again."""

    key: Any
    began: float
    ended: float
    weights: set[Tensor]  # that it used


def _steps_in_time(made: Iterable[Tensor], innermost: dict[Tensor, _Call]) -> Iterator[tuple[str, float, float]]:
    """The passes of loops that use the same weights in each pass, as entries for the log of calls."""
    inside: dict[_Call | None, dict[Any, _Piece]] = defaultdict(dict)
    for node in made:
        weights = {x for x in node.inputs if isinstance(x, Tensor) and x.op is None and x.requires_grad}
        call = innermost.get(node)
        inside[call][node] = _Piece(node.made_at, node.serial, node.serial, weights)
        while call is not None:
            piece = inside[call.parent].setdefault(call, _Piece(_key(call), call.began, call.ended, set()))
            piece.weights |= weights
            call = call.parent
    for pieces in inside.values():
        yield from _passes(_joined(sorted(pieces.values(), key=lambda piece: piece.began)))


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """One piece for several in a row that the same line made: a function may be made of several operations."""
    rows = (list(row) for _, row in groupby(pieces, key=lambda piece: piece.key))
    return [_Piece(row[0].key, row[0].began, row[-1].ended, set().union(*(p.weights for p in row))) for row in rows]


def _passes(pieces: list[_Piece]) -> Iterator[tuple[str, float, float]]:
    """Passes begin where a line has its turn again; they belong together as long as some weights are used in all of them."""
    turns: dict[Any, list[int]] = defaultdict(list)
    for i, piece in enumerate(pieces):
        turns[piece.key].append(i)
    done = 0.0
    for begins in turns.values():
        runs = [pieces[a:b] for a, b in zip(begins, [*begins[1:], None], strict=True)]
        runs = [run for run in runs if run[0].began > done]
        while runs:
            run = runs.pop(0)
            loop, shared = [run], _weights(run)
            while runs and shared & _weights(runs[0]):
                shared &= _weights(runs[0])
                loop.append(runs.pop(0))
            repeated = {piece.key for run in loop[:-1] for piece in run}
            loop[-1] = _beginning(loop[-1], repeated)  # not what comes after the loop
            if len(repeated) > 1:
                done = loop[-1][-1].ended
                yield from ((f"step {i}", run[0].began - 0.25, run[-1].ended + 0.25) for i, run in enumerate(loop, 1))


def _beginning(run: list[_Piece], keys: set[Any]) -> list[_Piece]:
    return list(takewhile(lambda piece: piece.key in keys, run))


def _weights(run: list[_Piece]) -> set[Tensor]:
    return set().union(*(piece.weights for piece in run))


# -- calls ---------------------------------------------------------------------------------------------------------------
def _with_parents(found: Iterable[_Call]) -> list[_Call]:
    """These calls and those around them, by their beginning: each after the one around it."""
    seen: set[_Call] = set()
    for start in found:
        call: _Call | None = start
        while call is not None and call not in seen:
            seen.add(call)
            call = call.parent
    return sorted(seen, key=lambda call: call.began)


def _key(call: _Call) -> Any:
    return call.module if isinstance(call.module, str) else id(call.module)


def _module_around(call: _Call) -> ref | None:
    """The module that called this one, through groups by hand if need be."""
    around = call.parent
    while around is not None:
        if not isinstance(around.module, str):
            return around.module
        around = around.parent
    return None


def numbered(names: Sequence[str]) -> list[str]:
    """The same names, with a number behind those that occur more than once: `h⁽¹⁾`, `h⁽²⁾`."""
    times, number = Counter(names), Counter[str]()
    result = []
    for name in names:
        number[name] += 1
        result.append(f"{name}⁽{str(number[name]).translate(_RAISED)}⁾" if times[name] > 1 else name)
    return result


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
