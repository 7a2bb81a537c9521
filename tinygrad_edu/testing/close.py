"""assert_close: whether tensors are equal but for rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..tensor import Tensor

_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # rtol, atol, as PyTorch's


class _Allowed(NamedTuple):
    """What `assert_close` was told about differences."""

    rtol: Any
    atol: Any
    equal_nan: bool
    check_device: bool
    check_dtype: bool


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Fail unless |actual - expected| ≤ atol + rtol·|expected| everywhere, with equal shapes, dtypes and devices.

    Args:
        actual, expected: tensors, arrays, numbers, or sequences or mappings of these.
        rtol, atol: both or none; default by dtype: 1.3e-6 and 1e-5 for float32, 1e-7 for float64, 0 for integers.
        equal_nan: whether NaN equals NaN.
        check_device, check_dtype: whether these must be equal too.
        msg: what the error says, or a function that makes it of the usual text.

    Raises:
        AssertionError: they differ; it names the place of the largest difference.

    >>> from tinygrad_edu import Tensor
    >>> assert_close(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]) * 1.0000001)

    Source: https://pytorch.org/docs/stable/testing.html
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: give both rtol and atol, or neither.")
    allowed = _Allowed(rtol, atol, equal_nan, check_device, check_dtype)
    problem = next(_differences(actual, expected, "", allowed), None)
    if problem is not None:
        raise AssertionError(problem if msg is None else msg(problem) if callable(msg) else msg)


def _differences(a: Any, b: Any, place: str, allowed: _Allowed) -> Iterator[str]:
    """What is different, in words."""
    where = f" at {place}" if place else ""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            yield f"the keys{where} differ: {sorted(map(str, a))} and {sorted(map(str, b))}"
        for key in a.keys() & b.keys():
            yield from _differences(a[key], b[key], f"{place}[{key!r}]", allowed)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            yield f"the lengths{where} differ: {len(a)} and {len(b)}"
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from _differences(x, y, f"{place}[{i}]", allowed)
    elif a is None and b is None:
        return
    elif not all(isinstance(x, Tensor | int | float) or hasattr(x, "__array_function__") for x in (a, b)) or (
        isinstance(a, Tensor) != isinstance(b, Tensor)
    ):
        raise TypeError(f"assert_close compares tensors with tensors and numbers with numbers{where}: {type(a)}, {type(b)}.")
    else:
        yield from _different_values(a, b, where, allowed)


def _different_values(a: Any, b: Any, where: str, allowed: _Allowed) -> Iterator[str]:
    rtol, atol = allowed.rtol, allowed.atol
    if allowed.check_device and isinstance(a, Tensor) and a.device != b.device:
        yield f"the devices{where} differ: {a.device} and {b.device}"
    a, b = (x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x) for x in (a, b))
    if a.shape != b.shape:
        yield f"the shapes{where} differ: {a.shape} and {b.shape}"
        return
    if allowed.check_dtype and a.dtype != b.dtype:
        yield f"the dtypes{where} differ: {a.dtype} and {b.dtype}"
    if rtol is None:
        rtol, atol = np.max([_TOLERANCES.get(str(x.dtype), (0.0, 0.0)) for x in (a, b)], axis=0)
    with np.errstate(all="ignore"):
        a, b = (
            x.astype(np.float64) if x.dtype.kind in "fb" else x.astype(object) for x in (a, b)
        )  # object: exact for any integer
        off = np.asarray(abs(a - b), dtype=np.float64)
        near = np.asarray(a == b, dtype=bool) | np.asarray(off <= atol + rtol * abs(b), dtype=bool) & np.isfinite(off)
    if allowed.equal_nan:
        near |= np.asarray(a != a, dtype=bool) & np.asarray(b != b, dtype=bool)
    if not near.all():
        worst = np.where(near, -1.0, np.where(np.isnan(off), np.inf, off))
        at = tuple(int(i) for i in np.unravel_index(np.argmax(worst), worst.shape))
        yield (
            f"{int((~near).sum())} of {near.size} elements{where} are not close. The worst is at {list(at)}: {a[at]}, expected "
            f"{b[at]}, a difference of {off[at]:.4g} (allowed: {atol:g} + {rtol:g} of the expected)."
        )
