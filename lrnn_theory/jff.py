"""JFLAP files (.jff, XML): finite automata, Moore and Mealy machines; see https://www.jflap.org.

    <structure>
      <type>fa</type>                                       or moore, mealy
      <automaton>
        <state id="0" name="q0"><initial/><final/></state>  Moore: <output>x</output>
        <transition><from>0</from><to>0</to><read>a</read></transition>   Mealy: <transout>
      </automaton>
    </structure>

What a transition reads is one letter, whatever its length.  An empty label is a move without a
letter, as no deterministic automaton has it.  XML cannot write most control characters.
"""

from __future__ import annotations

import os
import re
from xml.etree import ElementTree

from lrnn_theory.table import Edge, Table, tabulate
from lrnn_theory.textfile import read_text

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_jff(path: str | os.PathLike[str], *, sink: bool = False) -> Table:
    """The table of the automaton in a JFLAP file.

    Raises:
        ValueError: if the file cannot be read, is not a deterministic automaton, or (unless
            `sink`) not a total one.
    """
    text = read_text(path)
    try:
        return parse_jff(text, sink=sink)
    except ValueError as error:
        raise ValueError(f"Cannot read {str(path)!r}: {error}") from error


def parse_jff(text: str, *, sink: bool = False) -> Table:
    """The table of the automaton in the text of a JFLAP file; see `read_jff`."""
    if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
        raise ValueError("A JFLAP file has no document type and no entities of its own.")
    try:
        root = ElementTree.fromstring(text.encode())
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise ValueError(f"Not an XML file: {error}.") from None
    kind = _text(root, "type")
    if root.tag != "structure" or kind not in ("fa", "moore", "mealy"):
        raise ValueError(
            f"A JFLAP file must hold a <structure> of <type> fa, moore or mealy, "
            f"not <{root.tag}> of {kind!r}."
        )
    states: dict[str, ElementTree.Element] = {}
    for state in root.iter("state"):
        name = state.get("id", "")
        if not name or name in states:
            raise ValueError(f"Every state must have an id of its own, not {name!r}.")
        states[name] = state
    initial = [q for q, state in states.items() if state.find("initial") is not None]
    if len(initial) != 1:
        raise ValueError(f"An automaton must have one initial state, not {len(initial)}.")
    edges = [_edge(arrow, states, kind) for arrow in root.iter("transition")]
    accepting = [q for q, state in states.items() if state.find("final") is not None]
    if accepting and kind != "fa":
        raise ValueError(f"A {kind} machine has no final states; '{accepting[0]}' is one.")
    outputs = None
    if kind == "moore":
        outputs = {q: _text(state, "output") or "" for q, state in states.items()}
    return tabulate(
        list(states),
        edges,
        initial=initial[0],
        accepting=accepting,
        state_outputs=outputs,
        sink=sink,
    )


def _edge(arrow: ElementTree.Element, states: dict[str, ElementTree.Element], kind: str) -> Edge:
    source, target = _text(arrow, "from") or "", _text(arrow, "to") or ""
    for name in (source, target):
        if name not in states:
            raise ValueError(f"A transition leads from or to {name!r}, which is no state.")
    letter = _text(arrow, "read")
    if not letter:
        raise ValueError(f"The transition from '{source}' to '{target}' reads no letter.")
    return source, letter, target, (_text(arrow, "transout") or "") if kind == "mealy" else None


def _text(element: ElementTree.Element, name: str) -> str | None:
    """The text of a child; None if there is no such child."""
    child = element.find(name)
    return None if child is None else child.text or ""


def to_jff(table: Table) -> str:
    """The text of a JFLAP file; `parse_jff` reads it back, letters and states in the same order.

    Raises:
        ValueError: if a name has a character that XML cannot write.
    """
    outputs = table.outputs
    kind = "fa" if outputs is None else "moore" if outputs.ndim == 1 else "mealy"
    letters = [_escaped(a) for a in table.letters]
    symbols = [_escaped(x) for x in table.output_symbols]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<structure>", f"<type>{kind}</type>"]
    lines.append("<automaton>")
    for q, final in enumerate(table.accepting):
        marks = ("<initial/>" if q == table.initial else "") + ("<final/>" if final else "")
        if kind == "moore" and outputs is not None:
            marks += f"<output>{symbols[outputs[q]]}</output>"
        place = f"<x>{100 * (q % 10)}.0</x><y>{100 * (q // 10)}.0</y>"
        lines.append(f'<state id="{q}" name="q{q}">{place}{marks}</state>')
    for q, targets in enumerate(table.delta.T):
        for a, target in enumerate(targets):
            out = ""
            if kind == "mealy" and outputs is not None:
                out = f"<transout>{symbols[outputs[a, q]]}</transout>"
            lines.append(
                f"<transition><from>{q}</from><to>{target}</to><read>{letters[a]}</read>{out}"
                "</transition>"
            )
    return "\n".join([*lines, "</automaton>", "</structure>", ""])


def _escaped(name: str) -> str:
    if _ILLEGAL.search(name):
        raise ValueError(f"XML cannot write the name {name!r}.")
    special = "&<>\"'\r\n\t"
    return "".join(f"&#{ord(c)};" if c in special else c for c in name)
