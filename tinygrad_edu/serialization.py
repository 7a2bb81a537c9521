"""save and load: tensors and plain values in a safetensors file, which holds data and never code.

Tensors are stored as safetensors stores them, under their path in the saved object ("model.layers.0.weight"), so a saved
state dict is what PyTorch's `safetensors.torch.load_file` reads. Everything else, the nesting and the plain values, is JSON in
the file's metadata.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from .ops.creation import as_tensor
from .tensor import Tensor, wrap

_KEY = "tinygrad_edu"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


class FormatError(ValueError):
    """A file that is not what `save` writes, or is not whole."""


def save(obj: Any, path: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write tensors, numbers, strings, None and nested dicts and lists of these; the old file stays whole until the new one is.

    Args:
        obj: for example `model.state_dict()`, or {"model": ..., "optimizer": ..., "epoch": 3}.
        path: where, safetensors' ending is `.safetensors`; or a file open for writing bytes, such as io.BytesIO().

    Raises:
        TypeError: names the part of `obj` that cannot be saved, or there is no path; nothing is written.
    """
    from safetensors.numpy import save as to_bytes

    _check_path(path, "write")
    tensors: dict[str, np.ndarray] = {}
    plan = _pack(obj, "", tensors)
    content = to_bytes(tensors, metadata={_KEY: json.dumps(plan, allow_nan=True)})
    if not isinstance(path, str | os.PathLike):
        path.write(content)
        return
    write_whole(path, content)


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file that is whole or not there: until the new one is whole, the old one stays."""
    target = Path(os.path.realpath(path))  # a link stays; the file that it leads to is replaced
    if target.exists() and not target.is_file():  # a device, which stays too; a folder refuses
        target.write_bytes(content)
        return
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):  # it names the temporary file, of which nobody knows
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def load(path: str | os.PathLike[str] | IO[bytes], map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what `save` wrote, or any other safetensors file (as a dict of tensors); no code in it is ever run.

    Args:
        path: where it is, or a file open for reading bytes.
        map_location: the device to put tensors on (default: the CPU); or, as PyTorch programs say it for files from a GPU, a function
            (tensor, "cpu") → tensor, or a dict from the device of a file, which is "cpu" here, to another one.
        weights_only: accepted for PyTorch programs; nothing but data is ever read.

    Raises:
        FormatError: the file is cut short, damaged or of another kind.
        FileNotFoundError: there is no such file.
    """
    from safetensors import SafetensorError, deserialize

    _check_path(path, "read")
    if isinstance(path, str | os.PathLike):
        name, content = str(path), Path(path).read_bytes()
    else:
        name, content = f"this {type(path).__name__}", path.read()
    try:
        stored = dict(deserialize(content))
    except SafetensorError as error:
        raise FormatError(
            f"{name} is not a whole safetensors file ({error}). Files of torch.save are pickles, which can run code and "
            "are not read here: write them anew with safetensors.torch.save_file."
        ) from None
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tensors = {name: wrap(_array(name, stored[name])) for name in header if name in stored}
    if isinstance(map_location, Mapping):
        map_location = map_location.get("cpu")
    if callable(map_location):
        tensors = {name: map_location(t, "cpu") for name, t in tensors.items()}
    elif map_location is not None:
        tensors = {name: t.to(map_location) for name, t in tensors.items()}
    plan = header.get("__metadata__", {}).get(_KEY)
    if plan is None:
        return tensors
    try:
        return _unpack(json.loads(plan), tensors)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{name}: the description of the saved object in this file is damaged ({error}).") from None


def _check_path(path: Any, method: str) -> None:
    """Refuse what is neither the name of a file nor an open one."""
    if not isinstance(path, str | os.PathLike) and not hasattr(path, method):
        raise TypeError(f"path is the name of a file, or a file open to {method} bytes, and not a {type(path).__name__}.")


def _array(name: str, entry: dict[str, Any]) -> np.ndarray:
    """The array that a file's entry describes; bfloat16, which NumPy lacks, becomes float32 (its upper half)."""
    kind, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    if kind not in _DTYPES:
        raise FormatError(f"the tensor {name!r} is of dtype {kind}, which is not offered here; convert it before saving.")
    return np.frombuffer(data, _DTYPES[kind]).reshape(shape).copy()


def _pack(value: Any, path: str, tensors: dict[str, np.ndarray]) -> Any:
    """The JSON plan of a value; its tensors are put into `tensors`."""
    if isinstance(value, Tensor | np.ndarray):
        array = as_tensor(value).numpy(force=True)
        key = path or "tensor"
        while key in tensors or key == "__metadata__":  # {"a": {"b": t}, "a.b": u}, or safetensors' own name
            key += "_"
        tensors[key] = np.ascontiguousarray(array).reshape(array.shape)
        return {"tensor": key}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    if isinstance(value, Mapping):
        items = []
        for key, item in value.items():
            if not isinstance(key, str | int):
                raise TypeError(
                    f"cannot save a dict with the key {key!r} at {path or 'the top'}: keys must be strings or integers."
                )
            items.append([key, _pack(item, f"{path}.{key}" if path else str(key), tensors)])
        return {"dict": items}
    if isinstance(value, list | tuple):
        packed = [_pack(item, f"{path}.{i}" if path else str(i), tensors) for i, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": packed}
    raise TypeError(
        f"cannot save a {type(value).__name__} at {path or 'the top'}: save tensors, numbers, strings, None and dicts and lists of "
        "these, such as model.state_dict()."
    )


def _unpack(plan: Any, tensors: dict[str, Tensor]) -> Any:
    ((kind, content),) = plan.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "value":
        return content
    if kind == "dict":
        return {key: _unpack(item, tensors) for key, item in content}
    items = [_unpack(item, tensors) for item in content]
    return {"list": list, "tuple": tuple}[kind](items)
