"""See backpropagation: a trace of it, and the pictures made from that."""

from ..calls import group
from .draw import Drawing, DrawingError, draw
from .explain import check_graph, explain
from .film import Film, record
from .format import Frame, Trace, frame
from .graphviz import GraphvizError
from .player import Player, play
from .stepper import step
from .trace import trace
from .zoom import ZoomError, zoom

__all__ = [
    "Drawing",
    "DrawingError",
    "Film",
    "Frame",
    "GraphvizError",
    "Player",
    "Trace",
    "ZoomError",
    "check_graph",
    "draw",
    "explain",
    "frame",
    "group",
    "play",
    "record",
    "step",
    "trace",
    "zoom",
]
