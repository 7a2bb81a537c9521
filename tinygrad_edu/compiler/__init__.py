"""compile: a function of tensors, recorded once and replayed as a flat list of NumPy's calls on memory that is used again.

README.md beside this file explains what compilers for deep learning do, with what this one does as the example. Here is when to record
and when to replay. A call: `arguments`, `results`, `names` (what they are called in the program). A recording: `lines` (what it is made of),
`recorded` (arrays that write down), `tape` (what they write on), `effects` and `optimizers` (what else happens to tensors), `reads` and
`surroundings` (what is read beside them), `watch` (how that is seen). What is made of it: `passes` (fewer lines), `memory` (where values lie),
`source` and `plan`.
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from ..amp import GradScaler
from ..autograd import engine
from ..callsite import warn
from ..clock import owner
from ..errors import describe
from ..grad_mode import grad_mode
from ..nn.lazy import UninitializedParameter
from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..printing import bytes_text
from ..tensor import Tensor, raw
from ..trees import leaves, tensors
from .arguments import kind_of_call, refuse_overlaps
from .lines import CompileError
from .names import captured_by, given_to
from .optimizers import run_again
from .plan import Changed, Outdated, Plan, TooLate
from .reads import Reads
from .results import has_history, operands_of, without_history
from .surroundings import Surroundings, draws
from .tape import Tape
from .watch import recording, somebody_records

__all__ = ["CompileError", "compile"]


MANY = 16  # kinds of arguments of one function; for more there is a warning
TRIES = 5  # recordings of which no two in a row are equal; twice as many, if the state of things is another each time
STATES = 4  # of modes, frozen parameters, learning rates ... for which there are plans for one kind of arguments


functions: WeakSet[Compiled] = WeakSet()  # all compiled ones


class Compiled:
    """A function with a plan for each signature of its arguments."""

    def __init__(self, function: Any) -> None:
        functions.add(self)
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        self.plans: dict[Any, list[Plan]] = {}  # the latest first
        self._candidates: dict[Any, dict[Any, Plan]] = {}  # recordings that no second one has confirmed yet, by their states
        self._tries: dict[Any, int] = {}
        self._settings: dict[Any, Any] = {}  # of optimizers
        self.without: set[Any] = set()  # signatures for which there is no plan

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if somebody_records() or engine.check_gradient is not None:  # it is part of another one, say, or anomalies are looked for
            return self.function(*args, **kwargs)
        key, given = kind_of_call(args, kwargs)
        changed = False
        for plan in self.plans.get(key, ()):
            try:
                return plan.replay(*given)
            except Outdated:  # it was made for another state of things: another mode, say, or gradients that are there already
                continue
            except Changed:
                changed = True
            except TooLate as error:
                raise CompileError(
                    f"{error}\n  a check that held when the plan was recorded does not hold for these numbers. Call the function without "
                    "compile to see what is wrong with them."
                ) from None
        if changed or key in self.without:
            return self.function(*args, **kwargs)
        return self.record(key, given, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A compiled method."""
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        """A copy is compiled anew."""
        return type(self), (self.function,)

    def __repr__(self) -> str:
        return f"compiled {self.function!r}"

    def __str__(self) -> str:
        """Every plan, one for each kind of arguments, as Python that can be read."""
        waiting = f"{self.name} has no plan yet: it has one when two calls in a row did the same"
        return "\n\n".join(str(plan) for plans in self.plans.values() for plan in plans) or waiting

    def record(self, key: Any, given: list[Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the function, writing down what it does. When it does the same twice in a row, that is the plan from now on."""
        reads = Reads(self.function, args, kwargs)
        if any(isinstance(x, UninitializedParameter) for _, held in reads.modules for x in held.parts):
            return self.function(*args, **kwargs)  # in which lazy layers get their shapes
        if reason := self._reason_against(key, given, reads):
            self._warn(reason)
            return self.function(*args, **kwargs)
        tape = Tape(given, self._settings, reads)
        passed = list(map(id, leaves((args, kwargs))))
        found, operands = self._run(tape, args, kwargs)
        surroundings = Surroundings(tape)
        if reason := next(_reasons_to_give_up(found, surroundings, tape, passed != list(map(id, leaves((args, kwargs))))), ""):
            self._give_up(key, reason)
            return found
        result = without_history(found, operands)
        if tape.made_state:
            return result
        names = captured_by(self.function, reads)
        if reason := _given_and_read(given, names):
            self._warn(reason)
            return result
        names |= given_to(self.function, args, kwargs)
        names |= {
            id(x.memory.held): names[id(array)]
            for x, array in zip(tape.arguments, tape.arrays, strict=True)
            if id(array) in names
        }
        plan = Plan(tape, self.name, operands, names, surroundings)
        del found, operands  # tensors that are alive after this are held by something else
        self._consider(key, plan, tape)
        return result

    def _run(self, tape: Tape, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Run the function on a tape: what it returns, and the same as operands."""
        drawn = draws()
        try:
            with recording(tape):
                try:
                    found = self.function(*tape.as_given(args), **tape.as_given(kwargs))
                    operands = operands_of(found, tape)
                    tape.effects.finish()
                except Exception:
                    if tape.refused is not None:
                        raise tape.refused from None
                    raise
            if drawn != draws():
                raise CompileError(
                    "the function draws random numbers of Python's or NumPy's, which are others in every call, so the recorded plan cannot "
                    "contain them. Draw them with this package (rand, randint, randperm ...), or outside, and pass them."
                )
            refuse_overlaps(tape)
        finally:
            for x, array in zip(tape.arguments, tape.arrays, strict=True):
                if tape.changes(x):
                    array[...] = x.held
        return found, operands

    def _consider(self, key: Any, plan: Plan, tape: Tape) -> None:
        """Take a recording for the plan, if the one before was equal; give up what is another thing each time."""
        candidates = self._candidates.setdefault(key, {})
        latest = next(reversed(candidates.values()), None)
        before = candidates.pop(plan.state, None)
        candidates[plan.state] = plan
        for state in list(candidates)[:-STATES]:
            del candidates[state]
        other = before or latest
        if other and (names := sorted(plan.surroundings.changed & other.surroundings.changed)):
            self._give_up(
                key,
                f"in every call it changes {', '.join(names)}, which a plan would not do again. Do that outside of the function",
            )
            return
        difference = "it reads other things"
        if other:
            difference = plan.differs(other) or ("" if before else plan.surroundings.differs(other.surroundings))
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        if not difference:
            tape.effects.refuse_leaks()
            self.plans[key], self._tries[key] = [plan, *self.plans.get(key, [])][:STATES], 0
            self._candidates[key] = {k: x for k, x in candidates.items() if x is not plan and not x.surroundings.changed}
        elif before is None and tries > 2 * TRIES:
            self._give_up(
                key, f"what it reads around it is something else in every call:\n  {difference}\n  Pass that as a tensor"
            )
        elif before is not None and tries > TRIES:
            raise CompileError(
                f"{difference}\n  the function does something else in every call, so no plan can stand for it: a number that Python computes is "
                "a constant of the plan. Make it a tensor and pass that as an argument."
            )

    def _reason_against(self, key: Any, given: list[Any], reads: Reads) -> str:
        """Why there can be no plan for such arguments."""
        if reason := reads.too_much or _given_and_read(given, captured_by(self.function, reads)):
            return reason
        if key not in self._tries and len(self._tries) >= MANY:
            return f"this is the {MANY + 1}th kind of arguments. A number that changes from call to call is better passed as a tensor"
        if grad_mode.enabled and any(isinstance(x, Tensor) and x._requires_grad and x.op is not None for x in given):
            return "an argument has a history, which a plan cannot go back through. Compile the whole step, or pass it detached"
        return ""

    def _give_up(self, key: Any, reason: str) -> None:
        """Let the function run as ever from now on, for arguments of this kind."""
        self.without.add(key)
        self._candidates.pop(key, None)
        self._warn(reason)

    def _warn(self, reason: str) -> None:
        warn(f"{self.name} runs as if it were not compiled: {reason}.")


def _given_and_read(given: list[Any], names: dict[int, str]) -> str:
    """Why an argument cannot be told from what the function reads by itself, and calls so."""
    for x in map(raw, given):
        if name := names.get(id(x)) or names.get(id(owner(x))):
            return f"it gets as an argument what it also reads by itself, as {name}. Pass it or read it, not both"
    return ""


def _reasons_to_give_up(found: Any, surroundings: Surroundings, tape: Tape, other_arguments: bool) -> Iterator[str]:
    """Why no plan can stand for what a function did, and returned."""
    if any(tape.effects.is_new(x) and has_history(x) for x in tensors(found)):
        yield (
            "it returns a tensor with a history, which a plan would not have. Call backward() in it, detach() what it returns, or call it "
            "under no_grad()"
        )
    if other_arguments:
        yield (
            "it changes what stands in an argument (a list, dict or dataclass), which a plan would not do again. Let it work on a copy, as "
            "in batch = dict(batch)"
        )
    for x in tape.effects.replaced:
        yield (
            f"it gives {describe(x)} other data (p.data = x), and a plan keeps the memory of every tensor. Change its numbers in place: "
            "p.copy_(x), p -= x"
        )
    for array in surroundings.large:
        yield (
            f"it reads {tape.reads.called(array, 'an array')}, an array of {bytes_text(array.nbytes)}, beside tensors, and that is too large "
            "to be compared before each call. Take what is needed (its length, say) outside of the function, or make it a tensor"
        )
    if surroundings.scheduled and any(isinstance(x, LRScheduler | GradScaler) for x in run_again(tape)):
        yield f"it reads {surroundings.scheduled[0]}, which a schedule or scaler in it changes. Read that outside of the function"
    if tape.reads.too_much:
        yield tape.reads.too_much


class CompiledModule(Module):
    """A module that is called as a compiled function: of the class of the one that was compiled, with its very attributes."""

    compiled: Compiled
    function = property(lambda self: self.compiled.function)
    plans = property(lambda self: self.compiled.plans)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if somebody_records():
            return super().__call__(*args, **kwargs)
        if not grad_mode.enabled or not any(p.requires_grad for p in self.parameters()):
            return self.compiled(*args, **kwargs)
        warnings.warn(
            f"a compiled {self.compiled.name} is replayed only under no_grad(), since a replay has no history to go back through; here it "
            "runs as ever. To train faster, compile the whole step, from the loss to optimizer.step().",
            stacklevel=2,
        )
        return self.function(*args, **kwargs)

    def __reduce__(self) -> Any:
        """A copy is compiled anew."""
        return compile, (self.function,)

    def __repr__(self) -> str:
        return repr(self.compiled)

    def __str__(self) -> str:
        return str(self.compiled)


def _compiled_module(model: Module) -> Any:
    kind = type(model)
    own = {"compiled": staticmethod(Compiled(model)), "__module__": kind.__module__}  # which is no method of it
    made: Any = object.__new__(type(kind.__name__, (CompiledModule, kind), own))
    object.__setattr__(made, "__dict__", vars(model))
    return made


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = None,
    mode: str | None = None,
    options: dict | None = None,
    disable: bool = False,
) -> Any:
    """Record what a function of tensors does, usually a whole training step, and replay it without Python's work around it.

    The first calls are recorded; when two in a row did the same, later ones run the plan. (With an optimizer that is from the fourth
    call on, because in the first it makes its state.) Another shape, dtype or number as an argument, another array in a parameter, train or
    eval mode, another setting of a module, another number in a variable around the function or in a list, dict or object there: each is
    noticed, and recorded anew. `print` shows the plan.

    A plan has no history, and the gradients that it leaves in `.grad` are overwritten by the next call. So a module that is compiled by
    itself is replayed under no_grad() only; while it is trained, it runs as if it were not compiled, as does a function that returns a
    tensor from which backward() could go back.

    Args:
        model: the function or module; without it a decorator is returned, so that `@compile` may also be written `@compile()`.
        disable: give the function back as it is.
        fullgraph, dynamic, backend, mode, options: what PyTorch's compilers are told; without effect, since there is one compiler here,
            which always records everything and for one shape.

    Raises:
        CompileError: the function reads numbers of tensors in Python, makes tensors that something keeps, or does something else in
            every call; with the line.

    >>> from tinygrad_edu import compile, tensor
    >>> @compile
    ... def norm(x):
    ...     return (x * x).sum().sqrt()
    >>> [norm(tensor([n, 4.0])).item() for n in (3.0, 0.0, 3.0)]
    [5.0, 4.0, 5.0]
    >>> print(norm)  # doctest: +ELLIPSIS
    plan of norm: 5 lines, 12 B in 2 blocks (each array in memory of its own: 16 B)
        x[...] = given_x ...

    Source: https://docs.jax.dev/en/latest/jit-compilation.html; https://pytorch.org/docs/stable/generated/torch.compile.html
    """
    if model is None:
        return functools.partial(compile, disable=disable)
    if disable:
        return model
    if not callable(model) or isinstance(model, Tensor):
        raise TypeError(f"compile takes a function or a module, not a {type(model).__name__}.")
    if inspect.isgeneratorfunction(model) or inspect.iscoroutinefunction(model):
        raise CompileError(
            f"{model.__name__} gives its results one by one, and a plan runs in one go. Compile what computes one of them."
        )
    return _compiled_module(model) if isinstance(model, Module) else Compiled(model)
