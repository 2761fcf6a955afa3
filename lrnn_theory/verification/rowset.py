"""Sets of rows of 64-bit words, numbered as they come: vectorised, exact, on any device."""

from __future__ import annotations

import torch

Tensor = torch.Tensor

_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # those of splitmix64
_GOLDEN = 0x9E3779B97F4A7C15
_SMALL_RUN = 4096
"""Entries below which merging costs less than one more search."""


class Stack:
    """A tensor that grows at its end, amortised."""

    def __init__(self, rows: Tensor) -> None:
        self._room = rows.clone()
        self._size = len(rows)

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> Tensor:
        """All rows so far, (n, ...): a view until the next `append`."""
        return self._room[: self._size]

    def append(self, rows: Tensor) -> None:
        """Put rows at the end."""
        end = self._size + len(rows)
        if end > len(self._room):
            larger = self._room.new_empty(max(end, 2 * self._size), *self._room.shape[1:])
            larger[: self._size] = self.rows
            self._room = larger
        self._room[self._size : end] = rows
        self._size = end


class RowSet:
    """Distinct rows of int64 words, numbered from 0 as they are first met.

    Rows are found by a 64-bit hash in a few sorted runs, whose lengths grow geometrically, and
    then compared whole.  Should a row meet another one with its hash, the set chooses another hash
    and starts over.  Until many rows come at once, a dictionary is faster.

    Args:
        width: words of a row.
        device: where the rows lie.
        few: the dictionary serves until more than `few` rows come at once.
        bits: of the hash.  The next one has twice as many, up to 64; only a test needs fewer.

    Example:
        >>> rows = RowSet(2)
        >>> [x.tolist() for x in rows.add(torch.tensor([[5, 1], [7, 0], [5, 1]]))]
        [[0, 1, 0], [0, 1]]
        >>> [x.tolist() for x in rows.add(torch.tensor([[3, 3], [7, 0]]))]
        [[2, 1], [0]]
    """

    def __init__(
        self,
        width: int,
        device: torch.device | str | None = None,
        *,
        few: int = 64,
        bits: int = 64,
    ) -> None:
        self._stack = Stack(torch.empty((0, width), dtype=torch.int64, device=device))
        self._few, self._bits, self._seed = few, bits, 0
        self._dictionary: dict[bytes, int] = {}
        self._runs: list[tuple[Tensor, Tensor]] = []  # (hashes, ascending; numbers)

    def __len__(self) -> int:
        return len(self._stack)

    @property
    def rows(self) -> Tensor:
        """The rows in the order of their numbers, (n, width): a view until the next `add`."""
        return self._stack.rows

    def add(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Put rows into the set.

        Args:
            rows: int64, (k, width).

        Returns:
            `(ids, fresh)`, int64: the number of every row, (k,), and the positions, ascending, of
            the first occurrences of rows that were not in the set.
        """
        if len(rows) <= self._few and len(self._dictionary) == len(self):
            return self._add_few(rows)
        if self._dictionary:
            self._dictionary.clear()
            self._rehash()
        while (found := self._add(rows)) is None:
            self._rehash()
        return found

    def _add_few(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As `add`, by the dictionary."""
        numbers, fresh = [], []
        for i, row in enumerate(rows.cpu().numpy()):
            size = len(self._dictionary)
            numbers.append(self._dictionary.setdefault(row.tobytes(), size))
            if numbers[-1] == size:
                fresh.append(i)
        if fresh:
            self._stack.append(rows[fresh])
        return rows.new_tensor(numbers), rows.new_tensor(fresh)

    def _add(self, rows: Tensor) -> tuple[Tensor, Tensor] | None:
        """As `add`; None, and nothing is changed, where two rows have one hash."""
        hashes, order = torch.sort(self._hash(rows), stable=True)
        leads = torch.ones_like(hashes, dtype=torch.bool)
        torch.ne(hashes[1:], hashes[:-1], out=leads[1:])
        follows = (~leads).nonzero().ravel()
        if not torch.equal(rows[order[follows]], rows[order[follows - 1]]):
            return None
        hashes, first = hashes[leads], order[leads]  # of every distinct row
        numbers = torch.full_like(first, -1)
        for known, known_numbers in self._runs:
            place = torch.searchsorted(known, hashes).clamp_(max=len(known) - 1)
            hit = (known[place] == hashes).nonzero().ravel()
            numbers[hit] = known_numbers[place[hit]]
        old = (numbers >= 0).nonzero().ravel()
        if not torch.equal(rows[first[old]], self.rows[numbers[old]]):
            return None
        new = (numbers < 0).nonzero().ravel()
        fresh, rank = torch.sort(first[new])
        numbers[new[rank]] = torch.arange(len(self), len(self) + len(new), device=rows.device)
        if len(new):
            self._stack.append(rows[fresh])
            self._insert(hashes[new], numbers[new])
        ids = torch.empty_like(order)
        ids[order] = numbers[leads.cumsum(0) - 1]
        return ids, fresh

    def _insert(self, hashes: Tensor, numbers: Tensor) -> None:
        """One more run, merged with all that are not twice as long."""
        while self._runs and len(self._runs[-1][0]) < max(2 * len(hashes), _SMALL_RUN):
            known, known_numbers = self._runs.pop()
            hashes, order = torch.sort(torch.cat([known, hashes]))
            numbers = torch.cat([known_numbers, numbers])[order]
        self._runs.append((hashes, numbers))

    def _rehash(self) -> None:
        """Another hash for all rows; should two have the same again, `_add` will see it."""
        self._seed, self._bits = self._seed + 1, min(2 * self._bits, 64)
        self._runs = [torch.sort(self._hash(self.rows))] if len(self) else []

    def _hash(self, rows: Tensor) -> Tensor:
        """Of every row; one word alone is mixed one to one."""
        h = rows.new_full((len(rows),), _signed(_GOLDEN * (2 * self._seed + 1)))
        for column in rows.unbind(1):
            h = h + column
            for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
                h = (h ^ _shifted(h, shift)) * _signed(multiplier + 2 * self._seed)
            h = h ^ _shifted(h, 31)
        return h if self._bits == 64 else h & ((1 << self._bits) - 1)


def _shifted(h: Tensor, bits: int) -> Tensor:
    """Shifted right, zeros coming in."""
    return (h >> bits) & ((1 << 64 - bits) - 1)


def _signed(word: int) -> int:
    """64 bits as a signed number."""
    return (word + (1 << 63)) % (1 << 64) - (1 << 63)
