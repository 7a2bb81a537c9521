"""The base of every optimizer: parameter groups, state, and the loop over parameters.

An optimizer of your own writes one method, the update of one parameter:

    class SignSGD(Optimizer):
        def __init__(self, params, lr=0.01):
            super().__init__(params, {"lr": lr})

        def update(self, p, g, state, group):
            p -= group["lr"] * np.sign(g)

`p` and `g` are arrays (NumPy's or CuPy's) and `p` is changed in place; `state` is a dict that belongs to the parameter and
lasts; `group` holds the hyperparameters. To treat parameters by name, pass `model.named_parameters()`: the name is then in
`state["name"]`.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from inspect import signature
from numbers import Number
from typing import Any

import numpy as np

from ..autograd.gradients import forget
from ..clock import mark_changed
from ..errors import kind
from ..grad_mode import enable_grad
from ..hooks import HookHandle
from ..tensor import Tensor, wrap
from ..trees import mapped
from .gathered import Gathered

BLOCK = 64 * 1024

required: Any = object()  # the default of a hyperparameter that has none, as optimizers in PyTorch's style write it: lr=required


def in_blocks(*arrays: Any) -> Iterable[Sequence[Any]]:
    """Arrays of one shape cut into pieces that stay in the processor's cache while a formula goes over them step by step.

    Adam takes 2.5 times as long on 570,000 numbers without it. Small arrays, and those of a GPU, come whole.
    """
    if arrays[0].size <= BLOCK or not all(isinstance(a, np.ndarray) and a.flags.c_contiguous for a in arrays):
        return (arrays,)
    flat = [a.reshape(-1) for a in arrays]
    return ([a[start : start + BLOCK] for a in flat] for start in range(0, len(flat[0]), BLOCK))


def steady(update: Any) -> Any:
    """Mark an optimizer's `update` as one that does the same at every step, so that `compile` can write it out.

    What may change is computed by the optimizer's method `factors(p, state, group)`, which returns numbers, as 0-d arrays for an array of
    NumPy: all that depends on the count of steps, `state["step"]`, and on lr, betas and eps. An update that replaces a marked one needs a
    mark of its own.
    """
    update.steady = True
    return update


def _with_hooks(step: Any, kind: type) -> Any:
    """The step of a class of optimizers, with the hooks before and after it; called by way of super().step() they wait for the whole one."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **named: Any) -> Any:
        self.stepped = True
        if not self.step_hooks() or kind_with_step(self) is not kind:
            return step(self, *args, **named)
        for hook in list((self._step_pre_hooks or {}).values()):
            changed = hook(self, (self, *args), named)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"a hook before step() returns None, or the arguments as (args, kwargs), and not {changed!r:.80}."
                    )
                (_, *args), named = changed
        result = step(self, *args, **named)
        for hook in list((self._step_post_hooks or {}).values()):
            hook(self, (self, *args), named)
        return result

    return hooked


class Optimizer:
    """Changes parameters after their gradients.

    Args:
        params: parameters, (name, parameter) pairs, or dicts {"params": ..., "lr": ...} that make groups of their own.
        defaults: the hyperparameters of groups that do not set them.
        foreach, fused, capturable: how PyTorch is to compute the step; they make no difference here.

    Raises:
        ValueError: no parameters; the same one in two groups; a hyperparameter out of its range; differentiable=True.
        TypeError: something that is not a tensor, or a tensor that is not a leaf.

    Source: https://pytorch.org/docs/stable/optim.html
    """

    on_arrays = False  # whether a step() of one's own keeps arrays in the state, too
    stepped = False  # whether step() was called: a learning-rate schedule warns if it comes first
    _step_pre_hooks: dict[HookHandle, Callable] | None = None
    _step_post_hooks: dict[HookHandle, Callable] | None = None
    _load_pre_hooks: dict[HookHandle, Callable] | None = None

    def __init_subclass__(cls, **how: Any) -> None:
        super().__init_subclass__(**how)
        if "step" in vars(cls):
            cls.step = _with_hooks(cls.step, cls)  # type: ignore[method-assign]

    def __init__(
        self,
        params: Iterable[Any],
        defaults: dict[str, Any],
        *,
        foreach: Any = None,
        fused: Any = None,
        capturable: Any = None,
        differentiable: bool = False,
        **others: Any,
    ) -> None:
        if others:
            known = [p.name for p in signature(type(self)).parameters.values() if p.kind is not p.VAR_KEYWORD]
            raise TypeError(f"{type(self).__name__} does not take {', '.join(others)!r}; its arguments are {', '.join(known)}.")
        if differentiable:
            raise ValueError(
                f"{type(self).__name__}: differentiable=True is not offered; compute the step with autograd.grad instead."
            )
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            given = "single tensor: write [w]" if isinstance(params, Tensor) else type(params).__name__
            raise TypeError(f"an optimizer takes a list of parameters, such as model.parameters(); this is a {given}.")
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self._gathered: dict[int, Gathered] = {}  # by the number of the group
        groups = list(params)
        if not groups:
            raise ValueError(
                "an optimizer got no parameters: pass model.parameters(), and not a generator that was used up before."
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with hyperparameters of their own."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            given = [*param_group] if isinstance(param_group, dict) else f"a {kind(param_group)}"
            raise TypeError(
                f'a group of parameters is a dict with the entry "params", {{"params": [...], "lr": ...}}, not {given}.'
            )
        given = param_group["params"]
        pairs = [given] if isinstance(given, Tensor) else list(given)
        names = [pair[0] for pair in pairs if isinstance(pair, tuple)]
        params = [pair[1] if isinstance(pair, tuple) else pair for pair in pairs]
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"an optimizer takes tensors, such as those of model.parameters(), not a {kind(p)}.")
            if not p.is_leaf:
                raise ValueError("an optimizer can only change leaves; this tensor was made by an operation. Detach it first.")
        held = {p for group in self.param_groups for p in group["params"]}
        if len({*params}) < len(params) or any(p in held for p in params):
            raise ValueError("a parameter is in the optimizer twice; it would be changed twice in each step.")
        if len(names) not in (0, len(params)) or any(bool(names) != ("param_names" in group) for group in self.param_groups):
            raise ValueError("either all parameters of an optimizer have names, as in model.named_parameters(), or none of them.")
        group = {**self.defaults, **param_group, "params": params}
        if open_ := [name for name, value in group.items() if value is required]:
            raise ValueError(f"{type(self).__name__} needs a value for {', '.join(open_)}.")
        self.check(group)
        if names:
            group["param_names"] = names
            for name, p in zip(names, params, strict=True):
                self.state[p]["name"] = name
        self.param_groups.append(group)

    def check(self, group: dict[str, Any]) -> None:
        """Refuse hyperparameters out of range, before anything is changed."""
        for name in (
            *("lr", "momentum", "weight_decay", "eps", "alpha", "rho"),
            *("lr_decay", "momentum_decay", "initial_accumulator_value"),
        ):
            given = group.get(name)  # in an optimizer of one's own also None, where it is computed, or several: eps=(1e-30, 1e-3)
            for value in given if isinstance(given, tuple | list) else (given,):
                if isinstance(value, Tensor) and value.numel() != 1:
                    raise ValueError(
                        f"{type(self).__name__}: {name} must be one number, not a tensor of shape {tuple(value.shape)}."
                    )
                if not isinstance(value, Number | None) and not hasattr(value, "dtype"):
                    raise TypeError(f"{type(self).__name__}: {name} must be a number, not {value!r:.80}.")
                if value is not None and not value >= 0:
                    raise ValueError(f"{type(self).__name__}: {name} must be at least 0, not {given}.")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with `set_to_none=False` they become 0 in their memory."""
        for group in self.param_groups:
            forget(group["params"], set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; `closure`, if given, computes the loss first, and its value is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for i, group in enumerate(self.param_groups):
            settings = in_numbers(group)
            maximize, params = settings.get("maximize"), group["params"]
            if self._is_elementwise():
                gathered = self._gather(i)
                params = gathered.alone
                if gathered.together:
                    gathered.update(self.update, maximize, settings)
            for p in params:
                if p._grad is not None:
                    g = p._grad.array
                    self.update(p.array, -g if maximize else g, self.state[p], settings)
                    mark_changed(p.array)
        return loss

    def _is_elementwise(self) -> bool:
        return "elementwise" in vars(self.update)  # asking for it where it is not takes six times as long

    def _gather(self, i: int) -> Gathered:
        """The parameters of group number `i` that have gradients, small ones together."""
        params = [p for p in self.param_groups[i]["params"] if p._grad is not None]
        gathered = self._gathered.get(i)
        if gathered is None or not gathered.holds(params, self.state):
            gathered = self._gathered[i] = Gathered(params, self.state)
        return gathered

    def states(self) -> list[dict[str, Any]]:
        """The states that `update` will be given in the next step: of parameters that are updated as one, and of the others."""
        found = []
        for i, group in enumerate(self.param_groups):
            params = group["params"]
            if self._is_elementwise():
                gathered = self._gather(i)
                params = gathered.alone
                found += [gathered.state] if gathered.together else []
            found += [self.state[p] for p in params]
        return found

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call hook(optimizer, args, kwargs) before each step, with the step's arguments (args begin with the optimizer); it may return
        others, as (args, kwargs)."""
        self._step_pre_hooks = self._step_pre_hooks or {}
        return HookHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call hook(optimizer, args, kwargs) after each step, with the step's arguments."""
        self._step_post_hooks = self._step_post_hooks or {}
        return HookHandle(self._step_post_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call hook(optimizer, state_dict) before a state is loaded; it may return another one."""
        self._load_pre_hooks = self._load_pre_hooks or {}
        return HookHandle(self._load_pre_hooks, hook)

    def step_hooks(self) -> bool:
        """Whether there is something to call before or after a step."""
        return bool(self._step_pre_hooks or self._step_post_hooks)

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change the array `p` in place after its gradient `g`: what a subclass writes."""
        raise NotImplementedError(f"{type(self).__name__} has no update(p, g, state, group).")

    def state_dict(self) -> dict[str, Any]:
        """State and hyperparameters, with parameters numbered in order; arrays become tensors that share memory.

        What an optimizer of one's own keeps in its state under another key than a parameter stays as it is.
        """
        index = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state: dict[Any, Any] = {key: held for key, held in self.state.items() if not isinstance(key, Tensor)}
        for p, held in self.state.items():
            if p in index and held:
                state[index[p]] = mapped(lambda v: wrap(v) if hasattr(v, "shape") and not isinstance(v, Tensor) else v, held)
        groups = [{**group, "params": [index[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a saved optimizer stopped; it must have groups of the same sizes, else ValueError and nothing is changed."""
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict takes what state_dict() returned, a dict, and not a {kind(state_dict)}.")
        state_dict = dict(state_dict)  # which hooks may change
        for hook in list((self._load_pre_hooks or {}).values()):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        if not {"state", "param_groups"} <= {*state_dict}:
            raise ValueError(
                f"an optimizer's state has the entries 'state' and 'param_groups', and this one {[*state_dict]}: load what its "
                "state_dict() returned; that of a model goes to model.load_state_dict()."
            )
        groups = deepcopy(state_dict["param_groups"])  # at once: what groups share, such as a buffer, they share again
        mine, theirs = [len(g["params"]) for g in self.param_groups], [len(g["params"]) for g in groups]
        if mine != theirs:
            raise ValueError(f"this state is of an optimizer with groups of {theirs} parameters; this optimizer has {mine}.")
        params = [p for group in self.param_groups for p in group["params"]]
        numbers = [i for group in groups for i in group["params"]]
        by_number = dict(zip(numbers, params, strict=True))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, held in state_dict["state"].items():
            if key in by_number:
                state[by_number[key]] = mapped(functools.partial(self._kept, device=by_number[key].device), held)
            else:
                state[key] = self._kept(held)
        for group, saved in zip(self.param_groups, groups, strict=True):
            kept = {name: group[name] for name in ("params", "param_names") if name in group}
            group.clear()  # of what was not there when the state was saved, such as a schedule's initial_lr
            group.update(saved | kept)
        self.__setstate__({"state": state, "param_groups": self.param_groups})

    def __getstate__(self) -> dict[str, Any]:
        """For a copy or a file; what is gathered shares memory with the state, as it would not there."""
        return {**vars(self), "_gathered": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What a copy or a loaded state brings; an optimizer of one's own may add settings that older ones lack."""
        self.__dict__.update(state)

    def _kept(self, value: Any, device: Any = None) -> Any:
        """A copy of a value for the state: arrays for `update`; tensors for a `step` of one's own, as PyTorch's optimizers have it."""
        if not isinstance(value, Tensor):
            return deepcopy(value)
        value = value.to(device or value.device)
        return value.array.copy() if self.on_arrays or type(self).update is not Optimizer.update else value.detach().clone()

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            settings = "\n".join(f"    {k}: {group[k]}" for k in sorted(group) if k not in ("params", "param_names"))
            lines.append(f"Parameter Group {i}\n{settings}")
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


Optimizer.step = _with_hooks(Optimizer.step, Optimizer)  # type: ignore[method-assign]


def in_numbers(group: dict[str, Any]) -> dict[str, Any]:
    """A group with numbers in place of tensors, which may hold others at each step: `p -= tensor * g` would not change the array p."""
    for value in group.values():
        if isinstance(value, Tensor) or (type(value) is tuple and any(isinstance(x, Tensor) for x in value)):
            numbers = mapped(lambda x: x.item() if isinstance(x, Tensor) else x, {**group, "params": None})
            return {**numbers, "params": group["params"]}
    return group


def kind_with_step(optimizer: Optimizer) -> type:
    """The class whose step an optimizer has."""
    return next(kind for kind in type(optimizer).__mro__ if "step" in vars(kind))


def with_own_step(kind: Any) -> Iterator[Any]:
    """Of a class of optimizers (or schedules) and all that are made from it, those that define a step of their own."""
    if "step" in vars(kind):
        yield kind
    for each in kind.__subclasses__():
        yield from with_own_step(each)
