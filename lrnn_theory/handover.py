"""The state of a scan as bytes, for another process: any arithmetic, every bit, no code in them.

Floating-point states are their bytes.  Exact numbers are numerators and denominators: integers have
as many digits as they need.  A state of the cast model is a list of terms, each with how often.
"""

from __future__ import annotations

import base64
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.moves import host
from lrnn_theory.scanning import ScanState


def to_bytes(state: ScanState) -> bytes:
    """A state as bytes.

    Example:
        >>> half = ScanState((np.array([[[Fraction(1, 2)]]]),), (), torch.tensor([1]))
        >>> from_bytes(to_bytes(half), half).hidden[0].item()
        Fraction(1, 2)
    """
    parts = (state.hidden, state.shifted, (state.output,))
    return json.dumps([[_packed(host(x)) for x in part] for part in parts]).encode()


def from_bytes(data: bytes, like: ScanState) -> ScanState:
    """A state from its bytes.

    Args:
        data: what `to_bytes` made.
        like: any state of the same network and arithmetic; it says on which device tensors lie.
    """
    parts = (like.hidden, like.shifted, (like.output,))
    hidden, shifted, (output,) = (
        tuple(_placed(_unpacked(x), y) for x, y in zip(own, part, strict=True))
        for own, part in zip(json.loads(data), parts, strict=True)
    )
    return ScanState(hidden, shifted, output)


def _placed(array: NDArray[Any], like: Any) -> Any:
    is_tensor = isinstance(like, torch.Tensor)
    return torch.from_numpy(array).to(like.device) if is_tensor else array


def _packed(array: NDArray[Any]) -> Any:
    if array.dtype == object:
        return [list(array.shape), [_plain(x) for x in array.ravel().tolist()]]
    raw = np.ascontiguousarray(array).tobytes()
    return [list(array.shape), array.dtype.str, base64.b64encode(raw).decode()]


def _unpacked(packed: Any) -> NDArray[Any]:
    shape, *content = packed
    if len(content) == 2:
        kind, text = content
        return np.frombuffer(bytearray(base64.b64decode(text)), kind).reshape(shape)
    array = np.empty(len(content[0]), object)
    for i, plain in enumerate(content[0]):
        array[i] = _number(plain)
    return array.reshape(shape)


def _plain(x: Any) -> Any:
    if isinstance(x, frozenset):
        return {"terms": [[[_plain(y) for y in term], count] for term, count in x]}
    if isinstance(x, Cyclotomic):
        return {"order": x.order, "coefficients": [_plain(c) for c in x.coefficients]}
    if isinstance(x, float):
        return str(x)
    return f"{x:x}" if isinstance(x, int) else [f"{x.numerator:x}", f"{x.denominator:x}"]


def _number(plain: Any) -> Any:
    if isinstance(plain, list):
        return Fraction(*(int(x, 16) for x in plain))
    if isinstance(plain, dict) and "terms" in plain:
        return frozenset((tuple(map(_number, term)), count) for term, count in plain["terms"])
    if isinstance(plain, dict):
        return Cyclotomic(plain["order"], [_number(c) for c in plain["coefficients"]])
    if plain in ("inf", "-inf"):
        return float(plain)
    return math.nan if plain == "nan" else int(plain, 16)
