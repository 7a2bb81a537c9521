"""Devices: where arrays live. The only file that imports CuPy.

NumPy hands CuPy's arrays to CuPy by itself: `np.tanh(a)` of a CuPy array is `cupy.tanh(a)` (NEP 13 and NEP 18), and
`np.zeros_like(a, shape=...)` makes its array where `a` is. So operations are written once, with `np`, and run on both.
What NumPy cannot hand over is here: moving arrays, making them on a device, special functions and random numbers; and so is what
CuPy does otherwise than NumPy: extremes at places, errors of linear algebra, arrays of shape ().
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import DeviceError

# The C library gives large freed arrays back to the system, and the next training step pays for getting them again, page by
# page: a fifth to a third of the time of a step of a small convolutional, recurrent or attention network. So it keeps them.
with contextlib.suppress(AttributeError, OSError, TypeError):  # only glibc, the usual one on Linux, has mallopt
    _c_library = ctypes.CDLL(None)
    _c_library.mallopt(-1, 256 * 2**20)  # M_TRIM_THRESHOLD: keep up to so many bytes
    _c_library.mallopt(-3, 256 * 2**20)  # M_MMAP_THRESHOLD: take what is smaller from them

GET_CUPY = 'pip install "tinygrad-edu[cuda13]" (or [cuda12]) on a machine with an NVIDIA GPU and its driver'


class device:
    """A place for tensors: `device("cpu")`, `device("cuda")`, `device("cuda:1")`, as `torch.device`.

    Inside `with device("cuda"):` it is the default.
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, name: str | device, index: int | None = None) -> None:
        if isinstance(name, device):
            self.type, self.index = name.type, name.index
            return
        kind, _, number = str(name).partition(":")
        if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
            raise DeviceError(f'there is no device {name!r}; write "cpu", "cuda" or "cuda:0"')
        if index is not None and (number or index < 0):
            raise DeviceError(f'device({name!r}, {index}): write the index once, from 0 on, as "{kind}:0" or ("{kind}", 0)')
        self.type = kind
        self.index = int(number) if number else index
        if kind == "cuda" and self.index is None:
            self.index = 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            other = device(other)
        return isinstance(other, device) and (self.type, self.index or 0) == (other.type, other.index or 0)

    def __hash__(self) -> int:
        return hash((self.type, self.index or 0))

    def __enter__(self) -> device:
        _outside.append(_default)
        set_default_device(self)
        return self

    def __exit__(self, *error: object) -> None:
        set_default_device(_outside.pop())

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"


CPU = device("cpu")
_default = CPU
_outside: list[device] = []  # the defaults to come back to behind `with device(...):`


def get_default_device() -> device:
    """The device on which tensors are made when no `device=` is given."""
    return _default


def set_default_device(where: str | device) -> None:
    """Make tensors on this device from now on; `DeviceError` if it is not there."""
    global _default
    where = device(where)
    namespace(where)
    _default = where


def namespace(where: device) -> Any:
    """The array module of a device: `numpy`, or `cupy` with a GPU behind it.

    CuPy computes on its current device, wherever the arrays are; so a program keeps to the GPU that it asked for first.
    """
    global _gpu
    if where.type == "cpu":
        return np
    index = where.index or 0
    try:
        cupy = importlib.import_module("cupy")
        count = cupy.cuda.runtime.getDeviceCount()
        if _gpu is None and index < count:
            cupy.cuda.Device(index).use()
            cupy.ones(1)  # is compiled: if CUDA's libraries are missing it fails here, and not in the middle of a program
            _gpu = index
    except ModuleNotFoundError as error:
        raise DeviceError(f'device "{where}" needs CuPy, which is not installed: {GET_CUPY}') from error
    except Exception as error:  # CuPy is there; the driver, the GPU or the libraries are not
        raise DeviceError(f'device "{where}" cannot be used: {error}. It takes {GET_CUPY}') from error
    if index >= count:
        raise DeviceError(f'there is no device "{where}": this machine has {count} GPU(s)')
    if index != _gpu:
        raise DeviceError(f'this program uses "cuda:{_gpu}" already, and one GPU is all that it can use: not "{where}" too')
    return cupy


_gpu: int | None = None  # the one in use


def gpu_count() -> int:
    """How many GPUs CuPy sees."""
    try:
        return int(importlib.import_module("cupy").cuda.runtime.getDeviceCount())
    except Exception:  # no CuPy, no driver or no GPU: there is none to use
        return 0


def synchronize() -> None:
    """Wait until the GPU has done what it was given (for timing)."""
    if gpu_count():
        importlib.import_module("cupy").cuda.Device().synchronize()
        look_at_checks()


def empty_cache() -> None:
    """Give memory that CuPy keeps for later back to the GPU."""
    if gpu_count():
        importlib.import_module("cupy").get_default_memory_pool().free_all_blocks()


def memory_allocated() -> int:
    """How many bytes of the GPU's memory arrays hold; 0 without one."""
    return int(importlib.import_module("cupy").get_default_memory_pool().used_bytes()) if gpu_count() else 0


def device_of(array: Any) -> device:
    """Where an array lives."""
    return CPU if isinstance(array, np.ndarray | np.generic) else device("cuda", array.device.id)


def place(array: Any, where: device) -> Any:
    """The array on that device: itself if it is there already, else a copy."""
    if where is CPU and type(array) is np.ndarray:  # the usual question, of item() and the like
        return array
    here = device_of(array)
    if here == where:
        return array
    if where.type == "cpu":
        look_at_checks()
        return array.get()
    cupy = namespace(where)
    with cupy.cuda.Device(where.index):
        return cupy.asarray(array)


# -- checks of numbers -------------------------------------------------------------------------------------------------
# To look at a number of the GPU is to wait until the GPU has computed it. So a check of its numbers (is every label in range?) is
# computed there like everything else, and looked at when numbers come back anyway, as PyTorch reports such mistakes.
UNSEEN = 256  # checks that may wait to be looked at; a label check a step makes this a look every 256 steps
_unseen: deque[tuple[Any, Callable[[], Exception]]] = deque()


def require(condition: Any, error: Callable[[], Exception]) -> None:
    """Raise what `error()` makes unless the condition holds: at once for an array of the CPU, with the next look at the GPU's numbers."""
    if isinstance(condition, np.ndarray | np.generic | bool):
        if not condition:
            raise error()
        return
    _unseen.append((condition, error))
    if len(_unseen) > UNSEEN:
        look_at_checks()


def look_at_checks() -> None:
    """Raise for the first check of the GPU's numbers that did not hold; called where numbers come back from there."""
    while _unseen:
        condition, error = _unseen.popleft()
        if not condition:
            _unseen.clear()
            raise error()


def as_array(result: Any) -> Any:
    """A device's array of what an operation returned: NumPy turns 0-d results into scalars, CuPy does not."""
    return np.asarray(result) if isinstance(result, np.generic | float | int) else result


def number(value: float, like: Any) -> Any:
    """A number to calculate with beside `like`: as a 0-d array, because NumPy needs up to 1 µs to convert one of Python's."""
    return _number(value, like.dtype) if type(like) is np.ndarray else value


@functools.lru_cache(maxsize=256)
def _number(value: float, dtype: Any) -> np.ndarray:
    array = np.array(value, dtype)
    array.flags.writeable = False  # it is used again
    return array


def filled(like: Any, value: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """np.full_like in another shape; CuPy's takes shape=() for none given."""
    z = np.full_like(like, value, dtype, "C", shape=shape or (1,))
    return z if shape else z.reshape(())


def choose(condition: Any, x: Any, y: Any) -> Any:
    """np.where(condition, x, y).

    NumPy decides element by element, and a processor that guesses wrong half of the time loses 4 ns for each. For many floats it takes
    a tenth of the time to choose without deciding, by bits: y ^ ((x ^ y) * condition), and x * condition if y is 0.
    """
    if not isinstance(condition, np.ndarray) or condition.dtype != np.bool_:
        return np.where(condition, x, y)
    if type(y) is int and not y and isinstance(x, np.ndarray) and x.dtype in BITS:
        return (x.view(BITS[x.dtype]) * condition).view(x.dtype)
    if condition.size < 1024:
        return np.where(condition, x, y)
    x, y = number(x, y) if type(x) in (int, float) else x, number(y, x) if type(y) in (int, float) else y
    bits = BITS.get(x.dtype) if hasattr(x, "dtype") else None
    if bits is None or getattr(y, "dtype", None) != x.dtype:
        return np.where(condition, x, y)
    other = y.view(bits)
    chosen = (x.view(bits) ^ other) * condition
    chosen ^= other
    return chosen.view(x.dtype)


def as_strided(x: Any, shape: Any, strides: Any) -> Any:
    """A view of an array without gaps (or of CuPy's), in another shape and with other steps through memory."""
    if type(x) is np.ndarray:
        return np.ndarray(shape, x.dtype, x, 0, strides)
    return importlib.import_module("cupy.lib.stride_tricks").as_strided(x, shape, strides)


BITS = {np.dtype(kind): np.dtype(bits) for kind, bits in (("float16", "int16"), ("float32", "int32"), ("float64", "int64"))}


def special(array: Any) -> Any:
    """SciPy's special functions (erf, digamma ...), from SciPy or from CuPy, whichever owns the array."""
    name = "scipy.special" if isinstance(array, np.ndarray | np.generic | float) else "cupyx.scipy.special"
    return importlib.import_module(name)


def errors_of_linalg(array: Any) -> contextlib.AbstractContextManager:
    """Inside it CuPy, too, raises LinAlgError for a matrix without an answer, for which it waits; else it returns any numbers."""
    if isinstance(array, np.ndarray):
        return contextlib.nullcontext()
    return importlib.import_module("cupyx").errstate(linalg="raise")


def add_rows(index: Any, rows: Any, count: int) -> Any:
    """A table of `count` rows, zeros to which the given rows are added at the numbers in `index`, repeated ones each time.

    NumPy's add.at is slow for rows. Elements one by one are several times as fast; and for many of them, so is a product
    with the sparse matrix that has a 1 at (index[n], n).
    """
    if isinstance(rows, np.ndarray) and rows.size > 10_000 and rows.dtype != np.float16:
        sparse = importlib.import_module("scipy.sparse")
        ones, ends = np.ones(len(rows), rows.dtype), np.arange(len(rows) + 1)
        return sparse.csc_array((ones, index, ends), shape=(count, len(rows))) @ rows
    table = np.zeros_like(rows, shape=(count, rows.shape[1]), order="C")
    if rows.size:
        positions = index[:, None] * rows.shape[1] + np.arange(rows.shape[1], like=index)
        np.add.at(table.reshape(-1), positions.reshape(-1), rows.reshape(-1))
    return table


def extreme_at(array: Any, index: Any, values: Any, largest: bool) -> None:
    """array[index] = the larger (or smaller) of itself and the values, with repeated positions all counted; NaN wins.

    CuPy's maximum.at knows few dtypes, passes over NaN and compares float64 as float32. So there integers are compared that are in the
    numbers' order: the bits of a float, those behind the sign turned over for negative ones.
    """
    if isinstance(array, np.ndarray):
        (np.maximum if largest else np.minimum).at(array, index, values)
        return
    bits = BITS.get(array.dtype)
    behind_sign = 0 if bits is None else np.iinfo(bits).max

    def turned(found: Any) -> Any:  # twice is not at all
        return found ^ ((found >> 63) & behind_sign)

    def ordered(x: Any) -> Any:
        if bits is not None:
            x = np.where(np.isnan(x), np.copysign(x, 1 if largest else -1), x).view(bits)
        found = turned(x.astype(np.int64))
        return found if largest else ~found

    found = ordered(array)
    np.maximum.at(found, index, ordered(values))
    found = turned(found if largest else ~found)
    array[...] = found.astype(array.dtype) if bits is None else found.astype(bits).view(array.dtype)
