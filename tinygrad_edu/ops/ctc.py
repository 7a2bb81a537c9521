"""Connectionist temporal classification: the loss of writing down what is said, where nobody says which frame belongs to which label.

A network gives the classes a probability at each frame. An alignment gives each frame a class, a label's or the blank one; what it says is
read by leaving out repetitions and then blanks: a a - b b says ab, and a - a says aa. The loss sums the probabilities of all alignments
that say the target. In them a frame is at one of the 2·S + 1 states -, a, -, b, -, and the next one there, one state on, or two if that
passes over a blank between different labels. So the sum grows frame by frame (α), and so does that of all ways on, from the end (β).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import device_of, place, require
from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import Tensor, raw, wrap
from .arithmetic import logaddexp
from .elementwise import clamp_min
from .indexing import _index, where
from .joining import stack
from .loss import reduced, reduction_of
from .padding import pad
from .reduction import mean
from .scatter import _gather, _scatter_add_zeros
from .shape import clone, reshape
from .softmax import _log_softmax, _softmax

__all__ = ["ctc_loss"]

NEVER = -1e30  # the logarithm of a probability of 0, with which one can still calculate: -∞ less -∞ would be NaN


# -- the sum over alignments -----------------------------------------------------------------------------------------
def _frames_there(x: Any, frames: Any) -> Any:
    """(T, N): whether a frame is one of its sample's."""
    return np.arange(len(x), like=frames)[:, None] < frames


def _per_state(x: Any, classes: Any, frames: Any, counts: Any) -> Any:
    """(T, N, states): the logarithm of the probability of each state's class at each frame; NEVER behind a sample's last ones."""
    there = _frames_there(x, frames)[..., None] & (np.arange(classes.shape[1], like=counts) < counts[:, None])
    return where(there, clamp_min(_gather(_log_softmax(x, dim=2), dim=2, index=_at_each_frame(x, classes)), NEVER), NEVER)


def _at_each_frame(x: Any, classes: Any) -> Any:
    return np.broadcast_to(classes, (len(x), *classes.shape))


def _ways(e: Any, classes: Any) -> Any:
    """(T + 1, N, states): the logarithm of what all ways amount to that are at a state after so many frames (α)."""
    start, passing = np.full_like(raw(e), NEVER, shape=classes.shape), np.full_like(raw(e), NEVER, shape=classes.shape)
    start[:, 0] = 0
    passing[:, 2:] = np.where(classes[:, 2:] == classes[:, :-2], NEVER, 0)
    found = [start]
    for t in range(len(e)):
        stay = found[-1]
        wide = pad(stay, (2, 0), value=NEVER)
        found.append(e[t] + logaddexp(logaddexp(stay, wide[:, 1:-1]), wide[:, :-2] + passing))
    return stack(found)


def _costs(ways: Any, frames: Any, counts: Any) -> Any:
    """-ln of what the ways amount to that end, at a sample's last frame, at its last label or the blank behind it."""
    samples = np.arange(len(frames), like=frames)
    last, label = (_index(ways, index=(frames, samples, np.maximum(counts - k, 0))) for k in (1, 2))
    return -logaddexp(last, where(counts > 1, label, NEVER))


def _from_the_end(a: Any, frames: Any, counts: Any) -> Any:
    """(T, N, states) with each sample's frames and states in reverse order; twice is not at all."""
    steps, samples, states = a.shape
    t = (frames - 1 - np.arange(steps, like=frames)[:, None]) % steps
    s = (counts[:, None] - 1 - np.arange(states, like=counts)) % states
    return a[t[..., None], np.arange(samples, like=frames)[:, None], s]


def _ctc_gradient(g: Any, z: Any, x: Any, classes: Any, frames: Any, counts: Any, sums: Any) -> Any:
    impossible = (raw(z) == math.inf)[:, None]
    counted = (_frames_there(x, frames) & (raw(g) != 0))[..., None]
    if isinstance(g, Tensor):
        slope = _by_single_operations(g, x, classes, frames, counts)
    else:
        e, ways = sums or _ctc_loss.op.forward_and_keep(x, classes=classes, frames=frames, counts=counts)[1]
        turned = _from_the_end(classes[None], np.ones_like(frames), counts)[0]
        back = _from_the_end(_ways(_from_the_end(e, frames, counts), turned)[1:], frames, counts)
        shares = np.exp(ways[1:] + back - e + np.where(impossible, 0, z[:, None]))  # α·β has the frame's own probability twice
        said = _scatter_add_zeros(shares, shape=x.shape, dim=2, index=_at_each_frame(x, classes))
        slope = g[:, None] * (_softmax(x, dim=2) - said)
    return where(counted, where(impossible, math.nan, slope), 0)


def _by_single_operations(g: Any, x: Any, classes: Any, frames: Any, counts: Any) -> Any:
    """The gradient as a tensor, which has derivatives itself."""
    from ..autograd.gradients import grad

    own = clone(x)
    losses = _costs(_ways(_per_state(own, classes, frames, counts), classes), frames, counts)
    return grad(losses, own, g, create_graph=True)[0]


@op(keeps="sums", dx=_ctc_gradient)
def _ctc_loss(x: Any, *, classes: Any, frames: Any, counts: Any) -> Any:
    """How surprised a model is by a text whose letters may stand anywhere, in their order. The gradient is that of cross-entropy, with
    the probability that a frame belongs to a class, given what is said, in place of a label.

    z = -ln P with P = Σ over alignments of Π p[t, class at t] and p = softmax(x);
    ∂x[t, c] = g·(p[t, c] - Σ α[t, s]·β[t, s] / (p[t, c]·P) over the states s of class c)

    For logarithms of probabilities p is eˣ, and this is PyTorch's gradient: that of numbers of which only the softmax counts. The
    derivative of -ln Σ Π eˣ, for numbers that need not stay logarithms of probabilities, lacks the first term. Behind a log_softmax both
    lead to the same gradients, because it takes away what all classes have in common.

    Args:
        x: (T, N, C).
        classes: (N, states), the class of each state.
        frames, counts: (N,), how many frames and states each sample has.

    Source: Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    """
    e = _per_state(x, classes, frames, counts)
    ways = _ways(e, classes)
    z = _costs(ways, frames, counts)
    return np.where(z > -NEVER / 2, math.inf, z), (e, ways)


# -- what users call -------------------------------------------------------------------------------------------------
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """The loss of sequences of labels that nobody aligned with the frames, as in speech and handwriting recognition.

    z[n] = -ln Σ over alignments a that say targets[n] of Π over frames t of p[t, n, a[t]], with p = e^log_probs

    Args:
        log_probs: logarithms of probabilities, as log_softmax gives them, (T, N, C), or (T, C) for one sample; other numbers are taken for
            scores, to which the softmax is applied first (PyTorch sums up what is not normalized as it is).
        targets: the labels, (N, S), or all samples' one after the other in one dim; (S,) for one sample.
        input_lengths: how many frames each sample has: N numbers as a tensor, list or tuple.
        target_lengths: how many labels each sample has, likewise.
        blank: the class that stands for no label.
        reduction: "mean" (each loss divided by its number of labels first), "sum" or "none".
        zero_infinity: losses of targets that need more frames than there are become 0, and so do their gradients (instead of ∞ and NaN).

    Raises:
        ShapeError, DtypeError: shapes or dtypes that do not fit.
        RuntimeError: more frames or labels than there are, a blank that is no class, a label that is blank or no class.

    >>> import tinygrad_edu as tg
    >>> p = tg.tensor([[0.5, 0.5], [0.5, 0.5]])  # of two frames: "a-", "-a" and "aa" say "a", class 1
    >>> ctc_loss(p.log(), tg.tensor([1]), [2], [1]).exp()
    tensor(1.3333)

    Source: Graves et al. 2006; https://pytorch.org/docs/stable/generated/torch.nn.functional.ctc_loss.html
    """
    reduction = reduction_of(reduction)
    if log_probs.ndim not in (2, 3) or 0 in log_probs.shape:
        raise ShapeError(f"ctc_loss takes log_probs (T, N, C), or (T, C) for one sample, and not nothing: {describe(log_probs)}.")
    if log_probs.dtype not in (np.float32, np.float64):
        raise DtypeError(f"ctc_loss: products of many probabilities need float32 or float64, not {describe(log_probs)}.")
    x = log_probs if log_probs.ndim == 3 else reshape(log_probs, shape=(len(log_probs), 1, -1))
    steps, samples, count = x.shape
    if not 0 <= blank < count:
        raise RuntimeError(f"ctc_loss: blank must be one of the {count} classes, in [0, {count}), and it is {blank}.")
    frames = _lengths("input_lengths", input_lengths, samples, steps)
    lengths = _lengths("target_lengths", target_lengths, samples)
    frames, lengths = (place(np.array(found), device_of(raw(x))) for found in (frames, lengths))
    losses = _ctc_loss(x, classes=_classes(targets, lengths, count, blank, x), frames=frames, counts=2 * lengths + 1)
    if zero_infinity:
        losses = where(losses == math.inf, 0, losses)
    if reduction == "mean":
        return mean(losses / wrap(np.maximum(lengths, 1).astype(x.dtype)))
    return reduced(losses if log_probs.ndim == 3 else reshape(losses, shape=()), reduction)


def _lengths(name: str, given: Any, samples: int, most: float = math.inf) -> list[int]:
    """The samples' lengths as integers, checked."""
    found = given.tolist() if isinstance(given, Tensor) else list(given) if isinstance(given, list | tuple) else given
    found = found if isinstance(found, list) else [found]
    if not all(type(n) is int for n in found) or len(found) != samples:
        raise ShapeError(f"ctc_loss: {name} must be {samples} integers, one for each sample; they are {given!r}.")
    if any(not 0 <= n <= most for n in found):
        raise RuntimeError(f"ctc_loss: {name} must lie between 0 and {most}; they are {found}.")
    return found


def _classes(targets: Any, lengths: Any, count: int, blank: int, x: Any) -> Any:
    """(N, states): blank, label, blank ... of each sample, filled up with blanks; the labels are checked."""
    samples, longest, total = len(lengths), int(lengths.max()), int(lengths.sum())
    given = raw(targets)
    if getattr(given, "dtype", None) is None or given.dtype.kind not in "iu":
        raise DtypeError(f"ctc_loss: the targets must be a tensor of class numbers, of dtype int64, not {describe(targets)}.")
    table = given.ndim == 2 and len(given) == samples and given.shape[1] >= longest
    if not table and given.shape != (total,):
        raise ShapeError(
            f"ctc_loss: for target_lengths {lengths.tolist()} the targets must have the shape ({samples}, {longest}) or, all labels one "
            f"after the other, ({total},); they are {describe(targets)}."
        )
    given = place(given, device_of(raw(x)))
    first = np.arange(samples, like=lengths) * given.shape[1] if table else np.cumsum(lengths) - lengths
    place_in_text = np.arange(longest, like=lengths)
    there = place_in_text < lengths[:, None]
    classes = np.full_like(given, blank, dtype=np.int64, shape=(samples, 2 * longest + 1), order="C")
    if total:
        labels = given.take(np.where(there, first[:, None] + place_in_text, 0)).astype(np.int64)
        wrong = there & ((labels < 0) | (labels >= count) | (labels == blank))
        require(~wrong.any(), lambda: _wrong_label(int(labels[wrong][0]), count, blank))
        classes[:, 1::2] = np.where(there, labels, blank)
    return classes


def _wrong_label(label: int, count: int, blank: int) -> Exception:
    if label == blank:
        return RuntimeError(
            f"ctc_loss: the blank class {blank} stands among the targets; it says that there is no label, so leave it out."
        )
    return IndexError(f"ctc_loss: label {label} is out of range: there are {count} classes, so labels must be in [0, {count}).")
