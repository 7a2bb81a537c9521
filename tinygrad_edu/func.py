"""Functions made of functions, as `torch.func`: derivatives, a module called with other parameters, and vmap.

`grad(f)` is the function that computes the derivative of f, so `grad(grad(f))` computes its second derivative. All are made of
`autograd`. Where a tensor is meant, there may be a dict, list or tuple of tensors, such as a module's parameters by name.

What is computed belongs to the caller's graph, if something in it requires grad there: a loss made of derivatives can be trained.

Source: https://pytorch.org/docs/stable/func.api.html
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .autograd import engine, functional, gradients
from .errors import GraphError, ShapeError, describe, kind
from .grad_mode import enable_grad, grad_mode
from .nn.module import Module
from .nn.utils.stateless import functional_call
from .ops.comparison import equal
from .ops.creation import zeros_like
from .ops.joining import stack
from .ops.random import get_rng_state, set_rng_state
from .tensor import Tensor
from .trees import leaves, mapped, pairs, tensors

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "stack_module_state", "vjp", "vmap"]


def _with(tree: Any, others: Iterator[Any]) -> Any:
    """The same tree with the next one of these in the place of each of its tensors."""
    return mapped(lambda x: next(others) if isinstance(x, Tensor) else x, tree)


class _Inputs:
    """The arguments of a function by which it is differentiated, as tensors of a graph of its own."""

    def __init__(self, args: tuple, argnums: int | tuple[int, ...]) -> None:
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        if any(type(i) is not int for i in numbers):
            raise TypeError(f"argnums must be an int or a tuple of ints, not {argnums!r}.")
        if beyond := [i for i in numbers if not -len(args) <= i < len(args)]:
            raise IndexError(f"argnums {beyond[0]}: the function was called with {len(args)} arguments, which count from 0.")
        if not numbers or len({i % len(args) for i in numbers}) < len(numbers):
            raise ValueError(f"argnums {argnums} must name at least one argument, and none twice.")
        self.chosen = tuple(args[i] for i in argnums) if isinstance(argnums, tuple) else args[argnums]
        given = list(tensors(self.chosen))
        self.recorded = grad_mode.enabled  # whether the caller records
        with enable_grad():
            # A tensor that the caller tracks stays connected to the caller's graph; for any other a leaf stands in.
            self.tensors = [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in given]
        self.leaves = {x for x in self.tensors if x.is_leaf}
        self.args, stand_ins = list(args), iter(self.tensors)
        for i in numbers:
            self.args[i] = _with(args[i], stand_ins)

    def connected(self, *outputs: Tensor) -> bool:
        """Whether these depend on something that the caller tracks, who may want to differentiate through them."""
        tracked = [y for y in outputs if y.requires_grad]
        found = {*tracked, *engine.leaves(engine.topological_order(tracked))}
        return any(x.is_leaf and x not in self.leaves for x in found)

    def settled(self, tree: Any, recorded: bool | None = None) -> Any:
        """Results for the caller: without history where there is none of the caller's, or it is not recorded."""
        keep = self.recorded if recorded is None else recorded
        return _with(tree, (y if not y.requires_grad or (keep and self.connected(y)) else y.detach() for y in tensors(tree)))


def _output(result: Any, has_aux: bool) -> tuple[Any, tuple]:
    """What a function returned: the output, and what it returned beside that."""
    if has_aux and not (isinstance(result, tuple) and len(result) > 1):
        given = describe(result) if isinstance(result, Tensor) else f"a {type(result).__name__}"
        raise GraphError(f"with has_aux=True the function returns (output, something else), and not {given}.")
    return (result[0], result[1:]) if has_aux else (result, ())


def _outputs(who: str, y: Any) -> list[Tensor]:
    """The tensors among a function's outputs, which must all be tensors."""
    found = list(leaves(y))
    if not found or (others := [x for x in found if not isinstance(x, Tensor)]):
        given = f"a {kind(others[0])}" if found else f"{y!r}, in which there is none"
        raise GraphError(f"{who} differentiates functions that return tensors; this one returned {given}.")
    return found


def _in_place_of(who: str, tree: Any, vectors: Any) -> list[Tensor]:
    """The vectors that stand where the tensors of a tree do, with their shapes."""
    found = []
    try:
        for x, v in pairs(tree, vectors):
            if not isinstance(x, Tensor) or not isinstance(v, Tensor):
                raise TypeError(f"{who} takes tensors, and a vector for each; here a {kind(v)} stands for a {kind(x)}.")
            if x.shape != v.shape:
                raise ShapeError(f"{who}: a vector must have the shape {x.shape} of what it stands for; it is {describe(v)}.")
            found.append(v)
    except ValueError as error:
        if isinstance(error, ShapeError):
            raise
        raise ShapeError(f"{who}: there must be a vector for each tensor, nested alike: {error}") from None
    return found


# -- derivatives -----------------------------------------------------------------------------------------------------
def grad_and_value(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """The function that returns the gradient of `func`, and its value; arguments as for `grad`."""

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs(args, argnums)
        with enable_grad():
            y, aux = _output(func(*inputs.args, **kwargs), has_aux)
            if not isinstance(y, Tensor) or y.ndim:
                given = describe(y) if isinstance(y, Tensor) else f"a {type(y).__name__}"
                raise GraphError(
                    f"grad differentiates functions that return a single number (shape ()); this one returned {given}."
                )
            value = inputs.settled((y, *aux) if has_aux else y)
            if y.requires_grad:
                wanted = inputs.recorded and inputs.connected(y)
                found = gradients.grad(
                    y, inputs.tensors, create_graph=wanted, retain_graph=has_aux or wanted, materialize_grads=True
                )
            else:
                found = tuple(map(zeros_like, inputs.tensors))
        return inputs.settled(_with(inputs.chosen, iter(found))), value

    return both


def grad(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """The function that computes the gradient of `func`, which returns a single number.

    Args:
        argnums: by which argument, counted from 0; for a tuple, a tuple of gradients.
        has_aux: `func` returns something else beside the number; both the gradient and that are returned.

    >>> from tinygrad_edu import tensor
    >>> grad(lambda x: x**3)(tensor(2.0)), grad(grad(lambda x: x**3))(tensor(2.0))
    (tensor(12.), tensor(12.))

    Source: https://pytorch.org/docs/stable/generated/torch.func.grad.html
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, *value[1:]) if has_aux else found

    return gradient


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """func(*primals), and the function that multiplies a vector with its Jacobian: v ↦ vᵀ·J, a tuple with one for each primal.

    >>> from tinygrad_edu import tensor
    >>> y, pull_back = vjp(lambda x: x * x, tensor([1.0, 2.0]))
    >>> pull_back(tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)

    Source: https://pytorch.org/docs/stable/generated/torch.func.vjp.html
    """
    inputs = _Inputs(primals, tuple(range(len(primals))))
    with enable_grad():
        y, aux = _output(func(*inputs.args), has_aux)
    outputs = _outputs("vjp", y)

    def pull_back(*vectors: Any) -> tuple:
        seeds = _in_place_of("vjp", y, vectors[0] if len(vectors) == 1 else vectors)
        recorded = grad_mode.enabled
        with enable_grad():
            found = functional._grads(outputs, inputs.tensors, seeds, recorded and inputs.connected(*outputs, *seeds))
        return inputs.settled(_with(primals, iter(found)), recorded)

    return inputs.settled(y), pull_back, *inputs.settled(aux)


def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """func(*primals), and the product of its Jacobian with the tangents: the derivative in their direction.

    Source: https://pytorch.org/docs/stable/generated/torch.func.jvp.html
    """
    if not isinstance(primals, tuple):
        raise TypeError(f"jvp takes the arguments of the function as a tuple, jvp(f, (x,), (v,)), and not as a {kind(primals)}.")
    directions = tuple(_in_place_of("jvp", primals, tangents))
    inputs = _Inputs(primals, tuple(range(len(primals))))
    returned: list[Any] = []

    def outputs(*moved: Tensor) -> tuple[Tensor, ...]:
        returned[:] = _output(func(*_with(primals, iter(moved))), has_aux)
        return tuple(_outputs("jvp", returned[0]))

    values, products = functional.jvp(outputs, tuple(inputs.tensors), directions, create_graph=True, strict=strict)
    y, aux = returned
    return *(inputs.settled(_with(y, iter(part))) for part in (values, products)), *inputs.settled(aux)


def jacrev(
    func: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """The function that computes the Jacobian of `func`: every derivative of every output, one backward pass for each output.

    Args:
        argnums, has_aux: as for `grad`.
        chunk_size: taken for PyTorch's sake; it makes no difference here.

    >>> from tinygrad_edu import tensor
    >>> jacrev(lambda x: x * x)(tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])

    Source: https://pytorch.org/docs/stable/generated/torch.func.jacrev.html
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs(args, argnums)
        with enable_grad():
            y, aux = _output(func(*inputs.args, **kwargs), has_aux)
            outputs = _outputs("jacrev", y)
            wanted = inputs.recorded and inputs.connected(*outputs)
            found = [_with(inputs.chosen, iter(functional._jacobian(output, inputs.tensors, wanted))) for output in outputs]
        result = inputs.settled(_with(y, iter(found)))
        return (result, *inputs.settled(aux)) if has_aux else result

    return jacobian


def jacfwd(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable:
    """As `jacrev`: derivatives are computed backward here, never forward."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """The function that computes every second derivative of `func`: the Jacobian of its Jacobian.

    Source: https://pytorch.org/docs/stable/generated/torch.func.hessian.html
    """
    return jacrev(jacrev(func, argnums), argnums)


# -- modules as functions --------------------------------------------------------------------------------------------
def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters of several models of one kind, stacked by name, and their buffers: for `functional_call` in `vmap`.

    Source: https://pytorch.org/docs/stable/generated/torch.func.stack_module_state.html
    """
    models = list(models)
    if not models or len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state takes a list of models of one class.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state takes models that are all in train() mode, or all in eval() mode.")
    parameters, buffers = ([dict(walk(model)) for model in models] for walk in (Module.named_parameters, Module.named_buffers))
    for name in parameters[0]:
        if len({p[name].requires_grad for p in parameters}) > 1:
            raise RuntimeError(f"stack_module_state: {name} requires grad in some of the models and not in others.")
    return (
        {
            name: stack([p[name] for p in parameters]).detach().requires_grad_(first.requires_grad)
            for name, first in parameters[0].items()
        },
        {name: stack([b[name] for b in buffers]).detach() for name in buffers[0]},
    )


# -- for each example of a batch -------------------------------------------------------------------------------------
def vmap(
    func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "different", *, chunk_size: int | None = None
) -> Callable:
    """The function that applies `func` to each example of a batch, and stacks what it returns.

    It calls `func` once for each example: right for every function, and no faster than a loop, which PyTorch's is.

    Args:
        in_dims: along which dim the arguments hold the examples, None for one that is the same for all; a tuple says it for each,
            where an argument is a dict, list or tuple also for each of its parts: in_dims=({"weight": 0, "bias": None}, 0).
            Arguments given by name are the same for all.
        out_dims: where the results have the examples' dim; a tuple says it for each, as in_dims does.
        randomness: of numbers that are drawn without a generator. "different": each example draws its own; "same": all draw the same;
            "error": none may be drawn.
        chunk_size: taken for PyTorch's sake; it makes no difference here.

    Raises:
        ValueError: in_dims or out_dims that do not fit; a result that is no tensor.
        ShapeError: the arguments hold different numbers of examples, or none.
        RuntimeError: random numbers were drawn, with randomness="error".

    >>> from tinygrad_edu import dot, ones
    >>> vmap(dot, in_dims=(0, None))(ones(2, 3), ones(3))
    tensor([3., 3.])

    Source: https://pytorch.org/docs/stable/generated/torch.func.vmap.html
    """
    if randomness not in ("error", "different", "same"):
        raise ValueError(f'vmap: randomness must be "different", "same" or "error", not {randomness!r}.')

    def split(x: Any, dim: int | None) -> bool:
        return dim is not None and isinstance(x, Tensor)

    @functools.wraps(func)
    def for_each(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, tuple | list) else [in_dims] * len(args)
        if len(dims) != len(args):
            raise ValueError(f"vmap: in_dims {in_dims} must say a dim for each of {len(args)} arguments.")
        along = mapped(lambda dim, part: mapped(lambda _: dim, part), tuple(dims), args)
        sizes = {x.shape[dim] for x, dim in zip(leaves(args), leaves(along), strict=True) if split(x, dim)}
        if len(sizes) != 1:
            raise ShapeError(
                "vmap: the arguments must hold equally many examples, and at least one some; "
                f"their numbers are {sorted(sizes) or 'not given, in_dims is None'}."
            )

        rows = mapped(lambda x, dim: iter(x.unbind(dim)) if split(x, dim) else itertools.repeat(x), args, along)
        results = []
        start = None if randomness == "different" else get_rng_state()
        for _ in range(sizes.pop()):
            if start is not None and randomness == "same":
                set_rng_state(start)
            results.append(func(*mapped(next, rows), **kwargs))
            if start is not None and randomness == "error" and not equal(get_rng_state(), start):
                raise RuntimeError(
                    'vmap: the function draws random numbers, with randomness="error". Write "different" or "same" there.'
                )
        if not results:
            raise ShapeError("vmap: there are no examples, so nobody knows what the function would return.")
        if other := [x for x in leaves(results[0]) if not isinstance(x, Tensor)]:
            raise ValueError(
                f"vmap: the function must return tensors only, which can be stacked, and not a {type(other[0]).__name__}."
            )
        columns = list(zip(*map(tensors, results), strict=True))
        try:
            found = (results[0],) if isinstance(out_dims, tuple) and isinstance(results[0], Tensor) else results[0]
            places = leaves(mapped(lambda dim, part: mapped(lambda _: dim, part), out_dims, found))
        except (TypeError, ValueError):
            raise ValueError(f"vmap: out_dims {out_dims} must say a dim for each of {len(columns)} results.") from None
        return _with(results[0], (stack(column, dim) for column, dim in zip(columns, places, strict=True)))

    return for_each
