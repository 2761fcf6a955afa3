"""Explicit constructions of LRNNs from automata, and the choice among them."""

from constructions.catalogue import ALL, CONSTRUCTIONS
from constructions.choice import Candidate, compile_dfa, explain
from constructions.objective import OBJECTIVES

__all__ = ["ALL", "CONSTRUCTIONS", "OBJECTIVES", "Candidate", "compile_dfa", "explain"]
