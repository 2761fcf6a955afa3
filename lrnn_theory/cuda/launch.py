"""How kernels are launched and letters handed to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton

_BLOCK = 128


def launch(kernel: Any, lanes: int, *arguments: Any, wide: bool = False, **options: Any) -> None:
    """Run a kernel with so many lanes; the options are its constants, and Triton's.

    A wide launch gives every thread two neighbouring lanes, whose outputs it stores together.
    """
    block = 2 * _BLOCK if wide else _BLOCK
    kernel[(triton.cdiv(lanes, block),)](*arguments, BLOCK=block, **options)


class Words(NamedTuple):
    """Words to read, and where they stand; `state` and `output` are taken on.

    Attributes:
        letters: (batch, stride), uint8, rows as `aligned` makes them.
        time: letters of a row that are read at most.
        lengths: (batch,), or None if all words fill their row.
        state: (numbers, batch), of the kernel's type.
        output: (batch,), int32, the output after the letters so far.
        every: (time, batch), any integer dtype, for all outputs; or None.
    """

    letters: torch.Tensor
    time: int
    lengths: torch.Tensor | None
    state: torch.Tensor
    output: torch.Tensor
    every: torch.Tensor | None


def read_words(kernel: Any, words: Words, tables: Sequence[torch.Tensor], **options: Any) -> None:
    """Launch a kernel that reads words, a lane each."""
    batch, stride = words.letters.shape
    ends, every = words.lengths, words.every
    launch(
        kernel, batch,
        words.letters.view(torch.int32), words.output if ends is None else ends,
        words.state, words.output, words.output if every is None else every,
        *tables, batch, words.time, stride,
        wide=every is not None, EVERY=every is not None, HAS_LENGTHS=ends is not None,
        RAGGED=ends is not None or words.time % 4 != 0, **options,
    )  # fmt: skip


def aligned(letters: torch.Tensor) -> torch.Tensor:
    """Bytes, (batch, time), as rows of a multiple of four; what is added is not read."""
    rest = -letters.shape[1] % 4
    padded = torch.nn.functional.pad(letters, (0, rest)) if rest else letters.contiguous()
    return padded if padded.data_ptr() % 4 == 0 else padded.clone()
