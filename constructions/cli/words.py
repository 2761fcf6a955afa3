"""Files of words, and an LRNN's answers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.lrnn import LRNN
from lrnn_theory.textfile import read_standard_input, read_text
from lrnn_theory.words import encode_word

if TYPE_CHECKING:
    import torch

BATCH_LETTERS = 2_000_000
"""Letters, padding included, that are scanned at once."""


class Word(NamedTuple):
    """A word: its line in the file as it stands there, and its letter indices, (time,)."""

    text: str
    letters: NDArray[np.int64]


def read_words(path: str, letters: Sequence[str]) -> list[Word]:
    """The words of a file, one a line; `-` is standard input.

    A line is a word in the sense of `lrnn_theory.words.encode_word`: a plain string if every
    character is a letter, otherwise letters separated by spaces.  An empty line is the empty word.

    Raises:
        ValueError: if the file cannot be read, or a letter is unknown; the line is named.
    """
    text = read_standard_input() if path == "-" else read_text(path)
    # Not splitlines: it also splits at characters that may be letters, such as a form feed.
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()  # what ends the last line begins no word
    letter_index = {letter: i for i, letter in enumerate(letters)}
    words = []
    for number, line in enumerate(lines, 1):
        try:
            words.append(Word(line, encode_word(line, letter_index)))
        except ValueError as error:
            name = "standard input" if path == "-" else repr(path)
            raise ValueError(f"Line {number} of {name}: {error}") from None
    return words


def answer(
    lrnn: LRNN,
    words: Sequence[Word],
    arithmetic: str,
    device: torch.device,
    progress: Callable[[int], None],
) -> list[NDArray[np.int64]]:
    """The output indices after every prefix of every word, (time + 1,) for each.

    The first one, for the empty prefix, is -1 in a Mealy machine.
    """
    from lrnn_theory.dispatch import scan

    answers = [np.empty(0, np.int64)] * len(words)
    done = 0
    for batch in _batches(words):
        lengths = np.array([len(words[i].letters) for i in batch])
        tokens = np.zeros((len(batch), lengths.max()), np.int64)
        for row, i in zip(tokens, batch, strict=True):
            row[: len(words[i].letters)] = words[i].letters
        outputs = scan(lrnn, tokens, arithmetic, lengths=lengths, device=device).cpu().numpy()
        for i, length, row in zip(batch, lengths, outputs, strict=True):
            answers[i] = np.concatenate([[lrnn.empty_output], row[:length]])
        done += len(batch)
        progress(done)
    return answers


def _batches(words: Sequence[Word]) -> Iterator[list[int]]:
    """Indices of words of like length, so that little is padding."""
    batch: list[int] = []
    for i in sorted(range(len(words)), key=lambda i: len(words[i].letters)):
        if batch and (len(batch) + 1) * len(words[i].letters) > BATCH_LETTERS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def names(lrnn: LRNN, outputs: NDArray[np.int64]) -> list[str | None]:
    """Output indices as people read them; None where a Mealy machine has said nothing yet."""
    if lrnn.kind == "dfa":
        return ["accepted" if x else "rejected" for x in outputs.tolist()]
    return [lrnn.output_symbols[x] if x >= 0 else None for x in outputs.tolist()]
