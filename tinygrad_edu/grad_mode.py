"""Whether operations are recorded: no_grad, enable_grad and their relatives."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator
from contextlib import ContextDecorator
from typing import Any


class _GradMode(threading.local):
    enabled = True  # per thread, so that a data loader's no_grad does not switch off the training's recording


grad_mode = _GradMode()


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded now, in this thread."""
    return grad_mode.enabled


class _Switch(ContextDecorator):
    """A context manager that is a decorator as well."""

    def __init__(self, mode: bool) -> None:
        self._mode = bool(mode)
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(grad_mode.enabled)
        grad_mode.enabled = self._mode

    def __exit__(self, *error: object) -> None:
        grad_mode.enabled = self._before.pop()

    def _recreate_cm(self) -> _Switch:  # a decorated function may run in several threads at once
        return _Switch(self._mode)

    def __call__(self, function: Callable) -> Any:
        return self._between_yields(function) if inspect.isgeneratorfunction(function) else super().__call__(function)

    def _between_yields(self, function: Callable) -> Callable:
        """A generator function that records or not while it runs itself, and leaves it to its caller in between."""

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Generator:
            generator = function(*args, **kwargs)
            go_on, value = generator.send, None
            while True:
                with self._recreate_cm():
                    try:
                        found = go_on(value)
                    except StopIteration as end:
                        return end.value
                try:
                    go_on, value = generator.send, (yield found)
                except BaseException as error:  # thrown in by the caller; close() throws GeneratorExit
                    go_on, value = generator.throw, error

        return generate


def no_grad(function: Callable | None = None) -> Any:
    """Do not record: `with no_grad():` or `@no_grad()` (also `@no_grad`).

    >>> from tinygrad_edu import tensor, no_grad
    >>> w = tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = w * w
    >>> y.requires_grad
    False
    """
    return _Switch(False) if function is None else _Switch(False)(function)


def enable_grad(function: Callable | None = None) -> Any:
    """Record again inside a `no_grad`; used like it."""
    return _Switch(True) if function is None else _Switch(True)(function)


def inference_mode(mode: Any = True) -> Any:
    """As `no_grad`; `inference_mode(False)` changes nothing."""
    if callable(mode):
        return _Switch(False)(mode)
    return _Switch(False if mode else grad_mode.enabled)


class set_grad_enabled(_Switch):
    """Record or not from here on; as a context manager, until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self._at_start = grad_mode.enabled
        grad_mode.enabled = self._mode

    def __enter__(self) -> None:
        self._before.append(self._at_start)
        grad_mode.enabled = self._mode

    def __call__(self, function: Callable) -> Any:
        grad_mode.enabled = self._at_start  # a decorator: nothing changes until the function runs
        return super().__call__(function)
