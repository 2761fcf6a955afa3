"""The step of one layer, for a batch of states, in any arithmetic."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

import torch

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.formats import Fixed
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.cast import CastKernel
from lrnn_theory.scanning.exact import ExactKernel
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.orders import ChunkKernel, TreeKernel
from lrnn_theory.scanning.rational import RationalKernel
from lrnn_theory.scanning.stored import store


class Kernel(Protocol):
    """The step of a layer in an arithmetic; arrays are torch tensors or numpy arrays."""

    def start(self, batch: int) -> Any:
        """The initial state, (batch, n, d)."""
        ...

    def step(self, h: Any, action: Any, /) -> Any:
        """States after one action each, (batch, n, d)."""
        ...

    def decode(self, h: Any, /) -> Any:
        """Index of the nearest codeword, (batch,)."""
        ...

    def keys(self, h: Any, /) -> list[Hashable]:
        """A key for every state of the batch; equal states have equal keys."""
        ...

    def extend(self, layer: Layer) -> None:
        """Append the actions of a layer that is otherwise the same."""
        ...


def runs_natively(layer: Layer, arithmetic: Arithmetic) -> bool:
    """Whether float64 emulates the arithmetic on this layer: its states are then tensors."""
    if isinstance(arithmetic.format, Fixed):
        return arithmetic.is_native and store(layer, arithmetic).is_native
    return arithmetic.is_native


def make_kernel(layer: Layer, arithmetic: Arithmetic, device: torch.device) -> Kernel:
    """The kernel of a layer; what is not native runs on the CPU whatever the device."""
    if arithmetic.is_exact:
        return ExactKernel(layer, arithmetic)
    if arithmetic.semantics == "cast":
        return CastKernel(layer, arithmetic)
    if runs_natively(layer, arithmetic):
        kernel: Any = FloatKernel(layer, arithmetic, device)
    else:
        kernel = RationalKernel(layer, arithmetic)
    if arithmetic.order == "chunk":
        return ChunkKernel(kernel, arithmetic.chunk)
    return TreeKernel(kernel) if arithmetic.order == "tree" else kernel
