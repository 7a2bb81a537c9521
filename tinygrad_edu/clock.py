"""One clock for everything: a tensor made by an operation carries the time it was made, changed memory the time it was changed.

So "was this value changed after it was used?" is a comparison, and recording pays next to nothing for it.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

tick = itertools.count(1).__next__

_changes: dict[int, list] = {}  # id of the array that owns the memory -> [time of its last change, weak reference to it]
last_change = 0
last_setting = 0  # when an attribute of some module was set last


def owner(array: Any) -> Any:
    """The array that owns the memory an array looks at."""
    # A base is another array, or what NumPy puts between an array and its sliding windows.
    while (base := array.base) is not None and hasattr(base, "base"):
        array = base
    return array


def mark_changed(array: Any) -> None:
    """Note that this memory was changed now; every in-place operation and optimizer calls it."""
    global last_change
    last_change = tick()
    record_of(array)[0] = last_change


def mark_setting() -> None:
    """Note that an attribute of some module was set now; whoever relies on modules' settings looks at them again."""
    global last_setting
    last_setting = tick()


def record_of(array: Any) -> list:
    """Where the time of the last change of this memory stands, first in a list that lives as long as the memory."""
    owned = owner(array)
    known = _changes.get(id(owned))
    if known is None:
        key = id(owned)
        known = _changes[key] = [0, weakref.ref(owned, lambda _: _changes.pop(key, None))]
    return known


def changed_since(array: Any, serial: int) -> bool:
    """Whether this memory was changed after that time."""
    known = _changes.get(id(owner(array)))
    return known is not None and known[0] > serial
