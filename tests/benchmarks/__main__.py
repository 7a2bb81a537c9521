"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .contests import FULL, QUICK, contest, epochs, left_over, machine, peaks, scaling
from .measure import import_time
from .peers import INSTALL, installed
from .tables import show
from .workloads import WORKLOADS

EXAMPLES = f"""examples:
  python -m tests.benchmarks                      everything; about five minutes
  python -m tests.benchmarks --quick              everything with fewer rounds; under a minute
  python -m tests.benchmarks --only a,b           these workloads only, without memory, scaling and epochs
  python -m tests.benchmarks --json speed.json    also write all numbers to a file
  OMP_NUM_THREADS=1 python -m tests.benchmarks    one thread for all, processor time: for a busy machine

PyTorch and other engines take part where they are installed:
  pip install -e ".[oracle]"
  pip install {" ".join(INSTALL.values())}

Times are medians; ratios are medians over the rounds of one process. Compare ratios between runs, never times.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    keys = [w.key for w in WORKLOADS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure training steps written with tinygrad_edu, in bare NumPy by hand, with PyTorch, and with other engines.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how many rounds (default {FULL.rounds}, quick {QUICK.rounds})")
    parser.add_argument("--only", metavar="KEYS", help=f"some of {','.join(keys)}")
    parser.add_argument("--no-peers", action="store_true", help="without the other engines; PyTorch stays")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file")
    options = parser.parse_args(arguments)
    chosen = keys if options.only is None else options.only.split(",")
    if unknown := [key for key in chosen if key not in keys]:
        parser.error(f"there is no workload {unknown[0]!r}; there are {', '.join(keys)}")
    effort = QUICK if options.quick else FULL
    effort = replace(effort, rounds=options.rounds or effort.rounds)

    console = Console()
    if not console.is_terminal:  # a file or a log: wide enough for the table
        console = Console(width=130)
    found: dict[str, Any] = {"machine": machine(), "rounds": effort.rounds}
    console.print(", ".join(f"{name} {value}" for name, value in found["machine"].items()), highlight=False)
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if busy > 0.5:
        console.print(
            f"Other programs are running (load {busy:.1f}): ratios are less certain; with threads, which wait for one another, most of all.",
            style="yellow",
        )
    others = {} if options.no_peers else installed()
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bars:

        def measured(title: str, work: Callable[[Callable], Any]) -> Any:
            """What `work` finds, with a bar in the terminal meanwhile."""
            bar = bars.add_task(title, total=None)
            result = work(partial(bars.advance, bar))
            bars.remove_task(bar)
            return result

        found["workloads"] = {
            w.key: measured(f"{w.key}  {w.title}", partial(contest, w, effort, others)) for w in WORKLOADS if w.key in chosen
        }
        if options.only is None:
            found["scaling"] = measured("cost per op in long chains", partial(scaling, effort))
            found["memory"] = measured("memory", lambda _: peaks(others))
            found["garbage"] = measured("garbage", lambda _: left_over())
            found["epochs"] = measured("epochs", lambda _: epochs(effort))
            times = measured("import", lambda _: import_time(max(1, effort.rounds // 10)))
            found["import"] = dict(zip(("numpy", "tinygrad_edu"), times, strict=True))
    show(found, console)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
        console.print(f"All numbers are in {options.json}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
