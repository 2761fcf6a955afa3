"""The command for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constructions.cli import display
from constructions.cli.options import (
    Alphabet,
    Construction,
    Json,
    RepeatedLetter,
    Sink,
    arithmetics,
    complete_source,
    picture_file,
    positive,
)

if TYPE_CHECKING:
    from lrnn_theory.automaton import Automaton
    from lrnn_theory.lrnn import LRNN
    from lrnn_theory.plots import Picture

DRIFTING = ("float8_e5m2", "float8_e4m3", "bfloat16", "float16", "float32")
"""The arithmetics of pictures that compare some, by default."""
LENGTH = 1000
"""How often a letter is repeated, by default."""


@dataclass(frozen=True)
class Wish:
    """What the command was asked for.

    Attributes:
        source: the argument SOURCE.
        automaton: reads it as an automaton.
        construction: option of that name; the others likewise, None if not given.
    """

    source: str
    automaton: Callable[[], Automaton]
    construction: str | None
    arithmetic: list[str] | None
    word: str | None
    letter: str | None
    length: int | None
    layer: int | None

    def network(self) -> LRNN:
        """A weight file, or what an automaton compiles to."""
        from constructions import compile_dfa
        from constructions.cli.source import read_weights, source_kind

        if source_kind(self.source) == "weights":
            if self.construction:
                raise ValueError("Option '--construction' is for automata, not for a weight file.")
            return read_weights(self.source)
        return compile_dfa(self.automaton(), self.construction)

    def layer_of(self, lrnn: LRNN) -> int:
        """The number of a layer, from 1; by default the last."""
        last = len(lrnn.levels)
        if not 1 <= (number := self.layer or last) <= last:
            raise ValueError(f"Option '--layer' must be in 1..{last}, not {number}.")
        return number

    def one_arithmetic(self, default: str) -> str:
        """The only arithmetic."""
        given = self.arithmetic or [default]
        if len(given) > 1:
            raise ValueError(f"Option '--arithmetic' takes one for this picture, not {len(given)}.")
        return given[0]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plot")(plot)


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of pictures."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def plot(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="automaton, cascade, spectrum, trajectory, reflections, orbit, error, horizon or "
            "training.",
            autocompletion=complete_kind,
            show_default=False,
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="An automaton, as for analyze; a weight file, where a network is drawn; or a log.",
            autocompletion=complete_source,
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The picture to write: an .svg, .pdf or .png file.",
            show_default=False,
            parser=picture_file,
        ),
    ],
    construction: Construction = None,
    arithmetic: Annotated[list[str] | None, arithmetics("what fits the picture")] = None,
    word: Annotated[
        str | None, typer.Option("--word", metavar="WORD", help="The word to read (trajectory).")
    ] = None,
    letter: RepeatedLetter = None,
    length: Annotated[
        int | None,
        typer.Option("--length", metavar="N", help="How often to repeat it.", parser=positive),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option("--layer", metavar="N", help="The layer to draw, from 1.", parser=positive),
    ] = None,
    alphabet: Alphabet = None,
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Draw an automaton, its cascade, or what a linear RNN does."""
    from constructions.cli.source import read_automaton

    if kind not in KINDS:
        raise ValueError(f"Argument 'KIND' must be one of {', '.join(KINDS)}, not {kind!r}.")
    draw, options = KINDS[kind]
    wish = Wish(
        source,
        lambda: read_automaton(source, alphabet, sink=sink),
        construction,
        arithmetic,
        word,
        letter,
        length,
        layer,
    )
    for name in ("construction", "arithmetic", "word", "letter", "length", "layer"):
        if getattr(wish, name) is not None and name not in options.split():
            raise ValueError(f"Option '--{name}' is not for a picture of kind '{kind}'.")
    with display.progress("drawing"):
        picture = draw(wish)
        picture.save(output)
    facts: dict[str, Any] = {"kind": kind, "title": picture.title, "file": str(output)}
    display.put(facts, f"{picture.title}\nwritten to {output}", as_json=as_json)
    return 0


# -------------------------------------------------------------------- one function a kind


def _automaton(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_automaton

    return plot_automaton(wish.automaton())


def _cascade(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_cascade

    return plot_cascade(wish.automaton())


def _spectrum(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_spectrum

    lrnn = wish.network()
    layer = None if wish.layer is None else wish.layer_of(lrnn) - 1
    return plot_spectrum(lrnn, layer)


def _trajectory(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_trajectory

    if wish.word is None:
        raise ValueError("A picture of kind 'trajectory' needs the option '--word'.")
    return plot_trajectory(wish.network(), wish.word, wish.one_arithmetic("float32"))


def _reflections(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_reflections
    from lrnn_theory.transition import Householder

    lrnn = wish.network()
    name = lrnn.letters[0] if wish.letter is None else wish.letter
    if name not in lrnn.letters:
        raise ValueError(f"Option '--letter' must be a letter of the network, not {name!r}.")
    number = wish.layer_of(lrnn)
    transition = lrnn.levels[number - 1].layer.transition
    if not isinstance(transition, Householder):
        raise ValueError(f"Layer {number} is no product of Householder factors.")
    action = _first_action(lrnn, name, number - 1)
    return plot_reflections(transition.product(action))


def _first_action(lrnn: LRNN, letter: str, layer: int) -> int:
    """The action that a layer takes on a letter in the beginning."""
    from lrnn_theory.tracing import trace

    return int(trace(lrnn, [letter], "exact").actions[layer][0])


def _orbit(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_orbit

    where = wish.one_arithmetic("bfloat16")
    return plot_orbit(wish.network(), where, letter=wish.letter, length=wish.length or LENGTH)


def _error(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_errors
    from lrnn_theory.verification import horizon

    automaton, names = wish.automaton(), wish.arithmetic or list(DRIFTING)
    lrnn = wish.network()
    found = [horizon(lrnn, automaton, a, letter=wish.letter) for a in names]
    length = wish.length or LENGTH
    return plot_errors(lrnn, names, found, letter=wish.letter, length=length)


def _horizon(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_horizons
    from lrnn_theory.verification import horizon

    automaton, lrnn = wish.automaton(), wish.network()
    names = wish.arithmetic or DRIFTING
    return plot_horizons(
        [horizon(lrnn, automaton, a, letter=wish.letter, length=wish.length) for a in names]
    )


def _training(wish: Wish) -> Picture:
    from lrnn_theory.plots import plot_training

    return plot_training(wish.source)


KINDS: dict[str, tuple[Callable[[Wish], Picture], str]] = {
    "automaton": (_automaton, ""),
    "cascade": (_cascade, ""),
    "spectrum": (_spectrum, "construction layer"),
    "trajectory": (_trajectory, "construction arithmetic word"),
    "reflections": (_reflections, "construction letter layer"),
    "orbit": (_orbit, "construction arithmetic letter length"),
    "error": (_error, "construction arithmetic letter length"),
    "horizon": (_horizon, "construction arithmetic letter length"),
    "training": (_training, ""),
}
"""Every kind of picture: what draws it, and the options that it takes."""
