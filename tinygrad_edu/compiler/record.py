"""Recording: arrays that compute as NumPy's do and write down every call.

NumPy hands each call with such an array among its arguments to that array (NEP 13 and NEP 18), as it does with CuPy's. So the
operations, their rules and the engine run unchanged: they compute real numbers once, and leave a list of lines behind.

A line reads and makes values. A value is a piece of memory with what was written to it at one time; a view of it is an operand:
the value, an offset, a shape and strides. When an array is overwritten as a whole, that is a new value, which may or may not
lie in the same memory: so `z += 1` is a line like `z + 1`, and the memory plan decides.
"""

from __future__ import annotations

import gc
import inspect
import math
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..callsite import OWN_FILES, source_line
from ..clock import owner
from ..errors import describe
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from ..trees import leaves, mapped

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


NUMPY = np.__path__[0]


class CompileError(RuntimeError):
    """A function that cannot be recorded as a plan."""


# -- what a recording is made of -------------------------------------------------------------------------------------
class Value:
    """Numbers in memory, as written at one time.

    kind: "own" memory of the plan; "argument", where an argument is copied to; "outside", an array that was there before, such
    as a parameter's; "constant", computed from nothing that can change.
    fill: the number with which it is filled, of a constant; NaN in place of None means that it is not filled at all.
    """

    def __init__(self, kind: str, array: Any, fill: Any = None) -> None:
        self.kind, self.array, self.fill, self.nbytes = kind, array, fill, array.nbytes
        self.writes = 0  # how often it was written to in part
        self.shared = False  # whether two arrays of the recorded function are this value, for as long as none is written to


class Operand(NamedTuple):
    """A value as an array looks at it."""

    value: Value
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def is_rows(self) -> bool:
        """Whether its numbers lie one after the other, row by row."""
        return not self.size or self == self.as_rows(self.shape)

    def as_rows(self, shape: tuple[int, ...]) -> Operand:
        """The same numbers, row by row, in another shape."""
        strides = tuple(self.dtype.itemsize * math.prod(shape[d + 1 :]) for d in range(len(shape)))
        return Operand(self.value, self.offset, shape, strides, self.dtype)

    def whole(self) -> bool:
        """Whether it shows every byte of the value once."""
        if not self.size:
            return True
        inner = sorted(((s, n) for s, n in zip(self.strides, self.shape, strict=True) if n != 1))
        step = self.dtype.itemsize
        for stride, n in inner:
            if stride != step:
                return False
            step *= n
        return step == self.value.nbytes and self.offset == 0


class Line(NamedTuple):
    """A call: `results` are made by it, `written` are changed by it in part. Arguments hold operands in place of arrays."""

    function: Any
    args: tuple
    kwargs: dict[str, Any]
    results: tuple[Operand, ...]
    written: tuple[Operand, ...]
    site: Any

    def reads(self) -> Iterator[Operand]:
        """The operands among the arguments."""
        return operands((self.args, self.kwargs))


def operands(tree: Any) -> Iterator[Operand]:
    """Every operand in nested arguments."""
    if isinstance(tree, Operand):
        yield tree
    elif isinstance(tree, tuple | list):
        for x in tree:
            yield from operands(x)
    elif isinstance(tree, dict):
        yield from operands(list(tree.values()))


class Memory:
    """What owns the memory of an array in the recorded function, and the value that is in it now."""

    def __init__(self, held: np.ndarray, value: Value) -> None:
        self.held, self.value, self.made, self.address = held, value, value.kind, address(held)
        self.handle: Any = None


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


# What a line does that is not a function of NumPy.
def copy(x: Any) -> Any:
    """target[...] = x"""
    return x.copy()


def get(x: Any, index: Any) -> Any:
    """x[index], where an array is in the index"""
    return x[index]


def put(x: Any, index: Any, value: Any) -> None:
    """x[index] = value, where an array is in the index"""
    x[index] = value


class Draw(NamedTuple):
    """A method of a generator of random numbers, looked up at each call: manual_seed makes a new one."""

    generator: Callable[[], Any]
    method: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.generator(), self.method)(*args, **kwargs)


class Method(NamedTuple):
    """A method of an object of Python's, called again at each call of the plan."""

    this: Any
    name: str


def check(x: Any, expected: bool) -> None:
    """Raise unless a decision that the package made while recording would be the same again."""


def call(function: Any, *args: Any) -> None:
    """A call of Python's that is not looked into, such as a schedule's step."""


def grad(tensor: Any, x: Any) -> None:
    """tensor.grad = x"""


def data(tensor: Any, x: Any) -> None:
    """tensor.data = x"""


# -- the array that records ------------------------------------------------------------------------------------------
class Recorded(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of NumPy whose calls are written down.

    It says that it is an `ndarray` when Python asks, so that the package takes it for one. NumPy's C code knows better: what would
    read the numbers behind the recorder's back is refused.
    """

    def __init__(self, tape: Tape, held: np.ndarray, memory: Memory) -> None:
        self.tape, self.held, self.memory = tape, held, memory

    __class__ = property(lambda self: np.ndarray)
    __hash__ = object.__hash__

    shape = property(lambda self: self.held.shape)
    dtype = property(lambda self: self.held.dtype)
    ndim = property(lambda self: self.held.ndim)
    size = property(lambda self: self.held.size)
    nbytes = property(lambda self: self.held.nbytes)
    itemsize = property(lambda self: self.held.itemsize)
    strides = property(lambda self: self.held.strides)
    flags = property(lambda self: self.held.flags)
    T = property(lambda self: self.tape.run(np.ndarray.transpose, (self,), {}))

    @property
    def base(self) -> Any:
        handle = self.tape.handle(self.memory)
        return None if handle is self else handle

    def operand(self) -> Operand:
        """This array, as it is now."""
        held, memory = self.held, self.memory
        return Operand(memory.value, address(held) - memory.address, held.shape, held.strides, held.dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Tensor) for x in args):
            return NotImplemented
        return self.tape.run(ufunc if method == "__call__" else getattr(ufunc, method), args, kwargs)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        return self.tape.run(function, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        if holds_arrays(index):
            return self.tape.run(get, (self, index), {})
        found = self.held[index]
        if isinstance(found, np.generic):  # one element is a view too
            found = self.held[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return self.tape.twin(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        if holds_arrays(index):
            self.tape.run(put, (self, index, value), {})
        else:
            self.tape.assign(self[index], value)

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, int | float) and exponent in POWERS and self.dtype.kind == "f":  # as NumPy's own arrays do
            return POWERS[exponent](self)
        return self.tape.run(np.power, (self, exponent), {})

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self.held)))

    def __bool__(self) -> bool:
        frame = sys._getframe(1)
        if frame.f_code.co_filename not in OWN_FILES or not self.tape.running:
            raise self.tape.refuse("decides after numbers")
        value = bool(self.held)
        self.tape.note(check, (self.operand(), value))
        return value

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if not copy and self.held.dtype == dtype:
            return self
        return self.tape.run(np.ndarray.astype, (self, np.dtype(dtype)), {})

    def fill(self, value: Any) -> None:
        self.tape.assign(self, value)

    def dot(self, other: Any) -> Any:
        return self.tape.run(np.dot, (self, other), {})

    def __repr__(self) -> str:
        return f"<recorded array {self.shape} {self.dtype}>"


POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}


def _method(name: str) -> Any:
    function = getattr(np, name) if name in AS_FUNCTIONS else getattr(np.ndarray, name)

    def method(self: Recorded, *args: Any, **kwargs: Any) -> Any:
        return self.tape.run(function, (self, *args), kwargs)

    return method


AS_FUNCTIONS = "all any argmax argmin clip cumprod cumsum max mean min prod put std sum var"
AS_METHODS = """
    argpartition argsort choose compress copy diagonal flatten nonzero partition ravel repeat reshape round sort squeeze swapaxes take
    trace transpose view
"""
for _name in f"{AS_FUNCTIONS} {AS_METHODS}".split():
    setattr(Recorded, _name, _method(_name))


def _refused(what: str) -> Any:
    def method(self: Recorded, *args: Any, **kwargs: Any) -> Any:
        raise self.tape.refuse(what)

    return method


for _name in (
    "__array__",
    "__int__",
    "__float__",
    "__index__",
    "__complex__",
    "item",
    "tolist",
    "tobytes",
    "__array_interface__",
):
    setattr(Recorded, _name, _refused("reads numbers") if _name != "__array_interface__" else property(_refused("reads numbers")))


def holds_arrays(index: Any) -> bool:
    """Whether an index holds arrays or lists, so that what it takes is a copy."""
    return any(isinstance(i, Recorded | np.ndarray | list) for i in (index if isinstance(index, tuple) else (index,)))


# -- the list of lines -----------------------------------------------------------------------------------------------
def _silenced() -> set[str]:
    """The kinds of warnings that NumPy does not give now."""
    return {kind for kind, how in np.geterr().items() if how == "ignore"}


class Tape:
    """Everything that one call of a function did."""

    def __init__(self, arguments: list[Any], settings: dict[Optimizer, Any]) -> None:
        self.lines: list[Line] = []
        self.memories: dict[int, Memory] = {}  # by the id of the array that owns it
        self.known: dict[int, Recorded] = {}  # by the id of the real array
        self.keep: list[Any] = []  # real arrays, so that no id is used twice
        self.made: dict[tuple, tuple[Recorded, Operand, int]] = {}  # what was computed before, and from what
        self.outside: dict[Tensor, np.ndarray] = {}  # tensors from before the call, and their arrays
        self.new: dict[int, weakref.ref] = {}  # and from within, by id
        self.made_at: dict[int, Any] = {}  # the learner's line that made each of these
        self.grads: dict[Tensor, Tensor | None] = {}  # gradients given in the call
        self.grads_before: dict[Tensor, Any] = {}  # and those that were read before that
        self.settled: dict[Tensor, Any] = {}  # gradients of which a line knows
        self.rebound: dict[Tensor, np.ndarray] = {}  # tensors whose data was replaced
        self.modes: dict[Module, bool] = {}  # whether modules were in training mode
        self.modes_set: dict[Module, bool] = {}  # and into which mode they were put
        self.constants: dict[tuple, Value] = {}  # by what is in them
        self.numbers: dict[tuple, Recorded] = {}
        self.settings = settings  # of optimizers, at the recording before this one
        self.looked_into: list[Optimizer] = []
        self.same_steps: list[tuple[dict, dict]] = []  # states of parameters that have counted as many steps
        self.refused: CompileError | None = None
        self.quiet: set[str] = set()  # the kinds of NumPy's warnings that were switched off somewhere
        self.quiet_before = _silenced()
        self.running = True
        self.ended = None  # the last line of the function, once it has returned
        self.thread = threading.get_ident()
        self.arguments = [self.argument(x) for x in arguments]

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
        self.known[id(array)] = recorded = self.enter(np.array(array, order="C"), "argument")
        self.keep.append(array)
        return recorded

    def twin(self, array: np.ndarray, memory: Memory | None = None) -> Recorded:
        """The recorded twin of an array; if it was not met before, it is from outside."""
        known = self.known.get(id(array))
        if known is None:
            memory = memory or self.memories.get(id(owner(array)))
            if memory is None:
                return self.enter(array, "outside")
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
        real, options = strip(args), strip(kwargs)
        if not self.running:
            return function(*real, **options)
        self._refuse_sizes(function, args)
        targets = [x for x in as_tuple(kwargs.get("out")) if x is not None]
        if function in WRITERS or function is put or getattr(function, "__name__", "") == "at":
            targets = [args[0]]
        elif function is np.copyto and len(args) == 2:
            self.assign(*args)
            return None
        if function in REDUCTIONS and kwargs.get("keepdims") is True and "out" not in kwargs:
            made = self.run(function, args, {k: x for k, x in kwargs.items() if k != "keepdims"})  # it may be known without them
            axis = kwargs.get("axis", args[1] if len(args) > 1 else None)
            return self.run(np.expand_dims, (made, tuple(range(args[0].ndim)) if axis is None else axis), {})
        if function in MAKERS or not any(isinstance(x, Recorded) for x in leaves((args, kwargs))):
            return self._make(function, real, options)
        function, args, kwargs = self.normal(function, args, {k: v for k, v in kwargs.items() if k != "out"})
        elementwise = isinstance(function, np.ufunc) and function.signature is None and "where" not in kwargs
        whole = [elementwise and self.may_replace(x) for x in targets]
        for target, replaced in zip(targets, whole, strict=True):
            self.before_write(target, replaced)
        noted, noted_options = self.as_operands(args), self.as_operands(kwargs)
        self.quiet |= _silenced() - self.quiet_before
        result = function(*strip(args), **strip(kwargs), **({"out": options["out"]} if "out" in options else {}))
        if function in ABOUT_SHAPES:
            return result
        if targets:
            if all(whole):
                self._result(function, noted, noted_options, [self._replace(x) for x in targets])
            else:
                self.note(function, noted, noted_options, written=self._written(targets))
            return None if result is None else targets[0] if len(targets) == 1 else tuple(targets)
        found = [x if isinstance(x, np.ndarray) else np.asarray(x) for x in as_tuple(result)]
        memories = [self.memories.get(id(owner(x))) for x in found]
        if found and not any(memories):  # nearly always; else they are views, which need no line
            made = [self.enter(x, "own") for x in found]
            self._result(function, noted, noted_options, made)
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

    def settle(self) -> None:
        """Note the gradients and data that tensors have by now: for what comes next and is not looked into, and at the end."""
        for tensor, gradient in self.grads.items():
            now = None if gradient is None else self.twin(gradient.__dict__["array"]).operand()
            if tensor not in self.settled and now is None and tensor in self.grads_before and self.grads_before[tensor] is None:
                continue
            if tensor not in self.settled or self.settled[tensor] != now:
                if now is not None and any(
                    now.value is x.value for t, x in self.settled.items() if x is not None and t is not tensor
                ):
                    recorded = self.twin(gradient.__dict__["array"])
                    self.before_write(recorded, False)
                    now = recorded.operand()
                self.settled[tensor] = now
                self.note(grad, (tensor, now))
        for tensor, array in self.rebound.items():
            self.note(data, (tensor, self.twin(array).operand()))

    def finish(self) -> None:
        """Put into their own memory what tensors from outside got in place of it, and note the last gradients."""
        for tensor, array in self.rebound.items():
            before, now = self.outside[tensor], self.twin(array)
            if before.shape != array.shape or before.dtype != array.dtype or now.memory.value.kind == "outside":
                raise CompileError(
                    f"{describe(tensor)} gets other data in every call: data of another shape or dtype, or memory that it then shares with "
                    "another tensor. A plan keeps the memory of every tensor; write x.copy_(y)."
                )
            self.assign(self.twin(before), now)
            if any(line.function is data for line in self.lines):
                self.note(data, (tensor, self.twin(before).operand()))
            tensor.__dict__["array"] = before
        self.rebound.clear()
        self.ended = self.lines[-1].site if self.lines else None
        self.settle()
        for tensor, array in self.outside.items():
            if tensor.__dict__["array"] is not array:
                raise CompileError(
                    f"{describe(tensor)} is from before the call and is changed in place in it, in a way that is recorded for backward. "
                    "Make a new tensor (y = x + 1 in place of x += 1)."
                )

    def refuse_leaks(self) -> None:
        """Refuse tensors of the call that something still holds after it: a later call of the plan would make no new ones."""
        known = {id(g) for g in self.grads.values()}

        def alive() -> Any:
            return next(
                (t for t in (reference() for reference in self.new.values()) if t is not None and id(t) not in known), None
            )

        if alive() is not None:
            gc.collect()
            if (tensor := alive()) is not None:
                raise CompileError(
                    f"{source_line(self.made_at[id(tensor)])}\n  makes {describe(tensor)} anew in every call, and something that is not "
                    "returned keeps it (a list, an attribute). A plan knows of no such thing. Return the tensor, or change one that is there in place: x.copy_(y)."
                )

    def is_new(self, tensor: Tensor) -> bool:
        """Whether a tensor was made within the call."""
        reference = self.new.get(id(tensor))
        return reference is not None and reference() is tensor

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
        masks = function is get and any(x.dtype == np.bool_ for x in leaves(args[1]) if isinstance(x, np.ndarray))
        counts = function in (np.repeat, np.ndarray.repeat) and isinstance(args[1], np.ndarray)
        if masks or counts or function in SIZED_BY_DATA or (function is np.where and len(args) == 1):
            raise self.refuse("makes a tensor whose size depends on numbers")


RESHAPES = (np.reshape, np.ndarray.reshape, np.ravel, np.ndarray.ravel, np.ndarray.flatten)
COPIES = (copy, np.copy, np.positive, np.ndarray.copy, np.ndarray.astype, np.ascontiguousarray)


def site() -> Any:
    """The learner's line that is running: the first outside of this package and NumPy."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and (frame.f_code.co_filename in OWN_FILES or frame.f_code.co_filename.startswith(NUMPY)):
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def strip(tree: Any) -> Any:
    """Nested arguments with real arrays in place of recorded ones."""
    return mapped(lambda x: x.held if type(x) is Recorded else x, tree)


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


def as_tuple(x: Any) -> tuple:
    return tuple(x) if isinstance(x, tuple | list) else () if x is None else (x,)
