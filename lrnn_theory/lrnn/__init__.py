"""Linear RNNs with exact weights: layers, wiring, readout.

Glossary (code: symbol of eq. (1) in Grazzi, Siems et al., arXiv 2411.12537):

    Layer.transition.matrix(a)  A(x_t), the transition matrix of action a; in a product
                                C_1 ... C_k of generalized Householder factors C_k acts first
    Layer.b[a]                  B(x_t)
    Layer.h0                    H_0, of shape (n, d)
    Layer.codewords, .readout   dec(H_t, x_t); it sees the state AFTER the update
    Level.action, Level.next    how x_t of a layer depends on the token and on the layers above

An *action* is a distinct pair (A, B) of a layer.  A *context* is everything above a level that its
layer may depend on: the letter, and what the levels above have read out.  One letter runs through
a chain of levels as

    c = letter_class[letter]
    for level in levels:
        a = level.action[c]
        H = A_a H + B_a
        coordinate = readout of H        (previous or current coordinate, see `Level.reads`)
        c = level.next[c, coordinate]
    output = output[c]

Weights are exact: integers, fractions, or cyclotomic numbers.  Rounding belongs to an `Arithmetic`.
"""

from lrnn_theory.lrnn.claim import Claim
from lrnn_theory.lrnn.layer import Layer, Level, Reads
from lrnn_theory.lrnn.network import LRNN

__all__ = ["LRNN", "Claim", "Layer", "Level", "Reads"]
