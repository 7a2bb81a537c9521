"""Layers that learn the size of their input from the first one: `nn.LazyLinear(10)` becomes a `Linear` when it is called.

Their parameters are there from the start, so that an optimizer may take them, but without a shape; the first call gives them one, and
their values. So call a model once on an example before its parameters are counted, initialised or loaded.

Source: https://pytorch.org/docs/stable/generated/torch.nn.modules.lazy.LazyModuleMixin.html
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, NoReturn

from ..tensor import Tensor, wrap
from . import conv, normalization
from .linear import Linear
from .module import Module
from .parameter import Parameter

__all__ = [
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d",
    "LazyConvTranspose2d", "LazyConvTranspose3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d", "LazyLinear",
    "UninitializedParameter",
]  # fmt: skip


class UninitializedParameter(Parameter):
    """A parameter of a lazy layer that was not called yet: it has a dtype and a device, and nothing to compute with.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.parameter.UninitializedParameter.html
    """

    def _refuse(self, *args: Any) -> NoReturn:
        raise RuntimeError("this parameter of a lazy layer has no shape yet: call the model once on an example first.")

    def _keep(self, array: Any) -> None:
        vars(self)["array"] = getattr(array, "array", array)

    shape = ndim = property(_refuse)
    array = property(_refuse, _keep)
    data = property(lambda self: wrap(vars(self)["array"]), _keep)  # to be moved and cast with its module
    dtype = property(lambda self: self.data.dtype)
    device = property(lambda self: self.data.device)

    def __repr__(self) -> str:
        return "<UninitializedParameter>"


class _Lazy(Module):
    """What makes a layer lazy: it does without its first argument, the number of input features or channels."""

    becomes: type  # what it is after the first call
    dim: int  # where an input has its features

    def __init__(self, *args: Any, **settings: Any) -> None:
        given = inspect.signature(type(self)).bind(*args, **settings)
        given.apply_defaults()
        super().__init__(0, *given.args, **given.kwargs)  # type: ignore[call-arg]
        self._rest = given.args, given.kwargs
        for parameter in self.parameters():
            parameter.__class__ = UninitializedParameter

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        rest, settings = vars(self).pop("_rest")
        whole = self.becomes(input.shape[self.dim], *rest, **settings)
        self.__class__ = self.becomes
        for name, value in vars(whole).items():
            own = vars(self)[name]
            if isinstance(own, Tensor):  # the same tensor, where and of what dtype it was meanwhile put
                own.__class__ = type(value)
                own.data = value.data.to(own)
            elif name != "training":
                vars(self)[name] = value
        return self.forward(input, *args, **kwargs)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars=True)  # nothing of them could be detached


def _lazy(layer: type, dim: int, **defaults: Any) -> Any:
    """The lazy kind of a layer; `defaults` are those in which PyTorch's differs from the layer."""
    name = f"Lazy{layer.__name__}"
    words = f"""A `{layer.__name__}` whose first argument is known from its first input; the other arguments are the same.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
    _, *rest = inspect.signature(layer).parameters.values()
    signature = inspect.Signature([p.replace(default=defaults.get(p.name, p.default)) for p in rest])
    own = {"becomes": layer, "dim": dim, "__doc__": words, "__module__": __name__, "__signature__": signature}
    return type(name, (_Lazy, layer), own)


_instance_norm = functools.partial(_lazy, affine=True, track_running_stats=True)

LazyLinear = _lazy(Linear, -1)
LazyConv1d, LazyConvTranspose1d = _lazy(conv.Conv1d, -2), _lazy(conv.ConvTranspose1d, -2)
LazyConv2d, LazyConvTranspose2d = _lazy(conv.Conv2d, -3), _lazy(conv.ConvTranspose2d, -3)
LazyConv3d, LazyConvTranspose3d = _lazy(conv.Conv3d, -4), _lazy(conv.ConvTranspose3d, -4)
LazyBatchNorm1d, LazyInstanceNorm1d = _lazy(normalization.BatchNorm1d, 1), _instance_norm(normalization.InstanceNorm1d, -2)
LazyBatchNorm2d, LazyInstanceNorm2d = _lazy(normalization.BatchNorm2d, 1), _instance_norm(normalization.InstanceNorm2d, -3)
LazyBatchNorm3d, LazyInstanceNorm3d = _lazy(normalization.BatchNorm3d, 1), _instance_norm(normalization.InstanceNorm3d, -4)
