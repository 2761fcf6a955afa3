"""Scans by several processes with torch.distributed: shares of a batch, stretches of a long word.

Any number of processes, on CPUs (gloo) or GPUs (NCCL).  A function here is called by all processes
of a group with the same arguments, and gives the bits of `scan`.  Without a group it runs in one
process.  An error in one process is raised in all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.dispatch import scan, summaries, token_tensor
from lrnn_theory.handover import from_bytes, to_bytes
from lrnn_theory.lrnn import LRNN
from lrnn_theory.moves import Moves, Summaries, moved
from lrnn_theory.ranks import Ranks
from lrnn_theory.scanning import ScanState, UnsupportedError
from lrnn_theory.streaming import PIECE, Reader, regrouped

_PATIENCE = timedelta(days=365)
"""How long a process waits for the others: for as long as they read."""


def scan_batch(
    lrnn: LRNN,
    tokens: Any,
    arithmetic: str | Arithmetic = "float32",
    *,
    lengths: Any = None,
    outputs: Literal["all", "last"] = "all",
    device: torch.device | str | None = None,
    group: dist.ProcessGroup | None = None,
) -> torch.Tensor:
    """Run an LRNN on a batch of words, a share of them in every process.

    Args:
        lrnn: the network.
        tokens: all words, as for `scan`; a process reads its own rows only.
        arithmetic: as for `scan`.
        lengths: of all words, as for `scan`.
        outputs: as for `scan`.
        device: where this process computes; by default where `tokens` lies.
        group: the processes; by default all.

    Returns:
        In every process what `scan` returns for all words.

    Raises:
        ValueError: as `scan` does, in all processes.
        RuntimeError: if another process failed.

    Example:
        >>> from constructions import compile_dfa
        >>> scan_batch(compile_dfa("(0|10*1)*"), [[1, 0, 1], [1, 1, 1]]).tolist()
        [[0, 0, 1], [0, 1, 0]]
    """
    check_type("lrnn", lrnn, LRNN)
    ranks = Ranks(group)
    own = torch.empty(0)

    def count() -> bytes:
        nonlocal own
        words, ends = token_tensor(tokens), lengths
        part = ranks.share(len(words))
        if ends is not None:
            if len(ends) != len(words):
                raise ValueError(f"Argument 'lengths' must hold {len(words)} integers.")
            ends = torch.as_tensor(ends)[part]
        own = scan(lrnn, words[part], arithmetic, lengths=ends, outputs=outputs, device=device)
        return len(own).to_bytes(8, "big")

    counts = [int.from_bytes(x, "big") for x in ranks.gather(count)]
    kinds = (torch.int8, torch.int16, torch.int32)  # outputs are few, and travel as such
    kind = next(x for x in kinds if len(lrnn.output_symbols) - 1 <= torch.iinfo(x).max)
    return ranks.concatenate(own.to(kind), counts).long() if ranks.size > 1 else own


@dataclass(frozen=True, eq=False)
class WholeWord:
    """What came of a word that several processes read.

    Attributes:
        output: the output after its last letter; for the empty word -1 in a Mealy machine.
        state: the state after it, on this process's device.
        letters: how many letters it has.
        first: how many of them come before this process's stretch.
        order: "parallel" if every process read its stretch at once; "sequential" if each waited for
            the one before it.
        reason: why it was sequential; empty in one process.
    """

    output: int
    state: ScanState
    letters: int
    first: int
    order: Literal["parallel", "sequential"]
    reason: str = ""


def scan_word(
    lrnn: LRNN,
    stretch: Callable[[], Iterable[Any]],
    arithmetic: str | Arithmetic = "float32",
    *,
    initial: ScanState | None = None,
    device: torch.device | str = "cpu",
    piece: int = PIECE,
    each: Callable[[int, NDArray[np.int64]], None] | None = None,
    progress: Callable[[int], None] | None = None,
    group: dist.ProcessGroup | None = None,
) -> WholeWord:
    """Run an LRNN on one word, of which every process has a stretch of consecutive letters.

    Where the network is one layer that moves entries (`lrnn_theory.moves`) all stretches are read
    at once: what each does to any state is 2 n integers, and those before a process's own give the
    state that its stretch starts from.  Nothing is rounded, so that the bits are those of one
    letter after another.  Everything else, cascades and layers that round among them, is read in
    sequential order: a process waits for the state in which the one before it ends.

    Args:
        lrnn: the network.
        stretch: begins to read this process's stretch, pieces as for `Reader.read`.  It is called
            twice where there are several processes, all outputs are wanted, and stretches are read
            at once.
        arithmetic: as for `scan`.
        initial: the state of one word to continue from, the same in all processes.
        device: where this process computes.
        piece: how many letters are read at once.
        each: called for every piece of the stretch, in order, with the number of letters before it
            in the whole word, and the outputs after each of its letters.
        progress: called with the number of letters that this process has read.
        group: the processes; by default all.

    Raises:
        ValueError: as `scan` does, in all processes.
        RuntimeError: if another process failed.

    Example:
        >>> from constructions import compile_dfa
        >>> scan_word(compile_dfa("(0|10*1)*"), lambda: [[1, 0], [1, 1]]).output
        0
    """
    check_type("lrnn", lrnn, LRNN)
    ranks = Ranks(group)
    word = _Word(lrnn, arithmetic, device, piece, progress or (lambda _: None), ranks)
    start: Any = None
    sums: Summaries | None = None

    def why_not() -> bytes:
        nonlocal start, sums
        start = word.reader(initial).state
        sums, reason = word.summaries(initial and start)
        return reason.encode()

    reasons = [x.decode() for x in ranks.gather(why_not)]
    reason = next(filter(None, reasons), "")
    if sums is None or reason or (ranks.size == 1 and each):
        return word.in_turn(start, stretch, each, reason if ranks.size > 1 else "")
    return word.at_once(start, stretch, each, sums)


class _Word:
    """One word, and who reads it where."""

    def __init__(
        self,
        lrnn: LRNN,
        arithmetic: str | Arithmetic,
        device: torch.device | str,
        piece: int,
        progress: Callable[[int], None],
        ranks: Ranks,
    ) -> None:
        self._lrnn, self._arithmetic, self._device = lrnn, arithmetic, device
        self._piece, self._progress, self._ranks = piece, progress, ranks

    def reader(self, initial: ScanState | None) -> Reader:
        """A reader that starts from a state."""
        return Reader(
            self._lrnn, self._arithmetic, initial=initial, device=self._device, piece=self._piece
        )

    def summaries(self, initial: ScanState | None) -> tuple[Summaries | None, str]:
        """What sums up stretches, or why nothing does."""
        try:
            found = summaries(self._lrnn, self._arithmetic, self._device)
            if initial is not None:
                moved(found.level, Moves.nothing(found.level.n), 0, initial)
        except UnsupportedError as reason:
            return None, str(reason)
        return found, ""

    def in_turn(
        self,
        start: ScanState,
        stretch: Callable[[], Iterable[Any]],
        each: Callable[[int, NDArray[np.int64]], None] | None,
        reason: str,
    ) -> WholeWord:
        """Every process takes the state on from where the one before it ended."""
        state, letters, first = start, 0, 0

        def take_on() -> bytes:
            own = self._read(state, stretch, each, first)
            return (first + own.letters).to_bytes(8, "big") + to_bytes(own.state)

        for turn in range(self._ranks.size):
            own_turn = turn == self._ranks.rank
            first = letters if own_turn else first
            data = self._ranks.gather(take_on if own_turn else bytes)[turn]
            letters, state = int.from_bytes(data[:8], "big"), from_bytes(data[8:], start)
        return WholeWord(int(state.output), state, letters, first, "sequential", reason)

    def at_once(
        self,
        start: ScanState,
        stretch: Callable[[], Iterable[Any]],
        each: Callable[[int, NDArray[np.int64]], None] | None,
        sums: Summaries,
    ) -> WholeWord:
        """Every process sums up its stretch; then all know all states."""
        told = Moves.nothing(sums.level.n), 0, -1  # of all stretches so far, as `_sum_up` has it
        before = told
        for turn, data in enumerate(self._ranks.gather(lambda: self._sum_up(stretch, sums))):
            if turn == self._ranks.rank:
                before = told
            count, last, *numbers = np.frombuffer(bytearray(data), np.int64)
            if count:
                names, added = torch.from_numpy(np.array(numbers)).reshape(2, -1)
                whole, letters, _ = told
                told = whole.then(Moves(names, added)), letters + int(count), int(last)

        def state_after(moves: Moves, letters: int, last: int) -> ScanState:
            return moved(sums.level, moves, last, start) if letters else start

        def read_again() -> bytes:
            self._read(state_after(*before), stretch, each, before[1])
            return b""

        if each:
            self._ranks.gather(read_again)
        state = state_after(*told)
        return WholeWord(int(state.output), state, told[1], before[1], "parallel")

    def _sum_up(self, stretch: Callable[[], Iterable[Any]], sums: Summaries) -> bytes:
        """The number of letters, the last one, and what they do."""
        total, count, last = Moves.nothing(sums.level.n), 0, -1
        for letters in regrouped(stretch(), self._piece):
            own = self._moves(letters[None].to(self._device), sums)
            total = total.then(Moves(*(x[0].cpu() for x in own)))
            count, last = count + len(letters), int(letters[-1])
            self._progress(count)
        return np.array([count, last, *total.names, *total.added], np.int64).tobytes()

    def _moves(self, letters: torch.Tensor, sums: Summaries) -> Moves:
        if not sums.checks(letters):
            self._check(letters)
        try:
            return sums.moves(letters)
        except UnsupportedError:
            self._check(letters)
            raise

    def _check(self, letters: torch.Tensor) -> None:
        low, high = (int(x) for x in torch.aminmax(letters))
        if low < 0 or high >= len(self._lrnn.letters):
            raise ValueError(
                f"A piece must hold letter indices in 0..{len(self._lrnn.letters) - 1}, "
                f"not {low}..{high}."
            )

    def _read(
        self,
        state: ScanState,
        stretch: Callable[[], Iterable[Any]],
        each: Callable[[int, NDArray[np.int64]], None] | None,
        first: int,
    ) -> Reader:
        """Read the stretch from its start state."""
        reader = self.reader(state)
        if each:
            for outputs in reader.outputs(stretch()):
                each(first + reader.letters - len(outputs), outputs)
                self._progress(reader.letters)
        else:
            for letters in regrouped(stretch(), self._piece):
                reader.read([letters])
                self._progress(reader.letters)
        return reader


@contextmanager
def processes(device: str = "auto") -> Iterator[torch.device]:
    """Join the processes that torchrun started, for a while; without torchrun there is one.

    Args:
        device: "cpu", "cuda", or "auto", which is a GPU if there is one; with several processes on
            a host each has a GPU of its own.  In one process also "cuda:N".

    Yields:
        The device of this process.

    Raises:
        ValueError: if there is no such device here.
    """
    world, local_world, local = (
        int(os.environ.get(name, default))
        for name, default in (("WORLD_SIZE", "1"), ("LOCAL_WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if gpus else "cpu"
    if world == 1:
        yield torch.device(device)
        return
    if device not in ("cpu", "cuda"):
        raise ValueError(
            f"Argument 'device' must be auto, cpu or cuda in several processes, not {device!r}."
        )
    if device == "cuda" and gpus < local_world:
        raise ValueError(f"{local_world} processes on a host need as many GPUs, and it has {gpus}.")
    options: dict[str, Any] = {"backend": "gloo"}
    place = torch.device(device)
    if device == "cuda":
        place = torch.device("cuda", local)
        torch.cuda.set_device(place)
        options = {"backend": "nccl", "device_id": place}
    dist.init_process_group(timeout=_PATIENCE, **options)
    try:
        yield place
    finally:
        dist.destroy_process_group()
