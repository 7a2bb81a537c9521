"""Measuring: contestants in turns within one process, peaks of memory, and what an import costs.

Speeds of two runs cannot be compared: the machine is never the same. So contestants take turns, round by round, and what
counts is the median over the rounds of the ratio within a round.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

Call = Callable[[], Any]

# With one thread for all, processor time: then it matters less what else runs on the machine.
clock = process_time if os.environ.get("OMP_NUM_THREADS") == "1" else perf_counter


@dataclass
class Contestant:
    """Something to be timed.

    call: what is timed.
    prepare: run, untimed, before each of its turns (sets the number of threads).
    seconds: what one call took, round by round.
    """

    name: str
    call: Call
    prepare: Call = lambda: None
    seconds: list[float] = field(default_factory=list)

    @property
    def typical(self) -> float:
        """The median time of one call, in seconds."""
        return median(self.seconds)

    def ratio(self, other: Contestant) -> float:
        """How many times as long as the other it takes: the median over the rounds."""
        return median(self.ratios(other))

    def spread(self, other: Contestant) -> float:
        """How uncertain that is: half of the range of the middle half of the rounds' ratios, relative to their median."""
        ratios = self.ratios(other)
        if len(ratios) < 2:
            return 0.0
        low, middle, high = quantiles(ratios, n=4)
        return (high - low) / 2 / middle

    def ratios(self, other: Contestant) -> list[float]:
        return [mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)]


def take_turns(
    contestants: list[Contestant], rounds: int, turn: float, limit: float = 60.0, progress: Call = lambda: None
) -> None:
    """Time the contestants in turns of about `turn` seconds; every other round goes through them backwards.

    After `limit` seconds there are no more rounds, except that there are at least three (or `rounds`).
    """
    calls = {}
    for c in contestants:
        c.prepare()
        c.call()  # the first call makes caches and buffers
        long = time_of(c.call, 1) > turn
        calls[c.name] = 1 if long else max(1, round(turn / time_of(c.call, 3)))
    gc.collect()
    gc.freeze()  # what is there now, PyTorch's modules for one, is not the garbage collector's work in what is timed
    begin = perf_counter()
    for i in range(rounds):
        if i >= 3 and perf_counter() - begin > limit:
            break
        for c in contestants if i % 2 else reversed(contestants):
            c.prepare()
            if calls[c.name] > 1:  # untimed: warms the caches, and lets another's threads fall asleep
                time_of(c.call, -(-calls[c.name] // 5))
            c.seconds.append(time_of(c.call, calls[c.name]))
        progress()
    gc.unfreeze()


def time_of(call: Call, times: int) -> float:
    """The mean time of one call, in seconds."""
    begin = clock()
    for _ in range(times):
        call()
    return (clock() - begin) / times


def memory(call: Call) -> tuple[int, int]:
    """(the most bytes in use during a call beyond those before it, the bytes left after it), without the garbage collector."""
    for _ in range(3):
        call()  # the optimizer makes its state in the first call, and compile needs two more that do the same
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        call()  # and the gradients that this one leaves are those that the next one replaces
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        call()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    return peak - before, after - before


def garbage(call: Call, times: int = 3) -> int:
    """How many objects calls leave that nothing uses any more, and that only the garbage collector would free."""
    call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(times):
            call()
        return gc.collect()
    finally:
        gc.enable()


def import_time(times: int) -> tuple[float, float]:
    """Seconds to import NumPy, and tinygrad_edu after it: medians over new processes, with compiled files in place."""
    clock = "from time import perf_counter as now; start = now()"
    program = f"{clock}; import numpy; middle = now(); import tinygrad_edu; print(middle - start, now() - middle)"
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as cache:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": cache}
        found = []
        for _ in range(times + 1):
            printed = subprocess.check_output([sys.executable, "-c", program], cwd=root, env=environment, text=True)
            found.append([float(part) for part in printed.split()])
    numpy, beyond = zip(*found[1:], strict=True)  # the first one compiled
    return median(numpy), median(beyond)
