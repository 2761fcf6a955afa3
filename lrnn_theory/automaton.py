"""Finite automata over named letters, as integer transition tables.

An `Automaton` is total and deterministic.  It accepts or rejects (DFA), or it answers with an
output that depends on the state reached (Moore) or on the state left and the letter (Mealy).
Words are read left to right: the first letter acts first.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory import att, dot, interchange, jff
from lrnn_theory.congruence import coarsest_congruence, distinguishing_word
from lrnn_theory.regex import regex_table
from lrnn_theory.table import Table, array_table, checked, shown
from lrnn_theory.textfile import write_text
from lrnn_theory.words import Word, encode_word

if TYPE_CHECKING:
    import networkx as nx
    from automata.fa.dfa import DFA
    from automata.fa.nfa import NFA

Kind = Literal["dfa", "moore", "mealy"]
FilePath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Automaton:
    """A total deterministic automaton.

    Attributes:
        delta: integers of shape (letters, states); `delta[a, q]` is the state after `q` reads `a`.
        initial: the state before the first letter.
        accepting: booleans of shape (states,); all False for a Moore or Mealy machine.
        letters: names of the letters; a name may have several characters.
        outputs: indices into `output_symbols`, of shape (states,) for a Moore machine, or of shape
            (letters, states) for a Mealy machine, indexed by the state *before* the letter;
            None for a DFA.
        output_symbols: names of the outputs; "0" (rejected) and "1" (accepted) for a DFA.

    Raises:
        TypeError: if `initial` is not an integer.
        ValueError: if shapes disagree, an index is out of range, or names repeat.

    Example:
        >>> odd = Automaton.from_table([[0, 1], [1, 0]], accepting=[1], letters="01")
        >>> odd.accepts("0111")
        True
    """

    delta: NDArray[np.int32]
    initial: int
    accepting: NDArray[np.bool_]
    letters: tuple[str, ...]
    outputs: NDArray[np.int32] | None = None
    output_symbols: tuple[str, ...] = ("0", "1")

    def __post_init__(self) -> None:
        for name, value in checked(self.table())._asdict().items():
            object.__setattr__(self, name, value)

    # ---------------------------------------------------------------- readers and writers

    @classmethod
    def from_regex(
        cls, pattern: str, alphabet: Iterable[str] | None = None, **limits: int
    ) -> Automaton:
        """The minimal DFA of a regular expression in Python's `re` syntax; see `regex`.

        `limits` are `max_positions` and `max_states` of `regex.regex_table`.

        Raises:
            ValueError: if the pattern is wrong, not regular, or larger than a limit.

        Example:
            >>> Automaton.from_regex("(0|10*1)*")
            <Automaton dfa: 2 states, 2 letters>
        """
        return cls(*regex_table(pattern, alphabet, **limits)).minimize()

    @classmethod
    def from_dfa(cls, dfa: DFA) -> Automaton:
        """The reachable part of an automata-lib DFA, letters sorted, states in breadth-first order.

        A partial DFA is completed by a last state: automata-lib says that it rejects there.
        """
        return cls(*interchange.dfa_table(dfa))

    @classmethod
    def from_nfa(cls, nfa: NFA) -> Automaton:
        """The subset automaton of an automata-lib NFA, letters sorted; not minimised.

        Raises:
            ValueError: if it is larger than `interchange.MAX_SUBSET_STEPS` allows.
        """
        return cls(*interchange.nfa_table(nfa))

    def to_dfa(self) -> DFA:
        """The automata-lib DFA with the same states; a machine with outputs raises ValueError."""
        return interchange.to_dfa(self.table())

    @classmethod
    def from_graph(
        cls,
        g: nx.DiGraph | nx.MultiDiGraph,
        *,
        initial: Hashable = None,
        accepting: Iterable[Hashable] | None = None,
        letters: Iterable[str] | None = None,
        sink: bool = False,
    ) -> Automaton:
        """From a networkx graph: states in its order, letters by first appearance.

        An edge has the attribute `label`, a letter or a list of letters, and in a Mealy machine
        `output`.  A node may have `accepting`, and in a Moore machine has `output`.  The initial
        state is the graph's attribute `initial`, or the one node with `initial=True`.  Arguments
        override the attributes; with `sink`, missing transitions go to a new rejecting state.

        Raises:
            ValueError: if an attribute is missing, or the graph is not deterministic or total.
        """
        return cls(*interchange.graph_table(g, initial, accepting, letters, sink))

    def to_graph(self) -> nx.MultiDiGraph:
        """The networkx graph with nodes 0, 1, ... and the attributes that `from_graph` reads."""
        return interchange.to_graph(self.table())

    @classmethod
    def from_table(
        cls,
        delta: ArrayLike,
        *,
        accepting: Any = (),
        initial: int = 0,
        letters: Iterable[str] | None = None,
        outputs: ArrayLike | None = None,
        output_symbols: Iterable[str] | None = None,
        sink: bool = False,
    ) -> Automaton:
        """From a transition table of shape (letters, states).

        Args:
            delta: integers, (letters, states); -1 for a missing transition.
            accepting: booleans, (states,), or a collection of states.
            initial: the state before the first letter.
            letters: names of the letters; "a", "b", ... if not given.
            outputs: integers, (states,) or (letters, states), for a Moore or Mealy machine.
            output_symbols: names of the outputs; "0", "1", ... if not given.
            sink: whether missing transitions go to a new rejecting last state, whose output is
                "undefined".

        Raises:
            ValueError: if a shape, an index or a name is wrong, or a transition is missing.
        """
        return cls(
            *array_table(delta, accepting, initial, letters, outputs, output_symbols, sink=sink)
        )

    @classmethod
    def from_json(cls, source: FilePath | dict[str, Any]) -> Automaton:
        """From a JSON file, the JSON text itself (it begins with "{"), or the parsed object.

        The format is described in `interchange`.  Raises ValueError for anything else.
        """
        return cls(*interchange.json_table(source))

    def to_json(self, path: FilePath | None = None) -> str:
        """The JSON text; also written to a file if a path is given."""
        return write_text(interchange.to_json(self.table()), path)

    @classmethod
    def from_dot(cls, path: FilePath, *, sink: bool = False) -> Automaton:
        """From a Graphviz file: DFA, Moore or Mealy, in the conventions described in `dot`.

        Raises:
            ValueError: if the file cannot be read or is not a deterministic automaton, or (unless
                `sink`) not a total one.
        """
        return cls(*dot.read_dot(path, sink=sink))

    def to_dot(self, path: FilePath | None = None) -> str:
        """The Graphviz text; also written to a file if a path is given."""
        return write_text(dot.to_dot(self.table()), path)

    @classmethod
    def from_jff(cls, path: FilePath, *, sink: bool = False) -> Automaton:
        """From a JFLAP file, as described in `jff`; arguments and errors as for `from_dot`."""
        return cls(*jff.read_jff(path, sink=sink))

    def to_jff(self, path: FilePath | None = None) -> str:
        """The text of a JFLAP file; also written to a file if a path is given."""
        return write_text(jff.to_jff(self.table()), path)

    @classmethod
    def from_att(cls, path: FilePath, *, sink: bool = False) -> Automaton:
        """From an AT&T text file, as described in `att`; arguments and errors as for `from_dot`."""
        return cls(*att.read_att(path, sink=sink))

    def to_att(self, path: FilePath | None = None) -> str:
        """The AT&T text of a DFA or Mealy machine; also written to a file if a path is given."""
        return write_text(att.to_att(self.table()), path)

    @classmethod
    def coerce(cls, value: Any, letters: Iterable[str] | None = None) -> Automaton:
        """From whatever stands for an automaton; `letters` is the alphabet of a regex.

        Raises:
            TypeError: if `value` is not an Automaton, a regex, an automata-lib DFA or NFA, or a
                networkx graph.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.from_regex(value, letters)
        return cls(*interchange.table_of(value))

    def table(self) -> Table:
        """The fields, as the writers take them."""
        return Table(*(getattr(self, name) for name in Table._fields))

    # ---------------------------------------------------------------- basic facts

    @property
    def n_states(self) -> int:
        """Number of states."""
        return self.delta.shape[1]

    @property
    def n_letters(self) -> int:
        """Number of letters."""
        return self.delta.shape[0]

    @property
    def kind(self) -> Kind:
        """`"dfa"`, `"moore"` or `"mealy"`."""
        if self.outputs is None:
            return "dfa"
        return "moore" if self.outputs.ndim == 1 else "mealy"

    @property
    def response(self) -> NDArray[np.int32]:
        """What an observer sees: acceptance 0/1 or outputs, (states,) or (letters, states)."""
        return self.accepting.astype(np.int32) if self.outputs is None else self.outputs

    @cached_property
    def letter_index(self) -> dict[str, int]:
        """Index of every letter by name."""
        return {a: i for i, a in enumerate(self.letters)}

    def __repr__(self) -> str:
        return f"<Automaton {self.kind}: {self.n_states} states, {self.n_letters} letters>"

    # ---------------------------------------------------------------- running

    def encode(self, word: Word) -> NDArray[np.int64]:
        """Letter indices of a word, (time,); see `words.encode_word`."""
        return encode_word(word, self.letter_index)

    def run(self, word: Word) -> int:
        """State reached from the initial state by `word`."""
        state = self.initial
        for a in self.encode(word):
            state = self.delta[a, state]
        return int(state)

    def accepts(self, word: Word) -> bool:
        """Whether the DFA accepts `word`; a Moore or Mealy machine raises ValueError."""
        if self.kind != "dfa":
            raise ValueError(f"Method 'accepts' needs a DFA, not a {self.kind} machine.")
        return bool(self.accepting[self.run(word)])

    def transduce(self, tokens: ArrayLike) -> NDArray[np.int32]:
        """Response after every letter: tokens (..., time) to output indices (..., time).

        Raises:
            ValueError: if `tokens` does not hold letter indices.
        """
        tokens = np.asarray(tokens)
        if tokens.size == 0:
            tokens = tokens.astype(np.int64)
        if not np.issubdtype(tokens.dtype, np.integer) or tokens.ndim == 0:
            raise ValueError(
                f"Argument 'tokens' must hold integers in an array of shape (..., time), "
                f"not {tokens.dtype} of shape {tokens.shape}."
            )
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.n_letters:
            raise ValueError(
                f"Argument 'tokens' must hold letter indices in 0..{self.n_letters - 1}, "
                f"not {tokens.min()}..{tokens.max()}."
            )
        state = np.full(tokens.shape[:-1], self.initial, np.int32)
        out = np.empty(tokens.shape, np.int32)
        response = self.response
        for t in range(tokens.shape[-1]):
            a = tokens[..., t]
            after = self.delta[a, state]
            out[..., t] = response[a, state] if self.kind == "mealy" else response[after]
            state = after
        return out

    # ---------------------------------------------------------------- algebra

    @cached_property
    def access_words(self) -> dict[int, tuple[int, ...]]:
        """A shortest word (letter indices) to every reachable state, in breadth-first order."""
        words: dict[int, tuple[int, ...]] = {self.initial: ()}
        queue = [self.initial]
        for state in queue:
            for a, target in enumerate(self.delta[:, state].tolist()):
                if target not in words:
                    words[target] = (*words[state], a)
                    queue.append(target)
        return words

    def trim(self) -> Automaton:
        """The reachable part, states numbered breadth first from the initial state 0."""
        order, seen = [self.initial], {self.initial}
        for state in order:
            for target in self.delta[:, state].tolist():
                if target not in seen:
                    seen.add(target)
                    order.append(target)
        number = np.empty(self.n_states, np.int32)
        number[order] = np.arange(len(order), dtype=np.int32)
        return self._quotient(number, np.array(order))

    def minimize(self) -> Automaton:
        """The minimal automaton with the same response, canonically numbered.

        Over the same letters and output symbols, two automata respond alike if and only if their
        minimal automata have equal arrays (the empty word has no response in a Mealy machine).
        """
        block = coarsest_congruence(self.delta, self.response)
        return self._quotient(block, np.unique(block, return_index=True)[1]).trim()

    def _quotient(self, number: NDArray[np.int32], members: NDArray[np.integer]) -> Automaton:
        """Renumber: state q becomes `number[q]`, and new state i acts like `members[i]`."""
        return replace(
            self,
            delta=number[self.delta[:, members]],
            initial=number[self.initial],
            accepting=self.accepting[members],
            outputs=None if self.outputs is None else self.outputs[..., members],
        )

    def merge_letters(self) -> tuple[NDArray[np.int32], Automaton]:
        """Merge letters with equal transitions and outputs.

        Returns:
            `(letter_class, merged)`: the class of every letter, and an automaton with one letter
            a class (named after its first member).
        """
        mealy = self.kind == "mealy"
        rows = np.concatenate([self.delta, self.response], axis=1) if mealy else self.delta
        seen: dict[bytes, int] = {}
        letter_class = np.array(
            [seen.setdefault(row.tobytes(), len(seen)) for row in rows], dtype=np.int32
        )
        return letter_class, self._select(np.unique(letter_class, return_index=True)[1].tolist())

    def with_letters(self, letters: Sequence[str]) -> Automaton:
        """The same automaton with its letters in another order.

        Raises:
            ValueError: if `letters` is not a reordering of this automaton's letters.
        """
        if len(letters) != self.n_letters or set(letters) != set(self.letters):
            raise ValueError(
                f"Argument 'letters' must be the letters {shown(self.letters)} in some order, "
                f"not {shown(letters)}."
            )
        return self._select([self.letter_index[a] for a in letters])

    def _select(self, letters: list[int]) -> Automaton:
        return replace(
            self,
            delta=self.delta[letters],
            letters=tuple(self.letters[a] for a in letters),
            outputs=self.response[letters] if self.kind == "mealy" else self.outputs,
        )

    def difference(self, other: Automaton) -> tuple[str, ...] | None:
        """A shortest word on which two automata respond differently, or None if there is none.

        Outputs are compared by name.  Of the shortest words it is the first in letter order.

        Raises:
            ValueError: if the letters or the kinds differ.

        Example:
            >>> Automaton.from_regex("(aa)*").difference(Automaton.from_regex("a*"))
            ('a',)
        """
        if self.kind != other.kind:
            raise ValueError(f"Cannot compare a {self.kind} machine with a {other.kind} machine.")
        if set(self.letters) != set(other.letters):
            raise ValueError(
                f"Cannot compare automata over different letters: {shown(self.letters)} and "
                f"{shown(other.letters)}."
            )
        left, right = self.trim(), other.with_letters(self.letters).trim()
        number = {s: i for i, s in enumerate({*left.output_symbols, *right.output_symbols})}
        left_output, right_output = (
            np.array([number[s] for s in m.output_symbols])[m.response] for m in (left, right)
        )
        word = distinguishing_word(
            np.concatenate([left.delta, right.delta + left.n_states], axis=1),
            np.concatenate([left_output, right_output], axis=-1),
            0,
            left.n_states,
        )
        return None if word is None else tuple(self.letters[a] for a in word)
