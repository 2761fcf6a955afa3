"""The weights of a torch module from an LRNN, and an LRNN from the weights of a module."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrnn_theory.export.readout import (
    Pairs,
    check_pairs,
    fill_pairs,
    one_hot_index,
    set_weight,
    units_of,
)
from lrnn_theory.export.torch_module import Cell, ExportedLevel, TorchLevel, TorchLRNN
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.transition import Dense, Diagonal, Householder, Transition


def to_torch(lrnn: LRNN, dtype: torch.dtype = torch.float32) -> TorchLRNN:
    """The `nn.Module` of an LRNN; see `LRNN.to_torch`."""
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"Argument 'dtype' must be a floating-point torch.dtype, not {dtype!r}.")
    lrnn = trimmed(lrnn)
    module = TorchLRNN(structure_of(lrnn)).to(dtype)
    fill(module, lrnn)
    for level, target in zip(lrnn.levels, module.levels(), strict=True):
        assert isinstance(target, TorchLevel)
        fill_cell(target.cell, level.layer)
        for parameter, words in zip(target.decoder.codewords, level.layer.codewords, strict=True):
            set_weight(parameter, floats(words).reshape(len(words), -1))
    return module


def fill(module: TorchLRNN, lrnn: LRNN) -> None:
    """Set all weights but those of recurrences and decoders from a trimmed LRNN."""
    set_weight(module.embedding.weight, np.eye(module.structure["classes"])[lrnn.letter_class])
    for level, target in zip(lrnn.levels, module.levels(), strict=True):
        set_weight(target.action.weight, np.eye(level.layer.n_actions)[level.action].T)
        fill_pairs(target.wiring, level.next if target.shifted else folded(level))
        if target.shifted:
            fill_pairs(target.coordinate, level.layer.readout[:, :, 1])
            target.get_buffer("initial")[level.layer.initial] = 1
    for table, target in zip(lrnn.combine, module.combine, strict=True):
        assert isinstance(target, Pairs)
        fill_pairs(target, table)
    set_weight(module.output.weight, np.eye(len(lrnn.output_symbols))[lrnn.output].T)


def structure_of(lrnn: LRNN) -> dict[str, Any]:
    """Names and sizes of a trimmed LRNN's module, as plain data."""
    combine = [
        [*table.shape, len(units_of(table)[1]), int(table.max()) + 1] for table in lrnn.combine
    ]
    for sizes in combine:
        check_pairs(*sizes)
    return {
        "letters": list(lrnn.letters),
        "output_symbols": list(lrnn.output_symbols),
        "kind": lrnn.kind,
        "empty_output": int(lrnn.empty_output),
        "classes": int(lrnn.letter_class.max()) + 1,
        "heads": [[level_shape(level) for level in head] for head in lrnn.heads],
        "combine": combine,
        "final": len(lrnn.output),
    }


def trimmed(lrnn: LRNN) -> LRNN:
    """The LRNN without contexts that its tables have but nothing leads to.

    Raises:
        ValueError: if the LRNN has an exclusion tail.
    """
    if lrnn.tail is not None:
        raise ValueError(
            "An LRNN with an exclusion tail computes its wiring instead of storing it, and cannot "
            "be exported as a module; compile it with construction 'dense'."
        )
    heads, finals = [], []
    for head in lrnn.heads:
        contexts, levels = int(lrnn.letter_class.max()) + 1, []
        for level in head:
            levels.append(
                replace(level, action=level.action[:contexts], next=level.next[:contexts])
            )
            contexts = int(level.next[:contexts].max()) + 1
        heads.append(tuple(levels))
        finals.append(contexts)
    final, combine = finals[0], []
    for table, contexts in zip(lrnn.combine, finals[1:], strict=True):
        combine.append(table[:final, :contexts])
        final = int(combine[-1].max()) + 1
    return replace(lrnn, heads=tuple(heads), combine=tuple(combine), output=lrnn.output[:final])


def level_shape(level: Level) -> dict[str, Any]:
    """The sizes of a level, as plain data."""
    layer, below = level.layer, int(level.next.max()) + 1
    match layer.transition:
        case Householder() as t:
            kind, factors = "householder", int(t.factors.max(initial=0))
        case Diagonal():
            kind, factors = "diagonal", 0
        case Dense():
            kind, factors = "dense", 0
    shape = {
        "contexts": len(level.action),
        "actions": layer.n_actions,
        "transition": kind,
        "factors": factors,
        "n": layer.n,
        "d": layer.d,
        "slots": [[len(w), w.shape[1] * w.shape[2]] for w in layer.codewords],
        "reads": level.reads,
        "below": below,
    }
    wiring = level.next if level.reads == "shifted" else folded(level)
    shape["units"] = len(units_of(wiring)[1])
    check_pairs(len(wiring), wiring.shape[1], shape["units"], below)
    if level.reads == "shifted":
        current = layer.readout[:, :, 1]
        shape["size"], shape["coordinate_units"] = layer.size, len(units_of(current)[1])
        check_pairs(len(current), current.shape[1], shape["coordinate_units"], layer.size)
    return shape


def folded(level: Level) -> NDArray[np.int32]:
    """The next context by context and codeword, (contexts, codewords)."""
    which = {"previous": 0, "current": 1}[level.reads]
    coordinate = level.layer.readout[level.action, :, which]
    return np.take_along_axis(level.next, coordinate.astype(np.int64), axis=1)


def floats(array: NDArray[Any]) -> NDArray[np.float64]:
    """Exact numbers as the nearest doubles."""
    return array.astype(np.float64) if array.dtype != object else np.vectorize(float)(array)


def fill_cell(cell: Cell, layer: Layer) -> None:
    """Set the weights of a recurrence."""
    match layer.transition:
        case Householder(keys=keys, betas=betas, ptr=ptr):
            keys, betas = floats(keys), floats(betas)
            with torch.no_grad():
                for a, (start, end) in enumerate(pairwise(ptr.tolist())):
                    set_weight(cell.keys[a, : end - start], keys[start:end])
                    set_weight(cell.betas[a, : end - start], betas[start:end])
        case Diagonal(diagonal=diagonal):
            set_weight(cell.diagonal, floats(diagonal))
        case Dense(matrices=matrices):
            set_weight(cell.matrices, floats(matrices))
    set_weight(cell.inputs, floats(layer.b))
    set_weight(cell.h0, floats(layer.h0))


# -------------------------------------------------------------------- and back


def from_torch(module: TorchLRNN) -> LRNN:
    """The LRNN of a module's weights, floats taken for the rationals that they are.

    Raises:
        ValueError: if wiring does not map one-hot vectors to one-hot vectors, as after training.
    """
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
    if not isinstance(level, TorchLevel):
        raise ValueError(
            "A module of flash-linear-attention is not read back as an LRNN; try it on words."
        )
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
    parts = zip(level.decoder.codewords, _rows(shape), strict=True)
    words = tuple(numbers(w).reshape(len(w), rows, shape["d"]) for w, rows in parts)
    count = int(np.prod([len(w) for w in words]))
    readout = np.zeros((cell.inputs.shape[0], count, 2), np.int64)
    size, initial = count, 0
    if level.shifted:
        readout[:, :, 1] = level.coordinate.table()
        size, initial = shape["size"], int(level.get_buffer("initial").argmax())
    else:
        readout += np.arange(count)[:, None]
    layer = Layer(transition, numbers(cell.inputs), numbers(cell.h0), words, readout, size, initial)
    action = one_hot_index("an action", level.action.weight.detach().T)
    reads = "shifted" if level.shifted else "current"
    return Level(layer, action, level.wiring.table(), reads)


def _rows(shape: dict[str, Any]) -> list[int]:
    return [m // shape["d"] for _, m in shape["slots"]]
