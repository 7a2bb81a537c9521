"""See backpropagation: a trace of it, and the pictures made from that."""

from ..calls import group
from .check_graph import check_graph
from .draw import Drawing, DrawingError, draw
from .explain import explain
from .film import Film
from .format import Frame, Trace, frame
from .graphviz import GraphvizError
from .player import Player, play
from .recording import record
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
