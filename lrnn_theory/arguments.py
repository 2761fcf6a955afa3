"""Checks of arguments that public functions share: an error is one line that names the argument."""

from __future__ import annotations

from operator import index
from typing import Any


def check_type(name: str, value: Any, kind: type) -> None:
    """That an argument is of a class.

    Raises:
        TypeError: if it is not.
    """
    if not isinstance(value, kind):
        known = kind.__name__
        article = "an" if known[0] in "AEIO" or known.startswith("LR") else "a"  # an LRNN
        raise TypeError(f"Argument '{name}' must be {article} {known}, not {type(value).__name__}.")


def positive(name: str, value: Any) -> int:
    """An argument that is a positive integer.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is not positive.

    Example:
        >>> positive("count", 0)
        Traceback (most recent call last):
        ValueError: Argument 'count' must be positive, not 0.
    """
    try:
        number = index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"Argument '{name}' must be an integer, not {brief(value)}.") from None
    if number < 1:
        raise ValueError(f"Argument '{name}' must be positive, not {number}.")
    return number


def brief(value: Any) -> str:
    """The beginning of a repr, on one line."""
    return " ".join(f"{value!r:.60}".split())
