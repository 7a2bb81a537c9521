"""DataLoader: batches of samples, made ready in the background if asked for."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from ..ops.random import Generator
from ..ops.shape import stack
from ..tensor import Tensor
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def default_collate(batch: list[Any]) -> Any:
    """A batch from a list of samples: tensors and numbers are stacked, tuples, lists and dicts collated item by item.

    >>> default_collate([(1, 0.5), (2, 1.5)])
    [tensor([1, 2]), tensor([0.5000, 1.5000], dtype=float64)]

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if isinstance(first, np.ndarray | np.generic):
        return Tensor(np.stack(batch))
    if isinstance(first, float):
        return Tensor(batch, dtype="float64")
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, tuple | list):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                "the samples of a batch must have equal numbers of items; pass collate_fn= to put them together otherwise."
            )
        columns = [default_collate(list(column)) for column in zip(*batch, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    raise TypeError(
        f"default_collate cannot make a batch of {type(first).__name__}: give tensors, arrays, numbers, strings, tuples or dicts."
    )


class DataLoader:
    """Goes through a dataset in batches; each `for` loop over it is one epoch.

    Args:
        batch_size: samples in a batch; None gives single samples.
        shuffle: a new random order every epoch.
        sampler, batch_sampler: an order of one's own, of samples or of batches.
        num_workers: how many threads read ahead (0: none). NumPy and file reading let threads run side by side.
        collate_fn: makes a batch of a list of samples (default: `default_collate`).
        drop_last: leave out a last, shorter batch.
        generator: the source of the random order.
        prefetch_factor: batches that each worker reads ahead.

    An error in a worker is raised here whole, with the worker's traceback.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
    ) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers must be 0 or more, not {num_workers}.")
        streamed = isinstance(dataset, IterableDataset)
        if streamed and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("an IterableDataset decides on its order itself: no shuffle, sampler or batch_sampler.")
        if sampler is not None and shuffle:
            raise ValueError("give either sampler or shuffle=True: a sampler is the order.")
        if batch_sampler is not None and (batch_size not in (1, None) or shuffle or sampler is not None or drop_last):
            raise ValueError("a batch_sampler makes the batches: no batch_size, shuffle, sampler or drop_last beside it.")
        if batch_size is None and drop_last:
            raise ValueError("drop_last needs batches: batch_size must not be None.")
        self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self.batch_size = batch_size
        if sampler is None and not streamed:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None and not streamed:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            count = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return count
            return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return self._stream()
        jobs: Any
        fetch: Any
        if self.batch_sampler is None:
            jobs, fetch = iter(self.sampler), self._sample  # type: ignore[arg-type]
        else:
            jobs, fetch = iter(self.batch_sampler), self._batch
        return self._ahead(jobs, fetch) if self.num_workers else map(fetch, jobs)

    def _sample(self, index: int) -> Any:
        sample = self.dataset[index]
        return sample if self.collate_fn is None else self.collate_fn(sample)

    def _batch(self, indices: list[int]) -> Any:
        dataset = self.dataset
        if self.collate_fn is None:
            while isinstance(dataset, Subset):
                indices, dataset = [dataset.indices[i] for i in indices], dataset.dataset
            if type(dataset) is TensorDataset:  # rows are cut out of each tensor once, not one by one and stacked again
                chosen = np.asarray(indices)
                return [x[chosen] for x in dataset.tensors]
        return (self.collate_fn or default_collate)([dataset[i] for i in indices])

    def _stream(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        if self.batch_size is None:
            yield from samples if self.collate_fn is None else map(self.collate_fn, samples)
            return
        while batch := list(itertools.islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield (self.collate_fn or default_collate)(batch)

    def _ahead(self, jobs: Iterator[Any], fetch: Callable[[Any], Any]) -> Iterator[Any]:
        """Results in order, while threads work on the next ones."""
        with ThreadPoolExecutor(self.num_workers, thread_name_prefix="DataLoader") as pool:
            waiting: deque[Future] = deque()
            try:
                for job in itertools.islice(jobs, self.num_workers * self.prefetch_factor):
                    waiting.append(pool.submit(fetch, job))
                while waiting:
                    result = waiting.popleft().result()
                    for job in itertools.islice(jobs, 1):
                        waiting.append(pool.submit(fetch, job))
                    yield result
            finally:
                for future in waiting:
                    future.cancel()
