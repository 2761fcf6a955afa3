"""What the command line shows: text for people, one JSON object for machines, and progress."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lrnn_theory.automaton import Automaton
    from lrnn_theory.lrnn import LRNN
    from lrnn_theory.verification import Certificate, Verdict

DELAY = 1.0
"""Seconds of work before progress is shown."""


def complain(line: str) -> None:
    """Write a line to standard error, if anybody listens."""
    if sys.stderr is not None:
        with suppress(OSError):
            typer.echo(f"lrnn: {line}", err=True)


def put(data: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Write a result to standard output: the JSON of `data`, or `text` if there is any.

    Raises:
        ValueError: if it is closed.
    """
    if sys.stdout is None:
        raise ValueError("Cannot write to standard output: it is closed.")
    if as_json or text:
        typer.echo(json.dumps(data) if as_json else text)


@contextmanager
def progress(task: str, unit: str = "", *, rate: bool = False) -> Iterator[Callable[[int], None]]:
    """Show on a terminal that work goes on, once it has taken a second.

    Args:
        task: what is done.
        unit: of what is counted.
        rate: whether to show how many a second.

    Yields:
        A function to call with the number of units done.
    """
    forced = {"FORCE_COLOR", "TTY_COMPATIBLE"} & set(os.environ)
    if sys.stderr is None or not (forced or sys.stderr.isatty()):
        yield lambda _: None  # rich would say so too, once it is loaded
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    number = bar.add_task(task, total=None)
    timer = Timer(DELAY, bar.start)
    timer.start()
    start = time.perf_counter()

    def update(done: int) -> None:
        speed = f", {done / (time.perf_counter() - start):.3g} a second" if rate else ""
        bar.update(number, description=f"{task}: {count(done, unit)}{speed}")

    try:
        yield update
    finally:
        timer.cancel()
        timer.join()  # or the bar might start after it was stopped
        bar.stop()


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Like `progress`, for work of several steps.

    Yields:
        A function to call with what is done next.
    """
    with ExitStack() as stack:

        def show(task: str) -> None:
            stack.close()
            stack.enter_context(progress(task))

        yield show


def count(k: int, unit: str) -> str:
    """A number with its unit, in the plural if need be.

    Example:
        >>> count(1, "layer"), count(2, "layer")
        ('1 layer', '2 layers')
    """
    return f"{k} {unit}" if k == 1 else f"{k:,} {unit}s"


def wrapped(line: str) -> str:
    """A long line in several, under a first column of twelve characters."""
    return textwrap.fill(line, 88, subsequent_indent=" " * 12)


def automaton_facts(automaton: Automaton) -> dict[str, Any]:
    """The size of an automaton as plain data."""
    return {
        "kind": automaton.kind,
        "states": automaton.n_states,
        "letters": automaton.n_letters,
    }


def automaton_text(automaton: Automaton) -> str:
    """The size of an automaton in words."""
    size = f"{count(automaton.n_states, 'state')}, {count(automaton.n_letters, 'letter')}"
    return size if automaton.kind == "dfa" else f"{automaton.kind.capitalize()}, {size}"


def lrnn_facts(lrnn: LRNN) -> dict[str, Any]:
    """The shape of an LRNN as plain data; `factors` is null where a matrix is dense."""
    return {
        "construction": lrnn.construction,
        "reason": lrnn.reason,
        "layers": lrnn.n_layers,
        "widths": list(lrnn.widths),
        "factors": lrnn.max_factors,
    }


def lrnn_text(lrnn: LRNN) -> str:
    """The shape of an LRNN in words."""
    widths = " + ".join(map(str, lrnn.widths)) or "0"
    factors = lrnn.max_factors
    matrices = "dense matrices" if factors is None else f"at most {count(factors, 'factor')}"
    layers = count(lrnn.n_layers, "layer")
    return f"{lrnn.construction or 'custom'}: {layers}, n = {widths}, {matrices}"


def verdict_name(verdict: Verdict) -> str:
    """`"proved"`, `"refuted"` or `"undecided"`."""
    return type(verdict).__name__.lower()


def verdict_facts(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain data, without its certificate."""
    fields = {k: v for k, v in vars(verdict).items() if k != "certificate" and v is not None}
    for name in ("word", "other"):
        if runs := getattr(fields.get(name), "runs", None):
            fields[name] = {"runs": runs}
    return {"verdict": verdict_name(verdict), **fields}


def verdict_text(verdict: Verdict) -> str:
    """A verdict in words."""
    from lrnn_theory.verification import Proved, Refuted, Undecided

    match verdict:
        case Proved(method="census", statistics=counted):
            ends = [f"{states:,} end in period {p}" for p, states in counted["periods"]]
            ends += [f"{counted['overflow']:,} overflow"] if counted["overflow"] else []
            return f"of {counted['states']:,} states {', '.join(ends)}"
        case Proved(method=method):
            return f"proved for every input length ({method})"
        case Refuted(word=word, other=other, answered=answered, expected=expected) if other:
            return (
                f"no decoder can be right: {word_text(word)} and {word_text(other)} lead to the "
                f"same state, but one needs {expected}, the other {answered}"
            )
        case Refuted(word=word, answered=answered, expected=expected):
            return f"refuted by {word_text(word)}: it answers {answered}, not {expected}"
        case Undecided(covered=covered, reason=reason):
            return f"undecided: right up to length {covered}; {reason}"
    raise TypeError(f"Argument 'verdict' must be a Verdict, not {type(verdict).__name__}.")


def written(certificate: Certificate, path: Path) -> str:
    """That a certificate was written, and why `lrnn check` will reject it for its size."""
    from lrnn_theory.verification.recheck import refusal

    reason = refusal(certificate)
    return f"certificate written to {path}" + (reason and f"; lrnn check rejects it: {reason}")


def word_text(word: Sequence[str], limit: int = 40) -> str:
    """A word in quotes, or the beginning of one that has more letters than `limit`.

    Example:
        >>> word_text("ab"), word_text(["SYN", "ACK"]), word_text("")
        ("the word 'ab'", "the word 'SYN ACK'", 'the empty word')
        >>> word_text("abcd", limit=3)
        "the word 'abc'... (4 letters)"
    """
    if not word:
        return "the empty word"
    if isinstance(runs := getattr(word, "runs", None), tuple):
        return f"the word {' '.join(f'{letter}^{times}' for letter, times in runs)}"
    separator = "" if all(len(letter) == 1 for letter in word) else " "
    shown = f"the word {separator.join(word[:limit])!r}"
    return shown if len(word) <= limit else f"{shown}... ({len(word):,} letters)"
