"""Random tensors, and the generators they come from.

A `Generator` is a stream of random numbers that a seed determines: the same seed, the same numbers. Every function here takes
one; without it the numbers come from the default generator of the tensor's device, which `manual_seed` seeds. The numbers are
NumPy's or CuPy's, so they are not the ones that PyTorch draws for the same seed. Drawing has no gradient.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..errors import DeviceError, DtypeError, ShapeError, describe
from ..tensor import Tensor, raw, wrap
from .inplace import assign
from .shape import broadcast_shapes, ints

__all__ = [
    "Generator", "bernoulli", "binomial", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "multinomial",
    "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "seed",
    "set_rng_state",
]  # fmt: skip


# -- generators ------------------------------------------------------------------------------------------------------
class Generator:
    """A stream of random numbers, determined by its seed.

    Args:
        device: where the numbers are drawn, and where the tensors made of them are.

    >>> from tinygrad_edu import Generator, randint
    >>> a, b = Generator().manual_seed(0), Generator().manual_seed(0)
    >>> bool((randint(10, (5,), generator=a) == randint(10, (5,), generator=b)).all())
    True

    Source: https://pytorch.org/docs/stable/generated/torch.Generator.html
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = backend.device(device)
        self.seed()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to this seed; returns the generator."""
        if not -(2**63) <= int(seed) < 2**64:
            raise RuntimeError(f"a seed must lie in [-2⁶³, 2⁶⁴), and {seed} does not.")
        self._seed = int(seed) % 2**64
        self.numbers = backend.namespace(self.device).random.default_rng(self._seed)  # NumPy's or CuPy's generator
        return self

    def seed(self) -> int:
        """Seed with a number that nobody can foresee, and return it."""
        self.manual_seed(secrets.randbits(64))
        return self._seed

    def initial_seed(self) -> int:
        """The seed the stream started with."""
        return self._seed

    def get_state(self) -> Tensor:
        """Where the stream is now, as a tensor of bytes for `set_state`."""
        if self.device != backend.CPU:
            raise DeviceError(f"the state of a generator on {self.device} cannot be read; only manual_seed sets it.")
        state = {"seed": self._seed, "numbers": self.numbers.bit_generator.state}
        return wrap(np.frombuffer(json.dumps(state).encode(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on from where `get_state` was called."""
        try:
            state = json.loads(new_state.array.tobytes())
            self.manual_seed(state["seed"])
            self.numbers.bit_generator.state = state["numbers"]
        except (ValueError, KeyError, TypeError) as error:
            raise RuntimeError(
                "this is not a state of a generator: pass what get_state() or get_rng_state() returned."
            ) from error
        return self

    def __repr__(self) -> str:
        return f"<Generator on {self.device}, seed {self._seed}>"


default_generator = Generator()
_defaults = {backend.CPU: default_generator}  # one for each device, made when first needed


def _numbers(device: backend.device, generator: Generator | None) -> Any:
    """NumPy's or CuPy's generator to draw from for a tensor on this device."""
    if generator is None:
        if device not in _defaults:
            _defaults[device] = Generator(device).manual_seed(default_generator.initial_seed())
        generator = _defaults[device]
    if generator.device != device:
        raise DeviceError(
            f"a generator on {generator.device} cannot draw a tensor on {device}: write Generator({str(device)!r})."
        )
    return generator.numbers


def manual_seed(seed: int) -> Generator:
    """Seed the default generators of all devices; returns the CPU's.

    Source: https://pytorch.org/docs/stable/generated/torch.manual_seed.html
    """
    default_generator.manual_seed(seed)
    _defaults.clear()  # those of GPUs are made anew with this seed when they are needed
    _defaults[backend.CPU] = default_generator
    return default_generator


def seed() -> int:
    """Seed the default generators with a number that nobody can foresee, and return it."""
    return manual_seed(secrets.randbits(64)).initial_seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the CPU's default generator, for `set_rng_state`."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go on from where `get_rng_state` was called."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """Give the default generator of the CPU back in the state in which it was: what is drawn inside leaves no trace.

    Source: https://pytorch.org/docs/stable/random.html#torch.random.fork_rng
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


# -- drawing arrays --------------------------------------------------------------------------------------------------
def _uniform(shape: tuple[int, ...], dtype: np.dtype, numbers: Any) -> Any:
    """In [0, 1)."""
    if dtype == dtypes.float16:  # multiples of 2⁻¹¹: rounding a float32 could give 1
        return (numbers.integers(0, 2**11, shape) / 2**11).astype(dtype)
    return numbers.random(shape, dtype)


def _normal(shape: tuple[int, ...], dtype: np.dtype, numbers: Any) -> Any:
    """With mean 0 and standard deviation 1."""
    return numbers.standard_normal(shape, dtypes.float32 if dtype == dtypes.float16 else dtype).astype(dtype, copy=False)


def _integers(low: int, high: int, shape: tuple[int, ...], dtype: np.dtype, numbers: Any) -> Any:
    """In [low, high)."""
    if low >= high:
        raise RuntimeError(f"random integers from {low} up to, but without, {high}: there are none.")
    limits = None if dtype.kind == "b" else dtypes.finfo(dtype) if dtype.kind == "f" else dtypes.iinfo(dtype)
    least, most = (0, 1) if limits is None else (limits.min, limits.max)
    if low < least or high - 1 > most:
        raise RuntimeError(f"random integers from {low} to {high - 1} do not fit into {dtype}.")
    return numbers.integers(low, high, shape, np.int64).astype(dtype, copy=False)


def _last_whole(dtype: np.dtype) -> int:
    """The largest integer up to which the dtype holds every one exactly."""
    return 1 if dtype.kind == "b" else 2 ** (np.finfo(dtype).nmant + 1) if dtype.kind == "f" else int(dtypes.iinfo(dtype).max)


# -- new tensors; all take the options of `_make` --------------------------------------------------------------------
def _make(
    draw: Any,
    shape: Any,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """A tensor of `draw(shape, dtype, numbers)`, of the default dtype and on the default device if these are not given."""
    shape = ints(shape)
    if any(n < 0 for n in shape):
        raise ShapeError(f"a shape must not have negative sizes: {shape}.")
    where = backend.get_default_device() if device is None else backend.device(device)
    wanted = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    if draw in (_uniform, _normal) and wanted not in dtypes.FLOATS:
        raise DtypeError(f"random numbers of this kind are floats; dtype={wanted} cannot hold them. Use randint for integers.")
    t = wrap(backend.place(backend.as_array(draw(shape, wanted, _numbers(where, generator))), where))
    t.name = name
    return t.requires_grad_(requires_grad) if requires_grad else t


def rand(*sizes: Any, size: Any = None, **options: Any) -> Tensor:
    """Uniform random numbers in [0, 1).

    Args:
        *sizes: the shape, as several integers or as one tuple.
        **options: generator, dtype, device, requires_grad, name.

    Source: https://pytorch.org/docs/stable/generated/torch.rand.html
    """
    return _make(_uniform, sizes if size is None else size, **options)


def randn(*sizes: Any, size: Any = None, **options: Any) -> Tensor:
    """Normal random numbers with mean 0 and standard deviation 1; arguments as for `rand`.

    Source: https://pytorch.org/docs/stable/generated/torch.randn.html
    """
    return _make(_normal, sizes if size is None else size, **options)


def randint(low: int = 0, high: Any = None, size: Any = None, *, dtype: Any = None, **options: Any) -> Tensor:
    """Random integers in [low, high): `randint(high, size)` or `randint(low, high, size)`.

    Args:
        low, high, size: the bounds, high not included, and the shape.
        dtype: default int64.
        **options: generator, device, requires_grad.

    >>> from tinygrad_edu import randint
    >>> dice = randint(1, 7, (100,))
    >>> dice.min().item() >= 1, dice.max().item() <= 6
    (True, True)

    Source: https://pytorch.org/docs/stable/generated/torch.randint.html
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None or isinstance(size, int):
        raise TypeError("randint needs a size, such as (3,): randint(high, size) or randint(low, high, size).")
    first, last = ints((low, high))
    return _make(lambda *how: _integers(first, last, *how), size, dtype=dtype or dtypes.int64, **options)


def randperm(n: int, *, dtype: Any = None, **options: Any) -> Tensor:
    """The integers 0 to n - 1 in random order.

    Source: https://pytorch.org/docs/stable/generated/torch.randperm.html
    """
    if n < 0:
        raise RuntimeError(f"randperm: n must not be negative, and it is {n}.")
    dtype = dtypes.as_dtype(dtype or dtypes.int64)
    if n - 1 > _last_whole(dtype):
        raise RuntimeError(f"randperm: {dtype} does not hold all integers from 0 to {n - 1}.")

    def draw(shape: tuple[int, ...], dtype: np.dtype, numbers: Any) -> Any:
        return np.argsort(numbers.random(shape)).astype(dtype, copy=False)

    return _make(draw, (n,), dtype=dtype, **options)


def rand_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, memory_format: str | None = None, **options: Any
) -> Tensor:
    """As `rand`, with the shape, dtype and device of another tensor."""
    return _make(_uniform, input.shape, dtype=dtype or input.dtype, device=device or input.device, **options)


def randn_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, memory_format: str | None = None, **options: Any
) -> Tensor:
    """As `randn`, with the shape, dtype and device of another tensor."""
    return _make(_normal, input.shape, dtype=dtype or input.dtype, device=device or input.device, **options)


def randint_like(
    input: Tensor,
    low: int = 0,
    high: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    memory_format: str | None = None,
    **options: Any,
) -> Tensor:
    """As `randint`, like another tensor: `randint_like(x, high)` or `randint_like(x, low, high)`."""
    return randint(low, high, input.shape, dtype=dtype or input.dtype, device=device or input.device, **options)


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, **options: Any) -> Tensor:
    """Normal random numbers: for tensors of means and standard deviations one each, for two numbers a tensor of shape `size`.

    No gradient passes to mean and std; for that write `mean + std * randn_like(mean)`.

    Source: https://pytorch.org/docs/stable/generated/torch.normal.html
    """
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    if bool(given) != (size is None) or (given and options):
        raise TypeError(
            "normal takes tensors (mean, std or both), or two numbers and a size; only the latter with a dtype or device."
        )
    _check_std(std)
    if given:
        size = broadcast_shapes(*(x.shape for x in given))
        options = {"dtype": dtypes.result_dtype(given), "device": given[0].device}
    mean, std = raw(mean), raw(std)

    def draw(shape: tuple[int, ...], dtype: np.dtype, numbers: Any) -> Any:
        return (mean + std * _normal(shape, dtype, numbers)).astype(dtype, copy=False)

    return _make(draw, size, generator=generator, **options)


def _check_std(std: Any) -> None:
    negative = (raw(std) if isinstance(std, Tensor) else np.asarray(std)) < 0
    backend.require(~negative.any(), lambda: RuntimeError("a standard deviation must not be negative."))


def bernoulli(input: Tensor, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that stands at the element's place (or `p`), else 0; of the input's dtype.

    Source: https://pytorch.org/docs/stable/generated/torch.bernoulli.html
    """
    if p is None and input.dtype.kind != "f":
        raise DtypeError(f"bernoulli takes probabilities, which are floats, not {describe(input)}.")
    return wrap(_hits(input, input if p is None else p, generator))


def _hits(like: Tensor, p: Any, generator: Generator | None) -> Any:
    """Ones with probability p and zeros, in an array like the tensor."""
    p = raw(p)
    if hasattr(p, "shape") and broadcast_shapes(p.shape, like.shape) != like.shape:
        raise ShapeError(f"probabilities of shape {p.shape} do not fit {describe(like)}: one for each element, or for all.")
    inside = (p >= 0) & (p <= 1)
    backend.require(
        inside if isinstance(p, int | float) else inside.all(), lambda: RuntimeError("probabilities must lie in [0, 1].")
    )
    uniform = _numbers(like.device, generator).random(like.shape)  # in float64, so that small p are drawn right
    return backend.place(backend.as_array(uniform < p), like.device).astype(like.dtype)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson random numbers (how many rare events happen) with the means that stand in the input.

    Source: https://pytorch.org/docs/stable/generated/torch.poisson.html
    """
    backend.require(
        input.dtype.kind == "f" and (raw(input) >= 0).all(),
        lambda: RuntimeError(f"poisson takes means that are floats and not negative; this is {describe(input)}."),
    )
    return wrap(backend.as_array(_numbers(input.device, generator).poisson(raw(input), input.shape)).astype(input.dtype))


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Binomial random numbers: how many of `count` trials succeed, each of which does with the probability `prob`.

    Source: https://pytorch.org/docs/stable/generated/torch.binomial.html
    """
    n, p = raw(count), raw(prob)
    if not n.dtype.kind == p.dtype.kind == "f":
        raise DtypeError(f"binomial takes counts and probabilities as floats, not {describe(count)} and {describe(prob)}.")
    backend.require(
        ((n >= 0) & (n == np.floor(n)) & (p >= 0) & (p <= 1)).all(),
        lambda: RuntimeError("binomial takes counts of 0, 1, 2 ... and probabilities in [0, 1]; there are others."),
    )
    shape = broadcast_shapes(n.shape, p.shape)
    drawn = _numbers(count.device, generator).binomial(n.astype(np.int64), p.astype(np.float64), shape)
    return wrap(backend.as_array(drawn).astype(count.dtype))


def log_standard_gamma(concentration: Tensor) -> Tensor:
    """The logarithms of gamma random numbers of these shapes and scale 1, in float64: small shapes give numbers too small for a float.

    ln x = ln w - e / a, with w of the shape a + 1 and e of the exponential distribution

    Source: Marsaglia, Tsang 2000, "A simple method for generating gamma variables", section 6
    """
    numbers, a = _numbers(concentration.device, None), raw(concentration).astype(np.float64)
    drawn = np.log(numbers.gamma(a + 1, 1.0, a.shape)) - numbers.standard_exponential(a.shape) / a
    return wrap(backend.as_array(drawn))


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Draw indices with probabilities in proportion to weights; of each row, if there are several rows.

    Args:
        input: weights, (n,) or (rows, n), not negative and not all 0.
        num_samples: how many indices.
        replacement: whether an index may be drawn more than once.

    Source: https://pytorch.org/docs/stable/generated/torch.multinomial.html
    """
    weights = raw(input)
    if input.dtype.kind != "f" or input.ndim not in (1, 2):
        raise ShapeError(f"multinomial takes floats of shape (n,) or (rows, n), not {describe(input)}.")
    how = "with" if replacement else "without"
    if num_samples <= 0 or (not replacement and num_samples > input.shape[-1]):
        raise RuntimeError(f"multinomial cannot draw {num_samples} of {input.shape[-1]} indices {how} replacement.")
    backend.require(
        (np.isfinite(weights) & (weights >= 0)).all(),
        lambda: RuntimeError("multinomial: weights must be finite and not negative."),
    )
    enough = 1 if replacement else num_samples
    backend.require(
        ((weights > 0).sum(-1) >= enough).all(),
        lambda: RuntimeError(f"multinomial: a row has fewer than {enough} weights that are not 0."),
    )
    numbers = _numbers(input.device, generator)
    if not replacement:
        # Waiting times with these rates: the first to arrive is drawn with these probabilities, then the second of the rest ...
        with np.errstate(divide="ignore"):
            waiting = numbers.standard_exponential(weights.shape) / weights
        return wrap(np.argsort(waiting, -1)[..., :num_samples].copy())
    rows = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    uniform = numbers.random((len(rows), num_samples))
    drawn = _by_weight(rows, uniform) if len(rows) else uniform
    return wrap(drawn.astype(np.int64).reshape(*input.shape[:-1], num_samples))


def _by_weight(weights: Any, uniform: Any) -> Any:
    """For each number in [0, 1) of a row, the index in whose share of the line from 0 to 1 it falls."""
    ends = np.cumsum(weights, axis=-1)
    places = uniform * ends[:, -1:]
    if len(places) <= places.shape[1]:  # one search for each row, or one for each number of all rows
        return np.stack([np.searchsorted(row, place, side="right") for row, place in zip(ends, places, strict=True)])
    return np.stack([(ends <= places[:, i : i + 1]).sum(-1) for i in range(places.shape[1])], axis=-1)


# -- in place --------------------------------------------------------------------------------------------------------
def _fill(self: Tensor, draw: Any, generator: Generator | None, floats: bool = True) -> Tensor:
    """Put `draw(shape, dtype, numbers)` into the tensor."""
    if floats and self.dtype.kind != "f":
        raise DtypeError(f"random numbers of this kind are floats, and {describe(self)} cannot hold them.")
    drawn = draw(self.shape, self.dtype, _numbers(self.device, generator))
    return assign(self, wrap(backend.place(backend.as_array(drawn), self.device).astype(self.dtype, copy=False)))


def uniform_(self: Tensor, from_: float = 0, to: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with uniform random numbers in [from_, to).

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.uniform_.html
    """
    if from_ > to:
        raise RuntimeError(f"uniform_: the interval [{from_}, {to}) is empty.")
    return _fill(self, lambda *how: from_ + (to - from_) * _uniform(*how), generator)


def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal random numbers.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.normal_.html
    """
    _check_std(std)
    return _fill(self, lambda *how: mean + std * _normal(*how), generator)


def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponential random numbers, whose mean is 1 / lambd.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.exponential_.html
    """
    if lambd <= 0:
        raise RuntimeError(f"exponential_: lambd must be positive, and it is {lambd}.")
    return _fill(self, lambda shape, dtype, numbers: numbers.standard_exponential(shape) / lambd, generator)


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with ones with probability p, and zeros.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.bernoulli_.html
    """
    return assign(self, wrap(_hits(self, p, generator)))


def random_(self: Tensor, from_: int = 0, to: int | None = None, *, generator: Generator | None = None) -> Tensor:
    """Fill with random integers: `random_(to)` in [0, to), `random_(from, to)` in [from, to), `random_()` in all that the dtype
    holds exactly, from 0 on.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.random_.html
    """
    if to is None and from_ != 0:
        from_, to = 0, from_
    if to is None:
        to = _last_whole(self.dtype) + 1
    low, high = ints((from_, to))
    return _fill(self, lambda *how: _integers(low, high, *how), generator, floats=False)
