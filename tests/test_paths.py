"""PyTorch's other paths and names, its switches, and what is said about what it has and this library has not."""

from __future__ import annotations

import importlib
import inspect
import sys

import pytest

import tinygrad_edu as tg
from tinygrad_edu import amp, data, nn
from tinygrad_edu.absent import ALMOST_ABSENT, MODULES, NOT_OFFERED
from tinygrad_edu.errors import DtypeError
from tinygrad_edu.paths import PATHS


@pytest.mark.parametrize("path", PATHS)
def test_import_finds_the_path(path: str) -> None:
    assert importlib.import_module(f"tinygrad_edu.{path}") is PATHS[path]
    found = tg
    for part in path.split("."):
        found = getattr(found, part)
    assert found is PATHS[path]


def test_a_path_leads_to_the_same_classes() -> None:
    from tinygrad_edu.nn.modules.batchnorm import _BatchNorm
    from tinygrad_edu.nn.modules.linear import Linear
    from tinygrad_edu.utils.data.dataset import Dataset
    from tinygrad_edu.utils.data.sampler import Sampler

    from tinygrad_edu.cuda.amp import GradScaler

    assert Linear is nn.Linear
    assert issubclass(nn.BatchNorm2d, _BatchNorm)
    assert sys.modules["tinygrad_edu.nn.modules.upsampling"].Upsample is nn.Upsample
    assert Dataset is data.Dataset
    assert Sampler is data.Sampler
    with pytest.warns(UserWarning, match="not enabled"):
        assert isinstance(GradScaler(), amp.GradScaler)


@pytest.mark.parametrize("path", sorted(NOT_OFFERED))
def test_what_is_not_offered_says_why(path: str) -> None:
    above, _, name = path.rpartition(".")
    module = importlib.import_module(f"tinygrad_edu.{above}" if above else "tinygrad_edu")
    assert name not in vars(module), "it is offered: take it out of NOT_OFFERED"
    with pytest.raises(AttributeError, match="has no attribute") as error:
        getattr(module, name)
    assert NOT_OFFERED[path] in str(error.value)
    assert not hasattr(module, name)


@pytest.mark.parametrize("path", ALMOST_ABSENT)
def test_the_rest_of_a_module_that_is_almost_absent_says_why(path: str) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(importlib.import_module(f"tinygrad_edu.{path}"), "something")  # noqa: B009
    assert ALMOST_ABSENT[path] in str(error.value)


def test_programs_may_ask_whether_they_are_one_of_several_or_compiled() -> None:
    import tinygrad_edu.distributed as dist

    for question in (dist.is_available, dist.is_initialized, tg.jit.is_scripting, tg.jit.is_tracing):
        assert question() is False
    for mark in (
        tg.jit.ignore,
        tg.jit.ignore(),
        tg.jit.ignore(drop=True),
        tg.jit.unused,
        tg.jit.export,
        tg.jit.script,
        tg.jit.script_method,
    ):
        assert mark(len) is len


def test_files_with_models_may_import_what_downloads_weights() -> None:
    import tinygrad_edu.utils.model_zoo as model_zoo

    from tinygrad_edu.hub import load_state_dict_from_url

    for download in (model_zoo.load_url, load_state_dict_from_url, tg.hub.load):
        with pytest.raises(NotImplementedError, match="load_state_dict"):
            download("https://example.org/weights.pth")


def test_bfloat16_may_be_named_but_not_used() -> None:
    table = {tg.float16: 1, tg.bfloat16: 2}
    assert table[tg.bfloat16] == 2
    assert tg.ones(1).dtype not in (tg.float16, tg.bfloat16)
    assert not tg.cuda.is_bf16_supported()
    for make in (
        lambda: tg.ones(1, dtype=tg.bfloat16),
        lambda: tg.ones(1).to(tg.bfloat16),
        lambda: nn.Linear(1, 1).to(tg.bfloat16),
    ):
        with pytest.raises(DtypeError, match="bfloat16 is not offered"):
            make()


@pytest.mark.parametrize("path", MODULES)
def test_a_module_that_is_not_offered_says_why(path: str) -> None:
    module = importlib.import_module(f"tinygrad_edu.{path}")
    with pytest.raises(ImportError) as error:
        exec(f"from tinygrad_edu.{path} import Something")
    assert MODULES[path] in str(error.value)
    assert not hasattr(module, "__file__")  # what tools that look at all modules ask
    assert isinstance(inspect.getdoc(module), str)


def test_switches_may_be_set() -> None:
    from tinygrad_edu.backends import cudnn

    before = cudnn.benchmark
    try:
        cudnn.benchmark = True
        assert tg.backends.cudnn is cudnn
        assert tg.backends.cudnn.benchmark
    finally:
        cudnn.benchmark = before
    assert not tg.backends.mps.is_available()


def test_a_number_of_threads_that_cannot_be_set_is_not_set_silently() -> None:
    with pytest.warns(UserWarning, match="OMP_NUM_THREADS=3"):
        tg.set_num_threads(3)
    assert tg.get_num_threads() >= 1


def test_autocast_says_that_it_does_nothing() -> None:
    with pytest.warns(UserWarning, match="no effect"), tg.autocast("cpu"):
        assert tg.ones(2).dtype == tg.float32

    @tg.autocast("cpu", enabled=False)
    def doubled(x: tg.Tensor) -> tg.Tensor:
        return 2 * x

    assert doubled(tg.ones(1)).item() == 2


def test_a_scaler_goes_on_where_it_was_saved() -> None:
    weight = tg.tensor([1.0], requires_grad=True)
    optimizer = tg.optim.SGD([weight], lr=0.1)
    scaler, again = (amp.GradScaler("cpu", init_scale=scale, growth_interval=2) for scale in (4.0, 1.0))
    scaler.scale(weight.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    again.load_state_dict(scaler.state_dict())
    assert again.state_dict() == scaler.state_dict()
    with pytest.raises(RuntimeError, match="after step"):
        again.update()
    with pytest.raises(RuntimeError, match="not enabled"):
        again.load_state_dict(amp.GradScaler("cpu", enabled=False).state_dict())
    with pytest.raises(ValueError, match="growth_factor"):
        amp.GradScaler("cpu", growth_factor=0.5)
    with pytest.raises(ValueError, match="init_scale must be above 0"):
        amp.GradScaler("cpu", init_scale=0)


def test_an_old_type_asks_whether_a_tuple_is_a_size() -> None:
    with pytest.raises(TypeError, match="a size, or"):
        tg.FloatTensor((2, 3))
    with pytest.raises(TypeError, match="a size, or"):
        tg.ones(2).new(tg.ones(2, 3).size())
    assert tg.FloatTensor((0.5, 2)).tolist() == [0.5, 2]


def test_one_package_in_memory() -> None:
    """Aliases must not make second copies of modules."""
    copies = [name for name in sys.modules if name.startswith("tinygrad_edu.nn.modules.") and name[13:] not in PATHS]
    assert not copies
