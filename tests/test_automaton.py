"""Automata against their laws, against automata-lib, and against brute force."""

import itertools
import time

import numpy as np
import pytest
from automata.fa.dfa import DFA
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrnn_theory import congruence, table
from lrnn_theory.automaton import Automaton
from lrnn_theory.congruence import coarsest_congruence
from lrnn_theory.strategies import automata, words


def response_to(machine, word):
    """Name of the last response to a word; None for the empty word in a Mealy machine."""
    state, name = machine.initial, None
    for a in word:
        if machine.kind == "mealy":
            name = machine.output_symbols[machine.outputs[a, state]]
        state = machine.delta[a, state]
    return name if machine.kind == "mealy" else machine.output_symbols[machine.response[state]]


def words_in_order(n_letters):
    """All words, shortest first, then in the order of the letters."""
    for length in itertools.count():
        yield from itertools.product(range(n_letters), repeat=length)


def table_filling(machine):
    """Pairs of states that some word distinguishes, by the textbook fixed point."""
    delta, n = machine.delta, machine.n_states
    response = machine.response.T if machine.kind == "mealy" else machine.response[:, None]
    apart = (response[:, None] != response[None]).any(-1)
    while True:
        wider = apart | np.any([apart[np.ix_(row, row)] for row in delta], axis=0)
        if (wider == apart).all():
            return apart[:n, :n]
        apart = wider


def same_arrays(left, right):
    return (
        np.array_equal(left.delta, right.delta)
        and left.initial == right.initial
        and np.array_equal(left.response, right.response)
    )


@st.composite
def machines_and_words(draw, max_length=30, **options):
    machine = draw(automata(**options))
    return machine, draw(words(machine, max_length))


class TestRunning:
    @given(machines_and_words(kinds=["dfa"]))
    def test_accepts_what_automata_lib_accepts(self, sample):
        machine, word = sample
        assert machine.accepts(word) == machine.to_dfa().accepts_input(word)

    @given(automata(kinds=["dfa"]), st.integers(0, 2000), st.integers(0, 2**32 - 1))
    @settings(max_examples=20)
    def test_accepts_what_automata_lib_accepts_on_long_words(self, machine, length, seed):
        tokens = np.random.default_rng(seed).integers(0, machine.n_letters, length)
        word = [machine.letters[a] for a in tokens]
        expected = machine.to_dfa().accepts_input(word)
        assert machine.accepts(word) == machine.minimize().accepts(tokens) == expected

    @given(machines_and_words())
    def test_transduces_every_prefix(self, sample):
        machine, word = sample
        tokens = machine.encode(word)
        prefixes = [tokens[: t + 1] for t in range(len(tokens))]
        names = [machine.output_symbols[i] for i in machine.transduce(tokens)]
        assert names == [response_to(machine, prefix) for prefix in prefixes]

    def test_transduces_batches(self):
        parity = Automaton.from_regex("(0|10*1)*")
        assert parity.transduce([[0, 1, 1], [1, 0, 0]]).tolist() == [[1, 0, 1], [0, 0, 0]]
        assert parity.transduce(np.zeros((2, 0))).shape == (2, 0)

    @pytest.mark.parametrize("tokens", [[0, 2], [-1], [0.5], 0, ["0"]])
    def test_refuses_tokens_that_are_not_letters(self, tokens):
        with pytest.raises(ValueError, match="Argument 'tokens' must hold"):
            Automaton.from_regex("(0|10*1)*").transduce(tokens)

    def test_the_first_letter_acts_first(self):
        # Over S3 the two orders of reading differ: (0 1) then (1 2) sends 0 to 2.
        machine = Automaton.from_table([[1, 0, 2], [0, 2, 1]], letters="st")
        assert machine.run("st") == 2
        assert machine.run("ts") == 1

    def test_words_are_strings_names_or_indices(self):
        machine = Automaton.from_table([[0, 1], [1, 1]], letters=["open", "x"], accepting=[1])
        spellings = ["open x", ["open", "x"], [0, 1], np.array([0, 1])]
        assert {tuple(machine.encode(word)) for word in spellings} == {(0, 1)}
        assert machine.encode("xx").tolist() == [1, 1]
        with pytest.raises(ValueError, match="Unknown letter 'y': expected one of open x"):
            machine.encode(["open", "y"])

    def test_only_a_dfa_accepts(self):
        machine = Automaton.from_table([[0]], outputs=[0], output_symbols=["x"])
        with pytest.raises(ValueError, match="needs a DFA, not a moore machine"):
            machine.accepts("a")


class TestMinimize:
    @given(automata())
    def test_states_are_the_distinguishable_reachable_ones(self, machine):
        apart = table_filling(machine)[list(machine.access_words)][:, list(machine.access_words)]
        classes = {tuple(row) for row in apart.tolist()}
        assert machine.minimize().n_states == len(classes)

    @given(machines_and_words())
    def test_responds_alike(self, sample):
        machine, word = sample
        tokens = machine.encode(word)
        minimal = machine.minimize()
        assert response_to(minimal, tokens) == response_to(machine, tokens)

    @given(automata(kinds=["dfa"]))
    def test_is_as_small_as_in_automata_lib(self, machine):
        assert machine.minimize().n_states == len(machine.to_dfa().minify().to_complete().states)

    @given(automata(max_states=5), st.randoms(use_true_random=False))
    def test_is_canonical(self, machine, random):
        # With every state doubled, all shuffled, and each arrow to either copy of its target.
        n = machine.n_states
        number = random.sample(range(2 * n), 2 * n)
        old = np.argsort(number) % n
        copy = [[random.randrange(2) for _ in old] for _ in machine.letters]
        shuffled = Automaton.from_table(
            np.array(number)[machine.delta[:, old] + n * np.array(copy)],
            initial=number[machine.initial],
            accepting=machine.accepting[old],
            outputs=None if machine.outputs is None else machine.outputs[..., old],
            output_symbols=machine.output_symbols,
        )
        assert same_arrays(machine.minimize(), shuffled.minimize())

    @given(automata())
    def test_unused_output_symbols_do_not_matter(self, machine):
        assume(machine.kind != "dfa")
        wider = Automaton(
            machine.delta,
            machine.initial,
            machine.accepting,
            machine.letters,
            machine.outputs,
            (*machine.output_symbols, "never"),
        )
        assert same_arrays(machine.minimize(), wider.minimize())
        assert machine.difference(wider) is None

    def test_a_long_chain_takes_no_quadratic_time(self):
        n = 30_000
        chain = Automaton.from_table([[*range(1, n), n - 1]], accepting=[n - 1])
        start = time.perf_counter()
        assert chain.minimize().n_states == n
        assert time.perf_counter() - start < 5  # measured: 0.15 s; splitting by arrays: 30 s

    def test_congruence_of_a_cycle(self):
        delta = np.roll(np.arange(12), -1)[None]
        for m in (1, 2, 3, 4, 6, 12):
            block = coarsest_congruence(delta, (np.arange(12) % m == 0).astype(int))
            assert len(set(block)) == m


class TestDifference:
    @given(st.data())
    def test_is_the_first_shortest_word(self, data):
        left = data.draw(automata(max_states=4, max_letters=2))
        right = data.draw(automata(max_states=4, max_letters=2, kinds=[left.kind]))
        assume(left.letters == right.letters)
        word = left.difference(right)
        # Two machines of at most 4 states that differ do so on a word of at most 7 letters.
        for candidate in words_in_order(left.n_letters):
            if len(candidate) > 7:
                assert word is None
                break
            if response_to(left, candidate) != response_to(right, candidate):
                assert word == tuple(left.letters[a] for a in candidate)
                break

    @given(automata(kinds=["dfa"], max_letters=2), automata(kinds=["dfa"], max_letters=2))
    def test_equivalence_agrees_with_automata_lib(self, left, right):
        assume(left.letters == right.letters)
        assert (left.difference(right) is None) == (left.to_dfa() == right.to_dfa())

    @given(automata(max_letters=3), st.permutations("abc"))
    def test_the_order_of_letters_does_not_matter(self, machine, order):
        reordered = machine.with_letters([a for a in order if a in machine.letters])
        assert machine.difference(reordered) is None

    def test_outputs_are_compared_by_name(self):
        one = Automaton.from_table([[0]], outputs=[[0]], output_symbols=["x", "y"])
        same = Automaton.from_table([[0]], outputs=[[1]], output_symbols=["y", "x"])
        assert one.difference(same) is None
        other = Automaton.from_table([[0]], outputs=[[0]], output_symbols=["y", "x"])
        assert one.difference(other) == ("a",)

    def test_refuses_what_cannot_be_compared(self):
        dfa, moore = Automaton.from_table([[0]]), Automaton.from_table([[0]], outputs=[0])
        with pytest.raises(ValueError, match="Cannot compare a dfa machine with a moore machine"):
            dfa.difference(moore)
        with pytest.raises(ValueError, match="over different letters: a and b"):
            dfa.difference(Automaton.from_table([[0]], letters="b"))

    def test_large_machines_take_under_two_seconds(self):
        rng = np.random.default_rng(7)
        delta = rng.integers(0, 1000, (10, 1000))
        accepting = rng.random(1000) < 0.5
        left = Automaton.from_table(delta, accepting=accepting)
        right = Automaton.from_table(delta, accepting=np.append(accepting[:-1], ~accepting[-1]))
        cycles = [
            Automaton.from_table([[*range(1, n), 0]] * 10, accepting=[0]) for n in (999, 1000)
        ]
        for one, two, length in ((left, right, 3), (*cycles, 999), (left, left, None)):
            start = time.perf_counter()
            word = one.difference(two)
            assert time.perf_counter() - start < 2  # measured: 0.05 s
            assert (None if word is None else len(word)) == length

    def test_names_its_limit(self, monkeypatch):
        monkeypatch.setattr(congruence, "MAX_PAIRS", 8)
        with pytest.raises(ValueError, match=r"at most 8 pairs .*congruence.MAX_PAIRS .* 5 x 5"):
            Automaton.from_regex("(aa)*").difference(Automaton.from_regex("(aaa)*"))


class TestLetters:
    @given(automata(max_states=3))
    def test_merged_letters_act_alike(self, machine):
        letter_class, merged = machine.merge_letters()
        assert np.array_equal(merged.delta[letter_class], machine.delta)
        if machine.kind == "mealy":
            assert np.array_equal(merged.outputs[letter_class], machine.outputs)
        again, _ = merged.merge_letters()
        assert again.tolist() == list(range(merged.n_letters))

    def test_mealy_letters_with_equal_transitions_and_different_outputs_stay_apart(self):
        machine = Automaton.from_table([[0], [0], [0]], outputs=[[0], [1], [0]])
        letter_class, merged = machine.merge_letters()
        assert letter_class.tolist() == [0, 1, 0]
        assert merged.letters == ("a", "b")

    @given(automata())
    def test_access_words_reach_their_states_by_shortest_words(self, machine):
        words = machine.access_words
        assert all(machine.run(word) == state for state, word in words.items())
        assert list(map(len, words.values())) == sorted(map(len, words.values()))
        assert set(words) == set(machine.delta[:, list(words)].ravel()) | {machine.initial}


class TestFromTable:
    def test_missing_transitions_go_to_a_sink_on_request(self):
        with pytest.raises(ValueError, match=r"state '1' has no transition on letter 'b' \(1 miss"):
            Automaton.from_table([[1, 0], [0, -1]])
        machine = Automaton.from_table([[1, 0], [0, -1]], accepting=[0, 1], sink=True)
        assert machine.delta.tolist() == [[1, 0, 2], [0, 2, 2]]
        assert machine.accepting.tolist() == [True, True, False]
        assert Automaton.from_table([[0]], sink=True).n_states == 1

    def test_a_sink_has_an_output_of_its_own(self):
        moore = Automaton.from_table([[-1]], outputs=[0], sink=True)
        assert moore.outputs.tolist() == [0, 1]
        assert moore.output_symbols == ("0", "undefined")
        mealy = Automaton.from_table([[-1], [0]], outputs=[[-1], [0]], sink=True)
        assert mealy.outputs.tolist() == [[1, 1], [0, 1]]

    def test_default_letters(self):
        assert Automaton.from_table([[0]] * 3).letters == ("a", "b", "c")
        assert Automaton.from_table([[0]] * 27).letters[:2] == ("a0", "a1")

    def test_accepting_states_as_booleans_or_numbers(self):
        for accepting in ([1], {1}, [False, True], np.array([False, True]), (np.int64(1),)):
            machine = Automaton.from_table([[0, 1]], accepting=accepting)
            assert machine.accepting.tolist() == [False, True]

    def test_arrays_are_read_only_copies(self):
        delta = np.array([[0, 1]])
        machine = Automaton.from_table(delta)
        delta[0, 0] = 1
        assert machine.delta[0, 0] == 0
        with pytest.raises(ValueError, match="read-only"):
            machine.delta[0, 0] = 1

    @pytest.mark.parametrize(
        ("delta", "options", "message"),
        [
            ([0, 1], {}, r"'delta' must have shape \(letters, states\), not \(2,\)"),
            ([[]], {}, r"at least one letter and one state, not \(1, 0\)"),
            ([[0], [0, 1]], {}, "'delta' must be a rectangular array of integers"),
            ([[0.5]], {}, "'delta' must hold integers, not float64"),
            ([[2, 0]], {}, r"'delta' must hold indices in 0..1, not 2"),
            ([[-2]], {"sink": True}, "'delta' must hold states, or -1, not -2"),
            ([[2**70]], {}, "'delta' must hold integers, not object"),
            ([[0]], {"letters": ""}, "'letters' must hold 1 non-empty names"),
            ([[0]], {"letters": [""]}, "'letters' must hold 1 non-empty names"),
            ([[0], [0]], {"letters": "aa"}, "'letters' must hold distinct strings, not a a"),
            ([[0]], {"letters": [0]}, "'letters' must hold distinct strings, not 0"),
            ([[0]], {"letters": ["\udcff"]}, r"'letters' must hold valid Unicode, not '\\udcff'"),
            ([[0]], {"initial": 1}, "'initial' must be a state in 0..0, not 1"),
            ([[0]], {"initial": -1}, "'initial' must be a state in 0..0, not -1"),
            ([[0]], {"accepting": [1]}, "'accepting' must hold states in 0..0, not 1"),
            ([[0]], {"accepting": [True, False]}, "'accepting' must hold 1 booleans"),
            ([[0]], {"accepting": [0.0]}, "'accepting' must hold integers"),
            ([[0]], {"accepting": [0], "outputs": [0]}, "'accepting' must be all False"),
            ([[0]], {"outputs": [0, 0]}, r"'outputs' must have shape \(1,\) or \(1, 1\)"),
            ([[0]], {"outputs": [2], "output_symbols": "x"}, "'outputs' must hold indices in 0..0"),
            ([[0]], {"outputs": [-1]}, "'outputs' must hold indices in 0..0, not -1"),
            ([[0]], {"outputs": [0], "output_symbols": "xx"}, "must hold distinct strings"),
            ([[0]], {"output_symbols": "xy"}, "'output_symbols' must be '0' and '1' for a DFA"),
        ],
    )
    def test_refuses(self, delta, options, message):
        with pytest.raises(ValueError, match=message) as caught:
            Automaton.from_table(delta, **options)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("initial", [0.0, True, "0", None])
    def test_refuses_an_initial_state_that_is_no_integer(self, initial):
        with pytest.raises(TypeError, match="Argument 'initial' must be an integer"):
            Automaton.from_table([[0, 1]], initial=initial)

    def test_refuses_a_huge_table_before_spending_memory(self):
        huge = np.broadcast_to(np.int32(0), (10, 10**10))
        with pytest.raises(ValueError, match=r"table.MAX_TABLE_ENTRIES for more\), not 10 x 1000"):
            Automaton.from_table(huge)
        with pytest.raises(ValueError, match="MAX_TABLE_ENTRIES"):
            Automaton(huge, 0, np.broadcast_to(False, 10**10), tuple("abcdefghij"))

    def test_a_sink_counts(self, monkeypatch):
        monkeypatch.setattr(table, "MAX_TABLE_ENTRIES", 2)
        assert Automaton.from_table([[1, 0]]).n_states == 2
        with pytest.raises(ValueError, match="not 1 x 3"):
            Automaton.from_table([[1, -1]], sink=True)


class TestCoerce:
    def test_takes_whatever_stands_for_an_automaton(self):
        even = Automaton.from_regex("(aa)*")
        nfa_like = DFA.from_finite_language(language={"", "aa"}, input_symbols={"a"})
        assert Automaton.coerce(even) is even
        assert Automaton.coerce("(aa)*").difference(even) is None
        assert Automaton.coerce("(aa)*", letters="ab").letters == ("a", "b")
        assert Automaton.coerce(even.to_dfa()).difference(even) is None
        assert Automaton.coerce(even.to_graph()).difference(even) is None
        assert Automaton.coerce(nfa_like).difference(even) == ("a",) * 4

    @pytest.mark.parametrize("value", [None, 3, ["a"], b"a*", object])
    def test_refuses_the_rest(self, value):
        with pytest.raises(TypeError, match="Cannot make an automaton of"):
            Automaton.coerce(value)

    def test_from_regex_is_minimal(self):
        assert Automaton.from_regex("(a|b)*a(a|b)").n_states == 4
        assert Automaton.from_regex("(aa)*|a(aa)*").n_states == 1
        assert repr(Automaton.from_regex("a*b")) == "<Automaton dfa: 3 states, 2 letters>"


def test_the_limits_of_a_regex_can_be_raised() -> None:
    pattern = "a{20001}"
    with pytest.raises(ValueError, match=r"simplify it, or raise .*max_positions="):
        Automaton.from_regex(pattern)
    limits = {"max_positions": 30_000, "max_states": 30_000}
    assert Automaton.from_regex(pattern, **limits).n_states == 20_003
