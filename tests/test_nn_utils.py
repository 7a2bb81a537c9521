"""nn.utils: clipping, vectors of parameters, parametrizations."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.nn.utils import parametrizations, parametrize

quick = settings(max_examples=20, deadline=None)
gradients = st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=4), min_size=1, max_size=4)


def with_gradients(values: list[list[float]]) -> list[nn.Parameter]:
    found = [nn.Parameter(tg.zeros(len(v), dtype=tg.float64)) for v in values]
    for p, v in zip(found, values, strict=True):
        p.grad = tg.tensor(v, dtype=tg.float64)
    return [*found, nn.Parameter(tg.zeros(2))]  # one without a gradient


# -- clipping --------------------------------------------------------------------------------------------------------
@given(values=gradients, limit=st.floats(0.1, 30), p=st.sampled_from([1.0, 2.0, 3.0, math.inf]))
@quick
def test_clip_grad_norm(values: list[list[float]], limit: float, p: float) -> None:
    parameters = with_gradients(values)
    before = np.concatenate(values)
    norm = np.linalg.norm(before, p)
    found = nn.utils.clip_grad_norm_(iter(parameters), limit, norm_type=p)
    np.testing.assert_allclose(found.item(), norm, rtol=1e-9)
    after = np.concatenate([q.grad.numpy() for q in parameters[:-1]])  # type: ignore[union-attr]
    np.testing.assert_allclose(after, before * min(1, limit / (norm + 1e-6)), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(nn.utils.get_total_norm([q.grad for q in parameters[:-1]], p).item(), np.linalg.norm(after, p))


def test_clip_grad_norm_of_nothing_and_of_nan() -> None:
    assert nn.utils.clip_grad_norm_([nn.Parameter(tg.ones(2))], 1.0).item() == 0
    (bad, _) = with_gradients([[math.nan, 1.0]])
    with pytest.raises(RuntimeError, match="nan"):
        nn.utils.clip_grad_norm_(bad, 1.0, error_if_nonfinite=True)
    assert bad.grad[1].item() == 1  # type: ignore[index]
    assert math.isnan(nn.utils.clip_grad_norm_(bad, 1.0).item())


@pytest.mark.parametrize("wrong", [nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1)), nn.Linear(1, 1).parameters])
def test_what_is_clipped_are_tensors(wrong: Any) -> None:
    for clip in (nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_):
        with pytest.raises(TypeError, match=r"such as those of model.parameters\(\), and not of a "):
            clip(wrong, 1.0)


@given(values=gradients, limit=st.floats(0.1, 5))
@quick
def test_clip_grad_value(values: list[list[float]], limit: float) -> None:
    parameters = with_gradients(values)
    nn.utils.clip_grad_value_(parameters, limit)
    for p, v in zip(parameters, values, strict=False):
        np.testing.assert_array_equal(p.grad.numpy(), np.clip(v, -limit, limit))  # type: ignore[union-attr]


# -- vectors ---------------------------------------------------------------------------------------------------------
def test_parameters_to_vector_and_back() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (13,)
    (vector * vector).sum().backward()
    np.testing.assert_allclose(model[0].weight.grad.numpy(), 2 * model[0].weight.detach().numpy())
    nn.utils.vector_to_parameters(tg.arange(13.0), model.parameters())
    assert model[1].bias.tolist() == [12]
    assert model[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match="13"):
        nn.utils.vector_to_parameters(tg.zeros(14), model.parameters())
    with pytest.raises(TypeError):
        nn.utils.vector_to_parameters([0.0] * 13, model.parameters())  # type: ignore[arg-type]
    assert model[1].bias.tolist() == [12]


# -- parametrizations ------------------------------------------------------------------------------------------------
class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).mT

    def right_inverse(self, value: Any) -> Any:
        return value.triu()


class Doubled(nn.Module):
    def forward(self, x: Any) -> Any:
        return 2 * x


def test_register_and_remove() -> None:
    layer = nn.Linear(3, 3)
    weight = layer.weight
    assert parametrize.register_parametrization(layer, "weight", Symmetric()) is layer
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert layer.parametrizations.weight.original is weight  # an optimizer that holds it goes on
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    np.testing.assert_array_equal(layer.weight.detach().numpy(), layer.weight.detach().numpy().T)
    layer(tg.ones(1, 3)).sum().backward()
    assert weight.grad is not None
    assert weight.grad[1, 0].item() == 0
    value = tg.randn(3, 3)
    value = value + value.T
    layer.weight = value
    np.testing.assert_allclose(layer.weight.detach().numpy(), value.numpy(), rtol=1e-6)
    other = copy.deepcopy(layer)
    np.testing.assert_array_equal(other.weight.detach().numpy(), layer.weight.detach().numpy())
    computed = layer.weight.detach().numpy()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert layer.weight is weight
    np.testing.assert_array_equal(layer.weight.detach().numpy(), computed)
    assert "weight" in dict(layer.named_parameters())


def test_several_in_a_row() -> None:
    layer = nn.Linear(2, 2).eval()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    once = layer.weight.detach().numpy()
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert not layer.parametrizations.weight[1].training
    np.testing.assert_allclose(layer.weight.detach().numpy(), 2 * once)
    with pytest.raises(RuntimeError, match="right_inverse"):
        layer.weight = tg.ones(2, 2)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert isinstance(layer.weight, nn.Parameter)


def test_refused_parametrizations_change_nothing() -> None:
    class Longer(nn.Module):
        def forward(self, x: Any) -> Any:
            return tg.cat([x, x])

    layer = nn.Linear(2, 2)
    before = layer.weight.tolist()
    with pytest.raises(ValueError, match="unsafe"):
        parametrize.register_parametrization(layer, "weight", Longer())
    assert layer.weight.tolist() == before
    assert not parametrize.is_parametrized(layer)
    parametrize.register_parametrization(layer, "weight", Longer(), unsafe=True)
    assert layer.weight.shape == (4, 2)
    inverse = nn.Identity()
    inverse.right_inverse = lambda x: x[:1]  # type: ignore[assignment]
    for row in (Longer(), inverse):
        with pytest.raises(ValueError, match="unsafe"):
            parametrize.register_parametrization(layer, "weight", row)
        assert layer.weight.shape == (4, 2)
    with pytest.raises(ShapeError, match=r"\(1, 2\) does not fit"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric()).weight = tg.ones(1, 2)
    for wrong, says in ((Symmetric, "the class Symmetric: make one of it"), (lambda x: x, "<function")):
        with pytest.raises(TypeError, match=f"a parametrization is a Module .* not {says}"):
            parametrize.register_parametrization(layer, "bias", wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nothing"):
        parametrize.register_parametrization(layer, "nothing", Doubled())
    with pytest.raises(ValueError, match="bias"):
        parametrize.remove_parametrizations(layer, "bias")


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim: int | None) -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().numpy().copy()
    parametrizations.weight_norm(layer, dim=dim)
    assert sorted(layer.state_dict()) == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=1e-6)
    with tg.no_grad():
        layer.parametrizations.weight.original1.mul_(5)  # the direction's length does not matter
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=1e-5)
    with pytest.raises(IndexError):
        parametrizations.weight_norm(nn.Linear(3, 2), dim=2)
    with pytest.raises(ValueError, match="several"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    parametrize.remove_parametrizations(layer, "weight")
    np.testing.assert_allclose(layer.weight.detach().numpy(), before, rtol=1e-5)


def test_spectral_norm() -> None:
    layer = parametrizations.spectral_norm(nn.Linear(6, 4, dtype=tg.float64), n_power_iterations=50)
    layer(tg.ones(1, 6, dtype=tg.float64))
    assert math.isclose(np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)[0], 1, rel_tol=1e-6)
    layer.eval()
    held = layer.parametrizations.weight[0]._u.tolist()
    layer(tg.ones(1, 6, dtype=tg.float64))
    assert layer.parametrizations.weight[0]._u.tolist() == held
    with pytest.raises(ValueError, match="at least 1"):
        parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
@pytest.mark.parametrize("how", ["matrix_exp", "cayley"])
def test_orthogonal(shape: tuple[int, int], how: str) -> None:
    layer = parametrizations.orthogonal(nn.Linear(*shape, dtype=tg.float64), orthogonal_map=how)
    optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        w = layer.weight.detach().numpy()
        product = w @ w.T if len(w) <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-9)
        optimizer.zero_grad()
        layer(tg.ones(1, shape[0], dtype=tg.float64)).square().sum().backward()
        optimizer.step()
    with pytest.raises(ValueError, match="householder"):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="householder")


@pytest.mark.parametrize(
    ("norm", "remove", "names"),
    [
        (nn.utils.weight_norm, nn.utils.remove_weight_norm, ["bias", "weight_g", "weight_v"]),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm, ["bias", "weight_orig", "weight_u", "weight_v"]),
    ],
)
def test_older_form(norm: Any, remove: Any, names: list[str]) -> None:
    layer = nn.Linear(3, 2)
    assert norm(layer) is layer
    assert list(layer.state_dict()) == names
    layer(tg.ones(1, 3)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    with pytest.raises(RuntimeError, match="already"):
        norm(layer)
    value = layer.weight.detach().numpy().copy()
    remove(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_array_equal(layer.weight.detach().numpy(), value)
    with pytest.raises(ValueError, match="in this way"):
        remove(layer)


def test_a_layer_with_the_older_spectral_norm_may_be_initialized_by_its_weight() -> None:
    """As GANs do: the weight shares the memory of what is trained until the first forward."""
    layer = nn.utils.spectral_norm(nn.Linear(3, 2))
    nn.init.constant_(layer.weight.data, 5.0)
    assert layer.weight_orig.tolist() == [[5.0] * 3] * 2
    layer(tg.ones(1, 3))
    assert layer.weight_orig.tolist() == [[5.0] * 3] * 2
    assert abs(layer.weight.detach().numpy()).max() < 5


# -- fusion ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["conv", "grouped", "transposed", "linear"])
def test_a_fused_layer_does_what_both_did(kind: str, bias: bool, affine: bool) -> None:
    tg.manual_seed(0)
    make: Any = {
        "conv": lambda: nn.Conv2d(4, 6, 3, bias=bias),
        "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2, bias=bias),
        "transposed": lambda: nn.ConvTranspose2d(4, 6, 3, bias=bias),
        "linear": lambda: nn.Linear(4, 6, bias=bias),
    }[kind]
    layer, norm = make(), (nn.BatchNorm1d if kind == "linear" else nn.BatchNorm2d)(6, affine=affine)
    both = nn.Sequential(layer, norm).double()
    x = tg.randn(8, 4, *() if kind == "linear" else (5, 5), dtype=tg.float64)
    for p in both.parameters():
        nn.init.normal_(p)
    both(x)  # so that there are statistics
    both.eval()
    fused = nn.utils.fuse_conv_bn_eval(layer, norm, transpose=kind == "transposed")
    np.testing.assert_allclose(fused(x).detach().numpy(), both(x).detach().numpy(), rtol=1e-9, atol=1e-12)
    assert fused is not layer
    assert fused.bias.requires_grad


def test_only_layers_in_evaluation_are_fused() -> None:
    with pytest.raises(ValueError, match="Conv2d is in training mode"):
        nn.utils.fuse_conv_bn_eval(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    with pytest.raises(ValueError, match="no running statistics"):
        nn.utils.fuse_linear_bn_eval(nn.Linear(1, 1).eval(), nn.BatchNorm1d(1, track_running_stats=False).eval())
