"""Datasets: where samples come from, and how several are put together."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from types import GenericAlias
from typing import Any

import numpy as np

from ..errors import describe
from ..ops.random import Generator, randperm
from ..tensor import Tensor, wrap
from .sampler import drawn_on


class Dataset:
    """A collection of samples by number: write `__getitem__(index)` and, for most uses, `__len__()`.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # Dataset[tuple[Tensor, int]], for readers and type checkers

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(index).")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """A stream of samples: write `__iter__()`.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__().")

    def __add__(self, other: IterableDataset) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Sample i is the tuple of the i-th rows of several tensors.

    Raises:
        ValueError: tensors of different lengths, or none. TypeError: something that is no tensor.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.TensorDataset
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("a TensorDataset needs at least one tensor.")
        if wrong := [type(x).__name__ for x in tensors if not isinstance(x, Tensor)]:
            raise TypeError(f"a TensorDataset holds tensors, and one of these is a {wrong[0]}: write tensor(...) around it.")
        lengths = [len(x) for x in tensors]
        if len(set(lengths)) > 1:
            raise ValueError(f"the tensors of a TensorDataset must have equal lengths; these have {lengths}.")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(x[index] for x in self.tensors)

    def rows(self, indices: Sequence[int]) -> list[Tensor]:
        """Several samples as a batch: each tensor is indexed once, instead of row by row and stacked again."""
        chosen = np.asarray(indices)
        if chosen.dtype.kind not in "iu":  # NumPy would round fractions, and take a mask for the numbers 0 and 1
            raise TypeError(f"samples are chosen by whole numbers, and not by {indices[:3]} ...: of a mask write mask.nonzero().")
        return [
            x[chosen]
            if x._requires_grad or x.base is not None or type(x.array) is not np.ndarray
            else wrap(x.array.take(chosen, 0))  # the same, and a quarter quicker
            for x in self.tensors
        ]

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __repr__(self) -> str:
        return f"TensorDataset({len(self)} samples: {', '.join(map(describe, self.tensors))})"


class Subset(Dataset):
    """The samples of a dataset at these indices.

    Raises:
        TypeError: a mask in place of indices, which would be taken for the numbers 0 and 1.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.Subset
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        if indices.dtype == np.bool_ if hasattr(indices, "dtype") else isinstance(next(iter(indices), None), bool | np.bool_):
            raise TypeError("Subset takes the numbers of samples, and not a mask: write mask.nonzero().flatten().tolist().")
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Subset({len(self)} samples of {self.dataset!r})"


class ConcatDataset(Dataset):
    """Several datasets, one after another.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.ConcatDataset
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one dataset.")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise TypeError("ConcatDataset takes datasets that are indexed by number; use ChainDataset for IterableDatasets.")
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of a dataset of {len(self)}.")
        index %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __repr__(self) -> str:
        return f"ConcatDataset({len(self)} samples: {', '.join(map(repr, self.datasets))})"


class ChainDataset(IterableDataset):
    """Several streams, one after another.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.ChainDataset
    """

    def __init__(self, datasets: Iterable[IterableDataset]) -> None:
        self.datasets = list(datasets)
        if wrong := [d for d in self.datasets if not isinstance(d, IterableDataset)]:
            raise TypeError(
                f"ChainDataset takes IterableDatasets, and one of these is a {type(wrong[0]).__name__}; use ConcatDataset for datasets that "
                "are indexed by number."
            )

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)  # type: ignore[arg-type, misc]


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Split a dataset at random into parts of these lengths, or of these fractions if they add up to 1.

    Raises:
        ValueError: the lengths do not add up to the dataset's.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.random_split
    """
    sizes = list(lengths)
    if any(size < 0 for size in sizes):
        raise ValueError(f"lengths must not be negative; these are {sizes}.")
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1 + 1e-9:
        parts = [math.floor(len(dataset) * part) for part in sizes]
        for i in range(len(dataset) - sum(parts)):  # what rounding left over goes to the first parts, one each
            parts[i % len(parts)] += 1
        sizes = list(parts)
    if sum(sizes) != len(dataset) or any(size != int(size) for size in sizes):
        raise ValueError(
            f"the lengths must be whole numbers that add up to {len(dataset)}, the dataset's samples, or fractions that add up to 1; "
            f"{sizes} add up to {sum(sizes)}."
        )
    order = randperm(len(dataset), generator=generator, device=drawn_on(generator)).tolist()
    counts = [int(size) for size in sizes]
    return [Subset(dataset, order[end - n : end]) for n, end in zip(counts, itertools.accumulate(counts), strict=True)]
