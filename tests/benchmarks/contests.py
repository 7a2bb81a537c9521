"""What is measured: for each workload who takes part, then memory, scaling, the loader, whole epochs and the import."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

import tinygrad_edu
from tinygrad_edu.data import DataLoader, TensorDataset

from . import peers
from .measure import Contestant, clock, garbage, memory, take_turns
from .workloads import MEMORY, ON_MNIST, WORKLOADS, SmallOps, Workload, chain

torch: Any = None
with suppress(ImportError):
    import torch

# How many threads NumPy's matrix products use, and PyTorch at most.
THREADS = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)

compiled = getattr(tinygrad_edu, "compile", None)  # records a step once and replays it

BARE, MINE, COMPILED = "bare NumPy", "tinygrad_edu", "compiled"
LENGTHS = 10, 100, 1_000, 10_000, 100_000, 1_000_000
MNIST_SIZE = 60_000


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds, seconds of a turn, seconds after which a contest ends, parts of an epoch."""

    rounds: int
    turn: float
    limit: float
    epoch: float
    longest_chain: int


FULL = Effort(rounds=100, turn=0.02, limit=30, epoch=1, longest_chain=1_000_000)
QUICK = Effort(rounds=20, turn=0.01, limit=2, epoch=0.03, longest_chain=100_000)


def machine() -> dict[str, Any]:
    """What this runs on."""
    versions = {"Python": platform.python_version(), "NumPy": np.__version__}
    if torch is not None:
        versions["PyTorch"] = torch.__version__
    return {**versions, "cores": os.cpu_count(), "threads": THREADS, "machine": f"{platform.system()} {platform.machine()}"}


# -- the workloads ---------------------------------------------------------------------------------------------------
def contest(workload: SmallOps | Workload, effort: Effort, others: dict[str, peers.Peer], progress: Callable) -> dict[str, Any]:
    """Time one workload's contestants in turns: bare NumPy, tinygrad_edu, PyTorch; then the peers, in fewer rounds."""
    start = workload.start()
    mine = workload.training(tinygrad_edu, start)
    main = [Contestant(BARE, workload.reference(start)), Contestant(MINE, mine.step)]
    if compiled is not None:
        main.append(Contestant(COMPILED, compiled(workload.training(tinygrad_edu, start).step)))
    torches = []
    if torch is not None:
        for threads in sorted({1, THREADS}):
            prepare = partial(torch.set_num_threads, threads)
            name = f"PyTorch, {threads} thread{'s'[: threads - 1]}"
            torches.append(Contestant(name, workload.training(torch, start).step, prepare))
    optimizer = getattr(workload, "optimizer", None)
    able = {name: peer for name, peer in others.items() if peers.can(peer, workload.key)}
    peer_steps = [Contestant(name, peers.step_of(peer, workload.key, optimizer, start)) for name, peer in able.items()]
    check_losses(workload.key, [*main, *torches, *peer_steps])

    parts = [Contestant("forward", mine.forward), Contestant("forward and backward", mine.gradients)]
    take_turns([*main, *torches, *parts], effort.rounds, effort.turn, effort.limit, progress)
    numpy, eager, *replayed = main
    result = {
        "title": workload.title,
        "goal": workload.goal and vars(workload.goal),
        "microseconds": {c.name: c.typical * 1e6 for c in [*main, *torches, *parts]},
        "to NumPy": {c.name: c.ratio(numpy) for c in [*main[1:], *torches]},
        "spread": eager.spread(numpy),
        "backward to forward": parts[1].ratio(parts[0]) - 1,
        "peers": {},
    }
    if torches:
        best = min(torches, key=lambda c: c.typical)
        result |= {"best PyTorch": best.name, "to PyTorch": {c.name: c.ratio(best) for c in [eager, *replayed]}}
    if peer_steps:
        again = Contestant(BARE, numpy.call)
        take_turns([again, *peer_steps], max(3, effort.rounds // 10), effort.turn, effort.limit / 2, progress)
        result["peers"] = {c.name: c.ratio(again) for c in peer_steps}
    return result


def check_losses(key: str, contestants: list[Contestant], steps: int = 3) -> None:
    """Refuse to compare steps that do not compute the same: their losses must agree to six digits."""
    losses = {c.name: [float(c.call().item()) for _ in range(steps)] for c in contestants}
    expected = losses.pop(BARE)
    for name, found in losses.items():
        if not np.allclose(found, expected, rtol=1e-6, atol=0):
            raise SystemExit(f"workload {key}: the losses of {name} are {found}, those of {BARE} {expected}.")


# -- the rest --------------------------------------------------------------------------------------------------------
def scaling(effort: Effort, progress: Callable) -> dict[str, dict[int, float]]:
    """Microseconds per op, forward and backward, in chains of growing length."""
    lengths = [n for n in LENGTHS if n <= effort.longest_chain]
    libraries = [tinygrad_edu] if torch is None else [tinygrad_edu, torch]
    found: dict[str, dict[int, float]] = {}
    for lib in libraries:
        contestants = {n: Contestant(str(n), chain(lib, n)) for n in lengths}
        take_turns(list(contestants.values()), rounds=3, turn=0.01, progress=progress)
        found[lib.__name__] = {n: c.typical / n * 1e6 for n, c in contestants.items()}
    return found


def peaks(others: dict[str, peers.Peer]) -> dict[str, tuple[int, int]]:
    """Bytes: the peak of a step of d at batch 4096 above what was there before it, and what stays after it.

    PyTorch takes memory in C++, which Python's tracemalloc does not see: it is left out.
    """
    start = MEMORY.start()
    calls = {BARE: MEMORY.reference(start), MINE: MEMORY.training(tinygrad_edu, start).step}
    if compiled is not None:
        calls[COMPILED] = compiled(MEMORY.training(tinygrad_edu, start).step)
    calls |= {name: peers.step_of(peer, MEMORY.key, MEMORY.optimizer, start) for name, peer in others.items()}
    return {name: memory(call) for name, call in calls.items()}


def left_over() -> dict[str, int]:
    """How many objects steps of each workload leave to the garbage collector; the aim is none."""
    return {w.key: garbage(w.training(tinygrad_edu, w.start()).step) for w in WORKLOADS}


def epochs(effort: Effort) -> dict[str, dict[str, Any]]:
    """Seconds of an epoch of made-up pictures in MNIST's shapes, and the data loader's part of them.

    Both are measured over the same number of batches, and the epoch is reckoned from those if they are not all.
    """
    rng = np.random.default_rng(0)
    pictures = rng.random((round(MNIST_SIZE * effort.epoch), 1, 28, 28), dtype="float32")
    labels = rng.integers(0, 10, len(pictures))
    found = {}
    for workload in ON_MNIST:
        x, y = workload.batch(rng)
        inputs = pictures.reshape(-1, *x.shape[1:])
        targets = labels if y.ndim == 1 else np.eye(10, dtype="float32")[labels]
        loader = DataLoader(TensorDataset(tinygrad_edu.tensor(inputs), tinygrad_edu.tensor(targets)), len(x), shuffle=True)
        training = workload.training(tinygrad_edu, workload.start())
        alone, whole = (timed(loader, step) for step in (lambda x, y: None, training.step_on))
        found[workload.key] = {
            "title": workload.title,
            "seconds": whole / effort.epoch,
            "microseconds of a step": whole / len(loader) * 1e6,
            "loader's part": alone / whole,
        }
    return found


def timed(loader: DataLoader, step: Callable[[Any, Any], Any]) -> float:
    """Seconds for all batches."""
    for x, y in islice(loader, 5):
        step(x, y)
    begin = clock()
    for x, y in loader:
        step(x, y)
    return clock() - begin
