"""save and load: tensors and plain values in a safetensors file, which holds data and never code.

Tensors are stored as safetensors stores them, under their path in the saved object ("model.layers.0.weight"), so a saved
state dict is what PyTorch's `safetensors.torch.load_file` reads. Everything else, the nesting and the plain values, is JSON in
the file's metadata.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .tensor import Tensor, wrap

_KEY = "tinygrad_edu"


class FormatError(ValueError):
    """A file that is not what `save` writes, or is not whole."""


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write tensors, numbers, strings, None and nested dicts and lists of these; the old file stays whole until the new one is.

    Args:
        obj: for example `model.state_dict()`, or {"model": ..., "optimizer": ..., "epoch": 3}.
        path: where; safetensors' ending is `.safetensors`.

    Raises:
        TypeError: names the part of `obj` that cannot be saved; nothing is written.
    """
    from safetensors.numpy import save as to_bytes

    tensors: dict[str, np.ndarray] = {}
    plan = _pack(obj, "", tensors)
    content = to_bytes(tensors, metadata={_KEY: json.dumps(plan, allow_nan=True)})
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent or ".", prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str], map_location: Any = None) -> Any:
    """Read what `save` wrote, or any other safetensors file (as a dict of tensors); no code in it is ever run.

    Args:
        map_location: the device to put tensors on (default: the CPU).

    Raises:
        FormatError: the file is cut short, damaged or of another kind.
        FileNotFoundError: there is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        plan = json.loads(metadata[_KEY]) if _KEY in metadata else None
    except FileNotFoundError:
        raise
    except (SafetensorError, ValueError, OSError, TypeError) as error:
        raise FormatError(
            f"{os.fspath(path)} is not a whole safetensors file ({error}). Files of torch.save are pickles, which can run code and "
            "are not read here: write them anew with safetensors.torch.save_file."
        ) from None

    def place(array: np.ndarray) -> Tensor:
        t = wrap(array)
        return t if map_location is None else t.to(map_location)

    if plan is None:
        return {name: place(array) for name, array in tensors.items()}
    return _unpack(plan, tensors, place)


def _pack(value: Any, path: str, tensors: dict[str, np.ndarray]) -> Any:
    """The JSON plan of a value; its tensors are put into `tensors`."""
    if isinstance(value, Tensor | np.ndarray):
        array = value.numpy(force=True) if isinstance(value, Tensor) else value
        key = path or "tensor"
        while key in tensors:  # {"a": {"b": t}, "a.b": u}
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


def _unpack(plan: Any, tensors: dict[str, np.ndarray], place: Any) -> Any:
    if not isinstance(plan, dict) or len(plan) != 1:
        raise FormatError("the description of the saved object in this file is damaged.")
    ((kind, content),) = plan.items()
    if kind == "tensor" and content in tensors:
        return place(tensors[content])
    if kind == "value":
        return content
    if kind == "dict":
        return {key: _unpack(item, tensors, place) for key, item in content}
    if kind in ("list", "tuple"):
        items = [_unpack(item, tensors, place) for item in content]
        return tuple(items) if kind == "tuple" else items
    raise FormatError(f"the description of the saved object in this file names {kind!r}, which is unknown or missing.")
