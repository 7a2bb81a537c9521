"""Names of `torch.hub` and `torch.utils.model_zoo`, which files with models import although they may not use them.

Source: https://pytorch.org/docs/stable/hub.html
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["load", "load_state_dict_from_url", "load_url"]


def load(*args: Any, **kwargs: Any) -> NoReturn:
    """Not offered.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "models are not downloaded here; build them, and load their weights with load_state_dict(tg.load(file))."
    )


load_state_dict_from_url = load_url = load
