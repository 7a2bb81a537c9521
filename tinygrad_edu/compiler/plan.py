"""The plan: a recorded call as one flat Python function, with what must be as it was."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from .. import clock
from ..callsite import source_line
from ..clock import mark_changed, record_of
from ..optim.optimizer import Optimizer
from ..printing import bytes_text
from ..tensor import Tensor, wrap
from .lines import Line, check, grad, operands
from .memory import Layout
from .passes import checks_first, compares, needed, straight
from .reads import ABSENT, same
from .results import copied, made
from .source import Source
from .surroundings import Surroundings
from .tape import Tape


class Outdated(Exception):
    """Something outside of the arguments is not what it was when the plan was recorded; nothing was done yet."""


class Changed(Exception):
    """A decision that the package took while recording would be another one now; nothing was done yet."""


class TooLate(Exception):
    """The same, after something was done that cannot be undone: random numbers drawn, a running mean moved on."""


class Plan:
    """A recorded call as a flat Python function of NumPy's calls on buffers that are made once.

    `replay(*arrays)` runs it on new arguments, unless it raises `Outdated` or `Changed`; `print(plan)` shows it.
    """

    def __init__(self, tape: Tape, name: str, results: Any, names: dict[int, str], surroundings: Surroundings) -> None:
        self.name, self.surroundings = name, surroundings
        returned = set(operands(results))
        lines = needed(tape.lines, {x.value for x in returned})
        lines = straight(checks_first(lines), {x.value for x in returned})
        kept = {x.value for line in lines if line.function is grad for x in line.reads()}
        self.memory = Layout(lines, kept, returned)
        scope = {
            "clock": clock,
            "Outdated": Outdated,
            "Changed": Changed,
            "TooLate": TooLate,
            "tensor": copied,
            "view": wrap,
            "made": made,
            "same": same,
            "absent": ABSENT,
            "share_memory": np.may_share_memory,
            "written": frozenset(),
            "__name__": __name__,
        }
        self.source = Source(self.memory, names | _names_of_states(tape.looked_into, names), scope)
        self._write(tape, lines, results)

    def _write(self, tape: Tape, lines: list[Line], results: Any) -> None:
        """Write the source of the function, and compile it."""
        write = self.source
        body: list[tuple[str, str]] = []  # (the learner's line, ours)
        buffers = [write.name_of(x.operand()) for x in tape.arguments]
        write.names |= {id(x): f"given_{buffer}" for x, buffer in zip(tape.given, buffers, strict=True)}
        given = [f"given_{b}.array" if isinstance(x, Tensor) else f"given_{b}" for x, b in zip(tape.given, buffers, strict=True)]
        body += [("", f"{buffer}[...] = {x}") for buffer, x in zip(buffers, given, strict=True)]
        for tensor, before in tape.effects.grads_before.items():
            if before is not None:
                body.append(("", f"{write.name_of(before.operand())}[...] = {write.name_of(tensor)}._grad.array"))
        read = Counter(x.value for line in lines for x in line.reads())
        for i, (line, after) in enumerate(zip(lines, [*lines, None][1:], strict=True)):
            if compares(line, after) and read[line.results[0].value] == 1:
                continue  # the check compares by itself
            body.append((source_line(line.site), write.line(lines, i)))
        changed = [(b, held) for x, b, held in zip(tape.arguments, buffers, given, strict=True) if tape.changes(x)]
        body += [("", f"{held}[...] = {b}") for b, held in changed]
        flags = tape.effects.modes, tape.effects.tracked
        body += [("", f"{write.name_of(x)}.{flag.name} = {value}") for flag in flags for x, value in flag.now.items()]
        body.append(("", f"return {write.result(results)}"))
        self.body = body
        work, ending = [line for _, line in body[:-1]], body[-1][1]
        self.guard = self._guard(tape, given)
        self._before = [
            f"def replay({', '.join('given_' + b for b in buffers)}):",
            self.guard,
            *self._arguments_apart(lines, tape, given, [held for _, held in changed]),
        ]
        self._after = [*self._marks(lines, [held for _, held in changed]), ending]
        self._quiet: Any = dict.fromkeys(tape.quiet, "ignore")  # the kinds of NumPy's warnings that the function switches off
        self.replay = self._function(work, write.scope)
        outside = [id(x) for x in (*tape.effects.outside, *tape.effects.outside.values(), *tape.effects.modes.before)]
        checks = [line.args[1] for line in lines if line.function is check]
        # Equal for recordings that read and found the same.
        self.state: Any = (self.guard, *outside, *checks, self.surroundings.key())

    def _function(self, work: list[str], scope: dict[str, Any]) -> Callable:
        """The function with these lines of work."""
        exec(compile("\n    ".join([*self._before, *work, *self._after]), f"<plan of {self.name}>", "exec"), scope)
        return np.errstate(**self._quiet)(scope["replay"]) if self._quiet else scope["replay"]

    def clocked(self, note: Callable[[list[float]], Any]) -> Callable:
        """The function as `profile` runs it: at the end of each call `note` gets the moments before the first line and behind each."""
        timed = ["_moments = [_now()]"]
        for _, line in self.body[:-1]:
            timed += [line, "_moments.append(_now())"]
        return self._function([*timed, "_note(_moments)"], {**self.source.scope, "_now": perf_counter, "_note": note})

    def _guard(self, tape: Tape, given: list[str]) -> str:
        """A line that raises unless everything that the plan found outside of its arguments is still there."""
        write, conditions = self.source, []
        for x, held in zip(tape.arguments, given, strict=True):
            if tape.changes(x) or not x.held.flags.c_contiguous:
                conditions.append(f"{held}.strides == {x.held.strides}")
        for tensor, array in tape.effects.outside.items():
            name = write.name_of(tensor)
            conditions.append(f"{name}.array is {write.name_of(array)}")
        for flag in (tape.effects.tracked, tape.effects.modes):
            around = [(x, value) for x, value in flag.before.items() if not any(x is each for each in tape.given)]
            conditions += [f"{write.name_of(x)}.{flag.name} is {value}" for x, value in around]
        for tensor, before in tape.effects.grads_before.items():
            conditions.append(f"{write.name_of(tensor)}._grad is {'None' if before is None else 'not None'}")
        conditions += [f"not {write.name_of(optimizer)}.step_hooks()" for optimizer in tape.looked_into]
        conditions += [f"{write.name_of(a)}['step'] == {write.name_of(b)}['step']" for a, b in tape.same_steps]
        conditions += self.surroundings.conditions(write)
        return f"if not ({' and '.join(dict.fromkeys(conditions)) or True}): raise Outdated"

    def _arguments_apart(self, lines: list[Line], tape: Tape, given: list[str], changed: list[str]) -> list[str]:
        """A line that raises if arguments share memory with what the plan writes to, because it reads copies of them."""
        written = frozenset(id(x.value.array) for line in lines for x in line.written if x.value.kind == "outside")
        self.source.scope["written"] = written
        found = [f"id({x}) in written or id({x}.base) in written" for x in given] if written else []
        around = [self.source.name_of(array) for array in tape.effects.outside.values()] if changed else []
        found += [f"share_memory({x}, {y})" for x in changed for y in (*given, *around) if x != y]
        return [f"if {' or '.join(found)}: raise Changed"] if found else []

    def _marks(self, lines: list[Line], changed: list[str]) -> list[str]:
        """Lines that note when arguments and tensors from outside were changed."""
        written = {id(x.value.array): x.value.array for line in lines for x in line.written if x.value.kind == "outside"}
        for array in written.values():
            mark_changed(array)
        records = [self.source.name_of(record_of(array)) for array in written.values()]
        noted = [f"clock.mark_changed({held})" for held in changed]
        return noted + [f"clock.last_change = {''.join(f'{record}[0] = ' for record in records)}clock.tick()"] * bool(records)

    # -- to be compared
    def differs(self, other: Plan) -> str:
        """The first line in which two recordings of one call differ, as a message; the empty string if none does."""
        for (site, mine), (_, theirs) in zip(self.body, other.body, strict=False):
            if mine != theirs:
                return f"{site}\n  {theirs}\n  {mine}"
        if len(self.body) != len(other.body):
            return f"{len(other.body)} lines, then {len(self.body)}"
        for name, value in self.source.scope.items():
            if name in self.source.constants:
                found = other.source.scope[name]
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
                if n not in met and isinstance(self.source.scope.get(n), np.ndarray) and n not in self.source.shown
            ]
            met.update(names)
            text = re.sub(r"; \w+\.array = \w+$", "", re.sub(r"(given_\w+)\.array", r"\1", text))
            text = (
                re.sub(r"\bc\d+\b", lambda m: self.source.shown.get(m[0], m[0]), text)
                .replace("._grad", ".grad")
                .replace("_tensor", "")
            )
            lines.append(f"    {text:50}  # {'; '.join(new)}" if new else f"    {text}")
        head = f"plan of {self.name}: {len(self.body)} lines, {bytes_text(self.memory.bytes)} in {len(self.memory.blocks)} block{'s'[: len(self.memory.blocks) != 1]}"
        return "\n".join([f"{head} (each array in memory of its own: {bytes_text(self.memory.unshared)})", *lines])

    def _about(self, name: str) -> str:
        """What an array is: its dtype, shape and memory."""
        array = self.source.scope[name]
        place = next(
            (f", block {i}" for i, block in enumerate(self.memory.blocks, 1) if array.size and np.may_share_memory(array, block)),
            "",
        )
        same = name in self.source.constants and array.size and (array == array.flat[0]).all()
        return f"{name}: {array.dtype} {array.shape}{place}{f', all {array.flat[0]:g}' if same else ''}"


def _names_of_states(optimizers: list[Optimizer], names: dict[int, str]) -> dict[int, str]:
    """What the settings of optimizers are called, and what they keep for parameters that have a name."""
    found = {id(group): "group" for optimizer in optimizers for group in optimizer.param_groups}
    for optimizer in optimizers:
        together = [("all", state) for state in optimizer.states()]
        for name, state in together + [(names.get(id(p.array), "state"), state) for p, state in optimizer.state.items()]:
            found |= {id(state): f"{name}_state"} | {id(x): f"{name}_{k}" for k, x in state.items() if isinstance(x, np.ndarray)}
    return found
