"""The commands that carry things out: exports, and differences between automata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constructions.cli import display
from constructions.cli.options import Alphabet, Arithmetic, Json, Weights, positive

if TYPE_CHECKING:
    from lrnn_theory.automaton import Automaton

TEXTS = ("dot", "jff", "att", "json")
MODULES = ("torch", "fla", "onnx", "huggingface")
_SAME, _DIFFERENT = 0, 1


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export_network)
    app.command("diff")(show_difference)


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
            autocompletion=lambda: [*MODULES, *TEXTS],
        ),
    ] = "torch",
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="For fla: an operation or layer; fused_recurrent_delta_rule by default.",
        ),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="D", help="Of the parameters; float32.")
    ] = None,
    no_trial: Annotated[
        bool, typer.Option("--no-trial", help="Do not try the export on words.")
    ] = False,
    words: Annotated[
        int | None,
        typer.Option("--words", metavar="N", help="Words of the trial; 200.", parser=positive),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option("--length", metavar="N", help="Letters of each; 256.", parser=positive),
    ] = None,
    arithmetic: Arithmetic = "exact",
    device: Annotated[
        str, typer.Option("--device", metavar="DEVICE", help="Where to try it: cpu or cuda.")
    ] = "cpu",
    as_json: Json = False,
) -> int:
    """Export a linear RNN, and try what was exported on random and adversarial words."""
    from constructions.cli.source import read_weights

    if to not in (*MODULES, *TEXTS):
        raise ValueError(
            f"Option '--to' must be one of {', '.join((*MODULES, *TEXTS))}, not {to!r}."
        )
    if target and to != "fla":
        raise ValueError(f"Option '--target' is for '--to fla', not for '--to {to}'.")
    if dtype and to in TEXTS:
        raise ValueError(f"Option '--dtype' is for modules, not for '--to {to}'.")
    with display.progress("loading torch"):
        lrnn = read_weights(weights)
    facts: dict[str, Any] = {"to": to, "file": str(output)}
    if to in TEXTS:
        from lrnn_theory.verification import extract

        with display.progress(f"closing configurations in {arithmetic}"):
            automaton = extract(lrnn, arithmetic)
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
            device=device,
            **_options(to, target, dtype),
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


def _options(to: str, target: str | None, dtype: str | None) -> dict[str, Any]:
    """What the maker of a format takes."""
    options: dict[str, Any] = {}
    if target:
        name, _, mode = target.partition(":")
        options = {"target": name} | ({"mode": mode} if mode else {})
    if dtype and to == "onnx":
        options["dtype"] = dtype
    elif dtype:
        import torch

        known = {"float32", "float64", "bfloat16", "float16"}
        if dtype not in known:
            raise ValueError(
                f"Option '--dtype' must be one of {', '.join(sorted(known))}, not {dtype!r}."
            )
        options["dtype"] = getattr(torch, dtype)
    return options


def show_difference(
    left: Annotated[
        str, typer.Argument(metavar="A", help="A SOURCE, or a weight file.", show_default=False)
    ],
    right: Annotated[
        str, typer.Argument(metavar="B", help="A SOURCE, or a weight file.", show_default=False)
    ],
    arithmetic: Arithmetic = "float32",
    alphabet: Alphabet = None,
    as_json: Json = False,
) -> int:
    """Find a shortest word that two automata or linear RNNs answer differently."""
    with display.progress("comparing"):
        one, two = _pair(left, right, arithmetic, alphabet)
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
    left: str, right: str, arithmetic: str, alphabet: str | None
) -> tuple[Automaton, Automaton]:
    """Two automata over one alphabet: a regex takes the letters of the other side."""
    from constructions.cli.source import read_automaton, source_kind

    kinds = [source_kind(x) for x in (left, right)]
    found: dict[int, Automaton] = {}
    for i, (source, kind) in enumerate(zip((left, right), kinds, strict=True)):
        if kind == "weights":
            found[i] = _implemented(source, arithmetic)
        elif kind != "regex":
            found[i] = read_automaton(source)
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
