"""The `lrnn` command: from an automaton to weights, answers, verdicts and pictures.

Every command writes text for people or, with --json, one object for machines.  Exit codes: 0 done
or proved; 1 refuted, or a demo that was not proved; 2 nothing was decided, and one line on
standard error says why; 3 undecided.  See docs/command-line.md.

Commands import what they need when they run, so that `lrnn --help` is fast.
"""

from __future__ import annotations

import atexit
import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from constructions.cli import (
    display,
    exchange,
    exploring,
    impossibility,
    learn,
    pictures,
    precision,
    reporting,
    signals,
    stream,
    theorems,
)
from constructions.cli.options import (
    Alphabet,
    Arithmetic,
    Arithmetics,
    Construction,
    Device,
    Json,
    Seconds,
    Sink,
    Source,
    Weights,
    complete_objective,
    output_file,
    positive,
)
from lrnn_theory import textfile

DONE, REFUTED, ERROR, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 130
GARBAGE = 500_000
"""Objects that are made before unreachable ones among them are sought: what a command imports makes
350,000 (torch most of them), of which none are, and the seeking took a fifth of its time."""
_EXIT = {"proved": DONE, "refuted": REFUTED, "undecided": UNDECIDED}

app = typer.Typer(
    help="Compile finite automata to linear RNNs, run them in finite precision, and prove them "
    "right for every input length.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

# Every usage error of typer derives from this; its home differs between versions.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows the command's name; by default those of the process.

    Returns:
        The exit code.
    """
    if arguments is None:
        gc.set_threshold(GARBAGE)
        atexit.register(gc.freeze)  # all ends with the process: nothing need be sought then, either
        signals.heed()
    try:
        return app(arguments, prog_name="lrnn", standalone_mode=False) or DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except _UsageError as error:
        message = error.format_message()
    except OSError as error:
        place = f"Cannot read or write {error.filename!r}: " if error.filename else ""
        message = f"{place}{error.strerror or error}."
    except MemoryError as error:
        message = f"Out of memory: {error}."
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        message = str(error)
    display.complain(" ".join(message.split()))
    return ERROR


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("lrnn-theory")
        except PackageNotFoundError:
            number = "(not installed)"
        typer.echo(f"lrnn-theory {number}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _lrnn(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help())
        raise typer.Exit(ERROR)


# -------------------------------------------------------------------- commands


@app.command("analyze")
def analyze_source(
    source: Source, alphabet: Alphabet = None, sink: Sink = False, as_json: Json = False
) -> int:
    """Facts about an automaton: its size, its monoid and groups, its cascade."""
    from constructions.cli.source import read_automaton
    from lrnn_theory.profile import analyze

    with display.progress("analyzing"):
        profile = analyze(read_automaton(source, alphabet, sink=sink))
    display.put(profile.to_dict(), str(profile), as_json=as_json)
    return DONE


@app.command("compile")
def compile_source(
    source: Source,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="The weight file to write (safetensors); required without --explain.",
            parser=output_file,
        ),
    ] = None,
    construction: Construction = None,
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective",
            metavar="NAME",
            help="What the cheapest has fewest of: layers (default), state or factors; "
            "exact-in:FORMAT for what a number format computes exactly.",
            autocompletion=complete_objective,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show every construction, and why it is picked or not."),
    ] = False,
    alphabet: Alphabet = None,
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Compile an automaton to a linear RNN with exact weights."""
    import constructions
    from constructions.cli import explanation
    from constructions.cli.source import read_automaton

    if not (output or explain):
        raise ValueError("Option '--output' is required without '--explain'.")
    if construction and explain:
        raise ValueError("Option '--explain' explains a choice: it takes no '--construction'.")
    with display.progress("compiling"):
        automaton = read_automaton(source, alphabet, sink=sink)
        table = constructions.explain(automaton, objective) if explain else []
        lrnn = next((c.lrnn for c in table if c.picked), None) or constructions.compile_dfa(
            automaton, construction, objective
        )
        if output:
            lrnn.save(output)
    facts: dict[str, Any] = {
        "automaton": display.automaton_facts(automaton),
        "lrnn": display.lrnn_facts(lrnn),
    }
    lines = [
        f"automaton   {display.automaton_text(automaton)}",
        f"linear RNN  {display.lrnn_text(lrnn)}",
    ]
    if table:
        facts["candidates"] = [explanation.candidate_facts(c) for c in table]
        lines += ["", explanation.table(table)]
    else:
        more = "" if construction else "; see --explain"
        lines.append(display.wrapped(f"because     {lrnn.reason}{more}"))
    if output:
        size = output.stat().st_size
        facts |= {"file": str(output), "bytes": size}
        lines += [""] * bool(table) + [f"written to  {output} ({size:,} bytes)"]
    display.put(facts, "\n".join(lines), as_json=as_json)
    return DONE


@app.command("run")
def run_words(
    weights: Weights,
    words: Annotated[
        str,
        typer.Argument(
            metavar="WORDS",
            help="A file with one word a line, or - for standard input.",
            show_default=False,
        ),
    ],
    arithmetic: Arithmetic = "float32",
    steps: Annotated[
        bool,
        typer.Option("--steps", help="Answer after every letter, not only after the last."),
    ] = False,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Run a linear RNN on words."""
    from constructions.cli.device import pick_device
    from constructions.cli.source import read_weights
    from constructions.cli.words import answer, names, read_words
    from lrnn_theory import arithmetic as numbers

    name = str(numbers.Arithmetic.parse(arithmetic))
    lrnn = read_weights(weights)
    batch = read_words(words, lrnn.letters)
    with display.progress("running", "word") as update:
        answers = answer(lrnn, batch, name, pick_device(device), update)
    if steps:
        said = [names(lrnn, outputs[1:]) for outputs in answers]
        text = [" ".join(map(str, out)) for out in said]
    else:
        said = [names(lrnn, outputs[-1:])[0] for outputs in answers]
        text = [out or "" for out in said]
    lines = [f"{out}\t{word.text}" for out, word in zip(text, batch, strict=True)]
    facts = {"arithmetic": name, "answers": said}
    display.put(facts, "\n".join(lines), as_json=as_json)
    return DONE


stream.register(app)


@app.command("verify")
def verify_weights(
    weights: Weights,
    source: Source,
    arithmetic: Arithmetics = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="OUT",
            help="Write the certificate of the verdict (JSON).",
            parser=output_file,
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="N",
            help="Configurations to examine at most.",
            parser=positive,
        ),
    ] = None,
    seconds: Seconds = None,
    any_decoder: Annotated[
        bool,
        typer.Option(
            "--any-decoder",
            help="Ask whether any function of state and last letter can answer right.",
        ),
    ] = False,
    record: Annotated[
        bool,
        typer.Option("--record", help="Write the verdicts into the weight file, as claims."),
    ] = False,
    device: Device = "cpu",
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Prove or refute that a linear RNN answers like an automaton on every word."""
    from constructions.cli.device import pick_device
    from constructions.cli.source import read_automaton, read_weights, source_kind
    from lrnn_theory import arithmetic as numbers

    names = [str(numbers.Arithmetic.parse(a)) for a in arithmetic or ["float32"]]
    if certificate and len(names) > 1:
        raise ValueError(f"Option '--certificate' takes one arithmetic, not {len(names)}.")
    if record and any_decoder:
        raise ValueError("Option '--record' is about the decoder in the file, not '--any-decoder'.")
    with display.progress("loading torch"):
        from lrnn_theory.verification import Budget, Undecided, verify, with_claim
    lrnn = read_weights(weights)
    if record:
        textfile.check_writable(weights)
    letters = lrnn.letters if source_kind(source) == "regex" else None
    automaton = read_automaton(source, letters, sink=sink)
    place = pick_device(device)
    limits = Budget(budget or Budget.configurations, seconds)
    verdicts, lines = [], []
    for name in names:
        start = time.perf_counter()
        with display.progress(f"verifying in {name}", "configuration") as update:
            verdict = verify(
                lrnn,
                automaton,
                name,
                decoder="any" if any_decoder else "own",
                budget=limits,
                progress=update,
                device=place,
            )
        took = time.perf_counter() - start
        verdicts.append(display.verdict_facts(verdict) | {"seconds": round(took, 4)})
        lines.append(f"{name}: {display.verdict_text(verdict)}, in {took:.2f} s")
        if certificate and not isinstance(verdict, Undecided):
            verdict.certificate.save(certificate)
            lines.append(display.written(verdict.certificate, certificate))
        elif certificate:
            lines.append("no certificate: nothing was decided")
        if record:
            lrnn = with_claim(lrnn, verdict, automaton, source)
    if record:
        lrnn.save(weights)
        lines.append(f"claims written into {weights}")
    display.put({"verdicts": verdicts}, "\n".join(lines), as_json=as_json)
    codes = {_EXIT[v["verdict"]] for v in verdicts}
    return next(code for code in (REFUTED, UNDECIDED, DONE) if code in codes)


@app.command("check")
def check_certificate(
    certificate: Annotated[
        str,
        typer.Argument(metavar="CERTIFICATE", help="A certificate.", show_default=False),
    ],
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="FILE", help="The weight file that it must be about."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Prove the claim of a certificate again, with a checker that shares no code with verify."""
    from constructions.cli.source import read_weights

    with display.progress("checking"):
        from lrnn_theory.impossibility import check
        from lrnn_theory.verification import Certificate

        loaded = Certificate.load(certificate)
        lrnn = read_weights(weights) if weights else None
        try:
            verdict = check(loaded, lrnn)
        except ValueError as error:
            raise ValueError(f"Certificate '{certificate}' is rejected: {error}") from error
    facts = display.verdict_facts(verdict)
    text = f"checked again: {verdict.arithmetic}: {display.verdict_text(verdict)}"
    display.put(facts, text, as_json=as_json)
    return _EXIT[facts["verdict"]]


impossibility.register(app)
precision.register(app)
pictures.register(app)
reporting.register(app)
exploring.register(app)
theorems.register(app)
exchange.register(app)
learn.register(app)


@app.command("demo")
def show_demo(device: Device = "auto", as_json: Json = False) -> int:
    """Compile, run and prove four machines: parity, a date regex, S5, a TLS server."""
    with display.progress("loading torch"):
        from constructions.cli import demo

    return DONE if demo.run(device, as_json=as_json) else REFUTED
