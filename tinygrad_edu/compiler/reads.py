"""What a function reads of Python beside its arguments, noted before and while it runs.

Which variables it reads its bytecode tells, and that of the functions that it has in hand. Which attributes it reads is seen while it runs:
the classes of objects that it can reach report each one that is asked for or set (see `watch`). Modules of Python and classes themselves
do not report; of these count the attributes whose names stand in the bytecode. Of a list, dict or set counts all that stands in it. So
there are places: a cell, a dict, a list, a class or an object with slots, and a name; with what stood there when it was first read.
"""

from __future__ import annotations

import dis
import functools
import io
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..amp import GradScaler
from ..nn.module import Module
from ..ops.random import Generator
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from ..trees import parts_of

Place = tuple[Any, Any, Any]  # where it stands, under which name or number, and the value

LARGE = 2**20  # bytes of an array that are compared before each call
MANY = 64  # things in a list or dict that are looked at one by one; where there are more, at all of them at once
DATA = 1000  # things beside numbers and texts in one, where there are more than can be looked at before each call
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype, range, slice, CodeType)
OWN = "tinygrad_edu"
CONTAINERS = (list, tuple, dict, set, frozenset, deque)
HOOKS = ("_hooks", "_grad_hooks")  # of tensors
TENSORS = {"array", *dir(Tensor)}  # attributes that are not the learner's
WHOLE = {"__dict__", "__getstate__"}  # what gives all attributes of an object at once: to vars(), and to a copy
STEPPED = (Optimizer, LRScheduler, GradScaler, Generator)  # what these read of themselves is recorded otherwise
ALSO = {"get_last_lr": "_last_lr"}  # but for what this reads
# What this package calls by itself, of a class that inherits from one of its own.
CALLED = {"forward", "backward", "setup_context", "update", "step"}
AT_BIRTH = {"__init__", "__new__", "__post_init__"}  # of a class, not of an object that is there
# Methods that no call of another function goes through.
NOT_CALLED = AT_BIRTH | {
    "__repr__", "__str__", "__del__", "__getstate__", "__setstate__", "__reduce__", "__hash__", "__setattr__", "__delattr__",
}  # fmt: skip
# What may be called holds what it calls.
HELD: dict[type, Callable[[Any], Any]] = {
    MethodType: lambda x: (x.__func__, x.__self__),
    functools.partial: lambda x: (x.func, x.args, x.keywords),
    functools.cached_property: lambda x: (x.func,),
    property: lambda x: (x.fget,),
    staticmethod: lambda x: (x.__func__,),
    classmethod: lambda x: (x.__func__,),
    weakref.ref: lambda x: (x(),),
}


ABSENT = object()  # what stands where nothing does


def read(where: Any, name: Any) -> Any:
    """What stands there now."""
    try:
        if isinstance(where, CellType):
            return where.cell_contents
        if isinstance(where, dict):
            return where.get(name, ABSENT)
        if isinstance(where, list | deque):
            return where[name]
        return vars(where).get(name, ABSENT) if isinstance(where, type) else getattr(where, name, ABSENT)
    except (ValueError, LookupError):  # an empty cell, or what was taken away
        return ABSENT


class Held:
    """All that stands in a list, dict or set now, to be compared with what stands there later."""

    def __init__(self, x: Any) -> None:
        self.parts = [*x, *x.values()] if isinstance(x, dict) else list(x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and len(self.parts) == len(other.parts) and all(map(same, self.parts, other.parts))

    def __hash__(self) -> int:
        return len(self.parts)


def same(a: Any, b: Any) -> bool:
    """Whether two things are one, or equal numbers, texts or tuples of such; 0.0 is not -0.0, and NaN is NaN."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, PLAIN) and repr(a) == repr(b)


def parts(module: Module) -> Held:
    """The parameters, buffers and layers of a module."""
    return Held([x for x in vars(module).values() if isinstance(x, Tensor | Module)])


class Reads:
    """What a call of a function with these arguments reads.

    Attributes:
        places: where that stands, by the id of the object and the name.
        contents: lists, dicts and the like, with a function that tells what stands in one, and what it told.
        modules: those that it can reach, and their parts.
        report: lets an object that it can reach report what is read of it; before it runs, `waiting` collects these.
        said: the names and texts in the bytecode of the learner's functions.
        met: all that it can reach, by id.
        too_much: why what it reads cannot be looked at before each call; empty if it can.
    """

    def __init__(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self.places: dict[tuple[int, Any], Place] = {}
        self.contents: list[tuple[Any, Callable[[Any], Any], Any]] = []
        self.modules: list[tuple[Module, Held]] = []
        self.waiting: list[Any] = []
        self.report: Callable[[Any], None] = self.waiting.append
        self.said: set[str] = set()
        self.met: dict[int, Any] = {}
        self.too_much = ""
        self._asked: set[tuple[int, str]] = set()  # attributes that were asked for
        self._silent: list[Any] = []  # modules of Python, classes, and functions with attributes
        self._home = _package(_home_of(getattr(function, "func", function)))
        self._visit(function)
        self._argument((args, kwargs))

    def called(self, x: Any, otherwise: str) -> str:
        """What a thing is called where it stands, for messages."""
        return next((str(name) for _, name, held in self.places.values() if held is x), otherwise)

    # -- what is read while it runs
    def attribute(self, x: Any, name: str) -> None:
        """Note an attribute that is asked for or set: where it may stand, in the object and in the learner's classes."""
        if id(x) not in self.met or (id(x), name) in self._asked:  # of what is made in the call nothing was there before
            return
        kind = type(x)
        alone = name in WHOLE if issubclass(kind, Module) else issubclass(kind, STEPPED)
        if alone and _package(sys._getframe(2).f_globals.get("__name__", "")) == OWN:
            return
        self._asked.add((id(x), name))
        held = _dict_of(x)
        if name in WHOLE and held is not None:
            self._contents(held)
        if name == "training" or name.startswith("__") or (issubclass(kind, Tensor) and name in TENSORS):
            return
        for each in (name, ALSO[name]) if name in ALSO else (name,):
            if held is not None:
                self._place(held, each)
            self._in_classes(x, kind, each)

    def _in_classes(self, x: Any, kind: type, name: str) -> None:
        """The places of an attribute in the learner's classes: super() asks the next one, and where there is none one may come to stand."""
        kinds = self._learners(kind)
        if any(name in vars(each) for each in kinds):
            for each in kinds:
                slot = x is not kind and isinstance(vars(each).get(name), MemberDescriptorType)
                self._place(x if slot else each, name)

    # -- what it has in hand
    def _argument(self, x: Any) -> None:
        """What an argument holds is compared as the kind of the call, and so has no place."""
        held = parts_of(x)
        if isinstance(x, Tensor):
            self._tensor(x, ())
        else:
            self._visit(x if held is None else type(x))
        for part in (held or {}).values():
            self._argument(part)

    def note(self, where: Any, name: Any) -> None:
        """A place that may be read."""
        self.places.setdefault((id(where), name), (where, name, read(where, name)))

    def _place(self, where: Any, name: Any) -> None:
        """A place that may be read, and what stands there."""
        x = self.places.get((id(where), name), (read(where, name),))[-1]
        if not isinstance(x, ModuleType):  # which stays under its name
            self.note(where, name)
        if id(x) not in self.met and hasattr(type(x), "__next__") and not isinstance(x, io.IOBase):
            self.too_much = (
                f"{name} gives another thing each time it is asked. Take what comes next outside of the function, and pass it"
            )
        self._visit(x)

    def _visit(self, x: Any) -> None:
        """Something that may be read: what may be called, what has attributes, what stands in a list or dict."""
        if id(x) in self.met or isinstance(x, PLAIN):
            return
        self.met[id(x)] = x
        if isinstance(x, FunctionType):
            self._function(x)
        elif held := next((each for each in HELD if isinstance(x, each)), None):
            for part in HELD[held](x):
                self._visit(part)
        elif isinstance(x, type | ModuleType):
            if not self._is_library(_home_of(x)):
                self._silent.append(x)
                self._attributes_of(x, self.said)
                if isinstance(x, type):
                    self._methods(x, NOT_CALLED - AT_BIRTH)
        elif isinstance(x, np.ndarray):
            if x.nbytes <= LARGE:
                self.contents.append((x, bytes, bytes(x)))
        else:
            if isinstance(x, CONTAINERS):
                self._contents(x)
            if not self._is_library(type(x).__module__) or not isinstance(x, CONTAINERS):
                self._object(x)

    def _function(self, function: FunctionType) -> None:
        """What a function reads: variables around it; global ones if it is the learner's."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name != "__class__":  # of super()
                self._place(cell, name)
        self._visit((function.__defaults__, function.__kwdefaults__))
        if self._is_library(function.__module__ or ""):
            return
        self._silent.append(function)
        self._attributes_of(function, self.said)
        for code in _codes(function.__code__):
            for step in dis.get_instructions(code):
                if step.opname.endswith(("_GLOBAL", "_NAME")) and step.argval in function.__globals__:
                    self._place(function.__globals__, step.argval)
            new = {*code.co_names, *(x for x in code.co_consts if isinstance(x, str))} - self.said
            self.said |= new
            for x in list(self._silent):
                self._attributes_of(x, new)

    def _attributes_of(self, x: Any, names: set[str]) -> None:
        """The places of what the bytecode names, in a class, function or module of Python, which do not report."""
        for name in sorted(names):
            if isinstance(x, type):
                self._in_classes(x, x, name)
            elif name in vars(x):
                self._place(vars(x), name)

    def _object(self, x: Any) -> None:
        """An object with attributes. The modules and tensors among these are met before it runs: whether one is lazy, or an argument."""
        self._methods(type(x), NOT_CALLED)
        if isinstance(x, Tensor):
            self._tensor(x, HOOKS)
        if not isinstance(x, Tensor) or not self._is_library(type(x).__module__):
            self.report(x)
        if isinstance(x, Module):
            self.modules.append((x, parts(x)))
        elif isinstance(x, Optimizer):
            for each in (x.param_groups, *(group["params"] for group in x.param_groups)):
                self.contents.append((each, len, len(each)))
        elif isinstance(x, GradScaler):
            self._place(x._state, "scale")
        for part in (_dict_of(x) or {}).values():
            if isinstance(part, Module | Tensor if isinstance(x, Module) else Module):
                self._visit(part)

    def whole(self, x: Any) -> None:
        """An object whose class cannot report: all of its attributes count, but of a function that wraps another one."""
        held = _dict_of(x) or {}
        if "__wrapped__" in held:
            self._visit(held["__wrapped__"])
        elif held:
            self._contents(held)

    def _tensor(self, x: Tensor, names: tuple[str, ...]) -> None:
        """Attributes of a tensor: these, and those that the learner has set."""
        for name in (*names, *sorted(vars(x).keys() - TENSORS)):
            self._place(vars(x), name)

    def _methods(self, kind: type, but: set[str]) -> None:
        """The methods of a class that are called without being named: by Python, but for some, or by this package."""
        ours = any(_package(each.__module__) == OWN for each in kind.__mro__)
        for each in self._learners(kind):
            for name, x in sorted(vars(each).items()):
                if ours and name in CALLED:
                    self._place(each, name)
                elif name.startswith("__") and name not in but and isinstance(x, FunctionType) and not hasattr(x, "reports"):
                    self._visit(x)

    def _contents(self, x: Any) -> None:
        """What stands in a list, dict or set."""
        held = list(x.items() if isinstance(x, dict) else enumerate(x))
        if len(held) > DATA and not all(isinstance(part, PLAIN) for _, part in held):
            self.too_much = (
                f"it reads {self.called(x, f'a {type(x).__name__}')}, in which {len(x)} things stand, too many to be looked at before each "
                "call. Take what is needed outside of the function, and pass it"
            )
        elif len(held) <= MANY and isinstance(x, dict | list | deque):
            self.contents.append((x, len, len(x)))
            for name, _ in held:
                self._place(x, name)
        else:
            if not isinstance(x, tuple | frozenset):
                self.contents.append((x, Held, Held(x)))
            for _, part in held:
                self._visit(part)

    # -- whose it is
    def _learners(self, kind: type) -> list[type]:
        """The learner's classes from which a class is made."""
        return [each for each in kind.__mro__ if not self._is_library(each.__module__)]

    def _is_library(self, module: str) -> bool:
        """Whether a module is of this package, of NumPy, of Python or of another package that is installed."""
        package = _package(module)
        return package == OWN or (package not in (self._home, "__main__") and _is_installed(package))


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The bytecode of a function, and of those within it."""
    yield code
    for x in code.co_consts:
        if isinstance(x, CodeType):
            yield from _codes(x)


def _dict_of(x: Any) -> dict[str, Any] | None:
    """The attributes of an object, asked for past what reports."""
    try:
        return object.__getattribute__(x, "__dict__")
    except AttributeError:
        return None


def _home_of(x: Any) -> str:
    """The module of Python that a class or function is from, or that it is."""
    return (x.__name__ if isinstance(x, ModuleType) else getattr(x, "__module__", "")) or ""


def _package(module: str) -> str:
    return module.partition(".")[0]


@functools.cache
def _is_installed(package: str) -> bool:
    found = getattr(sys.modules.get(package), "__file__", None) or ""
    return package == "numpy" or package in sys.stdlib_module_names or "site-packages" in found
