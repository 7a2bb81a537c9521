"""Data: every sample once, in a reproducible order, with or without workers; and the sets that come with the package."""

from __future__ import annotations

import gzip
import importlib
import itertools
import sys
import threading
import time
import traceback
from collections import Counter, OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Generator, Tensor, data, tensor
from tinygrad_edu.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
    read_idx,
)
from tinygrad_edu.serialization import FormatError
from tinygrad_edu.trees import mapped

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"


class Numbers(Dataset):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        return index


class Counting(IterableDataset):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n))


def seen(loader: DataLoader) -> list[list[int]]:
    return [batch.tolist() for batch in loader]


def flat(batches: list[list[int]]) -> list[int]:
    return [i for batch in batches for i in batch]


# -- loaders -------------------------------------------------------------------------------------------------------
@given(
    n=st.integers(1, 40), size=st.integers(1, 9), shuffle=st.booleans(), drop=st.booleans(), workers=st.sampled_from([0, 0, 0, 2])
)
def test_every_sample_once(n: int, size: int, shuffle: bool, drop: bool, workers: int) -> None:
    loader = DataLoader(Numbers(n), size, shuffle=shuffle, drop_last=drop, num_workers=workers)
    for _ in range(2):
        batches = seen(loader)
        assert len(batches) == len(loader)
        assert all(len(batch) == size for batch in batches[: n // size])
        counts = Counter(flat(batches))
        assert set(counts.values()) <= {1}
        assert len(counts) == (n // size * size if drop else n)
        if not shuffle:
            assert flat(batches) == list(range(len(counts)))


@given(seed=st.integers(0, 2**32), n=st.integers(1, 30), workers=st.integers(0, 3))
def test_a_seed_reproduces_every_epoch(seed: int, n: int, workers: int) -> None:
    def epochs(workers: int) -> list[Any]:
        loader = DataLoader(Numbers(n), 4, shuffle=True, num_workers=workers, generator=Generator().manual_seed(seed))
        return [seen(loader) for _ in range(3)]

    assert epochs(0) == epochs(workers)
    tg.manual_seed(seed)
    first = seen(DataLoader(Numbers(n), 4, shuffle=True))
    tg.manual_seed(seed)
    assert seen(DataLoader(Numbers(n), 4, shuffle=True, num_workers=workers)) == first


def test_epochs_differ() -> None:
    loader = DataLoader(Numbers(50), 50, shuffle=True, generator=Generator().manual_seed(0))
    assert seen(loader) != seen(loader)


def test_order_does_not_depend_on_numbers_drawn_meanwhile() -> None:
    def order(draw: bool) -> list[int]:
        tg.manual_seed(0)
        found = []
        for index in RandomSampler(Numbers(5), num_samples=13):
            found.append(index)
            if draw:
                tg.rand(3)
        return found

    assert order(True) == order(False)
    assert len(order(False)) == 13
    assert max(Counter(order(False)).values()) == 3


@given(n=st.integers(0, 20), size=st.integers(1, 5), drop=st.booleans(), workers=st.sampled_from([0, 2]))
def test_streams(n: int, size: int, drop: bool, workers: int) -> None:
    samples = DataLoader(Counting(n), None, num_workers=workers)
    assert list(samples) == list(range(n))
    assert len(samples) == n
    loader = DataLoader(Counting(n), size, drop_last=drop, num_workers=workers)
    batches = seen(loader)
    assert flat(batches) == list(range(n // size * size if drop else n))
    assert len(loader) == len(batches)


def test_slow_workers_keep_the_order() -> None:
    class Slow(Numbers):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.002 * (7 - index % 8))
            return index

    assert flat(seen(DataLoader(Slow(40), 3, num_workers=4))) == list(range(40))


@pytest.mark.parametrize("make", [Numbers, Counting])
def test_an_error_in_a_worker_shows_its_traceback(make: Callable[[int], Any]) -> None:
    class Broken(make):  # type: ignore[misc,valid-type]
        def __getitem__(self, index: int) -> int:
            return self.read_file(index)

        def __iter__(self) -> Iterator[int]:
            return map(self.read_file, range(self.n))

        def read_file(self, index: int) -> int:
            if index == 5:
                raise KeyError("picture 5 is damaged")
            return index

    loader = DataLoader(Broken(9), 2, num_workers=2)
    found = []
    with pytest.raises(KeyError, match="picture 5 is damaged") as caught:
        found.extend(batch.tolist() for batch in loader)
    assert found == [[0, 1], [2, 3]]
    assert "read_file" in "".join(traceback.format_exception(caught.value))


def test_worker_info_and_init() -> None:
    started = []
    generator = Generator().manual_seed(7)

    class Info(Numbers):
        def __getitem__(self, index: int) -> int:
            info = get_worker_info()
            assert info is not None
            assert info.num_workers == 2
            assert info.dataset is self
            assert info.id in started
            assert info.seed == 7 + info.id
            return index

    class Stream(Counting):
        def __iter__(self) -> Iterator[int]:
            info = get_worker_info()
            assert info is not None
            assert (info.id, info.num_workers) == (0, 1)
            return super().__iter__()

    loader = DataLoader(Info(9), 2, num_workers=2, worker_init_fn=started.append, generator=generator)
    assert flat(seen(loader)) == list(range(9))
    assert sorted(started) in ([0], [0, 1], [1])  # each once
    assert flat(seen(DataLoader(Stream(9), 2, num_workers=2))) == list(range(9))
    assert get_worker_info() is None


def test_timeout() -> None:
    wait = threading.Event()

    class Stuck(Numbers):
        def __getitem__(self, index: int) -> int:
            wait.wait(5)
            return index

    with pytest.raises(RuntimeError, match=r"timeout=0\.05"):
        next(iter(DataLoader(Stuck(3), num_workers=1, timeout=0.05)))
    wait.set()

    class Refusing(Numbers):
        def __getitem__(self, index: int) -> int:
            raise TimeoutError("the server did not answer")

    with pytest.raises(TimeoutError, match="the server did not answer"):
        next(iter(DataLoader(Refusing(3), num_workers=1)))


def test_leaving_early_stops_reading() -> None:
    class Watched(Numbers):
        asked = 0

        def __getitem__(self, index: int) -> int:
            Watched.asked += 1
            return index

    for batch in DataLoader(Watched(1000), 1, num_workers=2, prefetch_factor=3):
        if batch.item() == 9:
            time.sleep(0.05)  # in which the workers read all that they may
            break
    assert Watched.asked <= 10 + 2 * 3


def test_batch_size_none_gives_samples() -> None:
    x = np.arange(6.0).reshape(3, 2)
    samples = list(DataLoader([(row, i) for i, row in enumerate(x)], batch_size=None))  # type: ignore[arg-type]
    assert [(row.tolist(), i) for row, i in samples] == [([0, 1], 0), ([2, 3], 1), ([4, 5], 2)]
    assert isinstance(samples[0][0], Tensor)


def test_how_far_workers_read_ahead() -> None:
    assert DataLoader(Numbers(3)).prefetch_factor is None
    assert DataLoader(Numbers(3), num_workers=1, persistent_workers=True).prefetch_factor == 2
    assert DataLoader(Numbers(3), num_workers=1, prefetch_factor=1).prefetch_factor == 1


def test_samplers_and_collate_of_ones_own() -> None:
    assert seen(DataLoader(Numbers(9), 2, sampler=[3, 1, 4])) == [[3, 1], [4]]
    assert seen(DataLoader(Numbers(9), batch_sampler=[[1, 2, 3], [8]])) == [[1, 2, 3], [8]]
    assert list(DataLoader(Numbers(4), 2, collate_fn=sum)) == [1, 5]
    assert sorted(SubsetRandomSampler([3, 5, 7])) == [3, 5, 7]
    assert set(WeightedRandomSampler([0, 1, 0, 2], 50)) == {1, 3}
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert set(RandomSampler(Numbers(3), replacement=True, num_samples=100)) == {0, 1, 2}
    for sampler, n in ((SubsetRandomSampler([3, 5]), 2), (WeightedRandomSampler([1, 1], 50), 50), ([3, 1, 4], 3)):
        assert len(DataLoader(Numbers(9), 2, sampler=sampler)) == -(-n // 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda generator: RandomSampler(Numbers(50), generator=generator),
        lambda generator: RandomSampler(Numbers(50), replacement=True, generator=generator),
        lambda generator: SubsetRandomSampler(range(50), generator),
        lambda generator: WeightedRandomSampler([1.0] * 50, 50, generator=generator),
        lambda generator: WeightedRandomSampler([1.0] * 50, 50, replacement=False, generator=generator),
    ],
)
def test_orders_are_drawn_by_their_generator(make: Callable[[Generator], Any]) -> None:
    orders = []
    for seed, other in ((1, 2), (1, 3), (2, 3)):
        tg.manual_seed(other)
        orders.append(list(make(Generator().manual_seed(seed))))
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
        ({"num_workers": -1}, "num_workers"),
        ({"num_workers": 1.5}, "num_workers"),
        ({"timeout": -1}, "timeout"),
        ({"prefetch_factor": 2}, "prefetch_factor"),
        ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor"),
        ({"persistent_workers": True}, "persistent_workers"),
        ({"shuffle": True, "sampler": [1]}, "sampler"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler"),
        ({"batch_sampler": [[1]], "shuffle": True}, "batch_sampler"),
        ({"batch_sampler": [[1]], "sampler": [1]}, "batch_sampler"),
        ({"batch_sampler": [[1]], "drop_last": True}, "batch_sampler"),
    ],
)
def test_refused_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Numbers(3), **settings)


def test_refused_data() -> None:
    with pytest.raises(TypeError, match=r"train is True or False, .* not 'folder'"):
        data.mnist("folder")
    with pytest.raises(ValueError, match=r"num_samples must be a whole number, at least 1, not 2\.5"):
        RandomSampler(Numbers(3), num_samples=2.5)
    with pytest.raises(TypeError, match="not offered"):
        next(iter(DataLoader([np.array("text")], 1)))
    with pytest.raises(TypeError, match=r"one of these is a ndarray: write tensor\(\.\.\.\) around it"):
        TensorDataset(np.ones(3))
    for mask in ([True, False, True], tensor([True, False, True]), np.array([True, False])):
        with pytest.raises(TypeError, match="not a mask"):
            Subset(Numbers(3), mask)
    with pytest.raises(TypeError, match="by whole numbers"):
        list(DataLoader(TensorDataset(tg.arange(3)), sampler=[1.7]))
    for n in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"a whole number, at least 1, not {n}"):
            data.moons(n)
    with pytest.raises(ValueError, match="empty"):
        DataLoader(Numbers(0), shuffle=True)
    with pytest.raises(ValueError, match="IterableDataset"):
        DataLoader(Counting(3), shuffle=True)
    with pytest.raises(ValueError, match="IterableDataset"):
        DataLoader(Counting(3), sampler=[1])
    with pytest.raises(ValueError, match="IterableDataset"):
        DataLoader(Counting(3), batch_sampler=[[1]])
    with pytest.raises(ValueError, match="batch_size, if it is not None, must be a whole number"):
        DataLoader(Counting(3), 0)
    with pytest.raises(ValueError, match="num_samples must be a whole number, at least 1, not 0"):
        RandomSampler(Numbers(3), num_samples=0)
    with pytest.raises(ValueError, match="num_samples must be a whole number, at least 1, not 0"):
        WeightedRandomSampler([1.0], 0)
    with pytest.raises(ValueError, match=r"weights must be a sequence of numbers, but their shape is \(1, 1\)"):
        WeightedRandomSampler([[1.0]], 1)
    for size in (0, True, 2.0):
        with pytest.raises(ValueError, match="batch_size must be a whole number, at least 1"):
            BatchSampler([1, 2], size, False)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="equal lengths"):
        TensorDataset(tg.ones(2), tg.ones(3))


# -- collate -------------------------------------------------------------------------------------------------------
Point = namedtuple("Point", ["x", "label"])


def test_collate_nested() -> None:
    samples = [
        {
            "image": np.full((2, 2), i, "float32"),
            "size": (i, float(i)),
            "name": f"n{i}",
            "more": [{"t": tensor([i])}],
            "ok": i > 0,
        }
        for i in range(3)
    ]
    batch = default_collate(samples)
    assert batch["image"].shape == (3, 2, 2)
    assert batch["image"].dtype == tg.float32
    assert batch["size"][0].tolist() == [0, 1, 2]
    assert batch["size"][0].dtype == tg.int64
    assert batch["size"][1].dtype == tg.float64
    assert batch["name"] == ["n0", "n1", "n2"]
    assert batch["more"][0]["t"].tolist() == [[0], [1], [2]]
    assert batch["ok"].tolist() == [False, True, True]


def test_collate_keeps_kinds() -> None:
    batch = default_collate([Point(np.float32(1), 2), Point(np.float32(3), 4)])
    assert isinstance(batch, Point)
    assert batch.x.dtype == tg.float32
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict
    assert default_collate([MappingProxyType({"a": 1})])["a"].tolist() == [1]
    assert type(default_convert(OrderedDict(a=np.ones(2)))["a"]) is Tensor
    assert type(default_convert(Point(np.ones(2), 1)).x) is Tensor


def test_collate_refuses() -> None:
    with pytest.raises(RuntimeError, match="equal numbers"):
        default_collate([(1, 2), (1,)])
    with pytest.raises(TypeError, match="cannot make a batch of object"):
        default_collate([object()])
    for make in (tg.ones, np.ones):
        with pytest.raises(RuntimeError, match=r"one shape, and here are \(2,\) and \(3,\).*pad_sequence"):
            default_collate([make(2), make(2), make(3)])


# -- datasets ------------------------------------------------------------------------------------------------------
class Backwards(BatchSampler):
    """A batch sampler of one's own."""

    def __iter__(self) -> Iterator[list[int]]:
        return map(list, map(reversed, super().__iter__()))


HOW: list[Callable[[int, int], dict[str, Any]]] = [
    lambda n, size: {"batch_size": size, "shuffle": True, "generator": Generator().manual_seed(n)},
    lambda n, size: {"batch_size": None},
    lambda n, size: {"batch_size": size, "collate_fn": len},
    lambda n, size: {"batch_size": size, "sampler": range(n)[::-2]},
    lambda n, size: {"batch_sampler": [[0], [n - 1, 0]]},
    lambda n, size: {"batch_sampler": Backwards(range(n), size, False)},
]


@given(n=st.integers(1, 30), size=st.integers(1, 7), how=st.sampled_from(HOW))
def test_batches_of_rows_are_the_samples(n: int, size: int, how: Callable[[int, int], dict[str, Any]]) -> None:
    """TensorDatasets are cut row-wise at once, also behind subsets; that must give what sample by sample gives."""
    dataset = TensorDataset(tg.rand(n, 2), tg.arange(n))
    part = Subset(Subset(dataset, list(range(n))[::-1]), list(range(0, n, 2)))

    def batches(of: Any) -> list[Any]:
        return mapped(lambda x: x.tolist() if isinstance(x, Tensor) else x, [*DataLoader(of, **how(len(of), size))])

    for each in (dataset, part):
        assert batches(each) == batches([each[i] for i in range(len(each))])


@given(n=st.integers(1, 30), size=st.integers(1, 7), drop=st.booleans(), wanted=st.integers(1, 70), again=st.booleans())
def test_rows_are_taken_in_the_samplers_order(n: int, size: int, drop: bool, wanted: int, again: bool) -> None:
    dataset = TensorDataset(tg.arange(n))
    drawn: list[Callable[[], Any]] = [
        lambda: data.SequentialSampler(dataset),
        lambda: data.RandomSampler(dataset, again, wanted, Generator().manual_seed(wanted)),
        lambda: data.SubsetRandomSampler(range(n), Generator().manual_seed(wanted)),
    ]
    for sampler in drawn:
        found = [x.tolist() for (x,) in DataLoader(dataset, size, sampler=sampler(), drop_last=drop)]
        assert found == list(BatchSampler(sampler(), size, drop))


def test_a_subclass_with_its_own_getitem_is_asked() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(2 * t for t in super().__getitem__(index))

    class Half(Subset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(t / 2 for t in super().__getitem__(index))

    assert next(iter(DataLoader(Doubled(tg.ones(3)), 3)))[0].tolist() == [2, 2, 2]
    assert next(iter(DataLoader(Half(TensorDataset(tg.ones(3)), [0, 1]), 3)))[0].tolist() == [0.5, 0.5]


@given(n=st.integers(0, 30), cuts=st.lists(st.integers(0, 30), max_size=3), seed=st.integers(0, 9))
def test_random_split(n: int, cuts: list[int], seed: int) -> None:
    ends = [0, *sorted(min(cut, n) for cut in cuts), n]
    lengths = [b - a for a, b in itertools.pairwise(ends)]
    parts = random_split(Numbers(n), lengths, Generator().manual_seed(seed))
    assert [len(part) for part in parts] == lengths
    assert sorted(part[i] for part in parts for i in range(len(part))) == list(range(n))
    again = random_split(Numbers(n), lengths, Generator().manual_seed(seed))
    assert [part.indices for part in again] == [part.indices for part in parts]


def test_random_split_by_fractions() -> None:
    assert [len(part) for part in random_split(Numbers(10), [0.5, 0.3, 0.2])] == [5, 3, 2]
    assert [len(part) for part in random_split(Numbers(7), [0.5, 0.5])] == [4, 3]
    for wrong in ([3, 3], [-1, 11], [0.5, 0.6], [5.5, 4.5]):
        with pytest.raises(ValueError, match="lengths"):
            random_split(Numbers(10), wrong)


def test_concat_and_chain() -> None:
    both = Numbers(3) + Numbers(2)
    assert [both[i] for i in range(-5, 5)] == [0, 1, 2, 0, 1] * 2
    with pytest.raises(IndexError):
        both[5]
    with pytest.raises(TypeError, match="ChainDataset"):
        ConcatDataset([Counting(2)])
    assert list(ChainDataset([Counting(2), Counting(3)])) == [0, 1, 0, 1, 2]
    for make in (lambda: ChainDataset([Counting(2), Numbers(3)]), lambda: Counting(2) + Numbers(3)):
        with pytest.raises(TypeError, match="ChainDataset takes IterableDatasets, and one of these is a Numbers"):
            make()


def test_a_chain_is_as_long_as_its_parts() -> None:
    class Endless(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            return itertools.count()

    assert len(DataLoader(ChainDataset([Counting(2), Counting(3)]), batch_size=2)) == 3
    with pytest.raises(TypeError, match="len"):
        len(ChainDataset([Counting(2), Endless()]))


@pytest.mark.parametrize("name", ["batch_size", "batch_sampler", "sampler", "drop_last", "dataset"])
def test_a_loader_keeps_what_its_batches_are_made_from(name: str) -> None:
    """A new batch_size would change nothing."""
    loader = DataLoader(Numbers(4), batch_size=2)
    with pytest.raises(ValueError, match=f"keeps its {name}"):
        setattr(loader, name, 4)
    loader.collate_fn = tuple
    assert list(loader) == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomSampler(Numbers(9)),
        lambda: RandomSampler(Numbers(9), replacement=True),
        lambda: SubsetRandomSampler(range(9)),
        lambda: WeightedRandomSampler([1.0] * 9, 9),
    ],
)
def test_an_order_is_drawn_when_its_first_sample_is_asked_for(make: Any) -> None:
    rows = DataLoader(TensorDataset(tg.arange(9)), sampler=make(), collate_fn=lambda samples: samples[0][0].item())
    quick = DataLoader(TensorDataset(tg.arange(9)), sampler=make())
    for iterable in (make(), rows, quick):
        tg.manual_seed(3)
        expected = list(iterable)
        order = iter(iterable)
        tg.manual_seed(3)
        assert [next(order), *order] == expected


# -- PyTorch's paths -----------------------------------------------------------------------------------------------
def test_reachable_under_pytorchs_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_edu.utils.data import DataLoader as SameLoader

    assert SameLoader is DataLoader
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        monkeypatch.delitem(sys.modules, name)
    for name, module in list(sys.modules.items()):
        if name == "tinygrad_edu" or name.startswith("tinygrad_edu."):
            monkeypatch.setitem(sys.modules, "torch" + name.removeprefix("tinygrad_edu"), module)
    space: dict[str, Any] = {}
    exec("import torch.utils.data as D\nfrom torch.utils.data import DataLoader, TensorDataset, random_split", space)
    assert space["DataLoader"] is DataLoader is space["D"].DataLoader
    assert importlib.import_module("torch.utils.data") is tg.utils.data


# -- sets ----------------------------------------------------------------------------------------------------------
SETS: dict[str, tuple[Callable[[], data.Table], tuple[int, ...], int]] = {
    "iris": (data.iris, (150, 4), 3),
    "digits": (data.digits, (1797, 1, 8, 8), 10),
    "xor": (data.xor, (200, 2), 2),
    "moons": (data.moons, (200, 2), 2),
    "circles": (data.circles, (200, 2), 2),
    "spirals": (lambda: data.spirals(classes=3), (300, 2), 3),
    "blobs": (lambda: data.blobs(features=5), (300, 5), 3),
    "sine_waves": (data.sine_waves, (200, 1000), 10),
}


@pytest.mark.parametrize("name", SETS)
def test_sets(name: str) -> None:
    make, shape, classes = SETS[name]
    table = make()
    assert table.x.shape == shape
    assert table.x.dtype == tg.float32
    assert table.y.dtype == tg.int64
    assert np.isfinite(table.x.numpy()).all()
    assert len(table.class_names) == classes
    counts = np.bincount(table.y.numpy(), minlength=classes)
    assert counts.max() - counts.min() <= (10 if name == "digits" else 1)
    assert make().x.tolist() == table.x.tolist()
    x, y = table[3]
    assert (x.shape, y.item()) == (shape[1:], table.y[3].item())


@given(n=st.integers(1, 50), name=st.sampled_from(["xor", "moons", "circles", "spirals", "blobs"]))
def test_made_up_sets_of_any_size(n: int, name: str) -> None:
    make = getattr(data, name)
    assert len(make(n, seed=1)) == n
    assert make(n, seed=1).x.tolist() == make(n, seed=1).x.tolist() != make(n, seed=2).x.tolist()


def test_sine_waves_are_sines() -> None:
    table = data.sine_waves()
    np.testing.assert_allclose(table.x[25].numpy(), np.sin(2 * np.linspace(0, 10, 1000) + 2 * np.pi * 5 / 20), atol=1e-6)
    assert table.y[25].item() == 1


def test_digits_are_digits() -> None:
    table = data.digits()
    assert (table.x.min().item(), table.x.max().item()) == (0, 1)
    assert table.y[:10].tolist() == list(range(10))


def test_breast_cancer_is_what_the_authors_describe() -> None:
    """357 benign and 212 malignant, and radii from 6.981 to 28.11 (wdbc.names of the UCI repository)."""
    table = data.breast_cancer()
    assert (table.x.shape, table.x.dtype, table.y.dtype) == ((569, 30), tg.float32, tg.int64)
    assert np.bincount(table.y.numpy()).tolist() == [212, 357]
    assert len(table.feature_names) == len(set(table.feature_names)) == 30
    radius = table.x[:, table.feature_names.index("mean radius")]
    np.testing.assert_allclose([radius.min().item(), radius.max().item()], [6.981, 28.11], rtol=1e-6)
    worst = table.x[:, table.feature_names.index("worst radius")]
    assert (worst >= radius).numpy().all()


# -- IDX files -----------------------------------------------------------------------------------------------------
IDX = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])


def test_read_idx(tmp_path: Path) -> None:
    for content in (IDX, gzip.compress(IDX)):
        (tmp_path / "x").write_bytes(content)
        assert read_idx(tmp_path / "x").tolist() == [[1, 2, 3], [4, 5, 6]]
    (tmp_path / "x").write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 1, 1, 0]))
    assert read_idx(tmp_path / "x").tolist() == [256]


@pytest.mark.parametrize(
    "content", [*(IDX[:n] for n in range(len(IDX))), IDX + b"1", b"\x1f\x8b12", gzip.compress(IDX, mtime=0)[:-3], b"PNG..."]
)
def test_read_idx_refuses(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FormatError, match="x is "):
        read_idx(tmp_path / "x")


def test_mnist_from_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"t10k-images-idx3-ubyte\.gz"):
        data.mnist(False, tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 255]))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 3])))
    for make in (data.mnist, data.fashion_mnist):
        table = make(False, tmp_path)
        assert table.x.tolist() == [[[[0]]], [[[1]]]]
        assert table.y.tolist() == [7, 3]
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7])))
    with pytest.raises(FormatError, match="do not belong together"):
        data.mnist(False, tmp_path)


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"tinygrad-edu\[data\]"):
        data.fashion_mnist()
    with pytest.raises(ImportError, match=r"tinygrad-edu\[data\]"):
        data.olivetti_faces()


def test_downloads_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pooch is asked for the right files with their checksums (a stand-in answers from a folder)."""
    asked = []

    class Pooch:
        @staticmethod
        def os_cache(name: str) -> Path:
            return tmp_path / name

        @staticmethod
        def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
            asked.append((url, known_hash, fname))
            content = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9] if "images" in url else [0, 0, 8, 1, 0, 0, 0, 1, 4]
            path.mkdir(parents=True, exist_ok=True)
            (path / fname).write_bytes(bytes(content))
            return str(path / fname)

    monkeypatch.setitem(sys.modules, "pooch", Pooch)
    assert data.mnist().y.tolist() == [4]
    assert [fname for _, _, fname in asked] == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    assert all(known.startswith("md5:") and len(known) == 36 for _, known, _ in asked)


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's files are not there")
def test_mnist_itself() -> None:
    table = data.mnist(False, MNIST)
    assert table.x.shape == (10_000, 1, 28, 28)
    assert table.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert len(data.mnist(True, MNIST)) == 60_000


def test_datasets_and_loaders_say_what_they_are() -> None:
    table = data.TensorDataset(tg.ones(10, 3), tg.zeros(10, dtype=tg.int64))
    shown = "TensorDataset(10 samples: (10, 3) float32, (10,) int64)"
    assert repr(table) == shown
    assert repr(data.Subset(table, [1, 2])) == f"Subset(2 samples of {shown})"
    assert repr(table + table) == f"ConcatDataset(20 samples: {shown}, {shown})"
    assert repr(data.DataLoader(table, 4, shuffle=True)) == f"DataLoader({shown}, batch_size=4, RandomSampler)"
    assert repr(data.DataLoader(table, None)) == f"DataLoader({shown}, batch_size=None, SequentialSampler)"
    assert repr(data.DataLoader(Counting(2), 4)).endswith(", batch_size=4, streamed)")
    batches = data.BatchSampler(data.SequentialSampler(table), 2, False)
    assert repr(data.DataLoader(table, batch_sampler=batches)) == f"DataLoader({shown}, batch_size=None, BatchSampler)"
