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

An update of ten calls of NumPy takes 5 µs on a parameter of ten numbers, nearly all of it for the calls. If it treats each number
by itself, say so with `@elementwise`: it is then called once for all the small parameters, laid side by side in one array. It pays
from about five calls on; gradient descent, of two, is better off without.
"""

from __future__ import annotations

import itertools
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from ..op import enable_grad
from ..tensor import Tensor, mark_changed, owner, wrap

BLOCK = 64 * 1024
SMALL = 16 * 1024  # numbers of a parameter that is worth copying, if one call on many saves calls on each


def in_blocks(*arrays: Any) -> Iterator[Sequence[Any]]:
    """Arrays of one shape cut into pieces that stay in the processor's cache while a formula goes over them step by step.

    Adam takes 2.5 times as long on 570,000 numbers without it. Small arrays, and those of a GPU, come whole.
    """
    if arrays[0].size <= BLOCK or not all(type(a) is np.ndarray and a.flags.c_contiguous for a in arrays):
        yield arrays
        return
    flat = [a.reshape(-1) for a in arrays]
    for start in range(0, len(flat[0]), BLOCK):
        yield [a[start : start + BLOCK] for a in flat]


def elementwise(update: Callable) -> Callable:
    """Declare that an update treats each number by itself, so that it may be called for several parameters as one array.

    What it puts into `state` must be a number that is the same for all of them, or an array like `p` that is not `p` or `g` itself.
    """
    update.elementwise = True  # type: ignore[attr-defined]
    return update


class Bundle:
    """Small parameters side by side in one array, for updates that treat each number by itself.

    Their state stays here, in one array of each kind, and the parameters' own states hold views of it. Parameters and gradients are
    copied here for the update and the parameters back: they stay where they are, since others may look at the same memory.
    """

    def __init__(self, ready: list[Tensor], states: dict[Tensor, dict[str, Any]]) -> None:
        self.ready = ready  # all parameters of the group that had a gradient
        self.params = _alike(ready, states)
        self.others = [p for p in ready if not any(p is each for each in self.params)]
        self.states = [states[p] for p in self.params]
        self.arrays: dict[str, Any] = {}  # of the state
        self.shared: list[Any] = []
        if not self.params:
            return
        self.numbers = np.concatenate([p.array for p in self.params], axis=None)
        self.gradients = np.empty_like(self.numbers)
        self.parts = self.cut(self.numbers)
        self.state = {
            k: np.concatenate([state[k] for state in self.states], axis=None) if _is_array(v) else v
            for k, v in self.states[0].items()
            if k != "name"
        }
        self.share()

    def cut(self, flat: Any) -> list[Any]:
        """Views of an array of all numbers, in the parameters' shapes."""
        sizes = [p.array.size for p in self.params]
        return [
            flat[end - size : end].reshape(p.shape)
            for p, size, end in zip(self.params, sizes, itertools.accumulate(sizes), strict=True)
        ]

    def share(self) -> None:
        """Give every parameter its part of the state."""
        for k, v in self.state.items():
            if not _is_array(v):
                for state in self.states:
                    state[k] = v
            elif v is not self.arrays.get(k):
                self.arrays[k] = v
                for state, part in zip(self.states, self.cut(v), strict=True):
                    state[k] = part
        self.shared = self.held(self.states)

    def held(self, states: Iterable[dict[str, Any]]) -> list[Any]:
        """What must be the same objects at the next step."""
        return [p.array for p in self.params] + [v for state in states for v in state.values()]

    def fits(self, ready: list[Tensor], states: dict[Tensor, dict[str, Any]]) -> bool:
        """Whether all is as this bundle left it: the same gradients are there, and nobody loaded or changed a state."""
        return _same(ready, self.ready) and _same(self.held([states[p] for p in self.params]), self.shared)

    def update(self, update: Callable, group: dict[str, Any]) -> None:
        """Change all parameters by one call."""
        np.concatenate([p.array for p in self.params], axis=None, out=self.numbers)
        np.concatenate([p._grad.array for p in self.params], axis=None, out=self.gradients)  # type: ignore[union-attr]
        g = self.gradients
        update(self.numbers, -g if group.get("maximize") else g, self.state, group)
        self.share()
        for p, part in zip(self.params, self.parts, strict=True):
            p.array[...] = part


def _alike(params: list[Tensor], states: dict[Tensor, dict[str, Any]]) -> list[Tensor]:
    """The small parameters that one update can treat as one array: of one dtype and device, whose states differ in arrays only."""
    found, kinds, owners = [], [], set()
    for p in params:
        state = {k: v for k, v in states[p].items() if k != "name"}
        memory = id(owner(p.array))  # of two that share memory, each is changed by itself
        if p.array.size <= SMALL and memory not in owners and all(v.shape == p.shape for v in state.values() if _is_array(v)):
            owners.add(memory)
            found.append(p)
            kinds.append((p.dtype, p.device, [(k, None if _is_array(v) else v) for k, v in state.items()]))
    most = max(kinds, key=kinds.count, default=None)
    found = [p for p, kind in zip(found, kinds, strict=True) if kind == most]
    return found if len(found) > 1 else []


def _is_array(x: Any) -> bool:
    return hasattr(x, "shape")


def _same(these: list[Any], those: list[Any]) -> bool:
    """Whether two lists hold the very same objects."""
    return len(these) == len(those) and all(map(operator.is_, these, those))


class Optimizer:
    """Changes parameters after their gradients.

    Args:
        params: parameters, (name, parameter) pairs, or dicts {"params": ..., "lr": ...} that make groups of their own.
        defaults: the hyperparameters of groups that do not set them.

    Raises:
        ValueError: no parameters; the same one in two groups; a hyperparameter out of its range.
        TypeError: something that is not a tensor, or a tensor that is not a leaf.

    Source: https://pytorch.org/docs/stable/optim.html
    """

    stepped = False  # whether step() was called: a learning-rate schedule warns if it comes first

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            given = "single tensor: write [w]" if isinstance(params, Tensor) else type(params).__name__
            raise TypeError(f"an optimizer takes a list of parameters, such as model.parameters(); this is a {given}.")
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self._side_by_side = getattr(self.update, "elementwise", False)
        self._bundles: dict[int, Bundle] = {}  # by the number of the group
        groups = list(params)
        if not groups:
            raise ValueError(
                "an optimizer got no parameters: pass model.parameters(), and not a generator that was used up before."
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with hyperparameters of their own."""
        given = param_group["params"]
        pairs = [given] if isinstance(given, Tensor) else list(given)
        names = [pair[0] for pair in pairs if isinstance(pair, tuple)]
        params = [pair[1] if isinstance(pair, tuple) else pair for pair in pairs]
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"an optimizer takes tensors, such as those of model.parameters(), not a {type(p).__name__}.")
            if not p.is_leaf:
                raise ValueError("an optimizer can only change leaves; this tensor was made by an operation. Detach it first.")
        held = {p for group in self.param_groups for p in group["params"]}
        if len({*params}) < len(params) or any(p in held for p in params):
            raise ValueError("a parameter is in the optimizer twice; it would be changed twice in each step.")
        group = {**self.defaults, **param_group, "params": params}
        self.check(group)
        if names:
            group["param_names"] = names
            for name, p in zip(names, params, strict=True):
                self.state[p]["name"] = name
        self.param_groups.append(group)

    def check(self, group: dict[str, Any]) -> None:
        """Refuse hyperparameters out of range, before anything is changed."""
        limits = {
            "lr": 0,
            "momentum": 0,
            "weight_decay": 0,
            "eps": 0,
            "alpha": 0,
            "rho": 0,
            "lr_decay": 0,
            "initial_accumulator_value": 0,
        }
        for name, least in limits.items():
            if name in group and group[name] < least:
                raise ValueError(f"{type(self).__name__}: {name} must be at least {least}, not {group[name]}.")
        for i, beta in enumerate(group.get("betas", ())):
            if not 0 <= beta < 1:
                raise ValueError(f"{type(self).__name__}: betas[{i}] must be in [0, 1), not {beta}.")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                p._grad = None if set_to_none or p._grad is None else p._grad.detach() * 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; `closure`, if given, computes the loss first, and its value is returned."""
        self.stepped = True
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for i, group in enumerate(self.param_groups):
            ready = [p for p in group["params"] if p._grad is not None]
            maximize = group.get("maximize")
            for p in self._update_bundle(i, ready, group) if self._side_by_side else ready:
                g = p._grad.array  # type: ignore[union-attr]
                self.update(p.array, -g if maximize else g, self.state[p], group)
            for p in ready:
                mark_changed(p.array)
        return loss

    def _update_bundle(self, number: int, ready: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Change the small parameters among those that are ready by one call; return the others."""
        bundle = self._bundles.get(number)
        if bundle is None or not bundle.fits(ready, self.state):
            bundle = self._bundles[number] = Bundle(ready, self.state)
        if bundle.params:
            bundle.update(self.update, group)
        return bundle.others

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change the array `p` in place after its gradient `g`: what a subclass writes."""
        raise NotImplementedError(f"{type(self).__name__} has no update(p, g, state, group).")

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: a bundle is made anew, as views of a copy do not look at the copied array."""
        return {**self.__dict__, "_bundles": {}}

    def state_dict(self) -> dict[str, Any]:
        """State and hyperparameters, with parameters numbered in order; arrays become tensors that share memory."""
        index = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state = {
            index[p]: {k: wrap(v) if hasattr(v, "shape") and not isinstance(v, Tensor) else v for k, v in held.items()}
            for p, held in self.state.items()
            if p in index and held
        }
        groups = [{**group, "params": [index[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a saved optimizer stopped; it must have groups of the same sizes, else ValueError and nothing is changed."""
        groups = state_dict["param_groups"]
        mine, theirs = [len(g["params"]) for g in self.param_groups], [len(g["params"]) for g in groups]
        if mine != theirs:
            raise ValueError(f"this state is of an optimizer with groups of {theirs} parameters; this optimizer has {mine}.")
        params = [p for group in self.param_groups for p in group["params"]]
        numbers = [i for group in groups for i in group["params"]]
        by_number = dict(zip(numbers, params, strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, held in state_dict["state"].items():
            state[by_number[number]] = {k: v.array.copy() if isinstance(v, Tensor) else deepcopy(v) for k, v in held.items()}
            if isinstance(held.get("step"), Tensor):  # as in PyTorch
                state[by_number[number]]["step"] = int(held["step"])
        self.state = state
        for group, saved in zip(self.param_groups, groups, strict=True):
            group.update({k: deepcopy(v) for k, v in saved.items() if k != "params"})

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            settings = "\n".join(f"    {k}: {group[k]}" for k in sorted(group) if k not in ("params", "param_names"))
            lines.append(f"Parameter Group {i}\n{settings}")
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"
