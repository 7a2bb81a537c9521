"""Devices: moving between them, refusing to mix them, and what is said where there is no CuPy. CuPy is played by strict_cupy."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import distributions
from tinygrad_edu.errors import DeviceError

from . import strict_cupy


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with two GPUs."""
    strict_cupy.install(monkeypatch)
    yield
    tg.set_default_device("cpu")


@pytest.fixture
def no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)  # what `import cupy` then raises is an ImportError


# -- the stand-in is strict ------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("cuda")
class TestStandIn:
    def array(self) -> strict_cupy.ndarray:
        return strict_cupy.asarray(np.arange(6.0).reshape(2, 3))

    def test_never_becomes_numpy_by_itself(self) -> None:
        with pytest.raises(TypeError, match="Implicit conversion"):
            np.asarray(self.array())

    def test_refuses_numpy_operands(self) -> None:
        for function in (
            np.add,
            lambda a, b: a + b,
            lambda a, b: b + a,
            lambda a, b: np.concatenate([a, b]),
            lambda a, b: np.where(b > 2, a, a),
        ):
            with pytest.raises(TypeError):
                function(self.array(), np.ones((2, 3)))

    def test_refuses_numpy_indices_values_and_outputs(self) -> None:
        with pytest.raises(TypeError):
            self.array()[np.array([0, 1])]
        with pytest.raises(TypeError):
            self.array()[:] = np.zeros((2, 3))
        with pytest.raises(TypeError):
            np.exp(self.array(), out=np.zeros((2, 3)))

    def test_takes_scalars(self) -> None:
        assert (self.array() + 1 + np.float64(1)).dtype == np.float64
        assert (strict_cupy.asarray(np.float32([1])) * 2.0).dtype == np.float32

    def test_knows_only_what_cupy_knows(self) -> None:
        for call in (
            lambda a: np.maximum.accumulate(a),
            lambda a: np.nanquantile(a, 0.5),
            lambda a: np.max(a, initial=0.0),
            lambda a: np.sort(a, kind="quicksort"),
            lambda a: np.linalg.multi_dot([a, a.T]),
            lambda a: np.eye(3, like=a),  # hands on device=None
            lambda a: np.max(a, axis=[0, 1]),
            lambda a: np.where(2 > 1, a, a),
            lambda a: np.isin(a, 2),
            lambda a: np.full_like(a, 2, shape=()),
            lambda a: np.linalg.solve(a[:, :2], a[:1, :2]),
            lambda a: np.subtract.at(a, strict_cupy.asarray([0]), 1.0),
        ):
            with pytest.raises((TypeError, ValueError, AttributeError, NotImplementedError, AssertionError)):
                call(self.array())

    def test_is_as_wrong_as_cupy_without_a_word(self) -> None:
        a, index = self.array(), strict_cupy.asarray([0, 5])
        assert a[index].tolist() == [[0, 1, 2], [3, 4, 5]]  # the index starts again at 0
        assert np.isnan(np.linalg.inv(a[:, :2] * 0).get()).all()
        largest = strict_cupy.asarray([0.0])
        np.maximum.at(largest, strict_cupy.asarray([0, 0]), strict_cupy.asarray([np.nan, 0.1]))
        assert largest.tolist() == [float(np.float32(0.1))]

    def test_knows_what_makes_the_cpu_wait(self) -> None:
        a = self.array()
        for look in (lambda: a[a > 1], lambda: a.__setitem__(a > 1, 0), lambda: np.where(a > 1), lambda: a.sum().item()):
            with strict_cupy.no_waiting(), pytest.raises(AssertionError, match="waits"):
                look()

    def test_views_share_memory_and_name_their_base(self) -> None:
        a = self.array()
        row = a[0]
        row[1] = 9.0
        assert float(a[0, 1]) == 9.0
        assert row.base is a
        assert row[1:].base is a

    def test_two_devices_do_not_mix(self) -> None:
        with strict_cupy.Device(1):
            other = self.array()
        with pytest.raises(ValueError, match="device"):
            self.array() + other
        with pytest.raises(ValueError, match="device"):
            other + other


# -- tensors on devices ----------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("cuda")
def test_round_trips_carry_gradients() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x.to("cuda")
    assert y.device == "cuda"
    assert y.device == tg.device("cuda:0")
    z = (y * y).cpu()
    assert z.device == "cpu"
    z.sum().backward()
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.usefixtures("cuda")
def test_second_derivatives_through_a_move() -> None:
    x = tg.tensor(3.0, requires_grad=True, dtype=tg.float64)
    (first,) = tg.autograd.grad((x.cuda() ** 3).cpu(), x, create_graph=True)
    (second,) = tg.autograd.grad(first, x)
    assert (first.item(), second.item()) == (27.0, 18.0)


@pytest.mark.usefixtures("cuda")
def test_to_the_place_where_it_is_is_itself() -> None:
    x = tg.ones(2, device="cuda")
    assert x.to("cuda") is x
    assert x.cuda() is x
    assert x.cpu().cpu().device == "cpu"
    assert x.is_cuda


@pytest.mark.usefixtures("cuda")
def test_a_program_keeps_to_the_gpu_that_it_asked_for_first() -> None:
    """CuPy puts results on its current device, so everything is there, or refused."""
    x = tg.ones(3, device="cuda:1", requires_grad=True)
    y = (x * 2).sum()
    y.backward()
    assert {t.device for t in (y, x.grad, tg.rand(3, device="cuda:1"), x.cpu().to("cuda:1"))} == {tg.device("cuda:1")}
    for ask in (lambda: tg.zeros(2, device="cuda"), lambda: x.to("cuda:0"), lambda: tg.set_default_device("cuda")):
        with pytest.raises(DeviceError, match='uses "cuda:1" already'):
            ask()


@pytest.mark.parametrize("name", ["gpu", "float23"])
def test_what_is_neither_device_nor_dtype_is_refused_with_both_lists(name: str) -> None:
    with pytest.raises(DeviceError, match=rf"'{name}'.*device \(\"cpu\", \"cuda\".*dtype \(float16"):
        tg.ones(2).to(name)


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    "operation", [lambda a, b: a + b, lambda a, b: a @ b, lambda a, b: tg.where(a > 0, a, b), lambda a, b: tg.cat([a, b])]
)
def test_mixed_devices_are_refused_and_both_named(operation) -> None:
    here, there = tg.ones(2, 2), tg.ones(2, 2, device="cuda")
    for a, b in ((here, there), (there, here)):
        with pytest.raises(DeviceError, match=r"cpu.*cuda:0|cuda:0.*cpu"):
            operation(a, b)


@pytest.mark.usefixtures("cuda")
def test_weights_on_another_device_are_named() -> None:
    x = tg.ones(2, 3, device="cuda", requires_grad=True)
    with pytest.raises(DeviceError, match="scores are on cuda:0, the weight of the classes on cpu"):
        tg.nn.functional.cross_entropy(x, tg.tensor([0, 1], device="cuda"), weight=tg.ones(3))


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(("scores", "labels"), [("cpu", "cuda"), ("cuda", "cpu")])
@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_labels_on_another_device_are_named(loss: str, scores: str, labels: str) -> None:
    with pytest.raises(DeviceError, match=f"the scores are on {scores}.*the labels on {labels}.*move"):
        getattr(tg.nn.functional, loss)(tg.ones(2, 3, device=scores), tg.tensor([0, 2], device=labels))


@pytest.mark.usefixtures("cuda")
def test_rules_are_checked_on_the_device() -> None:
    x = tg.tensor([[1.0, 2.0, 4.0], [0.0, -1.0, 3.0]], requires_grad=True)
    for loss in (
        tg.nn.functional.cross_entropy(x.cuda(), tg.tensor([0, 2], device="cuda")),
        x.cuda()[tg.tensor([1, 1], device="cuda")].sum(),
    ):
        checked = tg.check_graph(loss)
        assert len(checked.rules) > 1
        assert not checked.wrong


@pytest.mark.usefixtures("cuda")
def test_anomalies_are_found_on_the_device() -> None:
    x = tg.zeros(2, device="cuda", requires_grad=True)
    with tg.autograd.detect_anomaly():
        (x * 2).sum().backward()
        with pytest.raises(tg.errors.AnomalyError, match="sqrt"):
            tg.sqrt(x).sum().backward()


@pytest.mark.usefixtures("cuda")
def test_a_matrix_without_an_inverse_raises() -> None:
    x = tg.zeros(2, 2, device="cuda")
    for function in (tg.linalg.inv, tg.linalg.cholesky, lambda x: tg.linalg.solve(x, x)):
        with pytest.raises(tg.linalg.LinAlgError):
            function(x)


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: x[i], lambda x, i: x[:, i], lambda x, i: x[i, 0], lambda x, i: tg.index_put(x, (i,), tg.ones(2, device="cuda")),
        lambda x, i: tg.nn.functional.embedding(i, x), lambda x, i: tg.index_select(x, 0, i), lambda x, i: tg.take(x, i * 9),
        lambda x, i: tg.gather(x, 0, i[:, None]), lambda x, i: tg.scatter(x, 0, i[:, None], 1.0),
        lambda x, i: tg.nn.functional.one_hot(i, 3),
    ],
)  # fmt: skip
def test_an_index_out_of_range_is_reported_with_the_next_look(function) -> None:  # CuPy's indices start again at 0
    with pytest.raises((IndexError, RuntimeError), match=r"out of range|is not in"):
        function(tg.zeros(3, 2, device="cuda"), tg.tensor([0, 7], device="cuda")).tolist()


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("reduce", ["amax", "amin"])
def test_extremes_at_places(dtype: str, reduce: str) -> None:
    """As exact on the GPU as on the CPU, where CuPy's are not, with NaN as the extreme of all."""
    numbers = [[0.1, -3.0, 7.0, 100.0, -0.0, 5.0]]
    if dtype.startswith("float"):
        numbers += [[np.nan, np.inf, -np.inf, 0.3, -np.nan, 1e-3]]
    for row in numbers:
        x, src = tg.tensor([1.0, 0.25, -2.0]).to(dtype), tg.tensor(row).to(dtype)
        index = tg.tensor([0, 1, 1, 2, 0, 1])
        here = x.scatter_reduce(0, index, src, reduce)
        there = x.cuda().scatter_reduce(0, index.cuda(), src.cuda(), reduce)
        np.testing.assert_array_equal(there.cpu().numpy(), here.numpy())


@pytest.mark.usefixtures("cuda")
def test_python_numbers_fit_everywhere() -> None:
    x = tg.ones(2, device="cuda")
    assert (2 * x + 1).cpu().tolist() == [3.0, 3.0]


@pytest.mark.usefixtures("cuda")
def test_leaving_the_device_is_explicit() -> None:
    x = tg.ones(2, device="cuda")
    with pytest.raises(DeviceError, match=r"cpu\(\)"):
        x.numpy()
    assert x.tolist() == [1.0, 1.0]
    assert x.sum().item() == 2.0
    assert "cuda" in repr(x)


@pytest.mark.usefixtures("cuda")
def test_default_device() -> None:
    tg.set_default_device("cuda")
    assert tg.get_default_device() == "cuda"
    numbers = np.ones(2)
    for made in (
        tg.tensor([1.0]), tg.zeros(2), tg.arange(3), tg.rand(2), tg.randint(3, (2,)), tg.eye(2), tg.tensor(numbers),
        tg.tensor(numbers[0]), tg.as_tensor(numbers),
    ):  # fmt: skip
        assert made.device == "cuda"
    assert tg.from_numpy(numbers).device == "cpu"
    assert tg.tensor([1.0], device="cpu").device == "cpu"
    tg.set_default_device("cpu")
    with tg.device("cuda"):
        with tg.device("cpu"):
            assert tg.zeros(2).device == "cpu"
        assert tg.zeros(2).device == "cuda"
    assert tg.zeros(2).device == "cpu"


@pytest.mark.usefixtures("cuda")
def test_like_functions_stay_on_the_device() -> None:
    x = tg.ones(2, device="cuda")
    for made in (tg.zeros_like(x), tg.rand_like(x), x.new_zeros(3), tg.full_like(x, 2.0), x.clone(), x.detach()):
        assert made.device == "cuda"


@pytest.mark.usefixtures("cuda")
def test_in_place_on_the_device() -> None:
    x = tg.zeros(3, device="cuda")
    x += 1
    x[0] = 5.0
    x.mul_(2)
    assert x.tolist() == [10.0, 2.0, 2.0]


@pytest.mark.usefixtures("cuda")
def test_training_on_the_device() -> None:
    w = tg.zeros(2, 1, device="cuda", requires_grad=True)
    x, y = tg.randn(20, 2, device="cuda"), tg.ones(20, 1, device="cuda")
    losses = []
    for _ in range(20):
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        with tg.no_grad():
            w -= 0.1 * w.grad
        w.grad = None
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("kind", ["Adam", "LBFGS"])
def test_training_goes_on_from_a_file(tmp_path, kind: str) -> None:  # type: ignore[no-untyped-def]
    """What is loaded is on the CPU; an optimizer's state goes to where its parameters are, as a model's does."""

    def step(w: tg.Tensor, optimizer: tg.optim.Optimizer) -> None:
        def loss() -> tg.Tensor:
            optimizer.zero_grad()
            value = (w**4 * tg.tensor([1.0, 2.0, 3.0], device="cuda")).sum()
            value.backward()
            return value

        optimizer.step(loss)

    w = tg.ones(3, device="cuda", requires_grad=True)
    optimizer = getattr(tg.optim, kind)([w], lr=0.1)
    step(w, optimizer)
    tg.save(optimizer.state_dict(), tmp_path / "x")
    other = w.detach().clone().requires_grad_(True)
    resumed = getattr(tg.optim, kind)([other], lr=0.1)
    resumed.load_state_dict(tg.load(tmp_path / "x"))
    step(w, optimizer)
    step(other, resumed)
    assert other.tolist() == w.tolist()


@pytest.mark.usefixtures("cuda")
def test_samples_are_shuffled_where_the_generator_is() -> None:
    tg.set_default_device("cuda")
    rows = tg.data.TensorDataset(tg.arange(6))
    found = [
        [x.tolist() for (x,) in tg.data.DataLoader(rows, 2, shuffle=True, generator=tg.Generator().manual_seed(0))]
        for _ in range(2)
    ]
    assert found[0] == found[1]
    parts = tg.data.random_split(rows, [4, 2], generator=tg.Generator().manual_seed(0))
    assert [len(part) for part in parts] == [4, 2]


def _mlp(nn):  # type: ignore[no-untyped-def]
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Dropout(0.0), nn.Linear(5, 3))


def _probabilities(nn):  # type: ignore[no-untyped-def]
    return nn.Sequential(nn.Linear(6, 1), nn.Sigmoid(), nn.Flatten(0))


def _lenet(nn):  # type: ignore[no-untyped-def]
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2, padding=1),
        nn.AvgPool2d(3, 1), nn.Flatten(), nn.Linear(2, 3),
    )  # fmt: skip


class _LastOf(tg.nn.Module):
    """A recurrent layer, and a linear one on its last output."""

    def __init__(self, layer: tg.nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, tg.nn.Linear(4, 3)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.head(self.layer(x)[0][-1])


def _words(nn):  # type: ignore[no-untyped-def]
    return nn.Sequential(
        nn.Embedding(9, 8), nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), nn.Flatten(), nn.Linear(40, 3)
    )


WITHOUT_WAITING = {
    "mlp": (_mlp, lambda: tg.randn(4, 6), "CrossEntropyLoss", "SGD"),
    "weighted": (_mlp, lambda: tg.randn(4, 6), "NLLLoss", "Adam"),
    "yes or no": (_probabilities, lambda: tg.randn(4, 6), "BCELoss", "SGD"),
    "lenet": (_lenet, lambda: tg.randn(4, 36), "CrossEntropyLoss", "Adam"),
    "lstm": (lambda nn: _LastOf(nn.LSTM(2, 4)), lambda: tg.randn(5, 4, 2), "CrossEntropyLoss", "Adam"),
    "gru": (lambda nn: _LastOf(nn.GRU(2, 4)), lambda: tg.randn(5, 4, 2), "CrossEntropyLoss", "RMSprop"),
    "words": (_words, lambda: tg.randint(9, (4, 5)), "CrossEntropyLoss", "AdamW"),
}


def _step(model, x, y, criterion, updates):  # type: ignore[no-untyped-def]
    updates.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    tg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    updates.step()
    return loss


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("name", WITHOUT_WAITING)
def test_a_training_step_never_waits_for_the_gpu(name: str) -> None:
    """Nothing in it looks at a number of the GPU; and it comes to the CPU's loss."""
    make, draw, loss, optimizer = WITHOUT_WAITING[name]
    tg.manual_seed(0)
    model, x, y = make(tg.nn), draw(), tg.randint(3, (4,))
    y = y.clamp(max=1).float() if loss == "BCELoss" else y
    state = {k: v.clone() for k, v in model.state_dict().items()}
    found = []
    for device, looking in (("cpu", contextlib.nullcontext()), ("cuda", strict_cupy.no_waiting())):
        model.load_state_dict(state)
        model.to(device)
        updates = getattr(tg.optim, optimizer)(model.parameters(), lr=0.01)
        step = (model, x.to(device), y.to(device), getattr(tg.nn, loss)(), updates)
        _step(*step)  # the first may prepare things
        with looking:
            value = _step(*step)
        found.append(value.item())
    assert found[0] == pytest.approx(found[1], rel=2e-5)


@pytest.mark.usefixtures("cuda")
def test_a_wrong_number_on_the_gpu_is_reported_with_the_next_look() -> None:
    x = tg.zeros(2, 3, device="cuda")
    loss = tg.nn.functional.cross_entropy(x, tg.tensor([0, 7], device="cuda"))
    with pytest.raises(IndexError, match=r"label 7 at position \[1\] is out of range: there are 3 classes"):
        loss.item()
    assert tg.nn.functional.cross_entropy(x, tg.tensor([0, -100], device="cuda")).item() == pytest.approx(np.log(3))
    tg.nn.functional.cross_entropy(x, tg.tensor([0, 7], device="cuda"))
    with pytest.raises(IndexError, match="label 7"):
        x.cpu()
    assert x.tolist() == [[0, 0, 0], [0, 0, 0]]  # said once


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    "make",
    [
        lambda x: distributions.Normal(x, x),
        lambda x: distributions.LogNormal(x, 1.0),
        lambda x: distributions.Uniform(x, 2 * x),
        lambda x: distributions.Exponential(x),
        lambda x: distributions.Laplace(x, 2.0),
        lambda x: distributions.Poisson(x),
        lambda x: distributions.Bernoulli(logits=x),
        lambda x: distributions.Gamma(x, 2.0),
        lambda x: distributions.Beta(x, 2.0),
        lambda x: distributions.Dirichlet(x),
        lambda x: distributions.StudentT(x, 1.0),
        lambda x: distributions.Geometric(x / 2),
        lambda x: distributions.Binomial(3, logits=x),
        lambda x: distributions.TransformedDistribution(distributions.Normal(x, 1.0), distributions.SigmoidTransform()),
        lambda x: distributions.TransformedDistribution(distributions.Normal(0 * x, 1.0), distributions.AffineTransform(x, x)),
        lambda x: distributions.Categorical(x),
        lambda x: distributions.OneHotCategorical(logits=x),
        lambda x: distributions.MultivariateNormal(x, scale_tril=x.diag()),
        lambda x: distributions.Independent(distributions.Normal(x, 1.0), 1),
        lambda x: distributions.MixtureSameFamily(distributions.Categorical(x), distributions.Normal(x, 1.0)),
    ],
)
def test_distributions_stay_on_the_device(make) -> None:  # type: ignore[no-untyped-def]
    x = tg.tensor([0.5, 1.0, 2.0], device="cuda", requires_grad=True)
    solves = isinstance(make(x), distributions.MultivariateNormal)  # a linear system, for which CuPy waits
    with contextlib.nullcontext() if solves else strict_cupy.no_waiting():
        made = make(x)
        drawn = made.sample((4,))
        made.log_prob(drawn).sum().backward()
    assert drawn.device == "cuda"
    assert x.grad is not None
    assert x.grad.device == "cuda"
    numbers = drawn.cpu()
    there, here = made.log_prob(drawn).detach().cpu(), make(x.detach().cpu()).log_prob(numbers)
    np.testing.assert_allclose(there.numpy(), here.numpy(), rtol=1e-5)


@pytest.mark.usefixtures("cuda")
def test_functions_of_functions_stay_on_the_device() -> None:
    x = tg.tensor([1.0, 2.0], device="cuda")
    found = [
        tg.func.hessian(lambda x: (x**3).sum())(x),
        tg.vmap(tg.func.grad(lambda x: x * x))(x),
        *tg.func.jvp(tg.sin, (x,), (x,)),
    ]
    assert all(t.device.type == "cuda" for t in found)
    assert found[0].tolist() == [[6, 0], [0, 12]]
    assert found[1].tolist() == [2, 4]


@pytest.mark.usefixtures("cuda")
def test_a_step_with_a_scaled_loss_on_the_device() -> None:
    model = tg.nn.Sequential(tg.nn.LazyLinear(2), tg.nn.LazyBatchNorm1d()).to("cuda")
    model(tg.ones(3, 4, device="cuda"))
    optimizer, scaler = tg.optim.SGD(model.parameters(), lr=1.0), tg.amp.GradScaler("cuda", init_scale=4.0)
    before = model[1].bias.detach().clone()
    scaler.scale(model(tg.ones(3, 4, device="cuda")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert (before - model[1].bias.detach()).tolist() == [3, 3]
    assert {t.device.type for t in model.state_dict().values()} == {"cuda"}
    averaged = tg.optim.swa_utils.AveragedModel(model)
    averaged.update_parameters(model)
    assert {t.device.type for t in averaged.module.parameters()} == {"cuda"}


@pytest.mark.usefixtures("cuda")
def test_what_programs_ask() -> None:
    assert tg.cuda.is_available()
    assert tg.cuda.device_count() == strict_cupy.DEVICES
    tg.cuda.synchronize()
    tg.cuda.manual_seed_all(0)
    assert tg.accelerator.current_accelerator() == tg.device("cuda")
    assert (tg.zeros(2, device="cuda:1").get_device(), tg.zeros(2).get_device()) == (1, -1)
    with pytest.raises(DeviceError, match="no device"):
        tg.zeros(2, device="cuda:7")
    with pytest.raises(DeviceError, match="no device"):
        tg.zeros(2, device="tpu")


# -- random numbers --------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("cuda")
def test_random_numbers_of_a_device() -> None:
    tg.manual_seed(3)
    a = tg.randn(4, device="cuda")
    tg.manual_seed(3)
    assert a.tolist() == tg.randn(4, device="cuda").tolist()
    generator = tg.Generator("cuda").manual_seed(1)
    for made in (
        tg.rand(3, device="cuda", generator=generator), tg.randint(5, (3,), device="cuda"), tg.randperm(4, device="cuda"),
        tg.bernoulli(tg.full((3,), 0.5, device="cuda")), tg.multinomial(tg.ones(4, device="cuda"), 2),
        tg.multinomial(tg.ones(2, 4, device="cuda"), 9, replacement=True), tg.poisson(tg.ones(3, device="cuda")),
        tg.normal(tg.zeros(3, device="cuda"), 1.0), tg.zeros(3, device="cuda").exponential_(),
    ):  # fmt: skip
        assert made.device.type == "cuda"
    with pytest.raises(DeviceError, match="generator on cpu"):
        tg.rand(3, device="cuda", generator=tg.Generator())
    with pytest.raises(DeviceError, match="cannot be read"):
        generator.get_state()


# -- without CuPy ----------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("no_cupy")
def test_without_cupy_the_message_says_how_to_get_it() -> None:
    assert not tg.cuda.is_available()
    assert tg.cuda.device_count() == 0
    tg.cuda.synchronize()
    for ask in (lambda: tg.zeros(2, device="cuda"), lambda: tg.zeros(2).cuda(), lambda: tg.set_default_device("cuda")):
        with pytest.raises(DeviceError, match="pip install"):
            ask()
    assert tg.get_default_device() == "cpu"


def test_a_driver_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = strict_cupy.install(monkeypatch)

    def fail() -> int:
        raise RuntimeError("cudaErrorNoDevice")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", fail)
    assert not tg.cuda.is_available()
    with pytest.raises(DeviceError, match="cudaErrorNoDevice"):
        tg.zeros(2, device="cuda")


def test_missing_libraries_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = strict_cupy.install(monkeypatch)

    def compile(n: int) -> None:
        raise RuntimeError("libnvrtc.so.12 was not found")

    monkeypatch.setattr(cupy, "ones", compile)
    with pytest.raises(DeviceError, match=r"libnvrtc.*pip install"):
        tg.zeros(2, device="cuda")


@pytest.mark.parametrize("wrong", [("tpu",), ("cuda:-1",), ("cuda:0", 1), ("cuda", -1)])
def test_a_device_that_is_none(wrong: tuple) -> None:
    with pytest.raises(DeviceError, match=str(wrong[-1])):
        tg.device(*wrong)
