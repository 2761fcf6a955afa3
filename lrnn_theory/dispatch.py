"""`scan`: an LRNN run on words, by the fastest way that gives the bits of the plain one."""

from __future__ import annotations

from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import Machine, ScanState, read

Backend = Literal["reference", "compiled"]

_STEP, _LETTER = 5e-5, 5e-8
"""Seconds that the reference takes for a letter of all words, and for each of them."""
_SHORT = 0.1
"""Seconds of the reference that are not worth compiling for."""
_prepared: WeakKeyDictionary[LRNN, dict[tuple[str, Arithmetic], Any]] = WeakKeyDictionary()


def scan(
    lrnn: LRNN,
    tokens: Any,
    arithmetic: str | Arithmetic = "float32",
    *,
    initial: ScanState | None = None,
    lengths: Any = None,
    outputs: Literal["all", "last"] = "all",
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
        outputs: "all" for the output after every letter, "last" for the one after each word.
        device: where to compute; by default where `tokens` lies.
        return_state: also return the state reached.
        backend: "reference", the plain loop, or "compiled" code on the CPU; all give the same
            bits.  By default the fastest.

    Returns:
        Output indices, int64: (batch, time), with -1 past the end of a word, or (batch,).
        Acceptance is 0 or 1; otherwise indices into `lrnn.output_symbols`.  With `return_state`,
        a pair (outputs, ScanState).

    Raises:
        ValueError: if a token is no letter index, a length is out of range, shapes disagree, or
            the backend cannot run the network in this arithmetic.
        TypeError: if the tokens are not integers.

    Example:
        >>> from constructions import compile_dfa
        >>> scan(compile_dfa("(0|10*1)*"), [[1, 0, 1]]).tolist()
        [[0, 0, 1]]
    """
    arithmetic = Arithmetic.parse(arithmetic)
    tokens = _tokens(tokens)
    if outputs not in ("all", "last"):
        raise ValueError(f"Argument 'outputs' must be 'all' or 'last', not {outputs!r}.")
    if backend not in (None, "reference", "compiled"):
        raise ValueError(f"Argument 'backend' must be 'reference' or 'compiled', not {backend!r}.")
    place = tokens.device if device is None else torch.device(device)
    ends = _lengths(lengths, *tokens.shape)
    _check_range(tokens, ends, len(lrnn.letters))
    if initial is not None and (
        len(initial.output) != len(tokens) or len(initial.hidden) != len(lrnn.widths)
    ):
        raise ValueError("Argument 'initial' must come from the same LRNN and the same batch size.")
    every = outputs == "all"
    found = None
    keeps_state = initial is not None or return_state
    if backend != "reference":
        compiled = _compiled(lrnn, arithmetic, tokens.shape, place, keeps_state, backend)
        if compiled is not None:
            found = _run_compiled(compiled, tokens, ends, initial, every, backend)
    if found is None:
        machine = Machine(lrnn, arithmetic, place)
        rows = tokens.to(place).long().clamp(0, len(lrnn.letters) - 1).T
        state = machine.start(len(tokens)) if initial is None else initial
        found = read(machine, rows, None if ends is None else ends.to(place), state, every)
    return found if return_state else found[0]


def _compiled(
    lrnn: LRNN,
    arithmetic: Arithmetic,
    shape: tuple[int, int],
    place: torch.device,
    keeps_state: bool,
    backend: Backend | None,
) -> Any:
    """The compiled scan, if there is one and it pays.

    Raises:
        ValueError: if it was asked for, and there is none.
    """
    known = _prepared.setdefault(lrnn, {})
    key = "compiled", arithmetic
    reason = ""
    if place.type != "cpu":
        reason = f"compiled code runs on the CPU, not on '{place}'"
    elif keeps_state and arithmetic.order != "sequential":
        reason = f"the state of '{arithmetic}' is that of its order"
    elif backend is None and key not in known:
        batch, time = shape
        if time * (_STEP * len(lrnn.widths) + batch * _LETTER) < _SHORT:
            return None
    if not reason and key not in known:
        from lrnn_theory.compiled.scan import CompiledScan, NotCompiledError

        try:
            known[key] = CompiledScan(lrnn, arithmetic)
        except NotCompiledError as error:
            known[key] = str(error)
    found = known.get(key)
    if isinstance(found, str):
        reason = reason or found
    if not reason:
        return found
    if backend is not None:
        raise ValueError(f"Backend 'compiled' cannot run this in '{arithmetic}': {reason}.")
    return None


def _run_compiled(
    compiled: Any,
    tokens: torch.Tensor,
    ends: torch.Tensor | None,
    initial: ScanState | None,
    every: bool,
    backend: Backend | None,
) -> tuple[torch.Tensor, ScanState] | None:
    from lrnn_theory.compiled.scan import NotCompiledError

    lengths = torch.full((len(tokens),), tokens.shape[1]) if ends is None else ends
    try:
        found, state = compiled.run(tokens.cpu().numpy(), lengths.numpy(), initial, every)
    except NotCompiledError as reason:
        if backend is None:
            return None
        raise ValueError(f"Backend 'compiled' cannot run this: {reason}.") from None
    return torch.from_numpy(found), state


def _tokens(tokens: Any) -> torch.Tensor:
    tokens = torch.as_tensor(tokens)
    if tokens.dtype.is_floating_point or tokens.dtype.is_complex or tokens.dtype == torch.bool:
        if tokens.numel():
            raise TypeError(f"Argument 'tokens' must hold integers, not {tokens.dtype}.")
        tokens = tokens.long()
    if tokens.ndim != 2:
        raise ValueError(
            f"Argument 'tokens' must have shape (batch, time), not {tuple(tokens.shape)}."
        )
    return tokens


def _lengths(lengths: Any, batch: int, time: int) -> torch.Tensor | None:
    if lengths is None:
        return None
    ends = torch.as_tensor(lengths, device="cpu")
    if ends.shape != (batch,) or ends.dtype.is_floating_point:
        raise ValueError(f"Argument 'lengths' must hold {batch} integers.")
    if batch and not 0 <= int(ends.min()) <= int(ends.max()) <= time:
        raise ValueError(f"Argument 'lengths' must be in 0..{time}.")
    return ends.long()


def _check_range(tokens: torch.Tensor, ends: torch.Tensor | None, n_letters: int) -> None:
    """Letters must be in range; past the end of a word anything goes."""
    if not tokens.numel():
        return
    low, high = int(tokens.min()), int(tokens.max())
    if (low < 0 or high >= n_letters) and ends is not None:
        within = torch.arange(tokens.shape[1]) < ends[:, None]
        valid = tokens.cpu()[within]
        low, high = (int(valid.min()), int(valid.max())) if valid.numel() else (0, 0)
    if low < 0 or high >= n_letters:
        raise ValueError(
            f"Argument 'tokens' must hold letter indices in 0..{n_letters - 1}, not {low}..{high}."
        )
