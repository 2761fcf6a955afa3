r"""Graphviz DOT: DFA, Moore and Mealy machines as model learners write them.

Conventions (AALpy, LearnLib and the Automata Wiki, https://automata.cs.ru.nl):

- a DFA labels an edge with a letter, and an accepting state has shape `doublecircle` (or
  `peripheries=2`);
- a Moore machine labels a state `name|output`, split at the first bar;
- a Mealy machine labels an edge `input/output`, split at the first slash, or at the first ` / `
  if every label has one;
- the edge from `__start0`, or from a node with shape `none` or `point`, leads to the initial
  state; without one it is the first state listed.

An edge with several letters has them on lines of their own (`"a\nb"`).  Letters and outputs are
stripped of spaces at their ends, and HTML entities such as `&#47;` are read as in Graphviz: the
writer uses them for characters that these conventions give a meaning, so that any name survives.

The tokenizer is our own because pydot 4 reads a file of 5000 edges in 4.9 s (this module in
0.1 s), prints syntax errors instead of raising them, and warns of deprecated calls when imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html.entities import name2codepoint
from itertools import pairwise
from typing import NamedTuple

from lrnn_theory.table import Edge, Table, tabulate
from lrnn_theory.textfile import read_text

_TOKEN = re.compile(
    r"""(?P<space>\s+ | //[^\n]* | /\*.*?\*/ | ^\#[^\n]*)
    | "(?P<quoted>(?:[^"\\] | \\.)*+)"
    | (?P<operator>-> | -- | [{}\[\];,=:])
    | (?P<word>[^\W\d]\w* | -?(?:\.\d+ | \d+(?:\.\d*)?))
    | (?P<wrong>.)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\w+));")
# `name|output`, or {name|output} for a record that is drawn top to bottom.
_MOORE = re.compile(r"(\{)?(?:[^|\\]|\\.)*+\|(?P<output>.*)(?(1)\})", re.DOTALL)
_STACK = re.compile(r" / (?:push|pop)\(| / \('")
_KEYWORDS = {"strict", "graph", "digraph", "subgraph", "node", "edge"}

Attributes = dict[str, str]


class Graph(NamedTuple):
    """What a DOT file says: attributes of nodes, nodes with a statement, (from, to, label)."""

    nodes: dict[str, Attributes]
    declared: set[str]
    edges: list[tuple[str, str, str]]


def read_dot(path: str | os.PathLike[str], *, sink: bool = False) -> Table:
    """The table of the automaton in a DOT file.

    Raises:
        ValueError: if the file cannot be read, is not a deterministic automaton, or (unless
            `sink`) not a total one.
    """
    text = read_text(path)
    try:
        return parse_dot(text, sink=sink)
    except ValueError as error:
        raise ValueError(f"Cannot read {str(path)!r}: {error}") from error


def parse_dot(text: str, *, sink: bool = False) -> Table:
    r"""The table of the automaton in a DOT text; see `read_dot`.

    Example:
        >>> parse_dot('digraph { 0 -> 1 [label="a/x"]; 1 -> 0 [label="a/y"] }').output_symbols
        ('x', 'y')
    """
    graph = _Parser(text).graph()
    entered = {target for _, target, _ in graph.edges}
    starts = {q for q, x in graph.nodes.items() if q not in entered and _is_start(q, x)}
    states = [q for q in graph.nodes if q not in starts]
    arrows = [edge for edge in graph.edges if edge[0] not in starts]
    initial = list({target: None for source, target, _ in graph.edges if source in starts})
    if not arrows:
        raise ValueError("An automaton must have transitions; the graph has none.")
    if len(initial) > 1:
        raise ValueError(f"An automaton must have one initial state, not {len(initial)}.")
    used = graph.declared | {q for edge in arrows for q in edge[:2]}
    if initial and initial[0] not in used:
        raise ValueError(f"The start edge leads to '{initial[0]}', which is not a declared state.")
    edges = list(_transitions(arrows))
    accepting = [q for q in states if _is_accepting(graph.nodes[q])]
    outputs = _state_outputs({q: graph.nodes[q].get("label", "") for q in states})
    if accepting and (outputs or edges[0][3] is not None):
        raise ValueError(
            f"Accepting states and outputs cannot be mixed; '{accepting[0]}' is accepting."
        )
    return tabulate(
        states,
        edges,
        initial=initial[0] if initial else states[0],
        accepting=accepting,
        state_outputs=outputs,
        sink=sink,
    )


def to_dot(table: Table) -> str:
    """The DOT text of a table; `parse_dot` reads it back, letters and states in the same order."""
    letters = [_escaped(a) for a in table.letters]
    symbols = [_escaped(x) for x in table.output_symbols]
    outputs = table.outputs
    lines = ["digraph automaton {", '  __start0 [label="", shape=none];']
    for q, final in enumerate(table.accepting):
        if outputs is not None and outputs.ndim == 1:
            style = f'label="s{q}|{symbols[outputs[q]]}", shape=record, style=rounded'
        else:
            style = f'label="s{q}", shape={"doublecircle" if final else "circle"}'
        lines.append(f"  s{q} [{style}];")
    lines.append(f'  __start0 -> s{table.initial} [label=""];')
    for q, targets in enumerate(table.delta.T):
        for a, target in enumerate(targets):
            label = letters[a]
            if outputs is not None and outputs.ndim == 2:
                label += f"/{symbols[outputs[a, q]]}"
            lines.append(f'  s{q} -> s{target} [label="{label}"];')
    return "\n".join([*lines, "}", ""])


# -------------------------------------------------------------------- what the labels mean


def _is_start(name: str, attributes: Attributes) -> bool:
    return name.startswith("__start") or attributes.get("shape") in ("none", "point")


def _is_accepting(attributes: Attributes) -> bool:
    return attributes.get("shape") == "doublecircle" or attributes.get("peripheries") == "2"


def _transitions(arrows: list[tuple[str, str, str]]) -> Iterator[Edge]:
    """The transitions of the edges; all of them have outputs, or none."""
    labelled = []
    for source, target, label in arrows:
        for line in _lines(label):
            if _STACK.search(line):
                raise ValueError(f"Label {line!r} moves a stack: a pushdown automaton, not finite.")
            if not line.strip():
                raise ValueError(f"The edge from '{source}' to '{target}' has no letter.")
            labelled.append((source, line, target))
    slash = " / " if all(" / " in line for _, line, _ in labelled) else "/"
    mealy = [bool(line.partition(slash)[0].strip()) and slash in line for _, line, _ in labelled]
    if any(mealy) and not all(mealy):
        source, line, target = labelled[mealy.index(False)]
        raise ValueError(
            f"Every edge must have an output, or none; that from '{source}' to '{target}' with "
            f"label {line!r} has none."
        )
    for source, line, target in labelled:
        if mealy[0]:
            letter, _, output = line.partition(slash)
            yield source, _name(letter), target, _name(output)
        else:
            yield source, _name(line), target, None


def _state_outputs(labels: dict[str, str]) -> dict[str, str] | None:
    """The outputs of a Moore machine; None if no state has one."""
    fields = {q: _MOORE.fullmatch(label) for q, label in labels.items()}
    outputs = {q: _name(_unescaped(x["output"])) for q, x in fields.items() if x}
    if outputs and len(outputs) < len(labels):
        without = next(q for q in labels if q not in outputs)
        raise ValueError(f"Every state must have an output, or none; '{without}' has none.")
    return outputs or None


def _lines(label: str) -> list[str]:
    r"""The lines of a label, after its escapes (`\n`, `\l` and `\r` end a line)."""
    return _unescaped(label).strip("\n").split("\n")


def _unescaped(label: str) -> str:
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] in "nlr" else escape[1], label)


def _name(text: str) -> str:
    return _ENTITY.sub(_character, text.strip())


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name:
        code = name2codepoint.get(name, -1)
    else:
        code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 0 <= code <= 0x10FFFF else entity[0]


def _escaped(name: str) -> str:
    """A name with entities for what DOT, records, this module or `str.strip` would interpret."""
    special = {'"', "\\", "/", "|", "<", ">", "{", "}"}
    last = len(name) - 1
    return "".join(
        f"&#{ord(c)};"
        if c in special
        or not c.isprintable()
        or (c == " " and i in (0, last))
        or (c == "&" and _ENTITY.match(name, i))
        else c
        for i, c in enumerate(name)
    )


# -------------------------------------------------------------------- syntax


class _Parser:
    """The DOT grammar, without HTML labels and without edges to subgraphs."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.finditer(text)
        self._advance()

    def graph(self) -> Graph:
        if self._keyword == "strict":
            self._advance()
        if self._keyword == "graph":
            raise self._error("an automaton needs a directed graph, not a 'graph'")
        if self._keyword != "digraph":
            raise self._error("not a DOT file: expected 'digraph'")
        self._advance()
        if self._kind == "name":
            self._advance()
        self._expect("{")
        graph = Graph({}, set(), [])
        scopes: list[tuple[Attributes, Attributes]] = [({}, {})]
        while scopes:
            node_defaults, edge_defaults = scopes[-1]
            if self._take("}"):
                scopes.pop()
            elif self._take("{"):
                scopes.append((dict(node_defaults), dict(edge_defaults)))
            elif self._take(";") or self._take(","):
                pass
            elif self._keyword == "subgraph":
                self._advance()
                if self._kind == "name":
                    self._advance()
            elif self._keyword in ("graph", "node", "edge"):
                defaults = {"node": node_defaults, "edge": edge_defaults}.get(self._keyword, {})
                self._advance()
                defaults.update(self._attributes())
            else:
                self._statement(graph, node_defaults, edge_defaults)
        if self._kind != "end":
            raise self._error("expected one graph, and nothing after it")
        return graph

    def _statement(self, graph: Graph, nodes: Attributes, edges: Attributes) -> None:
        """A node, an edge or a chain of edges with their attributes, or an attribute."""
        chain = [self._name()]
        if self._take("="):
            self._name()
            return
        self._port()
        while self._take("->"):
            chain.append(self._name())
            self._port()
        if self._value == "--" and self._kind == "operator":
            raise self._error("an automaton needs directed edges, not '--'")
        attributes = self._attributes()
        for name in chain:
            graph.nodes.setdefault(name, dict(nodes))
        if len(chain) == 1:
            graph.declared.add(chain[0])
            graph.nodes[chain[0]].update(attributes)
        else:
            label = attributes.get("label", edges.get("label", ""))
            graph.edges.extend((source, target, label) for source, target in pairwise(chain))

    def _attributes(self) -> Attributes:
        """Any number of bracketed lists of assignments."""
        attributes: Attributes = {}
        while self._take("["):
            while not self._take("]"):
                name = self._name()
                self._expect("=")
                attributes[name] = self._name()
                if not self._take(","):
                    self._take(";")
        return attributes

    def _port(self) -> None:
        while self._take(":"):
            self._name()

    def _name(self) -> str:
        if self._kind != "name" or self._keyword:
            raise self._error("expected a name")
        name = self._value
        self._advance()
        return name

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise self._error(f"expected '{operator}'")

    def _take(self, operator: str) -> bool:
        if self._kind != "operator" or self._value != operator:
            return False
        self._advance()
        return True

    def _advance(self) -> None:
        self._keyword = ""
        self._kind, self._value, self._place = "end", "", len(self._text)
        for token in self._tokens:
            if token.lastgroup == "space":
                continue
            self._kind, self._value, self._place = "name", token[0], token.start()
            if token.lastgroup == "quoted":
                self._value = _ESCAPE.sub(_unquote, token["quoted"])
            elif token.lastgroup == "word":
                self._keyword = token[0].lower() if token[0].lower() in _KEYWORDS else ""
            elif token.lastgroup == "operator":
                self._kind = "operator"
            else:
                kinds = {"<": "HTML labels are not supported", '"': "a quoted name does not end"}
                raise self._error(kinds.get(token[0], "this is not DOT"))
            return

    def _error(self, problem: str) -> ValueError:
        line = self._text.count("\n", 0, self._place) + 1
        place = "the end (is the file truncated?)" if self._kind == "end" else repr(self._value)
        return ValueError(f"line {line}: {problem}, at {place:.60}.")


def _unquote(escape: re.Match[str]) -> str:
    """Inside quotes only a quote and the end of a line are escaped; labels have more escapes."""
    return {'"': '"', "\n": ""}.get(escape[1], escape[0])
