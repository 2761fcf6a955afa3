"""The weights of a torch module from an LRNN."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.export.readout import Pairs, check_pairs, fill_pairs, set_weight, units_of
from lrnn_theory.export.torch_module import Cell, TorchLevel, TorchLRNN
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.transition import Dense, Diagonal, Householder


def to_torch(lrnn: LRNN, dtype: torch.dtype = torch.float32) -> TorchLRNN:
    """The `nn.Module` of an LRNN; see `LRNN.to_torch`."""
    check_dtype(dtype)
    lrnn = trimmed(lrnn)
    module = TorchLRNN(structure_of(lrnn)).to(dtype)
    fill(module, lrnn)
    for level, target in zip(lrnn.levels, module.levels(), strict=True):
        assert isinstance(target, TorchLevel)
        fill_cell(target.cell, level.layer)
        for parameter, words in zip(target.decoder.codewords, level.layer.codewords, strict=True):
            set_weight(parameter, floats(words).reshape(len(words), -1))
    return module


def check_dtype(dtype: torch.dtype) -> None:
    """A type that parameters can have.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"Argument 'dtype' must be a floating-point torch.dtype, not {dtype!r}.")


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
        TypeError: if it is no LRNN.
        ValueError: if the LRNN has an exclusion tail.
    """
    check_type("lrnn", lrnn, LRNN)
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
