"""Impossibility that can be run: refuters, exact spectra, and where rounding ends the theorems."""

from lrnn_theory.eventual import unity_orders
from lrnn_theory.impossibility.definite import LDL, negative_vector, psd
from lrnn_theory.impossibility.limit_cycles import (
    PSD,
    LimitCycle,
    Margin,
    Sector,
    Triangular,
    limit_cycle,
    period_one_reason,
)
from lrnn_theory.impossibility.recheck import check
from lrnn_theory.impossibility.refuter import refute
from lrnn_theory.impossibility.spectrum import (
    OutsideProduct,
    OutsideSpectrum,
    RealSpectrum,
    contraction,
    outside_product,
    spectrum,
)

__all__ = [
    "LDL",
    "PSD",
    "LimitCycle",
    "Margin",
    "OutsideProduct",
    "OutsideSpectrum",
    "RealSpectrum",
    "Sector",
    "Triangular",
    "check",
    "contraction",
    "limit_cycle",
    "negative_vector",
    "outside_product",
    "period_one_reason",
    "psd",
    "refute",
    "spectrum",
    "unity_orders",
]
