"""Automata to and from automata-lib, networkx and JSON, as plain tables.

The JSON format, version 1, is an object with exactly these members:

- `format`: the string `"lrnn-theory automaton"`, and `version`: the number 1;
- `letters`: a list of distinct non-empty strings;
- `initial`: a state; states are the numbers 0, 1, ...;
- `delta`: for every letter a list with the next state of every state;
- for a DFA `accepting`: the list of accepting states;
- for a machine with outputs `output_symbols`: a list of distinct strings, and `outputs`: indices
  into it, a list over the states (Moore), or for every letter a list over the states (Mealy).
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lrnn_theory.arguments import brief
from lrnn_theory.table import Edge, Table, array_table, check_size, shown, tabulate
from lrnn_theory.textfile import read_text

if TYPE_CHECKING:
    import networkx as nx
    from automata.fa.dfa import DFA

FORMAT, VERSION = "lrnn-theory automaton", 1

MAX_SUBSET_STEPS = 10_000_000
"""Largest accepted work of a subset construction, in visits of an NFA state: some seconds."""


def table_of(value: Any) -> Table:
    """The table of an automata-lib DFA or NFA, or of a networkx graph.

    Raises:
        TypeError: if `value` is none of these.
    """
    import networkx as nx
    from automata.fa.dfa import DFA
    from automata.fa.nfa import NFA

    if isinstance(value, DFA):
        return dfa_table(value)
    if isinstance(value, NFA):
        return nfa_table(value)
    if isinstance(value, nx.Graph):
        return graph_table(value)
    raise TypeError(
        f"Cannot make an automaton of {brief(value)}: expected an Automaton, a regex, an "
        f"automata-lib DFA or NFA, or a networkx graph."
    )


# -------------------------------------------------------------------- automata-lib


def dfa_table(dfa: DFA) -> Table:
    """Reachable states breadth first, letters sorted; missing transitions go to a last state."""
    from automata.fa.dfa import DFA

    if not isinstance(dfa, DFA):
        raise TypeError(f"Argument 'dfa' must be an automata-lib DFA, not {type(dfa).__name__}.")
    letters = _sorted_letters(dfa.input_symbols)
    check_size(len(letters), len(dfa.states))
    order, seen = [dfa.initial_state], {dfa.initial_state}
    edges: list[Edge] = []
    for state in order:
        row = dfa.transitions.get(state, {})
        for letter, symbol in letters.items():
            if symbol in row:
                target = row[symbol]
                edges.append((state, letter, target, None))
                if target not in seen:
                    seen.add(target)
                    order.append(target)
    return tabulate(
        order,
        edges,
        initial=dfa.initial_state,
        accepting=dfa.final_states,
        letters=letters,
        sink=True,
    )


def nfa_table(nfa: Any) -> Table:
    """The subset automaton of an automata-lib NFA, subsets breadth first, letters sorted.

    Our own because automata-lib's `DFA.from_nfa` has no bound: the 40-state NFA of "the 39th
    letter from the end is a" would have it build 2^39 subsets.
    """
    from automata.fa.nfa import NFA

    if not isinstance(nfa, NFA):
        raise TypeError(f"Argument 'nfa' must be an automata-lib NFA, not {type(nfa).__name__}.")
    letters = _sorted_letters(nfa.input_symbols)
    states = list(nfa.states)
    words = len(states) // 64 + 1  # a subset is an integer with a bit for every NFA state
    steps = len(letters) * len(states) * words
    _check_steps(steps)
    bit = {q: 1 << i for i, q in enumerate(states)}
    closure = {q: sum(bit[p] for p in _closure(nfa, q)) for q in states}
    moves = []
    for symbol in letters.values():
        targets = [nfa.transitions.get(q, {}).get(symbol, ()) for q in states]
        moves.append([_union(closure[p] for p in some) for some in targets])
    start = closure[nfa.initial_state]
    number = {start: 0}
    order = [start]
    rows: list[list[int]] = []
    for subset in order:
        members = list(_bits(subset))
        steps += len(letters) * len(members) + words
        _check_steps(steps)
        row = []
        for move in moves:
            target = _union(move[i] for i in members)
            if target not in number:
                number[target] = len(order)
                order.append(target)
            row.append(number[target])
        rows.append(row)
    final = _union(bit[q] for q in nfa.final_states)
    return Table(
        delta=np.array(rows, np.int32).reshape(len(order), len(letters)).T,
        initial=0,
        accepting=np.array([subset & final != 0 for subset in order]),
        letters=tuple(letters),
    )


def to_dfa(table: Table) -> DFA:
    """The automata-lib DFA of a table.

    Raises:
        ValueError: if the table has outputs.
    """
    from automata.fa.dfa import DFA

    if table.outputs is not None:
        raise ValueError("Only a DFA can be given to automata-lib, not a machine with outputs.")
    columns = table.delta.T.tolist()
    return DFA(
        states=set(range(len(columns))),
        input_symbols=set(table.letters),
        transitions={
            q: dict(zip(table.letters, column, strict=True)) for q, column in enumerate(columns)
        },
        initial_state=table.initial,
        final_states=set(np.flatnonzero(table.accepting).tolist()),
    )


def _sorted_letters(symbols: Iterable[Any]) -> dict[str, Any]:
    """Input symbols by their names, sorted."""
    symbols = list(symbols)
    letters = {str(a): a for a in sorted(symbols, key=str)}
    if not letters or len(letters) < len(symbols):
        raise ValueError(
            f"An automaton must have at least one letter, with distinct names, "
            f"not {shown(symbols) or 'none'}."
        )
    return letters


def _closure(nfa: Any, state: Hashable) -> set[Hashable]:
    """The states that empty moves reach from a state."""
    order, seen = [state], {state}
    for q in order:
        for p in nfa.transitions.get(q, {}).get("", ()):
            if p not in seen:
                seen.add(p)
                order.append(p)
    return seen


def _union(subsets: Iterable[int]) -> int:
    union = 0
    for subset in subsets:
        union |= subset
    return union


def _bits(subset: int) -> Iterator[int]:
    while subset:
        low = subset & -subset
        yield low.bit_length() - 1
        subset ^= low


def _check_steps(steps: int) -> None:
    if steps > MAX_SUBSET_STEPS:
        raise ValueError(
            f"The subset construction of this NFA takes more than {MAX_SUBSET_STEPS} steps "
            f"(raise lrnn_theory.interchange.MAX_SUBSET_STEPS for more)."
        )


# -------------------------------------------------------------------- networkx


def graph_table(
    g: nx.Graph,
    initial: Hashable = None,
    accepting: Iterable[Hashable] | None = None,
    letters: Iterable[str] | None = None,
    sink: bool = False,
) -> Table:
    """The table of a networkx graph with the attributes that `Automaton.from_graph` documents."""
    import networkx as nx

    if not isinstance(g, nx.Graph):
        raise TypeError(f"Argument 'g' must be a networkx graph, not {type(g).__name__}.")
    if not g.is_directed():
        raise ValueError("Argument 'g' must be a directed graph, not an undirected one.")
    if initial is None:
        initial = g.graph.get("initial")
    if initial is None:
        marked = [q for q, flag in g.nodes(data="initial") if flag]
        if len(marked) != 1:
            raise ValueError(
                f"Argument 'g' must have the attribute 'initial', or one node that has it, "
                f"not {len(marked)}."
            )
        initial = marked[0]
    if accepting is None:
        accepting = [q for q, flag in g.nodes(data="accepting") if flag]
    accepting = list(accepting)
    for state in (initial, *accepting):
        if state not in g:
            raise ValueError(f"Argument 'g' has no node {state!r}.")
    outputs = {q: str(data["output"]) for q, data in g.nodes(data=True) if "output" in data}
    if outputs and len(outputs) < len(g):
        missing = next(q for q in g if q not in outputs)
        raise ValueError(f"Every state must have an output, or none; {missing!r} has none.")
    return tabulate(
        list(g),
        [edge for arrow in g.edges(data=True) for edge in _labelled(*arrow)],
        initial=initial,
        accepting=accepting,
        letters=g.graph.get("letters") if letters is None else letters,
        state_outputs=outputs or None,
        sink=sink,
    )


def to_graph(table: Table) -> nx.MultiDiGraph:
    """The networkx graph of a table, with the attributes that `graph_table` reads."""
    import networkx as nx

    g = nx.MultiDiGraph(initial=table.initial, letters=list(table.letters))
    outputs, symbols = table.outputs, table.output_symbols
    for q, final in enumerate(table.accepting.tolist()):
        if outputs is None:
            g.add_node(q, accepting=final)
        elif outputs.ndim == 1:
            g.add_node(q, output=symbols[outputs[q]])
        else:
            g.add_node(q)
    for q, targets in enumerate(table.delta.T.tolist()):
        for a, target in enumerate(targets):
            key = g.add_edge(q, target, label=table.letters[a])
            if outputs is not None and outputs.ndim == 2:
                g.edges[q, target, key]["output"] = symbols[outputs[a, q]]
    return g


def _labelled(source: Hashable, target: Hashable, data: dict[str, Any]) -> Iterator[Edge]:
    """The transitions of one edge: one for every letter of its label."""
    label, output = data.get("label"), data.get("output")
    labels = label if isinstance(label, (list, tuple)) else [label]
    outputs = output if isinstance(output, (list, tuple)) else [output] * len(labels)
    if len(outputs) != len(labels):
        raise ValueError(
            f"Edge {source!r} -> {target!r} must have one output, or one for each of its "
            f"{len(labels)} letters, not {len(outputs)}."
        )
    for a, x in zip(labels, outputs, strict=True):
        if not isinstance(a, (str, int)):
            raise ValueError(
                f"Edge {source!r} -> {target!r} must have the attribute 'label', a letter or a "
                f"list of letters, not {label!r}."
            )
        yield source, str(a), target, None if x is None else str(x)


# -------------------------------------------------------------------- JSON


def json_table(source: str | os.PathLike[str] | dict[str, Any]) -> Table:
    """The table in a JSON file, JSON text (it begins with "{"), or parsed JSON object.

    Raises:
        ValueError: if the file cannot be read or is not an automaton in the format above.
    """
    if isinstance(source, dict):
        return _json_table(source)
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return _json_table(_parse(source))
    text = read_text(source)
    try:
        return _json_table(_parse(text))
    except ValueError as error:
        raise ValueError(f"Cannot read {str(source)!r}: {error}") from error


def _json_table(document: Any) -> Table:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"Not a JSON automaton: member 'format' must be {FORMAT!r}.")
    if document.get("version") != VERSION:
        raise ValueError(
            f"Not a JSON automaton of version {VERSION}: member 'version' is "
            f"{document.get('version')!r:.40}."
        )
    answer = {"accepting"} if "accepting" in document else {"outputs", "output_symbols"}
    wanted = {"format", "version", "letters", "initial", "delta"} | answer
    if document.keys() != wanted:
        raise ValueError(
            f"A JSON automaton must have the members {shown(sorted(wanted))}, "
            f"not {shown(sorted(document)):.200}."
        )
    _check_list("letters", document["letters"], str)
    _check_list("initial", [document["initial"]], int)
    _check_list("delta", document["delta"], list)
    for row in document["delta"]:
        _check_list("delta", row, int)
    outputs: Any = document.get("outputs")
    if "accepting" in document:
        _check_list("accepting", document["accepting"], int)
    else:
        _check_list("output_symbols", document["output_symbols"], str)
        mealy = type(outputs) is list and all(type(row) is list for row in outputs)
        for row in outputs if mealy else [outputs]:
            _check_list("outputs", row, int)
    return array_table(
        document["delta"],
        document.get("accepting", ()),
        document["initial"],
        document["letters"],
        outputs,
        document.get("output_symbols"),
        sink=False,
    )


def to_json(table: Table) -> str:
    """The JSON text of a table, on one line."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "letters": table.letters,
        "initial": table.initial,
        "delta": table.delta.tolist(),
    }
    if table.outputs is None:
        document["accepting"] = np.flatnonzero(table.accepting).tolist()
    else:
        document["output_symbols"] = table.output_symbols
        document["outputs"] = table.outputs.tolist()
    return json.dumps(document) + "\n"


def _parse(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("an object repeats a member")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Not a JSON automaton: {error}.") from error


def _check_list(name: str, value: Any, kind: type) -> None:
    # By exact type: JSON's true and 1.0 are not states.
    if type(value) is not list or any(type(x) is not kind for x in value):
        what = {str: "strings", int: "integers", list: "lists of integers"}[kind]
        raise ValueError(f"Member '{name}' of a JSON automaton must hold {what}.")
