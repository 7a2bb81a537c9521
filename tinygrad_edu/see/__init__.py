"""See backpropagation: a trace of it, and the pictures made from that."""

from ..calls import group
from .draw import Drawing, DrawingError, draw
from .explain import check_graph, explain
from .graphviz import GraphvizError
from .stepper import step
from .trace import Frame, Trace, frame, trace

__all__ = [
    "Drawing",
    "DrawingError",
    "Frame",
    "GraphvizError",
    "Trace",
    "check_graph",
    "draw",
    "explain",
    "frame",
    "group",
    "step",
    "trace",
]
