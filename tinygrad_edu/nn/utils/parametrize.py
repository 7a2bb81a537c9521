"""Parametrizations: a parameter that is computed from others, which are trained in its place.

`register_parametrization(linear, "weight", Symmetric())` moves the weight to `linear.parametrizations.weight.original`, and from then
on `linear.weight` is `Symmetric()(original)`, computed whenever it is asked for.

Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.register_parametrization.html
"""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...op import no_grad
from ...tensor import Tensor
from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Buffer, Parameter


class ParametrizationList(ModuleList):
    """What a parametrized tensor is computed from: `original` (or original0, original1 ...), through the modules in the list."""

    def __init__(self, modules: list[Module], original: Tensor) -> None:
        super().__init__(modules)
        parts: Any = original
        with no_grad():
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    parts = module.right_inverse(parts)
        self.is_tensor = isinstance(parts, Tensor)
        kind = Parameter if isinstance(original, Parameter) else Buffer
        for name, part in [("original", parts)] if self.is_tensor else [(f"original{i}", p) for i, p in enumerate(parts)]:
            keep = original if part is original else kind(part.detach())
            setattr(self, name, keep)
            if isinstance(keep, Parameter):
                keep.requires_grad = original.requires_grad
        self.count = 1 if self.is_tensor else len(parts)

    def forward(self) -> Tensor:
        """The tensor."""
        first, *others = list(self)
        x = first(self.original) if self.is_tensor else first(*(getattr(self, f"original{i}") for i in range(self.count)))
        for module in others:
            x = module(x)
        return x


def _parametrized_class(module: Module) -> type:
    """A class of its own for a module, on which the computed tensors can be properties."""
    cls = type(module)
    return type(f"Parametrized{cls.__name__}", (cls,), {"_computed": True})


def _property(name: str) -> property:
    def get(self: Module) -> Tensor:
        return self.parametrizations[name]()

    def put(self: Module, value: Tensor) -> None:
        with no_grad():
            fresh = ParametrizationList(list(self.parametrizations[name]), value)
            held = self.parametrizations[name]
            for key, part in fresh._own(Parameter):
                getattr(held, key).copy_(part)

    return property(get, put)


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """Compute a parameter or buffer of a module through `parametrization` from now on; returns the module.

    Args:
        parametrization: a module from the original tensor(s) to the tensor; with a method `right_inverse`, the original starts as
            `right_inverse(tensor)`, which may be several tensors.
        unsafe: let it change the tensor's shape or dtype.

    Raises:
        ValueError: the module has no such parameter or buffer.
        ShapeError: the computed tensor has another shape or dtype; nothing is changed.
    """
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        held.append(parametrization)
        return module
    original = module.__dict__.get(tensor_name)
    if not isinstance(original, Parameter | Buffer):
        raise ValueError(
            f"{type(module).__name__} has no parameter or buffer {tensor_name!r}; it has "
            f"{', '.join([n for n, _ in module.named_parameters(recurse=False)]) or 'none'}."
        )
    computed = ParametrizationList([parametrization], original)
    with no_grad():
        found = computed()
    if not unsafe and (found.shape, found.dtype) != (original.shape, original.dtype):
        raise ShapeError(
            f"the parametrization makes {found.shape} {found.dtype} of {tensor_name}, which is {original.shape} {original.dtype}; "
            "pass unsafe=True if it is meant."
        )
    del module.__dict__[tensor_name]
    if not getattr(type(module), "_computed", False):
        module.__class__ = _parametrized_class(module)
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _property(tensor_name))
    module.parametrizations[tensor_name] = computed
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of the module (or any, without a name) is computed by a parametrization."""
    held = module.__dict__.get("parametrizations")
    if held is None:
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a computed tensor an ordinary parameter again, with its computed value, or its original one.

    Raises:
        ValueError: it is not parametrized, or there are several originals and `leave_parametrized` is False.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{type(module).__name__} has no parametrization of {tensor_name!r}.")
    computed = module.parametrizations[tensor_name]
    if not leave_parametrized and not computed.is_tensor:
        raise ValueError(f"{tensor_name!r} is computed from several tensors, so there is no original to leave.")
    first = computed.original if computed.is_tensor else computed.original0
    with no_grad():
        value = computed() if leave_parametrized else computed.original
    kept = (
        Parameter(value.detach(), requires_grad=first.requires_grad) if isinstance(first, Parameter) else Buffer(value.detach())
    )
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if not len(module.parametrizations):
        del module.__dict__["parametrizations"]
        module.__class__ = type(module).__bases__[0]
    setattr(module, tensor_name, kept)
    return module
