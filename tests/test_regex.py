"""`regex_table` against Python's own `re.fullmatch`, and against languages built word by word."""

import re
import time
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrnn_theory.regex import RegexTable, regex_table

LETTERS = "abc"
SHORT = 4  # the oracle languages hold all words up to this length


def words_up_to(length: int, letters: str = LETTERS) -> list[str]:
    return ["".join(w) for n in range(length + 1) for w in product(letters, repeat=n)]


def accepts(table: RegexTable, word: str) -> bool:
    state = table.initial
    for character in word:
        state = table.delta[table.letters.index(character), state]
    return bool(table.accepting[state])


def accepted(table: RegexTable, length: int) -> set[str]:
    """All accepted words up to `length`."""
    found, layer = set(), {"": table.initial}
    for _ in range(length + 1):
        found |= {word for word, state in layer.items() if table.accepting[state]}
        layer = {
            word + letter: table.delta[a, state]
            for word, state in layer.items()
            for a, letter in enumerate(table.letters)
        }
    return found


def matched(pattern: str, words: list[str]) -> set[str]:
    compiled = re.compile(pattern, re.ASCII)
    return {word for word in words if compiled.fullmatch(word)}


# ------------------------------------------------- random patterns together with their languages

Language = frozenset[str]
EMPTY_WORD: Language = frozenset([""])


def concatenation(left: Language, right: Language) -> Language:
    return frozenset(u + v for u in left for v in right if len(u) + len(v) <= SHORT)


def repetition(body: Language, low: int, high: int | None) -> Language:
    power = EMPTY_WORD
    for _ in range(low):
        power = concatenation(power, body)
    total = power
    # Beyond SHORT further copies only empty words can be added.
    for _ in range(SHORT + 1 if high is None else high - low):
        power = concatenation(power, body)
        total |= power
    return total


def quantified(pair: tuple[str, Language], mark: tuple[str, int, int | None], lazy: bool):
    text, language = pair
    symbol, low, high = mark
    atom = text if text in [*LETTERS, "."] else f"(?:{text})"
    return atom + symbol + "?" * lazy, repetition(language, low, high)


@st.composite
def marks(draw: st.DrawFn) -> tuple[str, int, int | None]:
    low, extra = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    return draw(
        st.sampled_from(
            [
                ("*", 0, None),
                ("+", 1, None),
                ("?", 0, 1),
                (f"{{{low}}}", low, low),
                (f"{{{low},}}", low, None),
                (f"{{,{low}}}", 0, low),
                (f"{{{low},{low + extra}}}", low, low + extra),
            ]
        )
    )


atoms = st.sampled_from(
    [(a, frozenset([a])) for a in LETTERS]
    + [
        ("", EMPTY_WORD),
        (".", frozenset("abc")),
        ("[ab]", frozenset("ab")),
        ("[^a]", frozenset("bc")),
        ("[a-c]", frozenset("abc")),
    ]
)


def larger(pairs: st.SearchStrategy) -> st.SearchStrategy:
    several = st.lists(pairs, min_size=2, max_size=3)

    def joined(parts):
        language = EMPTY_WORD
        for _, part in parts:
            language = concatenation(language, part)
        return "".join(f"({text})" if "|" in text else text for text, _ in parts), language

    return st.one_of(
        several.map(joined),
        several.map(
            lambda ps: ("|".join(t for t, _ in ps), frozenset().union(*(p for _, p in ps)))
        ),
        st.builds(quantified, pairs, marks(), st.booleans()),
        pairs.map(lambda p: (f"({p[0]})", p[1])),
    )


patterns = st.recursive(atoms, larger, max_leaves=8)


@given(patterns)
@example(("((?:a*)*)*", frozenset("a" * n for n in range(SHORT + 1))))
def test_language_of_a_random_pattern(pair):
    pattern, language = pair
    table = regex_table(pattern, LETTERS)
    assert accepted(table, SHORT) == language
    assert table.delta.dtype == np.int32
    assert table.delta.shape == (3, len(table.accepting))
    assert table.delta.min() >= 0
    assert table.delta.max() < len(table.accepting)


@given(patterns, st.lists(st.text(LETTERS, min_size=6, max_size=12), max_size=20))
def test_agrees_with_re(pair, long_words):
    pattern = pair[0]
    table = regex_table(pattern, LETTERS)
    assert accepted(table, 5) == matched(pattern, words_up_to(5))
    assert {w for w in long_words if accepts(table, w)} == matched(pattern, long_words)


SYNTAX = "ab01|()*+?{,}[]^-\\.$dDwWsSxuAZPin:=!<>#"


@settings(max_examples=1000)
@given(
    st.text(SYNTAX, max_size=12)
    | st.lists(
        st.sampled_from(
            [*"ab1|()*?{}[]^-$", "(?:", "{1,2}", "[^", r"\d", r"\A", r"\]", r"\1", "(?="]
        )
    ).map("".join)
)
def test_any_text_means_what_it_means_to_re_or_is_refused(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # re warns where a future version may differ
        try:
            oracle = re.compile(pattern, re.ASCII)
        except (re.error, OverflowError):
            oracle = None
        try:
            table = regex_table(pattern, map(chr, range(0x100)))
        except ValueError as error:
            refusal = str(error)
            assert "\n" not in refusal
            known = ("not supported", "anchors are supported only", "more than", "not a letter")
            assert oracle is None or any(part in refusal for part in known)
        else:
            assert oracle is not None
            for word in [*words_up_to(3, "ab1"), *words_up_to(2, "a-]{,^"), *SYNTAX]:
                assert accepts(table, word) == bool(oracle.fullmatch(word)), word


ASCII = "".join(map(chr, range(128))) + "éλ\u2028\U0001f600"
MEMBERS = r"""
    a b z 0 5 9 _ - ^ . [ é a-f 0-4 !-~ \x41-\x5a a-\x66 --z \d \w \s \D \W \S
    \- \b \\ \] \[ \^ \n \t \r \f \v \a \0 \x41 \u00e9 \U0001F600 \101
"""
members = st.sampled_from(MEMBERS.split())


@given(
    st.lists(members, min_size=1, max_size=5).map("".join),
    st.sampled_from(["[", "[^", "[]", "[^]"]),
)
def test_classes_agree_with_re(inside, opening):
    pattern = f"{opening}{inside}]"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = {c for c in ASCII if re.fullmatch(pattern, c, re.ASCII)}
        except re.error:
            with pytest.raises(ValueError, match="at position"):
                regex_table(pattern, ASCII)
        else:
            table = regex_table(pattern, ASCII)
            assert {c for c in ASCII if accepts(table, c)} == expected


# ------------------------------------------------------------------------------- hard patterns

OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
EVERYDAY = {
    r"(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])": "1999-12-31 2024-02-30 2024-13-01",
    r"^\d{4}-\d\d-\d\dT([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)$": (
        "2024-02-29T23:59:60Z 2024-02-29T23:59:59.25+01:00 2024-02-29T00:00:00-0100"
    ),
    rf"({OCTET}\.){{3}}{OCTET}": "127.0.0.1 255.255.255.255 256.1.1.1 1.2.3",
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}": "01234567-89ab-cdef-ABCD-EF0123456789",
    r"[\w.+-]+@(?P<host>[\w-]+\.)+[a-z]{2,6}": "ada.l+x@mail.example.org a@b",
    r"\w{1,64}@(\w{1,63}\.){1,8}[a-z]{2,}": "ada@mail.example.org",
    r'"(?:[^"\\]|\\.)*"': r'"say \"hi\"" "a\" "',
    r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?": "1.5e-3 -.5 1e .",
}


@pytest.mark.parametrize("pattern", EVERYDAY)
def test_everyday_patterns(pattern):
    start = time.process_time()
    table = regex_table(pattern, ASCII)
    assert time.process_time() - start < 0.2
    rng = np.random.default_rng(0)
    hits = 0
    for word in EVERYDAY[pattern].split(" "):
        for _ in range(300):
            edited = list(word)
            for _ in range(rng.integers(0, 3)):
                at = rng.integers(0, len(edited))
                edited[at : at + 1] = rng.choice(["", "0", "9", "a", ".", '"', "\\", word[0] * 2])
                edited = edited or ["0"]
            text = "".join(edited)
            expected = re.fullmatch(pattern, text, re.ASCII) is not None
            hits += expected
            assert accepts(table, text) == expected, text
    assert hits > 30


@pytest.mark.parametrize(
    ("pattern", "most_states"),
    [
        ("((a*)*)*", 2),
        ("(a|a)*", 2),
        ("(a|)(|a){1000}", 1003),
        ("(a?){10000}", 10_002),
        ("(a{0,60}){0,60}", 3602),
        ("a?" * 500, 502),
        ("(" + "ab" * 5000 + ")*", 10_001),
        (".*a.{0,30}b", 40),
        ("(a|b)*a(a|b){10}", 2048),
        ("(?:b|" * 100 + "a" + ")*" * 100, 4),
        (r"\w{5,5000}", 5002),
    ],
)
def test_hard_patterns_are_quick_and_small(pattern, most_states):
    start = time.process_time()
    table = regex_table(pattern)
    assert time.process_time() - start < 5
    assert len(table.accepting) <= most_states


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [
        ("ab{999999999}", "max_positions"),
        ("ab{999999999,}", "max_positions"),
        ("((a{100}){100}){100}", "max_positions"),
        ("a{" + "9" * 10_000 + "}", "max_positions"),
        ("(((a{9999999999}){9999999999}){9999999999}){9999999999,}", "max_positions"),
        ("(a|b)*a(a|b){30}", "max_states"),
        ("a?" * 10_000, "max_states"),
        (r"[\0-\uffff]{1000}", "MAX_TABLE_ENTRIES"),
        ("(" * 100_000, "nests groups more than 100 deep at position 100"),
        ("(" * 100_000 + ")" * 100_000, "nests groups more than 100 deep at position 100"),
    ],
)
def test_explosive_patterns_are_refused_at_once(pattern, limit):
    tries = 3  # a machine that others use, too, may be slow for a while
    while True:
        start = time.process_time()
        with pytest.raises(ValueError, match=limit) as caught:
            regex_table(pattern)
        took, tries = time.process_time() - start, tries - 1
        if took < 3 or not tries:
            break
    assert took < 3
    assert len(str(caught.value)) < 300


def test_limits_can_be_moved():
    assert len(regex_table("a{30000}", max_positions=30_000, max_states=30_002).accepting) == 30_002
    with pytest.raises(ValueError, match="more than 4 positions"):
        regex_table("(ab){2}c", max_positions=4)
    with pytest.raises(ValueError, match="more than 6 states over 3 letters"):
        regex_table("(ab){2}c", max_states=6)
    assert len(regex_table("(ab){2}c", max_positions=5, max_states=7).accepting) == 7


# ------------------------------------------------------------------------------------ alphabets


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [
        ("ba", "ab"),
        ("[0-9]+x", "0123456789x"),
        (r"\d", "0123456789"),
        (r"[\w]", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"),
        (r"\s", "\t\n\v\f\r "),
        ("b[^a]*", "b"),
        (r"a\D\W.", "a"),
        (r"[\s\S]*a", "a"),
        (r'"(?:[^"\\]|\\.)*"', '"\\'),
        ("λ[é-ë]|\U0010ffff", "éêëλ\U0010ffff"),
        ("^&", "&"),
        ("a{,x}", ",ax{}"),
    ],
)
def test_inferred_letters(pattern, letters):
    assert regex_table(pattern).letters == tuple(letters)


@pytest.mark.parametrize("pattern", ["", ".*", "[^a]*", r"\D+", "(|.?)", "^$"])
def test_nothing_to_infer(pattern):
    with pytest.raises(ValueError, match=r"names no character .*: give --alphabet"):
        regex_table(pattern)
    table = regex_table(pattern, "ba")
    assert table.letters == ("a", "b")
    assert accepted(table, 3) == matched(pattern, words_up_to(3, "ab"))


def test_explicit_alphabet_bounds_classes_and_dots():
    table = regex_table(r"[a-z].\w[^b]", {"b": 0, "\n": 1, "a": 2})
    assert table.letters == ("\n", "a", "b")
    assert accepted(table, 4) == matched(r"[a-z].\w[^b]", words_up_to(4, "\nab"))
    assert accepted(regex_table("[xyz]*", "a"), 3) == {""}


def test_dollar_is_the_very_end():
    assert accepted(regex_table("^a$", "a\n"), 3) == {"a"}
    assert accepted(regex_table(r"\Aa\Z", "a\n"), 3) == {"a"}


@pytest.mark.parametrize(
    "pattern",
    ["^a|b$", "^(^a|^b)", "(a$|(b$))$", "(|^)a()$", "(?:^(?:a$))?", "$^", "(^a|b)c*", "a(b$)?"],
)
def test_anchors_where_a_word_begins_or_ends(pattern):
    assert accepted(regex_table(pattern, LETTERS), 4) == matched(pattern, words_up_to(4))
