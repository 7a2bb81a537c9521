"""Every operation, and the one list of what Tensor gets from them.

Files, each importing only from those above it: shape, indexing, arithmetic, comparison, elementwise, activation, reduction,
sorting, linalg; creation, random and inplace stand beside them.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..tensor import Tensor

# Methods of Tensor, by the file in which the function of the same name stands.
METHODS = {
    "shape": "reshape",
    "indexing": "",
    "arithmetic": "add sub mul div neg",
    "comparison": "",
    "elementwise": "exp tanh sin cos",
    "activation": "",
    "reduction": "sum",
    "sorting": "",
    "linalg": "",
    "creation": "",
    "random": "",
}

# Python's operators: name of the special method, file, function. Reflected ones (2 - x) are made from the plain ones.
OPERATORS = {
    "__add__": ("arithmetic", "add"),
    "__sub__": ("arithmetic", "sub"),
    "__mul__": ("arithmetic", "mul"),
    "__truediv__": ("arithmetic", "div"),
    "__neg__": ("arithmetic", "neg"),
}
REFLECTED = "add sub mul truediv"


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


for _file, _names in METHODS.items():
    for _name in _names.split():
        setattr(Tensor, _name, getattr(importlib.import_module(f"{__name__}.{_file}"), _name))
for _special, (_file, _name) in OPERATORS.items():
    setattr(Tensor, _special, getattr(importlib.import_module(f"{__name__}.{_file}"), _name))
for _name in REFLECTED.split():
    setattr(Tensor, f"__r{_name}__", _reflected(getattr(Tensor, f"__{_name}__")))
