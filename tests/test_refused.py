"""Arguments from which nonsense would come: refused with what was given, and never computed with."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, ones, optim, tensor
from tinygrad_edu.errors import DtypeError
from tinygrad_edu.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)

INTEGERS = tensor([1, 2])
LEARNT = tensor(2.0, requires_grad=True)

REFUSED: dict[str, tuple[Callable, type[Exception], str]] = {
    "NaN in integers": (lambda: tg.full((2,), math.nan, dtype=tg.int64), RuntimeError, "nan does not fit into int64"),
    "∞ in integers": (lambda: tg.full_like(INTEGERS, math.inf), RuntimeError, "inf does not fit into int64"),
    "a list of NaN as integers": (lambda: tensor([1.0, math.nan], dtype=tg.int32), RuntimeError, "does not fit into int32"),
    "300 in one byte": (lambda: tensor([300], dtype=tg.uint8), RuntimeError, "300.*from 0 to 255"),
    "-1 in uint8": (lambda: tg.full((2,), -1, dtype=tg.uint8), RuntimeError, "-1 does not fit"),
    "fill_ with NaN": (lambda: INTEGERS.clone().fill_(math.nan), RuntimeError, "nan does not fit"),
    "x[0] = NaN": (lambda: INTEGERS.clone().__setitem__(0, math.nan), RuntimeError, "nan does not fit"),
    "parts of 1.5 elements": (lambda: ones(4).split(1.5), TypeError, "must be integers.*1.5"),
    "1.5 parts": (lambda: ones(4).chunk(1.5), TypeError, "must be integers.*1.5"),
    "a slice from 1.5 on": (lambda: ones(4).narrow(0, 1.5, 1), TypeError, "must be integers.*1.5"),
    "element 1.5": (lambda: ones(4).select(0, 1.5), TypeError, "must be integers.*1.5"),
    "rolled by 1.5": (lambda: ones(4).roll(1.5), TypeError, "must be integers.*1.5"),
    "a matrix to the power of 1.5": (lambda: tg.eye(2).matrix_power(1.5), TypeError, "must be integers.*1.5"),
    "derivative 1.5": (lambda: tg.polygamma(1.5, ones(2)), TypeError, "must be integers.*1.5"),
    "a name in a tensor": (lambda: "lr" in ones(2), TypeError, "a number or a tensor, not for a str"),
    "None in a tensor": (lambda: None in ones(2), TypeError, "a number or a tensor, not for a NoneType"),
    "a tensor as dim": (lambda: ones(3).sum(INTEGERS), TypeError, "a dim must be an int, not array"),
    **{
        f"{join.__name__} of one tensor": (lambda join=join: join(ones(2, 3)), TypeError, f"{join.__name__} joins several tensors")
        for join in (tg.cat, tg.stack, tg.hstack, tg.vstack, tg.dstack, tg.column_stack)
    },
    "dim 52 of einsum": (lambda: tg.einsum(ones(2), [52], [52]), ValueError, "from 0 to 51"),
    "dim -1 of einsum": (lambda: tg.einsum(ones(2), [-1], [-1]), ValueError, "from 0 to 51"),
    "divisors of floats": (lambda: tg.gcd(ones(2), ones(2)), DtypeError, "gcd: only integers"),
    "multiples of floats": (lambda: tg.lcm(ones(2), 2.0), DtypeError, "lcm: only integers"),
    "a kernel of nothing": (lambda: F.conv1d(ones(1, 1, 3), ones(1, 1, 0)), RuntimeError, r"kernel \(0,\).* must be positive"),
    "normalized by no channel": (lambda: F.local_response_norm(ones(1, 2, 3), 0), ValueError, "size=0"),
    "no group": (lambda: nn.GroupNorm(0, 4), ValueError, "num_groups 0 must be above 0"),
    "less than no group": (lambda: nn.GroupNorm(-2, 4), ValueError, "num_groups -2 must be above 0"),
    "a learnt slope as a setting": (lambda: F.leaky_relu(ones(2), LEARNT), TypeError, "a setting gets no gradient.*detach"),
    "a learnt setting by name": (lambda: F.softplus(ones(2), beta=LEARNT), TypeError, "a setting gets no gradient.*detach"),
    **{
        f"requires_grad={value!r} of {name}": (lambda ask=ask, value=value: ask(value), TypeError, "requires_grad must be True or False")
        for value in ("x", 1, np.bool_(True), ones(1))
        for name, ask in {
            "a tensor": lambda value: ones(2).requires_grad_(value),
            "an attribute": lambda value: setattr(ones(2), "requires_grad", value),
            "tensor()": lambda value: tensor([1.0], requires_grad=value),
            "Tensor()": lambda value: tg.Tensor([1.0], requires_grad=value),
            "zeros()": lambda value: tg.zeros(2, requires_grad=value),
            "zeros_like()": lambda value: tg.zeros_like(ones(2), requires_grad=value),
            "rand()": lambda value: tg.rand(2, requires_grad=value),
            "a parameter": lambda value: nn.Parameter(ones(2), requires_grad=value),
            "a module": lambda value: nn.Linear(1, 1).requires_grad_(value),
        }.items()
    },
    "an integer as a parameter": (lambda: nn.Parameter(5), TypeError, r"Parameter takes a tensor, not 5: write Parameter\(tensor\(5.0"),
    "NumPy's integer as a buffer": (lambda: nn.Buffer(np.int64(5)), TypeError, r"Buffer takes a tensor"),
    "a learnt number to fill with": (lambda: tg.full((2,), LEARNT), TypeError, "a new tensor passes no gradient on.*item"),
    "a learnt end of a range": (lambda: tg.arange(0, LEARNT), TypeError, "a new tensor passes no gradient on.*item"),
    "a range of bools": (lambda: tg.arange(3, dtype=tg.bool), DtypeError, "bools do not count"),
    "2**63 among integers": (lambda: tensor([1, 2**63]), TypeError, "cannot make a tensor of"),
    "random integers as bools": (lambda: tg.randint(3, (2,), dtype=tg.bool), RuntimeError, "from 0 to 2 do not fit into bool"),
    "random integers beyond float16": (lambda: tg.empty(2, dtype=tg.float16).random_(0, 70000), RuntimeError, "do not fit into float16"),
    "random integers up to 2.5": (lambda: tg.randint(2.5, (2,)), TypeError, "must be integers.*2.5"),
    "an order of 300 in one byte": (lambda: tg.randperm(300, dtype=tg.uint8), RuntimeError, "uint8 does not hold all integers from 0 to 299"),
    "an order of 3000 in float16": (lambda: tg.randperm(3000, dtype=tg.float16), RuntimeError, "float16 does not hold all integers"),
    "a mean of bools": (
        lambda: ones(2).bool().scatter_reduce(0, INTEGERS - 1, ones(2).bool(), "mean"), DtypeError, "bools have no mean",
    ),
    "edges of bins as a table": (lambda: tg.histogram(ones(2), ones(2, 2)), RuntimeError, "edges of the bins must be a vector"),
    "no copy of a list": (lambda: tg.asarray([1.0], copy=False), ValueError, "a list becomes a float32 tensor on cpu only by a copy"),
    "no copy in another dtype": (lambda: tg.asarray(INTEGERS, dtype=tg.float32, copy=False), ValueError, "only by a copy"),
    "a grid of places in space for a flat picture": (
        lambda: F.grid_sample(ones(1, 1, 2, 2), ones(1, 2, 2, 3)), RuntimeError, r"grid \(N, height, width, 2\)",
    ),
    "a picture of no pixels": (lambda: F.grid_sample(ones(1, 1, 2, 0), ones(1, 2, 2, 2)), RuntimeError, "nothing to look at"),
    "a picture of integers": (lambda: F.grid_sample(ones(1, 1, 2, 2).long(), ones(1, 2, 2, 2)), DtypeError, "needs floating numbers"),
    "a mode of interpolate": (lambda: F.grid_sample(ones(1, 1, 2, 2), ones(1, 2, 2, 2), "linear"), ValueError, "modes are nearest, bilinear"),
    "a grid of places on a line": (
        lambda: F.grid_sample(ones(1, 1, 2), ones(1, 2, 1)), RuntimeError, r"pictures \(N, C, height, width\)",
    ),
    "cubes": (lambda: F.grid_sample(ones(1, 1, 2, 2, 2), ones(1, 1, 1, 1, 3), "bicubic"), ValueError, "for pictures of 2 sizes"),
    "a line moved": (lambda: F.affine_grid(ones(1, 1, 2), (1, 1, 4)), RuntimeError, r"affine_grid takes theta \(N, 2, 3\)"),
    "a picture moved by integers": (lambda: F.affine_grid(ones(1, 2, 3).long(), (1, 1, 2, 2)), DtypeError, "theta must hold floating"),
    "a picture of no pixels moved": (lambda: F.affine_grid(ones(1, 2, 3), (1, 1, 0, 2)), RuntimeError, "sizes must be positive"),
    "places for another picture": (lambda: F.affine_grid(ones(1, 2, 3), (2, 1, 4, 4)), RuntimeError, "affine_grid takes theta"),
    **{
        f"ctc: {what}": (lambda given=given: F.ctc_loss(ones(4, 1, 3), *given), kind, words)
        for what, given, kind, words in (
            ("a blank among the labels", (tensor([[1, 0]]), [4], [2]), RuntimeError, "blank class 0 stands among the targets"),
            ("labels in a list", ([[1, 2]], [4], [2]), DtypeError, "a tensor of class numbers"),
            ("texts of two samples", (tensor([[1, 2], [2, 1]]), [4], [2]), RuntimeError, r"must have the shape \(1, 2\)"),
            ("no lengths", (tensor([[1, 2]]), None, [2]), RuntimeError, "1 integers, one for each sample; they are None"),
            ("a label of no class", (tensor([[1, 3]]), [4], [2]), IndexError, r"label 3 is out of range.*\[0, 3\)"),
            ("more frames than there are", (tensor([[1, 2]]), [5], [2]), RuntimeError, "input_lengths must lie between 0 and 4"),
            ("more labels than there are", (tensor([[1, 2]]), [4], [3]), RuntimeError, "must have the shape"),
            ("labels of floats", (ones(1, 2), [4], [2]), DtypeError, "class numbers"),
            ("a length of 1.5", (tensor([[1, 2]]), [1.5], [2]), RuntimeError, "1 integers"),
            ("lengths of two samples", (tensor([[1, 2]]), [4, 4], [2]), RuntimeError, "1 integers"),
            ("a blank of no class", (tensor([[1, 2]]), [4], [2], 3), RuntimeError, "blank must be one of the 3 classes"),
        )
    },
    **{
        f"cutoffs {cutoffs}": (lambda cutoffs=cutoffs: nn.AdaptiveLogSoftmaxWithLoss(4, 5, cutoffs), ValueError, "integers that rise")
        for cutoffs in ([], [0], [2, 2], [3, 1], [5], [1.5])
    },
    "ctc in four dims": (lambda: F.ctc_loss(ones(1, 4, 1, 3), tensor([[1]]), [4], [1]), RuntimeError, r"log_probs \(T, N, C\)"),
    "ctc in float16": (lambda: F.ctc_loss(ones(4, 1, 3).half(), tensor([[1]]), [4], [1]), DtypeError, "float32 or float64"),
    "None for a tensor": (lambda: F.linear(None, ones(1, 2)), TypeError, "linear takes tensors, and not None: is a `return` missing"),
    "None, where all else are numbers": (lambda: tg.exp(None), TypeError, "exp takes tensors, and not None"),
    "x + None": (lambda: ones(2) + None, TypeError, "add takes tensors, and not None"),
    "None in a layer": (lambda: nn.Conv2d(1, 1, 1)(None), TypeError, "Conv2d takes tensors, and not None"),
    "a loss of None": (lambda: nn.MSELoss()(None, ones(2)), TypeError, "MSELoss takes tensors, and not None"),
    "a batch for its samples": (lambda: nn.Linear(2, 1)((ones(3, 2), ones(3))), TypeError, "linear takes tensors, and not a tuple of 2 parts"),
    "states for one that takes one": (lambda: nn.GRU(1, 2)(ones(1, 1, 1), (ones(1, 1, 2), ones(1, 1, 2))), TypeError, "GRU.* not a tuple of 2"),
    "good states beside a bad input": (lambda: nn.LSTM(1, 2)(ones(1), (ones(1, 2), ones(1, 2))), ValueError, "LSTM takes inputs of 3 dims"),
    "a tuple in a layer": (lambda: nn.MaxPool2d(2)((ones(1, 4, 4), ones(3))), TypeError, "takes tensors, and not a tuple of 2 parts"),
    "labels in a list": (lambda: F.cross_entropy(ones(2, 3), [0, 1]), TypeError, r"cross_entropy takes tensors, .*\[0, 1\]: write tensor"),
    "a word": (lambda: tg.log("x"), TypeError, "log takes tensors, and not 'x'"),
    "x - y of bools": (lambda: (ones(2) > 0) - (ones(2) > 1), DtypeError, "cannot subtract bools"),
    "expanded from 2 to 4": (lambda: ones(2, 3).expand(4, 3), RuntimeError, r"\(2, 3\) float32 cannot be expanded to \(4, 3\)"),
    "a weight for other inputs": (lambda: nn.Bilinear(2, 3, 1)(ones(4, 2), ones(4, 2)), RuntimeError, r"need a weight \(outputs, 2, 2\)"),
    "random integers of no size": (lambda: tg.randint(0, 10), TypeError, "randint needs a size"),
    "a class in a row": (lambda: nn.Sequential(nn.ReLU), TypeError, "not the class ReLU: make one of it"),
    "images without channels": (lambda: nn.Conv2d(1, 8, 3)(ones(16, 9, 9)), RuntimeError, r"x.unsqueeze\(1\)"),
    "a rate in words": (lambda: optim.SGD([LEARNT], lr="0.1"), TypeError, "SGD: lr must be a number, not '0.1'"),
    "a rate of NaN": (lambda: optim.SGD([LEARNT], lr=math.nan), ValueError, "lr must be at least 0, not nan"),
    "one beta": (lambda: optim.Adam([LEARNT], 0.1, 0.9), TypeError, r"betas are two numbers, such as \(0.9, 0.999\), not 0.9"),
    "a setting of another optimizer": (lambda: optim.Adam([LEARNT], momentum=0.9), TypeError, "Adam does not take 'momentum'; .* lr, betas"),
    "steps of no epoch": (lambda: StepLR(optim.SGD([LEARNT], lr=0.1), 0), ValueError, "step_size must be above 0"),
    "half a cosine over no steps": (lambda: CosineAnnealingLR(optim.SGD([LEARNT], lr=0.1), 0), ValueError, "T_max.* must be above 0"),
    "a group of nothing": (lambda: optim.SGD([{"param": [LEARNT]}]), TypeError, r'entry "params".*not \[.param.\]'),
    "a group in a list": (lambda: optim.SGD([LEARNT]).add_param_group([ones(1)]), TypeError, "entry \"params\".*not a list"),
    "a state of None": (lambda: optim.SGD([LEARNT]).load_state_dict(None), TypeError, "takes what state_dict.. returned"),
    "a word among weights": (lambda: nn.Linear(1, 1).load_state_dict({"weight": "w", "bias": ones(1)}), RuntimeError, "weight is no tensor"),
    "a number as a schedule": (lambda: LambdaLR(optim.SGD([LEARNT]), 0.5), TypeError, "lr_lambda is a function of the epoch.*0.5"),
    "a single milestone": (lambda: MultiStepLR(optim.SGD([LEARNT]), 5), TypeError, r"such as \[30, 80\], not 5"),
    "a cycle of no steps": (lambda: CyclicLR(optim.SGD([LEARNT]), 0.1, 1, step_size_up=0), ValueError, "must be above 0, not 0 and 0"),
    "an optimizer among schedules": (lambda: ChainedScheduler([StepLR(optim.SGD([LEARNT]), 1), optim.SGD([LEARNT])]), TypeError, "takes schedules"),
    "no room for numbers": (lambda: nn.init.trunc_normal_(ones(2), a=2, b=-2), ValueError, "no numbers from a = 2 to b = -2"),
    "a negative length": (lambda: nn.utils.clip_grad_norm_([LEARNT], -1), ValueError, "max_norm.*at least 0, and not -1"),
    "a negative size": (lambda: nn.utils.clip_grad_value_([LEARNT], -1), ValueError, "clip_value.*at least 0, and not -1"),
    "probabilities of other elements": (lambda: ones(2).bernoulli_(ones(5)), RuntimeError, r"\(5,\), \(2,\) do not broadcast"),
    "more probabilities than elements": (lambda: ones(1).bernoulli_(ones(5)), RuntimeError, r"probabilities of shape \(5,\) do not fit"),
    "layer 5 of 1": (lambda: nn.ModuleList([nn.ReLU()]).__delitem__(5), IndexError, "index 5 is out of range for ModuleList of length 1"),
    "a beta too few": (lambda: optim.Adam([LEARNT], betas=(0.9,)), TypeError, r"as \(0.9, 0.999\), not \(0.9,\)"),
    "-x of bools": (lambda: -(ones(2) > 0), DtypeError, "cannot negate bools"),
    "means of other shapes than deviations": (lambda: tg.normal(ones(3), ones(2)), RuntimeError, r"\(3,\), \(2,\) do not broadcast"),
    "batches of other sizes": (lambda: tg.linalg.solve(ones(3, 2, 2), ones(4, 2, 1)), RuntimeError, r"\(3,\), \(4,\) do not broadcast"),
    "a slice from a word on": (lambda: INTEGERS["a":], TypeError, "ends and the step of a slice must be integers.*'a'"),
    "a number among tensors": (lambda: tg.stack([INTEGERS, 1.0]), TypeError, r"stack\(\[x, y\]\).*in this one there is 1.0"),
    "size 5 of 1": (lambda: INTEGERS.size(5), IndexError, "dim 5 is out of range"),
    "where, and what else": (lambda: tg.where(INTEGERS > 1, INTEGERS), TypeError, r"where\(x > 0, x, 0\); one is missing"),
    "padding on one side": (lambda: F.pad(ones(1, 2, 2), 1), TypeError, r"pad\(x, \(1, 1\)\) pads it on both sides"),
    "bags out of order": (
        lambda: F.embedding_bag(tensor([0, 1, 2]), ones(3, 2), tensor([0, 2, 1])), RuntimeError, "offsets must begin with 0 and not fall",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_a_missing_attribute_of_something_else_is_said_as_it_is() -> None:
    class Gives(nn.ReLU):
        def forward(self, x: object) -> object:
            return x.settings  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="'tuple' object has no attribute 'settings'"):
        Gives()((1, 2))
    with pytest.raises(AttributeError, match="gone"):
        tg.vmap(lambda x: missing(x))(ones(2))


def missing(x: object) -> None:
    raise AttributeError("gone")


def test_what_is_refused_in_part_is_refused_as_a_whole() -> None:
    rows, names, weights = nn.ModuleList([nn.ReLU()]), nn.ModuleDict({"a": nn.ReLU()}), nn.ParameterList([ones(1)])
    for change in (
        lambda: rows.extend([nn.Tanh(), 5]),
        lambda: names.update({"b": nn.Tanh(), "c": 5}),
        lambda: weights.extend([ones(2), "w"]),
    ):
        with pytest.raises(TypeError, match="takes"):
            change()
    assert len(rows) == len(names) == len(weights) == 1
    optimizer = optim.SGD([LEARNT], lr=0.1, momentum=0.9)
    before = dict(optimizer.param_groups[0])
    with pytest.raises(ValueError, match="max_lr: 2 values"):
        OneCycleLR(optimizer, [0.1, 0.2], total_steps=10)
    assert optimizer.param_groups[0] == before
    norm = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="more than 1 value"):
        norm(ones(1, 3))
    assert norm.num_batches_tracked.item() == 0


def test_what_fits_is_kept() -> None:
    assert tg.full_like(INTEGERS, True).tolist() == [1, 1]
    assert tg.full((2,), 1.7, dtype=tg.int64).tolist() == [1, 1]
    assert tensor([255, 0], dtype=tg.uint8).tolist() == [255, 0]
    assert tensor([-0.5], dtype=tg.uint8).tolist() == [0]
    assert tensor([], dtype=tg.int8).tolist() == []
    assert tensor(2**63 - 1).item() == 2**63 - 1
    assert tensor([math.nan, 2.0], dtype=tg.bool).tolist() == [True, True]
    assert tensor([1, 2], dtype=tg.float16).tolist() == [1, 2]


def test_a_learnt_number_is_a_setting_where_nothing_is_recorded() -> None:
    with tg.no_grad():
        assert F.leaky_relu(-ones(1), LEARNT).item() == -2
        assert tg.full((1,), LEARNT).item() == 2
    assert F.leaky_relu(-ones(1), LEARNT.detach()).item() == -2


def test_asarray_without_a_copy_shares_memory() -> None:
    x = tensor([1.0, 2.0])
    assert tg.asarray(x, copy=False) is x
    assert tg.asarray(x.array[::2], copy=False).fill_(5) is not x
    assert x.tolist() == [5, 2]


def test_tensors_of_different_dtypes_are_equal_if_their_numbers_are() -> None:
    assert tg.equal(tensor([1, 2]), tensor([1.0, 2.0]))
    assert not tg.equal(tensor([1, 2]), tensor([1.0, 2.5]))
    assert not tg.equal(tensor([1, 2]), tensor([[1.0, 2.0]]))


def test_choices_of_nothing() -> None:
    assert tg.combinations(ones(3), 0).shape == (0,)
    assert tg.combinations(ones(3), 4).shape == (0, 4)


@pytest.mark.filterwarnings("ignore:size_average")
def test_old_arguments_of_losses_may_be_0() -> None:
    x, y = tensor([1.0, 2.0]), tensor([0.0, 0.0])
    assert F.mse_loss(x, y, size_average=0).item() == 5
    assert F.mse_loss(x, y, reduce=0).tolist() == [1, 4]
