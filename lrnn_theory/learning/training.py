"""Training: AdamW with warm-up and a cosine, several seeds side by side, logged and resumable.

The words of a step depend on its number and the seed only, so that a run that is resumed from a
checkpoint goes on as if it had never stopped.  On a GPU a step is one CUDA graph.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from lrnn_theory.arguments import check_type
from lrnn_theory.learning.model import Architecture, Ensemble
from lrnn_theory.learning.tasks import UNASKED, Range2, Task
from lrnn_theory.storage import check_size
from lrnn_theory.textfile import write_atomically

_LOGGER = logging.getLogger(__name__)

_MOMENTS = ("exp_avg", "exp_avg_sq")
BLOCK = 16
"""Steps whose words are drawn at once."""
TEST_SEED = 2**31 - 1
"""Words of tests come from this seed, which no training has."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        steps: number of updates.
        batch: words of an update.
        learning_rate: the highest one.
        least_rate: what the cosine ends at.
        warm_up: share of the steps in which the rate rises from 0.
        weight_decay: of matrices; embeddings, gains, biases and decays have none.
        clip: largest norm of a seed's gradient; 0 for any.
        precision: of the maps between recurrences; the recurrences are in float32.
    """

    steps: int = 4000
    batch: int = 256
    learning_rate: float = 1e-3
    least_rate: float = 1e-6
    warm_up: float = 0.1
    weight_decay: float = 0.1
    clip: float = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"Argument '{name}' must be positive, not {getattr(self, name)}.")
        for name in ("least_rate", "weight_decay", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"Argument '{name}' must be finite, not negative, not {getattr(self, name)}."
                )
        if not 0 <= self.warm_up <= 1:
            raise ValueError(f"Argument 'warm_up' must be in [0, 1], not {self.warm_up}.")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(
                f"Argument 'precision' must be float32 or bfloat16, not {self.precision!r}."
            )

    def rate(self, step: int) -> float:
        """The learning rate of a step, the first being 0."""
        rising = self.warm_up * self.steps
        if step < rising:
            return self.learning_rate * (step + 1) / math.ceil(rising)
        done = (step - rising) / max(self.steps - rising, 1)
        half = (1 + math.cos(math.pi * done)) / 2
        return self.least_rate + (self.learning_rate - self.least_rate) * half


@dataclass
class Trained:
    """Models after training.

    Attributes:
        task: what they were trained on.
        recipe: how.
        ensemble: the models, one for every seed.
        step: updates done.
        log: what the log file holds, entry by entry.
        seconds: time of training.
    """

    task: Task
    recipe: Recipe
    ensemble: Ensemble
    step: int
    log: list[dict[str, Any]]
    seconds: float


def train(
    task: Task,
    architecture: Architecture,
    recipe: Recipe | None = None,
    seeds: Sequence[int] = (0,),
    *,
    device: torch.device | str = "cpu",
    log: str | Path | None = None,
    checkpoint: str | Path | None = None,
    start: dict[str, Tensor] | None = None,
    every: int = 100,
    save_every: int = 1000,
    progress: Callable[[dict[str, Any]], None] | None = None,
    observe: Callable[[int, Ensemble], dict[str, Any]] | None = None,
) -> Trained:
    """Train a model for every seed.

    Args:
        task: where words come from.
        architecture: the shape of the models.
        recipe: how they are trained.
        seeds: of parameters and words; all models are trained at once.
        device: where.
        log: a JSON-lines file to write.
        checkpoint: a safetensors file, written now and then and at the end; if it is there,
            training goes on from it.
        start: parameters, by name, that replace the random ones of every seed.
        every: steps between entries of the log.
        save_every: steps between checkpoints.
        progress: called with every entry.
        observe: called with the number of updates and the models; what it returns joins an entry.

    Raises:
        ValueError: if the checkpoint is of another training.
    """
    check_type("architecture", architecture, Architecture)
    recipe = recipe or Recipe()
    architecture.check_size(len(seeds))
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ValueError(f"Argument 'seeds' must be distinct and not negative, not {seeds!r}.")
    device = torch.device(device)
    ensemble = Ensemble(architecture, len(task.letters), task.classes, seeds, device)
    for name, value in (start or {}).items():
        ensemble.parameters[name].data.copy_(value.expand_as(ensemble.parameters[name]))
    trainer = _Trainer(ensemble, recipe, device)
    header = {
        "task": task.name,
        "architecture": asdict(architecture),
        "recipe": asdict(recipe),
        "seeds": list(seeds),
    }
    first = trainer.load(checkpoint, header) if checkpoint and Path(checkpoint).exists() else 0
    entries: list[dict[str, Any]] = [header | {"device": _device_name(device), "from": first}]
    began = time.perf_counter()
    words = _words(task, recipe, seeds, device, first)
    for step in range(first, recipe.steps):
        trainer.update(*next(words), recipe.rate(step))
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            entry = {"step": step + 1, **trainer.summary(), "rate": recipe.rate(step)}
            entry["seconds"] = round(time.perf_counter() - began, 3)
            entry |= observe(step + 1, ensemble) if observe else {}
            entries.append(entry)
            if progress:
                progress(entry)
        if checkpoint is not None and ((step + 1) % save_every == 0 or step + 1 == recipe.steps):
            trainer.save(checkpoint, header, step + 1)
    if log is not None:
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        write_atomically(log, text.encode())
    return Trained(task, recipe, ensemble, recipe.steps, entries, time.perf_counter() - began)


def updates(
    task: Task,
    architecture: Architecture,
    recipe: Recipe,
    seeds: Sequence[int],
    device: torch.device | str,
) -> Callable[[int], None]:
    """A function that makes some more updates and waits for them: to time training.

    Args:
        task: where words come from.
        architecture: the shape of the models.
        recipe: how they are trained, at its highest learning rate.
        seeds: one model each.
        device: where.
    """
    device = torch.device(device)
    ensemble = Ensemble(architecture, len(task.letters), task.classes, seeds, device)
    trainer = _Trainer(ensemble, recipe, device)
    words = _words(task, replace(recipe, steps=10**9), seeds, device, 0)

    def run(steps: int) -> None:
        for tokens, labels in islice(words, steps):
            trainer.update(tokens, labels, recipe.learning_rate)
        trainer.summary()

    return run


@torch.no_grad()
def evaluate(
    trained: Trained, lengths: Range2 | None = None, words: int = 1024, at_once: int = 128
) -> tuple[list[int], Tensor]:
    """Scaled accuracies by length: 0 is guessing, 1 is perfect.

    Args:
        trained: the models.
        lengths: shortest and longest; by default those of the task's test.
        words: how many are drawn.
        at_once: how many are held in memory.

    Returns:
        The lengths that were asked for, and (seeds, lengths) of scaled accuracies.
    """
    check_type("trained", trained, Trained)
    task, ensemble = trained.task, trained.ensemble
    device = next(iter(ensemble.parameters.values())).device
    generator = torch.Generator(device).manual_seed(TEST_SEED)
    lengths = lengths or task.test
    n = len(ensemble.seeds)
    right = torch.zeros(n, lengths[1], device=device)
    asked = torch.zeros(lengths[1], device=device)
    for done in range(0, words, at_once):
        tokens, labels = task.sample(min(at_once, words - done), lengths, generator)
        answers = ensemble(tokens.expand(n, *tokens.shape)).argmax(-1)
        right += (answers == labels).sum(1)
        asked += (labels != UNASKED).sum(0)
    positions = asked.nonzero()[:, 0]
    accuracy = right[:, positions] / asked[positions]
    chance = 1 / task.classes
    return (positions + 1).tolist(), ((accuracy - chance) / (1 - chance)).cpu()


class _Trainer:
    """Parameters, optimizer and one update of them, captured as a CUDA graph where there is one."""

    def __init__(self, ensemble: Ensemble, recipe: Recipe, device: torch.device) -> None:
        self.ensemble, self.recipe, self.device = ensemble, recipe, device
        named = ensemble.parameters
        decayed = [p for name, p in named.items() if _decays(name)]
        others = [p for name, p in named.items() if not _decays(name)]
        self.rate = torch.zeros((), device=device)
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=self.rate, fused=True, capturable=device.type == "cuda"
        )
        self.metrics = torch.zeros(4, len(ensemble.seeds), device=device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.captures = device.type == "cuda"

    def update(self, tokens: Tensor, labels: Tensor, rate: float) -> None:
        """One step of AdamW on words (seeds, batch, time)."""
        self.rate.fill_(rate)
        graph = self.graph
        if graph is None and self.captures:
            try:
                graph = self._capture(tokens, labels)
            except RuntimeError:
                self.captures = False
                _LOGGER.exception("No CUDA graph of a step: going on without.")
        if graph is None:
            self._step(tokens, labels)
            return
        self.tokens.copy_(tokens)
        self.labels.copy_(labels)
        graph.replay()

    def _capture(self, tokens: Tensor, labels: Tensor) -> torch.cuda.CUDAGraph:
        """Record a step; what the warm-up changes is set back."""
        self.tokens, self.labels = tokens.clone(), labels.clone()
        parameters = self.ensemble.parameters
        state = self.optimizer.state  # empty, unless a checkpoint was read
        before = [(p.detach().clone(), _copies(state.get(p, {}))) for p in parameters.values()]
        try:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):
                    self._step(self.tokens, self.labels)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._step(self.tokens, self.labels)
        finally:
            with torch.no_grad():
                for p, (value, moments) in zip(parameters.values(), before, strict=True):
                    p.copy_(value)
                    for key, moment in state.get(p, {}).items():
                        moment.copy_(moments.get(key, torch.zeros_like(moment)))
                self.metrics.zero_()
        self.graph = graph
        return graph

    def _step(self, tokens: Tensor, labels: Tensor) -> None:
        kind = self.device.type
        mixed = self.recipe.precision == "bfloat16"
        with torch.autocast(kind, torch.bfloat16, enabled=mixed):
            scores = self.ensemble(tokens)
        asked = labels != UNASKED
        count = asked.flatten(1).sum(1).clamp_min(1)
        losses = functional.cross_entropy(
            scores.flatten(0, -2).float(), labels.flatten(), ignore_index=UNASKED, reduction="none"
        )
        loss = losses.view(labels.shape).flatten(1).sum(1) / count
        for p in self.ensemble.parameters.values():
            p.grad = None
        loss.sum().backward()
        norm = self._clip()
        self.optimizer.step()
        with torch.no_grad():
            hits = (scores.argmax(-1) == labels).flatten(1).sum(1) / count
            self.metrics += torch.stack([loss, hits, norm, torch.ones_like(loss)])

    def _clip(self) -> Tensor:
        """Scale the gradient of every seed down to the largest norm allowed; the norms."""
        gradients = [p.grad for p in self.ensemble.parameters.values() if p.grad is not None]
        norm = torch.stack([g.square().flatten(1).sum(1) for g in gradients]).sum(0).sqrt()
        if self.recipe.clip:
            scale = (self.recipe.clip / (norm + 1e-6)).clamp_max(1.0)
            for g in gradients:
                g.mul_(scale.view(-1, *[1] * (g.ndim - 1)))
        return norm.detach()

    def summary(self) -> dict[str, Any]:
        """Means since the last summary, by seed."""
        loss, accuracy, norm, steps = self.metrics.clone().cpu()
        self.metrics.zero_()
        found = {"loss": loss, "accuracy": accuracy, "gradient": norm}
        return {k: [float(f"{x:.4g}") for x in (v / steps).tolist()] for k, v in found.items()}

    def save(self, path: str | Path, header: dict[str, Any], step: int) -> None:
        """Write parameters and moments."""
        from safetensors.torch import save

        tensors = {}
        for name, p in self.ensemble.parameters.items():
            tensors["parameter." + name] = p.detach().cpu()
            for key in _MOMENTS:
                tensors[f"{key}.{name}"] = self.optimizer.state[p][key].cpu()
        write_atomically(path, save(tensors, {"header": json.dumps(header), "step": str(step)}))

    def load(self, path: str | Path, header: dict[str, Any]) -> int:
        """Read what `save` wrote, and return the step."""
        from safetensors import SafetensorError, safe_open

        try:
            check_size(path)
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(
                f"Checkpoint '{path}' is no whole safetensors file: {error}."
            ) from None
        if metadata.get("header") != json.dumps(header):
            raise ValueError(f"Checkpoint '{path}' is of another training.")
        step = int(metadata["step"])
        with torch.no_grad():
            for name, p in self.ensemble.parameters.items():
                p.copy_(tensors["parameter." + name])
                moments = {k: tensors[f"{k}.{name}"].to(self.device) for k in _MOMENTS}
                done = torch.tensor(float(step), device=self.device)
                self.optimizer.state[p] = {"step": done, **moments}
        return step


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _decays(name: str) -> bool:
    """Whether a parameter is a matrix of a linear map."""
    return name.endswith("weight") and "norm" not in name and "embedding" not in name


def _words(
    task: Task, recipe: Recipe, seeds: Sequence[int], device: torch.device, first: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The words of every step from the first on: (seeds, batch, time) each."""
    generator = torch.Generator(device)
    for block in range(first // BLOCK, -(-recipe.steps // BLOCK)):
        drawn = []
        for seed in seeds:
            generator.manual_seed((seed * 1_000_003 + block) % TEST_SEED)
            drawn.append(task.sample(BLOCK * recipe.batch, task.train, generator))
        tokens, labels = (
            torch.stack(parts).unflatten(1, (BLOCK, recipe.batch)).transpose(0, 1)
            for parts in zip(*drawn, strict=True)
        )
        for i in range(max(first - block * BLOCK, 0), BLOCK):
            yield tokens[i], labels[i]


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
