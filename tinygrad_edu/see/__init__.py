"""See backpropagation: a trace of it, and the pictures made from that."""

from ..calls import group
from ..tensor import Tensor
from .player import Player, play
from .trace import Frame, Trace, frame, trace

Tensor.play = play  # type: ignore[attr-defined]

__all__ = ["Frame", "Player", "Trace", "frame", "group", "play", "trace"]
