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

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p", "log_softmax", "logit", "logsumexp", "polygamma",
    "round", "sinc", "softmax", "xlogy",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
