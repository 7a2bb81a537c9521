"""Methods and properties of Tensor that are no functions of the same name: x.float(), x.size(), x.new_zeros(2), x.T ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend, dtypes
from ..op import cast
from ..tensor import Tensor
from .creation import conj, empty, full, is_complex, is_floating_point, ones, tensor, to, zeros
from .elementwise import polygamma
from .indexing import where
from .shape import _matrix_transpose, _reversed_dims, _transpose_of_a_matrix, clone, expand, one_dim


def _new(make: Any) -> Any:
    """The method that makes a tensor of this one's dtype on its device."""

    def method(
        self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **rest: Any
    ) -> Tensor:
        options = {"dtype": dtype or self.dtype, "device": device or self.device, "requires_grad": requires_grad}
        return make(*size, **options, **rest)

    return method


def _caster(dtype: np.dtype) -> Any:
    def method(self: Tensor) -> Tensor:
        return self if self.array.dtype == dtype else cast(self, dtype=dtype)

    method.__doc__ = f"`to({dtype})`."
    return method


def type_(self: Tensor, dtype: Any = None) -> Any:
    """`to(dtype)`; without a dtype, its name."""
    return str(self.dtype) if dtype is None else to(self, dtype)


def _address(self: Tensor) -> int:
    """Where the first element lies in memory: equal for tensors that share memory from their start."""
    return self.array.ctypes.data if isinstance(self.array, np.ndarray) else self.array.data.ptr


def _stride(x: Tensor) -> tuple[int, ...]:
    return tuple(s // x.array.itemsize for s in x.array.strides)


OWN_METHODS: dict[str, Any] = {
    "to": to,
    "type": type_,
    "float": _caster(dtypes.float32),
    "double": _caster(dtypes.float64),
    "half": _caster(dtypes.float16),
    "int": _caster(dtypes.int32),
    "long": _caster(dtypes.int64),
    "short": _caster(dtypes.int16),
    "char": _caster(dtypes.int8),
    "byte": _caster(dtypes.uint8),
    "bool": _caster(dtypes.bool_),
    "type_as": lambda self, other: to(self, other),
    "cpu": lambda self: to(self, backend.CPU),
    "cuda": lambda self, device=None: to(self, f"cuda:{device or 0}" if isinstance(device, int | None) else device),
    "new_zeros": _new(zeros),
    "new_ones": _new(ones),
    "new_empty": _new(empty),
    "new_full": _new(full),
    "new_tensor": _new(tensor),
    "size": lambda self, dim=None: self.shape if dim is None else self.shape[one_dim(dim, self.ndim)],
    "is_floating_point": is_floating_point,
    "dim": lambda self: self.ndim,
    "ndimension": lambda self: self.ndim,
    "nelement": lambda self: self.array.size,
    "element_size": lambda self: self.array.itemsize,
    "stride": lambda self, dim=None: _stride(self) if dim is None else _stride(self)[dim],
    "is_contiguous": lambda self: bool(self.array.flags.c_contiguous),
    "pin_memory": lambda self: self,
    "get_device": lambda self: self.device.index if self.device.type == "cuda" else -1,
    "data_ptr": _address,
    "new": lambda self, *data: Tensor(*data, dtype=self.dtype, device=self.device),
    "adjoint": _matrix_transpose,
    "broadcast_to": expand,
    "where": lambda self, condition, other: where(condition, self, other),
    "is_complex": is_complex,
    "conj": conj,
    "polygamma": lambda self, n: polygamma(n, self),
    "clone": lambda self, *, memory_format=None: clone(self),
}
PROPERTIES: dict[str, Any] = {
    "itemsize": lambda self: self.array.itemsize,
    "nbytes": lambda self: self.array.nbytes,
    "is_cuda": lambda self: self.device.type == "cuda",
    "is_cpu": lambda self: self.device.type == "cpu",
    "is_sparse": lambda self: False,
    "T": _reversed_dims,
    "mT": _matrix_transpose,
    "mH": _matrix_transpose,
    "H": _transpose_of_a_matrix,
}
