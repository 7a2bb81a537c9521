"""The benchmarks run, and what they compare computes the same. Nothing here asserts a time."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygrad_edu
from tests.benchmarks import peers
from tests.benchmarks.__main__ import main
from tests.benchmarks.contests import check_losses, compiled
from tests.benchmarks.measure import Contestant, garbage, memory, take_turns
from tests.benchmarks.workloads import WORKLOADS, SmallOps, Workload

every_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.key)


def losses(step, count: int = 5) -> list[float]:
    return [float(step().item()) for _ in range(count)]


@every_workload
def test_losses_agree_to_six_digits(workload: SmallOps | Workload) -> None:
    start = workload.start()
    expected = losses(workload.reference(start))
    np.testing.assert_allclose(losses(workload.training(tinygrad_edu, start).step), expected, rtol=1e-6)
    if workload.key != "a":
        assert expected[-1] < expected[0], "it learns"


@every_workload
def test_losses_agree_with_pytorch(workload: SmallOps | Workload) -> None:
    torch = pytest.importorskip("torch")
    start = workload.start()
    expected = losses(workload.training(torch, start).step)
    np.testing.assert_allclose(losses(workload.training(tinygrad_edu, start).step), expected, rtol=1e-6)


@pytest.mark.skipif(compiled is None, reason="there is nothing that compiles")
@every_workload
def test_losses_of_compiled_steps_agree(workload: SmallOps | Workload) -> None:
    start = workload.start()
    expected = losses(workload.training(tinygrad_edu, start).step)
    np.testing.assert_allclose(losses(compiled(workload.training(tinygrad_edu, start).step)), expected, rtol=1e-6)


@pytest.mark.parametrize("name", peers.INSTALL)
def test_losses_of_peers_agree(name: str) -> None:
    pytest.importorskip("MiniTorch" if name == "minitorch" else name)
    peer = peers.installed()[name]
    for workload in WORKLOADS:
        if peers.can(peer, workload.key):
            start = workload.start()
            step = peers.step_of(peer, workload.key, getattr(workload, "optimizer", None), start)
            np.testing.assert_allclose(losses(step, 3), losses(workload.reference(start), 3), rtol=1e-6)


def test_steps_that_compute_something_else_are_refused() -> None:
    same, other = Contestant("bare NumPy", lambda: np.float32(1)), Contestant("sloppy", lambda: np.float32(1.00001))
    check_losses("a", [same, Contestant("exact", lambda: np.float32(1.0000001))])
    with pytest.raises(SystemExit, match="losses of sloppy"):
        check_losses("a", [same, other])


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
    assert main(["--quick", "--rounds", "1", "--only", "a,b", "--no-peers", "--json", str(file)]) == 0
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


def test_garbage_sees_a_cycle() -> None:
    def cycle() -> None:
        found: list = []
        found.append(found)

    assert garbage(lambda: [[]]) == 0
    assert garbage(cycle, times=3) == 3


@every_workload
def test_a_step_leaves_nothing_to_the_garbage_collector(workload: SmallOps | Workload) -> None:
    assert garbage(workload.training(tinygrad_edu, workload.start()).step) == 0
