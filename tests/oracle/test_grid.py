"""Where PyTorch looks: a grid that moves nothing has the same places to the last bit, since each of them is at a kink."""

from __future__ import annotations

import pytest

import tinygrad_edu as tg

torch = pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore:.*affine_grid behavior has changed")
@pytest.mark.parametrize("align", [False, True])
def test_places_of_a_grid_that_moves_nothing(align: bool) -> None:
    for n in range(1, 65):
        mine, theirs = (
            library.nn.functional.affine_grid(library.tensor([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, n, 3), align)
            for library in (tg, torch)
        )
        assert mine.tolist() == theirs.tolist()
