"""Made-up data: small problems that show what a network can and cannot do. The same seed makes the same samples."""

from __future__ import annotations

import numpy as np

from ..errors import check_whole
from .sets import Table, table

PLANE = ["x", "y"]


def xor(n: int = 200, noise: float = 0.1, seed: int = 0) -> Table:
    """Four clouds at the corners of a square; opposite corners belong together, so no straight line separates the classes.

    >>> xor(8).y.tolist()
    [0, 1, 1, 0, 0, 1, 1, 0]
    """
    which = _in_turn(n, 4)
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    return _table(corners[which], (which == 1) | (which == 2), noise, seed, ["same", "different"])


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> Table:
    """Two half circles, each reaching into the other."""
    y = _in_turn(n, 2)
    angle = np.pi * _spread(n, 2)
    points = np.stack([np.cos(angle), np.sin(angle)], 1)
    return _table(np.where(y[:, None] == 0, points, [1, 0.5] - points), y, noise, seed, ["upper", "lower"])


def circles(n: int = 200, noise: float = 0.05, factor: float = 0.5, seed: int = 0) -> Table:
    """A circle inside another; `factor` is the ratio of their radii."""
    y = _in_turn(n, 2)
    angle = 2 * np.pi * _spread(n, 2)
    radius = np.where(y == 0, 1, factor)
    return _table(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), y, noise, seed, ["outer", "inner"])


def spirals(n: int = 300, classes: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0) -> Table:
    """Arms that wind around the centre `turns` times, one for each class."""
    y = _in_turn(n, classes)
    radius = 0.05 + 0.95 * _spread(n, classes)
    angle = 2 * np.pi * (turns * radius + y / classes)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return _table(points, y, noise, seed, [f"arm {i}" for i in range(classes)])


def blobs(n: int = 300, classes: int = 3, features: int = 2, spread: float = 0.5, seed: int = 0) -> Table:
    """Round clouds, one for each class, at random places."""
    y = _in_turn(n, classes)
    centres = np.random.default_rng([seed, 1]).uniform(-4, 4, (classes, features))
    return _table(centres[y], y, spread, seed, [f"blob {i}" for i in range(classes)])


def sine_waves(frequencies: int = 10, phases: int = 20, samples: int = 1000) -> Table:
    """sin(ω·t + φ) at `samples` times t from 0 to 10; the class is the frequency ω = 1, 2 ..., the phase φ goes round the circle.

    >>> sine_waves().x.shape
    (200, 1000)
    """
    t = np.linspace(0, 10, samples)
    omega = np.repeat(np.arange(1, frequencies + 1), phases)
    phi = np.tile(2 * np.pi * np.arange(phases) / phases, frequencies)
    return table(np.sin(omega[:, None] * t + phi[:, None]), omega - 1, [f"ω={i}" for i in range(1, frequencies + 1)])


def _in_turn(n: int, classes: int) -> np.ndarray:
    """The classes of n samples: 0, 1, ..., 0, 1, ..."""
    check_whole("n, the number of samples,", n)
    check_whole("classes", classes)
    return np.arange(n) % classes


def _spread(n: int, classes: int) -> np.ndarray:
    """For samples of classes 0, 1, ..., 0, 1, ...: how far along its class each one is, from 0 to 1."""
    return np.arange(n) // classes / max(1, (n - 1) // classes)


def _table(points: np.ndarray, y: np.ndarray, noise: float, seed: int, class_names: list[str]) -> Table:
    """The points with normal noise, in the order in which the classes take turns."""
    moved = points + noise * np.random.default_rng(seed).standard_normal(points.shape)
    return table(moved, y, class_names, PLANE if points.shape[1] == 2 else [])
