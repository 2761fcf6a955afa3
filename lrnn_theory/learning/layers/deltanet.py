"""DeltaNet: Schlag et al., arXiv 2102.11174; Yang et al., arXiv 2406.06484."""

from __future__ import annotations

from lrnn_theory.learning.layers.base import Range
from lrnn_theory.learning.layers.deltaproduct import DeltaProduct


class DeltaNet(DeltaProduct):
    """A = I - β_t k_t k_t^T, |k_t| = 1: the product of one factor.

    Args:
        width: of inputs and outputs; n = d = width / heads.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: letters that the short convolution sees; 0 for none.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size, factors=1)
