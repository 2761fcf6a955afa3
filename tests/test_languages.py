"""The bestiary: every family against an independent definition, and the published sizes."""

import itertools
import re
from collections.abc import Callable, Iterable
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.languages import BESTIARY, PROTOCOLS, REGEXES


def all_words(letters: Iterable[str], longest: int) -> Iterable[str]:
    """Every word over one-character letters, shortest first."""
    for length in range(longest + 1):
        yield from map("".join, itertools.product(letters, repeat=length))


def assert_language(automaton: Automaton, member: Callable[[str], bool], longest: int) -> None:
    for word in all_words(automaton.letters, longest):
        assert automaton.accepts(word) == member(word), word


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("name", BESTIARY)
def test_every_machine_is_minimal_and_reachable(name):
    automaton = BESTIARY[name]()
    assert automaton.n_states == automaton.minimize().n_states


def test_bestiary_is_large_and_complete():
    assert len(BESTIARY) >= 30
    assert {*REGEXES, *PROTOCOLS} <= BESTIARY.keys()


@given(st.integers(1, 9), st.integers(0, 8), st.text("abc", max_size=30))
def test_mod_counts_the_first_letter(m, accept, word):
    accept %= m
    assert languages.mod(m, "abc", accept).accepts(word) == (word.count("a") % m == accept)


@given(st.integers(0, 9), st.text("ab", max_size=30))
def test_at_least_counts(n, word):
    assert languages.at_least(n).accepts(word) == (word.count("a") >= n)


@given(st.integers(1, 7), st.text("ab", max_size=30))
def test_nth_from_last_looks_back(k, word):
    assert languages.nth_from_last(k).accepts(word) == (word[-k : -k + 1 or None] == "a")


@given(st.text("ab", min_size=1, max_size=7), st.text("ab", max_size=30))
def test_contains_finds_factors(factor, word):
    assert languages.contains(factor, "ab").accepts(word) == (factor in word)


@given(st.lists(st.sampled_from(["write0", "write1", "ignore"]), min_size=1, max_size=30))
def test_flip_flop_remembers_the_last_write(word):
    automaton = languages.flip_flop()
    writes = [letter[-1] for letter in word if letter != "ignore"]
    answer = automaton.transduce(automaton.encode(word))[-1]
    assert automaton.output_symbols[answer] == (writes[-1] if writes else "0")


@given(st.integers(0, 4), st.integers(1, 4), st.data())
def test_bounded_dyck_reduces_to_nothing(depth, kinds, data):
    automaton = languages.bounded_dyck(depth, kinds)
    brackets = "()[]{}<>"[: 2 * kinds]
    word = data.draw(st.text(brackets, max_size=12))
    if data.draw(st.booleans()):  # random words are hardly ever balanced: mirror this one
        opened = [c for c in word if c in brackets[::2]]
        word = "".join(opened + [brackets[brackets.index(c) + 1] for c in reversed(opened)])
    deepest, left = 0, word
    while (shorter := re.sub(r"\(\)|\[\]|\{\}|<>", "", left)) != left:
        deepest, left = deepest + 1, shorter
    heights = itertools.accumulate(1 if c in brackets[::2] else -1 for c in word)
    assert automaton.accepts(word) == (not left and max(heights, default=0) <= depth)


def calculator(word: str, m: int) -> int | None:
    """Value of the input after the last C, or None if it is not well formed."""
    text = word.replace("_", "").rpartition("C")[2]
    if not re.fullmatch(r"\d([-+*]\d)*", text):
        return None
    terms = re.split(r"(?=[-+])", text)
    total = 0
    for term in terms:
        product = -1 if term[0] == "-" else 1
        for digit in term.lstrip("+-").split("*"):
            product *= int(digit)
        total += product
    return total % m


@given(st.integers(1, 10), st.data())
def test_modular_arithmetic_obeys_precedence(m, data):
    digit = st.sampled_from([str(d) for d in range(m)])
    piece = st.tuples(st.sampled_from(["+", "-", "*", "*", "_*", "C"]), digit).map("".join)
    word = data.draw(digit) + "".join(data.draw(st.lists(piece, max_size=12)))
    word += data.draw(st.sampled_from(["", "", "_", "+", "0", "*C0"]))
    assert languages.modular_arithmetic(m).accepts(word) == (calculator(word, m) == 0)


def test_modular_arithmetic_on_all_short_words():
    assert_language(languages.modular_arithmetic(3), lambda word: calculator(word, 3) == 0, 5)


@given(st.integers(1, 30), st.sampled_from(["a", "ab", "xyz"]), st.integers(0, 2**32))
def test_random_automaton_is_its_documented_table(n, letters, seed):
    rng = np.random.default_rng(seed)
    delta = rng.integers(n, size=(len(letters), n))
    table = Automaton.from_table(delta, accepting=rng.random(n) < 0.5, letters=letters)
    assert languages.random_automaton(n, letters, seed).difference(table) is None


@pytest.mark.parametrize("name", REGEXES)
@given(st.data())
def test_regexes_agree_with_python(name, data):
    pattern, alphabet = REGEXES[name]
    automaton = languages.regex(name)
    example = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True, alphabet=alphabet)
    word = data.draw(example)
    assert automaton.accepts(word)
    place = data.draw(st.integers(0, len(word)))
    word = word[:place] + data.draw(st.text(alphabet, max_size=2)) + word[place + 1 :]
    assert automaton.accepts(word) == bool(re.fullmatch(pattern, word, re.ASCII))


EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "iso_date": (
        ["2024-02-29", "0000-12-31", "1999-09-30"],
        ["2024-13-01", "2024-00-10", "2024-01-32", "2024-1-01", "24-01-01", "2024-01-00"],
    ),
    "iso_datetime": (
        ["2024-02-29T23:59:59Z", "2024-02-29T00:00:00", "2024-02-29T19:07:30"],
        ["2024-02-29T24:00:00Z", "2024-02-29T10:60:00", "2024-02-29T10:00:60", "2024-02-29"],
    ),
    "ipv4": (
        ["0.0.0.0", "255.255.255.255", "192.168.1.10", "249.99.100.5"],
        ["256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "1..2.3", "1.2.3.260"],
    ),
    "uuid": (
        ["123e4567-e89b-12d3-a456-426614174000"],
        ["123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400"],
    ),
    "email": (
        ["ada@example.org", "a.b+c@sub.ex-ample.de", "x1@y2.io"],
        ["ada@example", "@example.org", "ada@example.c", "a..b@c.de", "a@-b.de", "a@b.info"],
    ),
    "quoted_string": (
        ['""', '"it is"', r'"say \"so\""', r'"\\"'],
        ['"', "it", r'"\"', '"a"b"', r'"\\\"'],
    ),
}


@pytest.mark.parametrize("name", REGEXES)
def test_regex_examples(name):
    automaton = languages.regex(name)
    members, others = EXAMPLES[name]
    assert all(automaton.accepts(word) for word in members)
    assert not any(automaton.accepts(word) for word in others)


# ---------------------------------------------------------------- definitions


def test_parity():
    assert_language(languages.parity(), lambda word: word.count("1") % 2 == 1, 8)
    assert languages.parity().letters == ("0", "1")


TOMITA: dict[int, Callable[[str], bool]] = {
    1: lambda w: "0" not in w,
    2: lambda w: re.fullmatch("(10)*", w) is not None,
    # Maximal runs: an odd run of 1's directly followed by an odd run of 0's.
    3: lambda w: re.search(r"(?<!1)1(11)*0(00)*(?!0)", w) is None,
    4: lambda w: "000" not in w,
    5: lambda w: w.count("0") % 2 == 0 == w.count("1") % 2,
    6: lambda w: (w.count("0") - w.count("1")) % 3 == 0,
    7: lambda w: re.fullmatch("0*1*0*1*", w) is not None,
}


@pytest.mark.parametrize("number", TOMITA)
def test_tomita(number):
    assert_language(languages.tomita(number), TOMITA[number], 10)


def test_last_letter_and_parity_of_ab():
    automaton = languages.last_letter_and_parity_of_ab()
    assert_language(automaton, lambda word: word.count("ab") % 2 == 1, 9)
    assert automaton.accepts("ab")


def test_contains_needs_borders():
    assert_language(languages.contains("aabaa"), lambda word: "aabaa" in word, 9)
    assert languages.contains(["open", "open", "shut"]).accepts(["open", "open", "open", "shut"])


def test_full_transformation_monoid_moves_points():
    automaton = languages.full_transformation_monoid(4)
    maps = dict(zip(automaton.letters, automaton.delta.tolist(), strict=True))
    assert maps == {"cycle": [1, 2, 3, 0], "swap": [1, 0, 2, 3], "merge": [0, 0, 2, 3]}


PUBLISHED_SIZES = {
    **dict(zip((f"tomita_{i}" for i in range(1, 8)), (2, 3, 5, 4, 4, 3, 5), strict=True)),
    "parity": 2,
    "mod_60": 60,
    "contains_abc": 4,
    "seventh_from_last": 128,
    "at_least_5": 6,
    "dyck_5": 7,
    "dyck_10": 12,
    "dyck_3_of_two_kinds": 1 + 2 + 4 + 8 + 1,
    "modular_arithmetic_5": 51,
    "last_letter_and_parity_of_ab": 4,
    "s5": factorial(5),
    "a5_two_generators": 60,
    "q8": 8,
    "t5": 5,
    "iso_date": 15,
    "iso_datetime": 26,
    "ipv4": 25,
    "uuid": 38,
    "email": 10,
    "quoted_string": 5,
    "random_10": 7,
    "random_20": 16,
    "random_50": 40,
    "tcp": 11,
}


@pytest.mark.parametrize(("name", "size"), PUBLISHED_SIZES.items())
def test_sizes(name, size):
    assert BESTIARY[name]().n_states == size


@pytest.mark.parametrize("m", range(1, 11))
def test_modular_arithmetic_sizes(m):
    automaton = languages.modular_arithmetic(m)
    assert (automaton.n_letters, automaton.n_states) == (m + 5, 2 * m * m + 1)


# ---------------------------------------------------------------- misuse

WRONG: list[tuple[Callable[[], Automaton], str]] = [
    (lambda: languages.mod(0), "'m' must be at least 1, not 0"),
    (lambda: languages.mod(3, accept=3), "'accept' must be between 0 and 2, not 3"),
    (lambda: languages.mod(3, ""), "'letters' must"),
    (lambda: languages.mod(10**9), "not 1 x 1000000000"),
    (lambda: languages.at_least(10**9), "table entries"),
    (lambda: languages.nth_from_last(10**9), "table entries"),
    (lambda: languages.bounded_dyck(10**12), "table entries"),
    (lambda: languages.bounded_dyck(10**6, 4), "table entries"),
    (lambda: languages.bounded_dyck(3, 5), "'kinds' must be between 1 and 4, not 5"),
    (lambda: languages.full_transformation_monoid(10**9), "table entries"),
    (lambda: languages.random_automaton(10**9), "table entries"),
    (lambda: languages.modular_arithmetic(11), "'m' must be between 1 and 10, not 11"),
    (lambda: languages.tomita(8), "'number' must be between 1 and 7, not 8"),
    (lambda: languages.contains(""), "'word' must"),
    (lambda: languages.contains("abc", "ab"), "'word' must"),
    (lambda: languages.regex("date"), "'name' must be one of iso_date"),
    (lambda: languages.protocol("http"), "'name' must be one of bluetooth_pairing"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_misuse_is_one_line(call, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [2.0, "2", True, None])
def test_numbers_must_be_integers(value):
    with pytest.raises(TypeError, match="Argument 'm' must be an integer"):
        languages.mod(value)
