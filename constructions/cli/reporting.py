"""The command for reports."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from constructions.cli import display
from constructions.cli.options import (
    Alphabet,
    Construction,
    Json,
    Sink,
    Source,
    arithmetics,
    positive,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    source: Source,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The page to write (HTML); required without --json.",
        ),
    ] = None,
    construction: Construction = None,
    arithmetic: Annotated[list[str] | None, arithmetics("exact and five formats")] = None,
    seconds: Annotated[
        int,
        typer.Option("--seconds", metavar="N", help="Time to spend on verdicts.", parser=positive),
    ] = 10,
    alphabet: Alphabet = None,
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Write all that is known of an automaton and its linear RNN on one page.

    SOURCE may be a weight file: then it is about that network, and the automaton that it implements
    in exact arithmetic.
    """
    from constructions.cli.source import read_automaton, read_weights, source_kind

    if not (output or as_json):
        raise ValueError("Option '--output' is required without '--json'.")
    if output and output.suffix not in (".html", ".htm"):
        raise ValueError(f"Option '--output' must end in .html, not '{output}'.")
    loaded = source_kind(source) == "weights"
    if loaded and (construction or alphabet is not None or sink):
        raise ValueError(
            "Options '--construction', '--alphabet' and '--sink' are for automata, not for a "
            "weight file."
        )
    lrnn = read_weights(source) if loaded else None
    automaton = None if lrnn else read_automaton(source, alphabet, sink=sink)
    with display.progress("loading"):
        from constructions.cli.report import CONFIGURATIONS, FORMATS, page, study
        from lrnn_theory.textfile import cannot_write, replacing
    with ExitStack() as stack:
        # Now: what cannot be written should be told before the work.
        place = stack.enter_context(replacing(output)) if output else None
        show = stack.enter_context(display.steps())
        if lrnn:
            from lrnn_theory.verification import Budget, extract

            show("closing configurations in exact")
            budget = Budget(configurations=CONFIGURATIONS, seconds=seconds)
            automaton = extract(lrnn, "exact", budget=budget)
        assert automaton is not None
        found = study(
            automaton,
            source,
            construction=construction,
            lrnn=lrnn,
            arithmetics=arithmetic or FORMATS,
            seconds=seconds,
            progress=show,
        )
        facts: dict[str, Any] = dict(found.facts)
        text = ""
        if output and place:
            show("drawing")
            html = page(found).encode()
            with cannot_write(output):
                place.write_bytes(html)
            facts["file"] = str(output)
            text = f"written to {output} ({len(html):,} bytes)"
    display.put(facts, text, as_json=as_json)
    return 0
