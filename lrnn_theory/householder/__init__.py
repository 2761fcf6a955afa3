"""Products of generalized Householder factors, and factorisations into as few as possible.

A generalized Householder (GH) factor is `C = I - beta k k^T`; its eigenvalue on k is
`1 - beta |k|^2`, every other one is 1.  In `A = C_1 C_2 ... C_k` the last factor acts first.
Keys are not normalised, so that transpositions (`e_i - e_j`, beta 1), projections (`e_i`, beta 1)
and sign flips (`e_i`, beta 2) are integers.  docs/gh-algebra.md proves every factor count.

Source: Grazzi, Siems et al., arXiv 2411.12537, Proposition 1; Scherk, Duke Math. J. 17 (1950).
"""

from lrnn_theory.householder.exact_arrays import MAX_KEY_ENTRIES
from lrnn_theory.householder.integer import (
    halving_register_reset,
    identity,
    offset_reset,
    offsets,
    permutation,
    permutation_cycles,
    projection,
    register_reset,
    reset,
    sign_flip,
)
from lrnn_theory.householder.product import GHProduct
from lrnn_theory.householder.reflections import (
    contraction,
    orthogonal,
    reflection,
    reflection_length,
)

__all__ = [
    "MAX_KEY_ENTRIES",
    "GHProduct",
    "contraction",
    "halving_register_reset",
    "identity",
    "offset_reset",
    "offsets",
    "orthogonal",
    "permutation",
    "permutation_cycles",
    "projection",
    "reflection",
    "reflection_length",
    "register_reset",
    "reset",
    "sign_flip",
]
