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
    "shape": "broadcast_to chunk contiguous diag diag_embed diagflat diagonal diff dsplit expand expand_as flatten flip fliplr "
    "flipud hsplit moveaxis movedim narrow numel permute ravel repeat repeat_interleave reshape reshape_as roll rot90 select "
    "split split_with_sizes squeeze swapaxes swapdims t tensor_split tile transpose tril triu unbind unflatten unfold unsqueeze "
    "view view_as vsplit",
    "indexing": "argwhere gather index_add index_copy index_fill index_put index_select masked_fill masked_scatter masked_select "
    "nonzero put scatter scatter_add scatter_reduce take take_along_dim where",
    "arithmetic": "add addcdiv addcmul arctan2 atan2 copysign div divide float_power floor_divide fmax fmin fmod gcd hypot lcm lerp "
    "logaddexp logaddexp2 maximum minimum mul multiply neg negative positive pow reciprocal remainder sub subtract true_divide xlogy",
    "comparison": "",
    "elementwise": "exp tanh sin cos",
    "activation": "",
    "reduction": "sum",
    "sorting": "",
    "einsum": "inner",
    "products": "addbmm addmm addmv addr baddbmm bmm cross dot ger kron matmul mm mv outer vdot",
    "linalg": "",
    "creation": "",
    "random": "",
}

# Python's operators: name of the special method, file, function. Reflected ones (2 - x) are made from the plain ones.
OPERATORS = {
    "__getitem__": ("indexing", "getitem"),
    "__add__": ("arithmetic", "_add"),
    "__sub__": ("arithmetic", "_sub"),
    "__mul__": ("arithmetic", "mul"),
    "__truediv__": ("arithmetic", "_div"),
    "__neg__": ("arithmetic", "_neg"),
    "__matmul__": ("products", "matmul"),
}
REFLECTED = "add sub mul truediv matmul"


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


for _file, _names in METHODS.items():
    for _name in _names.split():
        setattr(Tensor, _name, getattr(importlib.import_module(f"{__name__}.{_file}"), _name))
for _special, (_file, _name) in OPERATORS.items():
    setattr(Tensor, _special, getattr(importlib.import_module(f"{__name__}.{_file}"), _name))
for _name in REFLECTED.split():
    setattr(Tensor, f"__r{_name}__", _reflected(getattr(Tensor, f"__{_name}__")))
