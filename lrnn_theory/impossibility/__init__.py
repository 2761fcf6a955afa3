"""Impossibility that can be run: refuters, exact spectra, and where rounding ends the theorems."""

from lrnn_theory.impossibility.definite import PSD, negative_vector, psd
from lrnn_theory.impossibility.recheck import check
from lrnn_theory.impossibility.refuter import refute
from lrnn_theory.impossibility.spectrum import (
    OutsideProduct,
    OutsideSpectrum,
    RealSpectrum,
    contraction,
    outside_product,
    spectrum,
    unity_orders,
)

__all__ = [
    "PSD",
    "OutsideProduct",
    "OutsideSpectrum",
    "RealSpectrum",
    "check",
    "contraction",
    "negative_vector",
    "outside_product",
    "psd",
    "refute",
    "spectrum",
    "unity_orders",
]
