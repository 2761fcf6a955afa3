"""How kernels are launched and letters handed to them."""

from __future__ import annotations

from typing import Any

import torch
import triton

_BLOCK = 128


def launch(kernel: Any, lanes: int, *arguments: Any, **options: Any) -> None:
    """Run a kernel with so many lanes, in blocks; the options are its constants, and Triton's."""
    kernel[(triton.cdiv(lanes, _BLOCK),)](*arguments, BLOCK=_BLOCK, **options)


def aligned(letters: torch.Tensor) -> torch.Tensor:
    """Bytes, (batch, time), as rows of a multiple of four; what is added is not read."""
    rest = -letters.shape[1] % 4
    padded = torch.nn.functional.pad(letters, (0, rest)) if rest else letters.contiguous()
    return padded if padded.data_ptr() % 4 == 0 else padded.clone()
