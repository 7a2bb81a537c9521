"""`python -m tinygrad_edu step|draw|play EXPRESSION`: see the backward pass of an expression without writing a program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import GraphError
from ..ops.creation import ones_like
from .draw import FORMATS, DrawingError, draw
from .expression import ExpressionError, evaluate
from .format import Trace
from .graphviz import GraphvizError
from .player import play
from .stepper import step
from .trace import trace

COMMANDS = {
    "step": "step through the backward pass of an expression in the terminal",
    "draw": "draw the graph of an expression to a file",
    "play": "write a page that plays the backward pass of an expression",
}
ERRORS = (ExpressionError, DrawingError, GraphvizError, GraphError)  # mistakes of whoever typed the command
EXAMPLES = """examples:
  python -m tinygrad_edu step "tanh(w*x + b)" --let w=0.5 x="[[1,2],[3,4]]" b=1
  python -m tinygrad_edu draw "tanh(W @ x)" --let W="randn(2,3)" x="randn(3,1)"
  python -m tinygrad_edu play "h = tanh(w*x); sum(h*h)" --let w=0.5 x=2 --open
"""


def add_commands(commands: Any) -> None:
    """Add step, draw and play to a command line."""
    for name, story in COMMANDS.items():
        add = commands.add_parser(
            name,
            help=story,
            description=f"{story[0].upper()}{story[1:]}.\nEach variable becomes a tensor that requires grad; a result of several\n"
            "numbers starts with a gradient of ones.",
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        ).add_argument
        add("expression", metavar="EXPRESSION", help="as in Python: tanh(w*x + b), or h = w*x; sum(h*h)")
        add("--let", nargs="+", type=_variable, action="extend", default=[], metavar="NAME=VALUE", help="values, such as w=0.5")
        if name == "draw":
            add("--out", type=Path, default=Path("graph.svg"), metavar="FILE", help=f"{', '.join(FORMATS)} (default graph.svg)")
            add(
                "--direction",
                default="LR",
                choices=("LR", "TB", "RL", "BT"),
                help="where the arrows go (default LR: to the right)",
            )
        if name == "play":
            add("--out", type=Path, default=Path("backprop.html"), metavar="FILE", help="the page (default backprop.html)")
            add("--open", action="store_true", help="show it in the browser")


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name.strip(), value


def run(options: argparse.Namespace, console: Console) -> None:
    """Do what the command line says."""
    traced = trace_of(options.expression, dict(options.let))
    if options.command == "step":
        step(traced, console=console)
    elif options.command == "draw":
        console.print(f"picture: {draw(traced, direction=options.direction).save(options.out)}")
    else:
        play(traced, options.out, open=options.open)
        console.print(f"page: {options.out}")


def trace_of(expression: str, values: dict[str, str]) -> Trace:
    """The trace of an expression; one of several numbers starts with a gradient of ones."""
    result = evaluate(expression, values)
    if not result.requires_grad:
        raise ExpressionError(
            f"{expression!r} has no gradient: no variable goes into it, or only through whole numbers or truth values."
        )
    return trace(result, ones_like(result), title=expression)
