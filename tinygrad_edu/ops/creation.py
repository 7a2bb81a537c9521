"""Making tensors, and bringing them to another dtype or device."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..clock import owner
from ..errors import DeviceError, DtypeError, describe, kind
from ..grad_mode import grad_mode
from ..op import cast, op
from ..tensor import Tensor, raw, to_array, wrap
from .indexing import setitem
from .shape import clone, ints

__all__ = [
    "arange", "as_tensor", "asarray", "can_cast", "conj", "empty", "empty_like", "eye", "fill", "from_dlpack", "from_numpy", "full", "full_like",
    "is_complex", "is_floating_point", "is_nonzero", "is_tensor", "linspace", "logspace", "ones", "ones_like", "promote_types", "result_type", "scalar_tensor",
    "tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip


CPU, CUDA = 1, 2  # kinds of devices, as DLPack numbers them


# -- from data -------------------------------------------------------------------------------------------------------
def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    name: str | None = None,
) -> Tensor:
    """A tensor with these numbers, which are copied.

    Args:
        data: numbers, nested lists of them, an array or a tensor.
        dtype: default: Python floats become the default dtype (float32), ints int64, bools bool; arrays keep theirs.
        device: "cpu" (default) or "cuda".
        requires_grad: whether operations on it are recorded.
        name: what pictures and messages call it.

    >>> tensor([[1, 2], [3, 4]], dtype=float)
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)

    Source: https://pytorch.org/docs/stable/generated/torch.tensor.html
    """
    t = wrap(to_array(data, dtype, _home(data, device), copy=True))
    t.name = name
    return t.requires_grad_(requires_grad) if requires_grad else t


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As `tensor`, but shares memory with an array, and returns a tensor itself, where dtype and device allow it.

    Source: https://pytorch.org/docs/stable/generated/torch.as_tensor.html
    """
    if isinstance(data, Tensor):
        return to(data, dtype=dtype, device=device)
    return wrap(to_array(data, dtype, _home(data, device), copy=False))


def _home(data: Any, device: Any) -> Any:
    """Where a tensor of this data goes: the numbers of NumPy's arrays, too, to the default device."""
    default = backend.get_default_device()
    return default if device is None and default is not backend.CPU and isinstance(data, np.ndarray | np.generic) else device


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """`as_tensor`, or with `copy=True` `tensor`; with `copy=False` refused if it cannot share memory."""
    found = tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)
    memory = raw(obj)
    if copy is False and not (hasattr(memory, "base") and owner(found.array) is owner(memory)):
        raise ValueError(f"asarray, copy=False: a {kind(obj)} becomes a {found.dtype} tensor on {found.device} only by a copy.")
    return found.requires_grad_(requires_grad) if requires_grad else found.detach() if found.requires_grad else found


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares memory with a NumPy array.

    Source: https://pytorch.org/docs/stable/generated/torch.from_numpy.html
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy takes a NumPy array, not a {type(ndarray).__name__}; use tensor().")
    dtypes.as_dtype(ndarray.dtype)
    return wrap(ndarray)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares memory with that of another library: `from_dlpack(torch.ones(2))`.

    Raises:
        TypeError: an object that does not offer its memory.
        DtypeError: numbers of a dtype that is not offered here.

    Source: https://pytorch.org/docs/stable/dlpack.html, https://data-apis.org/array-api/latest/design_topics/data_interchange.html
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(f"from_dlpack takes a tensor of another library, not {describe(ext_tensor)}; use tensor().")
    kind, index = ext_tensor.__dlpack_device__()
    where = {CPU: "cpu", CUDA: f"cuda:{index}"}.get(int(kind))
    if where is None:
        raise DeviceError(f"from_dlpack shares memory of the CPU and of NVIDIA's GPUs; this is on a device of kind {int(kind)}.")
    array = backend.namespace(backend.device(where)).from_dlpack(ext_tensor)
    dtypes.as_dtype(array.dtype)
    return wrap(array)


def scalar_tensor(value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor, of the default dtype unless another is given."""
    return tensor(value, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad)


# -- filled ----------------------------------------------------------------------------------------------------------
def _made(array: np.ndarray, device: Any, requires_grad: bool, name: str | None = None) -> Tensor:
    """A new tensor of an array that nobody else holds."""
    t = wrap(backend.place(array, backend.get_default_device() if device is None else backend.device(device)))
    t.name = name
    return t.requires_grad_(requires_grad) if requires_grad else t


def _sizes(size: tuple) -> tuple[int, ...]:
    shape = ints(size)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"sizes must not be negative: {shape}.")
    return shape


def _number(value: Any) -> Any:
    """A number given as a 0-d tensor, or as one of NumPy's, as Python's own."""
    if isinstance(value, Tensor) and value.requires_grad and grad_mode.enabled:
        raise TypeError(f"a new tensor passes no gradient on, and {describe(value)} requires grad: give value.item().")
    if isinstance(value, Tensor | np.generic):
        return value.item()
    if not isinstance(value, int | float):  # NumPy makes a NaN of None
        raise TypeError(f"a number is needed here, not {value!r:.80}.")
    return value


def _float_default(dtype: Any) -> np.dtype:
    return dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor of this shape filled with a number, whose kind decides on the dtype.

    Source: https://pytorch.org/docs/stable/generated/torch.full.html
    """
    value = _number(fill_value)
    wanted = dtypes.result_dtype([value]) if dtype is None else dtypes.as_dtype(dtype)
    shape = _sizes((size,) if isinstance(size, int) else tuple(size))
    return _made(np.full(shape, dtypes.fitting(value, wanted), wanted), device, requires_grad, name)


def zeros(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor of zeros.

    Source: https://pytorch.org/docs/stable/generated/torch.zeros.html
    """
    return _made(np.zeros(_sizes(sizes if size is None else size), _float_default(dtype)), device, requires_grad, name)


def ones(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor of ones.

    Source: https://pytorch.org/docs/stable/generated/torch.ones.html
    """
    return _made(np.ones(_sizes(sizes if size is None else size), _float_default(dtype)), device, requires_grad, name)


def empty(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor whose elements are whatever was in memory: to be filled.

    Source: https://pytorch.org/docs/stable/generated/torch.empty.html
    """
    return _made(np.empty(_sizes(sizes if size is None else size), _float_default(dtype)), device, requires_grad, name)


def fill(input: Any, value: Any) -> Any:
    """A tensor like another one in which every element is this number (or 0-d tensor, which gets all of the gradient).

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.fill_.html
    """
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(f"fill takes a number or a 0-d tensor, not one of shape {value.shape}.")
    return setitem(input, ..., to(value, input.dtype) if isinstance(value, Tensor) else value)


def full_like(
    input: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: str | None = None,
) -> Tensor:
    """As `full`, with the shape, dtype and device of another tensor.

    `memory_format`, here and in what follows, is taken for PyTorch's sake: in which order elements lie in memory is up to the operations.
    """
    wanted = input.dtype if dtype is None else dtypes.as_dtype(dtype)
    array = np.full_like(input.array, dtypes.fitting(_number(fill_value), wanted), dtype=wanted, order="C")
    t = wrap(array if device is None else backend.place(array, backend.device(device)))
    return t.requires_grad_(requires_grad) if requires_grad else t


def zeros_like(input: Any, **options: Any) -> Tensor:
    """Zeros with the shape, dtype and device of another tensor."""
    return full_like(input, 0, **options)


def ones_like(input: Any, **options: Any) -> Tensor:
    """Ones with the shape, dtype and device of another tensor."""
    return full_like(input, 1, **options)


def empty_like(input: Any, **options: Any) -> Tensor:
    """As `empty`, with the shape, dtype and device of another tensor."""
    return full_like(input, 0, **options)


# -- ranges and grids ------------------------------------------------------------------------------------------------
def arange(
    start: Any = None, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step ... up to, but without, end; of integers unless one of the three is a float.

    Source: https://pytorch.org/docs/stable/generated/torch.arange.html
    """
    if start is None and end is None:
        raise TypeError("arange needs an end: arange(5), arange(end=5) or arange(2, 5).")
    start, end = (0, start) if end is None else (0 if start is None else start, end)
    start, end, step = map(_number, (start, end, step))
    if not step:
        raise RuntimeError("arange: the step must not be 0.")
    if (end - start) * step < 0:
        raise RuntimeError(f"arange: from {start} to {end} a step of {step} leads the wrong way.")
    if not all(math.isfinite(a) for a in (start, end, step)):
        raise RuntimeError(f"arange: start, end and step must be finite: {start}, {end}, {step}.")
    wanted = dtypes.as_dtype(dtype) if dtype is not None else dtypes.result_dtype([start, end, step])
    if wanted.kind == "b":
        raise DtypeError("arange: bools do not count from start to end; take arange(...).bool().")
    if wanted.kind != "f":
        start, end, step = int(start), int(end), int(step)
    count = math.ceil((end - start) / step)
    integers = all(isinstance(a, int) for a in (start, end, step))
    values = np.arange(count, dtype=np.int64 if integers else np.float64) * step + start
    return _made(values.astype(wanted), device, requires_grad)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """So many numbers at equal distances from start to end, both included.

    Source: https://pytorch.org/docs/stable/generated/torch.linspace.html
    """
    start, end = _number(start), _number(end)
    steps = _count("linspace", steps)
    wanted = _float_default(dtype)
    if wanted.kind != "f":
        start, end = int(start), int(end)
    return _made(_even(start, end, steps).astype(wanted), device, requires_grad)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """base to the power of so many numbers at equal distances from start to end.

    Source: https://pytorch.org/docs/stable/generated/torch.logspace.html
    """
    start, end = _number(start), _number(end)
    steps = _count("logspace", steps)
    wanted = _float_default(dtype)
    if wanted.kind != "f":
        start, end = int(start), int(end)
    return _made(np.power(float(base), _even(start, end, steps)).astype(wanted), device, requires_grad)


def _count(name: str, steps: Any) -> int:
    if not hasattr(steps, "__index__"):
        raise TypeError(f"{name}: the number of steps must be an integer, and it is {steps!r}.")
    steps = index(steps)
    if steps < 0:
        raise RuntimeError(f"{name}: the number of steps must not be negative, and it is {steps}.")
    return steps


def _even(start: float, end: float, steps: int) -> np.ndarray:
    """So many numbers at equal distances, counted from the nearer end, so that both ends are exact."""
    step = (end - start) / (steps - 1) if steps > 1 else 0.0
    i = np.arange(steps)
    return np.where(i < steps // 2 if steps > 1 else i < 1, start + i * step, end - (steps - 1 - i) * step)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the main diagonal, zeros elsewhere.

    Source: https://pytorch.org/docs/stable/generated/torch.eye.html
    """
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"eye: sizes must not be negative: {n}, {m}.")
    return _made(np.eye(n, m, dtype=_float_default(dtype)), device, requires_grad)


def _triangle_indices(name: str, find: Any, words: str) -> Any:
    def indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
        if row < 0 or col < 0:
            raise RuntimeError(f"{name}: sizes must not be negative: {row}, {col}.")
        return _made(np.stack(find(row, offset, col)).astype(dtypes.as_dtype(dtype or dtypes.int64)), device, False)

    indices.__name__ = indices.__qualname__ = name
    indices.__doc__ = f"""The positions {words} a diagonal of a matrix: a row of row numbers and a row of column numbers.

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    return indices


tril_indices = _triangle_indices("tril_indices", np.tril_indices, "on and below")
triu_indices = _triangle_indices("triu_indices", np.triu_indices, "on and above")


# -- copies, dtypes, devices -----------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, device: _move(g, device=backend.device_of(raw(x))))
def _move(x: Any, *, device: Any) -> Any:
    """A copy on another device; the gradient comes back.

    z = x, elsewhere;  ∂x = g, back where x is
    """
    return backend.place(x, device)


def to(
    x: Tensor,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    copy: bool = False,
    non_blocking: bool = False,
    memory_format: str | None = None,
) -> Tensor:
    """Bring to a dtype and/or a device: `to(float64)`, `to("cuda")`, `to("cuda", float64)`, `to(other)`; itself if there already.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    for arg in args:
        if isinstance(arg, Tensor):
            device, dtype = arg.device, arg.dtype
        elif isinstance(arg, backend.device) or (isinstance(arg, str) and arg.partition(":")[0] in ("cpu", "cuda")):
            device = arg
        elif isinstance(arg, bool):
            pass  # non_blocking, by position
        elif isinstance(arg, str):
            dtype = _dtype_called(arg)
        elif arg is not None:
            dtype = arg
    z = x
    if device is not None and backend.device(device) != x.device:
        z = _move(z, device=backend.device(device))
    if dtype is not None and dtypes.as_dtype(dtype) != x.dtype:
        z = cast(z, dtype=dtypes.as_dtype(dtype))
    return clone(x) if copy and z is x else z


def _dtype_called(name: str) -> np.dtype:
    try:
        return dtypes.as_dtype(name)
    except DtypeError:
        offered = ", ".join(map(str, dtypes.ALL))
        raise DeviceError(f'{name!r} is neither a device ("cpu", "cuda", "cuda:0") nor a dtype ({offered}).') from None


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return input.dtype.kind == "f"


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers: no, in no tensor of this library."""
    return False


def conj(input: Tensor) -> Tensor:
    """The complex conjugate, which of real numbers are these themselves: the same tensor."""
    return input


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element of a tensor is not 0."""
    return bool(input)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


def result_type(tensor1: Any, tensor2: Any) -> np.dtype:
    """The dtype of an operation on these two (tensors or numbers).

    Source: https://pytorch.org/docs/stable/generated/torch.result_type.html
    """
    return dtypes.result_dtype([tensor1, tensor2])


def promote_types(type1: Any, type2: Any) -> np.dtype:
    """The smallest dtype that both can be brought to."""
    return dtypes.result_dtype([np.empty(1, dtypes.as_dtype(type1)), np.empty(1, dtypes.as_dtype(type2))])


def can_cast(from_: Any, to: Any) -> bool:
    """Whether PyTorch's rules allow this conversion in place: not from float to integer, not from numbers to bool."""
    return dtypes.keeps_kind(dtypes.as_dtype(from_), dtypes.as_dtype(to))
