"""An LRNN from the weights that an exported module has now."""

from __future__ import annotations

from math import prod
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lrnn_theory.arguments import check_type
from lrnn_theory.export.fla_module import FlaLevel
from lrnn_theory.export.fla_read_back import fla_layer
from lrnn_theory.export.readout import Pairs, one_hot_index
from lrnn_theory.export.torch_module import ExportedLevel, TorchLevel, TorchLRNN
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.transition import Dense, Diagonal, Householder, Transition


def from_torch(module: TorchLRNN) -> LRNN:
    """The LRNN of a module's weights, floats taken for the rationals that they are.

    Of a module of flash-linear-attention it has the states that the recurrence reaches for
    codewords, and what the module's decoder makes of each for a readout.

    Raises:
        ValueError: if wiring does not map one-hot vectors to one-hot vectors, as after training; or
            if a module of flash-linear-attention computes with numbers that kernels round.
    """
    check_type("module", module, TorchLRNN)
    heads = tuple(tuple(_level(level) for level in head) for head in module.chains())
    output = one_hot_index("the output", module.output.weight.detach().T)
    return LRNN(
        letters=module.letters,
        letter_class=one_hot_index("the embedding", module.embedding.weight.detach()),
        heads=heads,
        output=output,
        empty_output=module.empty_output,
        combine=tuple(cast(Pairs, pairs).table() for pairs in module.combine),
        kind=module.kind,
        output_symbols=module.output_symbols,
        reason="read from an exported module",
    )


def _level(level: ExportedLevel) -> Level:
    if isinstance(level, FlaLevel):
        transition, inputs, h0, words, decoded = fla_layer(level)
    else:
        transition, inputs, h0, words = _torch_layer(cast(TorchLevel, level))
        decoded = np.arange(prod(map(len, words)))
    readout = np.zeros((len(inputs), len(decoded), 2), np.int64)
    size, initial = prod(k for k, _ in level.shape["slots"]), 0
    if level.shifted:
        readout[:, :, 1] = level.coordinate.table()[:, decoded]
        size, initial = level.shape["size"], int(level.get_buffer("initial").argmax())
    else:
        readout += decoded[:, None]
    layer = Layer(transition, inputs, h0, words, readout, size, initial)
    action = one_hot_index("an action", level.action.weight.detach().T)
    return Level(layer, action, level.wiring.table(), "shifted" if level.shifted else "current")


def _torch_layer(
    level: TorchLevel,
) -> tuple[Transition, NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Transition, inputs, H_0 and codewords."""
    cell, shape = level.cell, level.shape

    def numbers(x: Tensor) -> NDArray[np.float64]:
        return x.detach().cpu().double().numpy()

    transition: Transition
    if cell.kind == "householder":
        actions, factors, n = cell.keys.shape
        ptr = np.arange(actions + 1) * factors
        transition = Householder(
            numbers(cell.keys).reshape(-1, n), numbers(cell.betas).ravel(), ptr
        )
    elif cell.kind == "diagonal":
        transition = Diagonal(numbers(cell.diagonal))
    else:
        transition = Dense(numbers(cell.matrices))
    rows = [m // shape["d"] for _, m in shape["slots"]]
    parts = zip(level.decoder.codewords, rows, strict=True)
    words = tuple(numbers(w).reshape(len(w), r, shape["d"]) for w, r in parts)
    return transition, numbers(cell.inputs), numbers(cell.h0), words
