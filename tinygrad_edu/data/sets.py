"""Data sets that ship with the package; `SOURCES.md` beside this file says where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..tensor import Tensor


class Table(NamedTuple):
    """Samples, their labels, and what both are called."""

    features: Tensor  # (samples, features), float32
    labels: Tensor  # (samples,), int64
    feature_names: list[str]
    class_names: list[str]


def iris() -> Table:
    """Fisher's irises: 150 flowers, 4 lengths in cm each, 3 species.

    >>> table = iris()
    >>> table.features.shape, table.class_names
    ((150, 4), ['setosa', 'versicolor', 'virginica'])
    """
    path = Path(__file__).with_name("iris.csv")
    names = path.read_text().partition("\n")[0].split(",")[2:]
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    features = ["sepal length", "sepal width", "petal length", "petal width"]
    return Table(Tensor(rows[:, :4].astype("float32")), Tensor(rows[:, 4].astype("int64")), features, names)
