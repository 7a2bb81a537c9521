"""Layers and models, as `torch.nn`."""

from __future__ import annotations

from . import functional
from .container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .linear import Linear
from .module import Module
from .parameter import Buffer, Parameter

__all__ = [
    "Buffer",
    "Linear",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "Sequential",
    "functional",
]
