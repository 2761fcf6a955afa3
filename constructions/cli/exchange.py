"""The commands that carry things out: exports, and differences between automata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constructions.cli import display
from constructions.cli.options import (
    Alphabet,
    Arithmetic,
    Device,
    Json,
    Sink,
    Weights,
    complete_arithmetic,
    completes,
    positive,
)

if TYPE_CHECKING:
    from lrnn_theory.automaton import Automaton

TEXTS = ("dot", "jff", "att", "json")
DTYPES = ("float32", "float64", "bfloat16", "float16")
MODULES = ("torch", "fla", "onnx", "huggingface")
_SAME, _DIFFERENT = 0, 1


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export_network)
    app.command("diff")(show_difference)


def complete_target(incomplete: str) -> list[str]:
    """Operations and layers of flash-linear-attention."""
    from lrnn_theory.export.fla_plan import LAYERS, OPERATIONS

    return [name for name in (*OPERATIONS, *LAYERS) if name.startswith(incomplete)]


def export_network(
    weights: Weights,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", help="The file to write, or the folder (huggingface)."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help=f"{', '.join(MODULES)}; or the automaton as {', '.join(TEXTS)}.",
            autocompletion=completes(*MODULES, *TEXTS),
        ),
    ] = "torch",
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="For fla: an operation or layer; fused_recurrent_delta_rule by default.",
            autocompletion=complete_target,
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="For a layer of fla: its kernels, fused_recurrent (default) or chunk.",
            autocompletion=completes("fused_recurrent", "chunk"),
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="D",
            help="Number format of parameters and states; float32 by default.",
            autocompletion=completes(*DTYPES),
        ),
    ] = None,
    no_trial: Annotated[
        bool, typer.Option("--no-trial", help="Do not try the export on words.")
    ] = False,
    words: Annotated[
        int | None,
        typer.Option(
            "--words", metavar="N", help="Words of the trial; 200 by default.", parser=positive
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            "--length", metavar="N", help="Letters of each word; 256 by default.", parser=positive
        ),
    ] = None,
    arithmetic: Annotated[
        str | None,
        typer.Option(
            "--arithmetic",
            "-a",
            metavar="A",
            help="For the automaton: where the linear RNN computes; exact by default.",
            autocompletion=complete_arithmetic,
        ),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Export a linear RNN, and try what was exported on random and adversarial words."""
    from constructions.cli.device import pick_device
    from constructions.cli.source import read_weights
    from lrnn_theory.textfile import check_writable

    if to not in (*MODULES, *TEXTS):
        raise ValueError(
            f"Option '--to' must be one of {', '.join((*MODULES, *TEXTS))}, not {to!r}."
        )
    for name, value, formats, kind in (
        ("target", target, ("fla",), "'--to fla'"),
        ("mode", mode, ("fla",), "'--to fla'"),
        ("dtype", dtype, MODULES, "modules"),
        ("no-trial", no_trial or None, MODULES, "modules"),
        ("words", words, MODULES, "modules"),
        ("length", length, MODULES, "modules"),
        ("arithmetic", arithmetic, TEXTS, "automata"),
    ):
        if value is not None and to not in formats:
            raise ValueError(f"Option '--{name}' is for {kind}, not for '--to {to}'.")
        if value is not None and no_trial and name in ("words", "length"):
            raise ValueError(f"Option '--{name}' is about the trial: not with '--no-trial'.")
    options = _options(to, target, mode, dtype)
    if to != "huggingface":
        check_writable(output)
    place = pick_device(device)
    with display.progress("loading torch"):
        lrnn = read_weights(weights)
    facts: dict[str, Any] = {"to": to, "file": str(output)}
    if to in TEXTS:
        from lrnn_theory.verification import extract

        where = "exact" if arithmetic is None else arithmetic
        with display.progress(f"closing configurations in {where}"):
            automaton = extract(lrnn, where)
            getattr(automaton, f"to_{to}")(output)
        facts["automaton"] = display.automaton_facts(automaton)
        text = f"{display.automaton_text(automaton)}, written to {output}"
        display.put(facts, text, as_json=as_json)
        return _SAME
    from lrnn_theory.export import Differs, export

    with display.progress("exporting"):
        made = export(
            lrnn,
            output,
            to,  # pyright: ignore
            verify=not no_trial,
            words=words or 200,
            length=length or 256,
            device=place,
            **options,
        )
    lines = [f"written to {output}"]
    verdict = made.verdict
    if verdict is not None:
        plain = {k: v for k, v in vars(verdict).items() if k != "statistics"}
        facts["trial"] = {"verdict": type(verdict).__name__.lower(), **plain}
        if isinstance(verdict, Differs):
            lines.append(
                f"{verdict.arithmetic}: differs after {display.word_text(verdict.word)}: "
                f"it answers {verdict.answered}, not {verdict.expected}"
            )
        else:
            lines.append(
                f"{verdict.arithmetic}: agrees on {verdict.words:,} words of "
                f"{verdict.longest:,} letters"
            )
    display.put(facts, "\n".join(lines), as_json=as_json)
    return _DIFFERENT if isinstance(verdict, Differs) else _SAME


def _options(to: str, target: str | None, mode: str | None, dtype: str | None) -> dict[str, Any]:
    """What the maker of a format takes."""
    options: dict[str, Any] = {}
    if target is not None:
        name, _, suffix = target.partition(":")
        if mode is not None and suffix:
            raise ValueError(f"Option '--mode' is there twice: '{mode}', and in '{target}'.")
        options, mode = {"target": name}, mode if mode is not None else suffix or None
    if mode is not None:
        options["mode"] = mode
    if dtype is None:
        return options
    known = DTYPES[:2] if to == "onnx" else DTYPES
    if dtype not in known:
        raise ValueError(f"Option '--dtype' must be one of {', '.join(known)}, not {dtype!r}.")
    if to != "onnx":
        import torch

        return options | {"dtype": getattr(torch, dtype)}
    return options | {"dtype": dtype}


def show_difference(
    left: Annotated[
        str, typer.Argument(metavar="A", help="A SOURCE, or a weight file.", show_default=False)
    ],
    right: Annotated[
        str, typer.Argument(metavar="B", help="A SOURCE, or a weight file.", show_default=False)
    ],
    arithmetic: Arithmetic = "float32",
    alphabet: Alphabet = None,
    sink: Sink = False,
    as_json: Json = False,
) -> int:
    """Find a shortest word that two automata or linear RNNs answer differently."""
    with display.progress("comparing"):
        one, two = _pair(left, right, arithmetic, alphabet, sink=sink)
        word = one.difference(two)
    facts: dict[str, Any] = {"equal": word is None, "word": None if word is None else list(word)}
    if word is None:
        display.put(facts, "no word: they answer alike", as_json=as_json)
        return _SAME
    said = [_answer(machine, word) for machine in (one, two)]
    facts["answers"] = said
    text = f"{display.word_text(word)}: {said[0]} in {left}, {said[1]} in {right}"
    display.put(facts, text, as_json=as_json)
    return _DIFFERENT


def _pair(
    left: str, right: str, arithmetic: str, alphabet: str | None, *, sink: bool
) -> tuple[Automaton, Automaton]:
    """Two automata over one alphabet: a regex takes the letters of the other side."""
    from constructions.cli.source import read_automaton, source_kind

    kinds = [source_kind(x) for x in (left, right)]
    partial = [kind in ("dot", "jff", "att") for kind in kinds]
    if sink and not any(partial):
        raise ValueError("Option '--sink' is for a .dot, .jff or .att file: A and B are none.")
    found: dict[int, Automaton] = {}
    for i, (source, kind) in enumerate(zip((left, right), kinds, strict=True)):
        if kind == "weights":
            found[i] = _implemented(source, arithmetic)
        elif kind != "regex":
            found[i] = read_automaton(source, sink=sink and partial[i])
    letters = alphabet or next((m.letters for m in found.values()), None)
    if letters is None:  # two regexes: the letters that either names
        every = [read_automaton(x, None) for x in (left, right)]
        letters = sorted({a for m in every for a in m.letters})
    for i, source in enumerate((left, right)):
        if i not in found:
            found[i] = read_automaton(source, letters)
    return found[0], found[1]


def _implemented(path: str, arithmetic: str) -> Automaton:
    from constructions.cli.source import read_weights
    from lrnn_theory.verification import extract

    return extract(read_weights(path), arithmetic)


def _answer(machine: Automaton, word: tuple[str, ...]) -> str:
    if machine.kind == "dfa":
        return "accepted" if machine.accepts(word) else "rejected"
    if machine.kind == "moore":
        return machine.output_symbols[machine.response[machine.run(word)]]
    last = machine.letter_index[word[-1]]
    return machine.output_symbols[machine.response[last, machine.run(word[:-1])]]
