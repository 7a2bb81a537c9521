"""Small programs that must do the same here and in PyTorch: `programs.txt`, separated by lines of three dashes.

Each is run with `torch`, `nn` and `F` standing for PyTorch, then for this library; what it leaves in `out` must be the same: values
to 1e-5, shapes and dtypes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

PROGRAMS = Path(__file__).with_name("programs.txt").read_text().strip().split("\n---\n")


def plain(value: Any) -> Any:
    """A result as nested tuples of Python's own kinds."""
    if isinstance(value, torch.Tensor | tg.Tensor):
        array = np.asarray(value.detach().cpu().numpy())
        return str(array.dtype), array.shape, [plain(x) for x in array.reshape(-1).tolist()]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value if math.isinf(value) else pytest.approx(value, rel=1e-5, abs=1e-5)
    if isinstance(value, list | tuple):
        return tuple(plain(x) for x in value)
    return value if value is None or isinstance(value, bool | int) else str(value).replace("torch.", "")


def outcome(program: str, library: Any) -> Any:
    library.manual_seed(0)
    names = {"torch": library, "nn": library.nn, "F": library.nn.functional, "np": np, "math": math}
    exec(program, names)
    return names["out"]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.partition("\n")[0][:60])
def test_program(program: str) -> None:
    theirs, ours = outcome(program, torch), outcome(program, tg)
    assert plain(ours) == plain(theirs), f"{program}\n\nhere: {ours}\nPyTorch: {theirs}"
