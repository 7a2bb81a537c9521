"""Handles of hooks, on tensors and on modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .clock import mark_setting


class HookHandle:
    """What `register_hook` returns: `remove()` takes the hook away, and so does the end of `with tensor.register_hook(...):`."""

    def __init__(self, hooks: dict, hook: Callable, with_kwargs: bool = False) -> None:
        self._hooks, self.with_kwargs = hooks, with_kwargs
        hooks[self] = hook
        mark_setting()

    def remove(self) -> None:
        self._hooks.pop(self, None)
        mark_setting()

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()
