"""What is said when something is refused: what was given, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Number
from typing import Any

from .callsite import source_line


class ShapeError(RuntimeError, ValueError):
    """Shapes that do not fit (PyTorch raises RuntimeError, NumPy ValueError: both catch it)."""


class DtypeError(RuntimeError, TypeError):
    """A dtype that an operation cannot take."""


class DeviceError(RuntimeError):
    """A device that is not there, or tensors on different devices."""


class GraphError(RuntimeError):
    """A backward pass that cannot be run, or would be wrong."""


class InplaceError(GraphError):
    """A change in place that would make a gradient wrong."""


class AnomalyError(GraphError):
    """A NaN or an infinity, found under `detect_anomaly`."""


def describe(x: Any) -> str:
    """A tensor as a message names it: `w (2, 3) float32, made at file.py:3: w = u * v`."""
    if not hasattr(x, "shape"):
        return f"{x!r:.80}"
    name = f"{x.name} " if getattr(x, "name", None) else ""
    made = source_line(getattr(x, "made_at", None))
    return f"{name}{tuple(x.shape)} {x.dtype}" + (f", made at {made}" if made else "")


def _place(x: Any) -> str:
    """Where a tensor or an array is; CuPy's devices have a number."""
    return f"cuda:{x.device.id}" if hasattr(x.device, "id") else str(x.device)


def kind(x: Any) -> str:
    """The type of what was given where something else was wanted, with its module: `torch.nn.parameter.Parameter`."""
    cls = type(x)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def as_given(x: Any) -> str:
    """What was given where something else was wanted: `'adam'`, or `the class Adam: make one of it`."""
    return f"the class {x.__name__}: make one of it" if isinstance(x, type) else f"{x!r:.80}"


def no_tensor(name: str, given: Iterable[Any], error: Exception) -> Exception:
    """The error to raise if `error` came of something that stood in a tensor's place, such as None or a tuple; else `error` itself."""
    for x in given:
        if not hasattr(x, "dtype") and _came_of(x, error):
            return TypeError(f"{name} takes tensors, and not {_instead_of_tensor(x)}")
    return error


def _came_of(x: Any, error: Exception) -> bool:
    """Whether something that is no tensor was asked for what tensors have, or NumPy could not compute with it."""
    if isinstance(error, AttributeError):
        return error.name is not None and error.obj is x
    if _holds_tensors(x):
        return type(error) in (TypeError, ValueError)
    if not isinstance(error, TypeError) or isinstance(x, Number | list | tuple):
        return False
    return "ufunc" in str(error) or (x is None and "NoneType" in str(error))


def _holds_tensors(x: Any) -> bool:
    return isinstance(x, tuple | list) and any(hasattr(part, "dtype") or _holds_tensors(part) for part in x)


def _instead_of_tensor(x: Any) -> str:
    """What stood in a tensor's place, and what to do about it."""
    if x is None:
        return "None: is a `return` missing where it comes from?"
    if _holds_tensors(x):
        return (
            f"a {type(x).__name__} of {len(x)} parts: give one of them (an LSTM returns its output and its last states), or join them with "
            "cat() or stack()."
        )
    return f"a {type(x).__name__}, {x!r:.60}: write tensor(...) around it." if isinstance(x, list | tuple) else f"{as_given(x)}."


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is not a whole number, or too small a one."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, not {value!r}.")


def takes_for_tensors(error: Exception) -> bool:
    """Whether code failed because it takes the arrays that it gets for tensors: x.unsqueeze(0), x.sum(dim=0)."""
    if isinstance(error, AttributeError):
        return "'numpy.ndarray'" in str(error)
    return isinstance(error, TypeError) and any(f"keyword argument '{name}'" in str(error) for name in ("dim", "keepdim"))


def explain(name: str, inputs: Any, settings: dict[str, Any], error: Exception) -> Exception:
    """The error to raise when an operation's forward computation failed with `error`."""
    given = "; ".join(describe(x) for x in inputs)
    devices = {_place(x) for x in (*inputs, *settings.values()) if hasattr(x, "shape") and hasattr(x, "device")}
    if len(devices) > 1:
        given += "".join(f"; {k}: {describe(v)} on {_place(v)}" for k, v in settings.items() if hasattr(v, "shape"))
        return DeviceError(
            f"{name}: the inputs are on different devices ({', '.join(sorted(devices))}): {given}. "
            f'Move one of them, for example with x.to("{min(devices)}").'
        )
    if isinstance(error, ValueError) and "broadcast" in str(error) and not isinstance(error, ShapeError):
        return ShapeError(
            f"{name}: these shapes do not broadcast together: {given}. Broadcasting aligns shapes at the right; "
            f"each pair of sizes must be equal or one of them 1. Reshape one, for example with unsqueeze."
        )
    error = no_tensor(name, inputs, error)
    if takes_for_tensors(error):
        error.add_note("An operation's computation gets arrays: call functions of NumPy in it, and no methods of tensors.")
    error.add_note(f"in {name}({given}" + "".join(f", {k}={v!r:.80}" for k, v in settings.items()) + ")")
    return error
