"""Containers: modules and parameters in a row or by name."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from ..errors import as_given, kind
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter


def _wrong_kind(container: Any, item: Any) -> TypeError:
    given = as_given(item) if isinstance(item, type) else f"a {kind(item)}"
    return TypeError(f"{type(container).__name__} takes {container._kind.__name__}s, not {given}.")


class _Listed(Module):
    """What lists of modules and of parameters share: items are attributes named "0", "1" ..."""

    _kind: type = Module

    def _entries(self) -> list[tuple[str, Any]]:
        return list(self._own(self._kind))

    def _items(self) -> list[Any]:
        return [item for _, item in self._entries()]

    def _keys(self) -> list[str]:
        return [name for name, _ in self._entries()]

    def _key(self, index: int) -> str:
        keys = self._keys()
        try:
            return keys[index]
        except IndexError:
            raise IndexError(f"index {index} is out of range for {type(self).__name__} of length {len(keys)}.") from None

    def _replace_all(self, items: list[Any]) -> None:
        for key in self._keys():
            delattr(self, key)
        for i, item in enumerate(items):
            setattr(self, str(i), item)

    def _checked(self, item: Any) -> Any:
        if not isinstance(item, self._kind):
            raise _wrong_kind(self, item)
        return item

    def __len__(self) -> int:
        return len(self._keys())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._sliced(index)
        return getattr(self, self._key(index))

    def _sliced(self, index: slice) -> Any:
        make: Any = type(self)
        return make(self._items()[index])

    def __setitem__(self, index: int, item: Any) -> None:
        setattr(self, self._key(index), self._checked(item))

    def __delitem__(self, index: Any) -> None:
        items = self._items()
        if not isinstance(index, slice):
            self._key(index)  # which says what is out of range
        del items[index]
        self._replace_all(items)

    def append(self, item: Any) -> Any:
        """Add one at the end; returns the container."""
        setattr(self, str(len(self)), self._checked(item))
        return self

    def extend(self, items: Iterable[Any]) -> Any:
        """Add several at the end; returns the container."""
        for item in [self._checked(item) for item in items]:
            self.append(item)
        return self

    def insert(self, index: int, item: Any) -> Any:
        """Put one before position `index`, from -len to len; returns the container."""
        items = self._items()
        if not -len(items) <= index <= len(items):
            raise IndexError(f"insert: position {index} is out of range for {type(self).__name__} of length {len(items)}.")
        items.insert(index, self._checked(item))
        self._replace_all(items)
        return self

    def pop(self, index: int = -1) -> Any:
        """Take one out and return it."""
        item = self[index]
        del self[index]
        return item

    def __iadd__(self, items: Iterable[Any]) -> Any:
        return self.extend(items)


class Sequential(_Listed):
    """Modules one after another: each gets what the one before it returned.

    z = fₙ(... f₂(f₁(x)))

    Args:
        *modules: the modules, or one OrderedDict of names and modules.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def forward(self, x: Any) -> Any:
        before = None
        for module in [value for value in vars(self).values() if isinstance(value, Module)]:
            if type(x) is tuple:
                self._check_takes_tuple(before, module)
            x = module(x)
            before = module
        return x

    def _check_takes_tuple(self, before: Module | None, module: Module) -> None:
        """Refuse to hand what a recurrent layer returned to a layer that takes one tensor."""
        plain = type(module).__module__.startswith(__package__) and not isinstance(module, _Listed)
        if hasattr(before, "hidden_size") and plain:
            layer, state = type(before).__name__, "(h, c)" if type(before).__name__ == "LSTM" else "h"
            raise TypeError(
                f"Sequential: {layer} returns a tuple, (output, {state}), and {type(module).__name__} after it takes one tensor. "
                f"Write a forward() of your own with `output, {state} = self.{layer.lower()}(x)`, and go on with output, or with "
                "its last step, output[:, -1] (batch_first)."
            )

    def __add__(self, other: Iterable[Module]) -> Sequential:
        return Sequential(*self, *other)

    def _sliced(self, index: slice) -> Sequential:
        return Sequential(OrderedDict(list(self._own(Module))[index]))


class ModuleList(_Listed):
    """A list whose modules belong to the model; None holds the place of a module that is left out.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _entries(self) -> list[tuple[str, Any]]:
        return [
            (name, value) for name, value in vars(self).items() if isinstance(value, Module) or (value is None and name.isdigit())
        ]

    def _checked(self, item: Any) -> Any:
        return None if item is None else super()._checked(item)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Modules that print alike and stand side by side are printed once: `(0-5): 6 x Linear(...)`."""
        if not len(self):
            return f"{type(self).__name__}()"
        lines, start = [], 0
        for text, group in itertools.groupby(map(repr, self)):
            count = len(list(group))
            label = f"({start})" if count == 1 else f"({start}-{start + count - 1}): {count} x"
            lines.append(f"{label}{':' if count == 1 else ''} {text}".replace("\n", "\n  "))
            start += count
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _lines_of_parameters(module: Module) -> str:
    """A line for each parameter, with its dtype and size."""
    return "\n".join(
        f"  ({name}): Parameter containing: [{p.dtype} of size {'x'.join(map(str, p.shape))}]"
        for name, p in module._own(Parameter)
    )


class ParameterList(_Listed):
    """A list whose parameters belong to the model; tensors in it become parameters.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ParameterList.html
    """

    _kind = Parameter

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    def _checked(self, item: Any) -> Any:
        return super()._checked(Parameter(item) if isinstance(item, Tensor) and not isinstance(item, Parameter) else item)

    def extra_repr(self) -> str:
        return _lines_of_parameters(self)


class _Named(Module):
    """What dicts of modules and of parameters share."""

    _kind: type = Module

    def update(self, items: Any) -> None:
        """Add or replace items from a mapping or from pairs."""
        for key, value in {key: self._checked(value) for key, value in dict(items).items()}.items():
            self[key] = value

    def _checked(self, value: Any) -> Any:
        if isinstance(value, Tensor) and self._kind is Parameter and not isinstance(value, Parameter):
            value = Parameter(value)
        if not isinstance(value, self._kind):
            raise _wrong_kind(self, value)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._register(key, self._checked(value), self._kind)

    def _held(self) -> dict[str, Any]:
        return dict(self._own(self._kind))

    def __getitem__(self, key: str) -> Any:
        return self._held()[key]

    def __delitem__(self, key: str) -> None:
        self[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def keys(self) -> KeysView[str]:
        return self._held().keys()

    def values(self) -> ValuesView[Any]:
        return self._held().values()

    def items(self) -> ItemsView[str, Any]:
        return self._held().items()

    def pop(self, key: str) -> Any:
        """Take one out and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take all out."""
        for key in self.keys():
            del self[key]


class ModuleDict(_Named):
    """A dict whose modules belong to the model.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ModuleDict.html
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)


class ParameterDict(_Named):
    """A dict whose parameters belong to the model; tensors in it become parameters.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.ParameterDict.html
    """

    _kind = Parameter

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        if parameters is not None:
            self.update(parameters)

    def update(self, items: Any) -> None:
        """Add or replace parameters from a mapping or from pairs; those of a plain dict in the order of their names, as in PyTorch."""
        super().update(sorted(items.items()) if type(items) is dict else items)

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter under a key, or the default."""
        return self._held().get(key, default)

    def extra_repr(self) -> str:
        return _lines_of_parameters(self)
