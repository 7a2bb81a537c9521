"""The command line: `python -m tinygrad_edu`."""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from . import data, learn, nn, optim
from .backend import device, namespace
from .errors import DeviceError
from .metrics import accuracy, confusion_matrix
from .ops.activation import relu
from .ops.classification import cross_entropy
from .ops.random import manual_seed
from .plot import new_figure, plot_decision
from .profiler import profile
from .see import command, play, record
from .see.expression import evaluate
from .see.film_picture import mp4_writer
from .see.words import as_text
from .serialization import FormatError, save
from .tensor import Tensor
from .train import fit, predict

EXAMPLES = """examples:
  python -m tinygrad_edu
      train on Iris, then write a page that plays a backward pass
  python -m tinygrad_edu train digits --hidden 64 32
      another network
  python -m tinygrad_edu train spirals --plot spirals.png
      also draw the loss and the decision boundary
  python -m tinygrad_edu train sine --profile
      also show what takes a training step's time and memory
  python -m tinygrad_edu train moons --film moons.html
      also write a page that plays the training as a film
  python -m tinygrad_edu train mnist --data FOLDER --save mnist.safetensors
      with files that are there already; keep the weights
  python -m tinygrad_edu step "tanh(w*x + b)" --let w=0.5 x=2 b=1
      step through a backward pass; draw and play take the same
  python -m tinygrad_edu learn
      the tutorials, in JupyterLab
"""


class Task(NamedTuple):
    """What `train NAME` trains on: the data (train, test) and settings that do well."""

    story: str
    load: Callable[[Any], tuple[data.Table, data.Table | None]]  # from the --data folder; no test set: a fifth is held out
    hidden: list[int]
    epochs: int
    lr: float
    batch_size: int = 16


def _made(make: Callable[[], data.Table]) -> Callable[[Any], tuple[data.Table, None]]:
    return lambda folder: (make(), None)


def _mnist(folder: Any) -> tuple[data.Table, data.Table]:
    return data.mnist(True, folder), data.mnist(False, folder)


TASKS = {
    "iris": Task("150 flowers, 4 lengths each, 3 species", _made(data.iris), [16], 60, 0.01),
    "digits": Task("1797 handwritten digits of 8x8 pixels", _made(data.digits), [64], 30, 0.003, 32),
    "mnist": Task("70 000 handwritten digits of 28x28 pixels", _mnist, [128], 5, 0.001, 64),
    "sine": Task("200 sine waves, 10 frequencies, 1000 samples each", _made(data.sine_waves), [64], 60, 0.001),
    "xor": Task("4 clouds at the corners of a square", _made(data.xor), [8], 60, 0.02),
    "moons": Task("2 half circles, each reaching into the other", _made(data.moons), [16, 16], 80, 0.02),
    "spirals": Task("2 arms that wind around each other", _made(data.spirals), [32, 32], 150, 0.01),
}
OPTIMIZERS = {  # LBFGS computes the loss several times a step, and Muon changes matrices only
    kind.__name__.lower(): kind
    for kind in (getattr(optim, name) for name in optim.__all__)
    if isinstance(kind, type) and kind not in (optim.Optimizer, optim.LBFGS, optim.Muon)
}


class Network(nn.Module):
    """Linear layers with ReLU between them, after the samples were flattened, centred and scaled.

    h = (x - mean) / scale;  h = relu(h·Wᵀ + b) for each hidden layer;  z = h·Wᵀ + b
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(sizes)])
        self.register_buffer("mean", Tensor([0.0] * sizes[0]))
        self.register_buffer("scale", Tensor([1.0] * sizes[0]))

    def scale_to(self, x: Tensor) -> None:
        """Take the centre and the width of these samples, feature by feature."""
        x = x.flatten(1)
        width = x.std(0)
        self.mean, self.scale = x.mean(0), width + (width == 0)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        h = (x.flatten(1) - self.mean) / self.scale
        for layer in hidden:
            h = relu(layer(h))
        return last(h)


# -- arguments -----------------------------------------------------------------------------------------------------
class _Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (--help shows what there is)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    console = Console()
    try:
        if options.command is None:
            samples = train(parser.parse_args(["train", "iris"]), console)
            print_backward(console)
            play_training_step(samples, console)
        elif options.command == "learn":
            learn.run(options, console)
        elif options.command in command.COMMANDS:
            command.run(options, console)
        else:
            train(options, console)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, FormatError, ImportError, DeviceError, *command.ERRORS) as error:
        # a missing or damaged file, an extra that is not installed, no GPU; an expression that cannot be computed or drawn
        print(f"{parser.prog}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    options = {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = _Parser(
        prog="python -m tinygrad_edu",
        description="Train a small network. Without a command: on Iris, followed by a page\nthat plays one backward pass.",
        **options,  # type: ignore[arg-type]
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog=parser.prog)
    told = "\n".join(f"  {name:8} {task.story}" for name, task in TASKS.items())
    add = commands.add_parser(
        "train",
        help="train on one of " + ", ".join(TASKS),
        description=f"Train a network of linear layers and ReLU to tell classes apart.\n\n{told}",
        **options,  # type: ignore[arg-type]
    ).add_argument
    add("name", choices=TASKS, metavar="NAME", help="the data: " + ", ".join(TASKS))
    add("--epochs", type=_count, metavar="N", help="how often to go through the training data")
    add("--lr", type=_rate, metavar="RATE", help="learning rate")
    add("--optimizer", choices=OPTIMIZERS, default="adam", metavar="NAME", help=", ".join(OPTIMIZERS) + " (default adam)")
    add("--batch-size", type=_count, metavar="N", help="samples in a batch")
    add("--hidden", type=_count, nargs="+", metavar="N", help="units in each hidden layer")
    add("--seed", type=int, default=0, help="fixes the split, the order and the first weights (default 0)")
    add("--device", default="cpu", help='"cpu" (default) or "cuda"')
    add("--data", type=Path, metavar="FOLDER", help="where MNIST's files are; without it they are downloaded")
    add("--save", type=_file, metavar="FILE", help="write the trained weights to this safetensors file")
    add(
        "--plot",
        type=_file_ending(".png", ".svg", ".pdf"),
        metavar="FILE",
        help="draw the loss curve to this file (png, svg, pdf), and for points in the plane the boundary",
    )
    add("--profile", action="store_true", help="afterwards, show what takes the time and the memory of one training step")
    add(
        "--film",
        type=_file_ending(".html", ".gif", ".mp4"),
        metavar="FILE",
        help="record the training as a film: a page (html) to play, or an animation (gif, mp4)",
    )
    command.add_commands(commands)
    learn.add_command(commands)
    return parser


def _positive(kind: Callable[[str], Any], told: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            number = 0
        if not 0 < number < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not {told}")
        return number

    return read


_count, _rate = _positive(int, "a positive whole number"), _positive(float, "a positive number")


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        wrong = "it is a folder"
    elif not path.parent.is_dir():
        wrong = "its folder does not exist"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        wrong = "there is no permission to write there"
    else:
        return path
    raise argparse.ArgumentTypeError(f"{text} cannot be written: {wrong}")


def _file_ending(*endings: str) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        path = _file(text)
        if path.suffix not in endings:
            raise argparse.ArgumentTypeError(f"{text} must end with {', '.join(endings[:-1])} or {endings[-1]}")
        return path

    return read


# -- training ------------------------------------------------------------------------------------------------------
def train(options: argparse.Namespace, console: Console) -> data.Table:
    """Train as the options say, and print how well it went on samples that were held out; returns the others."""
    task = TASKS[options.name]
    where = device(options.device)
    namespace(where)  # refuses a device that is not there, before any work
    if options.plot or (options.film and options.film.suffix != ".html"):
        new_figure()  # and so if there is no matplotlib
    if options.film and options.film.suffix == ".mp4":
        mp4_writer()  # or no ffmpeg
    manual_seed(options.seed)
    known, unknown = task.load(options.data)
    if unknown is None:
        parts = data.random_split(known, [0.8, 0.2])
        learnt, kept = (data.Table(known.x[part.indices], known.y[part.indices], known.class_names) for part in parts)
    else:
        learnt, kept = known, unknown
    x, y = kept.x, kept.y
    sizes = [math.prod(x.shape[1:]), *(options.hidden or task.hidden), len(known.class_names)]
    model = Network(sizes)
    model.scale_to(learnt.x)
    model.to(where)
    optimizer = OPTIMIZERS[options.optimizer](model.parameters(), lr=options.lr or task.lr)
    console.print(f"[bold]{options.name}[/bold]: {task.story}. Network: {' → '.join(map(str, sizes))}, ReLU, cross-entropy.")
    batch_size = options.batch_size or task.batch_size
    film = record(learnt, title=options.name) if options.film else None
    history = fit(
        model,
        learnt,
        loss=cross_entropy,
        optimizer=optimizer,
        epochs=options.epochs or task.epochs,
        batch_size=batch_size,
        metrics=[accuracy],
        callbacks=[film] if film else [],
        console=console,
    )
    if history.stopped:
        console.print(f"Stopped: {history.stopped}.")
    outputs = predict(model, x).cpu()
    if history:
        console.print(f"loss {history['loss'][0]:.3g} → {history['loss'][-1]:.3g}")
    print_results(console, outputs, y, known.class_names)
    if options.save:
        save(model.state_dict(), options.save)
        console.print(f"weights: {options.save}")
    if options.plot:
        draw(options.plot, history, model, x, y, console)
    if film:
        (film.play if options.film.suffix == ".html" else film.save)(options.film)
        console.print(f"film of the training: {options.film}")
    if options.profile:
        profile_step(model, optimizer, learnt[:batch_size], console)
    return learnt


def print_results(console: Console, outputs: Tensor, y: Tensor, names: Sequence[str]) -> None:
    """The accuracy on held-out samples, and which classes were taken for which."""
    right = round(accuracy(outputs, y) * len(y))
    console.print(f"held-out accuracy [bold]{right / len(y):.1%}[/bold] ({right} of {len(y)} samples the network had not seen)")
    console.print("confusion matrix: true classes down, predicted across")
    grid = Grid("", *names, box=box.SIMPLE_HEAD)
    for i, (name, counts) in enumerate(zip(names, confusion_matrix(outputs, y).tolist(), strict=True)):
        grid.add_row(name, *(f"[bold]{n}[/bold]" if i == j else str(n or "·") for j, n in enumerate(counts)))
    console.print(grid)


def draw(path: Path, history: Any, model: nn.Module, x: Tensor, y: Tensor, console: Console) -> None:
    """Write the loss curve to `path` and, for points in the plane, the decision boundary to a file beside it."""
    history.plot(path)
    console.print(f"loss curve: {path}")
    if x.shape[1:] == (2,):
        boundary = path.with_name(f"{path.stem}-boundary{path.suffix}")
        plot_decision(functools.partial(predict, model), x, y, boundary)
        console.print(f"decision boundary: {boundary}")


def profile_step(model: nn.Module, optimizer: optim.Optimizer, batch: Sequence[Tensor], console: Console) -> None:
    """Show what takes the time of a training step with this batch."""
    x, y = (part.to(next(model.parameters()).device) for part in batch)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()

    console.print(f"[bold]A training step[/bold] with {len(x)} samples:")
    profile(step, console=console)


# -- a backward pass -----------------------------------------------------------------------------------------------
def print_backward(console: Console) -> None:
    """One small expression's backward pass, every application of the chain rule as text."""
    expression, values = "tanh(w*x + b) ** 2", {"w": "0.5", "x": "2", "b": "-0.5"}
    told = ", ".join(f"{name} = {value}" for name, value in values.items())
    console.print(f"[bold]A backward pass, step by step[/bold]: {expression} with {told}")
    trace = command.trace_of(expression, values)
    for i in range(len(trace.steps)):
        console.print(as_text(trace, i), highlight=False, markup=False)
    console.print()


PAGE = Path("backprop.html")
TRAINING_STEP = """h = relu(linear(x, W1, b1))
z = linear(h, W2, b2)
loss = cross_entropy(z, y)"""


def play_training_step(samples: data.Table, console: Console) -> None:
    """Write a page that plays the backward pass of a network's first training step, with four samples, and offer to open it.

    At the first step the gradients are large; those of a trained network are almost 0, and without colours on the page.
    """
    hidden, last = nn.Linear(4, 16), nn.Linear(16, 3)
    values = {
        "x": ((samples.x - samples.x.mean(0)) / samples.x.std(0))[:4],
        "y": samples.y[:4],
        "W1": hidden.weight,
        "b1": hidden.bias,
        "W2": last.weight,
        "b2": last.bias,
    }
    page = play(evaluate(TRAINING_STEP, values), PAGE, title="The first training step of a network for Iris")
    console.print(f"[bold]The backward pass of a training step[/bold], to play step by step in a browser: {PAGE}")
    if console.is_terminal and sys.stdin.isatty() and console.input("Open it now? [Y/n] ").strip().lower() in ("", "y", "yes"):
        page.open(PAGE)
