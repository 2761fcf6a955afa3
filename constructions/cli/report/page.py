"""The page of a report: one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from constructions.cli import display
from constructions.cli.report.facts import Study, Trial, counterexample
from lrnn_theory.automaton import Automaton
from lrnn_theory.plots import (
    Picture,
    plot_automaton,
    plot_cascade,
    plot_errors,
    plot_horizons,
    plot_orbit,
    plot_spectrum,
    plot_trajectory,
)

if TYPE_CHECKING:
    from lrnn_theory.verification import Verdict

MAX_PICTURE = 400_000
"""Largest picture, in bytes, that a page holds."""
ORBIT = 300
"""How often a letter is repeated in pictures of drift."""
LEGIBLE = 5.25
"""Points of text to which a wide picture may shrink before it is scrolled instead."""
TEXT = 9.0
"""Points of text in pictures of matplotlib, where it is drawn as outlines."""
_WORD = 12


def page(study: Study) -> str:
    """The HTML of a report.

    It loads nothing and runs nothing: pictures are inline, whatever came from outside is escaped,
    and its Content-Security-Policy allows no script and no address.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from lrnn_theory.verification import Refuted, Undecided

    environment = Environment(
        loader=PackageLoader("constructions.cli.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["word"] = display.word_text
    environment.filters["count"] = display.count
    environment.filters["said"] = lambda symbol: said(study.automaton, symbol)
    style = resources.files("constructions.cli.report").joinpath("style.css").read_text("utf-8")
    trials = [study.trial, study.contrast] if study.contrast else [study.trial]
    wrong = [(t, v) for t in trials for v in t.verdicts if isinstance(v, Refuted)]
    return environment.get_template("page.html.jinja").render(
        study=study,
        facts=study.facts,
        style=style,
        pictures=_pictures(study),
        judged=[(t, [(v, verdict_cells(study.automaton, v)) for v in t.verdicts]) for t in trials],
        wrong=wrong,
        unsure=[v for t in trials for v in t.verdicts if isinstance(v, Undecided)],
        shapes=[display.lrnn_text(t.lrnn) for t in trials],
    )


def said(automaton: Automaton, symbol: str) -> str:
    """An output in words."""
    return {"0": "rejected", "1": "accepted"}[symbol] if automaton.kind == "dfa" else symbol


def verdict_cells(automaton: Automaton, verdict: Verdict) -> dict[str, Any]:
    """A verdict as a row of the table: a word, how or why, and what was examined."""
    from lrnn_theory.verification import Refuted, Undecided

    facts = display.verdict_facts(verdict)
    sizes = ", ".join(
        f"{name}: {value:,}" for name, value in verdict.statistics.items() if isinstance(value, int)
    )
    why = facts.get("method", "")
    if isinstance(verdict, Refuted):
        sizes = ""
        why = (
            f"by {display.word_text(verdict.word)}: {said(automaton, verdict.answered)}, "
            f"not {said(automaton, verdict.expected)}"
        )
    elif isinstance(verdict, Undecided):
        why = f"right up to length {verdict.covered}; {verdict.reason}"
    return {"verdict": facts["verdict"], "why": why, "sizes": sizes}


def _pictures(study: Study) -> dict[str, dict[str, str]]:
    """Inline pictures by name, each with a caption; or, instead of one, why there is none."""
    core = study.automaton.minimize()
    trial = study.trial
    found: dict[str, dict[str, str]] = {}

    def draw(name: str, make: Callable[[], Picture]) -> None:
        try:
            picture = make()
            svg = picture.inline(name)
        except ValueError as error:
            found[name] = {"missing": str(error)}
            return
        if len(svg) > MAX_PICTURE:
            found[name] = {"missing": f"Too large for a page: {len(svg):,} bytes."}
        else:
            found[name] = {"svg": svg, "title": picture.title, "least": least_width(svg)}

    draw("automaton", lambda: plot_automaton(core))
    draw("cascade", lambda: plot_cascade(study.automaton))
    if trial.lrnn.levels:
        draw("spectrum", lambda: plot_spectrum(trial.lrnn))
    word = sample_word(study.automaton)
    wrong = counterexample(trial)
    if trial.lrnn.levels and word:
        draw("trajectory", lambda: plot_trajectory(trial.lrnn, word, "bfloat16"))
    if trial.lrnn.levels and wrong is not None and wrong.word:
        draw("error", lambda: plot_trajectory(trial.lrnn, wrong.word, wrong.arithmetic))
    if not all(h.never for h in trial.horizons):
        draw("horizon", lambda: plot_horizons(trial.horizons))
    if study.contrast is not None:
        _draw_contrast(study.contrast, draw)
    return found


def least_width(svg: str) -> str:
    """The width in points to which a picture may shrink before it is scrolled instead."""
    width = re.search(r'width="([\d.]+)pt"', svg)
    text = min(map(float, re.findall(r'font-size="([\d.]+)"', svg)), default=TEXT)
    return f"{LEGIBLE / text * float(width[1]):.0f}" if width else "0"


def _draw_contrast(trial: Trial, draw: Callable[[str, Callable[[], Picture]], None]) -> None:
    from lrnn_theory.verification import Refuted

    finite = [
        (v.arithmetic, h)
        for v, h in zip(trial.verdicts, trial.horizons, strict=False)
        if v.arithmetic != "exact"
    ]
    if not finite:
        return
    names, horizons = [a for a, _ in finite], [h for _, h in finite]
    draw("contrast", lambda: plot_horizons(horizons))
    draw("drift", lambda: plot_errors(trial.lrnn, names, horizons, length=ORBIT))
    drifting = next((v.arithmetic for v in trial.verdicts if isinstance(v, Refuted)), names[0])
    if trial.lrnn.n_layers == 1 and trial.lrnn.state_size == 2:
        draw("orbit", lambda: plot_orbit(trial.lrnn, drifting, length=ORBIT))


def sample_word(automaton: Automaton) -> Sequence[str]:
    """A word to show: a shortest one that leads farthest, and then every letter, up to a length."""
    farthest = max(automaton.access_words.values(), key=len)
    letters = [*farthest, *range(automaton.n_letters)] * _WORD
    return [automaton.letters[a] for a in letters[: min(_WORD, max(_WORD // 2, len(letters)))]]
