"""Impossibility that can be run: refuters, exact spectra, and where rounding ends the theorems."""
