"""Marks of `torch.jit`, by which models say what of their Python PyTorch's compiler is to read: here it all runs as Python.

Source: https://pytorch.org/docs/stable/jit.html
"""

from __future__ import annotations

from typing import Any, Final

from .absent import missing
from .nn import Module

__all__ = [
    "Final",
    "ScriptModule",
    "annotate",
    "export",
    "ignore",
    "is_scripting",
    "is_tracing",
    "script",
    "script_method",
    "unused",
]


class ScriptModule(Module):
    """A module to be compiled as a whole: here a module as any other."""


def script(obj: Any) -> Any:
    """The function or module itself; `compile` records what it computes."""
    return obj


export = script_method = unused = script


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A decorator that leaves a function as it is, with or without parentheses."""
    return drop if callable(drop) else script


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value itself."""
    return the_value


def is_scripting() -> bool:
    """Whether PyTorch's compiler reads this: no."""
    return False


is_tracing = is_scripting


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
