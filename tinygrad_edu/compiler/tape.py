"""The tape: everything that one call of a function did, as lines."""

from __future__ import annotations

import inspect
import math
import threading
from typing import Any

import numpy as np

from ..callsite import source_line
from ..clock import owner
from ..optim.optimizer import Optimizer
from ..tensor import Tensor, raw
from ..trees import leaves, mapped
from .effects import Effects
from .lines import COPIES, RESHAPES, CompileError, Draw, Line, Operand, Value, copy, get, operands, put
from .reads import Reads
from .recorded import Memory, Recorded, address, site, strip

# Reductions, as NumPy's own methods compute them.
REDUCTIONS = {
    np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum, np.amax: np.maximum, np.amin: np.minimum,
    np.any: np.logical_or, np.all: np.logical_and,
}  # fmt: skip
# Functions whose first argument lends its kind of array and its shape, but no numbers.
MAKERS: dict[Any, Any] = {np.empty_like: math.nan, np.zeros_like: 0, np.ones_like: 1, np.full_like: None}
# Functions that write to their first argument.
WRITERS = {np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis, np.ndarray.sort, np.ndarray.partition}
# Functions that say nothing about the numbers.
ABOUT_SHAPES = {np.result_type, np.shape, np.ndim, np.size, np.can_cast, np.may_share_memory, np.shares_memory, np.iscomplexobj}
# Functions whose results have as many elements as the numbers say.
SIZED_BY_DATA = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.compress, np.extract, np.bincount, np.ndarray.nonzero}


def _silenced() -> set[str]:
    """The kinds of warnings that NumPy does not give now."""
    return {kind for kind, how in np.geterr().items() if how == "ignore"}


class Tape:
    """Everything that one call of a function did."""

    def __init__(self, given: list[Any], settings: dict[Optimizer, Any], reads: Reads) -> None:
        self.reads = reads
        self.lines: list[Line] = []
        self.memories: dict[int, Memory] = {}  # by the id of the array that owns it
        self.known: dict[int, Recorded] = {}  # by the id of the real array
        self.keep: list[Any] = []  # real arrays, so that no id is used twice
        self.made: dict[tuple, tuple[Recorded, Operand, int]] = {}  # what was computed before, and from what
        self.constants: dict[tuple, Value] = {}  # by what is in them
        self.numbers: dict[tuple, Recorded] = {}
        self.settings = settings  # of optimizers, at the recording before this one
        self.looked_into: list[Optimizer] = []
        self.made_state = False  # whether one of them made its state in this call, as no later one does
        self.same_steps: list[tuple[dict, dict]] = []  # states of parameters that have counted as many steps
        self.refused: CompileError | None = None
        self.quiet: set[str] = set()  # the kinds of NumPy's warnings that were switched off somewhere
        self.quiet_before = _silenced()
        self.running = True
        self.ended = None  # the last line of the function, once it has returned
        self.thread = threading.get_ident()
        self.effects = Effects(self)
        self.given = given  # tensors and arrays, as they are passed
        self.leaves = [x for x in given if isinstance(x, Tensor) and x.op is None]
        self.arrays = list(map(raw, given))
        self.arguments = [self.argument(array) for array in self.arrays]  # and their recorded twins

    def watches(self) -> bool:
        """Whether what happens now is to be noted: in this thread, and not within what is called as one."""
        return self.running and threading.get_ident() == self.thread

    # -- arrays
    def enter(self, array: np.ndarray, kind: str, fill: Any = None) -> Recorded:
        """The recorded twin of an array whose memory was not met before."""
        owned = owner(array)
        memory = self.memories[id(owned)] = Memory(owned, Value(kind, owned, fill))
        if kind == "constant":
            self.same_constant(memory)
        self.keep.append(owned)
        return self.twin(array, memory)

    def argument(self, array: np.ndarray) -> Recorded:
        """The recorded twin of an argument: a buffer, to which the argument is copied at each call."""
        if not isinstance(array, np.ndarray):
            raise CompileError("compile records tensors on the CPU; an argument is on another device.")
        buffer = as_it_lies(array)
        memory = self.memories[id(owner(buffer))] = Memory(owner(buffer), Value("argument", owner(buffer)))
        self.known[id(array)] = recorded = self.twin(buffer, memory)
        self.keep.append(array)
        return recorded

    def as_given(self, args: Any) -> Any:
        """Arguments with recorded arrays in place of NumPy's own, whose numbers somebody may read without this package."""
        if any(isinstance(x, np.ndarray) for x in self.given):
            return mapped(lambda x: self.twin(x) if isinstance(x, np.ndarray) else x, args)
        return args

    def changes(self, x: Recorded) -> bool:
        """Whether a line writes to the memory of this argument."""
        return any(o.value is x.memory.value for line in self.lines for o in line.written)

    def twin(self, array: np.ndarray, memory: Memory | None = None) -> Recorded:
        """The recorded twin of an array; if it was not met before, it is from outside, or a constant where nobody may write to it."""
        known = self.known.get(id(array))
        if known is None:
            memory = memory or self.memories.get(id(owner(array)))
            if memory is None:
                return self.enter(array, "outside" if owner(array).flags.writeable else "constant")
            known = self.known[id(array)] = Recorded(self, array, memory)
            self.keep.append(array)
        return known

    def same_constant(self, memory: Memory) -> None:
        """Let equal constants be one."""
        array = memory.held
        if array.nbytes <= 2**16:
            key = (array.shape, array.strides, array.dtype, repr(memory.value.fill), array.tobytes())
            memory.value = self.constants.setdefault(key, memory.value)
            memory.value.shared = True

    def handle(self, memory: Memory) -> Recorded:
        """The array that owns this memory."""
        return self.twin(memory.held, memory)

    # -- lines
    def note(self, function: Any, args: tuple, kwargs: Any = None, results: Any = (), written: Any = ()) -> None:
        self.lines.append(Line(function, args, kwargs or {}, tuple(results), tuple(written), self.ended or site()))

    def run(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call a function on the real arrays, and note the call."""
        if not self.running:
            return function(*strip(args), **strip(kwargs))
        self._refuse_sizes(function, args)
        if function is np.copyto and len(args) == 2:
            self.assign(*args)
            return None
        if function in REDUCTIONS and kwargs.get("keepdims") is True and "out" not in kwargs:
            made = self.run(function, args, {k: x for k, x in kwargs.items() if k != "keepdims"})  # it may be known without them
            axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
            return self.run(np.expand_dims, (made, tuple(range(args[0].ndim)) if axis is None else axis), {})
        if function in MAKERS or not any(isinstance(x, Recorded) for x in leaves((args, kwargs))):
            return self._make(function, strip(args), strip(kwargs))
        targets = [args[0]] if _writes(function) else [x for x in as_tuple(kwargs.get("out")) if x is not None]
        out = {"out": strip(kwargs["out"])} if "out" in kwargs else {}
        function, args, kwargs = self.normal(function, args, {k: x for k, x in kwargs.items() if k != "out"})
        elementwise = isinstance(function, np.ufunc) and function.signature is None and "where" not in kwargs
        whole = [elementwise and self.may_replace(x) for x in targets]
        for target, replaced in zip(targets, whole, strict=True):
            self.before_write(target, replaced)
        noted = function, self.as_operands(args), self.as_operands(kwargs)
        self.quiet |= _silenced() - self.quiet_before
        result = function(*strip(args), **strip(kwargs), **out)
        if function in ABOUT_SHAPES:
            return result
        if not targets:
            return self._made(*noted, result)
        if all(whole):
            self._result(*noted, [self._replace(x) for x in targets])
        else:
            self.note(*noted, written=self._written(targets))
        return None if result is None else targets[0] if len(targets) == 1 else tuple(targets)

    def _made(self, function: Any, args: tuple, kwargs: dict, result: Any) -> Any:
        """The recorded twins of what a function made, with a line for it unless these are views."""
        found = [x if isinstance(x, np.ndarray) else np.asarray(x) for x in as_tuple(result)]
        memories = [self.memories.get(id(owner(x))) for x in found]
        if found and not any(memories):  # nearly always
            if len({id(owner(x)) for x in found}) < len(
                found
            ):  # parts of one array, as of unravel_index: the plan keeps them apart
                found = [x.copy() for x in found]
            made = [self.enter(x, "own") for x in found]
            self._result(function, args, kwargs, made)
        else:
            made = [self.twin(x, memory) for x, memory in zip(found, memories, strict=True)]
        if not isinstance(result, tuple | list):
            return made[0]
        return type(result)(*made) if hasattr(result, "_fields") else type(result)(made)

    def _result(self, function: Any, args: tuple, kwargs: dict, made: list[Recorded]) -> None:
        """Note what a function of nothing but its arguments made, unless the same was made before."""
        if isinstance(function, Draw):
            self.note(function, args, kwargs, [x.operand() for x in made])
            return
        copied = args[0] if function in COPIES and len(made) == 1 and isinstance(args[0], Operand) else None
        if copied is not None and copied.value.kind in ("own", "constant") and copied.whole():
            new = made[0].operand()
            if (copied.strides, copied.dtype, copied.shape) == (new.strides, new.dtype, new.shape):
                made[0].memory.value = copied.value  # a copy is made when one of the two is written to, if ever
                copied.value.shared = True
                return
        if all(x.value.kind == "constant" for x in operands((args, kwargs))):
            for x in made:
                x.memory.value.kind = "constant"
                self.same_constant(x.memory)
            return
        key = signature((function, args, kwargs, [x.operand()[1:] for x in made]))
        before = self.made.get(key) if len(made) == 1 else None
        if before is not None and before[1].value.writes == before[2]:
            made[0].memory.value = before[1].value
            before[1].value.shared = True
            return
        results = [x.operand() for x in made]
        self.made[key] = made[0], results[0], 0
        if function in RESHAPES and results[0].is_rows() and results[0].whole():  # a copy, seen in the shape that it had
            (x, *_), function, kwargs = args, copy, {}
            args, results = (x,), [results[0].as_rows(x.shape)]
        self.note(function, args, kwargs, results)

    def _make(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> Recorded:
        """A new array that is made of nothing: a constant until it is written to."""
        held = function(*args, **kwargs)
        fill = MAKERS.get(function)
        if function is np.full_like:
            fill = kwargs.get("fill_value", args[1] if len(args) > 1 else None)
            if isinstance(fill, np.ndarray):
                made = self.enter(np.empty_like(held), "constant", math.nan)
                self.assign(made, self.twin(fill))
                return made
        return self.enter(held, "constant", fill)

    def assign(self, target: Recorded, value: Any) -> None:
        """target[...] = value"""
        if not self.running:
            target.held[...] = strip(value)
            return
        source = self.as_operands(value)
        if isinstance(value, Recorded) and source == target.operand():
            return  # x[i] += y ends so
        replaced = self.may_replace(target)
        self.before_write(target, replaced)
        target.held[...] = strip(value)
        if replaced:
            target = self._replace(target)
            if not isinstance(source, Operand) and not isinstance(value, np.ndarray):
                target.memory.value = Value("constant", target.memory.held, value)
            else:
                self._result(copy, (source,), {}, [target])
        else:
            self.note(copy, (source,), {}, written=self._written([target]))

    # -- writing
    def may_replace(self, target: Recorded) -> bool:
        """Whether overwriting an array gives its memory a new value: if it is the plan's own, and overwritten as a whole."""
        value = target.memory.value
        return value.kind in ("own", "constant") and target.operand().whole()

    def _replace(self, target: Recorded) -> Recorded:
        target.memory.value = Value("own", target.memory.held)
        return target

    def before_write(self, target: Recorded, replaced: bool) -> None:
        """Make sure that what is written to in part is nobody else's, and no constant."""
        memory = target.memory
        value = memory.value
        if value.kind == "constant" and value.array is memory.held:
            value.array = memory.held.copy(order="K")
        if replaced or (value.kind != "constant" and not value.shared):
            return
        whole = self.handle(memory)
        before: Any = whole.operand() if value.fill is None else value.fill
        memory.value = Value("own", memory.held)
        if before is not math.nan:
            self.note(copy, (before,), {}, [whole.operand()])

    def _written(self, targets: list[Recorded]) -> list[Operand]:
        for x in targets:
            x.memory.value.writes += 1
        return [x.operand() for x in targets]

    # -- helpers
    def normal(self, function: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, tuple, dict]:
        """The same call in a form that is quick to replay: reductions as a ufunc's method, matrix products as dot, numbers as arrays."""
        if function in REDUCTIONS:
            given = inspect.signature(function).bind(*args, **kwargs).arguments
            array, axis = given.pop("a"), given.pop("axis", None)
            options = {k: v for k, v in given.items() if v is not np._NoValue and v is not None and v is not False}
            return REDUCTIONS[function].reduce, (array,), {"axis": axis, **options}
        if function is np.matmul and all(x.ndim == 2 for x in args) and not kwargs:
            return np.dot, args, kwargs
        if function is np.clip or (isinstance(function, np.ufunc) and function is not np.ldexp):
            found = {x.dtype for x in args if isinstance(x, np.ndarray)}
            dtype = found.pop() if len(found) == 1 else np.dtype(bool)
            args = tuple(self.number(x, dtype) if type(x) in (int, float) and dtype.kind == "f" else x for x in args)
            args = tuple(self.number(x.item(), x.dtype) if isinstance(x, np.generic) else x for x in args)
        return function, args, kwargs

    def number(self, x: float, dtype: np.dtype) -> Recorded:
        """Python's number as an array, which NumPy would make of it at every call."""
        key = (type(x), repr(x), dtype)
        if key not in self.numbers:
            self.numbers[key] = self.enter(np.array(x, dtype), "constant", x)
        return self.numbers[key]

    def as_operands(self, tree: Any) -> Any:
        """Nested arguments with operands in place of arrays."""
        if isinstance(tree, np.ndarray):
            return (tree if type(tree) is Recorded else self.twin(tree)).operand()
        if isinstance(tree, tuple | list):
            return tuple(map(self.as_operands, tree)) if isinstance(tree, tuple) else [self.as_operands(x) for x in tree]
        return {k: self.as_operands(x) for k, x in tree.items()} if isinstance(tree, dict) else tree

    def refuse(self, does: str) -> CompileError:
        """The error for what a plan cannot contain, with the learner's line."""
        self.refused = self.refused or CompileError(
            f"{source_line(site()) or 'the compiled function'}\n  {does}, which are others in every call, so the recorded plan cannot "
            "contain it. Do it outside of the compiled function, with what that returns; to choose between numbers, use where(condition, a, b)."
        )
        return self.refused

    def _refuse_sizes(self, function: Any, args: tuple) -> None:
        masks = function is get and [x for x in leaves(args[1]) if isinstance(x, np.ndarray) and x.dtype == np.bool_]
        counts = function in (np.repeat, np.ndarray.repeat) and args[1:2]
        whole = (function in SIZED_BY_DATA or (function is np.where and len(args) == 1)) and leaves(args)
        if any(isinstance(x, Recorded) and not x.is_constant() for x in masks or counts or whole or ()):
            raise self.refuse("makes a tensor whose size depends on numbers")


def _writes(function: Any) -> bool:
    """Whether a function writes to its first argument."""
    return function in WRITERS or function is put or getattr(function, "__name__", "") == "at"


def signature(tree: Any) -> Any:
    """Something hashable that is equal for equal calls; a value counts with how often it was written to."""
    if isinstance(tree, Operand):
        return (tree.value, tree.value.writes, *tree[1:])
    if isinstance(tree, tuple | list):
        return tuple(map(signature, tree))
    if isinstance(tree, dict):
        return tuple((k, signature(x)) for k, x in tree.items())
    if isinstance(tree, slice):
        return ("slice", tree.start, tree.stop, tree.step)
    return tree if callable(tree) else (type(tree), repr(tree))


def as_it_lies(array: np.ndarray) -> np.ndarray:
    """A copy with the same strides: what is a view of the array (a reshape, say) is one of the copy, too."""
    if array.flags.c_contiguous:
        return array.copy()
    begin, end = np.lib.array_utils.byte_bounds(array)
    copied = np.ndarray(array.shape, array.dtype, np.empty(end - begin, np.uint8), address(array) - begin, array.strides)
    copied[...] = array
    return copied


def as_tuple(x: Any) -> tuple:
    return tuple(x) if isinstance(x, tuple | list) else () if x is None else (x,)
