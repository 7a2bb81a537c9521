"""The modules of a graph as groups: which tensors were computed inside which call of which module, and parameters' names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..calls import calls
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
    """One call of a module, or one `with group(...)`, whose name then stands for the module."""

    module: Any
    began: int
    ended: int
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
        innermost = _calls_around(node.serial for node in nodes if node.op is not None)
        used = _with_parents(innermost.values())
        roots = {
            id(call.module): call.module for call in used if not isinstance(call.module, str) and _module_around(call) is None
        }
        names = dict(zip(roots, numbered([variables.get(i) or type(m).__name__ for i, m in roots.items()]), strict=True))
        self._place_calls(used, names)
        self.of = {node: innermost[node.serial].path for node in nodes if node.op is not None and node.serial in innermost}
        leaves = {node for node in nodes if node.op is None}
        for i, module in roots.items():
            self._place_parameters(module, names[i], leaves)
        self.parameters = self._short(self.parameters)

    def _place_calls(self, used: list[_Call], names: dict[int, str]) -> None:
        times = Counter((call.parent, _key(call)) for call in used)
        number: Counter = Counter()
        for call in used:
            inside = _path_inside(call, names)
            base = f"{call.parent.path}.{inside}" if call.parent else inside
            which = call.parent, _key(call)
            number[which] += 1
            call.path = f"{base} #{number[which]}" if times[which] > 1 else base
            kind = "group" if isinstance(call.module, str) else type(call.module).__name__
            self.found[call.path] = Group(call.path, kind, call.parent.path if call.parent else None)

    def _place_parameters(self, module: Any, name: str, leaves: set[Tensor]) -> None:
        """Parameters and buffers stand in the group of their module, or beside the groups of its calls."""
        for path, inner in module.named_modules():
            own = [(key, value) for key, value in vars(inner).items() if isinstance(value, Tensor) and value in leaves]
            for key, value in own:
                if value in self.parameters:
                    continue
                group = f"{name}.{path}" if path else name
                self.parameters[value] = f"{group}.{key}"
                self.of[value] = self._group_at(group, type(inner).__name__)

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


def _calls_around(times: Iterable[int]) -> dict[int, _Call]:
    """The innermost call around each time, of the calls that this thread made. Calls lie one inside another or apart."""
    log = [(ref if isinstance(ref, str) else ref(), began, ended) for ref, began, ended in calls.log]
    waiting = sorted((entry for entry in log if entry[0] is not None), key=lambda entry: -entry[1])
    found: dict[int, _Call] = {}
    current: _Call | None = None
    for time in sorted(times):
        while waiting and waiting[-1][1] < time:
            module, began, ended = waiting.pop()
            current = _Call(module, began, ended, _still_running(current, began))
        current = _still_running(current, time)
        if current is not None:
            found[time] = current
    return found


def _still_running(call: _Call | None, time: int) -> _Call | None:
    while call is not None and call.ended < time:
        call = call.parent
    return call


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


def _module_around(call: _Call) -> Any:
    """The module that called this one, through groups by hand if need be."""
    around = call.parent
    while around is not None and isinstance(around.module, str):
        around = around.parent
    return None if around is None else around.module


def _path_inside(call: _Call, names: dict[int, str]) -> str:
    """Where a module is inside the one that called it, as `layers.0`; its class if it is not inside it."""
    if isinstance(call.module, str):
        return call.module
    around = _module_around(call)
    if around is None:
        return names[id(call.module)]
    return next((path for path, module in around.named_modules() if module is call.module and path), type(call.module).__name__)


def numbered(names: Sequence[str]) -> list[str]:
    """The same names, with a number behind those that occur more than once: `h⁽¹⁾`, `h⁽²⁾`."""
    times, number = Counter(names), Counter[str]()
    result = []
    for name in names:
        number[name] += 1
        result.append(f"{name}⁽{str(number[name]).translate(_RAISED)}⁾" if times[name] > 1 else name)
    return result


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
