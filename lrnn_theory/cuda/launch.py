"""How kernels are launched and letters handed to them."""

from __future__ import annotations

from typing import Any

import torch
import triton

_BLOCK = 128


def launch(kernel: Any, lanes: int, *arguments: Any, wide: bool = False, **options: Any) -> None:
    """Run a kernel with so many lanes; the options are its constants, and Triton's.

    A wide launch gives every thread two neighbouring lanes, whose outputs it stores together.
    """
    block = 2 * _BLOCK if wide else _BLOCK
    kernel[(triton.cdiv(lanes, block),)](*arguments, BLOCK=block, **options)


def aligned(letters: torch.Tensor) -> torch.Tensor:
    """Bytes, (batch, time), as rows of a multiple of four; what is added is not read."""
    rest = -letters.shape[1] % 4
    padded = torch.nn.functional.pad(letters, (0, rest)) if rest else letters.contiguous()
    return padded if padded.data_ptr() % 4 == 0 else padded.clone()
