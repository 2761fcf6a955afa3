"""How kernels are launched, letters handed to them, and outputs taken from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton

from lrnn_theory.cuda.outputs_kernels import TILE, pack_outputs, spread_outputs
from lrnn_theory.scanning import Outputs

_BLOCK = 128
_WARP = 32
_FEW_LANES = 1 << 15
"""Lanes that are spread over as many processors as there are, a warp each."""


def launch(kernel: Any, lanes: int, *arguments: Any, block: int = _BLOCK, **options: Any) -> None:
    """Run a kernel with so many lanes; the options are its constants, and Triton's."""
    kernel[(triton.cdiv(lanes, block),)](*arguments, BLOCK=block, **options)


class Words(NamedTuple):
    """Words to read, and where they stand; `state` and `output` are taken on.

    A lane reads a word, or one of several stretches of it.

    Attributes:
        letters: (batch, stride), uint8, rows as `aligned` makes them.
        wrong: (2,), int32, of which the first becomes 1 if a letter is none (past the end of a word
            anything goes, and where there are lengths nothing is said), the second if a word is
            void.
        time: letters of a row that are read at most.
        lengths: (batch,), or None if all words fill their row.
        state: (numbers, lanes), of the kernel's type.
        output: (lanes,), an integer type, the output after the letters so far.
        every: (length rounded up to four, lanes), any integer dtype, for all outputs, -1 past the
            end of a word as that dtype has it; or None.
        stretches: so many of a word.
        length: letters of a stretch; `time` if there is one, else a multiple of 8.
        fresh: whether `state` is one that all words start from, (numbers, 1), and that stays as it
            is, since nobody asks where they end.
    """

    letters: torch.Tensor
    wrong: torch.Tensor
    time: int
    lengths: torch.Tensor | None
    state: torch.Tensor
    output: torch.Tensor
    every: torch.Tensor | None
    stretches: int
    length: int
    fresh: bool = False


def read_words(
    kernel: Any, words: Words, tables: Sequence[torch.Tensor | int], **options: Any
) -> None:
    """Launch a kernel that reads words, a lane each stretch."""
    ends, every = words.lengths, words.every
    few = {"block": _WARP, "num_warps": 1} if len(words.output) <= _FEW_LANES else {}
    filled = words.stretches * words.length == words.time and words.length % 4 == 0
    launch(
        kernel, len(words.output),
        words.letters.view(torch.int32), words.wrong, words.output if ends is None else ends,
        words.state, words.output, words.output if every is None else every,
        *tables, len(words.output), words.time, words.letters.shape[1],
        words.stretches, words.length,
        FRESH=words.fresh, EVERY=every is not None, HAS_LENGTHS=ends is not None,
        RAGGED=ends is not None or not filled, **few, **options,
    )  # fmt: skip


def tell(words: Words, outputs: Outputs) -> torch.Tensor:
    """What `every` holds, as `FastScan` returns it."""
    assert words.every is not None
    if outputs == "all" and words.stretches == 1:
        return words.every[: words.time].T
    batch, bits = len(words.letters), outputs == "bits"
    width = -(-words.time // 8) if bits else words.time
    kind = torch.uint8 if bits else torch.int64
    out = torch.empty(batch, width, dtype=kind, device=words.every.device)
    lanes, length = words.every.shape[1], words.length
    tiles = triton.cdiv(-(-length // 8) if bits else length, TILE.value)
    grid = (tiles * triton.cdiv(lanes, TILE.value),)
    shape = lanes, words.time, words.stretches, length
    if bits and out.numel():
        ends = words.output if words.lengths is None else words.lengths
        _on(pack_outputs, grid)(
            words.every, ends, out, *shape, HAS_LENGTHS=words.lengths is not None
        )
    elif out.numel():
        _on(spread_outputs, grid)(words.every, out, *shape)
    return out


def _on(kernel: Any, grid: tuple[int]) -> Any:
    return kernel[grid]


def aligned(letters: torch.Tensor) -> torch.Tensor:
    """Bytes, (batch, time), as rows of a multiple of four; what is added is not read."""
    rest = -letters.shape[1] % 4
    padded = torch.nn.functional.pad(letters, (0, rest)) if rest else letters.contiguous()
    return padded if padded.data_ptr() % 4 == 0 else padded.clone()
