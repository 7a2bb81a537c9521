"""Run the tutorials and compare them with their notebooks: `python -m tests.tutorials`."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from nbclient.exceptions import CellExecutionError

from . import notebooks

EXAMPLES = """examples:
  python -m tests.tutorials              run all tutorials; fails where one differs from its notebook, or takes too long
  python -m tests.tutorials 01           only those whose names begin so
  python -m tests.tutorials 01 --update  write tutorials/01_*.ipynb and its picture after a change of tutorials/01_*.py
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.tutorials",
        description="Run tutorials/*.py, and compare what they print and draw with the notebooks beside them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="how the tutorials' names begin (default: all)")
    parser.add_argument("--update", action="store_true", help="write the notebooks")
    options = parser.parse_args()
    names = [name for name in notebooks.NAMES if name.startswith(tuple(options.names or [""]))]
    if not names:
        parser.error(f"no tutorial begins with {', '.join(options.names)}; there are: {', '.join(notebooks.NAMES)}")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return max(pool.map(check, names, [options.update] * len(names)))


def worked() -> float:
    """Seconds for which processors worked for this process's notebooks so far; a busy machine makes a tutorial wait, not work longer."""
    times = os.times()
    return times.children_user + times.children_system


def check(name: str, update: bool) -> int:
    """Run one tutorial and print what is to be said; returns 1 if something is wrong."""
    began = worked()
    try:
        notebook = notebooks.run(notebooks.source(name))
    except CellExecutionError as error:
        print(f"{name}: a cell failed\n{error}")
        return 1
    seconds = worked() - began
    if update:
        notebooks.write(name, notebook)
    wrong = list(notebooks.differences(name, notebook))
    if seconds > notebooks.SECONDS:
        wrong.append(f"it may take {notebooks.SECONDS} s of the processor's time")
    size = (notebooks.FOLDER / f"{name}.ipynb").stat().st_size // 1000 if not wrong or update else 0
    print(f"{name}: {seconds:.1f} s" + (f", {size} kB" if size else ""), flush=True)
    for what in wrong:
        print(f"  {what}")
    if wrong and not update:
        print(f"  If that is meant: python -m tests.tutorials {name[:2]} --update")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
