"""record: films a training.

    film = record(samples)
    fit(model, samples, ..., callbacks=[film])
    film.play()

A film stays small however long the training: one that has become too long drops every second moment and keeps half as many from then on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from ..errors import check_whole
from ..grad_mode import no_grad
from ..nn import Module
from ..nn.module import keeping_mode
from ..ops.random import fork_rng
from ..tensor import Tensor, wrap
from ..train import Callback, Run, on_device
from ..trees import tensors
from .film import GRID, Film, Kept, Layer, Moment, Plane
from .plain import number, on_cpu

SAMPLES = 256  # that the model is shown at each moment
MOMENTS = 240  # at most, and fewer of a model with many tensors: BUDGET is how many pictures of tensors a film may hold
BUDGET = 12_000


class Recording(Film, Callback):
    """A film in the making: a callback for `fit`, or `keep` in a loop of your own; see `record`."""

    def __init__(self, samples: Any, every: int, title: str) -> None:
        super().__init__(title)
        self.every = every
        self._batch = _chosen(samples) if samples is not None else None
        self.classes = list(getattr(samples, "class_names", []))
        self._step, self._epoch = 0, 0
        self._trend = 0.0
        self._measures: dict[str, Any] = {}

    def keep(self, model: Module, loss: Any, **measures: float) -> None:
        """Keep this moment, if it is due: call it for every batch, after `loss.backward()` and before `optimizer.step()`.

        Args:
            loss: the batch's loss, a tensor of one element or a number.
            measures: other numbers to draw curves of: accuracy=0.9.

        Raises:
            ValueError: there are no gradients; or this is another model than before.
        """
        if not isinstance(model, Module):
            raise TypeError(f"keep takes the model, a Module, and then the loss, not a {type(model).__name__}.")
        if isinstance(loss, Tensor) and loss.numel() != 1:
            raise ValueError(f"the loss must be one number, not a tensor of shape {tuple(loss.shape)}: take its mean().")
        value = float(loss.item() if isinstance(loss, Tensor) else loss)
        self._trend = 0.9 * self._trend + 0.1 * value if self._step else value
        self._measures.update({name: float(v) for name, v in measures.items()})
        if self.moments and not self.moments[-1].gradients:  # training goes on after its end
            del self.moments[-1]
        if self._step % self.every == 0:
            self._add(model, value)
        self._step += 1

    # -- as a callback of fit
    def after_backward(self, run: Run) -> None:
        self.keep(run.model, run.loss)

    def after_epoch(self, run: Run) -> None:
        self._epoch += 1
        self._measures = {name: values[-1] for name, values in run.history.items() if name != "loss"}

    def end(self, run: Run) -> None:
        if self.moments:
            self._add(run.model, None)

    # -- one moment
    def _add(self, model: Module, loss: float | None) -> None:
        layers = _layers(model)
        if self.layers and layers != self.layers:
            raise ValueError(
                "this is another model than the one that the film has recorded so far: make a new film with record()."
            )
        parameters = dict(model.named_parameters())
        gradients = {name: p.grad.array for name, p in parameters.items() if p.grad is not None} if loss is not None else {}
        if loss is not None and not gradients:
            raise ValueError(
                "no parameter has a gradient: call keep after loss.backward(), and before optimizer.step() and zero_grad()."
            )
        self.layers = layers
        outputs, cells = self._ask(model)
        self.moments.append(
            Moment(
                step=self._step,
                epoch=self._epoch,
                loss=number(loss),
                trend=number(self._trend),
                measures={name: number(float(v)) for name, v in self._measures.items()},
                weights={name: Kept.of_parameter(p.array) for name, p in parameters.items()},
                gradients={name: Kept.of_parameter(g) for name, g in gradients.items()},
                outputs={path: Kept.of(array) for path, array in outputs.items()},
                cells=cells,
            )
        )
        most = max(16, min(MOMENTS, BUDGET // (2 * len(parameters) + len(outputs) or 1)))
        if loss is not None and len(self.moments) > most:
            self.moments = self.moments[::2]
            self.every *= 2

    def _ask(self, model: Module) -> tuple[dict[str, Any], list[Any] | None]:
        """What each layer gives for the samples, and the model for the points of the plane; leaves the model as it is."""
        if self._batch is None:
            return {}, None
        found: dict[str, Any] = {}

        def keep(path: str) -> Callable:
            def hook(module: Module, args: Any, output: Any) -> None:
                first = next(tensors(output), None)
                if first is not None and first.dtype.kind == "f":
                    found[path] = first.array

            return hook

        with keeping_mode(model), no_grad(), fork_rng():
            model.eval()
            (x, y), *_ = on_device([self._batch], model)
            hooks = [model.get_submodule(layer.path).register_forward_hook(keep(layer.path)) for layer in self.layers]
            try:
                model(x)
            finally:
                for hook in hooks:
                    hook.remove()
            if x.ndim != 2 or x.shape[1] != 2:
                return found, None
            if self.plane is None:
                self.plane = _plane(x, y)
            across, up = (np.linspace(low, high, GRID) for low, high in (self.plane.across, self.plane.up))
            grid = wrap(np.stack(np.meshgrid(across, up), -1).reshape(-1, 2).astype(x.dtype.name)).to(x.device)
            answer = next(tensors(model(grid)), None)
            if answer is None:
                return found, None
            said = on_cpu(answer.array).astype(np.float64).reshape(GRID * GRID, -1)
        self.plane = dataclasses.replace(self.plane, outputs=said.shape[1])
        return found, _cells(said)


def record(samples: Any = None, *, every: int = 1, title: str = "Training") -> Recording:
    """Record a training as a film: give it to `fit` as a callback, or call its `keep` in a loop of your own. Then play it.

    Each moment keeps the loss and, of every parameter, its values and its gradient; with `samples` also what every layer gives for them,
    in eval mode, and, where they are points of the plane, what the model says all around them. All numbers are those before the
    optimizer's step; `fit` adds the moment after the last one. Training goes exactly as it would go unrecorded. Memory is
    bounded: a large tensor is kept as its statistics, a histogram and an 8x8 sample, and at most 240 moments are kept.
    (In fit, callbacks before this one in the list have changed the gradients already, those after it have not.)

    Args:
        samples: what to show to the model: a pair of tensors (x, y), or a data set; 256 of it are used, evenly spread.
        every: keep every so many batches; when the film is full, every second moment goes and this doubles.
        title: what pictures are headed with.

    Raises:
        ValueError: `every` is less than 1, or there are no samples.
        TypeError: the samples are no pair of tensors and no data set.

    >>> from tinygrad_edu import nn, optim, data, manual_seed
    >>> from tinygrad_edu.train import fit
    >>> _ = manual_seed(0)
    >>> moons = data.moons()
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> film = record(moons, every=5, title="Moons")
    >>> _ = fit(model, moons, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters()), callbacks=[film], progress=False)
    >>> [moment.step for moment in film.moments]
    [0, 5, 7]
    >>> film.moments[0].gradients["2.bias"].numbers.shape
    [2]

    The same in a loop of your own:

    >>> film = record(moons)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     loss = nn.functional.cross_entropy(model(moons.x), moons.y)
    ...     loss.backward()
    ...     film.keep(model, loss)
    ...     optimizer.step()
    >>> film
    <film 'Training': 3 moments, to step 2; .play() plays it, .save('film.gif') writes it>
    """
    check_whole("every", every)
    return Recording(samples, every, title)


def _chosen(samples: Any) -> list[Any]:
    """A batch of at most SAMPLES samples, always the same."""
    if isinstance(samples, tuple) and len(samples) == 2 and all(isinstance(part, Tensor) for part in samples):
        samples = TensorDataset(*samples)
    if not isinstance(samples, Dataset) or isinstance(samples, IterableDataset):
        raise TypeError(
            f"record takes samples as a pair of tensors (x, y) or as a data set with a length, not a {type(samples).__name__}."
        )
    if not len(samples):  # type: ignore[arg-type]
        raise ValueError("record was given no samples: the data set is empty.")
    n = len(samples)  # type: ignore[arg-type]
    indices = np.linspace(0, n - 1, min(n, SAMPLES)).astype(int).tolist()
    with fork_rng():
        batch = next(iter(DataLoader(Subset(samples, indices), batch_size=len(indices))))
    if len(batch) != 2:
        raise TypeError(f"a sample must be a pair (x, y); these have {len(batch)} parts.")
    if batch[0].shape[1:] == (2,) and not np.isfinite(on_cpu(batch[0].array)).all():
        raise ValueError("record: there is NaN or infinity among these points of the plane; leave such samples out.")
    return batch


def _layers(model: Module) -> list[Layer]:
    """Where there is something to see: modules with parameters of their own, and those that hold no other module."""
    layers = []
    for path, module in model.named_modules():
        own = {f"{path}.{name}" if path else name: list(p.shape) for name, p in module.named_parameters(recurse=False)}
        if own or not list(module.children()):
            layers.append(Layer(path, type(module).__name__, own))
    return layers


def _plane(x: Tensor, y: Tensor) -> Plane:
    points, labels = on_cpu(x.array).astype(np.float64), on_cpu(y.array).reshape(len(y), -1)[:, 0]
    margin = 0.1 * np.ptp(points, 0) + 1e-6
    low, high = (points.min(0) - margin).tolist(), (points.max(0) + margin).tolist()
    across, up = ([low[i], high[i]] for i in (0, 1))
    return Plane(across, up, [[float(f"{v:.5g}") for v in point] for point in points.tolist()], labels.tolist(), 0)


def _cells(said: np.ndarray) -> list[Any]:
    if said.shape[1] == 1:
        return [number(float(f"{v:.4g}")) for v in said[:, 0].tolist()]
    with np.errstate(invalid="ignore"):
        certainty = 1 / np.exp(said - said.max(1, keepdims=True)).sum(1)  # softmax of the largest
    known = np.isfinite(certainty)
    percent = np.minimum(np.where(known, certainty, 0) * 100, 99).astype(int)
    return np.where(known, 100 * said.argmax(1) + percent, -1).tolist()
