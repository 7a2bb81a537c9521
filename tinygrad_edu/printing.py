"""How tensors print: as PyTorch prints them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import dtypes
from .errors import check_whole

_options: dict[str, Any] = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print from now on.

    Args:
        precision: digits behind the point.
        threshold: more elements than this are summarised.
        edgeitems: how many are shown at each end then.
        linewidth: characters in a line.
        profile: "default", "short" or "full" sets all of these.
        sci_mode: always (True) or never (False) print 1.0000e+04 in place of 10000.

    Source: https://pytorch.org/docs/stable/generated/torch.set_printoptions.html
    """
    profiles: dict[str | None, dict[str, Any]] = {
        None: {},
        "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
        "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
        "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
    }
    if profile not in profiles:
        raise ValueError(f'there is no profile {profile!r}; use "default", "short" or "full".')
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None and not (name == "threshold" and value == math.inf):
            check_whole(name, value, least=int(name in ("edgeitems", "linewidth")))
    _options.update({**profiles[profile], **{k: v for k, v in given.items() if v is not None}, "sci_mode": sci_mode})


def tensor_repr(t: Any) -> str:
    """`tensor([1., 2.], requires_grad=True)`, with dtype, device and grad_fn where they are not the usual ones."""
    array = t.numpy(force=True)
    head = "tensor("
    usual = dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_
    extras = [] if t.device.type == "cpu" else [f"device='{t.device}'"]
    if array.size:
        body = _format(array, len(head))
    else:
        body = "[]"
        extras += [f"size={tuple(array.shape)}"] if array.ndim != 1 else []
    if array.dtype not in usual or (not array.size and array.dtype != usual[0]):
        extras.append(f"dtype={array.dtype}")
    if t.op is not None:
        extras.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        extras.append("requires_grad=True")
    text = head + body
    width = len(text.rpartition("\n")[2])
    for i, extra in enumerate(extras):  # each goes on the last line, or on a new one where that is full
        closing = i == len(extras) - 1
        if width + len(extra) + 2 + closing > _options["linewidth"]:
            text += ",\n" + " " * len(head) + extra
            width = len(head) + len(extra)
        else:
            text += ", " + extra
            width += len(extra) + 2
    return text + ")"


def _format(array: np.ndarray, indent: int) -> str:
    summarise = array.size > _options["threshold"]
    shown = _edges(array) if summarise else array
    return _rows(array, indent, summarise, _formatter(shown.reshape(-1)))


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that a summary shows."""
    edge = _options["edgeitems"]
    for dim, n in enumerate(array.shape):
        if n > 2 * edge:
            array = np.take(array, [*range(edge), *range(n - edge, n)], axis=dim)
    return array


def _formatter(values: np.ndarray) -> Any:
    """A function that formats one element; all come out equally wide."""
    if values.dtype.kind != "f":
        texts = [str(v) for v in values.tolist()]
        width = max(map(len, texts))
        return lambda v: str(v).rjust(width)
    precision, values = _options["precision"], values.astype(np.float64)
    usual = np.abs(values[np.isfinite(values) & (values != 0)])
    whole = bool(np.all(usual == np.ceil(usual)))
    wide_range = usual.size and (
        usual.max() / usual.min() > 1000.0 or usual.max() > 1.0e8 or (not whole and usual.min() < 1.0e-4)
    )
    scientific = bool(wide_range) if _options["sci_mode"] is None else _options["sci_mode"]
    if usual.size and whole and _options["sci_mode"] is None:
        scientific = bool(usual.max() / usual.min() > 1000.0 or usual.max() > 1.0e8)

    def text(v: float) -> str:
        if not math.isfinite(v):
            return str(v)
        if scientific:
            return f"{v:.{precision}e}"
        return f"{v:.0f}." if whole else f"{v:.{precision}f}"

    width = max((len(text(float(v))) for v in values[np.isfinite(values)]), default=0)
    return lambda v: text(v).rjust(width)


def _rows(array: np.ndarray, indent: int, summarise: bool, text: Any) -> str:
    edge = _options["edgeitems"]
    if not array.ndim:
        return text(array.item())
    cut = summarise and len(array) > 2 * edge
    if array.ndim == 1:
        items = [text(v) for v in array.tolist()] if not cut else []
        if cut:
            items = [text(v) for v in array[:edge].tolist()] + [" ..."] + [text(v) for v in array[-edge:].tolist()]
        per_line = max(1, (_options["linewidth"] - indent) // (max(map(len, items[:1]), default=0) + 2))
        lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [*array[:edge], *array[-edge:]] if cut else list(array)
    blocks = [_rows(part, indent + 1, summarise, text) for part in parts]
    if cut:
        blocks.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"


def bytes_text(count: float) -> str:
    """A number of bytes as people read it.

    >>> bytes_text(12), bytes_text(1434), bytes_text(2**27)
    ('12 B', '1.4 KiB', '128 MiB')
    """
    power = next((i for i in range(3) if count < 1000 * 1024**i), 3)
    number = count / 1024**power
    return f"{number:.{1 if power and number < 100 else 0}f} {('B', 'KiB', 'MiB', 'GiB')[power]}"
