"""Exports: a compiled LRNN where people's models run; see docs/export.md."""

from lrnn_theory.export.torch_module import TorchLRNN, from_torch, to_torch

__all__ = ["TorchLRNN", "from_torch", "to_torch"]
