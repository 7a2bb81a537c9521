"""A module's state: what `state_dict()` gives and `load_state_dict()` takes, module by module, with hooks before and after.

A class of one's own may change how it is written and read: `_save_to_state_dict` and `_load_from_state_dict` are asked of each module,
as in PyTorch, whose programs read states of older versions so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..grad_mode import no_grad
from ..hooks import HookHandle
from ..ops.creation import as_tensor
from ..tensor import Tensor
from .parameter import Buffer, Parameter

EXTRA = "_extra_state"  # the name of what a module adds to its state
CHANGES = "changes"  # in the metadata of a module that is being loaded: what is to be done once everything was found to fit


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class State:
    """What a `Module` does with its state."""

    _version = 1  # of the names in the state; kept beside them as its `_metadata`
    _state_dict_pre_hooks: dict | None = None  # {HookHandle: hook}; None or empty while there are none
    _state_dict_hooks: dict | None = None
    _load_state_dict_pre_hooks: dict | None = None
    _load_state_dict_post_hooks: dict | None = None

    _modules: Any  # these three are of Module
    _own: Callable[[type], Iterator[tuple[str, Any]]]
    _add_hook: Callable[[str, Any], HookHandle]

    # -- writing -----------------------------------------------------------------------------------------------------
    def state_dict(self, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> OrderedDict[str, Any]:
        """Every parameter and persistent buffer by its path (behind `prefix`); the tensors share memory with the module's.

        A module of one's own may add what it knows beside tensors: `get_extra_state()` returns it, and `set_extra_state(state)` takes it.
        """
        state: Any = destination
        if state is None:
            state = OrderedDict()
            state._metadata = {}
        metadata = {"version": self._version}
        if hasattr(state, "_metadata"):
            state._metadata[prefix[:-1]] = metadata
        for hook in _hooks(self._state_dict_pre_hooks):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, module in self._modules.items():
            module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in _hooks(self._state_dict_hooks):
            replaced = hook(self, state, prefix, metadata)
            state = state if replaced is None else replaced
        return state

    def _own_state(self) -> dict[str, Tensor]:
        return dict(self._own(Parameter)) | {name: buffer for name, buffer in self._own(Buffer) if buffer.persistent}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Write what is this module's own, without the modules inside it."""
        for name, value in self._own_state().items():
            destination[prefix + name] = value if keep_vars else value.detach()
        if hasattr(self, "get_extra_state"):
            destination[prefix + EXTRA] = self.get_extra_state()

    # -- reading -----------------------------------------------------------------------------------------------------
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy values from a state dict into parameters and buffers of the same names; nothing is changed if anything is refused.

        Raises:
            RuntimeError: lists every missing and every unexpected name (if `strict`) and every wrong shape.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict takes a dict of names and tensors, not a {type(state_dict).__name__}.")
        found = _Reading(getattr(state_dict, "_metadata", {}), assign)
        found.read(self, dict(state_dict), "")
        if found.wrong or not found.after:  # else the hooks may yet excuse what is missing
            found.refuse(self, strict)
        with no_grad():
            for change in found.changes:
                change()
        for hook in found.after:
            hook()
        found.refuse(self, strict)
        return found.names

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Read what is this module's own, and add to the lists what does not fit; `local_metadata` has the version that was written."""
        for hook, with_module in _hooks(self._load_state_dict_pre_hooks):
            all_of_it = (state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
            hook(self, *all_of_it) if with_module else hook(*all_of_it)
        own, changes = self._own_state(), []
        takes = {*own} | ({EXTRA} if hasattr(self, "set_extra_state") else set())
        for name in (*own, EXTRA) if EXTRA in takes else own:
            key = prefix + name
            if key not in state_dict:
                missing_keys += [key] * strict
            elif name == EXTRA:
                changes.append(partial(self.set_extra_state, state_dict[key]))  # type: ignore[attr-defined]
            else:
                try:
                    given = state_dict[key] if isinstance(state_dict[key], Tensor) else as_tensor(state_dict[key])
                except TypeError as error:
                    error_msgs.append(f"{key} is no tensor in the state dict: {str(error).removesuffix('.')}")
                    continue
                if given.shape != own[name].shape:
                    error_msgs.append(f"{key} has the shape {given.shape} in the state dict, and {own[name].shape} in the model")
                elif local_metadata.get("assign_to_params_buffers"):
                    changes.append(partial(setattr, own[name], "data", given.detach().clone()))
                else:
                    changes.append(partial(own[name].copy_, given))
        if strict:
            for key in state_dict:
                name, *inside = key.removeprefix(prefix).split(".", 1)
                if key.startswith(prefix) and name not in (self._modules if inside else takes):
                    unexpected_keys.append(key)
        if CHANGES in local_metadata:
            local_metadata[CHANGES] += changes
        else:  # called by a program, for this module alone
            with no_grad():
                for change in changes:
                    change()

    # -- hooks -------------------------------------------------------------------------------------------------------
    def register_state_dict_pre_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's state is written."""
        return self._add_hook("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after the module's state was written; it may change the state,
        or return another."""
        return self._add_hook("_state_dict_hooks", hook)

    _register_state_dict_hook = register_state_dict_post_hook  # its older name

    def register_load_state_dict_pre_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before the module
        reads its state; it may change the state, to give parameters other names."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> HookHandle:
        return self._add_hook("_load_state_dict_pre_hooks", (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(module, incompatible_keys)` after the module and those inside it were loaded; it may take names out of the lists
        `incompatible_keys.missing_keys` and `.unexpected_keys`, which are then excused."""
        return self._add_hook("_load_state_dict_post_hooks", hook)


class _Reading:
    """A state dict being read: what was found in it, and what is to be done when all of it fits."""

    def __init__(self, metadata: dict[str, Any], assign: bool) -> None:
        self.metadata, self.assign = metadata, assign
        self.names = IncompatibleKeys([], [])
        self.wrong: list[str] = []
        self.changes: list[Callable[[], Any]] = []
        self.after: list[Callable[[], Any]] = []

    def read(self, module: Any, state: dict[str, Any], prefix: str) -> None:
        """Let a module, and those inside it, read what is theirs."""
        own = {**self.metadata.get(prefix[:-1], {}), "assign_to_params_buffers": self.assign, CHANGES: self.changes}
        module._load_from_state_dict(state, prefix, own, True, *self.names, self.wrong)
        for name, child in module._modules.items():
            path = f"{prefix}{name}."
            self.read(child, {key: value for key, value in state.items() if key.startswith(path)}, path)
        self.after.extend(partial(hook, module, self.names) for hook in _hooks(module._load_state_dict_post_hooks))

    def refuse(self, module: Any, strict: bool) -> None:
        """Raise if anything does not fit."""
        names = {"missing": self.names.missing_keys, "unexpected": self.names.unexpected_keys} if strict else {}
        if problems := [f"{what}: {', '.join(those)}" for what, those in names.items() if those] + self.wrong:
            raise RuntimeError(f"this state dict does not fit {type(module).__name__}. " + ". ".join(problems) + ".")


def _hooks(held: dict | None) -> list[Any]:
    return list((held or {}).values())
