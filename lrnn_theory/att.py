"""The text format of AT&T's FSM library and of OpenFst: acceptors (DFA) and transducers (Mealy).

    0 1 a        from state 0 to state 1 by the letter a; the first line begins in the initial state
    0 1 a x      the same with output x
    1            state 1 is final

Columns are separated by blanks, so that names have none.  Weights must be 0.  In a transducer all
states are final, or none is listed.
"""

from __future__ import annotations

import os

from lrnn_theory.table import Edge, Table, tabulate
from lrnn_theory.textfile import read_text

_EMPTY = ("<eps>", "<epsilon>", "@0@", "@_EPSILON_SYMBOL_@")


def read_att(path: str | os.PathLike[str], *, sink: bool = False) -> Table:
    """The table of the automaton in an AT&T file.

    Raises:
        ValueError: if the file cannot be read, is not a deterministic automaton, or (unless
            `sink`) not a total one.
    """
    text = read_text(path)
    try:
        return parse_att(text, sink=sink)
    except ValueError as error:
        raise ValueError(f"Cannot read {str(path)!r}: {error}") from error


def parse_att(text: str, *, sink: bool = False) -> Table:
    r"""The table of the automaton in an AT&T text; see `read_att`.

    Example:
        >>> parse_att("0 1 a\n1 0 a\n1").accepting.tolist()
        [False, True]
    """
    states: dict[str, None] = {}
    edges: list[Edge] = []
    final: dict[str, None] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        columns = [x for x in line.replace("\t", " ").split(" ") if x]
        match columns:
            case []:
                continue
            case [state] | [state, "0" | "0.0"]:
                final[state] = None
                states[state] = None
            case [source, target, letter, *rest] if len(rest) <= 2 and rest[1:] in ([], ["0"]):
                if letter in _EMPTY or (rest and rest[0] in _EMPTY):
                    raise ValueError(f"line {number}: a move without a letter or output: {line!r}.")
                states |= {source: None, target: None}
                edges.append((source, letter, target, rest[0] if rest else None))
            case _:
                raise ValueError(
                    f"line {number}: expected 'from to letter', 'from to letter output' or "
                    f"'state', without weights, not {line[:80]!r}."
                )
    if not edges:
        raise ValueError("An automaton must have transitions; the file has none.")
    mealy = [output is not None for *_, output in edges]
    if any(mealy) and not all(mealy):
        raise ValueError("Every line of a transition must have an output, or none.")
    if mealy[0] and final and len(final) < len(states):
        state = next(q for q in states if q not in final)
        raise ValueError(f"In a transducer all states must be final, or none; '{state}' is not.")
    return tabulate(
        list(states),
        edges,
        initial=edges[0][0],
        accepting=() if mealy[0] else final,
        sink=sink,
    )


def to_att(table: Table) -> str:
    """The AT&T text of a table; `parse_att` reads it back, letters in the same order.

    Raises:
        ValueError: for a Moore machine, or if a name has blanks or means no letter.
    """
    outputs = table.outputs
    if outputs is not None and outputs.ndim == 1:
        raise ValueError("The AT&T format has no Moore machines: acceptors and transducers only.")
    used = table.letters if outputs is None else (*table.letters, *table.output_symbols)
    for name in used:
        if not name or name in _EMPTY or any(c in " \t\n\r" for c in name):
            raise ValueError(f"The AT&T format cannot write the name {name!r}.")
    lines = []
    n_states = table.delta.shape[1]
    for q in [table.initial, *(q for q in range(n_states) if q != table.initial)]:
        for a, target in enumerate(table.delta[:, q]):
            output = "" if outputs is None else f"\t{table.output_symbols[outputs[a, q]]}"
            lines.append(f"{q}\t{target}\t{table.letters[a]}{output}")
    lines += [str(q) for q in range(n_states) if outputs is not None or table.accepting[q]]
    return "\n".join([*lines, ""])
