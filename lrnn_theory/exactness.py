"""Exactly representable LRNNs: the same bits in every order of evaluation and every format.

A layer qualifies if its weights are integers and every row of every A has at most one nonzero
entry, 1 or -1.  Products of such matrices are of the same kind.  So however a word is bracketed
(letter by letter, in chunks, as a tree of affine maps), every number that arises is an entry of
such a matrix or of a state reachable from H_0 or from 0, and every sum has at most two nonzero
terms.  If all those numbers are at most 2^p in absolute value, a format of precision p computes
them without rounding.
"""

from __future__ import annotations

import numpy as np

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import EXACT, Arithmetic
from lrnn_theory.lrnn import LRNN, Layer
from lrnn_theory.scanning.exact import ExactKernel


def exact_bits(lrnn: LRNN) -> int | None:
    """The precision p from which every format computes an LRNN exactly, in every order.

    Returns:
        p (at least 1), or None if some layer does not qualify or has infinitely many states.  A
        format qualifies if its `precision` is at least p and its largest number at
        least 2^p.

    Example:
        >>> from constructions import compile_dfa
        >>> exact_bits(compile_dfa("(0|10*1)*"))
        1
    """
    check_type("lrnn", lrnn, LRNN)
    largest = 1
    for level in lrnn.levels:
        bound = _largest_entry(level.layer)
        if bound is None:
            return None
        largest = max(largest, bound)
    return max(1, (largest - 1).bit_length())  # the layers of a tail hold 0 and 1


def computes_exactly(lrnn: LRNN, arithmetic: Arithmetic) -> bool:
    """Whether an arithmetic makes no rounding error on an LRNN, in any order of evaluation."""
    form = arithmetic.format
    if form is None or arithmetic.semantics == "cast" or arithmetic.factored:
        return arithmetic.is_exact
    bits = exact_bits(lrnn)
    return bits is not None and form.exact_integers >= 2**bits


def holds_register_layers(arithmetic: Arithmetic) -> bool:
    """Whether layers that permute or reset one-hot vectors are computed exactly."""
    used = (-1, 0, 1) if arithmetic.factored else (0, 1)
    formats = [form for form in (arithmetic.format, arithmetic.inner) if form]
    return all(form.round(x) == x for form in formats for x in used)


def _largest_entry(layer: Layer) -> int | None:
    """The largest entry of a state that words reach from H_0 or from 0; None if there is none.

    An entry after a letter is an entry before it, its negative, or 0, and an entry of b.  So
    entries and their negatives are the weights of paths in a graph of 2 n nodes, and every path is
    that of some word: longest paths give the bound, and a path still growing after 2 n steps has a
    cycle that grows for ever.
    """
    kernel = ExactKernel(layer, EXACT)
    one_term = kernel.columns.shape[1] == 1
    if not (kernel.integral and one_term and abs(kernel.values).max(initial=0) <= 1):
        return None
    column, sign = kernel.columns[:, 0], kernel.values[:, 0, :, None]
    h0 = kernel.start(1)[0]
    steps = 2 * layer.n + 1
    if (int(abs(h0).max()) + kernel.b_max) * (steps + 1) >= 1 << 62:
        return None
    most = np.maximum([h0, -h0], 0)  # of every entry, and of its negative, (2, n, d)
    for _ in range(steps):
        before = np.concatenate([most, np.zeros_like(most[:, :1])], axis=1)[:, column]
        moved = np.where(sign < 0, before[::-1], np.where(sign > 0, before, 0))
        after = np.stack([moved[0] + kernel.b, moved[1] - kernel.b]).max(axis=1)
        if (after <= most).all():
            return int(most.max())
        most = np.maximum(most, after)
    return None
