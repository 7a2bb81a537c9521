"""Plain data, of which traces and films are made: what is kept of an array, and dataclasses as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .. import backend

WHOLE = 64  # tensors up to this many elements are kept, and shown, whole
SAMPLE = 8  # of a larger tensor, at most this many rows and columns


@dataclass(frozen=True)
class Sample:
    """Some rows and columns of a large tensor, seen as a matrix (its last dim across, all others down)."""

    rows: list[int]
    cols: list[int]
    data: list[Any]


@dataclass(frozen=True)
class Numbers:
    """An array: whole (`data`, flat, row by row) up to 64 elements (the local derivatives of an equation: 64²), else a `sample`.
    NaN and infinities are strings.

    min, max, mean, std: of the finite elements; nonfinite: how many others there are.
    """

    shape: list[int]
    dtype: str
    data: list[Any] | None = None
    sample: Sample | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    nonfinite: int = 0


def number(value: Any) -> Any:
    """A number for JSON: NaN and the infinities as strings."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _flat(array: np.ndarray) -> list[Any]:
    """The elements, each with as many digits as its dtype needs."""
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and flat.dtype.itemsize < 8:
        return [number(float(text)) for text in flat.astype("U").tolist()]
    return [number(int(v) if isinstance(v, bool) else v) for v in flat.tolist()]


def on_cpu(array: Any) -> np.ndarray:
    """An array of any device as NumPy's; a number as an array."""
    return np.asarray(backend.place(array, backend.CPU) if hasattr(array, "shape") else array)


def numbers_of(array: Any, most: int = WHOLE) -> Numbers:
    """An array, on any device, as a trace keeps it: whole, if it has up to so many elements."""
    array = on_cpu(array)
    shape, dtype = list(array.shape), str(array.dtype)
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    statistics = {}
    if finite.size:
        exact = finite.astype(np.float64)
        found = exact.min(), exact.max(), exact.mean(), exact.std()
        statistics = {k: number(float(v)) for k, v in zip(("min", "max", "mean", "std"), found, strict=True)}
    nonfinite = array.size - finite.size
    if array.size <= most:
        return Numbers(shape, dtype, data=_flat(array), nonfinite=nonfinite, **statistics)
    matrix = array.reshape(-1, array.shape[-1])
    rows, cols = (np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(int)) for n in matrix.shape)
    sample = Sample(rows.tolist(), cols.tolist(), _flat(matrix[np.ix_(rows, cols)]))
    return Numbers(shape, dtype, sample=sample, nonfinite=nonfinite, **statistics)


# -- JSON ----------------------------------------------------------------------------------------------------------------
def to_text(data: Any) -> str:
    """A dataclass of plain data as one line of JSON."""
    return json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_text(kind: type, text: str, name: str, version: str) -> Any:
    """What `to_text` made of a dataclass of this kind; ValueError if it is no such `name`, or one of another version."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not a {name}: it is not even JSON ({error}).") from None
    given = data.get("format") if isinstance(data, dict) else type(data).__name__
    if given != version:
        raise ValueError(f"this is not a {name} that this version reads: its format is {given!r}, expected {version!r}.")
    try:
        return _read(kind, data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this {name} is damaged ({error}): write it anew with to_json().") from None


def plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: plain(v) for name, v in fields if v is not None}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


_hints: Callable[[Any], dict[str, Any]] = cache(typing.get_type_hints)


def _read(kind: Any, value: Any) -> Any:
    """The value of a field of this type."""
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _read(hints[name], v) for name, v in value.items()})  # type: ignore[operator]
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return value if inside[0] in (Any, int, float, str) else [_read(inside[0], v) for v in value]
    if origin is dict:
        return {inside[0](k): _read(inside[1], v) for k, v in value.items()}
    if origin is types.UnionType:
        return None if value is None else _read(inside[0], value)
    return value
