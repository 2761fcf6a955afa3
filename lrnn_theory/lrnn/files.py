"""LRNNs in safetensors files: our own exact ones, and layers of a user after a template."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import numpy as np

from lrnn_theory import storage
from lrnn_theory.lrnn.layer import Layer, Level
from lrnn_theory.lrnn.network import LRNN
from lrnn_theory.tail import Tail
from lrnn_theory.transition import Dense, Diagonal, Householder, Transition


def save(lrnn: LRNN, path: str | os.PathLike[str]) -> None:
    """Write the exact weights to a safetensors file; see docs/files.md."""
    tensors: storage.Tensors = {"letter_class": lrnn.letter_class, "output": lrnn.output}
    header = {
        "letters": list(lrnn.letters),
        "kind": lrnn.kind,
        "empty_output": lrnn.empty_output,
        "output_symbols": list(lrnn.output_symbols),
        "construction": lrnn.construction,
        "reason": lrnn.reason,
        "heads": [
            [_put_level(tensors, f"head{i}.level{j}.", level) for j, level in enumerate(head)]
            for i, head in enumerate(lrnn.heads)
        ],
    }
    tensors |= {f"combine{i}": table for i, table in enumerate(lrnn.combine)}
    if lrnn.tail is not None:
        tensors |= {f"tail.{name}": array for name, array in lrnn.tail.arrays().items()}
    storage.write(path, header, tensors)


def load(path: str | os.PathLike[str]) -> LRNN:
    """Read a file that `save` wrote, or a layer after the template of docs/files.md."""
    if not storage.is_ours(path):
        try:
            return _from_template(*storage.read_foreign(path))
        except (KeyError, TypeError, IndexError) as error:
            reason = f"tensor {error} is missing" if isinstance(error, KeyError) else str(error)
        except ValueError as error:
            reason = str(error).rstrip(".")
        raise ValueError(
            f"Weight file '{path}' was not written by lrnn-theory and does not follow its "
            f"template: {reason}."
        )
    header, tensors = storage.read(path)
    tail = {k.removeprefix("tail."): v for k, v in tensors.items() if k.startswith("tail.")}
    try:
        return LRNN(
            letters=tuple(header["letters"]),
            letter_class=tensors["letter_class"],
            heads=tuple(
                tuple(_get_level(tensors, f"head{i}.level{j}.", v) for j, v in enumerate(head))
                for i, head in enumerate(header["heads"])
            ),
            output=tensors["output"],
            empty_output=header["empty_output"],
            combine=tuple(tensors[f"combine{i}"] for i in range(len(header["heads"]) - 1)),
            kind=header["kind"],
            output_symbols=tuple(header["output_symbols"]),
            construction=header["construction"],
            reason=header["reason"],
            tail=Tail.from_arrays(tail) if tail else None,
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"Weight file '{path}' is malformed: {error!r}.") from None


def _from_template(metadata: dict[str, str], tensors: storage.Tensors) -> LRNN:
    """One layer whose actions are its letters, read by the nearest codeword."""
    letters = _names(metadata, "letters")
    symbols = _names(metadata, "output_symbols") if "output_symbols" in metadata else ("0", "1")
    transition: Transition
    if "matrices" in tensors:
        transition = Dense(tensors["matrices"])
    elif "diagonal" in tensors:
        transition = Diagonal(tensors["diagonal"])
    else:
        keys, betas = tensors["keys"], tensors["betas"]
        if keys.ndim != 3 or betas.shape != keys.shape[:2]:
            raise ValueError(
                f"'keys' and 'betas' must be (letters, factors, n) and (letters, factors), "
                f"not {keys.shape} and {betas.shape}"
            )
        ptr = np.arange(len(keys) + 1) * keys.shape[1]
        transition = Householder(keys.reshape(-1, keys.shape[2]), betas.ravel(), ptr)
    if "codewords" in tensors or "outputs" in tensors:
        words, outputs = tensors["codewords"], tensors["outputs"]
    else:  # no readout: every state reads as output 0
        like = tensors.get("initial", np.zeros(transition.n, np.int64))
        words, outputs = np.zeros((1, *like.shape), np.int64), np.zeros(1, np.int64)
    if words.ndim not in (2, 3):
        raise ValueError(f"'codewords' must have shape (codewords, n[, d]), not {words.shape}")
    words = words.reshape(*words.shape[:2], -1)
    k, n, d = words.shape
    b = tensors.get("inputs", np.zeros((len(letters), n, d), np.int64))
    h0 = tensors.get("initial", np.zeros((n, d), np.int64))
    if len(letters) != transition.n_actions or outputs.shape not in ((k,), (len(letters), k)):
        raise ValueError(
            f"{len(letters)} letters, {transition.n_actions} matrices, {k} codewords and 'outputs' "
            f"of shape {outputs.shape} do not fit"
        )
    readout = np.arange(k)[None, :, None].repeat(len(letters), 0).repeat(2, 2)
    b, h0 = b.reshape(len(letters), n, d), h0.reshape(n, d)
    layer = Layer(transition, b, h0, (words,), readout, k, 0)
    start = nearest_codeword(layer)
    layer = replace(layer, initial=start)
    answers = np.broadcast_to(outputs, (len(letters), k))
    kind = metadata.get("kind", "dfa" if symbols == ("0", "1") else "moore")
    if kind not in ("dfa", "moore", "mealy"):
        raise ValueError(f"metadata 'kind' must be dfa, moore or mealy, not {kind!r}")
    empty = -1 if kind == "mealy" else answers[0, start]
    return LRNN(
        letters=letters,
        letter_class=np.arange(len(letters)),
        heads=((Level(layer, np.arange(len(letters)), answers, "current"),),),
        output=np.arange(len(symbols)),
        empty_output=int(metadata.get("empty_output") or empty),
        kind=kind,
        output_symbols=symbols,
    )


def nearest_codeword(layer: Layer) -> int:
    """The codeword nearest to the initial state of a layer of one slot, exactly."""
    gaps = layer.codewords[0].astype(object) - layer.h0.astype(object)
    return int(np.argmin((gaps * gaps).sum(axis=(1, 2))))


def _names(metadata: dict[str, str], key: str) -> tuple[str, ...]:
    try:
        names = json.loads(metadata[key])
    except (KeyError, ValueError):
        names = None
    if not isinstance(names, list) or not all(isinstance(x, str) for x in names):
        raise ValueError(f"metadata '{key}' must be a JSON list of names")
    return tuple(names)


def _put_level(tensors: storage.Tensors, prefix: str, level: Level) -> dict[str, Any]:
    layer = level.layer
    tensors[prefix + "action"], tensors[prefix + "next"] = level.action, level.next
    tensors[prefix + "readout"] = layer.readout
    match layer.transition:
        case Householder(keys=keys, betas=betas, ptr=ptr):
            kind = "householder"
            tensors[prefix + "keys"], tensors[prefix + "betas"] = keys, betas
            tensors[prefix + "ptr"] = ptr
        case Diagonal(diagonal=diagonal):
            kind = "diagonal"
            tensors[prefix + "diagonal"] = diagonal
        case Dense(matrices=matrices):
            kind = "dense"
            tensors[prefix + "matrices"] = matrices
    tensors[prefix + "b"], tensors[prefix + "h0"] = layer.b, layer.h0
    tensors |= {f"{prefix}codewords{i}": words for i, words in enumerate(layer.codewords)}
    return {
        "transition": kind,
        "reads": level.reads,
        "size": layer.size,
        "initial": layer.initial,
        "slots": len(layer.codewords),
    }


def _get_level(tensors: storage.Tensors, prefix: str, header: dict[str, Any]) -> Level:
    transition: Transition
    if header["transition"] == "householder":
        parts = [tensors[prefix + name] for name in ("keys", "betas", "ptr")]
        transition = Householder(*parts)
    elif header["transition"] == "diagonal":
        transition = Diagonal(tensors[prefix + "diagonal"])
    else:
        transition = Dense(tensors[prefix + "matrices"])
    layer = Layer(
        transition,
        tensors[prefix + "b"],
        tensors[prefix + "h0"],
        tuple(tensors[f"{prefix}codewords{i}"] for i in range(header["slots"])),
        tensors[prefix + "readout"],
        header["size"],
        header["initial"],
    )
    return Level(layer, tensors[prefix + "action"], tensors[prefix + "next"], header["reads"])
