"""Python's source for the lines of a plan, and the names in it."""

from __future__ import annotations

import builtins
import math
import re
from collections import Counter
from keyword import kwlist
from typing import Any

import numpy as np

from ..callsite import source_line
from ..tensor import Tensor, wrap
from ..trees import parts_of
from .lines import COPIES, Draw, Line, Method, Operand, call, check, get, grad, put
from .memory import Layout
from .passes import COMPARED, EFFECTS, METHODS, compares, lasting, puts_out

# Names that the source of a plan uses itself, beside those in its scope.
TYPES = {name for name, x in vars(builtins).items() if isinstance(x, type)}
RESERVED = {"replay", "len", "id", "vars", "getattr", *kwlist, *TYPES}


class Source:
    """Writes lines as Python, and keeps what the names in them stand for.

    Args:
        memory: where the values lie.
        given: names that the learner has for objects, by id.

    Attributes:
        scope: the objects, by name.
        constants: the names of constants; shown: how a name is printed that is not the name itself.
    """

    def __init__(self, memory: Layout, given: dict[int, str], scope: dict[str, Any]) -> None:
        self.memory, self.given, self.scope = memory, given, scope
        self.names: dict[Any, str] = {}  # of operands, by operand, and of other objects, by id
        self._numbers = Counter[str]()  # the last one given, by what stands before it
        self.constants: set[str] = set()
        self.shown: dict[str, str] = {}

    def name_of(self, x: Any) -> str:
        """The name of an array in the source: one for each place in memory, shape and dtype."""
        if isinstance(x, Operand) and x.value not in self.memory.fresh:
            array = self.memory.array_of(x)
            key: Any = (array.__array_interface__["data"][0], x.shape, array.strides, x.dtype)
        else:
            array, key = None, x if isinstance(x, Operand) else id(x)
        if key not in self.names:
            kind = x.value.kind if isinstance(x, Operand) else type(x).__name__
            wanted = self.given.get(id(x.value.array) if isinstance(x, Operand) else id(x))
            wanted = wanted and re.sub(r"\W", "_", wanted)  # a module may be called "conv-1"
            if wanted and (not wanted.isidentifier() or wanted in RESERVED or wanted.startswith("given_")):
                wanted = f"_{wanted}"  # a layer's number, say
            letter = {"own": "a", "argument": "x", "constant": "c", "outside": "w"}.get(
                kind, "t" if isinstance(x, Tensor) else "o"
            )
            if wanted and isinstance(x, Operand) and x.shape == x.value.array.shape[::-1] != x.value.array.shape:
                wanted += "_T"
            name, stem = (wanted, f"{wanted}_") if wanted else (None, letter)
            while name is None or name in self.scope:
                self._numbers[stem] += 1
                name = f"{stem}{self._numbers[stem]}"
            self.names[key] = name
            self.scope[name] = array if isinstance(x, Operand) else x
            if kind == "constant":
                self.constants.add(name)
                if not x.shape:
                    self.shown[name] = repr(self.memory.array_of(x).item() if x.value.fill is None else x.value.fill)
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
            return self.bound(np.dtype(x).name, np.dtype(x))
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
        return self.bound(f.__name__, f)

    def bound(self, name: str, x: Any) -> str:
        """A name with this object bound to it: the given one, unless that is another's."""
        while self.scope.setdefault(name, x) is not x:
            name += "_"
        return name

    def result(self, tree: Any) -> str:
        """What the plan returns, as source."""
        if isinstance(tree, Operand):
            return f"{'view' if tree.value.kind == 'outside' else 'tensor'}({self.name_of(tree)})"
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return f"{self.function(type(tree))}({', '.join(map(self.result, tree))})"
        if isinstance(tree, tuple):
            return f"({''.join(self.result(x) + ', ' for x in tree)})"
        if isinstance(tree, list):
            return f"[{', '.join(map(self.result, tree))}]"
        if isinstance(tree, dict):
            return "{" + ", ".join(f"{k!r}: {self.result(x)}" for k, x in tree.items()) + "}"
        if (parts := parts_of(tree)) is not None:
            inner = "".join(f", {name}={self.result(x)}" for name, x in parts.items())
            return f"made({self.function(type(tree))}{inner})"
        return self.text(tree)

    def line(self, lines: list[Line], i: int) -> str:
        """The source of line i."""
        line = lines[i]
        f, args, kwargs = line.function, line.args, line.kwargs
        if f is check:
            before = lines[:i]
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
            if args[1] is None:
                return f"{self.name_of(args[0])}._grad = None"
            held = self.name_of(self.tensor(args[1]))  # to which somebody may have given other data meanwhile
            return f"{self.name_of(args[0])}._grad = {held}; {held}.array = {self.name_of(args[1])}"
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
        places = [t if x.value in self.memory.fresh else f"{t}[...]" for t, x in zip(targets, line.results, strict=True)]
        return f"{', '.join(places)} = {made}"

    def tensor(self, x: Operand) -> Tensor:
        """The tensor that is a gradient, the same at each call."""
        key = ("tensor", self.name_of(x))
        if key not in self.names:
            t = wrap(self.memory.array_of(x))
            self.names[key] = self.names[id(t)] = self.bound(key[1] + "_tensor", t)
        return self.scope[self.names[key]]
