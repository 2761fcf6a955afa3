"""`scan`: an LRNN run on words, by the fastest way that gives the bits of the plain one."""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

import numpy as np
import torch

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.moves import Summaries
from lrnn_theory.scanning import (
    FastScan,
    Machine,
    Outputs,
    ScanState,
    UnsupportedError,
    read,
)

Backend = Literal["reference", "compiled", "triton"]

_STEP, _LETTER = 5e-5, 5e-8
"""Seconds that the reference takes for a letter of all words, and for each of them."""
_TAIL_LETTER, _TAIL_CONTEXT = 1e-4, 1e-5
"""The same for each letter that a tail reads, and for each of its first contexts at the start."""
_SHORT = 0.1
"""Seconds of the reference that are not worth compiling for."""
_MOST = 64
"""Prepared scans that are kept, the last ones used."""
_prepared: dict[tuple[LRNN, str, Arithmetic, torch.device], FastScan | str] = {}


def scan(
    lrnn: LRNN,
    tokens: Any,
    arithmetic: str | Arithmetic = "float32",
    *,
    initial: ScanState | None = None,
    lengths: Any = None,
    outputs: Outputs = "all",
    device: torch.device | str | None = None,
    return_state: bool = False,
    backend: Backend | None = None,
) -> Any:
    """Run an LRNN on a batch of words; a state is taken through every letter of a word.

    Args:
        lrnn: the network.
        tokens: letter indices, an integer tensor or array of shape (batch, time).
        arithmetic: the format and rounding semantics, such as "bfloat16"; see
            `lrnn_theory.arithmetic`.
        initial: a state to continue from (streaming), as returned with `return_state`.
        lengths: the length of every word, (batch,); the rest of its row is ignored.
        outputs: "all" for the output after every letter, "last" for the one after each word,
            "bits" for acceptance after every letter in one bit each.
        device: where to compute; by default where `tokens` lies.
        return_state: also return the state reached.
        backend: "reference", the plain loop; "compiled" code on the CPU; or "triton" kernels on a
            GPU.  All give the same bits.  By default the fastest.

    Returns:
        Output indices, int64: (batch, time), with -1 past the end of a word, or (batch,).
        Acceptance is 0 or 1; otherwise indices into `lrnn.output_symbols`.  As bits: (batch,
        bytes), uint8, bit t % 8 from the lowest of byte t // 8 for letter t, 0 past the end.  With
        `return_state`, a pair (outputs, ScanState).

    Raises:
        ValueError: if a token is no letter index, a length is out of range, shapes disagree, or
            the backend cannot run the network in this arithmetic, or there is no such device.
        TypeError: if the tokens are not integers.

    Example:
        >>> from constructions import compile_dfa
        >>> scan(compile_dfa("(0|10*1)*"), [[1, 0, 1]]).tolist()
        [[0, 0, 1]]
    """
    check_type("lrnn", lrnn, LRNN)
    arithmetic = Arithmetic.parse(arithmetic)
    tokens = token_tensor(tokens)
    if outputs not in get_args(Outputs):
        raise ValueError(f"Argument 'outputs' must be 'all', 'last' or 'bits', not {outputs!r}.")
    if outputs == "bits" and lrnn.kind != "dfa":
        raise ValueError("Argument 'outputs' may be 'bits' where words are accepted or not only.")
    if backend is not None and backend not in get_args(Backend):
        raise ValueError(f"Argument 'backend' must be one of {get_args(Backend)}, not {backend!r}.")
    here = device is None and tokens.is_cuda  # there is such a device, then
    place = tokens.device if here else _place(tokens.device if device is None else device)
    ends = _lengths(lengths, *tokens.shape)
    if initial is not None and (
        len(initial.output) != len(tokens) or len(initial.hidden) != len(lrnn.widths)
    ):
        raise ValueError("Argument 'initial' must come from the same LRNN and the same batch size.")
    found = None
    if backend != "reference":
        keeps_state = initial is not None or return_state
        fast = _prepare(lrnn, arithmetic, tokens, place, keeps_state, backend)
        if fast is not None:
            if not fast.checks(tokens, ends):
                _check_range(tokens, ends, len(lrnn.letters))
            try:
                here = None if ends is None else ends.to(place)
                found = fast.run(tokens.to(place), here, initial, outputs, return_state)
            except UnsupportedError as reason:
                _check_range(tokens, ends, len(lrnn.letters))
                if backend is not None:
                    raise _cannot(backend, arithmetic, reason) from None
    if found is None:
        _check_range(tokens, ends, len(lrnn.letters))
        machine = Machine(lrnn, arithmetic, place)
        rows = tokens.to(place).long().clamp(0, len(lrnn.letters) - 1).T
        state = machine.start(len(tokens)) if initial is None else initial
        found = read(machine, rows, None if ends is None else ends.to(place), state, outputs)
    return found if return_state else found[0]


def _prepare(
    lrnn: LRNN,
    arithmetic: Arithmetic,
    tokens: torch.Tensor,
    place: torch.device,
    keeps_state: bool,
    backend: Backend | None,
) -> FastScan | None:
    """A fast scan, if there is one and it pays.

    Raises:
        ValueError: if it was asked for, and there is none.
    """
    wanted = backend or _fast_on(place)
    if keeps_state and arithmetic.order != "sequential":
        return _unless_asked_for(backend, arithmetic, "its state is that of its order")
    if (wanted == "compiled") != (place.type == "cpu") and not _interpreted(wanted):
        return _unless_asked_for(backend, arithmetic, f"it does not run on '{place}'")
    known = (lrnn, wanted, arithmetic, place) in _prepared
    if backend is None and not known and _seconds(lrnn, *tokens.shape) < _SHORT:
        return None
    found = _kept(wanted, lrnn, arithmetic, place)
    return _unless_asked_for(backend, arithmetic, found) if isinstance(found, str) else found


def summaries(
    lrnn: LRNN, arithmetic: str | Arithmetic, device: torch.device | str = "cpu"
) -> Summaries:
    """What sums up stretches of letters of a network whose states of all orders are the same.

    Raises:
        UnsupportedError: if there are no summaries; the message says why.

    Example:
        >>> from constructions import compile_dfa
        >>> of_parity = summaries(compile_dfa("(0|10*1)*"), "bfloat16")
        >>> of_parity.moves(torch.tensor([[1, 0, 1, 1]])).names.tolist()
        [[-1]]
    """
    arithmetic, place = Arithmetic.parse(arithmetic), _place(device)
    if arithmetic.order != "sequential":
        raise UnsupportedError(f"a state in '{arithmetic}' is that of its order")
    found = _kept(_fast_on(place), lrnn, arithmetic, place)
    stretches = found if isinstance(found, str) else found.stretches
    if isinstance(stretches, str):
        raise UnsupportedError(stretches)
    return stretches


def runs_compiled(lrnn: LRNN, arithmetic: str | Arithmetic) -> bool:
    """Whether `scan` takes states through long words in compiled code on a CPU."""
    arithmetic = Arithmetic.parse(arithmetic)
    if arithmetic.order != "sequential":
        return False
    return not isinstance(_kept("compiled", lrnn, arithmetic, torch.device("cpu")), str)


def _seconds(lrnn: LRNN, batch: int, time: int) -> float:
    """About how long the reference takes."""
    seconds = time * (_STEP * len(lrnn.widths) + batch * _LETTER)
    if lrnn.tail is not None:
        seconds += time * batch * _TAIL_LETTER + len(lrnn.tail.contexts) * _TAIL_CONTEXT
    return seconds


def _fast_on(place: torch.device) -> str:
    return "triton" if place.type == "cuda" else "compiled"


def _kept(wanted: str, lrnn: LRNN, arithmetic: Arithmetic, place: torch.device) -> FastScan | str:
    """A fast scan, prepared now or before, or why there is none."""
    key = lrnn, wanted, arithmetic, place
    found = _prepared.pop(key, None)
    if found is None:
        try:
            found = _make(wanted, lrnn, arithmetic, place)
        except UnsupportedError as reason:
            found = str(reason)
        for oldest in list(_prepared)[: max(0, len(_prepared) + 1 - _MOST)]:
            del _prepared[oldest]
    _prepared[key] = found
    return found


def _make(wanted: str, lrnn: LRNN, arithmetic: Arithmetic, place: torch.device) -> FastScan:
    if wanted == "compiled":
        from lrnn_theory.compiled.scan import CompiledScan

        return CompiledScan(lrnn, arithmetic)
    try:
        from lrnn_theory.cuda.scan import GpuScan
    except ImportError as error:
        raise UnsupportedError(f"it needs Triton ({error})") from None
    return GpuScan(lrnn, arithmetic, place)


def _interpreted(wanted: str) -> bool:
    """Whether Triton's kernels run in its interpreter, on the CPU."""
    return wanted == "triton" and os.environ.get("TRITON_INTERPRET") == "1"


def _unless_asked_for(backend: Backend | None, arithmetic: Arithmetic, reason: str) -> None:
    if backend is not None:
        raise _cannot(backend, arithmetic, reason)


def _cannot(backend: Backend, arithmetic: Arithmetic, reason: object) -> ValueError:
    return ValueError(f"Backend '{backend}' cannot run this in '{arithmetic}': {reason}.")


def _place(device: torch.device | str) -> torch.device:
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        place = None
    if place is None or not (
        place.type == "cpu" or (place.type == "cuda" and torch.cuda.is_available())
    ):
        raise ValueError(f"Argument 'device' must be 'cpu' or a CUDA device here, not '{device}'.")
    return place


def token_tensor(tokens: Any) -> torch.Tensor:
    """Letter indices as a tensor, of a type that torch computes with; shared where it can be.

    Raises:
        ValueError: if they are not of shape (batch, time).
        TypeError: if they are not integers.
    """
    if isinstance(tokens, np.ndarray) and not tokens.flags.writeable:
        tokens = tokens.copy()
    try:
        tokens = torch.as_tensor(tokens)
    except (RuntimeError, TypeError, ValueError):
        kind = type(tokens).__name__
        raise TypeError(
            f"Argument 'tokens' must be integers of shape (batch, time), not a {kind}."
        ) from None
    if tokens.dtype.is_floating_point or tokens.dtype.is_complex or tokens.dtype == torch.bool:
        if tokens.numel():
            raise TypeError(f"Argument 'tokens' must hold integers, not {tokens.dtype}.")
        tokens = tokens.long()
    if tokens.ndim != 2:
        raise ValueError(
            f"Argument 'tokens' must have shape (batch, time), not {tuple(tokens.shape)}."
        )
    if tokens.dtype in (torch.uint16, torch.uint32, torch.uint64):  # torch knows little of these
        return tokens.long()
    return tokens


def _lengths(lengths: Any, batch: int, time: int) -> torch.Tensor | None:
    if lengths is None:
        return None
    ends = torch.as_tensor(lengths, device="cpu")
    if ends.shape != (batch,) or (ends.dtype.is_floating_point and batch):
        raise ValueError(f"Argument 'lengths' must hold {batch} integers.")
    if batch and not 0 <= int(ends.min()) <= int(ends.max()) <= time:
        raise ValueError(f"Argument 'lengths' must be in 0..{time}.")
    return ends.long()


def _check_range(tokens: torch.Tensor, ends: torch.Tensor | None, n_letters: int) -> None:
    """Letters must be in range; past the end of a word anything goes."""
    if not tokens.numel():
        return
    low, high = (int(x) for x in torch.aminmax(tokens))
    if (low < 0 or high >= n_letters) and ends is not None:
        within = torch.arange(tokens.shape[1]) < ends[:, None]
        valid = tokens.cpu()[within]
        low, high = (int(valid.min()), int(valid.max())) if valid.numel() else (0, 0)
    if low < 0 or high >= n_letters:
        raise ValueError(
            f"Argument 'tokens' must hold letter indices in 0..{n_letters - 1}, not {low}..{high}."
        )
