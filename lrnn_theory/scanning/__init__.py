"""Scans: an LRNN run on words in an arithmetic."""

from lrnn_theory.scanning.reference import Machine, ScanState, scan

__all__ = ["Machine", "ScanState", "scan"]
