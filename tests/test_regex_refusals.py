"""What regexes refuse, in one line."""

import pytest

from lrnn_theory.regex import regex_table

# ------------------------------------------------------------------------------------- refusals

NOT_SUPPORTED = {
    "a(?=b)": "a lookahead at position 1",
    "(?!a)b": "a lookahead at position 0",
    "(?<=a)b": "a lookbehind at position 0",
    "(?<!a)b": "a lookbehind at position 0",
    r"(a)\1": "a backreference at position 3",
    r"(a)\12": "a backreference at position 3",
    "(?P<n>a)(?P=n)": "a backreference at position 8",
    "(?>a*)a": "an atomic group at position 0",
    "(a)(?(1)b|c)": "a conditional group at position 3",
    "(?i)a": "an inline flag at position 0",
    "(?s-i:a)": "an inline flag at position 0",
    "a(?#why)": "a comment at position 1",
    "(?<n>a)": "an unknown kind of group at position 0",
    "(?P<n": "an unknown kind of group at position 0",
    r"\bab": "a word boundary at position 0",
    r"a\B": "a word boundary at position 1",
    "a*+b": "a possessive quantifier at position 1",
    "a{2}+": "a possessive quantifier at position 1",
    r"\q": "an unknown or unfinished escape at position 0",
    r"a\x4": "an unknown or unfinished escape at position 1",
    r"\U00110000": "an unknown or unfinished escape at position 0",
    r"[\B]": "a word boundary at position 1",
    "ab\\": "a backslash with nothing after it at position 2",
}

MALFORMED = {
    "(a": "has an unbalanced '(' at position 0",
    "a(?:b|(c)": "has an unbalanced '(' at position 1",
    "a)b": "has an unbalanced ')' at position 1",
    "a[bc": "has an unbalanced '[' at position 1",
    "[]": "has an unbalanced '[' at position 0",
    "[a-": "has an unbalanced '[' at position 0",
    "[xz-a]": "has a bad range 'z-a' at position 2",
    r"[\d-x]": r"has a bad range '\\d-x' at position 1",
    r"[a-\w]": r"has a bad range 'a-\\w' at position 1",
    "a{3,2}": "has a repetition {3,2} from more to fewer at position 1",
    "x**": "has a multiple repeat at position 2",
    "x{2}{3}": "has a multiple repeat at position 4",
    "x*??": "has a multiple repeat at position 3",
    "*a": "has nothing to repeat at position 0",
    "a|+": "has nothing to repeat at position 2",
    "({2})": "has nothing to repeat at position 1",
    "^*a": "has nothing to repeat at position 1",
    "(?P<1>a)": "has a bad or repeated group name '1' at position 0",
    "(?P<n>a)(?P<n>b)": "has a bad or repeated group name 'n' at position 8",
}

MISPLACED = {
    "a^b": "has the anchor ^ at position 1",
    "a$b": "has the anchor $ at position 1",
    r"a\Ab": r"has the anchor \A at position 1",
    r"(a\Z|b)c": r"has the anchor \Z at position 2",
    "a(b|^)": "has the anchor ^ at position 4",
    "(^a)*": "has the anchor ^ at position 1",
    "(a$){2}": "has the anchor $ at position 2",
}

SINGLE_LINE = [
    *((p, f"Regex {p!r} has {text}, which is not supported.") for p, text in NOT_SUPPORTED.items()),
    *((p, f"Regex {p!r} {text}.") for p, text in MALFORMED.items()),
    *(
        (p, f"Regex {p!r} {text}, but anchors are supported only at the ends of a pattern.")
        for p, text in MISPLACED.items()
    ),
]


@pytest.mark.parametrize(("pattern", "message"), SINGLE_LINE, ids=[p for p, _ in SINGLE_LINE])
def test_refused_by_name(pattern, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared)
        regex_table(pattern, "abcnx")
    assert str(caught.value) == message


def test_messages_stay_short_and_on_one_line():
    with pytest.raises(ValueError, match=r"^Regex 'a\\na\\n") as caught:
        regex_table("a\n" * 500 + "(")
    assert str(caught.value).endswith("...' has an unbalanced '(' at position 1000.")
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("alphabet", "message"),
    [
        ("", "Argument 'alphabet' must hold at least one character."),
        (["a", "ab"], "must hold single characters, .* not 'ab'."),
        (["a", ""], "must hold single characters, .* not ''."),
        ([1], "must hold single characters, .* not 1."),
        ("aba", "Argument 'alphabet' must not repeat a letter, as it does 'a'."),
        ("b", "Regex 'ba' has 'a' at position 1, which is not a letter of the alphabet."),
    ],
)
def test_bad_alphabets(alphabet, message):
    with pytest.raises(ValueError, match=message):
        regex_table("ba", alphabet)


def test_wrong_types():
    with pytest.raises(TypeError, match="Argument 'pattern' must be a string, not b'a'"):
        regex_table(b"a")
    with pytest.raises(TypeError, match="Argument 'alphabet' must be a string or an iterable"):
        regex_table("a", 3)
