"""SOURCE arguments: automata by regex, by file, or by name."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.storage import MODULE, format_of

Kind = Literal["dot", "jff", "att", "json", "name", "weights", "regex"]
_SUFFIXES: dict[str, Kind] = {
    ".dot": "dot",
    ".gv": "dot",
    ".jff": "jff",
    ".att": "att",
    ".json": "json",
    ".safetensors": "weights",
}
WRITERS = (".json", ".dot", ".jff", ".att")
"""Endings of files that `write_automaton` writes."""
_CALL = re.compile(r"@(\w*)(?:\(([^()]*)\))?")


def read_automaton(
    source: str, alphabet: Iterable[str] | None = None, *, sink: bool = False
) -> Automaton:
    """The automaton that a SOURCE argument stands for.

    Args:
        source: a path that ends in .dot, .gv, .jff, .att or .json; `@` and a name of the bestiary,
            or a function of `languages` with its arguments; anything else is a regular expression.
        alphabet: the letters of a regular expression.
        sink: whether missing transitions of a .dot, .jff or .att file go to a new rejecting state.

    Raises:
        ValueError: if it is none of these, or an option does not fit it.

    Example:
        >>> read_automaton("@mod(3, ab)")
        <Automaton dfa: 3 states, 2 letters>
    """
    kind = source_kind(source)
    if sink and kind not in ("dot", "jff", "att"):
        raise ValueError(f"Option '--sink' is for a .dot, .jff or .att file, not for {source!r}.")
    if alphabet is not None and kind != "regex":
        raise ValueError(f"Option '--alphabet' is for a regex, not for {source!r}.")
    match kind:
        case "dot":
            return Automaton.from_dot(source, sink=sink)
        case "jff":
            return Automaton.from_jff(source, sink=sink)
        case "att":
            return Automaton.from_att(source, sink=sink)
        case "json":
            return Automaton.from_json(Path(source))
        case "name":
            return _named(source)
        case "weights":
            raise ValueError(
                f"Argument 'SOURCE' must be a regex, an automaton file or @NAME, "
                f"not the weight file {source!r}."
            )
    return Automaton.from_regex(source, alphabet)


def read_weights(path: str) -> LRNN:
    """The LRNN of a weight file, a layer after the template, or an exported module.

    Raises:
        ValueError: if it is none of these.
    """
    if format_of(path) == MODULE:
        from lrnn_theory.export import from_torch, load_module

        return from_torch(load_module(path))
    return LRNN.load(path)


def write_automaton(automaton: Automaton, path: Path) -> None:
    """Write an automaton in the format of the path's ending, one of `WRITERS`.

    Raises:
        ValueError: if the format cannot hold the automaton, or the file cannot be written.
    """
    suffix = path.suffix
    writers = {".json": automaton.to_json, ".dot": automaton.to_dot, ".jff": automaton.to_jff}
    (writers | {".att": automaton.to_att})[suffix](path)


def source_kind(source: str) -> Kind:
    """How `read_automaton` takes a SOURCE: by its first character or its suffix."""
    if source.startswith("@"):
        return "name"
    return _SUFFIXES.get(Path(source).suffix.lower(), "regex")


def _named(source: str) -> Automaton:
    match = _CALL.fullmatch(source)
    if not match:
        raise ValueError(f"Argument 'SOURCE' must be @NAME or @NAME(ARGUMENTS), not {source!r}.")
    name, arguments = match.groups()
    if arguments is None and name in languages.BESTIARY:
        return languages.BESTIARY[name]()
    families = _families()
    if name not in families:
        known = dict.fromkeys([*languages.BESTIARY, *families])
        near = difflib.get_close_matches(name, known) or languages.BESTIARY
        expected = " ".join(f"@{n}" for n in near)
        raise ValueError(f"Argument 'SOURCE' must be a machine such as {expected}, not {source!r}.")
    family = families[name]
    given = [text.strip() for text in (arguments or "").split(",") if text.strip()]
    try:
        bound = inspect.signature(family).bind(*given)
    except TypeError as error:
        raise ValueError(f"Argument 'SOURCE' must fit {name}, not {source!r}: {error}.") from None
    for key, text in bound.arguments.items():
        if family.__annotations__[key] == "int" and re.fullmatch(r"-?\d{1,18}", text):
            bound.arguments[key] = int(text)  # what is no number is for the family to refuse
    return family(*bound.args)


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
