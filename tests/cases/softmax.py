"""Rows for ops/softmax.py."""

from scipy import special

from . import Case
from .cumulative import along
from .reduction import SHAPES

CASES = [
    Case(
        "logsumexp",
        lambda x, dim, keepdim=False: special.logsumexp(x, axis=dim, keepdims=keepdim),
        shapes=SHAPES[:2],
        settings=[{"dim": 0}, {"dim": (0, 1), "keepdim": True}, {"dim": -1}, (((0, 3),), {"dim": 0}), (((0, 3),), {"dim": 1})],
    ),
    along("softmax", lambda x, dim: special.softmax(x, axis=dim) if x.size else x),
    along("log_softmax", lambda x, dim: special.log_softmax(x, axis=dim) if x.size else x),
    along("softmin", lambda x, dim: special.softmax(-x, axis=dim) if x.size else x, ops=()),
]
