"""check_training: every planted mistake is found, a sound model has none, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, check_training, nn, optim, tensor
from tinygrad_edu.nn.functional import cross_entropy

N = 32


@pytest.fixture(autouse=True)
def _seeded() -> None:
    tg.manual_seed(0)


class Layered(nn.Module):
    """Linear layers with a function between them, and one at the end."""

    def __init__(self, *sizes: int, between: Callable = tg.relu, end: Callable = lambda z: z) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)])  # noqa: RUF007
        self.between, self.end = between, end

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.between(layer(x))
        return self.end(self.layers[-1](x))


class Noise(nn.Module):
    """Acts differently in train mode, draws random numbers and changes a buffer and an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", tg.zeros(()))
        self.last: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen = self.seen + 1
            self.last = x + 0.1 * tg.randn(*x.shape)
            return self.last
        return x


class Pairs(Layered):
    """Of a pair of inputs scores and a penalty."""

    def __init__(self) -> None:
        super().__init__(8, 16, 3)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Any) -> Any:
        return super().forward(self.dropout(tg.cat(x, 1))), 1e-3 * self.layers[0].weight.square().sum()


def squared(z: Tensor, y: Tensor) -> Tensor:
    return ((z - y) ** 2).mean()


def classes(n: int = 3) -> tuple[Tensor, Tensor]:
    return tg.randn(N, 4), tg.randint(n, (N,))


# -- sound models --------------------------------------------------------------------------------------------------
SOUND: dict[str, Callable[[], tuple]] = {
    "relu": lambda: (Layered(4, 16, 3), classes(), cross_entropy),
    "tanh": lambda: (Layered(4, 16, 16, 3, between=tg.tanh), classes(), cross_entropy),
    "regression": lambda: (Layered(4, 8, 1), (tg.randn(N, 4), tg.randn(N, 1)), squared),
    "noise": lambda: (nn.Sequential(nn.Linear(4, 8), Noise(), nn.Tanh(), nn.Linear(8, 3)), classes(), cross_entropy),
    "probabilities": lambda: (
        Layered(4, 8, 3, end=lambda z: tg.softmax(z, 1)),
        classes(),
        lambda p, y: -tg.log(tg.gather(p, 1, y.unsqueeze(1))).mean(),
    ),
    "softmax with squared error": lambda: (
        Layered(4, 8, 2, end=lambda z: tg.softmax(z, 1)),
        (tg.randn(N, 4), tg.eye(2)[tg.randint(2, (N,))]),
        squared,
    ),
    "log_softmax": lambda: (
        Layered(4, 8, 3, end=nn.LogSoftmax(1)),
        classes(),
        cross_entropy,
    ),  # which a second one leaves as it is
    "attention": lambda: (nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), (tg.randn(N, 4, 8), tg.randn(N, 4, 8)), squared),
    "labels to be ignored": lambda: (Layered(4, 8, 3), (tg.randn(N, 4), tg.tensor([-100, 0, 1, 2] * (N // 4))), cross_entropy),
    "whole numbers": lambda: (Layered(4, 16, 3), (tg.randn(N, 4), tg.randint(10, (N, 3))), squared),
    "probabilities along the last dim": lambda: (
        Layered(4, 8, 3, end=lambda z: tg.softmax(z, -1)),
        (tg.randn(N, 5, 4), tg.randint(3, (N, 5))),
        lambda p, y: -tg.log(tg.gather(p, 2, y.unsqueeze(2))).mean(),
    ),
    "several inputs and outputs": lambda: (
        Pairs(),
        ((tg.randn(N, 4), tg.randn(N, 4)), tg.randint(3, (N,))),
        lambda z, y: cross_entropy(z[0], y) + z[1],
    ),
    "sigmoid": lambda: (Layered(4, 8, 2, end=tg.sigmoid), (tg.randn(N, 4), tg.rand(N, 2)), squared),
    "images": lambda: (
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), Layered(3, 8, 5)),
        (tg.randn(N, 1, 8, 8), tg.randint(4, (N, 3, 5))),
        lambda z, y: -tg.gather(tg.log_softmax(z, 1), 1, y.unsqueeze(1)).mean(),
    ),
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("make", [None, lambda p: optim.SGD(p, lr=0.01, momentum=0.9), lambda p: optim.Adam(p, lr=0.01)])
def test_nothing_is_found_in_a_sound_model(name: str, make: Any) -> None:
    model, batch, loss = SOUND[name]()
    findings = check_training(model, batch, loss, make and make(model.parameters()))
    assert findings == []
    assert repr(findings) == "No mistakes found."


def test_nothing_is_found_after_training() -> None:
    model, (x, y) = Layered(4, 16, 3), classes()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    tg.fit(model, (x, y), loss=cross_entropy, optimizer=optimizer, epochs=5, progress=False)
    assert check_training(model, (x, y), cross_entropy, optimizer) == []


# -- mistakes ------------------------------------------------------------------------------------------------------
def test_forgotten_zero_grad() -> None:
    model, (x, y) = Layered(4, 3), classes()
    cross_entropy(model(x), y).backward()
    findings = check_training(model, (x, y), cross_entropy)
    assert findings.names == ["zero_grad"]
    assert "optimizer.zero_grad()" in findings[0].advice
    assert "1. zero_grad: before the step 2 parameters" in repr(findings)
    assert "What to do:" in repr(findings)


def test_parameters_without_gradient() -> None:
    class Unused(Layered):
        def __init__(self) -> None:
            super().__init__(4, 3)
            self.extra = nn.Linear(4, 4)

    findings = check_training(Unused(), classes(), cross_entropy)
    assert findings.names == ["no gradient"]
    assert "extra.weight, extra.bias" in findings[0].seen


@pytest.mark.parametrize("end", [lambda z: z.detach(), lambda z: tensor(z.detach().numpy())])
def test_a_loss_cut_off_from_the_model(end: Callable) -> None:
    assert check_training(Layered(4, 3, end=end), classes(), cross_entropy).names == ["no gradient"]


def test_frozen_models() -> None:
    model = Layered(4, 3)
    model.requires_grad_(False)
    assert check_training(model, classes(), cross_entropy).names == ["no gradient"]
    model.layers.append(nn.Linear(3, 3))
    assert check_training(model, classes(), cross_entropy).names == []
    assert check_training(model, classes(), cross_entropy, optim.Adam(model.layers[1].parameters(), lr=0.01)).names == []


def test_parameters_that_are_not_in_the_optimizer() -> None:
    model = Layered(4, 8, 3)
    findings = check_training(model, classes(), cross_entropy, optim.Adam(model.layers[0].parameters(), lr=0.01))
    assert findings.names == ["not in the optimizer"]
    assert "layers.1.weight" in findings[0].seen


def test_the_optimizer_of_another_model() -> None:
    optimizer = optim.Adam(Layered(4, 3).parameters(), lr=0.01)
    assert "another model's optimizer" in check_training(Layered(4, 3), classes(), cross_entropy, optimizer).names


def test_softmax_before_cross_entropy() -> None:
    assert check_training(Layered(4, 8, 3, end=lambda z: tg.softmax(z, 1)), classes(), cross_entropy).names == ["softmax"]


@pytest.mark.parametrize("end", [tg.sigmoid, tg.tanh, tg.relu])
def test_an_activation_before_cross_entropy(end: Callable) -> None:
    findings = check_training(Layered(4, 8, 3, end=end), classes(), cross_entropy)
    assert findings.names[:1] == [end.__name__]
    assert check_training(Layered(4, 8, 2, end=end), (tg.randn(N, 4), tg.rand(N, 2)), squared).names == []


def test_softmax_over_the_samples() -> None:
    findings = check_training(Layered(4, 8, 3, end=lambda z: tg.softmax(z, 0)), classes(), cross_entropy)
    assert findings.names[:1] == ["softmax"]
    assert "softmax(z, dim=1)" in findings[0].advice


@pytest.mark.parametrize(
    ("end", "told"), [(tg.relu, "0 to inf"), (tg.tanh, "-1 to 1"), (lambda z: tg.sigmoid(z).squeeze(-1), "0 to 1")]
)
def test_targets_that_the_last_activation_cannot_give(end: Callable, told: str) -> None:
    x = tg.randn(N, 4)
    y = 3 * tg.randn(end(x[:, :1]).shape)
    findings = check_training(Layered(4, 8, 1, end=end), (x, y), squared)
    assert "out of reach" in findings.names
    assert f"gives {told} only" in str(findings)
    if told != "0 to inf":
        assert "out of reach" in check_training(Layered(4, 8, 1, end=end), (x, y.abs()), squared).names


@pytest.mark.parametrize(("inner", "found"), [(8, ["no activation"]), (3, ["no activation"]), (2, [])])
def test_linear_layers_that_follow_each_other(inner: int, found: list[str]) -> None:
    """Unless the first has fewer outputs than the pair has inputs and outputs: that is another model than a single layer."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, inner), nn.Linear(inner, 3))
    assert check_training(model, classes(), cross_entropy).names == found


def test_sigmoid_before_logits() -> None:
    def bce_with_logits(z: Tensor, y: Tensor) -> Tensor:
        return (tg.relu(z) - z * y + tg.log(1 + tg.exp(-tg.abs(z)))).mean()

    x, y = tg.randn(N, 4), tg.randint(2, (N, 1)).float()
    assert check_training(Layered(4, 1, end=tg.sigmoid), (x, y), bce_with_logits).names == ["sigmoid"]
    assert check_training(Layered(4, 1), (x, y), bce_with_logits).names == []


@pytest.mark.parametrize(
    ("end", "shape", "advice"),
    [(lambda z: z, (N,), "prediction.squeeze(-1)"), (lambda z: z.squeeze(1), (N, 1), "y.squeeze(-1)")],
)
def test_a_column_against_a_row(end: Callable, shape: tuple, advice: str) -> None:
    findings = check_training(Layered(4, 1, end=end), (tg.randn(N, 4), tg.randn(*shape)), squared)
    assert findings.names[0] == "shapes"
    assert advice in findings[0].advice


def test_a_column_against_classes() -> None:
    assert check_training(Layered(4, 1), classes(2), squared).names[0] == "shapes"


def test_a_column_of_labels() -> None:
    x, y = classes()
    assert check_training(Layered(4, 3), (x, y.unsqueeze(1)), _strict_cross_entropy).names == ["shapes"]


def _strict_cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    if y.ndim != 1:
        raise ValueError("labels must be (N,)")
    return cross_entropy(z, y)


@pytest.mark.parametrize("shift", [1, -1])
def test_labels_out_of_range(shift: int) -> None:
    x, y = classes()
    findings = check_training(Layered(4, 3), (x, y + shift), cross_entropy)
    assert findings.names == ["labels"]
    assert f"labels {3 if shift > 0 else -1}," in findings[0].seen


def test_eval_mode_while_training() -> None:
    model, batch, loss = SOUND["noise"]()
    model.eval()
    findings = check_training(model, batch, loss)
    assert findings.names == ["eval mode"]
    assert not model.training
    model.train()
    model[1].eval()
    assert check_training(model, batch, loss).names == ["eval mode"]
    model, batch, loss = SOUND["several inputs and outputs"]()
    assert check_training(model.eval(), batch, loss).names == ["eval mode"]
    model, batch, loss = SOUND["relu"]()
    model.eval()  # makes no difference there
    assert check_training(model, batch, loss).names == []


def test_train_mode_while_evaluating() -> None:
    model, batch, loss = SOUND["noise"]()
    with tg.no_grad():
        assert check_training(model, batch, loss).names == ["train mode"]
        model.eval()
        assert check_training(model, batch, loss).names == []
    loss(model(batch[0]), batch[1]).backward()
    with tg.no_grad():
        assert check_training(model, batch, loss).names == [], "gradients that are there make no difference"


def test_dead_relu() -> None:
    model = Layered(4, 16, 3)
    model.layers[0].bias.data -= 100
    findings = check_training(model, classes(), cross_entropy)
    assert "dead ReLU" in findings.names
    assert "100%" in findings[findings.names.index("dead ReLU")].seen


def test_dead_channels() -> None:
    class Images(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(tg.relu(self.conv(x)).mean((2, 3)))

    model, batch = Images(), (tg.randn(N, 1, 6, 6), tg.randint(3, (N,)))
    assert check_training(model, batch, cross_entropy).names == []
    with tg.no_grad():
        model.conv.bias -= 100
    assert check_training(model, batch, cross_entropy).names == ["dead ReLU"]


def test_vanishing_gradients() -> None:
    assert (
        check_training(Layered(4, *[8] * 12, 3, between=tg.sigmoid), classes(), cross_entropy).names[0] == "vanishing gradients"
    )


def test_exploding_gradients() -> None:
    model = Layered(4, 8, 8, 8, 8, 1)
    for p in model.parameters():
        p.data *= 10
    findings = check_training(model, (tg.randn(N, 4), tg.randn(N, 1)), squared)
    assert "exploding gradients" in findings.names


def test_not_finite() -> None:
    x, y = classes()
    x[3, 1] = float("nan")
    assert check_training(Layered(4, 3), (x, y), cross_entropy).names[0] == "not finite"


def test_a_loss_that_is_not_a_number() -> None:
    findings = check_training(Layered(4, 1), (tg.randn(N, 4), tg.randn(N, 1)), lambda z, y: (z - y) ** 2)
    assert findings.names == ["loss"]


def test_loss_that_does_not_fall() -> None:
    model = Layered(4, 8, 3)
    assert check_training(model, classes(), cross_entropy, optim.SGD(model.parameters(), lr=1e-9)).names == ["loss does not fall"]
    climbing = optim.SGD(model.parameters(), lr=0.01, maximize=True)
    assert check_training(model, classes(), cross_entropy, climbing).names == ["loss does not fall"]


def test_loss_that_grows() -> None:
    model = Layered(4, 8, 1)
    batch = tg.randn(N, 4), tg.randn(N, 1)
    assert check_training(model, batch, squared, optim.SGD(model.parameters(), lr=10.0)).names == ["loss grows"]
    climbing = check_training(model, batch, squared, optim.SGD(model.parameters(), lr=0.03, maximize=True))
    assert climbing.names == ["loss grows"]
    assert "inf" not in climbing[0].seen
    beyond = check_training(model, batch, lambda z, y: (2 - z.square().mean()).sqrt(), optim.SGD(model.parameters(), lr=10.0))
    assert "to nan" in beyond[0].seen


def test_a_small_loss() -> None:
    model, batch, loss = SOUND["regression"]()
    assert check_training(model, batch, lambda z, y: 1e-4 * loss(z, y)).names == []


def test_arguments_in_another_order_are_refused() -> None:
    with pytest.raises(TypeError, match=r"the batch must be a pair \(x, y\), not a function"):
        check_training(Layered(4, 3), cross_entropy, classes())
    with pytest.raises(TypeError, match=r"check_training: loss is a function .* not the class CrossEntropyLoss: make one of it"):
        check_training(Layered(4, 3), classes(), nn.CrossEntropyLoss)
    with pytest.raises(TypeError, match=r"check_training: optimizer is one made for the model, .* not 'adam'"):
        check_training(Layered(4, 3), classes(), cross_entropy, "adam")


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="the batch is empty"):
        check_training(Layered(4, 3), (tg.ones(0, 4), tg.ones(0).long()), cross_entropy)


def test_a_loss_that_is_no_tensor() -> None:
    findings = check_training(Layered(4, 3), classes(), lambda z, y: cross_entropy(z, y).item())
    assert findings.names == ["loss"]
    assert "without .item()" in findings[0].advice


def test_errors_of_the_model_are_shown() -> None:
    with pytest.raises(RuntimeError, match="in_features=5"):
        check_training(Layered(5, 3), classes(), cross_entropy)


# -- no trace ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("failing", [False, True])
def test_everything_is_left_as_it_was(failing: bool) -> None:
    model, batch, loss = SOUND["noise"]()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loss(model(batch[0]), batch[1]).backward()
    optimizer.step()
    pending = loss(model(batch[0]), batch[1])  # a graph that still waits for its backward

    def state() -> list[Any]:
        tensors = [*model.parameters(), *model.buffers()]
        held = [
            (id(t), id(t.array), t.array.tobytes(), None if t._grad is None else (id(t._grad), t._grad.array.tobytes()))
            for t in tensors
        ]
        inner = [(k, v.tobytes() if hasattr(v, "tobytes") else v) for s in optimizer.state.values() for k, v in s.items()]
        groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        attributes = [{k: id(v) for k, v in vars(m).items()} for m in model.modules()]
        return [held, inner, groups, attributes, tg.get_rng_state().tolist(), id(optimizer.state)]

    def broken(z: Tensor, y: Tensor) -> Tensor:
        raise ZeroDivisionError

    before = state()
    if failing:
        with pytest.raises(ZeroDivisionError):
            check_training(model, batch, broken, optimizer)
    else:
        check_training(model, batch, loss, optimizer)
    assert state() == before
    pending.backward()


def test_what_was_not_there_before_is_not_there_afterwards() -> None:
    class Counting(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            return super().forward(x)

    model = Counting(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    check_training(model, classes(), cross_entropy, optimizer)
    assert not hasattr(model, "calls")
    assert not optimizer.stepped


def test_works_on_batches_of_a_loader() -> None:
    table = tg.data.iris()
    batch = next(iter(tg.data.DataLoader(table, 50, shuffle=True)))
    assert check_training(Layered(4, 8, 3), batch, cross_entropy).names == []
    assert np.isfinite(table.x.numpy()).all()


# -- losses of classes -----------------------------------------------------------------------------------------------
LOSSES = [cross_entropy, nn.CrossEntropyLoss(), lambda z, y: cross_entropy(z, y)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_float_labels(loss: Callable, shape: tuple) -> None:
    x, y = tg.randn(N, 4), tg.randint(0, 3, shape).float()
    found = check_training(Layered(4, 8, 3), (x, y), loss)
    assert found.names == ["float labels"]
    assert ("y.squeeze(-1).long()" if len(shape) == 2 else "y.long()") in found[0].advice


def test_labels_that_are_no_class_numbers_and_losses_that_refuse_those_too() -> None:
    def refusing(z: Tensor, y: Tensor) -> Tensor:
        raise ZeroDivisionError

    for y, loss in ((tg.rand(N), _strict_cross_entropy), (tg.ones(N), refusing)):
        assert "float labels" not in check_training(Layered(4, 8, 3), (tg.randn(N, 4), y), loss).names


@pytest.mark.parametrize("loss", [nn.NLLLoss(), nn.NLLLoss(reduction="sum"), nn.NLLLoss(weight=tg.tensor([1.0, 2.0, 3.0]))])
def test_log_probabilities_are_missing(loss: Callable) -> None:
    batch = tg.randn(N, 4), tg.randint(0, 3, (N,))
    assert "no log_softmax" in check_training(Layered(4, 8, 3), batch, loss).names
    assert "no log_softmax" not in check_training(Layered(4, 8, 3, end=nn.LogSoftmax(1)), batch, loss).names
    assert "no log_softmax" not in check_training(Layered(4, 8, 3), batch, cross_entropy).names


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_equal_weights(value: float) -> None:
    batch = tg.randn(N, 4), tg.randint(0, 3, (N,))
    model = Layered(4, 8, 3)
    for layer in model.layers:
        nn.init.constant_(layer.weight, value)
        nn.init.zeros_(layer.bias)
    (finding,) = [f for f in check_training(model, batch, cross_entropy) if f.name == "equal weights"]
    assert "layers.0.weight" in finding.seen
    sound = Layered(4, 8, 3)
    nn.init.zeros_(sound.layers[-1].weight)  # a usual beginning: the classes' gradients differ
    assert "equal weights" not in check_training(sound, batch, cross_entropy).names
