"""How tensors print, beyond what tests/oracle/programs.txt compares with PyTorch: options that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_edu as tg


@pytest.mark.parametrize(
    "option", [{"precision": -1}, {"precision": 2.5}, {"threshold": "a"}, {"edgeitems": 0}, {"linewidth": 0}, {"profile": "long"}]
)
def test_a_refused_option_changes_nothing(option: dict[str, Any]) -> None:
    before = repr(tg.arange(3000.0))
    with pytest.raises(ValueError, match=next(iter(option))):
        tg.set_printoptions(**{"precision": 1, **option})
    assert repr(tg.arange(3000.0)) == before
