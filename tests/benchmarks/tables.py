"""What was measured, as tables in the terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .contests import BARE, COMPILED, MINE
from .workloads import MEMORY

STYLE: dict[str, Any] = {"box": SIMPLE_HEAD, "title_justify": "left", "title_style": "bold", "caption_justify": "left"}


def show(found: dict[str, Any], console: Console) -> None:
    """Print everything that was measured."""
    rows = found["workloads"]
    show_steps(rows, console)
    spread = max(row["spread"] for row in rows.values())
    console.print(
        "÷ NumPy: how many times as long as the same step by hand, without autograd."
        "\n÷ PyTorch: its eager mode, at its better number of threads.\n"
        "back ÷ forth: time of the backward pass to that of the forward pass. In brackets: the goal.\n"
        f"Medians over up to {found['rounds']} rounds, of which the middle half lie within ±{spread:.0%}.\n",
        style="dim",
        highlight=False,
    )
    if any(row["peers"] for row in rows.values()):
        show_peers(rows, console)
    if "scaling" in found:
        show_the_rest(found, console)


def show_steps(rows: dict[str, Any], console: Console) -> None:
    """Print the main table: one row a workload, and a second one where the step was compiled too."""
    table = Table(title="One training step, µs", **STYLE)
    table.add_column("", no_wrap=True)
    table.add_column("workload")
    for column in ("NumPy", "PyTorch", "tinygrad_edu", "÷ NumPy", "÷ PyTorch", "back ÷ forth"):
        table.add_column(column, justify="right", no_wrap=True)
    for key, row in rows.items():
        times, goal = row["microseconds"], row["goal"] or {}
        to_torch = row.get("to PyTorch", {})
        table.add_row(
            key,
            row["title"],
            number(times[BARE]),
            number(times.get(row.get("best PyTorch"))),
            number(times[MINE]),
            ratio(row["to NumPy"][MINE], goal.get("to_numpy")),
            ratio(to_torch.get(MINE), goal.get("to_torch")),
            ratio(row["backward to forward"], 3),
        )
        if COMPILED in times:
            table.add_row(
                "",
                COMPILED,
                "",
                "",
                number(times[COMPILED]),
                ratio(row["to NumPy"][COMPILED], goal.get("compiled_to_numpy")),
                ratio(to_torch.get(COMPILED), goal.get("compiled_to_torch")),
            )
    console.print(table)


def show_peers(rows: dict[str, Any], console: Console) -> None:
    """Print how other engines in Python do, and what tinygrad_edu takes of the best one's time."""
    table = Table(title="Engines in Python, ÷ NumPy", **STYLE)
    names = sorted({name for row in rows.values() for name in row["peers"]})
    for column in ("", MINE, *names, "÷ best"):
        table.add_column(column, justify="left" if not column else "right")
    for key, row in rows.items():
        mine, theirs = row["to NumPy"][MINE], row["peers"]
        best = ratio(mine / min(theirs.values()), 1 / 1.4 if key == "d" else 0.5) if theirs else "-"
        table.add_row(key, f"{mine:.2f}", *(f"{theirs[name]:.1f}" if name in theirs else "-" for name in names), best)
    table.caption = "÷ best: tinygrad_edu's time to that of the best other.\n"
    console.print(table)


def show_the_rest(found: dict[str, Any], console: Console) -> None:
    """Print what an op costs in long chains, memory, whole epochs and the import."""
    lengths = list(found["scaling"][MINE])
    table = Table(title="One addition in a chain, forward and backward, µs", **STYLE)
    table.add_column("ops in the chain")
    for n in lengths:
        table.add_column(f"{n:,}", justify="right")
    for name, costs in found["scaling"].items():
        table.add_row(name, *(f"{costs[n]:.2f}" for n in lengths))
    console.print(table)

    table = Table(title=f"Memory, {MEMORY.title}, MiB", **STYLE)
    table.add_column("")
    table.add_column("above rest", justify="right")
    table.add_column("÷ NumPy", justify="right")
    table.add_column("left after a step", justify="right")
    for name, (peak, left) in found["memory"].items():
        table.add_row(name, f"{peak / 2**20:.1f}", f"{peak / found['memory'][BARE][0]:.2f}", f"{left / 2**20:.1f}")
    table.caption = "PyTorch takes memory where Python cannot see it.\n"
    console.print(table)
    left = ", ".join(f"{key} {count}" for key, count in found["garbage"].items())
    console.print(
        f"[bold]Garbage[/bold], objects that steps leave to the garbage collector: {left} [dim](0)[/dim].\n", highlight=False
    )

    table = Table(title="Made-up pictures in MNIST's shapes, through a DataLoader", **STYLE)
    for column in ("", "epoch, s", "step, µs", "loader's part"):
        table.add_column(column, justify="right" if column else "left")
    for key, row in found["epochs"].items():
        seconds = ratio(row["seconds"], {"c": 3, "e": 25}[key])
        step, part = number(row["microseconds of a step"]), row["loader's part"]
        table.add_row(row["title"], seconds, step, f"[{'green' if part <= 0.05 else 'red'}]{part:.1%}[/] [dim](5%)[/dim]")
    console.print(table)

    milliseconds = {name: seconds * 1e3 for name, seconds in found["import"].items()}
    console.print(
        f"[bold]Import[/bold], ms: NumPy {milliseconds['numpy']:.0f}, tinygrad_edu beyond it {ratio(milliseconds[MINE], 150, 0)}.",
        highlight=False,
    )


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def ratio(value: float | None, goal: float | None, digits: int = 2) -> str:
    """A ratio and its goal, coloured by whether it is reached."""
    if value is None:
        return "-"
    if goal is None:
        return f"{value:.{digits}f}"
    return f"[{'green' if value <= goal else 'red'}]{value:.{digits}f}[/] [dim]({goal:.{digits}f})[/dim]"
