"""The keys of the terminal's stepper: how they are read, and what each does."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .format import Trace


class Walk:
    """Where the learner is, and what each key does."""

    def __init__(self, trace: Trace, i: int = 0) -> None:
        self.trace, self.i, self.over = trace, i, False
        self.typed: str | None = None  # the number typed after g

    def press(self, key: str) -> None:
        if self.typed is not None and key.isdigit():
            self.typed += key
        elif self.typed is not None and key == "backspace":
            self.typed = self.typed[:-1]
        elif self.typed is not None:
            if key == "enter" and self.typed:
                self._go(int(self.typed) - 1)
            self.typed = None
        elif key in ("right", "l", " "):
            self._go(self.i + 1)
        elif key in ("left", "h"):
            self._go(self.i - 1)
        elif key in ("down", "j", "up", "k"):
            self._jump(1 if key in ("down", "j") else -1)
        elif key == "home":
            self._go(0)
        elif key == "end":
            self._go(len(self.trace.steps) - 1)
        elif key == "g":
            self.typed = ""
        elif key in ("q", "escape"):
            self.over = True

    def _go(self, i: int) -> None:
        self.i = min(max(i, 0), len(self.trace.steps) - 1)

    def _jump(self, way: int) -> None:
        """To the next step, that way, which is not a contribution: there another tensor has its turn."""
        i = self.i + way
        while 0 < i < len(self.trace.steps) - 1 and self.trace.steps[i].kind == "contribute":
            i += way
        self._go(i)


_KEYS = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "1~": "home",
    "7~": "home",
    "4~": "end",
    "8~": "end",
}
_SEQUENCE = re.compile(r"\x1b(?:\[|O)([0-9;]*[A-Za-z~])")
_PLAIN = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace", "\x03": "q", "\x04": "q"}


def parse_keys(waiting: str, new: str) -> tuple[list[str], str]:
    """The keys in what the terminal sent, and the beginning of one that has not arrived as a whole. A burst of arrows is many keys.

    >>> parse_keys("", "\\x1b[C\\x1b[Cq\\x1b[")
    (['right', 'right', 'q'], '\\x1b[')
    """
    text, keys = waiting + new, []
    if waiting == "\x1b" and not new:  # nothing followed: the Escape key itself
        return ["escape"], ""
    while text:
        found = _SEQUENCE.match(text)
        if found:
            keys.append(_KEYS.get(found[1], ""))
            text = text[found.end() :]
        elif text[0] == "\x1b" and len(text) < 3:
            return keys, text
        else:
            keys.append(_PLAIN.get(text[0], text[0]))
            text = text[1:]
    return keys, ""


@contextmanager
def keyboard() -> Iterator[Any]:
    """A function that waits a moment for keys and returns what came, "" if nothing did; keys are not echoed meanwhile."""
    if os.name == "nt":
        yield _read_windows
        return
    import termios
    import tty

    place = sys.stdin.fileno()
    before = termios.tcgetattr(place)

    def read() -> str:
        try:
            if not select.select([place], [], [], 0.2)[0]:
                return ""
            return os.read(place, 4096).decode(errors="ignore") or "q"  # nothing more will come
        except KeyboardInterrupt:
            return "q"

    try:
        tty.setcbreak(place)
        yield read
    finally:
        termios.tcsetattr(place, termios.TCSADRAIN, before)


def _read_windows() -> str:
    import msvcrt
    import time

    windows: Any = msvcrt
    if not windows.kbhit():
        time.sleep(0.05)
        return ""
    key = windows.getwch()
    if key not in ("\x00", "\xe0"):
        return key
    return "\x1b[" + {"H": "A", "P": "B", "M": "C", "K": "D", "G": "H", "O": "F"}.get(windows.getwch(), "Z")
