"""How accuracy carries over to longer words: curves by seed, and a table of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from lrnn_theory.learning.training import Trained, evaluate


@dataclass(frozen=True)
class Curve:
    """Scaled accuracy against length: 0 is guessing, 1 is perfect.

    Attributes:
        task: what was trained.
        model: the architecture and the range of its eigenvalues.
        train: shortest and longest word of training.
        lengths: those of the test.
        seeds: one model each.
        accuracy: for every seed, by length.
        steps: updates of training.
        seconds: time of training, of all seeds together.
        device: where.
    """

    task: str
    model: str
    train: tuple[int, int]
    lengths: tuple[int, ...]
    seeds: tuple[int, ...]
    accuracy: tuple[tuple[float, ...], ...]
    steps: int
    seconds: float
    device: str

    @property
    def means(self) -> tuple[float, ...]:
        """For every seed, the mean over the lengths."""
        return tuple(sum(row) / len(row) for row in self.accuracy)

    @property
    def best(self) -> int:
        """The index of the seed with the highest mean."""
        return max(range(len(self.seeds)), key=lambda i: self.means[i])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Curve:
        """What `to_dict` made."""
        given: dict[str, Any] = dict(data)
        for name in ("train", "lengths", "seeds"):
            given[name] = tuple(data[name])
        given["accuracy"] = tuple(map(tuple, data["accuracy"]))
        return cls(**given)


def curve(trained: Trained, words: int = 1024, at_once: int = 128) -> Curve:
    """The curve of trained models over the test lengths of their task.

    Args:
        trained: the models.
        words: how many are drawn.
        at_once: how many are held in memory.
    """
    lengths, accuracy = evaluate(trained, words=words, at_once=at_once)
    return Curve(
        trained.task.name,
        str(trained.ensemble.architecture),
        trained.task.train,
        tuple(lengths),
        trained.ensemble.seeds,
        tuple(tuple(round(x, 4) for x in row) for row in accuracy.tolist()),
        trained.step,
        round(trained.seconds, 1),
        trained.log[0]["device"],
    )


def table(curves: Iterable[Curve]) -> str:
    """A Markdown table: mean scaled accuracy over the test lengths, by task and model.

    Example:
        >>> shown = Curve("parity", "lstm", (3, 40), (40, 41), (0, 1), ((1, 1), (0.5, 0)), 9, 1, "")
        >>> print(table([shown]))
        | task | model | updates | best seed | median | all seeds |
        |---|---|---|---|---|---|
        | parity | lstm | 9 | 1.000 | 0.625 | 1.000, 0.250 |
    """
    lines = [
        "| task | model | updates | best seed | median | all seeds |",
        "|---|---|---|---|---|---|",
    ]
    for c in curves:
        seeds = ", ".join(f"{x:.3f}" for x in c.means)
        best, middle = c.means[c.best], median(c.means)
        name = f"| {c.task} | {c.model} | {c.steps}"
        lines.append(f"{name} | {best:.3f} | {middle:.3f} | {seeds} |")
    return "\n".join(lines)
