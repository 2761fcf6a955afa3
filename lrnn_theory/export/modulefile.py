"""Exported modules in safetensors files: their parameters, and names and sizes as JSON.

Nothing is pickled.  A module is first built without memory (on torch's meta device) from the sizes
that the file claims; only if these are the sizes of the tensors in the file are they taken over.
So a file never costs more memory than a small multiple of its size.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lrnn_theory.export.fla_module import FlaLRNN
from lrnn_theory.export.torch_module import TorchLRNN
from lrnn_theory.storage import MAX_BYTES, MODULE
from lrnn_theory.textfile import write_atomically

VERSION = 1


def save_module(module: TorchLRNN, path: str | os.PathLike[str]) -> None:
    """Write a module; the file appears whole or not at all."""
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
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise ValueError(f"Module file '{path}' is larger than {MAX_BYTES} bytes.")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != MODULE:
                raise ValueError(f"Module file '{path}' was not exported by lrnn-theory.")
            if metadata.get("version") != str(VERSION):
                raise ValueError(
                    f"Module file '{path}' has version {metadata.get('version')}, "
                    f"expected {VERSION}."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise ValueError(f"Cannot read module file '{path}': {error.strerror or error}.") from None
    except SafetensorError as error:
        raise ValueError(f"Module file '{path}' is no whole safetensors file: {error}.") from None
    text = metadata.get("structure", "")
    if metadata.get("digest") != _digest(text, tensors):
        raise ValueError(f"Module file '{path}' was changed: its digest does not match.")
    try:
        if len({t.dtype for t in tensors.values()}) > 1 or not all(
            t.is_floating_point() for t in tensors.values()
        ):
            raise ValueError("its tensors are not all of one floating-point type")
        structure = json.loads(text)
        kind = FlaLRNN if "target" in structure else TorchLRNN
        with torch.device("meta"):
            module = kind(structure)
            # Before anything runs: loops are as long as tensors are large.
            if {k: x.shape for k, x in module.state_dict().items()} != {
                k: x.shape for k, x in tensors.items()
            }:
                raise ValueError("its tensors are not those of its structure")
            if kind is TorchLRNN:  # whether all sizes fit together
                module(torch.zeros(1, 2, dtype=torch.int64))
        module.load_state_dict(tensors, strict=True, assign=True)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        line = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise ValueError(f"Module file '{path}' is malformed: {line[:200]}.") from e
    return module.eval()


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
