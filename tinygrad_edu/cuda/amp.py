"""`amp` under its older names, which do not take the device: `torch.cuda.amp`."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import amp

GradScaler = partial(amp.GradScaler, "cuda")


def autocast(enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> amp.autocast:
    """`amp.autocast("cuda", dtype, enabled)`."""
    return amp.autocast("cuda", dtype, enabled, cache_enabled)
