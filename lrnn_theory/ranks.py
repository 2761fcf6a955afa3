"""The processes of a torch.distributed group, and what they tell each other."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist

_ROOM = 1024
"""Bytes that processes exchange at once; what does not fit is exchanged afterwards."""


class Ranks:
    """The processes of a group; one if there is no group.

    Attributes:
        rank: this one.
        size: how many.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self._group = group
        self.rank, self.size = 0, 1
        if dist.is_available() and dist.is_initialized():
            self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
            on_gpu = dist.get_backend(group) == "nccl"
            self._device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else "cpu"

    def share(self, count: int) -> slice:
        """This process's part of so many things: consecutive, and no two parts differ by 2."""
        first, last = (count * r // self.size for r in (self.rank, self.rank + 1))
        return slice(first, last)

    def gather(self, find: Callable[[], bytes]) -> list[bytes]:
        """What every process finds, in order; an error of one is raised in all.

        Raises:
            ValueError: the error of the first process that meets one,
            RuntimeError: or this, if it is another error than ValueError or TypeError.
        """
        if self.size == 1:
            return [find()]
        cause: Exception | None = None
        try:
            own = b"-" + find()
        except Exception as error:  # whatever it is: the others wait, and are told
            cause, bad_input = error, isinstance(error, (ValueError, TypeError))
            text = str(error) if bad_input else f"{type(error).__name__}: {error}"
            own = (b"V" if bad_input else b"R") + text.encode()
        all_found = self._all_gather(own)
        for other in all_found:
            if not other.startswith(b"-"):
                kind = ValueError if other.startswith(b"V") else RuntimeError
                raise kind(other[1:].decode()) from cause
        return [x[1:] for x in all_found]

    def _all_gather(self, own: bytes) -> list[bytes]:
        head = len(own).to_bytes(8, "big") + own[:_ROOM]
        heads = self._exchange(head, 8 + _ROOM)
        sizes = [int.from_bytes(x[:8], "big") for x in heads]
        parts = [x[8 : 8 + size] for x, size in zip(heads, sizes, strict=True)]
        if (rest := max(sizes) - _ROOM) > 0:
            more = self._exchange(own[_ROOM:], rest)
            tails = (x[: max(0, size - _ROOM)] for x, size in zip(more, sizes, strict=True))
            parts = [x + y for x, y in zip(parts, tails, strict=True)]
        return parts

    def _exchange(self, own: bytes, room: int) -> list[bytes]:
        """As many bytes of every process."""
        data = torch.frombuffer(bytearray(own.ljust(room, b"\0")), dtype=torch.uint8)
        return [x.tobytes() for x in self._together(data.to(self._device)).cpu().numpy()]

    def _together(self, own: torch.Tensor) -> torch.Tensor:
        """Tensors of one shape, (processes, ...)."""
        found = own.new_empty((self.size, *own.shape))
        dist.all_gather(list(found.unbind()), own, group=self._group)
        return found

    def concatenate(self, own: torch.Tensor, counts: list[int]) -> torch.Tensor:
        """The rows of all processes, of which each has so many."""
        if self.size == 1:
            return own
        place, rest = own.device, max(counts) - len(own)
        rows = own.to(self._device)
        rows = torch.cat([rows, rows.new_zeros((rest, *own.shape[1:]))]) if rest else rows
        found = self._together(rows.contiguous())
        if min(counts) == max(counts):
            return found.flatten(0, 1).to(place)
        return torch.cat([x[:k] for x, k in zip(found, counts, strict=True)]).to(place)
