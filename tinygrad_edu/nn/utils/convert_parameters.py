"""All parameters as one long vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ShapeError
from ...grad_mode import no_grad
from ...ops.joining import cat
from ...tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The numbers of all parameters, one behind the other; gradients flow back to them.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.parameters_to_vector.html
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give parameters the numbers that `parameters_to_vector` took, or others of the same count.

    Raises:
        ShapeError: the vector does not hold as many numbers as the parameters; none is changed.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.vector_to_parameters.html
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters takes a tensor, not a {type(vec).__name__}.")
    targets = list(parameters)
    count = sum(p.numel() for p in targets)
    if vec.shape != (count,):
        raise ShapeError(f"the parameters hold {count} numbers, so the vector must have shape ({count},); it has {vec.shape}.")
    with no_grad():
        start = 0
        for p in targets:
            p.copy_(vec[start : start + p.numel()].reshape(p.shape))
            start += p.numel()
