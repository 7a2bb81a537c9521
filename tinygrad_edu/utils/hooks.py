"""What hooks hand out, under PyTorch's path and name."""

from ..hooks import HookHandle as RemovableHandle

__all__ = ["RemovableHandle"]
