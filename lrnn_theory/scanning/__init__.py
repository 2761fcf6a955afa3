"""Scans: an LRNN run on words in an arithmetic, plainly: the reference of all others.

The names below are loaded on first use: exact steps, which need no torch, stay fast to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrnn_theory.scanning.reference import (
        FastScan,
        Machine,
        Outputs,
        ScanState,
        UnsupportedError,
        packed_bits,
        read,
    )

__all__ = [
    "FastScan",
    "Machine",
    "Outputs",
    "ScanState",
    "UnsupportedError",
    "packed_bits",
    "read",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lrnn_theory.scanning' has no attribute {name!r}")
    return getattr(import_module("lrnn_theory.scanning.reference"), name)
