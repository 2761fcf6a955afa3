"""Exact arrays in safetensors files: versioned, with a digest, and no code in them.

Integer arrays are stored as they are.  Arrays of fractions and cyclotomic numbers are stored as
the bytes of a JSON list of texts (see `lrnn_theory.cyclotomic.parse_exact`) beside their shape.
The metadata of the file holds a JSON header and a digest of everything.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize, safe_open
from safetensors.numpy import save

from lrnn_theory.cyclotomic import parse_exact
from lrnn_theory.textfile import write_atomically

FORMAT = "lrnn-theory"
VERSION = 1
MODULE = "lrnn-theory module"
"""The format of exported modules (`lrnn_theory.export.modulefile`)."""
MAX_BYTES = 2_000_000_000
"""Largest accepted file."""
MAX_NUMBERS = 10_000_000
"""Most numbers of a file that we did not write; they become exact."""
MAX_ORDER = 10_000
"""Largest order of a root of unity in a file; a number takes as many coefficients."""
COEFFICIENTS_PER_BYTE = 50
"""Likewise, coefficients of all numbers of an array by bytes of its text."""

Tensors = dict[str, NDArray[Any]]


def write(path: str | os.PathLike[str], header: dict[str, Any], tensors: Tensors) -> None:
    """Write a header and exact arrays; the file appears whole or not at all."""
    stored: Tensors = {}
    for name, array in tensors.items():
        if array.dtype != object:
            stored[name] = np.ascontiguousarray(array)
            continue
        text = json.dumps([str(x) for x in array.ravel().tolist()])
        stored[name + ".exact"] = np.frombuffer(text.encode(), np.uint8)
        stored[name + ".shape"] = np.array(array.shape, np.int64)
    text = json.dumps(header)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "header": text,
        "digest": _digest(text, stored),
    }
    write_atomically(path, save(stored, metadata))


def check_size(path: str | os.PathLike[str]) -> None:
    """That a file may be mapped or read.

    Raises:
        ValueError: if it is no regular file, or has more than `MAX_BYTES`.
        OSError: if it is not there.
    """
    if not Path(path).is_file() and Path(path).exists():
        raise ValueError(f"Cannot read '{path}': it is no regular file.")
    if Path(path).stat().st_size > MAX_BYTES:
        raise ValueError(f"Cannot read '{path}': it is larger than {MAX_BYTES} bytes.")


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """Read what `write` wrote.

    Raises:
        ValueError: if the file is missing, too large, truncated, edited or of another version.
    """
    try:
        check_size(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise ValueError(f"Cannot read weight file '{path}': {error.strerror or error}.") from None
    except SafetensorError as error:
        raise ValueError(f"Weight file '{path}' is no whole safetensors file: {error}.") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(f"Weight file '{path}' was not written by lrnn-theory.")
    if metadata.get("version") != str(VERSION):
        raise ValueError(
            f"Weight file '{path}' has version {metadata.get('version')}, expected {VERSION}."
        )
    text = metadata.get("header", "")
    if metadata.get("digest") != _digest(text, stored):
        raise ValueError(f"Weight file '{path}' was changed: its digest does not match.")
    tensors = {name: array for name, array in stored.items() if not name.endswith(_TEXT)}
    try:
        header = json.loads(text)
        for name in stored:
            if name.endswith(".exact"):
                base = name.removesuffix(".exact")
                tensors[base] = _parse(stored[name], stored[base + ".shape"])
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"Weight file '{path}' is malformed: {error}.") from None
    if not isinstance(header, dict):
        raise ValueError(f"Weight file '{path}' is malformed: its header is no JSON object.")
    return header, tensors


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that `write` wrote it; True for what is no safetensors file at all."""
    metadata = _metadata(path)
    return metadata.get("format") == FORMAT or "letters" not in metadata


def format_of(path: str | os.PathLike[str]) -> str | None:
    """What the metadata of a file name its format; None if nothing does."""
    return _metadata(path).get("format")


def _metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}  # `read` says what is wrong


def read_foreign(path: str | os.PathLike[str]) -> tuple[dict[str, str], Tensors]:
    """Metadata and tensors of any safetensors file of numbers, floats as float64.

    Raises:
        ValueError: if it holds more than `MAX_NUMBERS` numbers, or other types.
    """
    check_size(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    tensors: Tensors = {}
    total = 0
    for name, tensor in deserialize(Path(path).read_bytes()):
        total += (size := int(np.prod(tensor["shape"], dtype=object)))
        if total > MAX_NUMBERS:
            raise ValueError(f"it holds more than {MAX_NUMBERS} numbers")
        if tensor["dtype"] not in _TYPES:
            raise ValueError(f"tensor '{name}' is of type {tensor['dtype']}")
        array = np.frombuffer(tensor["data"], _TYPES[tensor["dtype"]], size)
        if tensor["dtype"] == "BF16":  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        array = array.astype(np.float64) if array.dtype.kind == "f" else array.astype(np.int64)
        tensors[name] = array.reshape(tensor["shape"])
    return metadata, tensors


_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U8": "<u1",
}  # fmt: skip
_TEXT = (".exact", ".shape")
_ORDER = re.compile(r"z(\d{1,9})")


def _parse(text: NDArray[Any], shape: NDArray[Any]) -> NDArray[Any]:
    values = json.loads(text.tobytes())
    distinct = dict.fromkeys(values)
    # A short text must not cost much: "1 z99991^1 + 1 z99989^1" has 10^10 coefficients.
    left = COEFFICIENTS_PER_BYTE * text.size + MAX_ORDER
    for value in distinct:
        orders = {int(n) for n in _ORDER.findall(value)}
        order = lcm(*orders) if max(orders, default=1) <= MAX_ORDER else MAX_ORDER + 1
        left -= order
        if order > MAX_ORDER or left < 0:
            raise ValueError(f"roots of unity of too high an order: {value[:80]!r}")
    exact = {value: parse_exact(value) for value in distinct}
    array = np.empty(len(values), object)
    for i, value in enumerate(values):
        array[i] = exact[value]
    return array.reshape(tuple(shape.tolist()))


def _digest(text: str, stored: Tensors) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(stored):
        array = stored[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
