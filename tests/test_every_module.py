"""Every module of nn: the same properties for all. A module without a row in SAMPLES fails the suite."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.testing import gradcheck

from . import strict_cupy

N = 3  # samples in a batch
SEQUENCE, IMAGE, VOLUME = (2, 6), (2, 6, 6), (2, 4, 4, 4)
SIZES = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
NOT_ROWS = [
    *nn.lazy.__all__,
    "Module",
    "RNNBase",
    "RNNCellBase",
    "Sequential",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "ParameterDict",
]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, *shape))


def probabilities(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.1, 0.9, (N, *shape))


def signs(*shape: int) -> np.ndarray:
    return np.where(normal(*shape) > 0, 1.0, -1.0)


PLAIN = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Flatten",
    "Dropout",
    "AlphaDropout",
]
LABELS = np.array([0, 2, 1])


class BatchFirstCTC(nn.CTCLoss):
    """Its samples are in dim 1."""

    def forward(self, log_probs: tg.Tensor, *others: Any) -> tg.Tensor:
        return super().forward(log_probs.transpose(0, 1), *others)


# Name: (constructor, inputs); inputs are arrays with the batch as dim 0 unless a name below says otherwise.
SAMPLES: dict[str, tuple[Callable[[], Any], tuple]] = {
    **{name: (lambda name=name: getattr(nn, name)(), (normal(4),)) for name in PLAIN},
    **{name: (lambda name=name: getattr(nn, name)(dim=1), (normal(4),)) for name in ("Softmax", "LogSoftmax", "Softmin")},
    "Softmax2d": (nn.Softmax2d, (normal(*IMAGE),)),
    "Threshold": (lambda: nn.Threshold(0.1, -1.0), (normal(4),)),
    "FeatureAlphaDropout": (nn.FeatureAlphaDropout, (normal(*IMAGE),)),
    "Linear": (lambda: nn.Linear(4, 3), (normal(4),)),
    "Bilinear": (lambda: nn.Bilinear(4, 2, 3), (normal(4), normal(2))),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 2)), (normal(4),)),
    "Embedding": (lambda: nn.Embedding(4, 3), (LABELS,)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(4, 3), (np.stack([LABELS, LABELS[::-1]], 1),)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (normal(4),)),
    "RMSNorm": (lambda: nn.RMSNorm(4), (normal(4),)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (normal(4, 5),)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2), (normal(*IMAGE),)),
    **{f"BatchNorm{d}d": (lambda d=d: getattr(nn, f"BatchNorm{d}d")(2), (normal(*SIZES[d]),)) for d in SIZES},
    **{f"InstanceNorm{d}d": (lambda d=d: getattr(nn, f"InstanceNorm{d}d")(2, affine=True), (normal(*SIZES[d]),)) for d in SIZES},
    **{f"Dropout{d}d": (getattr(nn, f"Dropout{d}d"), (normal(*SIZES[d]),)) for d in SIZES},
    **{f"Conv{d}d": (lambda d=d: getattr(nn, f"Conv{d}d")(2, 4, 3, padding=1, groups=2), (normal(*SIZES[d]),)) for d in SIZES},
    **{f"ConvTranspose{d}d": (lambda d=d: getattr(nn, f"ConvTranspose{d}d")(2, 3, 3, stride=2), (normal(*SIZES[d]),)) for d in SIZES},
    **{f"{kind}Pool{d}d": (lambda d=d, kind=kind: getattr(nn, f"{kind}Pool{d}d")(2), (normal(*SIZES[d]),))
       for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax") for d in SIZES},
    **{f"LPPool{d}d": (lambda d=d: getattr(nn, f"LPPool{d}d")(2, 2), (normal(*SIZES[d]),)) for d in SIZES},
    **{f"MaxUnpool{d}d": (lambda d=d: getattr(nn, f"MaxUnpool{d}d")(2), (normal(2, *(2,) * d), np.tile(
        np.arange(2**d).reshape((2,) * d) * 2, (N, 2, *(1,) * d)))) for d in SIZES},
    **{f"{kind}Pad{d}d": (lambda d=d, kind=kind: getattr(nn, f"{kind}Pad{d}d")(*((1, 0.5) if kind == "Constant" else (1,))),
                          (normal(*SIZES[d]),)) for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for d in SIZES},
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (normal(*IMAGE),)),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(scale_factor=2), (normal(*IMAGE),)),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), (normal(*IMAGE),)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (normal(4, 2, 2),)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (normal(1, 4, 4),)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), (normal(4, 2, 2),)),
    "Unfold": (lambda: nn.Unfold(2), (normal(2, 3, 3),)),
    "Fold": (lambda: nn.Fold((3, 3), 2), (normal(8, 4),)),
    "CosineSimilarity": (nn.CosineSimilarity, (normal(4), probabilities(4))),
    "PairwiseDistance": (nn.PairwiseDistance, (normal(4), probabilities(4))),
    **{name: (lambda name=name: getattr(nn, name)(2, 3, batch_first=True), (normal(4, 2),)) for name in ("RNN", "LSTM", "GRU")},
    **{f"{name}Cell": (lambda name=name: getattr(nn, f"{name}Cell")(2, 3), (normal(2),)) for name in ("RNN", "LSTM", "GRU")},
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), (normal(3, 4),) * 3),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(4, 2, 5, batch_first=True), (normal(3, 4),)),
    "TransformerDecoderLayer": (lambda: nn.TransformerDecoderLayer(4, 2, 5, batch_first=True), (normal(3, 4), normal(2, 4))),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 5, batch_first=True), 2), (normal(3, 4),)),
    "TransformerDecoder": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 5, batch_first=True), 1), (normal(3, 4), normal(2, 4))),
    "Transformer": (lambda: nn.Transformer(4, 2, 1, 1, 5, batch_first=True), (normal(3, 4), normal(2, 4))),
    # Losses, one for each sample.
    **{name: (lambda name=name: getattr(nn, name)(reduction="none"), (normal(4), LABELS))
       for name in ("CrossEntropyLoss", "MultiMarginLoss")},
    "NLLLoss": (lambda: nn.NLLLoss(reduction="none"), (np.log(probabilities(4)), LABELS)),
    "AdaptiveLogSoftmaxWithLoss": (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 3, [1, 2], 2.0), (normal(4), LABELS)),
    "CTCLoss": (lambda: BatchFirstCTC(reduction="none"), (
        normal(5, 4), np.array([[1, 2], [3, 3], [2, 1]]), np.array([5, 4, 3]), np.array([2, 2, 1]))),
    **{name: (lambda name=name: getattr(nn, name)(reduction="none"), (normal(4), probabilities(4)))
       for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss", "PoissonNLLLoss",
                    "KLDivLoss")},
    "BCELoss": (lambda: nn.BCELoss(reduction="none"), (probabilities(4), probabilities(4))),
    "GaussianNLLLoss": (lambda: nn.GaussianNLLLoss(reduction="none"), (normal(4), probabilities(4), probabilities(4))),
    "HingeEmbeddingLoss": (lambda: nn.HingeEmbeddingLoss(reduction="none"), (normal(4), signs(4))),
    "SoftMarginLoss": (lambda: nn.SoftMarginLoss(reduction="none"), (normal(4), signs(4))),
    "MarginRankingLoss": (lambda: nn.MarginRankingLoss(reduction="none"), (normal(), probabilities(), signs())),
    "CosineEmbeddingLoss": (lambda: nn.CosineEmbeddingLoss(reduction="none"), (normal(4), probabilities(4), signs())),
    "MultiLabelMarginLoss": (lambda: nn.MultiLabelMarginLoss(reduction="none"), (normal(4), np.tile([1, 0, -1, 2], (N, 1)))),
    "TripletMarginLoss": (lambda: nn.TripletMarginLoss(reduction="none"), (normal(4), probabilities(4), signs(4))),
    "TripletMarginWithDistanceLoss": (
        lambda: nn.TripletMarginWithDistanceLoss(reduction="none"), (normal(4), probabilities(4), signs(4))),
}  # fmt: skip
every_module = pytest.mark.parametrize("name", sorted(SAMPLES))


def made(name: str, dtype: str = "float64", device: str = "cpu", train: bool = False) -> tuple[Any, list[tg.Tensor]]:
    """The module, the same every time, and its inputs; floats require grad."""
    tg.manual_seed(0)
    module = SAMPLES[name][0]().to(dtype).train(train).to(device)
    inputs = []
    for array in SAMPLES[name][1]:
        x = tg.tensor(array, device=device)
        inputs.append(x.to(dtype).requires_grad_() if x.dtype.kind == "f" else x)
    return module, inputs


def first(output: Any) -> tg.Tensor:
    """The output itself, of modules that also give weights or states."""
    return output[0] if isinstance(output, tuple) else output


def test_every_module_has_a_row() -> None:
    found = {name for name, cls in vars(nn).items() if inspect.isclass(cls) and issubclass(cls, nn.Module)}
    assert found - set(NOT_ROWS) == set(SAMPLES)


@pytest.mark.parametrize("name", [name for name in sorted(SAMPLES) if "dtype" in inspect.signature(getattr(nn, name)).parameters])
def test_where_and_of_what_dtype_a_module_is_made(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its parameters and buffers are; but what counts batches is an integer."""
    strict_cupy.install(monkeypatch)
    monkeypatch.setattr(nn, name, functools.partial(getattr(nn, name), device="cuda", dtype="float16"))
    held = SAMPLES[name][0]().state_dict()
    assert held
    assert all(x.is_cuda and (x.dtype == tg.float16 or path == "num_batches_tracked") for path, x in held.items())


@every_module
def test_samples_are_independent_in_evaluation(name: str) -> None:
    module, inputs = made(name)
    together = first(module(*inputs)).detach().numpy()
    assert len(together) == N
    for i in range(N):
        alone = first(module(*(x[i : i + 1] for x in inputs))).detach().numpy()
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-9, atol=1e-12)


@every_module
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("train", [True, False])
def test_dtype_is_kept(name: str, dtype: str, train: bool) -> None:
    module, inputs = made(name, dtype, train=train)
    result = first(module(*inputs))
    assert str(result.dtype) == dtype
    if result.requires_grad:
        result.sum().backward()
    for x in [*inputs, *module.parameters()]:
        assert x.grad is None or (x.grad.dtype, x.grad.shape) == (x.dtype, x.shape)


@every_module
def test_gradients(name: str) -> None:
    """In evaluation, where nothing is random: of all inputs, and of all parameters."""
    module, inputs = made(name)
    if name.startswith("Embedding"):  # its inputs are labels
        assert gradcheck(lambda weight: module(*inputs), module.weight)
    else:
        assert gradcheck(lambda *xs: first(module(*xs)), tuple(inputs))


@every_module
def test_the_same_seed_gives_the_same_result_and_evaluation_needs_none(name: str) -> None:
    def run(train: bool, seed: int) -> np.ndarray:
        module, inputs = made(name, train=train)
        tg.manual_seed(seed)
        return first(module(*inputs)).detach().numpy()

    np.testing.assert_array_equal(run(True, 1), run(True, 1))
    np.testing.assert_array_equal(run(False, 1), run(False, 2))


@every_module
def test_on_a_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a device as strict as CuPy: the same values and gradients, and nothing leaves the device."""
    here, inputs = made(name)
    expected = first(here(*inputs))
    strict_cupy.install(monkeypatch)
    there, moved = made(name, device="cuda")
    there.load_state_dict(here.state_dict())
    found = first(there(*moved))
    assert isinstance(found.array, strict_cupy.ndarray)
    np.testing.assert_allclose(found.detach().cpu().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    if expected.requires_grad:
        expected.sum().backward()
        found.sum().backward()
        pairs = zip([*inputs, *here.parameters()], [*moved, *there.parameters()], strict=True)
        for x, y in pairs:
            assert (x.grad is None) == (y.grad is None)
            if x.grad is not None:
                np.testing.assert_allclose(y.grad.cpu().numpy(), x.grad.numpy(), rtol=1e-9, atol=1e-12)  # type: ignore[union-attr]
