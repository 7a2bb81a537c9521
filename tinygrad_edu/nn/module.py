"""Module: a function with parameters.

A module's parameters, buffers and submodules are ordinary attributes; whoever asks for them (`parameters()`, `state_dict()`)
gets them by walking the attributes in the order in which they were assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any
from weakref import ref

from ..autograd.gradients import forget
from ..calls import Outline, calls, gone
from ..callsite import warn
from ..clock import mark_setting, tick
from ..errors import no_tensor
from ..grad_mode import no_grad
from ..hooks import HookHandle
from ..tensor import Tensor
from .backward_hooks import BackwardHooks
from .parameter import Buffer, Parameter, as_buffer
from .state import State


class Module(State):
    """The base of every layer and model: write `forward`, assign parameters and submodules as attributes, call it.

    >>> from tinygrad_edu import nn, ones
    >>> class Double(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = nn.Linear(3, 2)
    ...     def forward(self, x):
    ...         return 2 * self.linear(x)
    >>> model = Double()
    >>> model(ones(5, 3)).shape
    (5, 2)
    >>> [name for name, _ in model.named_parameters()]
    ['linear.weight', 'linear.bias']

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    training = True
    _hooked = False  # whether it ever had a hook: one question for each call instead of three
    _forward_hooks: Mapping[HookHandle, Callable] = MappingProxyType({})
    _forward_pre_hooks: Mapping[HookHandle, Callable] = MappingProxyType({})
    _backward_hooks: Mapping[HookHandle, Callable] = MappingProxyType({})
    _backward_pre_hooks: Mapping[HookHandle, Callable] = MappingProxyType({})
    _empty: frozenset[str] = frozenset()  # registered names that are None now and keep their place
    _in_place_of: Mapping[str, type] = {}  # within functional_call: what the tensors of these names stand for
    _plain: tuple[str, ...] = ()  # lists, tuples and dicts, in which parameters() finds nothing
    _unset_buffers: dict[str, bool] | None = None  # buffers that are None now, and whether they are persistent

    def __init__(self) -> None:
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward(): write `def forward(self, x): ...` in its class.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        began = tick()
        try:
            output = self._call_with_hooks(args, kwargs) if self._hooked else self.forward(*args, **kwargs)
        except Exception as error:
            said = error
            if isinstance(error, AttributeError) and type(self).__module__.startswith(__package__):  # a layer, which asks tensors
                said = no_tensor(type(self).__name__, args, error)
            _say_where(said, self)
            if said is not error:
                raise said from None
            raise
        calls.log.append((ref(self), began, tick()))  # so that pictures can show what was computed here as a group
        if output is None and all(x is not None for x in args):  # nn.Identity may hand on a None
            warn(f"{type(self).__name__}.forward() gave None: is the `return` missing in it?")
        return output

    def _outline(self) -> Outline:
        """What pictures say of this module, without keeping anything alive."""
        held = {name: ref(value) for name, value in self._own(Module)}, {name: ref(value) for name, value in self._own(Tensor)}
        return Outline(type(self).__name__, *held)

    def __del__(self) -> None:
        if gone is not None:  # as it is when Python ends, for models that are kept to the last
            gone.append((ref(self), self._outline()))  # for pictures of graphs that are still there

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get(name)
        if isinstance(value, Parameter | Buffer | Module):
            if "training" not in self.__dict__:
                raise AttributeError(
                    f"{type(self).__name__}.{name} is assigned before super().__init__() was called: call it first in __init__."
                )
            registered = isinstance(held, Parameter | Buffer | Module) or name in self._empty or name.isdigit()  # a list's places
            if name in self.__dict__ and not registered:
                del self.__dict__[name]  # its place is where it becomes one of them, and not where it was None
        elif isinstance(held, Parameter | Module) and value is None:
            self._empty |= {name}
        elif isinstance(held, Parameter | Module):
            kind = "Parameter" if isinstance(held, Parameter) else "Module"
            raise TypeError(
                f"{type(self).__name__}.{name} is a {kind} and cannot become a {type(value).__name__}, which would not be trained: "
                f"assign a {kind} or None"
                + (f", or change its values with no_grad() and {name}.copy_(...)." * (kind == "Parameter"))
            )
        elif isinstance(held, Buffer) or name in (self._unset_buffers or ()):
            value = self._next_buffer(name, held, value)
        elif isinstance(value, list | tuple | dict) and not name.startswith("_") and name not in self._plain:
            object.__setattr__(self, "_plain", (*self._plain, name))
        object.__setattr__(self, name, value)
        mark_setting()

    def __getattr__(self, name: str) -> Any:
        """What no other way found; PyTorch programs also ask here for what is there: `self.__getattr__("layer1")`."""
        if name in self.__dict__:
            return self.__dict__[name]
        if isinstance(failed := getattr(type(self), name, None), property):
            return failed.__get__(self)  # which says once more what is missing inside it
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What a copy starts with; programs add to it what older copies lack."""
        self.__dict__.update(state)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        mark_setting()

    def _next_buffer(self, name: str, held: Buffer | None, value: Any) -> Any:
        """What is assigned to a buffer: a tensor is the new buffer, and None leaves its place free."""
        unset = self._unset_buffers or {}
        persistent = unset[name] if held is None else held.persistent
        if value is None:
            object.__setattr__(self, "_unset_buffers", {**unset, name: persistent})
            return None
        if not isinstance(value, Tensor):
            raise TypeError(f"{type(self).__name__}.{name} is a buffer: assign a tensor or None, not a {type(value).__name__}.")
        return as_buffer(value, persistent)

    def _warn_of_plain(self, found: set) -> None:
        """Of lists and dicts whose modules and parameters were not found; once."""
        names, self._plain = self._plain, ()
        for name in names:
            value = vars(self).get(name)
            held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
            parameters = (p for v in held for p in (v.parameters() if isinstance(v, Module) else [v]) if isinstance(p, Parameter))
            if any(p not in found for p in parameters):
                warn(
                    f"{type(self).__name__}.{name} is a plain {type(value).__name__} of modules or parameters: parameters() does not look "
                    "into it, so they would not be trained. Use nn.ModuleList, nn.ModuleDict or nn.ParameterList."
                )

    # -- what it holds ---------------------------------------------------------------------------------------------
    def _own(self, kind: type) -> Iterator[tuple[str, Any]]:
        found, places = list(vars(self).items()), self._in_place_of
        return ((name, x) for name, x in found if isinstance(x, kind) or (name in places and issubclass(places[name], kind)))

    def _walk(self, kind: type, prefix: str, recurse: bool, remove_duplicate: bool = True) -> Iterator[tuple[str, Any]]:
        seen: set = set()
        plain = []
        for path, module in self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]:
            if module._plain and recurse and kind is Parameter:
                plain.append(module)
            for name, value in module._own(kind):
                if not remove_duplicate or value not in seen:
                    seen.add(value)
                    yield f"{path}.{name}" if path else name, value
        for module in plain:
            module._warn_of_plain(seen)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of this module and, unless `recurse=False`, of those inside it; a shared one once."""
        return self._walk(Parameter, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter, once: what an optimizer is given."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer): tensors that belong to the state without being trained."""
        return self._walk(Buffer, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (b for _, b in self.named_buffers(recurse=recurse))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly inside this one, each once."""
        seen = set()
        for name, module in self._own(Module):
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) of this module, with path "", and of every one inside it."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._own(Module):
            yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "layers.0"; AttributeError if there is none."""
        found: Any = self
        for part in target.split(".") if target else []:
            found = getattr(found, part)
        if not isinstance(found, Module):
            raise AttributeError(f"{target!r} is not a module but a {type(found).__name__}.")
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a path such as "layers.0", in place of what is there (if `strict`, there must be a module already)."""
        if strict:
            self.get_submodule(target)
        path, _, name = target.rpartition(".")
        self.get_submodule(path).add_module(name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "layers.0.weight"."""
        return self._get(target, Parameter)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path."""
        return self._get(target, Buffer)

    def _get(self, target: str, kind: type) -> Any:
        path, _, name = target.rpartition(".")
        found = getattr(self.get_submodule(path), name)
        if not isinstance(found, kind):
            raise AttributeError(f"{target!r} is not a {kind.__name__} but a {type(found).__name__}.")
        return found

    @property
    def _parameters(self) -> _Held:  # PyTorch programs read and change these three
        return _Held(self, Parameter)

    @property
    def _buffers(self) -> _Held:
        return _Held(self, Buffer)

    @property
    def _modules(self) -> _Held:
        return _Held(self, Module)

    # -- adding ----------------------------------------------------------------------------------------------------
    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Assign a parameter (or None, for one that is left out) under a name."""
        self._register(name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Assign a tensor that moves and is saved with the module (not saved if `persistent=False`), but is not trained."""
        if tensor is None:
            self._register(name, None, Buffer)
            object.__setattr__(self, "_unset_buffers", {**(self._unset_buffers or {}), name: persistent})
        else:
            self._register(
                name,
                tensor if isinstance(tensor, Parameter) or not isinstance(tensor, Tensor) else as_buffer(tensor, persistent),
                Buffer,
            )

    def add_module(self, name: str, module: Module | None) -> None:
        """Assign a submodule under a name."""
        self._register(name, module, Module)

    register_module = add_module

    def _register(self, name: str, value: Any, kind: type) -> None:
        if value is not None and not isinstance(value, kind):
            wanted = "tensor" if kind is Buffer else kind.__name__
            raise TypeError(f"{name!r} must be a {wanted} or None, not a {type(value).__name__}.")
        if not isinstance(name, str):
            raise TypeError(f"a name must be a str, not a {type(name).__name__}.")
        if not name or "." in name:
            raise KeyError(f"a name must not be empty or contain a dot; this one is {name!r}.")
        if hasattr(self, name) and not isinstance(getattr(self, name), kind | None):
            raise KeyError(f"{type(self).__name__} already has an attribute {name!r}; choose another name.")
        if value is None:
            self._empty |= {name}
        setattr(self, name, value)

    # -- changing all of it ----------------------------------------------------------------------------------------
    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call `fn` with every module inside this one, then with this one; returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Training behaviour (dropout drops, batch norm uses the batch) for this module and all inside it."""
        if not isinstance(mode, bool):
            raise ValueError(f"train() takes True or False, not {mode!r}.")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Evaluation behaviour: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Train the parameters, or freeze them."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (they would otherwise add up); with `set_to_none=False` they become 0 in their memory."""
        forget(self.parameters(), set_to_none)

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Move parameters and buffers to a device and/or a floating dtype, in place: `to("cuda")`, `to(float64)`, `to(tensor)`."""

        def convert(t: Tensor) -> Tensor:
            moved = t.to(*args, **kwargs)
            return moved if t.dtype.kind == "f" or moved.dtype == t.dtype else t.to(moved.device)

        return self._apply(convert)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        """Replace each parameter and buffer, and its gradient, by what `fn` makes of it, in place."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for _, t in [*self._own(Parameter), *self._own(Buffer)]:
                gradient, t._grad = t._grad, None
                before = t.data
                converted = fn(before)
                if converted.array is not before.array:
                    t.data = converted
                t._grad = None if gradient is None else fn(gradient)
        return self

    def _floats(self, dtype: str) -> Module:
        return self._apply(lambda t: t.to(dtype) if t.dtype.kind == "f" else t)

    def type(self, dst_type: Any) -> Module:
        """All parameters and buffers to a dtype."""
        return self._apply(lambda t: t.to(dst_type))

    def float(self) -> Module:
        """All floating parameters and buffers to float32."""
        return self._floats("float32")

    def double(self) -> Module:
        """All floating parameters and buffers to float64."""
        return self._floats("float64")

    def half(self) -> Module:
        """All floating parameters and buffers to float16."""
        return self._floats("float16")

    def cuda(self, device: int | None = None) -> Module:
        return self.to(f"cuda:{device or 0}")

    def cpu(self) -> Module:
        return self.to("cpu")

    # -- hooks -----------------------------------------------------------------------------------------------------
    def _add_hook(self, kind: str, hook: Any, prepend: bool = False, with_kwargs: bool = False) -> HookHandle:
        """Remember a hook, behind the others or before them."""
        hooks = self.__dict__.get(kind)
        if hooks is None:
            hooks = {}
            object.__setattr__(self, kind, hooks)
            object.__setattr__(self, "_hooked", True)
        before = dict(hooks) if prepend else {}
        for handle in before:
            del hooks[handle]
        handle = HookHandle(hooks, hook, with_kwargs)
        hooks.update(before)
        return handle

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> HookHandle:
        """Call `hook(module, args)` before `forward`; what it returns, if anything, replaces the arguments.

        With `with_kwargs` it is called as `hook(module, args, kwargs)` and returns both.
        """
        return self._add_hook("_forward_pre_hooks", hook, prepend, with_kwargs)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> HookHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns, if anything, replaces the output.

        With `with_kwargs` it is called as `hook(module, args, kwargs, output)`.
        """
        return self._add_hook("_forward_hooks", hook, prepend, with_kwargs)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> HookHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known; what it returns, if
        anything, replaces grad_input."""
        return self._add_hook("_backward_hooks", hook, prepend)

    register_backward_hook = register_full_backward_hook  # its older name

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> HookHandle:
        """Call `hook(module, grad_output)` when the gradient of the module's output is known; what it returns, if anything, replaces it."""
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        for handle, hook in list(self._forward_pre_hooks.items()):
            replaced = hook(self, args, kwargs) if handle.with_kwargs else hook(self, args)
            if replaced is not None:
                args, kwargs = (
                    replaced if handle.with_kwargs else (replaced if isinstance(replaced, tuple) else (replaced,), kwargs)
                )
        backward = BackwardHooks(self) if self._backward_hooks or self._backward_pre_hooks else None
        if backward:
            args = backward.inputs(args)
        output = self.forward(*args, **kwargs)
        for handle, hook in list(self._forward_hooks.items()):
            replaced = hook(self, args, kwargs, output) if handle.with_kwargs else hook(self, args, output)
            output = output if replaced is None else replaced
        return backward.outputs(output) if backward else output

    # -- looks -----------------------------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """What `repr` prints between the parentheses."""
        return ""

    def _get_name(self) -> str:  # PyTorch programs that write their own repr call it
        return type(self).__name__

    def __repr__(self) -> str:
        children = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._own(Module)]
        lines = (extra.split("\n") if (extra := self.extra_repr()) else []) + children
        if not children and len(lines) < 2:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


@contextmanager
def keeping_mode(model: Module) -> Iterator[None]:
    """Put every module back into the mode (train or eval) in which it was."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class _Held(MutableMapping[str, Any]):
    """A module's attributes of one kind, as a dict: `model._modules["fc"] = Linear(4, 2)`."""

    def __init__(self, module: Module, kind: type) -> None:
        self._module, self._kind = module, kind

    def __getitem__(self, name: str) -> Any:
        return dict(self._module._own(self._kind))[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if self._kind is Buffer:
            self._module.register_buffer(name, value)
        else:
            self._module._register(name, value, self._kind)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._module._own(self._kind))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> Any:  # of a dict, which also goes backwards
        return dict(self._module._own(self._kind)).items()

    def __repr__(self) -> str:
        return repr(dict(self))


def _say_where(error: Exception, around: Module) -> None:
    """Note in an error which module it comes from, by its path in the outermost one that the error has passed."""
    before: tuple[Module, str] | None = getattr(error, "_module", None)
    failed = before[0] if before else around
    path = next((path for path, module in around.named_modules() if module is failed and path), "")
    if path:
        note = f"in the module {path} of {type(around).__name__}"
        notes = [other for other in getattr(error, "__notes__", []) if before is None or other != before[1]]
        error.__notes__ = [*notes, note]
    error._module = (failed, note if path else before[1] if before else "")  # type: ignore[attr-defined]
