"""One word longer than memory, read in pieces: state in, state out.

A word is any iterable of integer arrays, however it is cut.  It is read in pieces of one size, so
that memory is bounded whatever comes, and where it was cut never matters: the state of a scan holds
all that an arithmetic and its order have to remember.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.dispatch import Backend, scan, token_tensor
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import ScanState

PIECE = 1 << 22
"""Letters that are read at once."""
MAX_PIECE = 1 << 30
"""Most letters that can be."""


class Reader:
    """An LRNN that reads one word, piece after piece.

    Args:
        lrnn: the network.
        arithmetic: where it runs.
        initial: a state of one word to continue from; by default the word begins here.
        device: where to compute.
        piece: how many letters are read at once; memory grows with it.
        backend: as for `scan`.

    Attributes:
        state: where the word stands.
        letters: how many letters were read.

    Raises:
        ValueError: as `scan` does, if the piece is out of range, or the state of several words.

    Example:
        >>> from constructions import compile_dfa
        >>> reader = Reader(compile_dfa("(0|10*1)*"), "bfloat16")
        >>> reader.read([[1, 0], [1], [0, 1]])
        0
        >>> reader.read([[1]]), reader.letters
        (1, 6)
    """

    def __init__(
        self,
        lrnn: LRNN,
        arithmetic: str | Arithmetic = "float32",
        *,
        initial: ScanState | None = None,
        device: torch.device | str = "cpu",
        piece: int = PIECE,
        backend: Backend | None = None,
    ) -> None:
        check_type("lrnn", lrnn, LRNN)
        if not 1 <= piece <= MAX_PIECE:
            raise ValueError(f"Argument 'piece' must be in 1..{MAX_PIECE}, not {piece}.")
        self._lrnn, self._piece, self._device = lrnn, piece, device
        self._options: dict[str, Any] = {
            "arithmetic": Arithmetic.parse(arithmetic),
            "device": device,
            "backend": backend,
            "return_state": True,
        }
        nothing = torch.zeros((1, 0), dtype=torch.int64)
        _, self.state = scan(lrnn, nothing, initial=initial, **self._options)
        self.letters = 0

    def read(self, pieces: Iterable[Any]) -> int:
        """Read on.

        Args:
            pieces: letter indices, integer arrays, tensors or lists of shape (letters,).

        Returns:
            The output after the last letter; for the empty word -1 in a Mealy machine.
        """
        for letters in regrouped(pieces, self._piece):
            self._scan(letters, "last")
        return int(self.state.output)

    def outputs(self, pieces: Iterable[Any]) -> Iterator[NDArray[np.int64]]:
        """Read on, and hand out the outputs after every letter, (letters,), piece by piece."""
        for letters in regrouped(pieces, self._piece):
            yield self._scan(letters, "all")[0].cpu().numpy()

    def _scan(self, letters: torch.Tensor, outputs: Literal["all", "last"]) -> torch.Tensor:
        found, self.state = scan(
            self._lrnn, letters[None], initial=self.state, outputs=outputs, **self._options
        )
        self.letters += len(letters)
        return found


def regrouped(pieces: Iterable[Any], size: int) -> Iterator[torch.Tensor]:
    """The same letters in pieces of `size`, the last one of what is left.

    A piece of that size is not copied if it can be written to.

    Raises:
        ValueError: if a piece has another shape than (letters,).
        TypeError: if it does not hold integers.

    Example:
        >>> [x.tolist() for x in regrouped([[1, 2, 3], [], [4, 5]], 2)]
        [[1, 2], [3, 4], [5]]
    """
    held: list[torch.Tensor] = []
    count = 0
    for piece in pieces:
        letters = piece if isinstance(piece, torch.Tensor) else np.asarray(piece)
        if letters.ndim != 1:
            raise ValueError(f"A piece must have shape (letters,), not {tuple(letters.shape)}.")
        while len(letters):
            part, letters = letters[: size - count], letters[size - count :]
            held.append(token_tensor(part[None])[0])
            count += len(part)
            if count == size:
                yield _together(held)
                held, count = [], 0
    if held:
        yield _together(held)


def _together(held: list[torch.Tensor]) -> torch.Tensor:
    return held[0] if len(held) == 1 else torch.cat(held)
