"""The learner's line: where in the source an operation was called."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import sys
import warnings
from pathlib import Path
from types import CellType, CodeType, FunctionType
from typing import Any

PROMPT = ("<stdin", "<python-input")  # how the file names of what is typed at Python's prompt begin

# Files whose frames are not the user's: the source line of a tensor is the first one outside this package, and outside contextlib, through
# which calls of functions under @no_grad() go.
OWN_FILES = {str(path) for path in Path(__file__).parent.rglob("*.py")} | {contextlib.__file__}


def call_site(depth: int = 1) -> Any:
    """The code object and instruction outside this package that is running now."""
    frame: Any = sys._getframe(depth)
    while frame.f_code.co_filename in OWN_FILES and (caller := frame.f_back) is not None:
        frame = caller
    return frame.f_code, frame.f_lasti


def warn(message: str) -> None:
    """Warn at the learner's line, however deep in this package the reason lies: in a function, say, or in the module that calls it."""
    frame, level = sys._getframe(), 1
    while frame.f_code.co_filename in OWN_FILES and frame.f_back is not None:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def source_line(where: Any) -> str:
    """Where an operation was called, as `file.py:12: y = w * x`; the empty string where that is not known."""
    if where is None:
        return ""
    code, instruction = where
    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    if line is None:
        return ""
    text = "".join(lines_of(code)[line - 1 : line]).strip()
    return f"{label_of(code.co_filename)}:{line}" + (f": {text}" if text else "")


def lines_of(code: CodeType) -> list[str]:
    """The lines of the file, cell or prompt in which a code object stands; none where Python does not know them."""
    lines = linecache.getlines(code.co_filename)
    if lines or not code.co_filename.startswith(PROMPT):
        return lines
    try:  # what is typed at the prompt Python 3.14 and later know by the code, and not by a file's name
        closure = tuple(CellType() for _ in code.co_freevars)
        return inspect.findsource(FunctionType(code, {"__name__": "__main__"}, None, None, closure))[0]
    except OSError:
        return []


def label_of(filename: str) -> str:
    """What messages and pictures call a source: a file's own name, `In [3]` for a notebook's cell, `prompt`."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and hasattr(shell.compile, "format_code_name"):
        found = shell.compile.format_code_name(filename)
        if found:
            return found[1]
    if filename.startswith(PROMPT):
        return "prompt"
    if filename == "<string>":
        return "command"
    if filename.startswith("<expression"):
        return "expression"
    return filename.strip("<>").replace("\\", "/").rpartition("/")[2]
