"""PyTorch's path to `tinygrad_edu.data`: `from tinygrad_edu.utils.data import DataLoader`."""

from __future__ import annotations

from .. import data
from ..data import *

__all__ = [*data.__all__]
