"""NVIDIA's library of convolutions and recurrent layers; without effect here (see `backends`)."""

from __future__ import annotations

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False: cuDNN is not used here."""
    return False


def version() -> None:
    """None: there is no cuDNN."""
