"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tinygrad_edu

from .measure import Contestant, import_time, memory, take_turns
from .workloads import MEMORY, WORKLOADS, SmallOps, Workload, chain

try:
    import torch
except ImportError:
    torch = None

EXAMPLES = """examples:
  python -m tests.benchmarks                      everything; about three minutes
  python -m tests.benchmarks --quick              everything with fewer rounds; under a minute
  python -m tests.benchmarks --only a,b           these workloads only, without memory, scaling and import
  python -m tests.benchmarks --json speed.json    also write all numbers to a file

PyTorch takes part where it is installed: pip install -e ".[oracle]"
Times are medians; ratios are medians over the rounds of one process. Compare ratios between runs, never times.
"""

STYLE: dict[str, Any] = {"box": SIMPLE_HEAD, "title_justify": "left", "title_style": "bold", "caption_justify": "left"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    keys = [w.key for w in WORKLOADS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure training steps written with tinygrad_edu, in bare NumPy by hand, and with PyTorch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="how many rounds (default 100, quick 30)")
    parser.add_argument("--only", metavar="KEYS", help=f"some of {','.join(keys)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    options = parser.parse_args(arguments)
    chosen = keys if options.only is None else options.only.split(",")
    if unknown := [key for key in chosen if key not in keys]:
        parser.error(f"there is no workload {unknown[0]!r}; there are {', '.join(keys)}")
    rounds = options.rounds or (30 if options.quick else 100)
    turn, limit = (0.01, 5) if options.quick else (0.02, 60)

    console = Console()
    if not console.is_terminal:  # a file or a log: wide enough for the table
        console = Console(width=120)
    found: dict[str, Any] = {"machine": machine(), "rounds": rounds}
    console.print(", ".join(f"{name} {value}" for name, value in found["machine"].items()), highlight=False)
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if busy > 0.5:
        console.print(
            f"Other programs are running (load {busy:.1f}): ratios are less certain, threads suffer most.", style="yellow"
        )
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bars:
        found["workloads"] = {w.key: measure(w, rounds, turn, limit, bars) for w in WORKLOADS if w.key in chosen}
        if options.only is None:
            found["scaling"] = scaling(max(1, rounds // 10), limit, bars)
            found["memory"] = peaks(bars)
            found["import"] = dict(zip(("numpy", "tinygrad_edu"), import_time(max(1, rounds // 10)), strict=True))
    show(found, console)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
        console.print(f"All numbers are in {options.json}.")
    return 0


def machine() -> dict[str, Any]:
    """What this runs on."""
    versions = {"Python": platform.python_version(), "NumPy": np.__version__}
    if torch is not None:
        versions["PyTorch"] = torch.__version__
    return {**versions, "cores": os.cpu_count(), "machine": f"{platform.system()} {platform.machine()}"}


# -- measuring -------------------------------------------------------------------------------------------------------
def measure(workload: SmallOps | Workload, rounds: int, turn: float, limit: float, bars: Progress) -> dict[str, Any]:
    """Time one workload's contestants in turns; the first is bare NumPy, the second tinygrad_edu, then PyTorch, if there."""
    start = workload.start()
    contestants = [
        Contestant("bare NumPy", workload.reference(start)),
        Contestant("tinygrad_edu", workload.training(tinygrad_edu, start).step),
    ]
    if torch is not None:
        for threads in sorted({1, 2, os.cpu_count() or 1}):
            prepare = partial(torch.set_num_threads, threads)
            contestants.append(
                Contestant(f"PyTorch, {threads} thread{'s'[: threads - 1]}", workload.training(torch, start).step, prepare)
            )
    check_losses(workload, contestants)
    bar = bars.add_task(f"{workload.key}  {workload.title}", total=rounds)
    take_turns(contestants, rounds, turn, limit, progress=partial(bars.advance, bar))
    bars.remove_task(bar)
    numpy, mine, *torches = contestants
    result = {
        "title": workload.title,
        "goal": workload.goal and (workload.goal.to_numpy, workload.goal.to_torch),
        "microseconds": {c.name: round(c.typical * 1e6, 2) for c in contestants},
        "to NumPy": {c.name: round(c.ratio(numpy), 4) for c in contestants[1:]},
        "spread": round(mine.spread(numpy), 4),
    }
    if torches:
        best = min(torches, key=lambda c: c.ratio(numpy))
        result |= {"best PyTorch": best.name, "to PyTorch": round(mine.ratio(best), 4)}
    return result


def check_losses(workload: SmallOps | Workload, contestants: list[Contestant], steps: int = 3) -> None:
    """Refuse to compare steps that do not compute the same: their losses must agree to six digits."""
    losses = {c.name: [c.call().item() for _ in range(steps)] for c in contestants}
    expected = losses.pop("bare NumPy")
    for name, found in losses.items():
        if not np.allclose(found, expected, rtol=1e-6, atol=0):
            raise SystemExit(f"workload {workload.key}: the losses of {name} are {found}, those of bare NumPy {expected}.")


def scaling(rounds: int, limit: float, bars: Progress) -> dict[str, dict[int, float]]:
    """Seconds per op, forward and backward, in chains of growing length."""
    lengths = [10, 100, 1_000, 10_000, 100_000]
    libraries = [tinygrad_edu] if torch is None else [tinygrad_edu, torch]
    contestants = [Contestant(f"{lib.__name__} {n}", chain(lib, n)) for lib in libraries for n in lengths]
    bar = bars.add_task("cost per op in long chains", total=rounds)
    take_turns(contestants, rounds, turn=0.01, limit=limit, progress=partial(bars.advance, bar))
    bars.remove_task(bar)
    typical = {c.name: c.typical for c in contestants}
    return {lib.__name__: {n: typical[f"{lib.__name__} {n}"] / n for n in lengths} for lib in libraries}


def peaks(bars: Progress) -> dict[str, tuple[int, int]]:
    """Bytes: the peak of a step above what was there before it, and what stays after it."""
    bar = bars.add_task("memory", total=None)
    start = MEMORY.start()
    found = {"bare NumPy": memory(MEMORY.reference(start)), "tinygrad_edu": memory(MEMORY.training(tinygrad_edu, start).step)}
    bars.remove_task(bar)
    return found


# -- showing ---------------------------------------------------------------------------------------------------------
def show(found: dict[str, Any], console: Console) -> None:
    """Print everything that was measured."""
    table = Table(title="One step, forward and backward, µs", **STYLE)
    table.add_column("", no_wrap=True)
    table.add_column("workload")
    for column in ("NumPy", "tinygrad_edu", "PyTorch", "÷ NumPy", "÷ PyTorch"):
        table.add_column(column, justify="right", no_wrap=True)
    for key, row in found["workloads"].items():
        times, goals = row["microseconds"], row["goal"] or (None, None)
        shown = [times["bare NumPy"], times["tinygrad_edu"], times.get(row.get("best PyTorch"))]
        ratios = ratio(row["to NumPy"]["tinygrad_edu"], goals[0]), ratio(row.get("to PyTorch"), goals[1])
        table.add_row(key, row["title"], *("-" if t is None else f"{t:,.0f}" for t in shown), *ratios)
    spread = max(row["spread"] for row in found["workloads"].values())
    table.caption = (
        "÷ NumPy: how many times as long as the same step by hand, without autograd.\n"
        "÷ PyTorch: its eager mode, at its best number of threads. In brackets: the goal.\n"
        f"Medians over up to {found['rounds']} rounds, of which the middle half lie within ±{spread:.0%}."
    )
    console.print(table)
    if "scaling" in found:
        show_the_rest(found, console)


def ratio(value: float | None, goal: float | None) -> str:
    """A ratio and its goal, coloured by whether it is reached."""
    if value is None:
        return "-"
    if goal is None:
        return f"{value:.2f}       "
    return f"[{'green' if value <= goal else 'red'}]{value:.2f}[/] [dim]({goal:.2f})[/dim]"


def show_the_rest(found: dict[str, Any], console: Console) -> None:
    """Print what an op costs in long chains, the memory and the import."""
    lengths = list(found["scaling"]["tinygrad_edu"])
    table = Table(title="One addition in a chain, forward and backward, µs", **STYLE)
    table.add_column("ops in the chain")
    for n in lengths:
        table.add_column(f"{n:,}", justify="right")
    for name, costs in found["scaling"].items():
        table.add_row(name, *(f"{costs[n] * 1e6:.2f}" for n in lengths))
    console.print(table)

    (peak, left), (limit, _) = found["memory"]["tinygrad_edu"], found["memory"]["bare NumPy"]
    console.print(
        f"[bold]Memory[/bold], {MEMORY.title}: {peak / 2**20:.1f} MiB above rest, bare NumPy {limit / 2**20:.1f} MiB "
        f"({peak / limit:.2f} times); {left / 1024:.0f} KiB stay after a step, without the garbage collector.",
        highlight=False,
    )
    numpy, beyond = (found["import"][name] * 1e3 for name in ("numpy", "tinygrad_edu"))
    console.print(f"[bold]Import[/bold]: NumPy {numpy:.0f} ms, tinygrad_edu beyond it {beyond:.0f} ms.", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
