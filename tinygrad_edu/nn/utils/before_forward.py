"""Weight norm and spectral norm in their older form: the weight is computed anew by a hook before every forward.

The parts that are trained stand in the module itself, as weight_g and weight_v, or weight_orig. The newer form, which computes the
weight whenever it is asked for, is in parametrizations.py; both use the same mathematics.
"""

from __future__ import annotations

from typing import Any

from ...grad_mode import no_grad
from ...hooks import HookHandle
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter
from .parametrizations import _SpectralNorm, _WeightNorm, outputs_dim


class _Recomputed:
    """A hook that sets `module.name` to what `compute(module)` returns, before every forward."""

    def __init__(self, module: Module, name: str, parts: dict[str, Tensor], compute: Any) -> None:
        held = getattr(module, name, None)
        if not isinstance(held, Parameter):
            raise RuntimeError(f"{type(module).__name__} has no parameter {name!r}, or it is computed already.")
        self.name, self.parts, self.compute = name, list(parts), compute
        delattr(module, name)
        for part, value in parts.items():
            (module.register_parameter if isinstance(value, Parameter) else module.register_buffer)(part, value)  # type: ignore[arg-type]
        self.handle: HookHandle = module.register_forward_pre_hook(self)

    def __call__(self, module: Module, args: tuple) -> None:
        setattr(module, self.name, self.compute(module))

    def remove(self, module: Module) -> None:
        """Let the weight be an ordinary parameter again, with its present value."""
        training = module.training
        module.training = False  # no further power iteration
        with no_grad():
            value = self.compute(module)
        module.training = training
        self.handle.remove()
        for part in (self.name, *self.parts):
            delattr(module, part)
        module.register_parameter(self.name, Parameter(value.detach()))


def _remove(module: Module, name: str, last_part: str) -> Module:
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, _Recomputed) and hook.name == name and name + last_part in hook.parts:
            hook.remove(module)
            return module
    raise ValueError(f"{type(module).__name__} computes no {name!r} in this way.")


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length g and the direction v of a weight's rows instead of the weight: w = g · v / ‖v‖.

    Source: Salimans, Kingma 2016; https://pytorch.org/docs/stable/generated/torch.nn.utils.weight_norm.html
    """
    norm, weight = _WeightNorm(dim), getattr(module, name)
    with no_grad():
        g, v = norm.right_inverse(weight)
    parts: dict[str, Tensor] = {f"{name}_g": Parameter(g.detach()), f"{name}_v": Parameter(v.detach())}
    _Recomputed(module, name, parts, lambda m: norm(getattr(m, f"{name}_g"), getattr(m, f"{name}_v")))(module, ())
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`; the weight keeps its value."""
    return _remove(module, name, "_v")


class _OlderSpectralNorm(_SpectralNorm):
    """The power iteration in its older order: first v, then u."""

    def iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._v.copy_(self.unit(matrix.T @ self._u))
                self._u.copy_(self.unit(matrix @ self._v))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value, so that the layer stretches no input: w = v / σ(v).

    Until the first forward the weight is not divided yet and shares v's memory, so it may still be initialized by its own name.

    Source: Miyato et al. 2018; https://pytorch.org/docs/stable/generated/torch.nn.utils.spectral_norm.html
    """
    weight = getattr(module, name)
    norm = _OlderSpectralNorm(weight, n_power_iterations, outputs_dim(module) if dim is None else dim, eps)

    def compute(m: Module) -> Tensor:
        norm.training = m.training
        norm._u, norm._v = getattr(m, f"{name}_u"), getattr(m, f"{name}_v")
        return norm(getattr(m, f"{name}_orig"))

    _Recomputed(module, name, {f"{name}_orig": weight, f"{name}_u": norm._u, f"{name}_v": norm._v}, compute)
    setattr(module, name, weight.data)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo `spectral_norm`; the weight keeps its value."""
    return _remove(module, name, "_u")
