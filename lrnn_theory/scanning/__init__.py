"""Scans: an LRNN run on words in an arithmetic, plainly: the reference of all others."""

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
