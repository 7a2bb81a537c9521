"""See backpropagation: a trace of it, and the pictures made from that."""

from ..calls import group
from .trace import Frame, Trace, frame, trace

__all__ = ["Frame", "Trace", "frame", "group", "trace"]
