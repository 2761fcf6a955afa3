"""Commands about finite precision: horizon, extract, census."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constructions.cli import display
from constructions.cli.options import (
    Arithmetic,
    Arithmetics,
    Json,
    RepeatedLetter,
    Seconds,
    Sink,
    Source,
    Weights,
    natural,
    output_file,
    picture_file,
    positive,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("horizon")(find_horizon)
    app.command("extract")(extract_automaton)
    app.command("census")(take_census)


def find_horizon(
    weights: Weights,
    source: Source,
    arithmetic: Arithmetics = None,
    words: Annotated[
        str,
        typer.Option("--words", metavar="W", help="unary, random, or a file with one word a line."),
    ] = "unary",
    letter: RepeatedLetter = None,
    length: Annotated[
        int | None,
        typer.Option("--length", metavar="N", help="How far to go.", parser=positive),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="Random words.", parser=positive)
    ] = 25,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of random words.", parser=natural)
    ] = 0,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="OUT",
            help="Draw it: an .svg, .pdf or .png file.",
            parser=picture_file,
        ),
    ] = None,
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Find the first length at which a linear RNN answers wrongly."""
    from constructions.cli.source import read_automaton, read_weights, source_kind
    from constructions.cli.words import read_words
    from lrnn_theory import arithmetic as numbers

    names = [str(numbers.Arithmetic.parse(a)) for a in arithmetic or ["float32"]]
    with display.progress("loading torch"):
        from lrnn_theory.verification import horizon
    lrnn = read_weights(weights)
    letters = lrnn.letters if source_kind(source) == "regex" else None
    automaton = read_automaton(source, letters, sink=sink)
    kind = words
    if words not in ("unary", "random"):
        given = read_words(words, lrnn.letters)
        kind = [[lrnn.letters[i] for i in word.letters] for word in given]
    found = []
    for name in names:
        with display.progress(f"following words in {name}", "letter") as update:
            options = {"letter": letter, "length": length, "count": count, "seed": seed}
            found.append(horizon(lrnn, automaton, name, kind, **options, progress=update))
    if plot:
        from lrnn_theory.plots import plot_horizons

        plot_horizons(found).save(plot)
    text = "\n".join(map(str, found)) + (f"\ndrawn in {plot}" if plot else "")
    display.put({"horizons": [h.to_dict() for h in found]}, text, as_json=as_json)
    return 0


def extract_automaton(
    weights: Weights,
    arithmetic: Arithmetic = "float32",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the automaton: a .json, .dot, .jff or .att file.",
            parser=output_file,
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget", metavar="N", help="Configurations to examine at most.", parser=positive
        ),
    ] = None,
    seconds: Seconds = None,
    as_json: Json = False,
) -> int:
    """Find the minimal automaton that a linear RNN implements in an arithmetic."""
    import json

    from constructions.cli.source import WRITERS, read_weights, write_automaton

    if output and output.suffix not in WRITERS:
        raise ValueError(f"Option '--output' must end in {' or '.join(WRITERS)}, not '{output}'.")
    with display.progress("loading torch"):
        from lrnn_theory.verification import Budget, extract
    lrnn = read_weights(weights)
    limits = Budget(budget or Budget.configurations, seconds)
    with display.progress(f"closing configurations in {arithmetic}"):
        automaton = extract(lrnn, arithmetic, budget=limits)
    if output:
        write_automaton(automaton, output)
    facts = {"arithmetic": arithmetic, "automaton": display.automaton_facts(automaton)}
    if as_json:
        facts["table"] = json.loads(automaton.to_json())
    text = f"it implements {display.automaton_text(automaton)}"
    display.put(facts, text + (f"\nwritten to {output}" if output else ""), as_json=as_json)
    return 0


def take_census(
    weights: Weights,
    arithmetic: Arithmetic = "float8_e5m2",
    letter: RepeatedLetter = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="OUT",
            help="Write the certificate of the census (JSON).",
            parser=output_file,
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Find the period that every state of a one-layer linear RNN ends in."""
    from constructions.cli.source import read_weights

    lrnn = read_weights(weights)
    if len(lrnn.levels) != 1 or lrnn.tail:
        raise ValueError("A census needs a linear RNN of one layer.")
    if letter is not None and letter not in lrnn.letters:
        raise ValueError(f"Option '--letter' must be a letter of the file, not {letter!r}.")
    with display.progress("loading torch"):
        from lrnn_theory.verification import census
    level = lrnn.levels[0]
    index = 0 if letter is None else lrnn.letters.index(letter)
    with display.progress("taking the census"):
        found = census(level.layer, int(level.action[lrnn.letter_class[index]]), arithmetic)
    lines = [f"{found.arithmetic}: {found.states:,} states"]
    for period, states in found.periods.items():
        cycle = " -> ".join(
            f"({', '.join(f'{float(x):g}' for x in h)})" for h in found.cycles[period][:4]
        )
        more = " -> ..." if period > 4 else ""
        lines.append(f"  {states:,} end in period {period}, such as {cycle}{more}")
    if found.overflow:
        lines.append(f"  {found.overflow:,} overflow")
    if certificate:
        found.certificate.save(certificate)
        lines.append(display.written(found.certificate, certificate))
    facts = {
        "arithmetic": found.arithmetic,
        "states": found.states,
        "periods": {str(p): n for p, n in found.periods.items()},
        "overflow": found.overflow,
        "cycles": {str(p): [list(map(float, h)) for h in c] for p, c in found.cycles.items()},
    }
    display.put(facts, "\n".join(lines), as_json=as_json)
    return 0
