"""One head of a network on a GPU, and what several heads say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import triton

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cuda.copies import CopiesScan
from lrnn_theory.cuda.floats import FloatScan
from lrnn_theory.cuda.launch import Words
from lrnn_theory.cuda.outputs_kernels import join_contexts
from lrnn_theory.cuda.packed import PackedScan
from lrnn_theory.cuda.states import FloatStates, PackedStates
from lrnn_theory.cuda.stretches import Stretches
from lrnn_theory.lrnn import LRNN
from lrnn_theory.packing import Packed, pack
from lrnn_theory.scanning import UnsupportedError

_BLOCK = 1024


class Head:
    """A chain of levels in an arithmetic, ready to read batches of words on a GPU.

    Args:
        lrnn: a network of one head.
        arithmetic: where it runs.
        device: a CUDA device, or the CPU under Triton's interpreter.

    Attributes:
        states: what takes states there and back; `states.scan` reads.
        copies: the same chain as bytes, if it is one that copies.
        stretches: what sums up stretches of letters, or why nothing does.

    Raises:
        UnsupportedError: if there is no kernel for it.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic, device: torch.device) -> None:
        self.copies: CopiesScan | None = None
        self.stretches: Stretches | str
        try:
            packed = pack(lrnn, arithmetic)
            self.states: Any = PackedStates(PackedScan(packed, device))
        except UnsupportedError as reason:
            self.stretches = str(reason)
            self.states = FloatStates(FloatScan(lrnn, arithmetic, device), lrnn)
        else:
            self.copies = _copies(packed, device)
            try:
                self.stretches = Stretches(packed, device, self.copies)
            except UnsupportedError as reason:
                self.stretches = str(reason)

    def read_last(self, words: Words) -> torch.Tensor | None:
        """Read words, of one letter at least, to the last output; which are void, as integers."""
        if self.copies is None or words.lengths is not None:
            return self.states.scan.run(words)
        self.copies.run(self.states.scan, self.copies.cut(words))
        return None

    def read_every(
        self, words: Words, in_stretches: bool, kind: torch.dtype
    ) -> tuple[torch.Tensor | None, Words]:
        """Read words; which of them are void, as integers, and the words with `every`, of a type.

        In stretches, words are read twice: first for the states that these start from.
        """
        lanes, stretch = len(words.letters), words
        if in_stretches and self.copies is not None:
            words = self.copies.cut(words)
            if words.stretches > 1:
                lanes *= words.stretches
                state = self.copies.run(self.states.scan, words, starts=True)
                output = torch.empty(lanes, dtype=torch.int32, device=words.letters.device)
                stretch = words._replace(state=state, output=output)
        rows = -(-stretch.length // 4) * 4
        every = torch.empty(rows, lanes, dtype=kind, device=words.letters.device)
        stretch = stretch._replace(every=every)
        return self.states.scan.run(stretch), stretch


def _copies(packed: Packed, device: torch.device) -> CopiesScan | None:
    try:
        return CopiesScan(packed, device)
    except UnsupportedError:
        return None


class Joins:
    """The output of a network, of the contexts that its heads end in."""

    def __init__(self, lrnn: LRNN, device: torch.device) -> None:
        tables = [*lrnn.combine[:-1], lrnn.output[lrnn.combine[-1]]]
        self._tables = [torch.from_numpy(x.astype(np.int32)).to(device) for x in tables]

    def join(
        self,
        contexts: Sequence[torch.Tensor],
        lengths: torch.Tensor | None,
        out: torch.Tensor,
        past: bool,
    ) -> None:
        """Put the outputs where they belong.

        Args:
            contexts: for every head, of one shape (..., words).
            lengths: of the words, if they have such.
            out: the outputs, of the same shape, for (time, words) or (words,); what is past the end
                of a word is -1 if `past`, else it stays as it is: words of no letter.
            past: see there.
        """
        joint, *others = contexts
        ends = out if lengths is None else lengths
        for i, (table, context) in enumerate(zip(self._tables, others, strict=True)):
            last = i == len(others) - 1
            found = out if last else torch.empty_like(out, dtype=torch.int32)
            grid = (triton.cdiv(out.numel(), _BLOCK),)
            kernel: Any = join_contexts[grid]
            kernel(
                joint, context, table, ends, found, out.numel(), out.shape[-1], *table.shape,
                HAS_LENGTHS=lengths is not None, PAST=past, BLOCK=_BLOCK,
            )  # fmt: skip
            joint = found
