"""Pruning: a network of which some weights are 0 and stay so, because a mask multiplies them before every forward.

`l1_unstructured(linear, "weight", amount=0.3)` moves the parameter to `linear.weight_orig`, keeps the mask as the buffer
`linear.weight_mask`, and from then on `linear.weight` is their product. Whoever prunes again prunes what the mask has left. `remove`
makes the product a parameter again, zeros included.

Sources: https://pytorch.org/docs/stable/nn.html#utilities, https://pytorch.org/tutorials/intermediate/pruning_tutorial.html
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from ...errors import ShapeError, as_given
from ...grad_mode import no_grad
from ...hooks import HookHandle
from ...ops.creation import ones_like
from ...ops.norms import norm
from ...ops.random import rand, rand_like
from ...ops.sorting import topk
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter
from .convert_parameters import parameters_to_vector


# -- what pruning methods share ----------------------------------------------------------------------------------------
class BasePruningMethod(ABC):
    """A way to choose weights: a subclass has a PRUNING_TYPE and a `compute_mask`, and is used as `OwnMethod.apply(linear, "weight")`.

    PRUNING_TYPE says what of a tensor that was pruned before the method is shown: "unstructured", the weights left; "structured", the
    channels along its `dim` that are not all gone; "global", everything.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.BasePruningMethod.html
    """

    PRUNING_TYPE: str
    _tensor_name: str

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for t, or for scores that stand for its weights: 1 for what stays of `default_mask`, 0 for what goes."""

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def apply_mask(self, module: Module) -> Tensor:
        """The product of mask and parameter."""
        original = getattr(module, self._tensor_name + "_orig")
        return getattr(module, self._tensor_name + "_mask").to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter of a module, by its weights or by scores in their place; args and kwargs are for the method.

        Raises:
            ValueError: the module has no such parameter.
            ShapeError: the scores have another shape.
        """
        method = cls(*args, **kwargs)
        method._tensor_name = name
        found = _found(module, name)
        if found is None and not isinstance(module.__dict__.get(name), Parameter):
            raise ValueError(
                f"{type(module).__name__} has no parameter {name!r} to prune; it has "
                f"{', '.join(n for n, _ in module.named_parameters(recurse=False)) or 'none'}."
            )
        weight = getattr(module, name)
        with no_grad():
            if found is None:
                mask = method.compute_mask(_scores(weight, importance_scores), default_mask=ones_like(weight))
            else:
                handle, before = found
                method = PruningContainer(*(before if isinstance(before, PruningContainer) else [before]), method)
                mask = getattr(module, name + "_mask").clone()
                mask = method.compute_mask(_scores(weight, importance_scores), default_mask=mask)
        if found is None:
            delattr(module, name)
            module.register_parameter(name + "_orig", weight)
            module.register_buffer(name + "_mask", mask)
        else:
            handle.remove()
            setattr(module, name + "_mask", mask)
        method(module, ())
        module.register_forward_pre_hook(method)
        return method

    @no_grad()
    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """A pruned copy of a tensor that belongs to no module."""
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(_scores(t, importance_scores), default_mask=mask)

    def remove(self, module: Module) -> None:
        """Make the product of mask and parameter the parameter."""
        name = self._tensor_name
        original = getattr(module, name + "_orig")
        original.data = self.apply_mask(module)
        for part in (name, name + "_orig", name + "_mask"):
            delattr(module, part)
        setattr(module, name, original)


def _found(module: Module, name: str | None = None) -> tuple[HookHandle, BasePruningMethod] | None:
    """The pruning of a module's tensor (None: of any), with its handle."""
    for handle, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and name in (None, hook._tensor_name):
            return handle, hook
    return None


def _scores(t: Tensor, given: Tensor | None) -> Tensor:
    if given is not None and given.shape != t.shape:
        raise ShapeError(f"importance_scores must have one number for each of the weights {t.shape}; they are {given.shape}.")
    return t if given is None else given


class PruningContainer(BasePruningMethod):
    """Several prunings of one tensor, one after the other; `compute_mask` does the last.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.PruningContainer.html
    """

    def __init__(self, *methods: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"a pruning method is an instance of a subclass of BasePruningMethod, and not {as_given(method)}.")
        if self._pruning_methods and method._tensor_name != self._tensor_name:
            raise ValueError(f"this container prunes {self._tensor_name!r}, and the method {method._tensor_name!r}.")
        self._tensor_name = method._tensor_name
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, index: Any) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        method = self._pruning_methods[-1]
        if method.PRUNING_TYPE == "unstructured":
            part: Any = default_mask == 1
        elif method.PRUNING_TYPE == "structured":
            dim = _dim_of(t, method.dim)  # type: ignore[attr-defined]
            others = [d for d in range(t.ndim) if d != dim]
            part = (*(slice(None),) * dim, default_mask.sum(dim=others) != 0)
        elif method.PRUNING_TYPE == "global":
            part = ...
        else:
            raise ValueError(
                f'PRUNING_TYPE of {type(method).__name__} must be "unstructured", "structured" or "global", not {method.PRUNING_TYPE!r}.'
            )
        mask = default_mask.to(t.dtype).clone()
        mask[part] = method.compute_mask(t[part], default_mask=default_mask[part]).to(t.dtype)
        return mask


# -- the methods -------------------------------------------------------------------------------------------------------
class Identity(BasePruningMethod):
    """Prune nothing, but have the mask."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prune by a mask of one's own."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if self.mask.shape != default_mask.shape:
            raise ShapeError(f"the mask must have the shape of the weights, {default_mask.shape}; it has {self.mask.shape}.")
        return default_mask * self.mask.to(default_mask.dtype)


class _Amount(BasePruningMethod):
    """A method that prunes so many weights or channels (an int), or such a part of them (a float)."""

    def __init__(self, amount: float) -> None:
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"amount must be a number, an int or a float, and not {as_given(amount)}.")
        if amount < 0 or (amount > 1 and not isinstance(amount, numbers.Integral)):
            raise ValueError(f"amount must be a part between 0.0 and 1.0, or how many as an int; it is {amount!r}.")
        self.amount: Any = amount

    def count(self, size: int) -> int:
        """How many of `size` are to be pruned."""
        count = int(self.amount) if isinstance(self.amount, numbers.Integral) else round(self.amount * size)
        if count > size:
            raise ValueError(f"{count} are to be pruned (amount={self.amount}), and there are only {size}.")
        return count


class _Unstructured(_Amount):
    """Prune the weights with the least scores, wherever they are."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.reshape(-1).clone()
        mask[topk(self.scores(t).reshape(-1), self.count(t.numel()), largest=False).indices] = 0
        return mask.reshape(default_mask.shape)

    @abstractmethod
    def scores(self, t: Tensor) -> Tensor:
        """A number for each weight."""


class RandomUnstructured(_Unstructured):
    """Prune weights at random."""

    def scores(self, t: Tensor) -> Tensor:
        return rand_like(t)


class L1Unstructured(_Unstructured):
    """Prune the weights with the smallest absolute values."""

    def scores(self, t: Tensor) -> Tensor:
        return t.abs()


class _Structured(_Amount):
    """Prune whole channels along a dim, those with the least scores."""

    PRUNING_TYPE = "structured"
    dim: int

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.ndim < 2:
            raise ValueError(f"channels can be pruned of tensors with at least 2 dims, and this one is {t.shape}.")
        dim = _dim_of(t, self.dim)
        size = t.shape[dim]
        kept = topk(self.scores(t, dim), size - self.count(size)).indices
        mask = ones_like(default_mask).zero_()
        part = (*(slice(None),) * dim, kept)
        mask[part] = default_mask[part]
        return mask

    @abstractmethod
    def scores(self, t: Tensor, dim: int) -> Tensor:
        """A number for each channel."""


def _dim_of(t: Tensor, dim: int) -> int:
    if not -t.ndim <= dim < t.ndim:
        raise IndexError(f"dim {dim} is none of the {t.ndim} dims of the weights {t.shape}.")
    return dim % t.ndim


class RandomStructured(_Structured):
    """Prune channels at random."""

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def scores(self, t: Tensor, dim: int) -> Tensor:
        return rand(t.shape[dim], device=t.device)


class LnStructured(_Structured):
    """Prune the channels with the smallest norms."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.n, self.dim = n, dim

    def scores(self, t: Tensor, dim: int) -> Tensor:
        return norm(t, p=self.n, dim=[d for d in range(t.ndim) if d != dim])


# -- what users call ---------------------------------------------------------------------------------------------------
def identity(module: Module, name: str) -> Module:
    """Give a parameter a mask that prunes nothing, as the first of several; returns the module.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.identity.html
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune weights of a parameter at random.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.random_unstructured.html
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Prune the weights of a parameter that are nearest to 0.

    Args:
        amount: how many, as an int, or which part of those that are left, as a float from 0 to 1.
        importance_scores: numbers of the parameter's shape, to choose by them instead.

    >>> import tinygrad_edu as tg
    >>> linear = tg.nn.Linear(3, 1)
    >>> linear.weight.data = tg.tensor([[0.1, -2.0, 3.0]])
    >>> l1_unstructured(linear, "weight", amount=1).weight_mask
    tensor([[0., 1., 1.]])
    >>> list(linear.state_dict())
    ['bias', 'weight_orig', 'weight_mask']

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.l1_unstructured.html
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune whole channels of a parameter along a dim at random.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.random_structured.html
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None) -> Module:
    """Prune the channels of a parameter along a dim that have the smallest n-norms.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.ln_structured.html
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune a parameter by a mask of 0 and 1.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.custom_from_mask.html
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one: of one layer more may go than of another.

    Args:
        parameters: pairs of a module and a name: [(model.fc1, "weight"), (model.fc2, "weight")].
        pruning_method: a class of type "unstructured", such as L1Unstructured; kwargs are its arguments.
        importance_scores: for some pairs, scores to choose by.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.global_unstructured.html
    """
    pairs = list(parameters)
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'global_unstructured takes methods of type "unstructured", and {pruning_method.__name__} is {method.PRUNING_TYPE!r}.'
        )
    method._tensor_name = "several"
    given = importance_scores or {}
    with no_grad():
        weights = [getattr(module, name) for module, name in pairs]
        scores = [_scores(w, given.get(pair)) for w, pair in zip(weights, pairs, strict=True)]
        masks = [
            getattr(m, name + "_mask") if _found(m, name) else ones_like(w) for (m, name), w in zip(pairs, weights, strict=True)
        ]
        whole = PruningContainer(method).compute_mask(parameters_to_vector(scores), parameters_to_vector(masks))
    for (module, name), part in zip(pairs, whole.split([w.numel() for w in weights]), strict=True):
        custom_from_mask(module, name, part.reshape(getattr(module, name).shape))


def remove(module: Module, name: str) -> Module:
    """End the pruning of a parameter: it is an ordinary one again, and what was pruned is 0, until it is trained on.

    Raises:
        ValueError: it is not pruned.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.remove.html
    """
    found = _found(module, name)
    if found is None:
        raise ValueError(f"{type(module).__name__} has no pruned parameter {name!r}.")
    handle, method = found
    method.remove(module)
    handle.remove()
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module or of one inside it is pruned.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.prune.is_pruned.html
    """
    return any(_found(m) is not None for m in module.modules())
