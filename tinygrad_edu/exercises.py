"""Exercises that check themselves, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

UNSOLVED = "Not solved yet: write your answer in the cell above, run it, then run this one again."


@contextmanager
def check(*answers: Any) -> Iterator[None]:
    """Say whether the assertions in the block hold: "Right.", or "Not yet" with the message of the one that does not.

    While an answer is still `...`, or a function still raises NotImplementedError, it says "Not solved yet".

    >>> from tinygrad_edu.exercises import check
    >>> half = ...
    >>> with check(half):
    ...     assert half + half == 1, f"{half} and {half} make {half + half}, not 1."
    Not solved yet: write your answer in the cell above, run it, then run this one again.
    >>> half = 0.25
    >>> with check(half):
    ...     assert half + half == 1, f"{half} and {half} make {half + half}, not 1."
    Not yet: 0.25 and 0.25 make 0.5, not 1.
    >>> half = 0.5
    >>> with check(half):
    ...     assert half + half == 1, f"{half} and {half} make {half + half}, not 1."
    Right.
    >>> def double(x):
    ...     2 * x
    >>> with check():
    ...     assert double(half) + 1 == 2
    Not yet: this raised TypeError: unsupported operand type(s) for +: 'NoneType' and 'int' (None is what a function without `return` gives.)
    """
    unsolved = any(answer is ... for answer in answers)
    said = "Right."
    try:
        yield
    except NotImplementedError:
        unsolved = True
    except AssertionError as error:
        said = f"Not yet: {error}" if str(error) else "Not yet."
    except Exception as error:  # of the learner's own code, or because of an answer of another kind than expected
        said = f"Not yet: this raised {type(error).__name__}: {error}"
        if "NoneType" in said:
            said += " (None is what a function without `return` gives.)"
    print(UNSOLVED if unsolved else said)
