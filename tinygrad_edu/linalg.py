"""Linear algebra under the names of torch.linalg: `linalg.inv`, `linalg.svd`, `linalg.norm` ..."""

from .ops.linalg import (
    LinAlgError,
    cholesky,
    eigh,
    eigvalsh,
    inv,
    solve,
    solve_triangular,
    svdvals,
)
from .ops.linalg import (
    linalg_qr as qr,
)
from .ops.linalg import (
    linalg_svd as svd,
)
from .ops.matrix import det, lstsq, matrix_exp, matrix_power, matrix_rank, pinv, slogdet
from .ops.matrix import linalg_diagonal as diagonal
from .ops.matrix import linalg_vander as vander
from .ops.norms import cond, matrix_norm, vector_norm
from .ops.norms import linalg_norm as norm
from .ops.products import linalg_cross as cross
from .ops.products import matmul, multi_dot, vecdot
from .spelling import take_other_names

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular",
    "svd", "svdvals", "vander", "vecdot", "vector_norm",
]  # fmt: skip

take_other_names(globals())
