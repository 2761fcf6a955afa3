"""Batches of words read by Triton kernels, with the bits of the plain scan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cuda.copies import CopiesScan
from lrnn_theory.cuda.floats import FloatScan
from lrnn_theory.cuda.launch import Words, aligned, tell
from lrnn_theory.cuda.packed import PackedScan
from lrnn_theory.cuda.stretches import Stretches
from lrnn_theory.lrnn import LRNN
from lrnn_theory.packing import pack
from lrnn_theory.scanning import Machine, Outputs, ScanState, UnsupportedError, read
from lrnn_theory.scanning.rational import fractions

_MOST_LETTERS = 256
"""Letters are bytes."""
_FEW_WORDS = 1 << 15
"""So many words do not fill a device."""
_TOO_LONG = 1 << 31
"""Kernels count letters in 32 bits."""


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
        self.copies: CopiesScan | None = None
        self.stretches: Stretches | str
        try:
            packed = pack(lrnn, arithmetic)
            self.chain: Any = _PackedStates(PackedScan(packed, device))
        except UnsupportedError as reason:
            self.stretches = str(reason)
            self.chain = _FloatStates(FloatScan(lrnn, arithmetic, device), lrnn)
        else:
            self.copies = _copies(packed, device)
            try:
                self.stretches = Stretches(packed, device, self.copies)
            except UnsupportedError as reason:
                self.stretches = str(reason)
        self.machine = Machine(lrnn, replace(arithmetic, order="sequential", chunk=0), device)
        self.device = device
        self._wrong = torch.zeros(1, dtype=torch.int32, device=device)

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
        if self.checks(tokens, lengths) and int(words.wrong):
            self._wrong = torch.zeros_like(words.wrong)  # other threads still hold the old one
            raise UnsupportedError("a letter out of range")
        after = None
        again = void is not None and bool(void.any())
        if keep or again:
            start = self.machine.start(len(tokens)) if initial is None else initial
            hidden = self.chain.leave(words.state, start.hidden)
            after = ScanState(tuple(hidden), start.shifted, words.output.clone())
            if void is not None and again:
                self._read_again(void, tokens, lengths, start, after, found, outputs)
        return found, after

    def words(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None = None,
        initial: ScanState | None = None,
        keep: bool = False,
    ) -> Words:
        """Words as kernels take them; arguments as those of `run`.

        Raises:
            UnsupportedError: as `run`.
        """
        batch, time = tokens.shape
        if time >= _TOO_LONG:
            raise UnsupportedError(f"words of {_TOO_LONG} letters and more")
        letters = aligned(tokens.to(torch.uint8))
        fresh = False
        if initial is not None:
            state = self.chain.enter(initial.hidden)
            output = initial.output.to(self.device, torch.int64, copy=True)
        elif self.copies and lengths is None and tokens.numel() and not keep:
            fresh, state = True, self.chain.scan.first
            output = torch.empty(batch, dtype=torch.int64, device=self.device)
        else:
            state, empty = self.chain.scan.start(batch), self.machine.lrnn.empty_output
            output = torch.full((batch,), empty, device=self.device)
        return Words(letters, self._wrong, time, lengths, state, output, None, 1, time, fresh)

    def read_last(self, words: Words) -> torch.Tensor | None:
        """Read words to the last output; which of them are void."""
        if not (len(words.letters) and words.time):
            return None
        if self.copies is None or words.lengths is not None:
            return self.chain.scan.run(words)
        self.copies.run(self.chain.scan, self.copies.cut(words))
        return None

    def read_every(
        self, words: Words, outputs: Outputs
    ) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Read words; which of them are void, and all their outputs.

        Few words are read twice, in stretches: first for the states that these start from.
        """
        batch, time = len(words.letters), words.time
        lanes = batch
        stretch = words
        if self.copies is not None and words.lengths is None and 0 < batch < _FEW_WORDS and time:
            words = self.copies.cut(words)
            if words.stretches > 1:
                lanes = batch * words.stretches
                state = self.copies.run(self.chain.scan, words, starts=True)
                output = torch.empty(lanes, dtype=torch.int32, device=self.device)
                stretch = words._replace(state=state, output=output)
        small = len(self.machine.lrnn.output_symbols) <= _MOST_LETTERS
        kind = torch.uint8 if small and (outputs == "bits" or lanes > batch) else torch.int64
        rows = -(-stretch.length // 4) * 4
        every = torch.empty(rows, lanes, dtype=kind, device=self.device)
        stretch = stretch._replace(every=every)
        void = self.chain.scan.run(stretch) if batch and time else None
        return void, tell(stretch, outputs)

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
        for old, new in zip(after.hidden, state.hidden, strict=True):
            old[void] = new


def _copies(packed: Any, device: torch.device) -> CopiesScan | None:
    try:
        return CopiesScan(packed, device)
    except UnsupportedError:
        return None


class _PackedStates:
    """States of a packed network as words, and back."""

    def __init__(self, scan: PackedScan) -> None:
        self.scan = scan
        self._known = [torch.from_numpy(v.words).to(scan.device) for v in scan.packed.levels]

    def enter(self, hidden: tuple[Any, ...]) -> torch.Tensor:
        """(levels, batch) words.

        Raises:
            UnsupportedError: if the network is never in such a state.
        """
        rows = []
        for level, known, h in zip(self.scan.packed.levels, self._known, hidden, strict=True):
            if not isinstance(h, torch.Tensor):  # Python numbers, which may be fractions
                rows.append(torch.from_numpy(level.pack(h[:, :, 0])).to(self.scan.device))
                continue
            h = h.to(self.scan.device)[:, :, 0]
            entries = h.long()
            shifts = torch.arange(level.n, device=self.scan.device) * level.width
            words = ((entries + level.bias) << shifts).sum(dim=1)
            if not (bool((entries == h).all()) and bool(torch.isin(words, known).all())):
                raise UnsupportedError("a state that the layer is never in")
            rows.append(words)
        return torch.stack(rows).to(self.scan.word)

    def leave(self, state: torch.Tensor, like: tuple[Any, ...]) -> list[Any]:
        """(batch, n, 1) states of every level, of the types given."""
        hidden = []
        for level, words, h in zip(self.scan.packed.levels, state, like, strict=True):
            shifts = torch.arange(level.n, device=self.scan.device) * level.width
            fields = (words.to(torch.int64)[:, None] >> shifts) & ((1 << level.width) - 1)
            entries = (fields - level.bias)[:, :, None]
            if isinstance(h, torch.Tensor):
                hidden.append(entries.to(h.dtype))
            else:
                numbers = entries.cpu().numpy()
                hidden.append(fractions(numbers) if h.dtype == object else numbers)
        return hidden


class _FloatStates:
    """States of a chain that rounds, entry by entry, and back."""

    def __init__(self, scan: FloatScan, lrnn: LRNN) -> None:
        self.scan = scan
        self._shapes = [(v.layer.n, v.layer.d) for v in lrnn.levels]

    def enter(self, hidden: tuple[Any, ...]) -> torch.Tensor:
        """(numbers, batch)."""
        flat = [h.flatten(1).to(self.scan.carrier) for h in hidden]
        return torch.cat(flat, dim=1).T.contiguous()

    def leave(self, state: torch.Tensor, like: tuple[Any, ...]) -> list[torch.Tensor]:
        """(batch, n, d) states of every level, of the types given."""
        parts = state.T.split([n * d for n, d in self._shapes], dim=1)
        return [
            x.reshape(-1, *shape).to(h.dtype, copy=True)
            for x, shape, h in zip(parts, self._shapes, like, strict=True)
        ]
