"""Plain transition tables: what every reader returns, every writer takes, and their checks.

A `Table` holds the fields of an `Automaton`, so that the readers and writers (`regex`,
`interchange`, `dot`) need not import the class that they are for.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_TABLE_ENTRIES = 30_000_000
"""Largest accepted number of letters times states: 120 MB of transitions, 2 GB to minimise."""

UNDEFINED = "undefined"
"""Output of a Moore or Mealy machine in, and on the way to, the sink that completes it."""

Edge = tuple[Hashable, str, Hashable, str | None]
"""A transition by names: state, letter, next state, and the output of a Mealy machine."""


class Table(NamedTuple):
    """The fields of an `Automaton`, in its order; -1 in `delta` is a missing transition."""

    delta: NDArray[np.int32]
    initial: int
    accepting: NDArray[np.bool_]
    letters: tuple[str, ...]
    outputs: NDArray[np.int32] | None = None
    output_symbols: tuple[str, ...] = ("0", "1")


def check_size(n_letters: int, n_states: int) -> None:
    """Raise ValueError if a table of letters x states is larger than `MAX_TABLE_ENTRIES`."""
    if n_letters * n_states > MAX_TABLE_ENTRIES:
        raise ValueError(
            f"An automaton may have at most {MAX_TABLE_ENTRIES} table entries (letters x states; "
            f"raise lrnn_theory.table.MAX_TABLE_ENTRIES for more), not "
            f"{n_letters} x {n_states}."
        )


def shown(names: Collection[Any], limit: int = 12) -> str:
    """A short list of names for messages."""
    head = " ".join(str(name) for name, _ in zip(names, range(limit), strict=False))
    return head if len(names) <= limit else f"{head} ... ({len(names)} in all)"


def checked(table: Table) -> Table:
    """A read-only copy of a table, after the checks that `Automaton` documents.

    Raises:
        TypeError: if `initial` is not an integer.
        ValueError: if shapes disagree, an index is out of range, or names repeat.
    """
    delta = _integers("delta", table.delta)
    if delta.ndim != 2 or 0 in delta.shape:
        raise ValueError(
            f"Argument 'delta' must have shape (letters, states) with at least one letter "
            f"and one state, not {delta.shape}."
        )
    n_letters, n_states = delta.shape
    check_size(n_letters, n_states)
    letters = _names("letters", table.letters)
    if len(letters) != n_letters or "" in letters:
        raise ValueError(
            f"Argument 'letters' must hold {n_letters} non-empty names, one for each row of "
            f"'delta', not {len(letters)}: {shown(letters)}."
        )
    initial = table.initial
    if not isinstance(initial, (int, np.integer)) or isinstance(initial, bool):
        raise TypeError(f"Argument 'initial' must be an integer, not {initial!r}.")
    if not 0 <= initial < n_states:
        raise ValueError(f"Argument 'initial' must be a state in 0..{n_states - 1}, not {initial}.")
    accepting = np.array(table.accepting)
    if accepting.shape != (n_states,) or accepting.dtype != np.bool_:
        raise ValueError(
            f"Argument 'accepting' must hold {n_states} booleans, "
            f"not {accepting.dtype} of shape {accepting.shape}."
        )
    symbols = _names("output_symbols", table.output_symbols)
    outputs = None
    if table.outputs is not None:
        outputs = _integers("outputs", table.outputs)
        if outputs.shape not in ((n_states,), (n_letters, n_states)):
            raise ValueError(
                f"Argument 'outputs' must have shape ({n_states},) or "
                f"({n_letters}, {n_states}), not {outputs.shape}."
            )
        outputs = _indices("outputs", outputs, len(symbols))
        if accepting.any():
            raise ValueError("Argument 'accepting' must be all False for a machine with outputs.")
    elif symbols != ("0", "1"):
        raise ValueError(
            f"Argument 'output_symbols' must be '0' and '1' for a DFA, not {shown(symbols)}."
        )
    accepting.flags.writeable = False
    delta = _indices("delta", delta, n_states)
    return Table(delta, int(initial), accepting, letters, outputs, symbols)


def array_table(
    delta: ArrayLike,
    accepting: Any,
    initial: int,
    letters: Iterable[str] | None,
    outputs: ArrayLike | None,
    output_symbols: Iterable[str] | None,
    *,
    sink: bool,
) -> Table:
    """A table from array-likes, with the defaults that `Automaton.from_table` documents."""
    next_state = _integers("delta", delta)
    if next_state.ndim != 2:
        raise ValueError(
            f"Argument 'delta' must have shape (letters, states), not {next_state.shape}."
        )
    n_letters, n_states = next_state.shape
    check_size(n_letters, n_states)
    if next_state.size and next_state.min() < -1:
        raise ValueError(f"Argument 'delta' must hold states, or -1, not {next_state.min()}.")
    if letters is None:
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        letters = alphabet[:n_letters] if n_letters <= 26 else (f"a{i}" for i in range(n_letters))
    output = None if outputs is None else _integers("outputs", outputs)
    if output_symbols is None:
        largest = 1 if output is None else int(output.max(initial=0))
        output_symbols = map(str, range(largest + 1))
    table = Table(
        next_state,
        initial,
        _accepting(accepting, n_states),
        tuple(letters),
        output,
        tuple(output_symbols),
    )
    return complete(table, sink)


def tabulate(
    states: Sequence[Hashable],
    edges: Sequence[Edge],
    *,
    initial: Hashable,
    accepting: Iterable[Hashable] = (),
    letters: Iterable[str] | None = None,
    state_outputs: Mapping[Any, str] | None = None,
    sink: bool = False,
) -> Table:
    """Number named states and transitions; outputs and default letters by first appearance.

    Raises:
        ValueError: if the edges are not deterministic, not total (unless `sink`), use a letter or
            a state that is not listed, or only some of them have an output.
    """
    names = dict.fromkeys((a for _, a, _, _ in edges) if letters is None else letters)
    row = {a: i for i, a in enumerate(names)}
    column = {q: i for i, q in enumerate(states)}
    if not row:
        raise ValueError("An automaton must have at least one letter; no transition is labelled.")
    check_size(len(row), len(states))
    mealy = any(output is not None for *_, output in edges)
    if mealy and state_outputs is not None:
        raise ValueError("Outputs must be on the states (Moore) or the transitions (Mealy).")
    symbols: dict[str, int] = {}
    delta = np.full((len(row), len(states)), -1, np.int32)
    outputs = np.zeros_like(delta)
    for source, letter, target, output in edges:
        if letter not in row:
            raise ValueError(f"Unknown letter {letter!r}: expected one of {shown(row)}.")
        if mealy and output is None:
            raise ValueError(
                f"Every transition must have an output, or none; that of state '{source}' on "
                f"letter {letter!r} has none."
            )
        at = row[letter], column[source]
        arrow = column[target], 0 if output is None else symbols.setdefault(output, len(symbols))
        if delta[at] >= 0 and (delta[at], outputs[at]) != arrow:
            raise ValueError(
                f"An automaton must be deterministic; state '{source}' has two different "
                f"transitions on letter {letter!r}."
            )
        delta[at], outputs[at] = arrow
    if state_outputs is not None:
        numbers = [symbols.setdefault(state_outputs[q], len(symbols)) for q in states]
        outputs = np.array(numbers, np.int32)
    final = set(accepting)
    table = Table(
        delta=delta,
        initial=column[initial],
        accepting=np.array([q in final for q in states], np.bool_),
        letters=tuple(row),
        outputs=outputs if symbols else None,
        output_symbols=tuple(symbols) or ("0", "1"),
    )
    return complete(table, sink, states)


def complete(table: Table, sink: bool, states: Sequence[Hashable] | None = None) -> Table:
    """Direct missing transitions (-1) to a new last state: rejecting, with output `UNDEFINED`.

    Raises:
        ValueError: if a transition is missing and `sink` is False.
    """
    missing = table.delta < 0
    if not missing.any():
        return table
    n = table.delta.shape[1]
    if not sink:
        state, letter = np.argwhere(missing.T)[0]
        raise ValueError(
            f"An automaton must be total; state '{states[state] if states else state}' has no "
            f"transition on letter {table.letters[letter]!r} ({missing.sum()} missing in all); "
            f"sink=True adds a state for them."
        )
    outputs, symbols = table.outputs, table.output_symbols
    if outputs is not None:
        if UNDEFINED not in symbols:
            symbols = (*symbols, UNDEFINED)
        undefined = symbols.index(UNDEFINED)
        if outputs.shape == missing.shape:
            outputs = np.where(missing, undefined, outputs)
        outputs = _append(outputs, undefined)
    return table._replace(
        delta=_append(np.where(missing, n, table.delta), n),
        accepting=np.append(table.accepting, False),
        outputs=outputs,
        output_symbols=symbols,
    )


def _append(array: NDArray[Any], value: int) -> NDArray[np.int32]:
    """One more state, with the same value for every letter."""
    return np.concatenate([array, np.full_like(array[..., :1], value)], axis=-1)


def _accepting(accepting: Any, n_states: int) -> NDArray[np.bool_]:
    """Booleans from booleans or from a collection of states."""
    values = np.asarray(accepting if isinstance(accepting, np.ndarray) else list(accepting))
    if values.dtype == np.bool_:
        return values
    states = _integers("accepting", values)
    if states.size and not 0 <= states.min() <= states.max() < n_states:
        raise ValueError(
            f"Argument 'accepting' must hold states in 0..{n_states - 1}, not {shown(states)}."
        )
    return np.isin(np.arange(n_states), states)


def _names(name: str, values: Iterable[str]) -> tuple[str, ...]:
    names = tuple(values)
    if not all(isinstance(x, str) for x in names) or len(set(names)) != len(names):
        raise ValueError(f"Argument '{name}' must hold distinct strings, not {shown(names)}.")
    try:
        "".join(names).encode()
    except UnicodeEncodeError:  # half of a pair of surrogates: no file could hold it
        raise ValueError(
            f"Argument '{name}' must hold valid Unicode, not {shown(names)!a}."
        ) from None
    return names


def _integers(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged rows
        raise ValueError(f"Argument '{name}' must be a rectangular array of integers.") from error
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"Argument '{name}' must hold integers, not {array.dtype}.")
    return array


def _indices(name: str, array: NDArray[Any], bound: int) -> NDArray[np.int32]:
    """A read-only copy of an array of indices below a bound."""
    if array.size and not 0 <= array.min() <= array.max() < bound:
        worst = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"Argument '{name}' must hold indices in 0..{bound - 1}, not {worst}.")
    copy = array.astype(np.int32)
    copy.flags.writeable = False
    return copy
