"""Which module was running when: what lets a picture draw the modules of a model as groups.

Recording an operation pays nothing for it: a tensor carries the time at which it was made, and every call of a module notes
here when it began and ended, by the same clock. So the modules in which a tensor was made are the calls around its time.

No model is kept alive for this. A graph may outlive the model that made it, so a module that goes leaves its outline behind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import ref

from .clock import tick

REMEMBERED = 4096  # calls, and modules that are gone; older ones are forgotten


class _Calls(threading.local):  # a call says nothing about tensors that another thread makes meanwhile
    def __init__(self) -> None:
        self.log: deque[tuple[Any, int, int]] = deque(maxlen=REMEMBERED)  # (weak reference or name, began, ended)


calls = _Calls()


@dataclass(frozen=True)
class Outline:
    """What pictures say of a module: its class, and by name what it holds, the modules and the tensors."""

    kind: str
    modules: dict[str, ref]
    tensors: dict[str, ref]


gone: deque[tuple[ref, Outline]] = deque(maxlen=REMEMBERED)


@contextmanager
def group(name: str) -> Iterator[None]:
    """Show what is computed inside as one group that pictures can fold, as they do with a module.

    >>> from tinygrad_edu import tensor
    >>> from tinygrad_edu.see import group, trace
    >>> h = tensor(1.0, requires_grad=True)
    >>> for t in range(3):
    ...     with group(f"step {t}"):
    ...         h = (h * 2).tanh()
    >>> [g.path for g in trace(h).modules]
    ['step 0', 'step 1', 'step 2']
    """
    began = tick()
    try:
        yield
    finally:
        calls.log.append((str(name), began, tick()))  # a number too
