"""The command line: `python -m tinygrad_edu`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from . import autograd
from .tensor import Tensor

EXAMPLES = """examples:
  python -m tinygrad_edu                  train on Iris, then show a backward pass step by step
  python -m tinygrad_edu --epochs 5       the same, in a hurry
  python -m tinygrad_edu --seed 7         another start and another split; the same seed gives the same numbers
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tinygrad_edu",
        description="Train a small network on the Iris data, then print one backward pass step by step.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--epochs", type=_positive, default=60, help="how often to go through the training data (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="fixes the split and the first weights (default 0)")
    options = parser.parse_args(arguments)

    from .train import train_iris

    console = Console()
    console.print("[bold]Iris[/bold]: 150 flowers, 4 lengths each, 3 species. Network: 4 → 16 → 3, tanh, cross-entropy.")
    result = train_iris(epochs=options.epochs, seed=options.seed, console=console)
    console.print(
        f"loss {result.losses[0]:.3f} → {result.losses[-1]:.3f};  held-out accuracy "
        f"[bold]{result.accuracy:.1%}[/bold] ({result.correct} of {result.held_out} flowers the network had not seen)\n"
    )
    print_backward(console)
    return 0


def print_backward(console: Console) -> None:
    """One small expression's backward pass, every application of the chain rule on a line."""
    w = Tensor(0.5, requires_grad=True, name="w")
    x = Tensor(2.0, requires_grad=True, name="x")
    b = Tensor(-0.5, requires_grad=True, name="b")
    product = w * x
    total = product + b
    h = total.tanh()
    loss = h * h
    product.name, total.name, h.name, loss.name = "w·x", "w·x + b", "h", "loss"
    console.print("[bold]A backward pass, step by step[/bold]: h = tanh(w·x + b), loss = h·h, with w = 0.5, x = 2, b = -0.5")
    for step in autograd.steps(loss):
        if step.kind == "seed":
            console.print(f"  start      ∂loss/∂loss = {step.after:g}")
        elif step.kind == "visit":
            console.print(
                f"  {step.node.name or '':9}  complete: ∂loss/∂{step.node.name} = {step.after:.4f}", style="bold", highlight=False
            )
        elif step.kind == "contribute" and step.to is not None and step.node.op is not None:
            parts = f", part {step.got} of {step.uses}: now {step.after:.4f}" if step.uses > 1 else ""
            console.print(
                f"               {step.node.op.name} sends {step.reduced:+.4f} to {step.to.name}{parts}", highlight=False
            )
    loss.backward()
    grads = ", ".join(f"{leaf.name}.grad = {leaf.grad.item():.4f}" for leaf in (w, x, b) if leaf.grad is not None)
    console.print(f"  after loss.backward(): {grads}")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
