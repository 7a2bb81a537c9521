"""Every operation, and the one list of what Tensor gets from them.

Files, each importing at its head only from those before it: totals, shape, indexing, splitting, padding, joining, arranging,
diagonal, scatter (where numbers are); creation, arithmetic, comparison, elementwise, gamma, special, activation, reduction,
cumulative, softmax, sorting (element by element and along dims); products, einsum, linalg, matrix, norms, distance, statistics
(vectors and matrices); inplace, random; convolution, pooling, upsampling, grid, dropout, normalization, embedding, attention,
recurrent (layers); loss, classification, likelihood, ctc (losses); methods (what is no function of the same name).
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from ..op import recording
from ..spelling import take_other_names
from ..tensor import Tensor

# As in PyTorch, 1/0 is inf and 0/0 is NaN without a word; detect_anomaly finds where they arise.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tinygrad_edu\.ops?\b")

# Methods of Tensor, by the file in which the function of the same name stands.
METHODS = {
    "shape": "contiguous expand expand_as flatten moveaxis movedim numel permute ravel reshape reshape_as squeeze "
    "swapaxes swapdims t transpose unflatten unsqueeze view view_as",
    "splitting": "chunk dsplit hsplit narrow select split split_with_sizes tensor_split unbind unfold vsplit",
    "joining": "diff",
    "arranging": "flip fliplr flipud repeat repeat_interleave roll rot90 tile",
    "diagonal": "diag diag_embed diagflat diagonal tril triu",
    "indexing": "argwhere index_put masked_fill masked_scatter masked_select nonzero",
    "scatter": "gather index_add index_copy index_fill index_select put scatter scatter_add scatter_reduce take take_along_dim",
    "arithmetic": "add addcdiv addcmul arctan2 atan2 copysign div divide float_power floor_divide fmax fmin fmod gcd hypot lcm lerp "
    "logaddexp logaddexp2 maximum minimum mul multiply neg negative positive pow reciprocal remainder sub subtract "
    "true_divide xlogy",
    "comparison": "allclose bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor eq equal ge greater "
    "greater_equal gt isclose isfinite isinf isnan isneginf isposinf le less less_equal logical_and logical_not logical_or "
    "logical_xor lt ne not_equal signbit",
    "elementwise": "abs absolute acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil clamp clamp_max "
    "clamp_min clip cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 fix floor frac heaviside lgamma log log10 log1p "
    "log2 logit nan_to_num rad2deg round rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan tanh trunc",
    "special": "i0",
    "activation": "hardshrink prelu relu",
    "reduction": "all amax amin aminmax any argmax argmin count_nonzero max mean min nanmean nansum std sum trace var",
    "cumulative": "cummax cummin cumprod cumsum logcumsumexp prod",
    "softmax": "log_softmax logsumexp softmax",
    "sorting": "argsort bincount histc histogram kthvalue median mode msort nanmedian nanquantile quantile sort topk unique unique_consecutive",
    "einsum": "inner",
    "products": "addbmm addmm addmv addr baddbmm bmm cross dot ger kron matmul mm mv outer vdot",
    "linalg": "cholesky cholesky_solve inverse qr svd",
    "matrix": "det logdet matrix_exp matrix_power pinverse slogdet",
    "norms": "norm renorm",
    "distance": "dist",
    "statistics": "corrcoef cov",
    "creation": "is_nonzero",
    "random": "bernoulli bernoulli_ exponential_ multinomial normal_ random_ uniform_",
}

# Python's operators: name of the special method, file, function.
OPERATORS = {
    "__getitem__": ("indexing", "getitem"),
    "__reversed__": ("arranging", "reversed_rows"),
    "__add__": ("arithmetic", "_add"),
    "__sub__": ("arithmetic", "_sub"),
    "__mul__": ("arithmetic", "mul"),
    "__truediv__": ("arithmetic", "_div"),
    "__floordiv__": ("arithmetic", "_div_rounded"),
    "__mod__": ("arithmetic", "remainder"),
    "__pow__": ("arithmetic", "pow"),
    "__neg__": ("arithmetic", "_neg"),
    "__pos__": ("arithmetic", "positive"),
    "__abs__": ("elementwise", "abs"),
    "__eq__": ("comparison", "_equals"),
    "__ne__": ("comparison", "_differs"),
    "__lt__": ("comparison", "lt"),
    "__le__": ("comparison", "le"),
    "__gt__": ("comparison", "gt"),
    "__ge__": ("comparison", "ge"),
    "__and__": ("comparison", "bitwise_and"),
    "__or__": ("comparison", "bitwise_or"),
    "__xor__": ("comparison", "bitwise_xor"),
    "__invert__": ("comparison", "bitwise_not"),
    "__lshift__": ("comparison", "bitwise_left_shift"),
    "__rshift__": ("comparison", "bitwise_right_shift"),
    "__matmul__": ("products", "matmul"),
}
# The method of the second operand that Python asks where the first knows no answer; 2 - x is made from x - 2.
REFLECTED = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
ASKED = {"__lt__": "__gt__", "__le__": "__ge__", "__gt__": "__lt__", "__ge__": "__le__"} | {
    f"__{name}__": f"__r{name}__" for name in REFLECTED.split()
}


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


_methods = {
    name: getattr(importlib.import_module(f"{__name__}.{file}"), name)
    for file, names in METHODS.items()
    for name in names.split()
}
take_other_names(_methods)
for _name, _method in _methods.items():
    setattr(Tensor, _name, _method)
for _special, (_file, _name) in OPERATORS.items():
    _function = getattr(importlib.import_module(f"{__name__}.{_file}"), _name)
    setattr(Tensor, _special, recording(_function.op, ASKED[_special]) if _special in ASKED else _function)
for _name in REFLECTED.split():
    setattr(Tensor, f"__r{_name}__", _reflected(getattr(Tensor, f"__{_name}__")))

from . import inplace  # noqa: E402 (gives Tensor x[i] = v, += and the methods that end in an underscore)
from .methods import OWN_METHODS, PROPERTIES  # noqa: E402

for _name, _method in OWN_METHODS.items():
    setattr(Tensor, _name, _method)
for _name, _getter in PROPERTIES.items():
    setattr(Tensor, _name, property(_getter))
