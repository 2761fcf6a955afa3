"""The closure of configurations: its order, its digest, its slices, and readouts of any kind.

The reference is a queue in plain Python over `fraction_reference`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from fraction_reference import Reference
from hypothesis import assume, given
from hypothesis import strategies as st
from mutants import MACHINES, machine
from networks import counter, networks, weighing

from constructions import compile_dfa
from lrnn_theory import (
    LRNN,
    Arithmetic,
    Automaton,
    Budget,
    Dense,
    Diagonal,
    Layer,
    Level,
    Proved,
    Refuted,
    Undecided,
    check,
    languages,
    scan,
    verify,
)
from lrnn_theory.cyclotomic import cos_turn
from lrnn_theory.strategies import automata
from lrnn_theory.verification import configurations, states
from lrnn_theory.verification.closure import Closed, Confused, Stopped, Wrong, close
from lrnn_theory.verification.compositional import Target

LIMIT = 300
"""Configurations of the reference."""


def target_of(lrnn: LRNN, automaton: Automaton) -> Target:
    """Every letter of the network for itself."""
    automaton = automaton.with_letters(lrnn.letters)
    return Target(automaton.delta, automaton.initial, automaton.response, lrnn.letter_class)


def closed(
    lrnn: LRNN, automaton: Automaton, arithmetic: str, decoder: Any = "own", budget: int = 10_000
) -> Closed | Wrong | Confused | Stopped:
    form = Arithmetic.parse(arithmetic)
    return close(lrnn, target_of(lrnn, automaton), form, Budget(budget), decoder=decoder)


# -------------------------------------------------------------------- the reference


@dataclass
class Queue:
    """The configurations in order, until one answers wrongly."""

    lrnn: LRNN
    target: Target
    decoder: str
    order: list[Any] = field(default_factory=list)
    fault: Any = None
    small: bool = True

    def __post_init__(self) -> None:
        reference = Reference(self.lrnn)
        symbols, response = self.lrnn.output_symbols, self.target.response
        words: dict[Any, tuple[int, ...]] = {(reference.start, self.target.initial): ()}
        views: dict[Any, tuple[tuple[int, ...], int]] = {}
        self.order = list(words)
        for configuration, q in self.order:
            for a, letter in enumerate(self.lrnn.letters):
                after, answer, fits = reference.step(configuration, letter)
                self.small &= fits
                p = int(self.target.delta[a, q])
                expected = int(response[a, q] if response.ndim == 2 else response[p])
                word = (*words[configuration, q], a)
                if self.decoder == "own" and symbols.index(answer) != expected:
                    self.fault = Wrong(word, symbols.index(answer), expected)
                    return
                view = (a, after, self._kept(configuration))
                first, wanted = views.setdefault(view, (word, expected))
                if self.decoder == "any" and wanted != expected:
                    self.fault = Confused(first, word, wanted, expected)
                    return
                if (after, p) not in words:
                    words[after, p] = word
                    self.order.append((after, p))
            if len(self.order) > LIMIT:
                return

    def _kept(self, configuration: Any) -> Any:
        """What a readout knows of the time before the letter: coordinates that were remembered."""
        depth = len(self.lrnn.levels)
        return tuple(memory for _, memory in configuration[:depth]), configuration[depth:]

    def digest(self) -> str:
        """As `Closed.digest`."""
        levels, sha = self.lrnn.levels, hashlib.sha256()
        for configuration, q in self.order:
            for h, _ in configuration[: len(levels)]:
                sha.update(struct.pack(f"<{len(h)}d", *h))
            pairs = zip(levels, configuration, strict=False)
            memory = [coordinate for v, (_, coordinate) in pairs if v.reads == "shifted"]
            integers = [*memory, *(x for tail in configuration[len(levels) :] for x in tail), q]
            sha.update(struct.pack(f"<{len(integers)}q", *integers))
        return sha.hexdigest()


def compare(queue: Queue, automaton: Automaton, arithmetic: str) -> None:
    """The closure is what the queue says."""
    lrnn, decoder = queue.lrnn, queue.decoder
    result = closed(lrnn, automaton, "exact", decoder)
    if queue.fault:
        assert result == queue.fault
    else:
        assert isinstance(result, Closed)
        assert result.configurations == len(queue.order)
        assert result.digest == ("" if lrnn.levels else queue.digest())
    if queue.small:
        rounded = closed(lrnn, automaton, arithmetic, decoder)
        assert rounded == (queue.fault or replace(result, digest=queue.digest()))


FLOATS = st.sampled_from(["float64", "float32", "bfloat16", "float16"])


# -------------------------------------------------------------------- laws


@given(
    networks(),
    automata(max_states=3, max_letters=2, kinds=["mealy"]),
    st.sampled_from(["own", "any"]),
    FLOATS,
    st.sampled_from([1, 7, 1 << 22]),
)
def test_random_networks_are_closed_as_a_queue_closes_them(
    lrnn: LRNN, automaton: Automaton, decoder: Any, arithmetic: str, words: int
) -> None:
    """Right or wrong, to the letter; and the slices make no difference."""
    if automaton.n_letters == 1:
        rows = [np.repeat(x, 2, 0) for x in (automaton.delta, automaton.response)]
        automaton = replace(automaton, delta=rows[0], outputs=rows[1], letters=("a", "b"))
    automaton = replace(automaton, outputs=automaton.response % 2)
    queue = Queue(lrnn, target_of(lrnn, automaton), decoder)
    assume(queue.fault or len(queue.order) <= LIMIT)
    with patch.object(configurations, "_SLICE_WORDS", words):
        compare(queue, automaton, arithmetic)


@pytest.mark.parametrize("name", [name for name in MACHINES if "rotation" not in name])
def test_a_machine_is_closed_and_some_decoder_is_right_because_its_own_is(name: str) -> None:
    m = machine(name)
    for decoder in ("own", "any"):
        queue = Queue(m.lrnn, target_of(m.lrnn, m.automaton), decoder)
        assert queue.small
        assert queue.fault is None
        assert len(queue.order) <= LIMIT
        compare(queue, m.automaton, "bfloat16")


@given(automata(max_states=5, max_letters=2), st.sampled_from(["regular_language", "input_shift"]))
def test_whoever_answers_right_has_a_decoder(automaton: Automaton, construction: str) -> None:
    lrnn = compile_dfa(automaton, construction)
    own, some = (closed(lrnn, automaton, "float16", d) for d in ("own", "any"))
    assert own == some
    assert isinstance(own, Closed)


@pytest.mark.parametrize("arithmetic", ["exact", "float32"])
def test_what_is_remembered_of_transitions_makes_no_difference(arithmetic: str) -> None:
    m = languages.symmetric_group(3)
    lrnn = compile_dfa(m, "regular_language")
    remembered = closed(lrnn, m, arithmetic)
    assert isinstance(remembered, Closed)
    with patch.object(states, "_MEMO_ENTRIES", 20), patch.object(states, "_CHUNK_ENTRIES", 9):
        assert closed(lrnn, m, arithmetic) == remembered
        table = states.StateTable(lrnn.levels[0].layer, Arithmetic.parse(arithmetic))
        assert table.representatives(1_000) is not None
        assert len(table) * table.layer.n_actions > 20 >= table._next.rows.numel()


@pytest.mark.parametrize("words", [1, 5, 100])
def test_a_budget_covers_whole_lengths_whatever_the_slices(words: int) -> None:
    """In n letters the grid reaches (n + 1)(n + 2) / 2 places."""
    everything = Automaton.from_table([[0], [0]], accepting=[0])
    told: list[int] = []
    form, target = Arithmetic.parse("bfloat16"), target_of(grid(), everything)
    with patch.object(configurations, "_SLICE_WORDS", words):
        result = close(grid(), target, form, Budget(configurations=77), told.append)
    assert isinstance(result, Stopped)
    assert result.covered == 10  # 66 places, and 78 in one letter more
    assert told == [(n + 1) * (n + 2) // 2 for n in range(1, 11)]


# -------------------------------------------------------------------- digests


def grid() -> LRNN:
    """Two counters that stick at 256 in bfloat16, one for each letter; every word is accepted."""
    layer = Layer(
        Dense(np.eye(2, dtype=int)[None].repeat(2, 0)),
        np.eye(2, dtype=int)[:, :, None],
        np.zeros((2, 1), int),
        (np.zeros((1, 2, 1), int),),
        np.zeros((2, 1, 2), np.int32),
        1,
        0,
    )
    level = Level(layer, np.arange(2), np.zeros((2, 1), np.int32), "current")
    return LRNN(("a", "b"), np.arange(2), ((level,),), np.array([1]), 1)


def test_a_wide_closure_is_in_the_order_of_a_queue() -> None:
    sha = hashlib.sha256()
    order, seen = [(0, 0)], {(0, 0)}
    for x, y in order:
        sha.update(struct.pack("<ddq", x, y, 0))
        for after in ((min(x + 1, 256), y), (x, min(y + 1, 256))):
            if after not in seen:
                seen.add(after)
                order.append(after)
    everything = Automaton.from_table([[0], [0]], accepting=[0])
    expected = Closed(257**2, 257**2, sha.hexdigest())
    assert closed(grid(), everything, "bfloat16", budget=100_000) == expected
    with patch.object(configurations, "_SLICE_WORDS", 1_000):
        assert closed(grid(), everything, "bfloat16", "any", 100_000) == expected


def test_all_nans_are_one_in_the_digest() -> None:
    """(1, 1), (2, 0), (4, 4), (8, 0), ...: in float16 until inf - inf."""
    lrnn = weighing([1, 1], [[0, 0]], Dense(np.array([[[2, 0], [2, -2]]])))
    rows, x = [], np.array([1, 1], np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        while not rows or rows[-1] != x.tobytes():
            rows.append(x.tobytes())
            x = np.array([2 * x[0], 2 * x[0] - 2 * x[1]], np.float16)
            x = np.where(np.isnan(x), np.float16(np.nan), x) + np.float16(0)
    packed = [struct.pack("<ddq", *np.frombuffer(row, np.float16), 0) for row in rows]
    assert bytes.fromhex("000000000000f87f") in packed[-1]
    result = closed(lrnn, Automaton.from_table([[0]], accepting=[0]), "float16:each")
    assert result == Closed(len(rows), len(rows), hashlib.sha256(b"".join(packed)).hexdigest())


def test_exact_states_have_no_digest() -> None:
    m = languages.parity()
    result = closed(compile_dfa(m), m, "exact")
    assert isinstance(result, Closed)
    assert result.digest == ""


# -------------------------------------------------------------------- readouts of any kind


def test_any_decoder_mends_a_wrong_one() -> None:
    m = languages.mod(3)
    lrnn = compile_dfa(m)
    wrong = replace(lrnn, output=1 - lrnn.output)
    assert isinstance(closed(wrong, m, "float32"), Wrong)
    assert closed(wrong, m, "float32", "any") == closed(lrnn, m, "float32")


def test_no_decoder_mends_a_state_that_forgets() -> None:
    """A counter that sticks at 256 cannot tell whether more letters were even."""
    even = Automaton.from_table([[1, 0]], accepting=[0])
    result = closed(counter(6), even, "bfloat16", "any")
    assert result == Confused((0,) * 256, (0,) * 257, 1, 0)
    stopped = closed(counter(6), even, "float16", "any", 256)
    assert isinstance(stopped, Stopped)
    assert (stopped.covered, stopped.configurations) == (255, 257)


def test_two_words_confuse_a_rotation_in_bfloat16() -> None:
    """They end in the same bits of every layer, by the scan."""
    seven = np.arange(7)
    m = Automaton.from_table([np.roll(seven, -1), np.roll(seven, 1)], accepting=[0])
    lrnn = compile_dfa(m, "rotation")
    result = closed(lrnn, m, "bfloat16", "any", 300_000)
    assert isinstance(result, Confused)
    assert result.word[-1] == result.other[-1]
    assert len(result.word) <= len(result.other)
    ends = []
    for word, expected in ((result.word, result.expected), (result.other, result.expected_other)):
        _, state = scan(lrnn, [word], "bfloat16", return_state=True)
        ends.append(state.hidden[0])
        assert m.accepts([m.letters[a] for a in word]) == expected
    assert torch.equal(*ends)
    assert result.expected != result.expected_other
    own = closed(lrnn, m, "bfloat16", "own", 300_000)
    assert isinstance(own, Wrong)
    assert len(own.word) <= len(result.other)


# -------------------------------------------------------------------- interruptions


def test_an_interrupt_keeps_what_was_covered() -> None:
    even = Automaton.from_table([[0]])

    def interrupt(reached: int) -> None:
        if reached == 31:
            raise KeyboardInterrupt

    result = close(
        counter(100),
        target_of(counter(100), even),
        Arithmetic.parse("float32"),
        Budget(),
        interrupt,
    )
    assert result == Stopped(30, 31, "interrupted")


@pytest.mark.parametrize("calls", [0, 1, 12])
def test_an_interrupt_within_a_step_keeps_what_was_covered(calls: int) -> None:
    nothing, done = Automaton.from_table([[0]]), []
    advance = states.StateTable.advance

    def interrupted(table: Any, source: Any, action: Any) -> Any:
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(source)
        return advance(table, source, action)

    with patch.object(states.StateTable, "advance", interrupted):
        result = closed(counter(100), nothing, "float32")
    assert result == Stopped(calls, calls + 1, "interrupted")


@pytest.mark.gpu
@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16", "float16", "exact"])
def test_a_gpu_closes_alike(arithmetic: str) -> None:
    m = languages.symmetric_group(4)
    form = Arithmetic.parse(arithmetic)
    for construction in ("regular_language", "input_shift", "permutation"):
        lrnn = compile_dfa(m, construction)
        target = target_of(lrnn, m)
        here, there = (close(lrnn, target, form, Budget(), device=d) for d in ("cpu", "cuda"))
        assert here == there


def test_any_decoder_sees_no_more_than_a_readout():
    turns = LRNN.from_layer(
        Diagonal(np.array([[-1]])), inputs=[[[0]]], initial=[[Fraction(1, 4)]], letters="a"
    )
    assert isinstance(verify(turns, "(aa)*", "exact", decoder="any"), Proved)
    found = verify(turns, "(aa)*", "{0,1}:cast", decoder="any")  # casts 1/4 and -1/4 to 0
    assert isinstance(found, Refuted)
    assert {len(found.word) % 2, len(found.other) % 2} == {0, 1}
    assert isinstance(check(found.certificate), Refuted)


def test_any_decoder_does_not_see_how_far_a_chunk_has_got():
    rests = LRNN.from_layer(
        Diagonal(np.array([[Fraction(1, 3)]])), inputs=[[[0]]], initial=[[0]], letters="a"
    )
    found = verify(rests, "(aaa)*", "float32@chunk:3", decoder="any")
    assert isinstance(found, Refuted)
    assert isinstance(check(found.certificate), Refuted)
    ticks = LRNN.from_layer(
        Diagonal(np.array([[Fraction(1, 3)]])), inputs=[[[0]]], initial=[[1]], letters="a"
    )
    proved = verify(ticks, "a*", "float32@chunk:3", decoder="any")
    assert isinstance(check(proved.certificate), Proved)


@pytest.mark.parametrize("weight", [Fraction(3, 2), 3, Fraction(2, 3), 2 * cos_turn(1, 5)])
def test_exact_numbers_that_grow_end_the_search(weight: Any) -> None:
    layer = LRNN.from_layer(Diagonal(np.array([[weight]], object)), [[0]], [1], "a")
    turn = LRNN.from_layer(Diagonal(np.array([[-1]])), [[0]], [Fraction(1, 3)], "a")
    with patch.object(states, "MAX_BITS", 10_000):
        stopped = verify(layer, "(aa)*", "exact", decoder="any")
        assert isinstance(verify(turn, "(aa)*", "exact", decoder="any"), Proved)
    assert isinstance(stopped, Undecided)
    assert "grow with the word" in stopped.reason
    assert 20 < stopped.covered < 1000
