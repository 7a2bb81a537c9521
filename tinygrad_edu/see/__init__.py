"""See backpropagation: a trace of it, and the pictures made from that."""

from ..calls import group
from .draw import Drawing, draw
from .graphviz import GraphvizError
from .stepper import step
from .trace import Frame, Trace, frame, trace

__all__ = ["Drawing", "Frame", "GraphvizError", "Trace", "draw", "frame", "group", "step", "trace"]
