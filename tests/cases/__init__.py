"""The catalogue: one row per operation, and the samples that a row stands for.

A row says what to call, what numbers it takes and what it must equal. `tests/test_catalogue.py` runs every row through every
property: value, first and second gradients, broadcasting, memory layout, empty and 0-d tensors, dtypes, devices, changes in
place. Each file of `tinygrad_edu/ops` has its rows in the file of the same name here, in a list called CASES.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygrad_edu as tg

Domain = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


# -- domains: where inputs come from (float64 unless said otherwise) -------------------------------------------------
def between(low: float, high: float) -> Domain:
    """Uniform numbers in an interval."""
    return lambda rng, shape: np.asarray(rng.uniform(low, high, shape))


def away_from(*points: float, reach: float = 2.0, gap: float = 0.1) -> Domain:
    """Numbers in [-reach, reach] that keep a distance from points where a function has a kink or a pole."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        x = np.asarray(rng.uniform(-reach, reach, shape))
        for p in points:
            near = np.abs(x - p) < gap
            x = np.where(near, p + gap * np.where(x >= p, 1.5, -1.5), x)
        return np.asarray(x)

    return draw


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that keep at least 0.1 between each other and from 0: no ties for max, sort and median."""
    n = int(np.prod(shape))
    return np.asarray((rng.permutation(n) - n // 2 + 0.5) * 0.25 + rng.uniform(-0.05, 0.05, n)).reshape(shape)


def integers(low: int, high: int) -> Domain:
    """int64 in [low, high)."""
    return lambda rng, shape: np.asarray(rng.integers(low, high, shape))


def boolean(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """True and False."""
    return np.asarray(rng.integers(0, 2, shape) == 1)


real = away_from(0.0)
positive = between(0.3, 2.5)
unit = between(-0.9, 0.9)
probability = between(0.05, 0.95)

# Shapes of a pair of inputs that broadcast together, in the ways that broadcasting can happen.
PAIRS = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
    ((4, 1, 3), (2, 1)),
    ((0, 3), (3,)),
]
SINGLES = [((2, 3),), ((),), ((0, 3),), ((5,),), ((2, 1, 3),)]


@dataclass
class Case:
    """One row.

    name: the public function tinygrad_edu.<name> (or "linalg.det"), and by default the operation in the registry.
    reference: the same on NumPy arrays, by other means (NumPy, SciPy or a plain loop); it gets arrays and the same settings.
    domains: where each tensor input comes from; floats are differentiated, integers and booleans are not.
    shapes: the shapes of the inputs, one tuple of shapes per sample.
    settings: keyword arguments, each tried with each of `shapes`; an entry may be (shapes, settings) to belong to its own shapes.
    call: how to call it, if not function(*inputs, **settings).
    ops: the names in the registry that this row covers (default: the last part of `name`).
    second: whether second derivatives are checked (False only where PyTorch has none either: say why beside it).
    dtypes: the dtypes in which "float in, same float out" is checked.
    note: for what a reader should know.
    """

    name: str
    reference: Callable[..., Any]
    domains: tuple[Domain, ...] = (real,)
    shapes: list[tuple[tuple[int, ...], ...]] | None = None
    settings: list[Any] = field(default_factory=lambda: [{}])
    call: Callable[..., Any] | None = None
    ops: tuple[str, ...] | None = None
    second: bool = True
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")
    note: str = ""

    def __post_init__(self) -> None:
        if self.shapes is None:
            self.shapes = (
                SINGLES if len(self.domains) == 1 else PAIRS if len(self.domains) == 2 else [((2, 3),) * len(self.domains)]
            )
        if self.ops is None:
            self.ops = (self.name.rpartition(".")[2],)

    def __str__(self) -> str:
        return self.name

    @property
    def function(self) -> Callable[..., Any]:
        """What is tested, called with tensors and settings."""
        if self.call is not None:
            return self.call
        found: Any = tg
        for part in self.name.split("."):
            found = getattr(found, part)
        return found

    def samples(self, seed: int = 0) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
        """Inputs as arrays, and settings."""
        rng = np.random.default_rng(seed)
        for entry in self.settings:
            shapes, settings = ([entry[0]], entry[1]) if isinstance(entry, tuple) else (self.shapes, entry)
            for sample in shapes:  # type: ignore[union-attr]
                yield [np.asarray(draw(rng, shape)) for draw, shape in zip(self.domains, sample, strict=True)], settings


def catalogue() -> list[Case]:
    """Every row of every file beside this one."""
    files = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [case for name in files for case in importlib.import_module(f"{__name__}.{name}").CASES]
