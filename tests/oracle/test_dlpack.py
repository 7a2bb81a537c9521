"""Memory that is shared with PyTorch and NumPy by DLPack."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.errors import DtypeError, GraphError

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"])
def test_memory_is_shared_both_ways(dtype: str) -> None:
    theirs = torch.ones(2, 3, dtype=getattr(torch, dtype))
    ours = tg.from_dlpack(theirs.T)
    theirs[0, 1] = 0
    assert ours.tolist() == theirs.T.tolist()
    assert str(ours.dtype) == dtype
    again = torch.from_dlpack(ours)
    ours.fill_(0)
    assert again.dtype == theirs.dtype
    assert not theirs.any()
    assert not np.from_dlpack(ours).any()


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(GraphError, match="detach"):
        torch.from_dlpack(tg.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match=r"use tensor\(\)"):
        tg.from_dlpack([1.0])
    with pytest.raises(DtypeError, match="complex64"):
        tg.from_dlpack(torch.ones(2, dtype=torch.complex64))
    with pytest.raises((BufferError, RuntimeError)):
        tg.from_dlpack(torch.ones(2, requires_grad=True))
