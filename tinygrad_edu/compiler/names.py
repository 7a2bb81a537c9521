"""What tensors, layers and optimizers are called in the learner's program, so that plans can call them so."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import numpy as np

from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .reads import Reads


def given_to(function: Any, args: tuple, kwargs: dict[str, Any]) -> dict[int, str]:
    """What the function calls its arguments, by the ids of arrays and objects."""
    names: dict[int, str] = {}
    with suppress(ValueError, TypeError):
        for name, x in inspect.signature(getattr(function, "forward", function)).bind(*args, **kwargs).arguments.items():
            _note(name, x, names)
    return names


def captured_by(function: Any, reads: Reads) -> dict[int, str]:
    """What the function reads by itself, and calls so: variables around it, and attributes of the object or module that it belongs to."""
    names: dict[int, str] = {}
    if isinstance(function, Module):
        for name, x in vars(function).items():
            _note(name, x, names)
    modules = {id(vars(module)) for module, _ in reads.modules}
    for where, name, x in reads.places.values():
        within = isinstance(x, Module) and id(where) in modules  # named with the module that it is a part of
        if isinstance(name, str) and not within:  # what stands in a list is named after that
            _note(name, x, names)
    for _, name, x in reads.places.values():
        if isinstance(x, Optimizer):  # its parameters are read, too, under the model's names for them if it has some
            _note(f"{name}_parameter", [p for group in x.param_groups for p in group["params"]], names)
    return names


def _note(name: str, x: Any, names: dict[int, str]) -> None:
    """Note the names of arrays, and of the tensors, modules and optimizers that hold them."""
    if isinstance(x, Tensor):
        names.setdefault(id(x.__dict__["array"]), name)
        names.setdefault(id(x), f"{name}_tensor")
    elif isinstance(x, np.ndarray):
        names.setdefault(id(x), name)
    elif isinstance(x, Module):
        for part, p in (*x.named_parameters(), *x.named_buffers()):
            _note(f"{name}_{part}".replace(".", "_"), p, names)
    elif isinstance(x, Optimizer | LRScheduler):
        names.setdefault(id(x), name)
    elif isinstance(x, tuple | list):
        for i, part in enumerate(x):
            _note(f"{name}{i}", part, names)
    elif isinstance(x, dict):
        for key, part in x.items():
            _note(f"{name}_{key}" if str(key).isidentifier() else name, part, names)
