"""Batches of words read by Triton kernels, with the bits of the plain scan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cuda.heads import Head, Joins
from lrnn_theory.cuda.launch import Words, aligned, tell
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import Machine, Outputs, ScanState, UnsupportedError, read

_MOST_LETTERS = 256
"""Letters are bytes."""
_FEW_WORDS = 1 << 15
"""So many words do not fill a device."""
_TOO_LONG = 1 << 31
"""Kernels count letters in 32 bits."""


class HeadWords(NamedTuple):
    """Words as the kernels of all heads take them.

    Attributes:
        heads: for every head; an output is the context that it ends in, if there are several.
        output: (batch,), int64, those of the network.
    """

    heads: list[Words]
    output: torch.Tensor


class GpuScan:
    """An LRNN in an arithmetic, ready to read batches of words on a GPU.

    Args:
        lrnn: the network.
        arithmetic: where it runs.
        device: a CUDA device, or the CPU under Triton's interpreter.

    Raises:
        UnsupportedError: if there is no kernel for it.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic, device: torch.device) -> None:
        if len(lrnn.letters) > _MOST_LETTERS:
            raise UnsupportedError(f"more than {_MOST_LETTERS} letters")
        if lrnn.tail or not all(lrnn.heads):
            raise UnsupportedError("a head of no layer, or a tail")
        several = len(lrnn.heads) > 1
        alone = [lrnn.head(i) for i in range(len(lrnn.heads))] if several else [lrnn]
        self.heads = [Head(x, arithmetic, device) for x in alone]
        self.stretches = "parallel heads" if several else self.heads[0].stretches
        self._joins = Joins(lrnn, device) if several else None
        ends, counts = np.cumsum([len(x) for x in lrnn.heads]), [len(x) for x in lrnn.heads]
        self._levels = [slice(e - k, e) for e, k in zip(ends.tolist(), counts, strict=True)]
        contexts = max(len(x.output_symbols) for x in (lrnn, *alone))
        self._small = contexts <= _MOST_LETTERS
        self.machine = Machine(lrnn, replace(arithmetic, order="sequential", chunk=0), device)
        self.device = device
        self._wrong = torch.zeros(2, dtype=torch.int32, device=device)

    def checks(self, tokens: torch.Tensor, lengths: torch.Tensor | None) -> bool:
        """As `FastScan` says: where kernels read the bytes as they are."""
        return tokens.dtype == torch.uint8 and lengths is None

    def run(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None,
        initial: ScanState | None,
        outputs: Outputs,
        keep: bool,
    ) -> tuple[torch.Tensor, ScanState | None]:
        """As `FastScan` says."""
        words = self.words(tokens, lengths, initial, keep or outputs != "last")
        if outputs == "last":
            void, found = self.read_last(words), words.output
        else:
            void, found = self.read_every(words, outputs)
        checks, again = self.checks(tokens, lengths), False
        if checks or void:
            wrong, met = words.heads[0].wrong.tolist()
            again = bool(void and met)
            if wrong or met:
                self._wrong = torch.zeros_like(self._wrong)  # other threads still hold the old one
            if wrong and checks:
                raise UnsupportedError("a letter out of range")
        after = None
        if keep or again:
            start = self.machine.start(len(tokens)) if initial is None else initial
            hidden: list[Any] = []
            if keep:
                for head, part, levels in zip(self.heads, words.heads, self._levels, strict=True):
                    hidden += head.states.leave(part.state, start.hidden[levels])
            after = ScanState(tuple(hidden), start.shifted, words.output.clone())
            if again:
                marked = torch.stack(void).any(dim=0)
                self._read_again(marked, tokens, lengths, start, after, found, outputs)
        return found, after

    def words(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None = None,
        initial: ScanState | None = None,
        keep: bool = False,
    ) -> HeadWords:
        """Words as kernels take them; arguments as those of `run`.

        Raises:
            UnsupportedError: as `run`.
        """
        batch, time = tokens.shape
        if time >= _TOO_LONG:
            raise UnsupportedError(f"words of {_TOO_LONG} letters and more")
        letters = aligned(tokens.to(torch.uint8))
        if initial is not None:
            output = initial.output.to(self.device, torch.int64, copy=True)
        elif lengths is None and tokens.numel():  # every word is answered
            output = torch.empty(batch, dtype=torch.int64, device=self.device)
        else:
            output = torch.full((batch,), self.machine.lrnn.empty_output, device=self.device)
        parts = []
        for head, levels in zip(self.heads, self._levels, strict=True):
            fresh = initial is None and lengths is None and tokens.numel() > 0 and not keep
            if initial is not None:
                state = head.states.enter(initial.hidden[levels])
            else:
                state = head.states.scan.first if fresh else head.states.scan.start(batch)
            ended = output if self._joins is None else torch.empty_like(output)
            words = Words(letters, self._wrong, time, lengths, state, ended, None, 1, time, fresh)
            parts.append(words)
        return HeadWords(parts, output)

    def read_last(self, words: HeadWords) -> list[torch.Tensor]:
        """Read words to the last output; for heads that round, which of them are void."""
        if not words.heads[0].letters.numel():
            return []
        found = [h.read_last(x) for h, x in zip(self.heads, words.heads, strict=True)]
        self._join(words)
        return [x for x in found if x is not None]

    def read_every(
        self, words: HeadWords, outputs: Outputs
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Read words; for heads that round, which of them are void; and all outputs.

        Few words are read in stretches, if all heads can.
        """
        first = words.heads[0]
        batch, time = len(first.letters), first.time
        few = first.lengths is None and 0 < batch < _FEW_WORDS and time > 0
        cuts = [head.copies.cut(first).stretches for head in self.heads if few and head.copies]
        in_stretches = len(cuts) == len(self.heads) and cuts[0] > 1  # all cut words alike
        narrow = self._small and (outputs == "bits" or in_stretches)
        kind = torch.uint8 if narrow else torch.int64
        if not first.letters.numel():
            nothing = torch.empty(time, batch, dtype=kind, device=self.device)
            return [], tell(first._replace(every=nothing), outputs)
        own = kind if self._joins is None else torch.uint8 if self._small else torch.int32
        pairs = [
            head.read_every(x, in_stretches, own)
            for head, x in zip(self.heads, words.heads, strict=True)
        ]
        void, read = [x for x, _ in pairs if x is not None], pairs[0][1]
        if self._joins is not None:
            parts = [x.every for _, x in pairs if x.every is not None]
            every = torch.empty_like(parts[0], dtype=kind)
            self._joins.join(parts, first.lengths, every, past=True)
            read = read._replace(every=every)
            self._join(words)
        return void, tell(read, outputs)

    def _join(self, words: HeadWords) -> None:
        """What the heads say together after the last letters."""
        if self._joins is not None:
            ended, lengths = [x.output for x in words.heads], words.heads[0].lengths
            self._joins.join(ended, lengths, words.output, past=False)

    def _read_again(
        self,
        void: torch.Tensor,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None,
        start: ScanState,
        after: ScanState,
        found: torch.Tensor,
        outputs: Outputs,
    ) -> None:
        """Put the plain scan's results in the place of those of some words."""
        rows = tokens[void].long().clamp(0, len(self.machine.lrnn.letters) - 1).T
        ends = None if lengths is None else lengths[void]
        again, state = read(self.machine, rows, ends, start.take(void.cpu().numpy()), outputs)
        found[void] = again
        after.output[void] = state.output
        for old, new in zip(after.hidden, state.hidden, strict=False):  # none, if nobody asked
            old[void] = new
