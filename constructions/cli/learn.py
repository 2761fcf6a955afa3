"""The command `lrnn learn`: train an architecture on a task, test it on longer words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from constructions.cli import display
from constructions.cli.options import (
    Device,
    Json,
    natural,
    number,
    output_file,
    picture_file,
    positive,
)

if TYPE_CHECKING:
    from lrnn_theory.learning import Task, Trained


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("learn")(learn_task)


def learn_task(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="parity, modular_arithmetic, s5_swaps, ...; or a SOURCE: a regex, a file, @NAME.",
            show_default=False,
        ),
    ],
    architecture: Annotated[
        str, typer.Option("--architecture", metavar="A", help="mamba, gla, deltanet, lstm, ...")
    ] = "deltanet",
    eigenvalue_range: Annotated[
        str,
        typer.Option("--range", metavar="R", help="Of the eigenvalues: 0,1 or -1,1."),
    ] = "-1,1",
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="Models, trained at once.", parser=positive)
    ] = 1,
    layers: Annotated[
        int, typer.Option("--layers", metavar="N", help="Blocks.", parser=positive)
    ] = 2,
    width: Annotated[
        int, typer.Option("--width", metavar="N", help="Of the residual stream.", parser=positive)
    ] = 64,
    heads: Annotated[
        int, typer.Option("--heads", metavar="N", help="Of a layer.", parser=positive)
    ] = 4,
    factors: Annotated[
        int | None,
        typer.Option(
            "--factors", metavar="N", help="Of a product (deltaproduct).", parser=positive
        ),
    ] = None,
    conv: Annotated[
        int,
        typer.Option(
            "--conv", metavar="N", help="Letters that the convolution sees.", parser=natural
        ),
    ] = 4,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", help="Updates.", parser=positive)
    ] = 4000,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", help="Words of an update.", parser=positive)
    ] = 256,
    rate: Annotated[
        float, typer.Option("--rate", metavar="X", help="The highest learning rate.", parser=number)
    ] = 1e-3,
    decay: Annotated[
        float, typer.Option("--decay", metavar="X", help="Weight decay of matrices.", parser=number)
    ] = 0.1,
    precision: Annotated[
        str, typer.Option("--precision", metavar="P", help="float32 or bfloat16.")
    ] = "float32",
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Written now and then; goes on from it if there.",
            parser=output_file,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="OUT", help="Write a log, in JSON lines.", parser=output_file
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="OUT",
            help="Draw the curves: an .svg, .pdf or .png file.",
            parser=picture_file,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the best model as a weight file (one layer, --conv 0).",
            parser=output_file,
        ),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> int:
    """Train an architecture to track an automaton; test it on longer words."""
    from constructions.cli.device import device_text, pick_device

    with display.progress("loading torch"):
        from lrnn_theory.learning import Architecture, Recipe, curve, table, train
        from lrnn_theory.learning.layers import RANGES
        from lrnn_theory.learning.tasks import AutomatonTask
    chosen = f"[{eigenvalue_range.replace(' ', '')}]"
    if chosen not in RANGES:
        raise ValueError(f"Option '--range' must be 0,1 or -1,1, not {eigenvalue_range!r}.")
    place = pick_device(device)
    what = _task(task)
    shape = Architecture(
        architecture,
        chosen,
        layers,
        width,
        heads,
        conv,
        options={} if factors is None else {"factors": factors},
    )
    if output and not (layers == 1 and conv == 0):
        raise ValueError("Option '--output' needs '--layers 1' and '--conv 0'.")
    if output and not isinstance(what, AutomatonTask):
        raise ValueError(f"Option '--output' needs an automaton, not '{what.name}'.")
    recipe = Recipe(
        steps,
        batch,
        rate,
        weight_decay=decay,
        precision=cast("Literal['float32', 'bfloat16']", precision),
    )
    with _bar(steps) as update:
        trained = train(
            what,
            shape,
            recipe,
            range(seeds),
            device=place,
            log=log,
            checkpoint=checkpoint,
            every=max(steps // 100, 1),
            progress=update,
        )
    with display.progress("testing on longer words"):
        found = curve(trained)
    lines = [table([found]), ""]
    low, high = found.lengths[0], found.lengths[-1]
    lines.append(
        f"trained on lengths {what.train[0]} to {what.train[1]}, tested on {low} to {high}; "
        f"{steps} updates in {trained.seconds:.0f} s ({device_text(place)})"
    )
    facts: dict[str, Any] = {"curve": found.to_dict(), "means": list(found.means)}
    if output:
        facts["examined"], more = _examine(trained, found.best, output)
        lines += more
    if plot:
        from lrnn_theory.plots import plot_curves

        plot_curves([found]).save(plot)
        lines.append(f"drawn in {plot}")
    display.put(facts, "\n".join(lines), as_json=as_json)
    return 0


def _task(name: str) -> Task:
    """A named task, or that of tracking the automaton of a SOURCE."""
    from constructions.cli.source import read_automaton
    from lrnn_theory.learning import TASKS, of_automaton

    if name in TASKS:
        return TASKS[name]()
    if name.isidentifier() and (near := get_close_matches(name, TASKS, 1)):
        raise ValueError(
            f"Argument 'TASK' is '{name}', no task; did you mean '{near[0]}'?  "
            f"(The regex is '({name})'.)"
        )
    return of_automaton(read_automaton(name), name)


def _examine(trained: Trained, index: int, output: Path) -> tuple[dict[str, Any], list[str]]:
    """Write a model of one layer as a weight file, and say what it is."""
    from lrnn_theory.learning.examination import examine
    from lrnn_theory.learning.tasks import AutomatonTask

    assert isinstance(trained.task, AutomatonTask)
    with display.progress("examining the model"):
        found = examine(trained.ensemble.model(index), trained.task.automaton)
    found.lrnn.save(output)
    values = found.eigenvalues
    lines = [
        f"its LRNN is {display.verdict_text(found.verdict)}",
        f"eigenvalues: real parts from {values.real.min():.4f} to {values.real.max():.4f}",
        str(found.horizon),
    ]
    if found.collision is not None:
        lines.append(display.verdict_text(found.collision))
    if found.confirmed is not None:
        lines.append(f"the model itself is wrong on {display.word_text(found.confirmed)}")
    lines.append(f"written to {output}")
    return found.to_dict() | {"file": str(output)}, lines


@contextmanager
def _bar(steps: int) -> Iterator[Any]:
    """A progress bar with the loss and the accuracy of the best model."""
    if sys.stderr is None:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    text = TextColumn("{task.description}", markup=False)
    with Progress(text, BarColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        number = bar.add_task("training", total=steps)

        def update(entry: dict[str, Any]) -> None:
            loss, accuracy = min(entry["loss"]), max(entry["accuracy"])
            said = f"training: loss {loss:.4f}, accuracy {accuracy:.3f}"
            bar.update(number, completed=entry["step"], description=said)

        yield update
