"""The command `lrnn theorems`: the catalogue, one theorem, and checks."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constructions.cli import display
from constructions.cli.options import Json, natural, positive

if TYPE_CHECKING:
    from lrnn_theory.theorem import Report, Theorem

WIDTH = 100
"""Columns of text."""

_PASSED = {"conditional": "conditional", "refuted as written": "refuted"}
_NOTES = {
    "refuted": "false as published, as instances show; what holds instead holds in all of them",
    "conditional": "rests on a conjecture; what can be checked of it holds",
}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("theorems")(theorems)


def seconds_of(text: str) -> float:
    """Seconds from a text such as 60s, 2m or 1.5h."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)([smh]?)", text)
    if not match or not float(match[1]):
        raise typer.BadParameter(f"expected a time such as 60s, 2m or 1.5h, not {text!r}.")
    return float(match[1]) * _UNITS[match[2]]


def complete_theorem(incomplete: str) -> list[str]:
    """Keys of theorems, and the word check."""
    from constructions.theorems import THEOREMS

    return [key for key in ("check", *THEOREMS) if key.startswith(incomplete)]


def theorems(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[check] [KEY]...",
            help="A theorem to show; or check, and the theorems to check, by default all.",
            autocompletion=complete_theorem,
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="TIME",
            help="How long to check: 60s (default), 2m, 1.5h.",
            parser=seconds_of,
        ),
    ] = None,
    instances: Annotated[
        int | None,
        typer.Option(
            "--instances",
            metavar="N",
            help="Try N instances of each theorem, however long.",
            parser=positive,
        ),
    ] = None,
    instance: Annotated[
        int | None,
        typer.Option(
            "--instance", metavar="I", help="Try only instance I of a theorem.", parser=natural
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of random instances.", parser=natural)
    ] = 0,
    executor: Annotated[
        str,
        typer.Option(
            "--executor",
            metavar="E",
            help="processes, dask (a cluster on this machine) or dask://HOST:PORT.",
        ),
    ] = "processes",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", help="How many; by default the processors.", parser=positive
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="With --instances: write every result, one line of JSON each; go on if it exists.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """List theorems, show one, or check them on random and on hard instances."""
    words = list(keys or [])
    if words[:1] != ["check"]:
        given = {
            "--budget": budget, "--instances": instances, "--instance": instance,
            "--output": output, "--workers": workers,
        }  # fmt: skip
        if wrong := next((name for name, value in given.items() if value is not None), None):
            raise ValueError(f"Option '{wrong}' needs `lrnn theorems check`.")
        return _show(words, as_json=as_json)
    wanted = _wanted(words[1:])
    _compatible(wanted, budget, instances, instance, output)
    start = time.perf_counter()
    interrupted = False
    options: dict[str, Any] = {"executor": executor, "workers": workers, "seed": seed}
    if instance is not None:
        reports = {t.key: t.check(None, seed, first=instance, instances=1) for t in wanted}
    elif instances is not None:
        reports = _campaign(wanted, instances, output, options)
    else:
        reports, interrupted = _within_budget(wanted, budget or 60.0, options)
    seconds = time.perf_counter() - start
    alone = instance is not None and not any(r.failed for r in reports.values())
    passed = alone or all(report.passed for report in reports.values())
    facts = {
        "seed": seed,
        "seconds": round(seconds, 2),
        "passed": passed,
        "interrupted": interrupted,
        "theorems": [_report_facts(t, reports[t.key]) for t in wanted],
    }
    display.put(facts, _table(wanted, reports, seed, seconds), as_json=as_json)
    if interrupted:
        raise KeyboardInterrupt
    return 0 if passed else 1


# -------------------------------------------------------------------- catalogue


def _wanted(keys: Sequence[str]) -> list[Theorem]:
    from constructions.theorems import ALL, find

    return [find(key) for key in dict.fromkeys(keys)] if keys else list(ALL)


def _show(keys: Sequence[str], *, as_json: bool) -> int:
    from constructions.theorems import PARTS, find

    if len(keys) > 1:
        raise ValueError(f"One theorem is shown at a time, not {len(keys)}.")
    if keys:
        theorem = find(keys[0])
        display.put(_facts(theorem), _whole(theorem), as_json=as_json)
        return 0
    lines = []
    for part, some in PARTS.items():
        lines += [part, *(f"  {t.key:26}  {t.status:18}  {t.name}" for t in some), ""]
    lines.append("`lrnn theorems KEY` shows one, `lrnn theorems check [KEY]...` checks.")
    facts = [{"part": part, **_facts(t)} for part, some in PARTS.items() for t in some]
    display.put({"theorems": facts}, "\n".join(lines), as_json=as_json)
    return 0


def _facts(theorem: Theorem) -> dict[str, Any]:
    plain = ("key", "name", "statement", "status", "precision", "citation", "page")
    return {name: getattr(theorem, name) for name in plain} | {
        "hypotheses": [h.text for h in theorem.hypotheses],
        "constructions": list(theorem.constructions),
        "tests": list(theorem.tests),
        "hard": list(theorem.hard),
        "outside": list(theorem.outside),
    }


def _whole(theorem: Theorem) -> str:
    from lrnn_theory.theorem import STATUSES

    rows = [
        ("theorem", theorem.name),
        ("statement", theorem.statement),
        *(("assumes", h.text) for h in theorem.hypotheses),
        ("precision", theorem.precision),
        ("status", f"{theorem.status}: {STATUSES[theorem.status]}"),
        ("source", theorem.citation),
        ("page", theorem.page),
        ("builds", ", ".join(theorem.constructions)),
        ("tests", ", ".join(theorem.tests)),
        ("instances", "; ".join(theorem.hard)),
        ("outside", "; ".join(theorem.outside)),
    ]
    return "\n".join(display.wrapped(f"{name:12}{text}") for name, text in rows if text)


# -------------------------------------------------------------------- checks


def _compatible(
    wanted: Sequence[Theorem],
    budget: float | None,
    instances: int | None,
    instance: int | None,
    output: Path | None,
) -> None:
    chosen = [n for n, v in (("--budget", budget), ("--instances", instances),
                             ("--instance", instance)) if v is not None]  # fmt: skip
    if len(chosen) > 1:
        raise ValueError(f"Options '{chosen[0]}' and '{chosen[1]}' exclude each other.")
    if output is not None and instances is None:
        raise ValueError("Option '--output' needs '--instances'.")
    if instance is not None and len(wanted) != 1:
        raise ValueError("Option '--instance' needs one theorem.")


def _within_budget(
    wanted: Sequence[Theorem], budget: float, options: dict[str, Any]
) -> tuple[dict[str, Report], bool]:
    from constructions.theorems.budget import CheckInterrupted, check_all

    with display.progress("checking theorems", "instance", rate=True) as update:
        try:
            keys = [t.key for t in wanted]
            return check_all(keys, budget, progress=update, **options), False
        except CheckInterrupted as interrupted:
            return interrupted.reports, True


def _campaign(
    wanted: Sequence[Theorem], instances: int, output: Path | None, options: dict[str, Any]
) -> dict[str, Report]:
    from constructions.theorems import campaign_of, report_of
    from lrnn_theory.campaign import run

    checks = campaign_of([t.key for t in wanted], instances)
    total = instances * len(wanted)
    with display.progress(f"trying {total:,} instances", "instance", rate=True) as update:
        try:
            return report_of(run(checks, path=output, progress=update, **options))
        except KeyboardInterrupt:
            if output:
                display.complain(f"stopped; run the same again to go on with '{output}'")
            raise


def _outcome(theorem: Theorem, report: Report) -> str:
    return _PASSED.get(theorem.status, "holds") if report.passed else report.outcome


def _report_facts(theorem: Theorem, report: Report) -> dict[str, Any]:
    worst = report.worst
    return {
        "key": theorem.key,
        "status": theorem.status,
        "tried": report.tried,
        "outside": report.outside,
        "failed": report.failed,
        "outcome": _outcome(theorem, report),
        "worst": worst and {"instance": worst.index, "name": worst.name, "case": worst.case},
        "failures": [
            {"instance": f.index, "name": f.name, "fault": f.case} for f in report.failures
        ],
    }


def _table(wanted: Sequence[Theorem], reports: dict[str, Report], seed: int, seconds: float) -> str:
    lines = [f"{'theorem':26}  {'tried':>9}  {'outcome':11}  worst case"]
    said = set()
    for theorem in wanted:
        report = reports[theorem.key]
        outcome = _outcome(theorem, report)
        said.add(outcome)
        if report.failed:
            case = f"{report.failed:,} of {report.tried:,}: {report.failures[0].case}"
        else:
            case = report.worst.case if report.worst else "no instance met the hypotheses"
        shown = outcome.upper() if not report.passed else outcome
        head = f"{theorem.key:26}  {report.tried:>9,}  {shown:11}  "
        lines += textwrap.wrap(head + case, WIDTH, subsequent_indent=" " * len(head)) or [head]
    lines += ["", *(f"{name}: {text}" for name, text in _NOTES.items() if name in said)]
    for theorem in wanted:
        for f in reports[theorem.key].failures:
            again = f"lrnn theorems check {theorem.key} --seed {seed} --instance {f.index}"
            lines.append(f"FAILED {theorem.key}, {f.title}: {f.case}  (again: {again})")
    tried = sum(report.tried for report in reports.values())
    bad = [key for key, report in reports.items() if not report.passed]
    end = f"{', '.join(bad)} did not pass" if bad else "all passed"
    many = f"{display.count(len(reports), 'theorem')}, {display.count(tried, 'instance')}"
    lines.append(f"{many} in {seconds:.1f} s: {end}")
    return "\n".join(lines)
