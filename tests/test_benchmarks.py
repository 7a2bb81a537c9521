"""The benchmarks run, and what they compare computes the same. Nothing here asserts a time."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygrad_edu
from tests.benchmarks.__main__ import main
from tests.benchmarks.measure import Contestant, memory, take_turns
from tests.benchmarks.workloads import WORKLOADS, SmallOps, Workload


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.key)
def test_losses_agree_to_six_digits(workload: SmallOps | Workload) -> None:
    start = workload.start()
    by_hand, mine = workload.reference(start), workload.training(tinygrad_edu, start).step
    expected, found = ([step().item() for _ in range(5)] for step in (by_hand, mine))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_start_is_the_same_for_everyone() -> None:
    for workload in WORKLOADS:
        start = workload.start()
        before = [p.copy() for p in start.parameters]
        workload.reference(start)()
        workload.training(tinygrad_edu, start).step()
        for p, q in zip(start.parameters, before, strict=True):
            np.testing.assert_array_equal(p, q)


def test_command_line(tmp_path, capsys) -> None:
    file = tmp_path / "speed.json"
    assert main(["--quick", "--rounds", "1", "--only", "a,b", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert list(found["workloads"]) == ["a", "b"]
    assert all(row["to NumPy"]["tinygrad_edu"] > 0 for row in found["workloads"].values())
    assert "Iris" in capsys.readouterr().out


def test_unknown_workload_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "z"])
    assert "there is no workload 'z'" in capsys.readouterr().err


def test_help_has_examples(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--quick" in capsys.readouterr().out


def test_contestants_take_turns() -> None:
    calls: list[str] = []
    contestants = [Contestant(name, lambda name=name: calls.append(name)) for name in "xy"]
    take_turns(contestants, rounds=3, turn=0)
    turns = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    assert len(turns) >= 4
    assert all(len(c.seconds) == 3 for c in contestants)
    assert contestants[0].ratio(contestants[0]) == 1


def test_memory_sees_an_array() -> None:
    kept = []
    peak, left = memory(lambda: np.ones(10**6).sum())
    assert 8e6 <= peak < 9e6
    assert left < 1e5
    _, left = memory(lambda: kept.append(np.ones(10**6)))
    assert left >= 8e6
