"""@op: how an operation and its derivative are declared, and how a call is recorded.

    @op(dx=lambda g, z, x, y: g * y,
        dy=lambda g, z, x, y: g * x)
    def mul(x, y):
        '''z = x·y;  ∂x = g·y;  ∂y = g·x'''
        return x * y

The function computes on arrays. One rule per differentiable input says how the gradient `g` of the output becomes the
gradient of that input; it also gets the output `z`, the inputs and the settings (the keyword-only parameters), and uses
nothing else. A rule calls operations, a forward computation calls NumPy: an operation called with arrays returns an array,
called with a Tensor it returns a Tensor. So the same rule serves an ordinary backward pass, on arrays, and derivatives of
derivatives, on tensors. Broadcasting is undone by the engine; a rule may ignore it.

What the forward computation has at hand and the rule would compute again (the exponentials of a softmax, say) it may keep for it:
`@op(keeps="exps", ...)` returns the pair (z, exps), and the rule gets `exps` behind the settings. It saves time and changes no
result: in derivatives of derivatives, and after a backward pass, the rule gets None in its place and computes it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy import ndarray

from . import backend, dtypes
from .callsite import call_site
from .clock import owner, tick
from .dtypes import FLOATS, LARGEST, float16
from .errors import DtypeError, describe, explain, no_tensor
from .grad_mode import grad_mode
from .spelling import ALIASES, put_into
from .tensor import Tensor, raw, to_array, wrap
from .views import note_view, refresh

registry: dict[str, Op] = {}  # every operation by name
watchers: list[Callable[[str, Tensor, tuple], None]] = []  # called with every result while somebody watches (detect_anomaly)

_new = object.__new__
_PLAIN = frozenset((int, float, bool, type(None)))
_WRAPPED = (Tensor, np.generic)  # what a setting may be given as in place of an array or of a number


def _unwrapped(setting: Any) -> Any:
    """A tensor's array; the number in a 0-d tensor, and one of NumPy's, as Python's own, which does not make float64 of float32."""
    if isinstance(setting, Tensor):
        if setting._requires_grad and grad_mode.enabled:
            raise TypeError(
                f"a setting gets no gradient, and {describe(setting)} requires grad: compose the formula of operations that have one for "
                "it, or give a number, or setting.detach()."
            )
        return raw(setting) if setting.ndim else setting.item()
    return setting.item() if isinstance(setting, np.generic) else setting


class Op:
    """An operation: its forward computation, its rules and how its inputs are brought together."""

    def __init__(
        self,
        forward: Callable,
        rules: dict[str, Callable],
        *,
        joint: Any,
        dtype: str | None,
        view: bool,
        keeps: str | None = None,
        precise: bool = False,
    ) -> None:
        self.name = forward.__name__.strip("_")
        self.forward = forward if keeps is None else _without_kept(forward)
        self.keeps = keeps
        self.forward_and_keep = forward
        self.formula = inspect.getdoc(forward) or ""
        self.dtype = dtype
        self.view = view
        self.precise = precise
        self.joint = joint
        parameters = inspect.signature(forward).parameters.values()
        inputs = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in inputs)
        self.inputs = [p.name for p in inputs]
        self.required = sum(p.default is p.empty for p in inputs)
        self.defaults = tuple(None if p.default is p.empty else p.default for p in inputs if p.kind is not p.VAR_POSITIONAL)
        self.settings = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        unknown = [name for name in rules if name[:1] != "d" or name[1:] not in self.inputs]
        if unknown:
            raise TypeError(
                f"op {self.name}: the rule {unknown[0]!r} belongs to no input; its inputs are {', '.join(self.inputs)}, "
                f"so rules are called {', '.join('d' + name for name in self.inputs)}."
            )
        self.rules = tuple(rules.get("d" + name) for name in self.inputs)
        self.differentiable = bool(rules or joint)

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Sort a call's arguments into inputs and settings; settings may be positional too, as in PyTorch."""
        count = len(args) if self.variadic else min(len(self.inputs), len(args))
        inputs, settings = list(args[:count]), dict(self.settings)
        positional = list(zip(self.settings, args[count:], strict=False))
        for name, value in (*positional, *kwargs.items()):
            name = name if name in settings or name in self.inputs else ALIASES.get(name, name)
            if name in settings:
                settings[name] = _unwrapped(value)
            elif name in self.inputs and self.inputs.index(name) >= len(inputs):
                inputs += [*self.defaults[len(inputs) : self.inputs.index(name)], value]
            elif name in ("input", "other") and len(inputs) == (name == "other"):
                inputs.append(value)
            else:
                raise TypeError(f"{self.name}() does not take {name!r}; its arguments are {self.signature()}.")
        absent = [name for name, value in settings.items() if value is inspect.Parameter.empty]
        absent += [] if self.variadic else self.inputs[len(inputs) : self.required]
        if absent or len(args) - count > len(positional):
            problem = f"needs {', '.join(absent)}" if absent else f"got {len(args)} positional arguments"
            raise TypeError(f"{self.name}() {problem}; its arguments are {self.signature()}.")
        return tuple(inputs) + self.defaults[len(inputs) :], settings

    def signature(self) -> str:
        """The arguments, as `(x, y, *, dim=None)`."""
        signature = inspect.signature(self.forward)
        plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        return str(signature.replace(parameters=plain, return_annotation=signature.empty))

    def __repr__(self) -> str:
        return f"op {self.name}{self.signature()}"


def no_derivative(*args: Any, **settings: Any) -> NoReturn:
    """The joint rule of an operation that has no derivative, or none here; backward says so, as PyTorch's, where 0 would be no answer."""
    raise NotImplementedError(
        "no derivative is offered of this operation. If its result is to count as a constant, take it without its history, with .detach()."
    )


def _without_kept(forward: Callable) -> Callable:
    @functools.wraps(forward)
    def only_result(*arrays: Any, **settings: Any) -> Any:
        return forward(*arrays, **settings)[0]

    return only_result


def op(
    function: Callable | None = None,
    *,
    joint: Callable | None = None,
    dtype: str | None = None,
    view: bool = False,
    keeps: str | None = None,
    precise: bool = False,
    **rules: Callable,
) -> Any:
    """Declare an operation.

    Args:
        **rules: `d` + the name of an input = the rule for its gradient; an input without a rule gets none. A rule is called with
            the gradient g of the result, the result z, every input and, by their names, the settings (keyword-only parameters).
            They are arrays, and tensors for derivatives of derivatives: call functions, which take both, tg.sum(g, 0) or cos(x),
            no methods of tensors.
        joint: instead of rules: one function that returns the gradients of all inputs, None for one that gets none, for operations
            of many inputs (cat); for a gradient that takes time and may not be wanted, a function that computes it.
        dtype: how inputs of different dtypes are brought together, by casts that are recorded: "common" (PyTorch's
            promotion), "float" (the same, and integers become the default float), "same" (refused unless equal),
            or None (the inputs are taken as they are).
        view: the result may share memory with its input.
        keeps: the computation returns a pair, the result and what its rules may use again under this name.
        precise: tensors of float16 beside a number that float16 does not hold (1e5, 0.1) are taken in float32, and the result is rounded.

    Raises:
        TypeError: a rule is named after no input, or has no name.

    >>> import numpy as np
    >>> from tinygrad_edu import op, tensor, cos
    >>> @op(dx=lambda g, z, x: g * cos(x))
    ... def my_sin(x):
    ...     '''z = sin x;  ∂x = g·cos x'''
    ...     return np.sin(x)
    >>> x = tensor(0.0, requires_grad=True)
    >>> my_sin(x).backward()
    >>> x.grad
    tensor(1.)
    """

    if function is not None and list(inspect.signature(function).parameters)[:2] == ["g", "z"]:
        raise TypeError("op: a rule is given under the name of its input, as @op(dx=lambda g, z, x: ...).")

    def declare(forward: Callable) -> Callable:
        registry[forward.__name__.strip("_")] = this = Op(
            forward, rules, joint=joint, dtype=dtype, view=view, keeps=keeps, precise=precise
        )
        return recording(this)

    return declare if function is None else declare(function)


def recording(this: Op, reflected: str | None = None) -> Callable[..., Any]:
    """The function users call: compute on the arrays, and note in the result how it was made.

    With the name of a reflected method (`__radd__`) it is an operator of Tensor, which leaves a call to the other operand that has that.
    """
    differentiable, view = this.differentiable, this.view
    variadic, count = this.variadic, len(this.inputs)
    complete = -1 if variadic or inspect.Parameter.empty in this.settings.values() else count  # inputs that need nothing else
    unify, keeps = this.dtype is not None, this.keeps is not None
    as_they_are = FLOATS - {float16} if this.precise else FLOATS
    defaults, names = this.settings, this.settings.keys()

    @functools.wraps(this.forward)
    def call(*inputs: Any, **kwargs: Any) -> Any:
        if len(inputs) == complete and not kwargs:
            settings = defaults
        elif (variadic or len(inputs) == count) and kwargs.keys() == names:
            settings = kwargs
            for value in kwargs.values():
                if isinstance(value, _WRAPPED):
                    settings = {name: _unwrapped(value) for name, value in kwargs.items()}
                    break
        elif "out" in kwargs and "out" not in names:
            out = kwargs.pop("out")
            return call(*inputs, **kwargs) if out is None else put_into(out, call(*inputs, **kwargs))
        else:
            inputs, settings = this.bind(inputs, kwargs)
        for x in inputs:
            if isinstance(x, Tensor):
                break
        else:  # arrays only: a rule calls this
            try:
                return this.forward(*inputs, **settings)
            except (AttributeError, TypeError) as error:
                raise no_tensor(this.name, inputs, error) from None
        arrays, dtype = [], None
        tracked = mixed = foreign = False
        for x in inputs:
            if isinstance(x, Tensor):
                if x.base is not None:
                    refresh(x)
                if x._requires_grad:
                    tracked = True
                x = x.array
                if x.dtype is not dtype:
                    mixed = dtype is not None
                    dtype = x.dtype
            elif type(x) not in _PLAIN:
                foreign = True
            arrays.append(x)
        if foreign and reflected is not None and answers(inputs[1], reflected):
            return NotImplemented
        try:
            if foreign or (unify and (mixed or dtype not in as_they_are)):
                inputs, arrays, rounded = _bring_together(this, inputs)
                if rounded:
                    return _cast(call(*inputs, **settings), dtype=float16)
            if keeps:
                pair = this.forward_and_keep(*arrays, **settings)
                if type(pair) is not tuple or len(pair) != 2:
                    raise TypeError(
                        f"with keeps={this.keeps!r} it must return the pair (z, {this.keeps}), not a {type(pair).__name__}."
                    )
                out, kept = pair
            else:
                out = this.forward(*arrays, **settings) if settings else this.forward(*arrays)
            if type(out) is not ndarray:
                out = backend.as_array(out)
                if not hasattr(out, "dtype"):
                    raise TypeError(f"it must return an array or a number, not {out!r:.80}. Is a `return` missing?")
        except Exception as error:
            raise explain(this.name, inputs, settings, error) from None
        z = _new(Tensor)
        z.array = out
        if tracked and differentiable and grad_mode.enabled:
            z._requires_grad = True
            z.op = this
            z.inputs = inputs
            z.values = arrays
            z.settings = settings
            z.serial = tick()
            z.made_at = call_site(2)
            if keeps:
                z.kept = kept
        if view and owner(z.array) is owner(arrays[0]):  # else an index array or a reshape made a copy
            note_view(z, inputs[0], (call, settings))
        if watchers:
            for watch in watchers:
                watch(this.name, z, inputs)
        return z

    call.op = this  # type: ignore[attr-defined]
    return call


def answers(operand: Any, reflected: str) -> bool:
    """Whether an operand that is no tensor has this reflected method from a class of somebody else's, a list with a meaning of its own too."""
    theirs = next((kind for kind in type(operand).__mro__ if reflected in vars(kind)), object)
    return theirs.__module__ != "builtins" and not hasattr(operand, "dtype")


def _bring_together(this: Op, inputs: tuple) -> tuple[tuple, list, bool]:
    """Inputs that are not all tensors of one float dtype: arrays become tensors, and casts are recorded where needed.

    Returns:
        The inputs; their arrays; and whether they became float32 for the sake of a number, so that the result is to be rounded to float16.
    """
    found, rounded = [], False
    for x in inputs:
        if isinstance(x, np.generic):
            x = x.item()
        elif not isinstance(x, Tensor) and type(x) not in _PLAIN:
            x = wrap(to_array(x, None, None, copy=True))  # copied: the caller may change the array later
        found.append(x)
    tensors = [x for x in found if isinstance(x, Tensor)]
    if this.dtype == "same" and len({x.dtype for x in tensors}) > 1:
        given = "; ".join(describe(x) for x in tensors)
        raise DtypeError(f"{this.name}: the inputs must have one dtype, but they are {given}. Convert one with .to(dtype).")
    if this.dtype in ("common", "float"):
        target = dtypes.result_dtype(found)
        if this.dtype == "float" and target not in FLOATS:
            target = dtypes.get_default_dtype()
        if target == float16 and this.precise and not all(map(_in_float16, found)):
            target, rounded = dtypes.float32, True
        found = [_cast(x, dtype=target) if isinstance(x, Tensor) and x.dtype != target else x for x in found]
    return tuple(found), list(map(raw, found)), rounded


def _in_float16(x: Any) -> bool:
    """Whether float16 holds an operation's input exactly; of tensors beside those of float16, only a single number may be of another dtype."""
    if isinstance(x, Tensor):
        return x.ndim > 0 or x.dtype == float16
    return (abs(x) <= LARGEST[float16] and float(float16.type(x)) == x) or abs(x) == math.inf


@op(dx=lambda g, z, x, dtype: _cast(g, dtype=x.dtype))
def _cast(x: Any, *, dtype: Any) -> Any:
    """z = x in another dtype;  ∂x = g in x's dtype"""
    return x.astype(dtype)


@op
def _to_whole(x: Any, *, dtype: Any) -> Any:
    """The same numbers without their fractions, or whether they are not 0; no gradient passes.

    z = x in a dtype of integers or bools
    """
    return x.astype(dtype)


def cast(x: Any, *, dtype: Any) -> Any:
    """x in another dtype: with its history where that holds floats, a constant where it holds integers or bools."""
    return _cast(x, dtype=dtype) if dtype.kind == "f" else _to_whole(x, dtype=dtype)
