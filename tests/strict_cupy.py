"""A stand-in for CuPy, for machines without a GPU: arrays that are as strict as CuPy's, on NumPy's own.

What goes wrong on a GPU goes wrong here: an array of the device refuses to become a NumPy array by itself, refuses NumPy
arrays as operands, indices and outputs, and knows only functions, keywords and methods that CuPy (13.4) has. After `install`
`device="cuda"` is this.

Sources: https://docs.cupy.dev/en/stable/reference/comparison.html, .../user_guide/difference.html, .../reference/ufunc.html
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import scipy.special

# -- what CuPy has ---------------------------------------------------------------------------------------------------
FUNCTIONS = """
    all allclose amax amin angle any append apply_along_axis arange argmax argmin argpartition argsort argwhere around array
    array_equal array_split asanyarray asarray ascontiguousarray asfortranarray atleast_1d atleast_2d atleast_3d average
    bincount broadcast_arrays broadcast_to can_cast choose clip column_stack compress concatenate convolve copy copyto
    corrcoef correlate count_nonzero cov cross cumprod cumsum delete diag diag_indices diagflat diagonal diff digitize dot
    dsplit dstack einsum empty_like expand_dims extract eye fill_diagonal fix flatnonzero flip fliplr flipud full full_like
    gradient histogram hsplit hstack i0 in1d indices inner interp intersect1d isclose isin isneginf isposinf ix_ kron lexsort
    linspace logspace max may_share_memory mean median meshgrid min moveaxis nan_to_num nanargmax nanargmin nancumprod
    nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar ndim nonzero ones ones_like outer pad partition
    percentile place prod ptp put putmask quantile ravel ravel_multi_index repeat require reshape resize result_type roll
    rollaxis rot90 round searchsorted select setdiff1d setxor1d shape shares_memory sinc size sort split squeeze stack std sum
    swapaxes take take_along_axis tensordot tile trace transpose tri tril trim_zeros triu union1d unique unravel_index unwrap
    vander var vdot vsplit vstack where zeros zeros_like absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh
    bitwise_and bitwise_or bitwise_xor cbrt ceil copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs
    float_power floor floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot invert isfinite isinf isnan
    lcm ldexp left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor matmul maximum minimum modf multiply negative nextafter not_equal positive power rad2deg radians reciprocal
    remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh true_divide trunc
"""
LINALG = "cholesky det eigh eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr slogdet solve svd tensorinv tensorsolve"
KNOWN = {
    "numpy": FUNCTIONS.split(),
    "numpy.linalg": LINALG.split(),
    "numpy.lib.stride_tricks": ["as_strided", "sliding_window_view"],
}
SPECIAL = """
    beta betainc betaln digamma entr erf erfc erfcinv erfcx erfinv expit expn gamma gammainc gammaincc gammaln i0 i0e i1 i1e j0 j1
    log_expit log_ndtr logit loggamma multigammaln ndtr ndtri poch polygamma psi rel_entr sinc xlog1py xlogy y0 y1 zeta
"""
METHODS = """
    all any argmax argmin argpartition argsort astype choose clip compress copy cumprod cumsum diagonal dot flatten max mean min
    nonzero partition prod ptp put ravel repeat reshape round sort squeeze std sum swapaxes take trace transpose var view
"""
REFUSED_KEYWORDS = ("initial", "where")  # of reductions: CuPy's do not take them
SCATTER_ADD = ("int32", "uint32", "uint64", "float16", "float32", "float64")  # the dtypes of cupyx.scatter_add
DEVICES = 2
_current = [0]  # the innermost `with Device(i)`


@contextmanager
def no_waiting() -> Iterator[None]:
    """Refuse what would make the CPU wait for the GPU: to look at numbers that are there."""
    _no_waiting.append(True)
    try:
        yield
    finally:
        _no_waiting.pop()


_no_waiting: list[bool] = []


def look() -> None:
    if _no_waiting:
        raise AssertionError("the CPU waits for the GPU here")


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array "on the GPU"."""

    def __init__(self, held: np.ndarray, device: int, base: ndarray | None = None) -> None:
        self._held, self._device, self.base = held, device, base

    # -- to and from NumPy: only when asked
    def get(self) -> np.ndarray:
        look()
        return self._held.copy()

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    @property
    def device(self) -> Device:
        return Device(self._device)

    # -- NumPy's functions are handed over
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple = (), **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.__name__ not in KNOWN["numpy"]:
            return NotImplemented  # CuPy hands over no reduce, accumulate, outer and at
        if not out:
            return run(ufunc, inputs, kwargs)
        (target,) = out
        if not isinstance(target, ndarray):
            raise TypeError("the output of an operation on GPU arrays must be a GPU array, not a NumPy array")
        run(ufunc, inputs, {**kwargs, "out": target})
        return target

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        if function.__name__ not in KNOWN.get(function.__module__, ()):
            return NotImplemented
        if function.__name__ in ("sort", "argsort") and kwargs.get("kind") not in (None, "stable"):
            raise ValueError("CuPy sorts stably only: kind must be None or 'stable'")
        refused = [k for k in REFUSED_KEYWORDS if k in kwargs]
        if refused:
            raise TypeError(f"cupy.{function.__name__}() got an unexpected keyword argument {refused[0]!r}")
        return run(function, args, kwargs)

    # -- elements
    def __getitem__(self, index: Any) -> ndarray:
        if any(x.dtype == bool for x in found_in(index)):
            look()  # how many there are decides the shape
        return run(lambda array, i: array[i], (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self._held[strip(index, self._device)] = strip(value, self._device)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        return len(self._held)

    def __int__(self) -> int:
        look()
        return int(self._held)

    def __float__(self) -> float:
        look()
        return float(self._held)

    def __bool__(self) -> bool:
        look()
        return bool(self._held)

    def __index__(self) -> int:
        look()
        return self._held.__index__()

    def item(self, *index: int) -> Any:
        look()
        return self._held.item(*index)

    def tolist(self) -> Any:
        look()
        return self._held.tolist()

    def tobytes(self) -> bytes:
        look()
        return self._held.tobytes()

    def fill(self, value: Any) -> None:
        self._held.fill(strip(value, self._device))

    def __repr__(self) -> str:
        look()
        return repr(self._held)

    # -- what it is
    shape = property(lambda self: self._held.shape)
    dtype = property(lambda self: self._held.dtype)
    ndim = property(lambda self: self._held.ndim)
    size = property(lambda self: self._held.size)
    itemsize = property(lambda self: self._held.itemsize)
    nbytes = property(lambda self: self._held.nbytes)
    strides = property(lambda self: self._held.strides)
    T = property(lambda self: self.transpose())

    @property
    def flags(self) -> Any:  # there is no `writeable`
        flags = self._held.flags
        return types.SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=self.base is None)

    __hash__ = None  # type: ignore[assignment]


def _method(name: str) -> Any:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        refused = [k for k in REFUSED_KEYWORDS if k in kwargs]
        if refused:
            raise TypeError(f"cupy.ndarray.{name}() got an unexpected keyword argument {refused[0]!r}")
        return run(lambda array, *rest, **options: getattr(array, name)(*rest, **options), (self, *args), kwargs)

    return method


for _name in METHODS.split():
    setattr(ndarray, _name, _method(_name))


def run(function: Any, args: Any, kwargs: Any) -> Any:
    """Call a function of NumPy on what the GPU arrays hold, and put its results "on the GPU"."""
    given = list(found_in((args, kwargs)))
    devices = {x._device for x in given}
    if given and getattr(function, "__name__", "") in ("nonzero", "argwhere", "flatnonzero", "unique", "array_equal", "allclose"):
        look()
    if len(devices) > 1:
        raise ValueError(f"Array device must be same as the current device: arrays on devices {sorted(devices)} were given")
    where = devices.pop() if devices else _current[-1]
    return put_back(function(*strip(tuple(args), where), **strip(kwargs, where)), given, where)


def found_in(value: Any) -> Iterator[ndarray]:
    if isinstance(value, ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for x in value:
            yield from found_in(x)
    elif isinstance(value, dict):
        yield from found_in(list(value.values()))


def strip(value: Any, device: int) -> Any:
    """What GPU arrays hold, in nested arguments; a NumPy array among them is refused."""
    if isinstance(value, ndarray):
        if value._device != device:
            raise ValueError(f"an array on device {value._device} was used with one on device {device}")
        return value._held
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: a NumPy array among GPU arrays")
    if isinstance(value, list | tuple):
        return type(value)(strip(x, device) for x in value)
    return {k: strip(x, device) for k, x in value.items()} if isinstance(value, dict) else value


def put_back(result: Any, given: list[ndarray], device: int) -> Any:
    if isinstance(result, np.generic):
        return ndarray(np.asarray(result), device)  # CuPy's 0-d results are arrays, not scalars
    if isinstance(result, list | tuple):
        return (
            [put_back(x, given, device) for x in result]
            if type(result) is list
            else tuple(put_back(x, given, device) for x in result)
        )
    if not isinstance(result, np.ndarray):
        return result
    for x in given:
        if result is x._held:
            return x
        if np.may_share_memory(result, x._held):
            return ndarray(result, device, base=x if x.base is None else x.base)
    return ndarray(result, device)


# -- the modules -----------------------------------------------------------------------------------------------------
class Device:
    """cupy.cuda.Device: where arrays are made, inside `with`."""

    def __init__(self, device: int | None = None) -> None:
        self.id = _current[-1] if device is None else device

    def __enter__(self) -> Device:
        _current.append(self.id)
        return self

    def __exit__(self, *error: object) -> None:
        _current.pop()

    def synchronize(self) -> None:
        look()


def asarray(data: Any, dtype: Any = None) -> ndarray:
    """cupy.asarray: the one way from NumPy to the GPU."""
    if isinstance(data, ndarray):
        held = data._held.copy() if data._device != _current[-1] else data._held
        return (
            data
            if held is data._held and dtype in (None, data.dtype)
            else ndarray(held.astype(dtype or held.dtype), _current[-1])
        )
    return ndarray(np.array(data, dtype), _current[-1])


def scatter_add(array: ndarray, index: Any, value: Any) -> None:
    """cupyx.scatter_add, with its restriction on dtypes."""
    if str(array.dtype) not in SCATTER_ADD:
        raise TypeError(f"cupyx.scatter_add only supports {', '.join(SCATTER_ADD)} as data type, not {array.dtype}")
    np.add.at(array._held, strip(index, array._device), strip(value, array._device))


def scatter_max(array: ndarray, index: Any, value: Any) -> None:
    """cupyx.scatter_max."""
    np.maximum.at(array._held, strip(index, array._device), strip(value, array._device))


def scatter_min(array: ndarray, index: Any, value: Any) -> None:
    """cupyx.scatter_min."""
    np.minimum.at(array._held, strip(index, array._device), strip(value, array._device))


DRAWS = "beta binomial exponential gamma integers poisson random standard_exponential standard_normal uniform"


class Generator:
    """cupy.random.Generator: fewer methods than NumPy's."""

    def __init__(self, seed: Any) -> None:
        self._rng = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        if name not in DRAWS.split():
            raise AttributeError(f"cupy.random.Generator has no {name!r}")
        return lambda *args, **kwargs: run(getattr(self._rng, name), args, kwargs)


def _module(name: str, **contents: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    return module


def install(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Put the stand-in in the place of CuPy, for one test."""
    runtime = _module("cupy.cuda.runtime", getDeviceCount=lambda: DEVICES)
    cuda = _module("cupy.cuda", Device=Device, runtime=runtime)
    random = _module("cupy.random", default_rng=Generator, Generator=Generator)
    special = _module("cupyx.scipy.special", **{name: _special(name) for name in SPECIAL.split()})
    scipy_ = _module("cupyx.scipy", special=special)
    cupyx = _module("cupyx", scatter_add=scatter_add, scatter_max=scatter_max, scatter_min=scatter_min, scipy=scipy_)
    cupy = _module("cupy", ndarray=ndarray, asarray=asarray, asnumpy=lambda a: a.get(), cuda=cuda, random=random)
    for module in (cupy, cuda, runtime, random, cupyx, scipy_, special):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return cupy


def _special(name: str) -> Any:
    function = getattr(scipy.special, name)
    return lambda *args, **kwargs: run(function, args, kwargs)
