"""Tensor: an array that remembers how it was made.

The value is the node of the graph. A tensor made by an operation holds that operation (`op`), what went in (`inputs`) and
the operation's settings; a tensor made by the user holds none of these and is a leaf. There is no other graph object:
following `inputs` from a loss walks the whole computation, and dropping the last reference to the loss frees it.
Operators and methods are given to Tensor in `ops/__init__.py`, where each one is listed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend, dtypes
from .callsite import source_line, warn
from .clock import mark_changed, tick
from .errors import DeviceError, DtypeError, GraphError, ShapeError, describe
from .grad_fn import GradFn
from .grad_mode import grad_mode
from .hooks import HookHandle
from .views import Anchor, note_view, refresh

if TYPE_CHECKING:
    from .op import Op

MAX_SWITCHES = 16  # how many switches of its requires_grad a leaf remembers


class Tensor:
    """An n-dimensional array with an optional gradient and the history needed to compute it.

    Args:
        *data: numbers, nested lists of them, a NumPy or CuPy array or a tensor, which is copied; or integers, the size of a tensor
            that is to be filled: Tensor(2, 3).
        requires_grad: whether operations on it are recorded and `backward` fills its `grad`.
        dtype: default: numbers and arrays become the default dtype (float32), a tensor keeps its own. With `tensor(data)` ints become
            int64, and arrays keep theirs.
        device: "cpu" (default) or "cuda".
        name: what pictures and messages call it.

    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    tensor([2., 4.])
    """

    # Defaults live on the class; an instance holds only what differs.
    array: Any
    _requires_grad: bool = False
    _grad: Tensor | None = None
    name: str | None = None
    op: Op | None = None  # what made it; None for a leaf
    inputs: tuple = ()  # what went into op: tensors, scalars or None
    values: Any = ()  # their arrays at that moment, which the rules for ordinary gradients read
    settings: dict[str, Any] = {}  # noqa: RUF012 (never changed: an instance that has settings holds its own)
    kept: Any = None  # what op's computation left for its rules
    serial: int = 0  # when it was recorded
    made_at: Any = None  # the user's code object and instruction that made it
    spent: bool = False  # backward went through it
    base: Any = None  # of a view (x[0], reshape, T, detach ...): the Anchor of the tensor that it looks at, and the way there
    _anchor: Anchor | None = None  # of a tensor that has views
    _retains_grad: bool = False
    _hooks: Any = None
    _grad_hooks: Any = None  # of a leaf: called when backward has filled its grad
    _switched: tuple[int, ...] = ()  # when requires_grad of a leaf was switched on or off
    _changed_at: int = 0  # when it was changed in place with its history, or lost it in detach_
    _before: Tensor | None = None  # what it was before that
    __array_priority__ = 1000  # so that array * tensor asks the tensor

    def __init__(
        self, *data: Any, requires_grad: bool = False, dtype: Any = None, device: Any = None, name: str | None = None
    ) -> None:
        numbers = _numbers_or_size(data, dtype, requires_grad)
        if dtype is None and not isinstance(numbers, Tensor):
            dtype = dtypes.get_default_dtype()  # as in PyTorch, Tensor([1, 2]) holds floats; tensor([1, 2]) integers
        self.array = to_array(numbers, dtype, device, copy=True)
        self.name = name
        if requires_grad:
            self.requires_grad = requires_grad

    # -- what it is ------------------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    @property
    def device(self) -> backend.device:
        return backend.device_of(self.array)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it: `backward` leaves gradients in leaves."""
        return self._followed().op is None

    @property
    def grad_fn(self) -> GradFn | None:
        """The operation that made it and that operation's inputs, for reading; None for a leaf."""
        return None if self._followed().op is None else GradFn(self)

    def _followed(self) -> Tensor:
        """This tensor, which as a view has followed what was recorded of its base."""
        if self.base is not None:
            refresh(self)
        return self

    # -- gradients -------------------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        return self._followed()._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value is not True and value is not False:
            raise TypeError(f"requires_grad must be True or False, not {value!r:.80}.")
        if value and self.dtype.kind != "f":
            raise DtypeError(
                f"only floating-point tensors can require grad; this one is {self.dtype}. "
                "Make it from floats (1.0 instead of 1) or convert it with .float()."
            )
        if not value and self.op is not None:
            raise GraphError("a tensor that an operation made cannot stop requiring grad; use .detach() instead.")
        if value != self.requires_grad:
            self._requires_grad = value
            self.serial = tick()
            self._switched = (*self._switched[1 - MAX_SWITCHES :], self.serial)
            if self.base is not None:
                self.base = self.base[0], None  # what it is from now on, it is by itself: it shares memory, as detach() does

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, or None; gradients add up until they are set to None."""
        if self._grad is None and self.op is not None and not self._retains_grad:
            warnings.warn(
                "reading .grad of a tensor that is not a leaf: backward() keeps gradients only in leaves. "
                f"Call .retain_grad() on it before backward(). It was made at {source_line(self.made_at) or 'an unknown line'}.",
                stacklevel=2,
            )
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and (not isinstance(value, Tensor) or value.shape != self.shape or value.dtype != self.dtype):
            given = f"{value.shape} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f".grad must be None or a tensor like its owner, {self.shape} {self.dtype}; this is {given}.")
        if value is self:
            raise GraphError("a tensor cannot be its own gradient.")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def retain_grad(self) -> None:
        """Let `backward` leave this tensor's gradient in `.grad` although it is not a leaf."""
        if not self.requires_grad:
            raise GraphError("retain_grad() on a tensor that does not require grad: no gradient will ever reach it.")
        if self.op is not None:
            self._retain()

    def _retain(self) -> None:
        self._retains_grad = True
        if self._hooks is None:  # where the walk looks for what is to be done with a gradient
            self._hooks = {}

    @property
    def retains_grad(self) -> bool:
        return self._retains_grad

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook(gradient)` when this tensor's gradient is complete; what it returns, if anything, replaces it."""
        if not self.requires_grad:
            raise GraphError("register_hook() on a tensor that does not require grad: no gradient will ever reach it.")
        if self._hooks is None:
            self._hooks = {}
        return HookHandle(self._hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call `hook(tensor)` when `backward` has filled this leaf's `.grad`: an optimizer's step may be taken there."""
        if not self.requires_grad or self.op is not None:
            raise GraphError(
                "register_post_accumulate_grad_hook() is for leaves that require grad: backward() fills their .grad."
            )
        if self._grad_hooks is None:
            self._grad_hooks = {}
        return HookHandle(self._grad_hooks, hook)

    def detach(self) -> Tensor:
        """The same values without history; shares memory with this tensor."""
        same = wrap(self._followed().array)
        note_view(same, self)
        return same

    def detach_(self) -> Tensor:
        """Forget how this tensor was made: it becomes a leaf that does not require grad; a view shares memory, as that of detach() does."""
        if self._followed().op is None:
            self.requires_grad = False
            return self
        base, anchor = self.base, self._anchor
        for attribute in _HISTORY:
            self.__dict__.pop(attribute, None)
        self.serial = self._changed_at = tick()
        if base is not None:
            self.base = base[0], None
        if anchor is not None:  # its own views go on following it
            self._anchor = anchor
        return self

    @property
    def data(self) -> Tensor:
        """The values as a tensor without history, sharing memory; assigning replaces them."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        array = value._followed().array if isinstance(value, Tensor) else to_array(value, None, None, copy=True)
        if self._requires_grad and array.dtype.kind != "f":
            raise DtypeError(f"the data of a tensor that requires grad must be floating-point, not {array.dtype}.")
        self.array = array
        mark_changed(array)

    # -- leaving the world of tensors ------------------------------------------------------------------------------
    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The values as a NumPy array that shares memory; with `force=True` also of tracked and GPU tensors.

        What NumPy writes into it no tensor notices: change it before the tensor is used, or give NumPy a copy.
        """
        if force:
            return backend.place(self._followed().array, backend.CPU)
        if self.requires_grad and grad_mode.enabled:
            raise GraphError("numpy() of a tensor that requires grad would lose its history: write x.detach().numpy().")
        if not isinstance(self.array, np.ndarray):
            raise DeviceError(f"numpy() of a tensor on {self.device}: write x.cpu().numpy().")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad and grad_mode.enabled:
            raise GraphError(
                "a NumPy function called with a tensor that requires grad would lose its history: call this library's function, as "
                "tg.sin(x) and not np.sin(x). If no gradient is wanted, write x.detach(), or of a loss to keep or to plot loss.item()."
            )
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **how: Any) -> Any:
        """For other libraries, which share this tensor's memory: `torch.from_dlpack(x)`, `np.from_dlpack(x)`."""
        if self.requires_grad:
            raise GraphError("another library would not know of this tensor's history: give it x.detach().")
        return self._followed().array.__dlpack__(**how)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def item(self) -> Any:
        """The one number in it, as a Python scalar."""
        if self._followed().array.size != 1:
            raise ShapeError(f"item() needs exactly one element; this tensor has shape {self.shape}. Use tolist() or index it.")
        return backend.place(self.array, backend.CPU).item()

    def tolist(self) -> Any:
        """The values as nested Python lists (a scalar for a 0-d tensor)."""
        return backend.place(self._followed().array, backend.CPU).tolist()

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise GraphError(
                f"the truth of a tensor of shape {self.shape} is ambiguous; say .any() or .all(), "
                "or use where(condition, a, b) to choose element by element."
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub":
            raise TypeError(f"only integer tensors of one element can be used as an index; this one is {self.dtype}.")
        return int(self.item())

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor: it holds one number and has no length.")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor: it holds one number; use .item().")
        return iter(self.unbind(0))

    def __contains__(self, value: Any) -> bool:
        found = self == value
        if not isinstance(found, Tensor):
            raise TypeError(f"`in` asks a tensor for a number or a tensor, not for a {type(value).__name__}.")
        return bool(found.any())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        from .printing import tensor_repr

        return tensor_repr(self)

    def __format__(self, spec: str) -> str:
        """A single number as Python formats it (`f"{loss:.3f}"`), any other tensor as `repr` shows it."""
        if not self.array.ndim:
            return format(self.item(), spec)
        if spec:
            raise TypeError(
                f"a format such as {spec!r} is for a single number; this tensor has shape {self.shape}: format x.item()."
            )
        return repr(self)

    # -- copies ----------------------------------------------------------------------------------------------------
    def __copy__(self) -> Tensor:
        """A leaf that shares memory with this tensor; copy.deepcopy and clone() copy the numbers, too."""
        copy = object.__new__(type(self))
        copy.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _OWN_STATE})
        copy.array, copy.name = self._followed().array, self.name
        copy._requires_grad = self._requires_grad
        note_view(copy, self)
        return copy

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise GraphError("only leaves can be deep-copied; use x.detach().clone(), or x.clone() to stay in the graph.")
        copy = object.__new__(type(self))
        copy.__setstate__(self.__getstate__())
        copy._grad = None if self._grad is None else wrap(self._grad.array.copy())
        return copy

    def __getstate__(self) -> dict[str, Any]:
        if not self.is_leaf:
            raise GraphError("only leaves can be pickled; use x.detach().")
        extra = {k: v for k, v in self.__dict__.items() if k not in _OWN_STATE}
        return {"array": self.data.array.copy(), "requires_grad": self._requires_grad, "name": self.name, "extra": extra}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.array, self.name = state["array"], state["name"]
        self._requires_grad = state["requires_grad"]
        self.__dict__.update(state["extra"])

    if TYPE_CHECKING:  # what ops/__init__.py adds

        def __getattr__(self, name: str) -> Any: ...
        def backward(
            self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
        ) -> None: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...


# Python lays the instances of a class out by the attributes that the first few dozen of them get: this first one gets them all.
# Without it, recording costs up to a quarter more as soon as 30 tensors were made before the first operation.
_first = object.__new__(Tensor)
for _name in Tensor.__annotations__:
    setattr(_first, _name, None)

_HISTORY = (
    "op",
    "inputs",
    "values",
    "settings",
    "kept",
    "made_at",
    "spent",
    "base",
    "_anchor",
    "_requires_grad",
    "_retains_grad",
    "_hooks",
    "_before",
)
_OWN_STATE = {*_HISTORY, "array", "name", "serial", "_grad", "_grad_hooks", "_switched", "_changed_at"}


# -- making tensors from what is not one ---------------------------------------------------------------------------
def wrap(array: Any) -> Tensor:
    """A constant tensor that holds this very array."""
    t = object.__new__(Tensor)
    t.array = array
    return t


def raw(x: Any) -> Any:
    """The array of a tensor, of a view what it looks at now; an array as it is."""
    return x._followed().array if isinstance(x, Tensor) else x


def _warn_of_lost_history(t: Tensor) -> None:
    if t._requires_grad and grad_mode.enabled:
        warn(
            f"a tensor is made of the numbers of {describe(t)}, without its history: no gradient flows back to it. To keep the history, "
            "use x itself, x.clone(), or stack([x, y]) for several; if none is wanted, say so: x.detach().clone(), x.item()."
        )


def to_array(data: Any, dtype: Any, device: Any, copy: bool) -> Any:
    """The array meant by `data`: a tensor, an array, or (nested lists of) Python numbers and 0-d tensors."""
    where = None if device is None else backend.device(device)
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(data, Tensor):
        if copy:
            _warn_of_lost_history(data)
        data = data._followed().array
    elif isinstance(data, np.generic):
        data = np.asarray(data)
    if not hasattr(data, "__array_function__"):  # Python's own data: PyTorch's defaults for dtype and device
        data = _from_python(data, wanted)
        copy = False
        where = where or backend.get_default_device()
    wanted = dtypes.as_dtype(data.dtype if wanted is None else wanted)
    moved = data if where is None else backend.place(data, where)
    if moved.dtype != wanted:
        return moved.astype(wanted)
    return moved.copy() if copy and moved is data else moved


def _numbers_or_size(data: tuple, dtype: Any, requires_grad: bool) -> Any:
    """What a call of a tensor's class means by its arguments: numbers, or an array of a size, uninitialised."""
    if all(type(n) is int or isinstance(n, np.integer) for n in data):
        if requires_grad and data:
            raise TypeError(
                f"Tensor({', '.join(map(str, data))}) is uninitialised, of that size, as in PyTorch, and so nothing to differentiate. For a "
                "number write tensor(5.0, requires_grad=True), for a size zeros(2, 3, requires_grad=True)."
            )
        wanted = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return backend.place(np.empty(data or 0, wanted), backend.get_default_device())
    if len(data) > 1:
        raise TypeError(
            f"a tensor is made of one thing, or of its sizes, not of {data!r:.80}. Settings are given by name: dtype=..."
        )
    (numbers,) = data
    if isinstance(numbers, tuple) and all(type(n) is int for n in numbers):
        raise TypeError(
            f"is {numbers} a size, or are these the numbers? Write *{numbers} for a size, {list(numbers)} for numbers."
        )
    return numbers


def _from_python(data: Any, wanted: np.dtype | None) -> np.ndarray:
    kinds: set[Any] = set()
    data = _plain(data, kinds)
    try:
        array = np.asarray(data)
    except (ValueError, TypeError) as error:
        raise ValueError(f"cannot make a tensor of {data!r:.80}: rows must have equal lengths and hold numbers only.") from error
    too_large = array.dtype.kind == "f" and kinds and kinds <= {int, bool}  # NumPy makes floats of integers beyond int64
    if too_large or array.dtype.kind not in "biuf":
        raise TypeError(
            f"cannot make a tensor of {type(data).__name__} {data!r:.80}: give numbers, nested lists of them, or an array."
        )
    if wanted is not None:
        return dtypes.fitting(array, wanted).astype(wanted)
    floats = [kind for kind in kinds if isinstance(kind, np.dtype) and kind.kind == "f"]
    if array.dtype.kind == "f" and (not kinds or any(not isinstance(kind, np.dtype) for kind in kinds - {int, bool})):
        floats.append(dtypes.get_default_dtype())  # Python's numbers, or none at all
    return array.astype(np.result_type(*floats)) if floats else array


def _plain(data: Any, kinds: set[Any]) -> Any:
    """Nested lists with every tensor in them replaced by its values; `kinds` gets the types of numbers and the dtypes of arrays in them."""
    kind: Any = type(data)
    if kind is not float and kind is not int:  # most are
        if isinstance(data, list | tuple) or (isinstance(data, Sequence) and not isinstance(data, str | bytes)):
            return [_plain(x, kinds) for x in data]
        if isinstance(data, Tensor):
            _warn_of_lost_history(data)
            data = data.numpy(force=True)
            data = data.reshape(()) if data.size == 1 else data  # the number in it, as in PyTorch
        kind = getattr(data, "dtype", kind)
    kinds.add(kind)
    return data
