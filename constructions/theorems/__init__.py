"""The catalogue of theorems: every one can be checked, by `lrnn theorems check` or a campaign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from constructions.theorems import (
    built,
    cascades,
    cast,
    exact,
    factorisations,
    layers,
    limits,
    products,
    refuters,
    representations,
    rounding,
    settling,
    symmetric,
)
from lrnn_theory.campaign import Check
from lrnn_theory.theorem import Report, Theorem, Trial

PARTS: dict[str, tuple[Theorem, ...]] = {
    "impossible in the cast model": (*cast.THEOREMS, *refuters.THEOREMS),
    "impossible in exact arithmetic": (*exact.THEOREMS, *layers.THEOREMS, *limits.THEOREMS),
    "rounding at every step": (*settling.THEOREMS, *rounding.THEOREMS),
    "products of Householder factors": (*products.THEOREMS, *factorisations.THEOREMS),
    "groups and their factors": (*representations.THEOREMS, *symmetric.THEOREMS),
    "constructions": built.THEOREMS,
    "cascades": cascades.THEOREMS,
}
"""Every theorem, by subject."""

ALL: tuple[Theorem, ...] = tuple(t for part in PARTS.values() for t in part)
"""Every theorem."""

THEOREMS: dict[str, Theorem] = {t.key: t for t in ALL}
"""Every theorem by key."""


def find(key: str) -> Theorem:
    """A theorem by its key.

    Raises:
        ValueError: if there is none.
    """
    if key not in THEOREMS:
        from difflib import get_close_matches

        near = get_close_matches(key, THEOREMS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else "; `lrnn theorems` lists them"
        raise ValueError(f"There is no theorem '{key}'{hint}")
    return THEOREMS[key]


def check_slice(key: str, seconds: float, seed: int, first: int) -> Report:
    """Check one theorem for a while, from an instance on; for workers."""
    return THEOREMS[key].check(seconds, seed, first=first)


def try_instance(key: str, rng: np.random.Generator, index: int) -> Mapping[str, Any]:
    """Try one instance of a theorem; for workers of a campaign."""
    trial = THEOREMS[key].trial(rng, index)
    return {k: v for k, v in vars(trial).items() if k != "index" and v != ""}


def campaign_of(keys: Iterable[str], instances: int) -> list[Check]:
    """The checks of a campaign that tries so many instances of each theorem.

    Example:
        >>> from lrnn_theory.campaign import run
        >>> results = run(campaign_of(["norm"], 5), workers=1)
        >>> report_of(results)["norm"].outcome
        'holds'
    """
    return [Check(find(key).key, partial(try_instance, key), instances) for key in keys]


def report_of(results: Iterable[Mapping[str, Any]]) -> dict[str, Report]:
    """The reports of the theorems that results of a campaign are about."""
    reports: dict[str, Report] = {}
    for result in results:
        key = result["check"]
        if "error" in result:
            trial = Trial(result["index"], "", "failed", 0.0, result["error"])
        else:
            trial = Trial(
                result["index"], result.get("name", ""), result["outcome"], result["strain"],
                result["case"],
            )  # fmt: skip
        reports[key] = reports.get(key, Report(key)) + trial.report(key)
    return reports
