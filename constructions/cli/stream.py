"""The command for one word longer than memory, read by one process or by several."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import numpy as np
import typer
from numpy.typing import NDArray

from constructions.cli import display
from constructions.cli.options import Arithmetic, Device, Json, Weights
from lrnn_theory.letterfile import LetterFile
from lrnn_theory.textfile import cannot_write, replacing

if TYPE_CHECKING:
    from lrnn_theory.ranks import Ranks

_ON_GPU = 1 << 24
"""Letters that a GPU reads at once."""
_BITS = 8
"""Answers in a byte."""
_FAILED = 2
"""The exit code of bad input."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stream")(stream_word)


def stream_word(
    weights: Weights,
    word: Annotated[
        str,
        typer.Argument(
            metavar="WORD",
            help="A file that is one word, a character a letter, or - for standard input.",
            show_default=False,
        ),
    ],
    arithmetic: Arithmetic = "float32",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Write a bit for every letter: accepted so far?"
        ),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Run a linear RNN on one word of any length, alone or with others under torchrun."""
    from constructions.cli.device import pick_device
    from constructions.cli.source import read_weights
    from constructions.cli.words import names
    from lrnn_theory import arithmetic as numbers

    name = str(numbers.Arithmetic.parse(arithmetic))
    lrnn = read_weights(weights)
    if output and lrnn.kind != "dfa":
        raise ValueError(f"Option '--output' needs a dfa, not a {lrnn.kind} machine.")
    file = LetterFile(word, lrnn.letters)
    pick_device(device)
    with display.progress("loading torch"):
        from lrnn_theory.distributed import processes, scan_word
        from lrnn_theory.ranks import Ranks
        from lrnn_theory.streaming import PIECE
    with processes(device) as place:
        ranks = Ranks()
        piece = _ON_GPU if place.type == "cuda" else PIECE
        start = time.perf_counter()
        try:
            first, last = _stretch(file, word, ranks)
            with (
                _answers(output, ranks) as write,
                display.progress("reading", "letter", rate=True) as update,
            ):
                whole = scan_word(
                    lrnn,
                    lambda: file.pieces(first, last, piece=piece),
                    name,
                    device=place,
                    piece=piece,
                    each=write,
                    progress=update if ranks.rank == 0 else None,
                )
        except (ValueError, TypeError, RuntimeError):
            if ranks.rank:  # all raise the same, and the first process says it
                return _FAILED
            raise
        seconds = time.perf_counter() - start
    if ranks.rank:
        return 0
    answer = names(lrnn, np.array([whole.output]))[0]
    rate = whole.letters / seconds
    facts = {
        "arithmetic": name,
        "answer": answer,
        "letters": whole.letters,
        "seconds": round(seconds, 4),
        "letters_per_second": round(rate),
        "device": str(place),
        "processes": ranks.size,
        "order": whole.order if ranks.size > 1 else None,
        "reason": whole.reason or None,
    }
    letters = display.count(whole.letters, "letter")
    text = f"{answer or 'no answer'} after {letters}, in {seconds:.2f} s, {rate:.3g} a second"
    if ranks.size > 1:
        how = f"one after another: {whole.reason}" if whole.reason else "at once"
        text += f"\nread by {ranks.size} processes, {how}"
    if output:
        text += f"\nanswers written to {output}"
    display.put(facts, text, as_json=as_json)
    return 0


def _stretch(file: LetterFile, path: str, ranks: Ranks) -> tuple[int, int | None]:
    """Where this process's stretch begins and ends; whole bytes of answers are between them."""
    if ranks.size == 1:
        return 0, None
    if file.size is None:
        raise ValueError(f"Several processes need WORD to be a regular file, not {path!r}.")
    sizes = [int(x) for x in ranks.gather(lambda: str(file.size).encode())]
    if len(set(sizes)) > 1:
        raise ValueError(f"The file {path!r} has {sizes} letters: processes see different ones.")
    part = ranks.share(-(-file.size // _BITS))
    return part.start * _BITS, min(part.stop * _BITS, file.size)


class _Answers:
    """Writes a process's part of the answers into the file of all."""

    def __init__(self, temporary: Path, output: Path) -> None:
        self._temporary, self._output = temporary, output
        self._file: BinaryIO | None = None

    def __call__(self, first: int, outputs: NDArray[np.int64]) -> None:
        """Write the answers after letter `first` and those that follow it."""
        with cannot_write(self._output):
            if self._file is None:
                self._file = self._temporary.open("r+b")
                self._file.seek(first // _BITS)
            self._file.write(np.packbits(outputs == 1, bitorder="little").tobytes())
            self._file.flush()  # before others are told that this part is done

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@contextmanager
def _answers(output: Path | None, ranks: Ranks) -> Iterator[_Answers | None]:
    """A file of answers that appears whole or not at all; the first process makes it for all."""
    if output is None:
        yield None
        return
    with ExitStack() as stack:

        def make() -> bytes:
            return str(stack.enter_context(replacing(output))).encode()

        temporary = Path(ranks.gather(make if ranks.rank == 0 else bytes)[0].decode())
        yield stack.enter_context(closing(_Answers(temporary, output)))
