"""Automata as graphs, laid out and drawn by Graphviz."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import groupby

from lrnn_theory.arguments import check_type
from lrnn_theory.automaton import Automaton
from lrnn_theory.plots.style import INK, Picture, count, letter_text

MAX_STATES = 60
MAX_ARROWS = 150
"""Largest graph that is drawn: more is neither fast (Graphviz takes minutes) nor legible."""
SINK_FROM = 8
"""From so many states on, arrows to a rejecting sink are left out."""
SECONDS = 5
"""How long Graphviz may take."""
_LINE = 20
_LINES = 3
_NAME = 14
"""Characters of a line, lines of a label, and characters of a letter or an output in it."""
_PAPER = {
    "svg": ["-Gbgcolor=transparent"],
    "pdf": ["-Gbgcolor=transparent"],
    "png": ["-Gbgcolor=white", "-Gdpi=150"],
}
_FONT = "Helvetica,Arial,sans-serif"
_NEAR, _FAR = 0.4, 1.0
"""Inches between ranks of states, the least and the most."""
_STATE, _CHARACTER = 0.45, 0.075
"""About the width of a state, and of a character of a label, in inches."""
_LOOP = re.compile(rb"<!-- (\d+)&#45;&gt;\1 -->\n<g .*?</g>\n", re.DOTALL)
_HALO = b"<style>.edge text { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }</style>\n"
"""So that letters can be read where an arrow crosses them; a page has it in its own style."""


def plot_automaton(automaton: Automaton, *, sink: bool | None = None) -> Picture:
    """The graph of an automaton.

    Double circles accept; a Moore machine has its outputs in the states, a Mealy machine on the
    arrows, as `letter/output`.  Arrows between the same states are one, with all letters; runs of
    digits or of letters are shown by their ends.  In SVG, state q has the id `state_q`.

    Args:
        automaton: what to draw, as it is (not minimised).
        sink: whether to draw a rejecting state that is never left; by default in graphs of fewer
            than `SINK_FROM` states.

    Raises:
        ValueError: if it has more than `MAX_STATES` states or `MAX_ARROWS` arrows; and when the
            picture is drawn, if the program `dot` of Graphviz is not installed.

    Example:
        >>> plot_automaton(Automaton.from_regex("(ab)*")).title
        'Automaton: 3 states, 2 letters'
    """
    check_type("automaton", automaton, Automaton)
    hidden = _sink(automaton)
    if hidden is not None and (automaton.n_states < SINK_FROM if sink is None else sink):
        hidden = None
    title = (
        f"Automaton: {count(automaton.n_states, 'state')}, {count(automaton.n_letters, 'letter')}"
    )
    if hidden is not None:
        title += f"; state {hidden}, a rejecting sink, and its arrows are left out"
    return Picture(title, _Drawing(_graph(automaton, hidden)))


class _Drawing:
    """A graph in DOT, drawn by the program."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, suffix: str) -> bytes:
        program = shutil.which("dot")
        if program is None:
            raise ValueError(
                "A picture of an automaton needs Graphviz: its program 'dot' is not installed."
            )
        try:
            run = subprocess.run(
                [program, f"-T{suffix}", *_PAPER[suffix]],
                input=self.text.encode(),
                capture_output=True,
                timeout=SECONDS,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"Graphviz took more than {SECONDS} s to draw this graph.") from None
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise ValueError(f"Graphviz could not draw this graph: {reason}.") from None
        if suffix == "svg":
            svg = re.sub(rb"<!-- (Generated|Pages).*?-->\s*", b"", run.stdout, flags=re.DOTALL)
            return _loops_last(svg).replace(b"<g ", _HALO + b"<g ", 1)
        # The date of a PDF has a fixed length, so that offsets stay right.
        return re.sub(rb"(?<=/CreationDate \(D:)\d{14}", b"20000101000000", run.stdout)


def _loops_last(svg: bytes) -> bytes:
    """Loops are drawn above their states, where other arrows arrive: their letters go on top."""
    loops = b"".join(match[0] for match in _LOOP.finditer(svg))
    end = b"</g>\n</svg>"
    return _LOOP.sub(b"", svg).replace(end, loops + end)


def _sink(automaton: Automaton) -> int | None:
    """A rejecting state of a DFA that no letter leaves."""
    if automaton.kind != "dfa":
        return None
    for q in range(automaton.n_states):
        absorbing = (automaton.delta[:, q] == q).all() and not automaton.accepting[q]
        if absorbing and q != automaton.initial:
            return q
    return None


def _graph(automaton: Automaton, hidden: int | None) -> str:
    arrows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    if automaton.n_states > MAX_STATES:
        raise ValueError(f"Too large to draw: {automaton.n_states} states, more than {MAX_STATES}.")
    mealy = automaton.kind == "mealy"
    for a, row in enumerate(automaton.delta.tolist()):
        for q, target in enumerate(row):
            if hidden not in (q, target):
                output = int(automaton.response[a, q]) if mealy else -1
                arrows.setdefault((q, target), []).append((a, output))
    if len(arrows) > MAX_ARROWS:
        raise ValueError(f"Too large to draw: {len(arrows)} arrows, more than {MAX_ARROWS}.")
    labels = {arrow: _label(automaton, entries) for arrow, entries in arrows.items()}
    # Graphviz leaves no room between ranks for what is wider than its state.
    widest = max((len(x) for (q, t), lines in labels.items() if q == t for x in lines), default=0)
    between = min(max(_NEAR, _CHARACTER * widest - _STATE), _FAR)
    lines = [
        "digraph {",
        f"  rankdir=LR; nodesep=0.25; ranksep={between:.2f};",
        f'  node [shape=circle, fontname="{_FONT}", fontsize=12, width=0.45, margin="0.05,0.03",',
        f'    color="{INK}", fontcolor="{INK}"];',
        f'  edge [fontname="{_FONT}", fontsize=11, arrowsize=0.7, color="{INK}",',
        f'    fontcolor="{INK}"];',
        '  start [shape=point, width=0.06, id="start"];',
    ]
    states = (q for q in range(automaton.n_states) if q != hidden)
    lines += [f'  {q} [id="state_{q}", {_state(automaton, q)}];' for q in states]
    lines.append(f'  start -> {automaton.initial} [id="start_arrow"];')
    for (q, target), text in labels.items():
        label = "\\n".join(map(_quoted, text))
        lines.append(f'  {q} -> {target} [id="arrow_{q}_{target}", label="{label}"];')
    return "\n".join([*lines, "}"])


def _state(automaton: Automaton, q: int) -> str:
    if automaton.kind == "moore":
        output = _quoted(_short(automaton.output_symbols[automaton.response[q]]))
        return f'label="{q}\\n{output}", shape=box, style=rounded'
    shape = "doublecircle" if automaton.accepting[q] else "circle"
    return f'label="{q}", shape={shape}'


def _label(automaton: Automaton, entries: Sequence[tuple[int, int]]) -> list[str]:
    """The letters of an arrow in a few lines; of a Mealy machine, those of every output."""
    lines: list[str] = []
    by_output = sorted(entries, key=lambda entry: entry[1])
    for output, group in groupby(by_output, key=lambda entry: entry[1]):
        names = letter_runs([automaton.letters[a] for a, _ in group])
        answer = f" / {_short(automaton.output_symbols[output])}" if output >= 0 else ""
        line = ""
        for i, name in enumerate(names):
            comma = ", " if i else ""
            if line and len(line) + len(name) > _LINE:
                lines.append(f"{line},")
                line, comma = "", ""
            line += comma + name
        lines.append(line + answer)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"... ({len(entries)} in all)"]
    return lines


def letter_runs(letters: Sequence[str]) -> list[str]:
    """Letters as a picture shows them, with three or more neighbouring ones as a run.

    Example:
        >>> letter_runs(["0", "1", "2", "3", "a", "b", "SYN"])
        ['0–3', 'a', 'b', 'SYN']
    """
    shown: list[str] = []
    single = sorted(x for x in letters if len(x) == 1 and x.isascii() and x.isalnum())
    rest = [_short(x) for x in letters if x not in set(single)]
    for _, group in groupby(enumerate(single), key=lambda pair: ord(pair[1]) - pair[0]):
        run = [letter for _, letter in group]
        shown += [f"{run[0]}–{run[-1]}"] if len(run) > 2 else run
    return shown + rest


def _short(name: str) -> str:
    name = letter_text(name)
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _quoted(text: str) -> str:
    """Text in a quoted label of DOT, which knows escapes and entities of HTML."""
    text = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("<", "&lt;").replace(">", "&gt;")
