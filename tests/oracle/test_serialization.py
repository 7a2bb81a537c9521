"""Weights go from here to PyTorch and back, in safetensors files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn

torch = pytest.importorskip("torch")
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_from_pytorch(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    from safetensors.torch import save_file

    theirs = (torch.randn(shape) * 3).to(getattr(torch, dtype))
    save_file({"w": theirs}, tmp_path / "x")
    ours = tg.load(tmp_path / "x")["w"]
    assert ours.shape == shape
    assert str(ours.dtype) == ("float32" if dtype == "bfloat16" else dtype)
    np.testing.assert_array_equal(ours.numpy(), theirs.float().numpy() if dtype == "bfloat16" else theirs.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_to_pytorch(tmp_path: Path, dtype: str) -> None:
    from safetensors.torch import load_file

    ours = (tg.randn(4, 3) * 3).to(dtype).T
    tg.save({"w": ours}, tmp_path / "x")
    theirs = load_file(tmp_path / "x")["w"]
    assert theirs.dtype == getattr(torch, dtype)
    np.testing.assert_array_equal(theirs.numpy(), ours.numpy())


def test_a_model_to_pytorch_and_back(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    ours = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    x = tg.randn(5, 3)
    tg.save(ours.state_dict(), tmp_path / "x")
    theirs.load_state_dict(load_file(tmp_path / "x"))
    expected = theirs(torch.tensor(x.numpy())).detach().numpy()
    np.testing.assert_allclose(ours(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    save_file(theirs.state_dict(), tmp_path / "y")
    again = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    again.load_state_dict(tg.load(tmp_path / "y"))
    np.testing.assert_array_equal(again(x).detach().numpy(), ours(x).detach().numpy())


def test_files_of_torch_save_are_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(3)}, tmp_path / "x")
    with pytest.raises(ValueError, match=r"safetensors\.torch\.save_file"):
        tg.load(tmp_path / "x")
