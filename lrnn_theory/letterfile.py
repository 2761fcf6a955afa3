r"""A file that is one word: a character is a letter, read in pieces, any stretch of it by itself.

Every letter must be one ASCII character, so that a byte is a letter and its place in the file says
where it is in the word.  A line end at the end of the file is no letter, unless "\n" is one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.table import shown
from lrnn_theory.textfile import standard_input

PIECE = 1 << 20
"""Letters that are read at once."""
_NONE = 255
"""No letter."""
_LINE_END = 2
"""Characters of a line end at most."""


class LetterFile:
    """One word in a file.

    Args:
        path: the file; `-` is standard input.
        letters: the names of the letters.

    Attributes:
        size: its letters; None where the file cannot say, as a pipe cannot.

    Raises:
        ValueError: if the file cannot be read, or a letter is no ASCII character.
    """

    def __init__(self, path: str, letters: Sequence[str]) -> None:
        bad = next((x for x in letters if len(x) != 1 or not x.isascii()), None)
        if bad is not None:
            raise ValueError(
                f"A file of one word needs letters of one ASCII character, not {bad!r}."
            )
        self._path = path
        self._name = "standard input" if path == "-" else repr(path)
        table = np.full(256, _NONE, np.uint8)
        table[[ord(x) for x in letters]] = np.arange(len(letters))
        self._table = table.tobytes()
        self._shown = shown(letters)
        self._ends = () if "\n" in letters else (b"\r\n", b"\n")
        self.size = self._size()

    def _size(self) -> int | None:
        if self._path == "-":
            return None
        with self._opened() as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                return None
            file.seek(max(0, about.st_size - 2))
            return about.st_size - len(self._line_end(file.read()))

    def _line_end(self, tail: bytes) -> bytes:
        return next((x for x in self._ends if tail.endswith(x)), b"")

    def pieces(
        self, first: int = 0, last: int | None = None, *, piece: int = PIECE
    ) -> Iterator[NDArray[np.uint8]]:
        """The indices of the letters from `first` to before `last`, by default all, (letters,).

        Raises:
            ValueError: if the file cannot be read, has become shorter, or holds what is no letter;
                its offset is named.
        """
        at = first
        for block in self._blocks(first, self.size if last is None else last, piece):
            letters = np.frombuffer(block.translate(self._table), np.uint8)
            if letters.max(initial=0) == _NONE:
                k = int((letters == _NONE).argmax())
                byte = block[k]
                what = repr(chr(byte)) if byte < 128 else f"the byte 0x{byte:02x}"
                raise ValueError(
                    f"Unknown letter {what} at offset {at + k} of {self._name}: "
                    f"expected one of {self._shown}."
                )
            yield letters
            at += len(letters)

    def _blocks(self, first: int, last: int | None, piece: int) -> Iterator[bytearray]:
        with self._opened() as file:
            if last is None:
                yield from self._blocks_of_pipe(file, piece)
                return
            file.seek(first)
            for start in range(first, last, piece):
                block = bytearray(min(piece, last - start))
                if file.readinto(block) < len(block):
                    raise ValueError(f"The file {self._name} became shorter while it was read.")
                yield block

    def _blocks_of_pipe(self, file: Any, piece: int) -> Iterator[bytearray]:
        held = b""
        while block := file.read(piece):
            block = held + block
            held = block[-_LINE_END:]  # perhaps the last line end
            yield bytearray(block[:-_LINE_END])
        yield bytearray(held.removesuffix(self._line_end(held)))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            if self._path == "-":
                yield standard_input()
                return
            with open(self._path, "rb") as file:
                yield file
        except OSError as error:
            raise ValueError(f"Cannot read {self._name}: {error.strerror or error}.") from error
