"""Apple's GPUs: not offered here."""

from __future__ import annotations


def is_available() -> bool:
    """False: the devices here are "cpu" and "cuda"."""
    return False


def is_built() -> bool:
    """False, as `is_available`."""
    return False
