"""Numbers, shapes and colours as all pictures show them."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .format import Trace
from .plain import Numbers

# Two scales, so that a value is never taken for a gradient: the colour of the most negative number and of the most positive one.
VALUE = ("#d9772b", "#2f6fc9")
GRADIENT = ("#7d3fa0", "#2f9461")
NONFINITE = "#e5484d"
FORWARD, BACKWARD = "#6699ff", "#ff5c8d"  # the passes, in a terminal and in tables of times
_WHITE = (255, 255, 255)


def shade(value: float, scale: float, ends: tuple[str, str], ground: tuple[int, int, int] = _WHITE) -> str:
    """The colour of a number between -scale and scale, on a background. It goes with the root of the size: a hundredth of the largest
    is still a tenth of the colour.

    >>> shade(0.0, 1.0, VALUE), shade(0.01, 1.0, VALUE), shade(1.0, 1.0, VALUE)
    ('#ffffff', '#eaf1fa', '#2f6fc9')
    """
    if not math.isfinite(value):
        return NONFINITE
    end = ends[value > 0]
    amount = math.sqrt(min(abs(value) / scale, 1.0)) if scale else 0.0
    mixed = (round(g + amount * (int(end[i : i + 2], 16) - g)) for g, i in zip(ground, (1, 3, 5), strict=True))
    return "#" + "".join(f"{c:02x}" for c in mixed)


def ink(background: str) -> str:
    """Black or white, whichever is better to read on this colour."""
    red, green, blue = (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#1c1c28" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "#ffffff"


def short(value: Any) -> str:
    """A number in little room: at least three digits (below 0.1 and from 100000 on two), with a real minus sign.

    >>> short(0.123456), short(-12.0), short(199.8), short(0.00154), short(2.1e-7), short("nan")
    ('0.123', '−12', '200', '0.0015', '2.1e−7', 'nan')
    """
    value = float(value)
    if not math.isfinite(value):
        return str(value).replace("-", "−").replace("inf", "∞")
    if value == int(value) and abs(value) < 10**5:
        return str(int(value)).replace("-", "−")
    if not 1e-3 <= abs(value) < 10**5:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", "−")
    decimals = max(0, 2 - math.floor(math.log10(abs(value))) - (abs(value) < 0.1))
    text = f"{value:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def shape_text(shape: Sequence[int]) -> str:
    """`2×3`, or `scalar`."""
    return "×".join(map(str, shape)) or "scalar"


def parted(name: str) -> tuple[str, str] | None:
    """A letter and its index, to be set below the line; None for other names, which pictures leave as they are in the program.

    >>> parted("w1"), parted("W_x"), parted("0.weight")
    (('w', '1'), ('W', 'x'), None)
    """
    found = re.fullmatch(r"(?:([A-Za-zα-ω]{1,2})_?(\d+)|([A-Za-zα-ω])_([A-Za-z0-9]+))", name)
    return None if found is None else (found[1] or found[3], found[2] or found[4])


def on_one_line(numbers: Numbers) -> str:
    """A tensor as text: `[[1, 2], [3, 4]]`, or a large one's shape and range."""
    if numbers.data is None or len(numbers.data) > 16:
        return f"<{shape_text(numbers.shape)}, {short(numbers.min or 0)} to {short(numbers.max or 0)}>"
    texts = [short(v) for v in numbers.data]
    for n in reversed(numbers.shape):
        count = len(texts) // n if n else 0
        texts = ["[" + ", ".join(texts[k * n : (k + 1) * n]) + "]" for k in range(count)]
    return texts[0] if texts else "[]"


def largest(tensors: Iterable[Numbers]) -> float:
    """The largest finite size of any number in these: one scale for all of them."""
    return max((max(abs(t.min), abs(t.max)) for t in tensors if t.min is not None and t.max is not None), default=0.0)


def scales(trace: Trace) -> tuple[float, float]:
    """The largest value and the largest gradient of the whole trace, so that a vanishing gradient looks vanishing."""
    values = {node.value for node in trace.nodes}
    gradients = {step.after for step in trace.steps if step.after is not None}
    return largest(trace.tensors[i] for i in values), largest(trace.tensors[i] for i in gradients)


def grid(numbers: Numbers) -> list[list[Any]]:
    """The numbers to show, as rows: all of a small tensor (its last dim across), the sample of a large one."""
    if numbers.sample is not None:
        width, flat = len(numbers.sample.cols), numbers.sample.data
    else:
        width, flat = (numbers.shape[-1] if numbers.shape else 1), numbers.data or []
    return [flat[i : i + width] for i in range(0, len(flat), width)] if width else []


def as_image(svg: str, alt: str) -> str:
    """A picture as HTML that a notebook shows even where it is not trusted and so shows no SVG."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(alt)}" style="max-width:100%" src="data:image/svg+xml;base64,{data}">'
