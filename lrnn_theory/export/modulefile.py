"""Exported modules in safetensors files: their parameters, and names and sizes as JSON.

Nothing is pickled.  A module is first built without memory (on torch's meta device) from the sizes
that the file claims; only if these are the sizes of the tensors in the file are they taken over.
So a file never costs more memory than a small multiple of its size.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lrnn_theory.arguments import check_type
from lrnn_theory.export.fla_module import FlaLRNN
from lrnn_theory.export.torch_module import Kind, TorchLRNN
from lrnn_theory.storage import MODULE, check_size
from lrnn_theory.textfile import write_atomically

VERSION = 1
_DO_NOT_FIT = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What torch, and layers that are built for them, make of sizes that do not fit."""


def save_module(module: TorchLRNN, path: str | os.PathLike[str]) -> None:
    """Write a module; the file appears whole or not at all."""
    check_type("module", module, TorchLRNN)
    text = json.dumps(module.structure)
    tensors = {k: v.detach().cpu().contiguous() for k, v in module.state_dict().items()}
    metadata = {
        "format": MODULE,
        "version": str(VERSION),
        "structure": text,
        "digest": _digest(text, tensors),
    }
    write_atomically(path, save(tensors, metadata))


def load_module(path: str | os.PathLike[str]) -> TorchLRNN:
    """Read a module that `save_module` wrote.

    Raises:
        ValueError: if the file is missing, truncated, edited, too large or of another version.
        ImportError: if it runs in flash-linear-attention, which is not installed.
    """
    metadata, tensors = read_tensors(path)
    if metadata.get("format") != MODULE:
        raise ValueError(f"Module file '{path}' was not exported by lrnn-theory.")
    if metadata.get("version") != str(VERSION):
        raise ValueError(
            f"Module file '{path}' has version {metadata.get('version')}, expected {VERSION}."
        )
    text = metadata.get("structure", "")
    if metadata.get("digest") != _digest(text, tensors):
        raise ValueError(f"Module file '{path}' was changed: its digest does not match.")
    try:
        module = module_of(json.loads(text), tensors)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"Module file '{path}' is malformed: {error}.") from error
    return module.eval()


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and tensors of a safetensors file.

    Raises:
        ValueError: if it is missing, truncated or too large.
    """
    try:
        check_size(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, tensors
    except OSError as error:
        raise ValueError(f"Cannot read module file '{path}': {error.strerror or error}.") from None
    except SafetensorError as error:
        raise ValueError(f"Module file '{path}' is no whole safetensors file: {error}.") from None


def module_of(structure: Any, tensors: dict[str, Tensor]) -> TorchLRNN:
    """The module of a structure and tensors that may not belong together.

    Raises:
        ValueError: if they do not.
    """
    try:
        if len({t.dtype for t in tensors.values()}) > 1 or not all(
            t.is_floating_point() for t in tensors.values()
        ):
            raise ValueError("its tensors are not all of one floating-point type")
        _check_names(structure)
        kind = FlaLRNN if "target" in structure else TorchLRNN
        if any(_hollow(name, tensor.shape) for name, tensor in tensors.items()):
            raise ValueError("one of its sizes is 0")
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about sizes that are 0
            module = kind(structure)
            # Before anything runs: loops are as long as tensors are large.
            if {k: x.shape for k, x in module.state_dict().items()} != {
                k: x.shape for k, x in tensors.items()
            }:
                raise ValueError("its tensors are not those of its structure")
            # Whether all sizes fit together; of the factors one is enough.
            TorchLRNN(_of_one_factor(structure))(torch.zeros(1, 2, dtype=torch.int64))
        module.load_state_dict(tensors, strict=True, assign=True)
    except _DO_NOT_FIT as e:
        line = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise ValueError(line[:200].rstrip(".")) from e
    return module


def _check_names(structure: dict[str, Any]) -> None:
    for key in ("letters", "output_symbols"):
        names = structure[key]
        if not isinstance(names, list) or not all(isinstance(x, str) for x in names):
            raise ValueError(f"its {key} must be a list of names, not {names!r:.80}")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"its {key} must be distinct names, not {names!r:.80}")
    kind, empty = structure["kind"], structure["empty_output"]
    if kind not in get_args(Kind):
        raise ValueError(f"its kind must be one of {', '.join(get_args(Kind))}, not {kind!r:.80}")
    if kind == "dfa" and structure["output_symbols"] != ["0", "1"]:
        raise ValueError("its output_symbols must be '0', '1', those of a dfa")
    least = -1 if kind == "mealy" else 0
    if type(empty) is not int or not least <= empty < len(structure["output_symbols"]):
        raise ValueError(f"its output for the empty word is out of range: {empty!r:.80}")


def _hollow(name: str, shape: torch.Size) -> bool:
    """Whether a tensor is empty; only the number of factors may be 0."""
    factors = name.endswith((".cell.keys", ".cell.betas"))
    return 0 in (shape[:1] + shape[2:] if factors else shape)


def _of_one_factor(structure: dict[str, Any]) -> dict[str, Any]:
    heads = [
        [level | {"factors": min(1, level["factors"])} for level in head]
        for head in structure["heads"]
    ]
    return structure | {"heads": heads}


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
