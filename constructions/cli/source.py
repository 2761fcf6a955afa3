"""What the command line reads: automata by regex, file or name, and files of words."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrnn_theory import languages, textfile
from lrnn_theory.automaton import Automaton
from lrnn_theory.words import encode_word

_DOT, _JSON = (".dot", ".gv"), (".json",)
_CALL = re.compile(r"@(\w*)(?:\(([^()]*)\))?")


class Word(NamedTuple):
    """A word of a file: its line as it stands there, and its letter indices, (time,)."""

    text: str
    indices: NDArray[np.int64]


def read_automaton(
    source: str, alphabet: Iterable[str] | None = None, *, sink: bool = False
) -> Automaton:
    """The automaton that a SOURCE argument stands for.

    Args:
        source: a path that ends in .dot, .gv or .json; `@` and a name of the bestiary, or a
            function of `languages` with its arguments; anything else is a regular expression.
        alphabet: the letters of a regular expression.
        sink: whether missing transitions of a DOT file go to a new rejecting state.

    Raises:
        ValueError: if it is none of these, or an option does not fit it.

    Example:
        >>> read_automaton("@mod(3)")
        <Automaton dfa: 3 states, 1 letter>
    """
    suffix = Path(source).suffix.lower()
    if sink and suffix not in _DOT:
        raise ValueError(f"Option '--sink' is for a .dot file, not for {source!r}.")
    if suffix in _DOT:
        return Automaton.from_dot(source, sink=sink)
    if suffix in _JSON:
        return Automaton.from_json(Path(source))
    if suffix == ".safetensors":
        raise ValueError(
            f"Argument 'SOURCE' must be a regex, an automaton file or @NAME, "
            f"not the weight file {source!r}."
        )
    if source.startswith("@"):
        return _named(source)
    return Automaton.from_regex(source, alphabet)


def is_regex(source: str) -> bool:
    """Whether `read_automaton` takes a SOURCE for a regular expression."""
    suffix = Path(source).suffix.lower()
    return suffix not in (*_DOT, *_JSON, ".safetensors") and not source.startswith("@")


def _named(source: str) -> Automaton:
    match = _CALL.fullmatch(source)
    if not match:
        raise ValueError(f"Argument 'SOURCE' must be @NAME or @NAME(ARGUMENTS), not {source!r}.")
    name, arguments = match.groups()
    if arguments is None and name in languages.BESTIARY:
        return languages.BESTIARY[name]()
    families = _families()
    if name not in families:
        known = [*languages.BESTIARY, *families]
        near = difflib.get_close_matches(name, known, n=3) or languages.BESTIARY
        raise ValueError(
            f"Argument 'SOURCE' names no machine: expected one of {' '.join(f'@{n}' for n in near)}, "
            f"not {source!r}."
        )
    given = [text.strip() for text in (arguments or "").split(",") if text.strip()]
    try:
        inspect.signature(families[name]).bind(*given)
    except TypeError as error:
        raise ValueError(f"Argument 'SOURCE' must fit {name}, not {source!r}: {error}.") from None
    return families[name](*(int(x) if re.fullmatch(r"-?\d{1,18}", x) else x for x in given))


def _families() -> dict[str, Callable[..., Automaton]]:
    """The public functions of `languages` that return an automaton."""
    return {
        name: function
        for name, function in vars(languages).items()
        if inspect.isfunction(function)
        and function.__annotations__.get("return") == "Automaton"
        and not name.startswith("_")
    }


def machine_names() -> list[str]:
    """`@` and every name of the bestiary, for completion."""
    return [f"@{name}" for name in languages.BESTIARY]


def read_words(path: str, letters: Sequence[str]) -> list[Word]:
    """The words of a file, one a line; `-` is standard input.

    A line is a word in the sense of `words.encode_word`: a plain string if every character of it
    is a letter, otherwise letters separated by spaces.  An empty line is the empty word.

    Raises:
        ValueError: if the file cannot be read, or a letter is unknown; the line is named.
    """
    text = sys.stdin.read() if path == "-" else textfile.read_text(path)
    # Not splitlines: it also splits at characters that may be letters, such as a form feed.
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()  # the end of the last line, not a word after it
    letter_index = {letter: i for i, letter in enumerate(letters)}
    words = []
    for number, line in enumerate(lines, 1):
        try:
            words.append(Word(line, encode_word(line, letter_index)))
        except ValueError as error:
            name = "standard input" if path == "-" else repr(path)
            raise ValueError(f"Words of {name}, line {number}: {error}") from None
    return words
