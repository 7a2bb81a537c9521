"""What distributions of one's own are written with, under PyTorch's path and names."""

from .distribution import lazy_property
from .distribution import together as broadcast_all

__all__ = ["broadcast_all", "lazy_property"]
