"""Parametrizations: a parameter that is computed from others, which are trained in its place.

`register_parametrization(linear, "weight", Symmetric())` moves the weight to `linear.parametrizations.weight.original`, and from then
on `linear.weight` is `Symmetric()(original)`, computed whenever it is asked for.

Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.register_parametrization.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import ShapeError, as_given
from ...grad_mode import no_grad
from ...tensor import Tensor
from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Buffer, Parameter


class ParametrizationList(ModuleList):
    """What a parametrized tensor is computed from: `original` (or original0, original1 ...), through the modules in the list."""

    def __init__(self, modules: list[Module], original: Tensor) -> None:
        super().__init__(modules)
        parts = self._inverse(original)
        self.is_tensor = isinstance(parts, Tensor)
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(len(parts))]
        for name, part in zip(names, [parts] if self.is_tensor else parts, strict=True):
            if isinstance(original, Parameter):
                # One tensor in place of another stays the same Parameter, so that optimizers that hold it go on.
                held = original if self.is_tensor else Parameter(part.detach(), original.requires_grad)
                held.data = part.detach()
                self.register_parameter(name, held)
            else:
                self.register_buffer(name, part.detach())
        self.names = names

    @no_grad()
    def _inverse(self, value: Tensor, strict: bool = False) -> Any:
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
            elif strict:
                raise RuntimeError(
                    f"{type(module).__name__} has no right_inverse, so nothing can be assigned to what it computes."
                )
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Let the originals be such that the computed tensor is `value`."""
        parts = self._inverse(value, strict=True)
        pairs = list(zip((getattr(self, name) for name in self.names), [parts] if self.is_tensor else parts, strict=True))
        for held, part in pairs:
            if part.shape != held.shape:
                raise ShapeError(f"a tensor of shape {value.shape} does not fit: it would change {held.shape} to {part.shape}.")
        with no_grad():
            for held, part in pairs:
                held.copy_(part)

    def forward(self) -> Tensor:
        """The tensor."""
        first, *others = list(self)
        x = first(*(getattr(self, name) for name in self.names))
        for module in others:
            x = module(x)
        return x


def _parametrized_class(module: Module) -> type:
    """A class of its own for a module, on which the computed tensors can be properties."""
    cls = type(module)
    return type(f"Parametrized{cls.__name__}", (cls,), {"_computed": True})


_computed: dict[Module, Tensor] | None = None  # inside `cached()`: what each parametrization has made


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor only once inside: `with cached():` around a model that reads one at every step of a loop."""
    global _computed
    before = _computed
    _computed = {} if before is None else before
    try:
        yield
    finally:
        _computed = before


def _property(name: str) -> property:
    def get(module: Any) -> Tensor:
        parametrization = module.parametrizations[name]
        if _computed is None:
            return parametrization()
        if parametrization not in _computed:
            _computed[parametrization] = parametrization()
        return _computed[parametrization]

    def set_(module: Any, value: Tensor) -> None:
        parametrization = module.parametrizations[name]
        parametrization.right_inverse(value)
        if _computed is not None:
            _computed.pop(parametrization, None)

    return property(get, set_)


def register_parametrization(module: Any, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """Compute a parameter or buffer of a module through `parametrization` from now on; returns the module.

    Args:
        parametrization: a module from the original tensor(s) to the tensor; with a method `right_inverse`, the original starts as
            `right_inverse(tensor)`, which may be several tensors.
        unsafe: let it change the tensor's shape or dtype.

    Raises:
        ValueError: the module has no such parameter or buffer.
        TypeError: the parametrization is no module, but a function or a class, say.
        ShapeError: the computed tensor has another shape or dtype; nothing is changed.
    """
    if not isinstance(parametrization, Module):
        raise TypeError(
            f"a parametrization is a Module from the original tensor to the computed one, and not {as_given(parametrization)}."
        )
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        with no_grad():
            before = getattr(module, tensor_name)
            _check_kind(tensor_name, before, parametrization(before), unsafe)
            if hasattr(parametrization, "right_inverse"):
                _check_kind(tensor_name, before, parametrization.right_inverse(before), unsafe)
        module.parametrizations[tensor_name].append(parametrization)
        return module
    original = module.__dict__.get(tensor_name)
    if not isinstance(original, Parameter | Buffer):
        raise ValueError(
            f"{type(module).__name__} has no parameter or buffer {tensor_name!r}; it has "
            f"{', '.join([n for n, _ in module.named_parameters(recurse=False)]) or 'none'}."
        )
    before = original.detach().clone()
    computed = ParametrizationList([parametrization], original)
    try:
        with no_grad():
            _check_kind(tensor_name, before, computed(), unsafe)
    except Exception:
        original.data = before
        raise
    del module.__dict__[tensor_name]
    if not getattr(type(module), "_computed", False):
        module.__class__ = _parametrized_class(module)
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _property(tensor_name))
    module.parametrizations[tensor_name] = computed
    return module


def _check_kind(name: str, before: Tensor, found: Any, unsafe: bool) -> None:
    """Refuse a parametrization that changes shape or dtype, unless that is meant."""
    if not isinstance(found, Tensor):
        raise ValueError(f"a parametrization must return a tensor, not a {type(found).__name__}.")
    if not unsafe and (found.shape, found.dtype) != (before.shape, before.dtype):
        raise ShapeError(
            f"the parametrization makes {found.shape} {found.dtype} of {name}, which is {before.shape} {before.dtype}; "
            "pass unsafe=True if it is meant."
        )


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether a tensor of the module (or any, without a name) is computed by a parametrization."""
    held = module.__dict__.get("parametrizations")
    if held is None:
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a computed tensor an ordinary parameter again, with its computed value, or its original one.

    Raises:
        ValueError: it is not parametrized, or there are several originals and `leave_parametrized` is False.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{type(module).__name__} has no parametrization of {tensor_name!r}.")
    computed = module.parametrizations[tensor_name]
    if not leave_parametrized and not computed.is_tensor:
        raise ValueError(f"{tensor_name!r} is computed from several tensors, so there is no original to leave.")
    kept: Any = getattr(computed, computed.names[0])
    with no_grad():
        value = computed() if leave_parametrized else kept
    if not computed.is_tensor:
        kept = Parameter(value.detach(), kept.requires_grad) if isinstance(kept, Parameter) else Buffer(value.detach())
    elif leave_parametrized:
        kept.data = value  # the same Parameter, so that optimizers that hold it go on
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if not len(module.parametrizations):
        del module.__dict__["parametrizations"]
        module.__class__ = type(module).__bases__[0]
    setattr(module, tensor_name, kept)
    return module
