"""save and load: what goes in comes out, a file is never half written, and nothing but a whole file is read."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import load_file, save_file

import tinygrad_edu as tg
from tinygrad_edu import Tensor, dtypes, nn, optim, tensor
from tinygrad_edu.serialization import FormatError

from . import strict_cupy

ARRAYS = st.sampled_from(dtypes.ALL).flatmap(lambda d: npst.arrays(d, npst.array_shapes(min_dims=0, min_side=0, max_side=3)))
LEAVES = st.one_of(ARRAYS.map(tensor), st.none(), st.booleans(), st.integers(), st.floats(), st.text())
KEYS = st.one_of(st.text(max_size=4), st.sampled_from(["a.b", "__metadata__"]), st.integers(-3, 3))
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal in kind, order and value, NaN included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy(), equal_nan=a.dtype.kind == "f") and a.shape == b.shape
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OBJECTS)
def test_what_is_saved_is_loaded(tmp_path: Path, obj: Any) -> None:
    tg.save(obj, tmp_path / "x")
    assert same(tg.load(tmp_path / "x"), obj)


def test_model_and_optimizer_go_on_where_they_stopped(tmp_path: Path) -> None:
    def start() -> tuple[nn.Module, optim.Optimizer]:
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        return model, optim.Adam(model.parameters(), lr=0.1)

    def step(model: nn.Module, optimizer: optim.Optimizer) -> None:
        optimizer.zero_grad()
        (model(tg.ones(5, 3)) ** 2).sum().backward()
        optimizer.step()

    model, optimizer = start()
    step(model, optimizer)
    tg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}, tmp_path / "x")
    other, other_optimizer = start()
    held = tg.load(tmp_path / "x", map_location="cpu", weights_only=True)
    other.load_state_dict(held["model"])
    other_optimizer.load_state_dict(held["optimizer"])
    step(model, optimizer)
    step(other, other_optimizer)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_names_are_paths(tmp_path: Path) -> None:
    tg.save({"model": {"0.weight": tg.ones(2)}, "others": [1, tg.zeros(3)]}, tmp_path / "x")
    assert sorted(load_file(tmp_path / "x")) == ["model.0.weight", "others.1"]
    tg.save([tg.ones(2)], tmp_path / "x")
    assert list(load_file(tmp_path / "x")) == ["0"]
    tg.save(tg.ones(2), tmp_path / "x")
    assert list(load_file(tmp_path / "x")) == ["tensor"]


def test_paths_that_are_the_same_name(tmp_path: Path) -> None:
    a, b, c, d = map(tensor, range(4))
    obj = {"a": {"b": a, "b_": b}, "a.b": c, "__metadata__": d}
    tg.save(obj, tmp_path / "x")
    assert same(tg.load(tmp_path / "x"), obj)


def test_where_tensors_are_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strict_cupy.install(monkeypatch)
    obj = {"a": tg.arange(3), "b": [tg.ones(1).cuda()]}
    tg.save(obj, tmp_path / "x")
    for where in ("cuda", {"cpu": "cuda:0"}, lambda t, place: t.to({"cpu": "cuda"}[place])):
        held = tg.load(tmp_path / "x", map_location=where)
        assert held["a"].is_cuda
        assert held["b"][0].is_cuda
        assert same({"a": held["a"].cpu(), "b": [held["b"][0].cpu()]}, {"a": obj["a"], "b": [tg.ones(1)]})
    for where in (None, "cpu", {"cuda": "cuda:1"}):
        assert same(tg.load(tmp_path / "x", map_location=where), {"a": obj["a"], "b": [tg.ones(1)]})


def test_plain_safetensors(tmp_path: Path) -> None:
    save_file({"w": np.arange(3.0), "b": np.array(True)}, tmp_path / "x")
    assert same(tg.load(tmp_path / "x"), {"w": tensor(np.arange(3.0)), "b": tensor(np.array(True))})


def test_arrays_and_numbers_of_numpy_are_saved_as_tensors_and_numbers(tmp_path: Path) -> None:
    tg.save({"a": np.arange(3), "b": [np.float64(0.1), np.int32(2), np.bool_(True)]}, tmp_path / "x")
    assert same(tg.load(tmp_path / "x"), {"a": tg.arange(3), "b": [0.1, 2, True]})
    tg.save(tg.ones(2), tmp_path / "x")
    assert same(tg.load(tmp_path / "x", map_location="cpu"), tg.ones(2))


def test_loaded_tensors_can_be_changed(tmp_path: Path) -> None:
    tg.save([tg.ones(2)], tmp_path / "x")
    loaded = tg.load(tmp_path / "x")[0]
    loaded += 1
    assert loaded.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"a": [object()]}, "object at a.0"),
        ({"a": {1.5: 2}}, "key 1.5 at a"),
        (len, "at the top"),
        (np.zeros(2, complex), "complex"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_writing(tmp_path: Path, obj: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        tg.save(obj, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_failing_save_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    tg.save([1], tmp_path / "x")
    before = (tmp_path / "x").read_bytes()

    def fail(*args: Any) -> None:
        if failing == "fsync":
            assert os.fstat(args[0]).st_size > 0  # all of it was handed on before
        raise error

    monkeypatch.setattr(os, failing, fail)
    for name in ("x", "new"):
        with pytest.raises(type(error)):
            tg.save([tg.ones(5)], tmp_path / name)
    assert (tmp_path / "x").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(tmp_path / "run1")
    tg.save([1], tmp_path / "latest")
    assert (tmp_path / "latest").is_symlink()
    assert tg.load(tmp_path / "run1") == [1]


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    tg.save([1], tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert tg.load(io.BytesIO(os.read(reader, 10_000))) == [1]
    os.close(reader)


def test_a_path_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="file open to write bytes, and not a dict"):
        tg.save(str(tmp_path / "x"), {"a": 1})
    with pytest.raises(TypeError, match="file open to read bytes, and not a NoneType"):
        tg.load(None)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tg.save({"a": tg.ones(3), "b": [tg.zeros(2, 2, dtype="int64"), "text"]}, path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError, match="not a whole safetensors file"):
            tg.load(path)
    path.write_bytes(content + b"more")
    with pytest.raises(FormatError, match="not a whole"):
        tg.load(path)


class _Harmful:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("harm",))


def test_pickles_are_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x").write_bytes(pickle.dumps(_Harmful()))
    with pytest.raises(FormatError, match="pickles"):
        tg.load("x")
    assert not Path("harm").exists()


@pytest.mark.parametrize(
    "plan",
    ['{"tensor": "other"}', '{"tensor": []}', "[]", "no json", '{"dict": [1]}', '{"what": 1}', "{}", '{"list": 3}', "null"],
)
def test_damaged_descriptions_are_refused(tmp_path: Path, plan: str) -> None:
    save_file({"w": np.ones(1)}, tmp_path / "x", metadata={"tinygrad_edu": plan})
    with pytest.raises(FormatError, match="damaged"):
        tg.load(tmp_path / "x")


def test_dtypes_that_are_not_offered(tmp_path: Path) -> None:
    save_file({"w": np.ones(1, "uint16")}, tmp_path / "x")
    with pytest.raises(FormatError, match="'w' is of dtype U16"):
        tg.load(tmp_path / "x")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "x")
    with pytest.raises(FileNotFoundError, match=r"folder/x'$"):
        tg.save([1], tmp_path / "folder" / "x")
    with pytest.raises(IsADirectoryError, match=f"{tmp_path.name}'$"):
        tg.save([1], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"file/x'$"):
        tg.save([1], tmp_path / "file" / "x")


def test_the_description_is_json(tmp_path: Path) -> None:
    tg.save({"a": 1}, tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["tinygrad_edu"]) == {"dict": [["a", {"value": 1}]]}
