"""What distributions of one's own are written with, under PyTorch's path and name."""

from .distribution import together


def broadcast_all(*values: object) -> tuple:
    """Parameters as tensors of one shape; numbers take the dtype and device of the tensors beside them."""
    return together(*values)
