"""A compiled function does what the function itself does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, autograd, nn, optim
from tinygrad_edu.compiler import CompileError, compile
from tinygrad_edu.testing import assert_close

from .cases import Case
from .test_catalogue import every_row, leaves, tensors_of, what

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

# Rows whose results' sizes, or whose way, depend on numbers: refused.
REFUSED: dict[str, str] = {}


@every_row
def test_every_operation(case: Case) -> None:
    """Value and gradients of every row of the catalogue, recorded, and replayed on other numbers."""
    for n, (arrays, settings) in enumerate(case.samples()):

        def step(*inputs: Tensor) -> Any:
            found = [z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor)]
            roots = [z for z in found if z.requires_grad]
            variables = [x for x in inputs if x.requires_grad]
            seeds = [tg.ones_like(z) * 0.5 for z in roots]
            grads = autograd.grad(roots, variables, seeds, materialize_grads=True) if roots else ()
            return found, grads

        compiled = compile(step)
        try:
            compiled(*tensors_of(arrays))
        except CompileError:
            REFUSED[case.name] = "x"
            return
        again = [a for i, (a, s) in enumerate(case.samples(seed=1)) if i == n][0]
        for inputs in (arrays, again):
            try:
                expected = step(*tensors_of(inputs))
            except Exception as error:
                with pytest.raises(type(error)):
                    compiled(*tensors_of(inputs))
                continue
            found = compiled(*tensors_of(inputs))
            for z, e in zip(list(leaves([*found])), list(leaves([*expected])), strict=True):
                assert z.shape == e.shape and z.dtype == e.dtype
                np.testing.assert_allclose(
                    z.numpy(force=True), e.numpy(force=True), rtol=1e-12, atol=1e-13, err_msg=what(arrays, settings)
                )
