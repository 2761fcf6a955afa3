"""The type of a catalogue entry: a theorem that can be checked on as many instances as wanted.

A check tries instances one after another: first the named hard ones, then those just outside the
hypotheses, which a hypothesis must refuse, then random ones.  Each has random numbers of its own,
so that instance 17 is the same whatever was tried before, and whoever tried it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lrnn_theory.campaign import generator

Status = Literal["proved", "cited", "conditional", "refuted as written"]

STATUSES: dict[str, str] = {
    "proved": "proved in the documentation",
    "cited": "proved in the paper that is cited",
    "conditional": "rests on a conjecture, so that no word refutes anything",
    "refuted as written": "false as published; what holds instead is checked",
}
"""What each status means."""


class ViolationError(Exception):
    """The conclusion of a theorem fails in an instance that meets its hypotheses."""


def require(condition: object, fault: str) -> None:
    """Raise `ViolationError` unless the condition holds."""
    if not condition:
        raise ViolationError(fault)


@dataclass(frozen=True)
class Hypothesis:
    """What a theorem assumes, as a predicate with a reason.

    Attributes:
        text: the assumption.
        reason: why an instance does not meet it; empty if it does.
    """

    text: str
    reason: Callable[[Any], str]


@dataclass(frozen=True)
class Worst:
    """How near an instance came to contradicting the theorem, or how large it was.

    Attributes:
        strain: to compare instances of one theorem; the largest is kept.
        case: what it was, in words.
    """

    strain: float
    case: str


@dataclass(frozen=True)
class Theorem:
    """An entry of the catalogue.

    Attributes:
        key: its name, as in `lrnn theorems KEY`.
        name: its title.
        statement: what holds.
        citation: whose it is.
        status: one of `STATUSES`.
        precision: the model of arithmetic that the statement is about.
        hypotheses: what it assumes of an instance.
        draw: a random instance.
        examine: checks the conclusion on an instance, independently of the code that the theorem
            is built into; raises `ViolationError` if it fails.
        hard: named instances.
        outside: named instances that do not meet the hypotheses.
        page: where in the documentation it is stated and proved: a file, and perhaps `#heading`.
        constructions: keys of constructions that rest on it.
        tests: files that test it.
    """

    key: str
    name: str
    statement: str
    citation: str
    status: Status
    precision: str
    draw: Callable[[np.random.Generator], Any]
    examine: Callable[[Any], Worst]
    hypotheses: tuple[Hypothesis, ...] = ()
    hard: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    outside: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    page: str = ""
    constructions: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    def obstacles(self, instance: Any) -> list[str]:
        """The reasons why the theorem says nothing about an instance; none if it applies."""
        return [reason for h in self.hypotheses if (reason := h.reason(instance))]

    def trial(self, rng: np.random.Generator, index: int) -> Trial:
        """Try instance number `index`."""
        name, make, refused = "", None, False
        if index < len(self.hard):
            name, make = list(self.hard.items())[index]
        elif index < len(self.hard) + len(self.outside):
            name, make = list(self.outside.items())[index - len(self.hard)]
            refused = True
        try:
            instance = make() if make else self.draw(rng)
            obstacles = self.obstacles(instance)
            if refused:
                require(obstacles, "the hypotheses admit what is outside of them")
            if obstacles:
                require(refused or not make, f"the hypotheses refuse it: {'; '.join(obstacles)}")
                return Trial(index, name, "outside", 0.0, "; ".join(obstacles))
            worst = self.examine(instance)
        except ViolationError as violation:
            return Trial(index, name, "failed", 0.0, str(violation))
        except Exception as error:  # a check that cannot be made has not been passed
            return Trial(index, name, "failed", 0.0, f"{type(error).__name__}: {error}")
        return Trial(index, name, "holds", float(worst.strain), worst.case)

    def check(
        self,
        budget: float | None = 1.0,
        seed: int = 0,
        *,
        first: int = 0,
        instances: int | None = None,
    ) -> Report:
        """Try instances until a budget ends.

        Args:
            budget: seconds after which no further instance is begun, but at least one is tried;
                None for no limit, which needs `instances`.
            seed: of the random instances.
            first: the instance to begin with.
            instances: try at most so many.

        Raises:
            ValueError: if there is neither a budget nor a number of instances.
        """
        if budget is None and instances is None:
            raise ValueError("Argument 'budget' may be None only if 'instances' is given.")
        start = time.monotonic()
        report, index = Report(self.key), first
        while instances is None or index < first + instances:
            report += self.trial(generator(seed, self.key, index), index).report(self.key)
            index += 1
            if budget is not None and time.monotonic() - start >= budget:
                break
        return report


@dataclass(frozen=True)
class Trial:
    """What became of an instance.

    Attributes:
        index: its number.
        name: its name if it has one.
        outcome: "holds", "failed" or "outside" (of the hypotheses).
        strain: see `Worst`.
        case: what it was; or why it failed, or is outside.
    """

    index: int
    name: str
    outcome: str
    strain: float
    case: str

    @property
    def title(self) -> str:
        """The instance in words."""
        return self.name or f"instance {self.index}"

    def report(self, key: str) -> Report:
        """The report of this one instance."""
        match self.outcome:
            case "holds":
                return Report(key, tried=1, worst=self)
            case "failed":
                return Report(key, tried=1, failed=1, failures=(self,))
        return Report(key, outside=1)


MAX_FAILURES = 5
"""Failures that a report describes; it counts all."""


@dataclass(frozen=True)
class Report:
    """What a check found; reports of one theorem add up.

    Attributes:
        key: the theorem.
        tried: instances that met the hypotheses.
        outside: instances that did not.
        failed: instances in which the theorem failed.
        failures: the first of them.
        worst: the instance of the largest strain; None if all failed.
    """

    key: str
    tried: int = 0
    outside: int = 0
    failed: int = 0
    failures: tuple[Trial, ...] = ()
    worst: Trial | None = None

    @property
    def seen(self) -> int:
        """Instances in all."""
        return self.tried + self.outside

    @property
    def passed(self) -> bool:
        """Whether instances were tried, and all held."""
        return self.tried > 0 and self.failed == 0

    @property
    def outcome(self) -> str:
        """What was found: holds, failed, or not tried where no instance met the hypotheses."""
        if self.failed:
            return "failed"
        return "holds" if self.tried else "not tried"

    def __add__(self, other: Report) -> Report:
        if other.key != self.key:
            raise ValueError(f"Cannot add the report of '{other.key}' to that of '{self.key}'.")
        mine, theirs = self.worst, other.worst
        heavier = theirs if mine is None or (theirs and theirs.strain > mine.strain) else mine
        return Report(
            self.key,
            self.tried + other.tried,
            self.outside + other.outside,
            self.failed + other.failed,
            (self.failures + other.failures)[:MAX_FAILURES],
            heavier,
        )
