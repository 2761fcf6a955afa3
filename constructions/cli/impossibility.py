"""Commands about what a linear RNN cannot do: refute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from constructions.cli import display
from constructions.cli.options import (
    SOURCE_HELP,
    Json,
    Sink,
    Weights,
    arithmetics,
    complete_source,
    output_file,
    positive,
)

FOUND, NOTHING = 1, 3
SHOWN = 5
"""Words that told nothing: as many are shown."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("refute")(refute_weights)


def refute_weights(
    weights: Weights,
    language: Annotated[
        str,
        typer.Option(
            "--language",
            metavar="SOURCE",
            help=SOURCE_HELP,
            autocompletion=complete_source,
            show_default=False,
        ),
    ],
    arithmetic: Annotated[list[str] | None, arithmetics("float32:cast")] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="OUT",
            help="Write the certificate of the refutation (JSON).",
            parser=output_file,
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="N",
            help="Configurations to search where no theorem applies.",
            parser=positive,
        ),
    ] = None,
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Find two words that a linear RNN must confuse, whatever its readout.

    Exit code 1: refuted in some arithmetic; 3: nothing found, which proves nothing.
    """
    from constructions.cli.source import read_automaton, read_weights, source_kind
    from lrnn_theory import arithmetic as numbers

    names = [str(numbers.Arithmetic.parse(a)) for a in arithmetic or ["float32:cast"]]
    if certificate and len(names) > 1:
        raise ValueError(f"Option '--certificate' takes one arithmetic, not {len(names)}.")
    with display.progress("loading torch"):
        from lrnn_theory.impossibility import refute
    lrnn = read_weights(weights)
    letters = lrnn.letters if source_kind(language) == "regex" else None
    automaton = read_automaton(language, letters, sink=sink)
    options: dict[str, Any] = {} if budget is None else {"budget": budget}
    results, lines = [], []
    for name in names:
        start, open_words = time.perf_counter(), []
        with display.progress(f"refuting in {name}"):
            found = refute(lrnn, automaton, name, unsettled=open_words.append, **options)
        seconds = round(time.perf_counter() - start, 4)
        if found is None:
            facts = {"seconds": seconds, "unsettled": open_words}
            results.append({"verdict": None, "arithmetic": name} | facts)
            lines.append(f"{name}: nothing found, in {seconds:.2f} s")
            lines += [f"  {why}" for why in open_words[:SHOWN]]
            lines += [f"  ... and {len(open_words) - SHOWN} more"] * (len(open_words) > SHOWN)
            continue
        theorem = found.statistics["theorem"]
        facts = {"theorem": theorem, "seconds": seconds}
        results.append(display.verdict_facts(found) | facts)
        lines.append(f"{name}: {display.verdict_text(found)} ({theorem}), in {seconds:.2f} s")
        if certificate:
            found.certificate.save(certificate)
            lines.append(display.written(found.certificate, certificate))
    display.put({"refutations": results}, "\n".join(lines), as_json=as_json)
    return FOUND if any(r["verdict"] for r in results) else NOTHING
