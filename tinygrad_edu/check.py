"""check_training: tries one training step and says which of the usual mistakes it finds, and what to do.

The check works on the model itself, with copies of its numbers put in their places; afterwards everything is as it was: weights,
buffers, gradients, modes, the optimizer's state and the random generators.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from . import backend
from .autograd.engine import topological_order
from .grad_mode import is_grad_enabled, no_grad
from .nn import Module
from .nn.module import keeping_mode
from .ops import random
from .optim import Adam, Optimizer
from .tensor import Tensor
from .train import check_parts
from .trees import leaves

STEPS = 20  # on one batch, in which the loss must fall
MANY_DEAD = 0.9  # share of a layer's units
MANY_SAMPLES = 16  # from which on a unit that is never active counts as dead
TOO_LARGE = 1e3  # norm of a gradient that explodes
TOO_SMALL = 1e-5  # a layer's gradient beside the largest of all layers
RANGES = {"relu": (0.0, math.inf), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # of what they give


class Finding(NamedTuple):
    """A mistake: its name, what was seen, and what to do about it."""

    name: str
    seen: str
    advice: str


class Findings(list):
    """What `check_training` found; empty if nothing is wrong. Printing it gives one paragraph for each finding."""

    def add(self, name: str, seen: str, advice: str) -> None:
        self.append(Finding(name, seen, advice))

    @property
    def names(self) -> list[str]:
        return [finding.name for finding in self]

    def __repr__(self) -> str:
        if not self:
            return "No mistakes found."
        return "\n".join(f"{i}. {f.name}: {f.seen}\n   What to do: {f.advice}" for i, f in enumerate(self, 1))


def check_training(model: Module, batch: Any, loss: Callable, optimizer: Optimizer | None = None) -> Findings:
    """Look for the mistakes that learners make, on one batch (x, y). Call it where a training step would begin.

    Under `no_grad()` an evaluation is checked instead: the model should then be in eval mode, and gradients are not looked at.

    Args:
        model: called as `model(x)`.
        batch: a pair (x, y), as a loader gives it; 16 samples or more say more about dead units.
        loss: called as `loss(prediction, y)`.
        optimizer: yours, to see whether it holds the right parameters and whether its steps make the loss fall.

    >>> from tinygrad_edu import nn, randn
    >>> check_training(nn.Linear(3, 1), (randn(20, 3), randn(20)), lambda z, y: ((z - y) ** 2).mean()).names
    ['shapes']
    """
    if not isinstance(batch, Sequence) or len(batch) != 2:
        raise TypeError(f"check_training(model, batch, loss): the batch must be a pair (x, y), not a {type(batch).__name__}.")
    check_parts("check_training", model=model, loss=loss, **({} if optimizer is None else {"optimizer": optimizer}))
    x, y = batch
    if isinstance(x, Tensor) and not x.array.size:
        raise ValueError("check_training: the batch is empty, so there is nothing to be found.")
    findings = Findings()
    _look_at_gradients_left_over(findings, model)
    with undone(model, optimizer):
        if optimizer is not None:
            _look_at_optimizer(findings, model, optimizer)
        _look_at_mode(findings, model, x)
        prediction = model(x)
        problems = len(findings)
        comparable = isinstance(prediction, Tensor) and isinstance(y, Tensor)
        if comparable:
            _look_at_values(findings, x, y, prediction)
            _look_at_shapes(findings, prediction, y)
            _look_at_labels(findings, prediction, y, loss)
        try:
            value = loss(prediction, y)
        except Exception:
            if comparable and _are_float_labels(prediction, y, loss):
                findings[problems:] = []  # what was said of their shapes does not matter
                findings.add(
                    "float labels",
                    f"the labels are {y.dtype} numbers, and the loss takes class numbers, which are integers.",
                    f"write {'y.squeeze(-1)' if y.ndim == prediction.ndim else 'y'}.long(), best where the data is loaded.",
                )
            if len(findings) > problems:  # it is said already what the loss does not like
                return findings
            raise
        if not isinstance(value, Tensor):
            findings.add("loss", f"the loss is {value!r:.40} and no tensor.", "return the tensor, without .item() or float().")
            return findings
        if math.prod(value.shape) != 1:
            findings.add("loss", f"the loss has shape {value.shape}.", "reduce it to one number: loss.mean() or loss.sum().")
            return findings
        if comparable:
            _look_for_softmax(findings, prediction, y, value, loss)
            _look_for_sigmoid(findings, prediction, loss)
            _look_at_range(findings, prediction, y)
            _look_for_log_softmax(findings, prediction, y, value, loss)
        if is_grad_enabled() and _look_at_gradients(findings, model, value):
            with np.errstate(all="ignore"):  # it may well diverge
                _look_at_learning(findings, model, x, y, loss, optimizer)
    return findings


# -- before the step -----------------------------------------------------------------------------------------------
def _look_at_gradients_left_over(findings: Findings, model: Module) -> None:
    held = [name for name, p in model.named_parameters() if p._grad is not None]
    if held and is_grad_enabled():
        findings.add(
            "zero_grad",
            f"before the step {len(held)} parameters already hold gradients ({_some(held)}); backward() adds to them.",
            "call optimizer.zero_grad() before every backward(). (If your loop does, call it before this check as well.)",
        )


def _look_at_optimizer(findings: Findings, model: Module, optimizer: Optimizer) -> None:
    held = {p for group in optimizer.param_groups for p in group["params"]}
    own = dict(model.named_parameters())
    left_out = [name for name, p in own.items() if p.requires_grad and p not in held]
    if left_out:
        findings.add(
            "not in the optimizer",
            f"the optimizer does not hold {_some(left_out)}; they will never change.",
            "make the optimizer with model.parameters(), after the last layer was added or replaced.",
        )
    if held and not held & set(own.values()):
        findings.add(
            "another model's optimizer",
            "the optimizer holds no parameter of this model.",
            "make the optimizer after the model, and anew whenever the model is made anew.",
        )


def _look_at_mode(findings: Findings, model: Module, x: Any) -> None:
    """Whether the mode is the right one, if it makes any difference to what the model gives."""
    wrong = [path for path, module in model.named_modules() if module.training != is_grad_enabled()]
    if not wrong:
        return
    what = _some(wrong) if wrong[0] else "the model"
    outputs = []
    with keeping_mode(model), no_grad():
        for mode in (True, False):
            model.train(mode)
            with seeded():
                outputs.append([t.numpy(force=True).copy() for t in leaves(model(x)) if isinstance(t, Tensor)])
    if all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*outputs, strict=True)):
        return
    if is_grad_enabled():
        findings.add(
            "eval mode",
            f"{what} is in eval mode while training: dropout drops nothing, and batch norm does not use the batch.",
            "call model.train() before the training loop, and again after every evaluation.",
        )
    else:
        findings.add(
            "train mode",
            f"{what} is in train mode while evaluating: dropout drops, and batch norm uses and remembers this batch.",
            "call model.eval() before evaluating, and model.train() before training on.",
        )


# -- what goes in and what comes out -------------------------------------------------------------------------------
def _look_at_values(findings: Findings, x: Any, y: Any, prediction: Tensor) -> None:
    for what, t in (("the input", x), ("the target", y), ("the prediction", prediction)):
        if isinstance(t, Tensor) and t.dtype.kind == "f" and not np.isfinite(t.array).all():
            findings.add(
                "not finite",
                f"{what} holds NaN or infinity.",
                "look for missing values, a division by zero or a log of zero; detect_anomaly() names the operation.",
            )
            return


def _look_at_shapes(findings: Findings, prediction: Tensor, y: Tensor) -> None:
    p, t = prediction.shape, y.shape
    if p == t or (y.dtype.kind != "f" and p[1:] != (1,)) or (len(p) == len(t) and 1 not in p + t):
        return  # equal; classes beside scores; or shapes that the loss refuses by itself
    if p[:-1] == t and p[-1:] == (1,):
        advice = "write prediction.squeeze(-1), or y.unsqueeze(-1), so that both have one shape."
    elif t[:-1] == p and t[-1:] == (1,):
        advice = "write y.squeeze(-1), or prediction.unsqueeze(-1), so that both have one shape."
    else:
        advice = "give both the same shape."
    findings.add(
        "shapes",
        f"the prediction is {p}, the target {t}: together they are broadcast to a table of all pairs, not compared.",
        advice,
    )


def _look_at_labels(findings: Findings, prediction: Tensor, y: Tensor, loss: Callable) -> None:
    if y.dtype.kind not in "iu" or prediction.ndim < 2 or prediction.shape[1] == 1:
        return
    if y.ndim == prediction.ndim and y.shape[1] == 1:
        findings.add(
            "shapes",
            f"the labels have shape {y.shape}; beside predictions {prediction.shape} they should be {y.shape[:1]}.",
            "write y.squeeze(1).",
        )
    elif y.ndim == prediction.ndim - 1:
        classes, labels = prediction.shape[1], y.array[y.array != getattr(loss, "ignore_index", -100)]
        wrong = np.unique(labels[(labels < 0) | (labels >= classes)]).tolist()
        if wrong:
            findings.add(
                "labels",
                f"there are labels {_some([str(label) for label in wrong])}, but the model has {classes} outputs: labels 0 to {classes - 1}.",
                "count labels from 0 (y - 1 if they start at 1), or give the last layer as many outputs as there are classes.",
            )


def _look_for_softmax(findings: Findings, prediction: Tensor, y: Tensor, value: Tensor, loss: Callable) -> None:
    """A loss that does not change when all scores of a sample rise by 1 has a softmax inside: it wants scores, of any size."""
    if prediction.ndim < 2 or prediction.shape[1] < 2 or prediction.dtype.kind != "f":
        return
    p, last = prediction.numpy(force=True), _last_op(prediction)
    probabilities = not (p < 0).any() and np.allclose(p.sum(1), 1, atol=1e-3)
    if last == "softmax" and not probabilities and prediction.ndim == 2:
        findings.add(
            "softmax",
            "the model ends in a softmax over another dim than that of the classes, dim 1: the outputs of a sample do not sum to 1.",
            "write softmax(z, dim=1); or, before cross_entropy, which has one inside, leave it out.",
        )
        return
    if not probabilities and last not in RANGES:
        return
    with no_grad(), seeded():
        try:
            shifted = loss(prediction.detach() + 1, y).item()
        except Exception:  # a loss that refuses numbers above 1 wants probabilities
            return
    if not math.isclose(shifted, value.item(), rel_tol=1e-3, abs_tol=1e-6):
        return
    if not probabilities:
        why = "a score that is 0 gets no gradient" if last == "relu" else "these are too near to each other for a loss near 0"
        findings.add(
            last,
            f"the model ends in a {last}, and the loss, which has a softmax inside, takes scores of any size: {why}.",
            f"leave the {last} out at the end of the model.",
        )
    else:
        findings.add(
            "softmax",
            "the model ends in a softmax, and the loss applies another: learning is slow, and the loss cannot come near 0.",
            "leave the softmax out of the model; apply it only where you want to see probabilities.",
        )


def _are_float_labels(prediction: Tensor, y: Tensor, loss: Callable) -> bool:
    """Whether the loss, which has refused these labels, takes them as integers."""
    labels = y.squeeze(-1) if y.ndim == prediction.ndim else y
    if y.dtype.kind != "f" or not np.array_equal(labels.array, np.round(labels.array)):
        return False
    with no_grad(), seeded():
        try:
            loss(prediction.detach(), labels.long())
        except Exception:
            return False
    return True


def _look_for_log_softmax(findings: Findings, prediction: Tensor, y: Tensor, value: Tensor, loss: Callable) -> None:
    """A loss that falls by 1 when all scores rise by 1 takes log-probabilities as they are: it wants a log_softmax before it."""
    if prediction.ndim < 2 or prediction.shape[1] < 2 or y.dtype.kind not in "iu" or prediction.dtype.kind != "f":
        return
    p = prediction.numpy(force=True)
    with np.errstate(over="ignore"):
        if np.allclose(np.exp(p).sum(1), 1, atol=1e-3):
            return
    with no_grad(), seeded():
        rise = value.item() - loss(prediction.detach() + 1, y).item()
    if any(math.isclose(rise, n, rel_tol=1e-3) for n in (1, y.array.size)):  # of a mean, of a sum
        findings.add(
            "no log_softmax",
            "the loss takes logarithms of probabilities, and the model gives none (whose exponentials would add up to 1 for each "
            "sample): the loss can fall without end.",
            "use cross_entropy (nn.CrossEntropyLoss), which has the log_softmax inside; or end the model in nn.LogSoftmax(dim=1).",
        )


def _look_for_sigmoid(findings: Findings, prediction: Tensor, loss: Callable) -> None:
    name = getattr(loss, "__name__", type(loss).__name__)
    if "logits" in name.lower() and _last_op(prediction) == "sigmoid":
        findings.add(
            "sigmoid",
            f"the model ends in a sigmoid, and {name} applies another: learning is slow, and the loss cannot come near 0.",
            "leave the sigmoid out of the model; apply it only where you want to see probabilities.",
        )


def _look_at_range(findings: Findings, prediction: Tensor, y: Tensor) -> None:
    """Whether the last activation can give the targets at all."""
    low, high = RANGES.get(_last_op(prediction), (-math.inf, math.inf))
    if prediction.shape != y.shape or not y.array.size or (y.array.min() >= low and y.array.max() <= high):
        return
    findings.add(
        "out of reach",
        f"the targets go from {y.min().item():.4g} to {y.max().item():.4g}, and the model ends in a {_last_op(prediction)}, which gives "
        f"{low:g} to {high:g} only.",
        "leave it out at the end of the model, or bring the targets into that range.",
    )


def _last_op(prediction: Tensor) -> str:
    """The operation that the model ends in."""
    made_by = _source(prediction).op
    return "" if made_by is None else made_by.name


def _source(node: Any) -> Any:
    """What a tensor shows: that of which it is a view, by squeeze, reshape ..."""
    while node.op is not None and node.op.view:
        node = node.inputs[0]
    return node


# -- the step ------------------------------------------------------------------------------------------------------
def _look_at_gradients(findings: Findings, model: Module, value: Tensor) -> bool:
    """Run backward and judge the gradients; returns whether it is worth trying to learn."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained or not value.requires_grad:
        findings.add(
            "no gradient",
            "the loss depends on no parameter that requires grad."
            if trained
            else "the model has no parameter that requires grad.",
            "do not detach, convert (.item(), .numpy(), argmax) or compute under no_grad() on the way from parameters to loss.",
        )
        return False
    if any(_follow_each_other(value)):
        findings.add(
            "no activation",
            "a linear layer gets what another linear layer gives, as it is: both together are no more than one linear layer.",
            "put an activation between them, such as nn.ReLU().",
        )
    dead = [share for share in _dead_units(value) if share >= MANY_DEAD]
    if dead:
        findings.add(
            "dead ReLU",
            f"in {len(dead)} ReLU layer(s) nearly all units give 0 for every sample (worst: {max(dead):.0%}) and get no gradient.",
            "lower the learning rate, start from fresh weights, scale the inputs, or use LeakyReLU or GELU.",
        )
    value.backward()
    without = [name for name, p in trained.items() if p._grad is None]
    if without:
        findings.add(
            "no gradient",
            f"{_some(without)} got no gradient: the loss does not depend on them.",
            "use these layers in forward(), and do not detach what they give; or remove or freeze them (requires_grad_(False)).",
        )
    alike = [name for name, p in trained.items() if _rows_stay_equal(p)]
    if alike:
        findings.add(
            "equal weights",
            f"all weights of {_some(alike)} are equal, and so are the gradients of its units: they will stay copies of each other.",
            "start from random weights, as layers do by themselves (nn.init.kaiming_uniform_); only biases may start equal.",
        )
    sizes = {name: float(abs(p._grad.array).max()) for name, p in trained.items() if p._grad is not None and p._grad.array.size}
    norm = math.sqrt(sum(float((p._grad.array.astype("float64") ** 2).sum()) for p in trained.values() if p._grad is not None))
    if not math.isfinite(norm) or norm > TOO_LARGE:
        findings.add(
            "exploding gradients",
            f"the norm of the gradient is {norm:.3g} (largest number in {max(sizes, key=lambda name: sizes[name])}).",
            "scale inputs and targets to about -1 to 1, use nn.init or normalisation layers, or clip gradients (ClipGradients).",
        )
    largest = max(sizes.values(), default=0.0)
    small = [
        name for name, size in sizes.items() if size <= TOO_SMALL * largest and trained[name].ndim > 1
    ]  # a bias may well be idle
    if small and not dead:
        findings.add(
            "vanishing gradients",
            f"the gradient of {_some(small)} is at most {TOO_SMALL:g} of the largest ({largest:.3g}): these layers hardly learn.",
            "use ReLU-like activations instead of sigmoid or tanh, normalisation layers, skip connections, or fewer layers.",
        )
    return math.isfinite(norm) and norm > 0


def _rows_stay_equal(p: Tensor) -> bool:
    """Whether the units of a layer are all the same, and get the same gradient."""
    if p.ndim < 2 or p.shape[0] < 2 or p._grad is None or not p.array.size or p.array.min() != p.array.max():
        return False
    g = p._grad.array.reshape(p.shape[0], -1)
    return bool((abs(g - g[:1]) <= 1e-5 * abs(g).max()).all())


def _follow_each_other(value: Tensor) -> Iterator[bool]:
    """For each linear layer that the loss was made through: whether another one gives its input, and could be left out for that.

    One that has fewer outputs than both ends have numbers is left alone: through it fewer maps can be learned, which may be meant.
    """
    for node in topological_order([value]):
        if node.op is not None and node.op.name == "linear":
            x = _source(node.inputs[0])
            if x.op is not None and x.op.name == "linear":
                yield x.shape[-1] >= min(x.inputs[0].shape[-1], node.shape[-1])


def _dead_units(value: Tensor) -> Iterator[float]:
    """For each ReLU that the loss was made through: the share of its units that are 0 for the whole batch."""
    for node in topological_order([value]):
        if node.op is not None and node.op.name == "relu" and node.ndim > 1 and node.array.size:
            made_by = getattr(node.inputs[0], "op", None)
            units = -1 if made_by is not None and made_by.name in ("linear", "matmul", "add") else 1
            active = np.moveaxis(node.array > 0, units, 0).reshape(node.shape[units], -1)
            share = 1 - float(active.any(1).mean())
            if active.shape[1] >= MANY_SAMPLES or share == 1:
                yield share


def _look_at_learning(findings: Findings, model: Module, x: Any, y: Any, loss: Callable, optimizer: Optimizer | None) -> None:
    """Take a few steps on this one batch; whatever can learn at all can learn that."""
    stepping = optimizer or Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses: list[float] = []

    def closure() -> Tensor:
        model.zero_grad()
        with seeded():  # the same dropout in each step, so that losses can be compared
            value = loss(model(x), y)
        value.backward()
        losses.append(value.item())
        return value

    for _ in range(STEPS):
        stepping.step(closure)
        if not math.isfinite(losses[-1]):
            break
    first, best, last = losses[0], min(losses[1:], default=losses[0]), losses[-1]
    story = f"in {len(losses)} steps on this one batch the loss went from {first:.4g} to {last:.4g}"
    if not math.isfinite(last) or last > first + abs(first):
        findings.add("loss grows", f"{story}.", "lower the learning rate, or clip gradients.")
    elif best > first - 1e-4 * abs(first) and abs(first) > 1e-6:
        findings.add(
            "loss does not fall",
            f"{story}.",
            "raise the learning rate if it is tiny, lower it if it is large; see the other findings; check that x and y belong together.",
        )


# -- leaving no trace ----------------------------------------------------------------------------------------------
@contextmanager
def undone(model: Module, optimizer: Optimizer | None) -> Iterator[None]:
    """Let the model and the optimizer be tried out, and put everything back as it was."""
    modules = [(module, dict(vars(module))) for module in model.modules()]
    tensors = {*model.parameters(), *model.buffers()}
    if optimizer is not None:
        tensors |= {p for group in optimizer.param_groups for p in group["params"]}
        own, groups = dict(vars(optimizer)), [dict(group) for group in optimizer.param_groups]
        optimizer.state = defaultdict(dict, {p: copy.deepcopy(state) for p, state in optimizer.state.items()})
    originals = [(t, t.array, t._grad) for t in tensors]
    for t in tensors:
        t.array, t._grad = t.array.copy(), None
    try:
        with seeded():
            yield
    finally:
        for t, array, gradient in originals:
            t.array, t._grad = array, gradient
        for module, attributes in modules:
            vars(module).clear()
            vars(module).update(attributes)
        if optimizer is not None:
            vars(optimizer).clear()
            vars(optimizer).update(own)
            for group, before in zip(optimizer.param_groups, groups, strict=True):
                group.clear()
                group.update(before)


@contextmanager
def seeded() -> Iterator[None]:
    """Draw from fresh generators of a fixed seed, and give the real ones back untouched."""
    generators = list(random._defaults.values())
    held = [generator.numbers for generator in generators]
    for generator in generators:
        generator.numbers = backend.namespace(generator.device).random.default_rng(0)
    try:
        yield
    finally:
        for generator, numbers in zip(generators, held, strict=True):
            generator.numbers = numbers


def _some(names: list[str]) -> str:
    """A few of the names."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
