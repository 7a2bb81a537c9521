"""`torch.special`: another path, and for some other names, to functions of this library.

Source: https://pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from typing import Any

from .absent import missing
from .ops.arithmetic import xlogy
from .ops.elementwise import digamma, erf, erfc, erfinv, exp2, expm1, log1p, logit, polygamma, round, sinc
from .ops.elementwise import lgamma as gammaln
from .ops.elementwise import sigmoid as expit
from .ops.softmax import log_softmax, logsumexp, softmax
from .ops.special import entr, erfcx, i0, i0e, i1, i1e, log_ndtr, ndtr, ndtri, xlog1py

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "i0e", "i1", "i1e", "log1p",
    "log_ndtr", "log_softmax", "logit", "logsumexp", "ndtr", "ndtri", "polygamma", "round", "sinc", "softmax", "xlog1py", "xlogy",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
