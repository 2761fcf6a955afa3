"""Words over named letters, in the forms in which people write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.table import shown

Word = Sequence[str] | Sequence[int] | NDArray[np.integer] | str


def encode_word(word: Word, letter_index: Mapping[str, int]) -> NDArray[np.int64]:
    """Letter indices of a word: a string, letter names, or letter indices.

    A string is read character by character if every character is a letter, and otherwise as
    letters separated by spaces.

    Args:
        word: the word.
        letter_index: index of every letter by name.

    Returns:
        Indices, (time,).

    Raises:
        ValueError: if a letter is unknown.

    Example:
        >>> encode_word("open close", {"close": 0, "open": 1}).tolist()
        [1, 0]
    """
    names: Iterable[Any] = word
    if isinstance(word, str):
        names = word if all(c in letter_index for c in word) else word.split()
    indices = []
    for a in names:
        if isinstance(a, str) and a in letter_index:
            indices.append(letter_index[a])
        elif isinstance(a, (int, np.integer)) and 0 <= a < len(letter_index):
            indices.append(int(a))
        else:
            raise ValueError(f"Unknown letter {a!r}: expected one of {shown(letter_index)}.")
    return np.array(indices, np.int64)
