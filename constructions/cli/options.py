"""Arguments and options that several commands share, and their shell completion."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

# -------------------------------------------------------------------- completion


def completes(*names: str) -> Callable[[str], list[str]]:
    """Completion of an option that takes one of some names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def complete_source(incomplete: str) -> list[str]:
    """Machines of the bestiary."""
    from constructions.cli.source import machine_names

    return [name for name in machine_names() if name.startswith(incomplete)]


def complete_construction(incomplete: str) -> list[str]:
    """Keys of constructions."""
    from constructions import CONSTRUCTIONS

    return [key for key in CONSTRUCTIONS if key.startswith(incomplete)]


def complete_objective(incomplete: str) -> list[str]:
    """Names of objectives, and `exact-in:` before every number format."""
    from constructions.objective import EXACT_IN, OBJECTIVES
    from lrnn_theory.arithmetic import FORMATS

    names = (*OBJECTIVES, *(EXACT_IN + name for name in FORMATS))
    return [name for name in names if name.startswith(incomplete)]


def complete_arithmetic(incomplete: str) -> list[str]:
    """Number formats."""
    from lrnn_theory.arithmetic import FORMATS

    return [name for name in ("exact", *FORMATS) if name.startswith(incomplete)]


# -------------------------------------------------------------------- arguments

# Every option has its name spelt out: typer 0.27 takes a lone metavar for the name.


def _integer(value: str | int, least: int, kind: str) -> int:
    """An integer of at most 18 digits, which fits wherever one goes; a default passes as it is."""
    text = str(value)
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) < least:
        raise typer.BadParameter(
            f"expected a {kind} integer of at most 18 digits, not {text[:40]!r}."
        )
    return int(text)


def positive(value: str | int) -> int:
    """A positive integer from its digits."""
    return _integer(value, 1, "positive")


def natural(value: str | int) -> int:
    """An integer that is not negative, from its digits."""
    return _integer(value, 0, "non-negative")


def number(value: str | float) -> float:
    """A finite number."""
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise typer.BadParameter(f"expected a number, not {str(value)[:40]!r}.")
    return found


def output_file(text: str | Path) -> Path:
    """A file to write: what cannot be written is told before the work."""
    from lrnn_theory.textfile import check_writable

    try:
        check_writable(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return Path(text)


def picture_file(text: str | Path) -> Path:
    """A picture to write, as `output_file`."""
    from lrnn_theory.plots.style import file_suffix

    try:
        file_suffix(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return output_file(text)


SOURCE_HELP = "A regex; a .dot, .jff, .att or .json file; or @NAME, such as @parity or '@mod(5)'."
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help=SOURCE_HELP,
        autocompletion=complete_source,
        show_default=False,
    ),
]
Weights = Annotated[str, typer.Argument(metavar="FILE", help="A weight file.", show_default=False)]
Alphabet = Annotated[
    str | None,
    typer.Option(
        "--alphabet",
        metavar="LETTERS",
        help="The letters of a regex; by default those that it names.",
    ),
]
Sink = Annotated[
    bool,
    typer.Option(
        "--sink", help="Send missing transitions of a .dot, .jff or .att file to a rejecting state."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Construction = Annotated[
    str | None,
    typer.Option(
        "--construction",
        metavar="NAME",
        help="The construction to use; by default the cheapest that applies.",
        autocompletion=complete_construction,
    ),
]
Seconds = Annotated[
    int | None,
    typer.Option("--seconds", metavar="N", help="Time to spend before giving up.", parser=positive),
]
RepeatedLetter = Annotated[
    str | None,
    typer.Option("--letter", metavar="X", help="The letter to repeat; by default the first."),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", help="cpu, cuda or cuda:N; auto takes a GPU if it can."
    ),
]
ARITHMETIC_HELP = "Number format and rounding, such as bfloat16 or float32:each."
Arithmetic = Annotated[
    str,
    typer.Option(
        "--arithmetic", "-a", metavar="A", help=ARITHMETIC_HELP, autocompletion=complete_arithmetic
    ),
]


def arithmetics(default: str) -> Any:
    """The option for several arithmetics, and what stands for none."""
    return typer.Option(
        "--arithmetic",
        "-a",
        metavar="A",
        help=f"{ARITHMETIC_HELP} Repeat it for several; {default} by default.",
        autocompletion=complete_arithmetic,
        show_default=False,
    )


Arithmetics = Annotated[list[str] | None, arithmetics("float32")]
