"""DataLoader: batches of samples, made ready in the background if asked for."""

from __future__ import annotations

import copy
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import GenericAlias
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, check_whole
from ..ops.creation import as_tensor, tensor
from ..ops.joining import stack
from ..ops.random import Generator
from ..tensor import Tensor
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch from a list of samples: tensors and numbers are stacked, tuples, lists and dicts collated item by item.

    >>> default_collate([(1, 0.5), (2, 1.5)])
    [tensor([1, 2]), tensor([0.5000, 1.5000], dtype=float64)]

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
    """
    first = batch[0]
    if isinstance(first, Tensor | np.ndarray) and len(shapes := list({np.shape(sample): None for sample in batch})) > 1:
        raise ShapeError(
            f"the samples of a batch must have one shape, and here are {shapes[0]} and {shapes[1]}: bring them to one in the dataset, or "
            "pass collate_fn=, which may fill them up with nn.utils.rnn.pad_sequence."
        )
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if isinstance(first, np.ndarray | np.number | np.bool_):
        return as_tensor(np.stack(batch))
    if isinstance(first, float):
        return Tensor(batch, dtype="float64")
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return _as_mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple | list):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                "the samples of a batch must have equal numbers of items; pass collate_fn= to put them together otherwise."
            )
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    raise TypeError(
        f"default_collate cannot make a batch of {type(first).__name__}: give tensors, arrays, numbers, strings, tuples or dicts."
    )


def default_convert(sample: Any) -> Any:
    """A single sample with its arrays made tensors: what a loader without batches (batch_size=None) gives.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.default_convert
    """
    if isinstance(sample, np.ndarray | np.number | np.bool_):
        return tensor(sample)
    if isinstance(sample, Mapping):
        return _as_mapping(sample, {key: default_convert(value) for key, value in sample.items()})
    if isinstance(sample, tuple | list):
        items = [default_convert(item) for item in sample]
        return type(sample)(*items) if hasattr(sample, "_fields") else items
    return sample


def _as_mapping(like: Mapping, items: dict) -> Mapping:
    """The items in a mapping of the same kind (an OrderedDict stays one)."""
    if not isinstance(like, MutableMapping):
        return items
    same = copy.copy(like)
    same.update(items)
    return same


class WorkerInfo(NamedTuple):
    """Which worker this is, of how many, for which dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker, which one it is; None elsewhere.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.get_worker_info
    """
    return getattr(_worker, "info", None)


class DataLoader:
    """Goes through a dataset in batches; each `for` loop over it is one epoch.

    Args:
        batch_size: samples in a batch; None gives single samples.
        shuffle: a new random order every epoch.
        sampler, batch_sampler: an order of one's own, of samples or of batches.
        num_workers: how many threads read ahead (0: none). NumPy and file reading let threads run side by side.
        collate_fn: makes a batch of a list of samples (default: `default_collate`).
        drop_last: leave out a last, shorter batch.
        timeout: seconds to wait for a worker's batch (0: for ever).
        worker_init_fn: called with the worker's number when it starts.
        generator: the source of the random order.
        prefetch_factor: batches that each worker reads ahead (default 2).
        pin_memory, multiprocessing_context, persistent_workers: accepted for PyTorch programs; threads have no use for them.

    The batches and their order are the same for any number of workers. An IterableDataset is one stream, which one worker reads
    ahead. An error in a worker is raised here whole, with the worker's traceback.

    Source: https://pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # DataLoader[Tensor], for readers and type checkers

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        check_whole("num_workers", num_workers, 0)
        if timeout < 0:
            raise ValueError(f"timeout must be 0 or more seconds, not {timeout}.")
        if prefetch_factor is not None and (num_workers == 0 or prefetch_factor < 1):
            raise ValueError(f"prefetch_factor={prefetch_factor}: it must be positive, and it needs num_workers > 0.")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers needs num_workers > 0.")
        streamed = isinstance(dataset, IterableDataset)
        if streamed and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("an IterableDataset decides on its order itself: no shuffle, sampler or batch_sampler.")
        if sampler is not None and shuffle:
            raise ValueError("give either sampler or shuffle=True: a sampler is the order.")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("a batch_sampler makes the batches: no batch_size, shuffle, sampler or drop_last beside it.")
            batch_size = None
        elif batch_size is None:
            if drop_last:
                raise ValueError("drop_last needs batches: batch_size must not be None.")
        else:
            check_whole("batch_size, if it is not None,", batch_size)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.persistent_workers, self.generator = pin_memory, persistent_workers, generator
        if sampler is None and not streamed:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_size is not None and not streamed:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.batch_sampler = batch_sampler
        batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset") and "collate_fn" in vars(self):
            raise ValueError(f"a DataLoader keeps its {name}, from which its batches are made: make another DataLoader.")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __repr__(self) -> str:
        order = self.sampler if self.batch_sampler is None or self.batch_size else self.batch_sampler
        return (
            f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, {'streamed' if order is None else type(order).__name__})"
        )

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            stream = self._stream()
            return self._ahead(itertools.repeat(stream), _next, workers=1) if self.num_workers else stream
        if self.batch_sampler is None:
            return self._run(iter(self.sampler), self._sample)  # type: ignore[arg-type]
        if self._takes_rows(self.dataset) and type(self.batch_sampler) is BatchSampler:
            return self._run(self.batch_sampler.arrays(), self.dataset.rows)
        return self._run(iter(self.batch_sampler), self._batch)

    def _takes_rows(self, dataset: Any) -> bool:
        """Whether a batch is rows of tensors, which need not be taken one by one and put together again."""
        rows = getattr(type(dataset), "__getitem__", None) is TensorDataset.__getitem__
        return rows and self.collate_fn is default_collate

    def _run(self, jobs: Iterator[Any], fetch: Callable[[Any], Any]) -> Iterator[Any]:
        return self._ahead(jobs, fetch, self.num_workers) if self.num_workers else map(fetch, jobs)

    def _sample(self, index: int) -> Any:
        return self.collate_fn(self.dataset[index])

    def _batch(self, indices: list[int]) -> Any:
        dataset = self.dataset
        while type(dataset) is Subset:
            indices, dataset = [dataset.indices[i] for i in indices], dataset.dataset
        if self._takes_rows(dataset):
            return dataset.rows(indices)
        several = getattr(dataset, "__getitems__", None)  # as in PyTorch, a dataset may give several samples at once
        return self.collate_fn(several(indices) if several else [dataset[i] for i in indices])

    def _stream(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        batches = samples if self.batch_size is None else BatchSampler(samples, self.batch_size, self.drop_last)
        yield from map(self.collate_fn, batches)

    def _ahead(self, jobs: Iterator[Any], fetch: Callable[[Any], Any], workers: int) -> Iterator[Any]:
        """Results in order, while threads work on the next ones."""
        numbers = itertools.count()
        seed = 0 if self.generator is None else self.generator.initial_seed()

        def start() -> None:
            number = next(numbers)
            _worker.info = WorkerInfo(number, workers, seed + number, self.dataset)

        def work(job: Any) -> Any:
            if self.worker_init_fn is not None and not hasattr(_worker, "ready"):
                _worker.ready = True
                self.worker_init_fn(_worker.info.id)
            return fetch(job)

        pool = ThreadPoolExecutor(workers, thread_name_prefix="DataLoader", initializer=start)
        waiting: deque[Future] = deque()
        try:
            for job in itertools.islice(jobs, workers * self.prefetch_factor):  # type: ignore[operator]
                waiting.append(pool.submit(work, job))
            while waiting:
                result = _result(waiting.popleft(), self.timeout)
                if result is _END:
                    return
                for job in itertools.islice(jobs, 1):
                    waiting.append(pool.submit(work, job))
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_END = object()


def _next(stream: Iterator[Any]) -> Any:
    return next(stream, _END)


def _result(future: Future, timeout: float) -> Any:
    """What a worker made; its error goes on with its own traceback."""
    try:
        return future.result(timeout or None)
    except TimeoutError:
        if future.done():  # the worker's own error
            raise
        raise RuntimeError(f"a DataLoader worker gave no batch within timeout={timeout} seconds.") from None
