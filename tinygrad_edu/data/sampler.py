"""Samplers: in which order a loader takes samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from types import GenericAlias
from typing import Any

import numpy as np

from ..errors import check_whole
from ..ops.random import Generator, multinomial, randint, randperm
from ..tensor import Tensor


def drawn_on(generator: Generator | None) -> Any:
    """Where an order is drawn: on the generator's device, else on the CPU, where orders are used."""
    return "cpu" if generator is None else generator.device


class Sampler:
    """The base: write `__iter__()`, which yields indices, and `__len__()`.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.Sampler
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # Sampler[int], for readers and type checkers

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__().")


class SequentialSampler(Sampler):
    """0, 1, 2 ...

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.SequentialSampler
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def order(self) -> np.ndarray:
        """The indices as one array."""
        return np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Every index once in a random order; with `replacement`, each drawn anew; `num_samples` of them.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.RandomSampler
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Generator | None = None
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        if num_samples is not None:
            check_whole("num_samples", num_samples)
        elif not len(data_source):
            raise ValueError("RandomSampler has nothing to draw: the data is empty.")

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        yield from self.order().tolist()

    def order(self) -> np.ndarray:
        """The indices as one array: all drawn at once, so that what is drawn while the samples are used changes nothing."""
        n, wanted = len(self.data_source), self.num_samples
        how: Any = {"generator": self.generator, "device": drawn_on(self.generator)}
        if self.replacement:
            return randint(0, n, (wanted,), **how).cpu().array
        rounds = [randperm(n, **how).cpu().array for _ in range(0, wanted, n)]
        return np.concatenate(rounds)[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """These indices, in a random order.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.SubsetRandomSampler
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        order = randperm(len(self.indices), generator=self.generator, device=drawn_on(self.generator))
        yield from (self.indices[i] for i in order.tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices drawn with these weights.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.WeightedRandomSampler
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        check_whole("num_samples", num_samples)
        self.weights = Tensor(weights, dtype="float64", device=drawn_on(generator))
        if self.weights.ndim != 1:
            raise ValueError(f"weights must be a sequence of numbers, but their shape is {self.weights.shape}.")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of another sampler; a last, shorter one unless `drop_last`.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.BatchSampler
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        check_whole("batch_size", batch_size)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def arrays(self) -> Iterator[Any]:
        """The same batches; as arrays, which index quicker, where the sampler knows its whole order from the start."""
        sampler: Any = self.sampler
        if type(sampler) not in (SequentialSampler, RandomSampler):
            yield from self
            return
        order = sampler.order()
        until = len(order) - len(order) % self.batch_size if self.drop_last else len(order)
        for start in range(0, until, self.batch_size):
            yield order[start : start + self.batch_size]

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)
