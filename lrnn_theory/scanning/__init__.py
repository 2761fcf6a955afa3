"""Scans: an LRNN run on words in an arithmetic, plainly: the reference of all others."""

from lrnn_theory.scanning.reference import FastScan, Machine, ScanState, UnsupportedError, read

__all__ = ["FastScan", "Machine", "ScanState", "UnsupportedError", "read"]
