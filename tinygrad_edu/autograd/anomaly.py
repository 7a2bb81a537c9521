"""detect_anomaly: stop at the operation that makes the first NaN or infinity, and say where it stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..callsite import call_site, source_line
from ..errors import AnomalyError, describe
from ..op import watchers
from ..tensor import Tensor
from . import engine


def _bad(array: Any) -> str:
    """ "a NaN" or "an infinity", if there is one."""
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return ""
    return "a NaN" if bool(np.isnan(array).any()) else "an infinity"


def _check_forward(name: str, z: Tensor, inputs: tuple) -> None:
    found = _bad(z.array)
    arrays = [x.array if isinstance(x, Tensor) else np.asarray(x) for x in inputs]
    if found and not any(_bad(a) for a in arrays if a.dtype.kind in "biuf"):
        line = source_line(z.made_at or call_site(1)) or "an unknown line"
        raise AnomalyError(
            f"{name} at {line} made {found} from inputs without one: {'; '.join(describe(x) for x in inputs)}. Look at the inputs' range there "
            "(log and division by 0, overflow of exp ...)."
        )


def _check_backward(node: Tensor, slot: int, x: Tensor, g: Any, raw: Any) -> None:
    found, came_in = (_bad(a.array if isinstance(a, Tensor) else backend.as_array(a)) for a in (raw, g))
    if found and not came_in:
        assert node.op is not None
        raise AnomalyError(
            f"in backward, the rule of {node.op.name} at {source_line(node.made_at) or 'an unknown line'} made {found} in the gradient of "
            f"its input {describe(x)}, from a gradient without one. If it comes from a branch that where() did not choose, keep that branch "
            "finite as well: where(c, f(where(c, x, 1)), 0)."
        )


class set_detect_anomaly:
    """Switch the search for NaN and infinities on or off; as a context manager, until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _check_forward in watchers
        _switch(mode and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        _switch(self._before)


class detect_anomaly(set_detect_anomaly):
    """Within it, the first NaN or infinity raises AnomalyError with the operation, its inputs and the line; everything is slower.

    >>> from tinygrad_edu import tensor, autograd
    >>> with autograd.detect_anomaly():
    ...     tensor([1.0, 0.0]).log()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_edu.errors.AnomalyError: log at ... made an infinity from inputs without one: (2,) float32. ...

    Source: https://pytorch.org/docs/stable/autograd.html#anomaly-detection
    """

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)


def _switch(on: bool) -> None:
    if on and _check_forward not in watchers:
        watchers.append(_check_forward)
    if not on and _check_forward in watchers:
        watchers.remove(_check_forward)
    engine.check_gradient = _check_backward if on else None
