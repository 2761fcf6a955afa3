"""Compiled code that follows one layer letter after letter, for words of any length."""

from lrnn_theory.compiled.follow import Follower, Orbit
from lrnn_theory.compiled.layer import CompiledLayer

__all__ = ["CompiledLayer", "Follower", "Orbit"]
