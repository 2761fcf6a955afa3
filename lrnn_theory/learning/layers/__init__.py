"""The systems that the field uses, as torch modules that are instances of eq. (1).

    mamba, mamba2, gla, mlstm, rwkv6        diagonal A
    deltanet, gated_deltanet, deltaproduct  products of generalized Householder matrices
    rwkv7                                   diagonal plus rank one
    lstm, transformer                       baselines

One file each, in plain torch; docs/layers.md has the table.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from lrnn_theory.learning.layers.base import RANGES, Range, RecurrentLayer
from lrnn_theory.learning.layers.baselines import LSTM, Attention
from lrnn_theory.learning.layers.deltanet import DeltaNet
from lrnn_theory.learning.layers.deltaproduct import DeltaProduct
from lrnn_theory.learning.layers.gated_deltanet import GatedDeltaNet
from lrnn_theory.learning.layers.gla import GLA
from lrnn_theory.learning.layers.mamba import Mamba
from lrnn_theory.learning.layers.mamba2 import Mamba2
from lrnn_theory.learning.layers.mlstm import MLSTM
from lrnn_theory.learning.layers.rwkv6 import RWKV6
from lrnn_theory.learning.layers.rwkv7 import RWKV7

LAYERS: dict[str, type[RecurrentLayer]] = {
    "mamba": Mamba,
    "mamba2": Mamba2,
    "gla": GLA,
    "mlstm": MLSTM,
    "rwkv6": RWKV6,
    "rwkv7": RWKV7,
    "deltanet": DeltaNet,
    "gated_deltanet": GatedDeltaNet,
    "deltaproduct": DeltaProduct,
}
"""The linear recurrences, by name."""

ARCHITECTURES = (*LAYERS, "lstm", "transformer")
"""All names that `make_layer` takes."""


def make_layer(
    architecture: str,
    width: int,
    heads: int = 4,
    eigenvalue_range: Range = "[0,1]",
    conv_size: int = 4,
    **options: Any,
) -> nn.Module:
    """A layer by its name; baselines have no range and no convolution.

    Raises:
        ValueError: if there is no such architecture, or an argument does not fit it.

    Example:
        >>> make_layer("deltanet", 16, heads=2, eigenvalue_range="[-1,1]").eigenvalue_range
        '[-1,1]'
    """
    if architecture == "lstm":
        return LSTM(width)
    if architecture == "transformer":
        return Attention(width, heads)
    if architecture not in LAYERS:
        raise ValueError(
            f"Argument 'architecture' must be one of {', '.join(ARCHITECTURES)}, "
            f"not {architecture!r}."
        )
    return LAYERS[architecture](width, heads, eigenvalue_range, conv_size, **options)


__all__ = [
    "ARCHITECTURES",
    "GLA",
    "LAYERS",
    "LSTM",
    "MLSTM",
    "RANGES",
    "RWKV6",
    "RWKV7",
    "Attention",
    "DeltaNet",
    "DeltaProduct",
    "GatedDeltaNet",
    "Mamba",
    "Mamba2",
    "Range",
    "RecurrentLayer",
    "make_layer",
]
