"""A sequence model of residual blocks, and several of one shape that run side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional

from lrnn_theory.arguments import check_type
from lrnn_theory.learning.layers import Range, make_layer
from lrnn_theory.learning.layers.base import RMSNorm
from lrnn_theory.learning.scans import wide

MAX_SIZE = 1 << 32
"""Largest number of models x layers x width^2."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a model.

    Attributes:
        name: of its layers; see `lrnn_theory.learning.layers`.
        eigenvalue_range: "[0,1]" or "[-1,1]"; baselines have none.
        layers: number of blocks.
        width: of the residual stream.
        heads: heads of a layer.
        conv_size: letters that the short convolution sees; 0 for none.
        mlp: whether a gated linear unit follows every layer.
        options: more arguments of the layer, such as `{"factors": 2}`.
    """

    name: str
    eigenvalue_range: Range = "[0,1]"
    layers: int = 2
    width: int = 64
    heads: int = 4
    conv_size: int = 4
    mlp: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        more = "".join(f" {key}={value}" for key, value in self.options.items())
        baseline = self.name in ("lstm", "transformer")
        return self.name + more + ("" if baseline else f" {self.eigenvalue_range}")

    def check_size(self, models: int) -> None:
        """Before memory is spent on some models.

        Raises:
            ValueError: if they would have more than about 10 times `MAX_SIZE` weights.
        """
        size = models * self.layers * self.width**2
        if size > MAX_SIZE:
            raise ValueError(
                f"Models x layers x width^2 may be at most {MAX_SIZE}, not {size:.4g}."
            )


class Model(nn.Module):
    """Letters to scores of answers, causally.

    Args:
        architecture: its shape.
        letters: number of letters.
        classes: number of answers.
    """

    def __init__(self, architecture: Architecture, letters: int, classes: int) -> None:
        check_type("architecture", architecture, Architecture)
        super().__init__()
        a = architecture
        self.embedding = nn.Embedding(letters, a.width)
        self.blocks = nn.ModuleList(
            _Block(
                make_layer(a.name, a.width, a.heads, a.eigenvalue_range, a.conv_size, **a.options),
                a.width,
                mlp=a.mlp,
            )
            for _ in range(a.layers)
        )
        self.norm = RMSNorm(a.width)
        self.head = nn.Linear(a.width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (batch, time, classes) of tokens (batch, time)."""
        # As a product, embeddings have a gradient that is the same in every run, and no sorting.
        letters = torch.arange(self.embedding.num_embeddings, device=tokens.device)
        chosen = (tokens[..., None] == letters).to(self.embedding.weight.dtype)
        x = wide(chosen @ self.embedding.weight)  # so that the residual stream is in float32
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class _Block(nn.Module):
    def __init__(self, layer: nn.Module, width: int, *, mlp: bool) -> None:
        super().__init__()
        self.norm = RMSNorm(width)
        self.layer = layer
        self.mlp = _GatedLinearUnit(width) if mlp else None

    def forward(self, x: Tensor) -> Tensor:
        return self.after(x, self.layer(self.norm(x)))

    def after(self, x: Tensor, y: Tensor) -> Tensor:
        """What leaves the block, given what enters it and what its layer says."""
        x = x + y
        return x if self.mlp is None else x + self.mlp(x)


class _GatedLinearUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = RMSNorm(width)
        self.inputs = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.inputs(self.norm(x)).chunk(2, -1)
        return self.out(functional.silu(a) * b)


class Ensemble:
    """Models of one architecture, one for every seed, whose parameters are stacked.

    Args:
        architecture: the shape of all models.
        letters: number of letters.
        classes: number of answers.
        seeds: a model's parameters are drawn from its seed.
        device: where they are.

    Raises:
        ValueError: if they are too large for any machine.
    """

    def __init__(
        self,
        architecture: Architecture,
        letters: int,
        classes: int,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        check_type("architecture", architecture, Architecture)
        architecture.check_size(len(seeds))
        self.architecture, self.seeds = architecture, tuple(seeds)
        models = []
        with torch.random.fork_rng(devices=[]):
            for seed in seeds:
                torch.manual_seed(seed)
                models.append(Model(architecture, letters, classes))
        self.parameters: dict[str, Tensor] = {
            name: stacked.detach().to(device).requires_grad_()
            for name, stacked in stack_module_state(models)[0].items()
        }
        self.skeleton = Model(architecture, letters, classes).to("meta")
        self._run = vmap(self._one)

    def __call__(self, tokens: Tensor) -> Tensor:
        """Scores (seeds, batch, time, classes) of tokens (seeds, batch, time)."""
        return self._run(self.parameters, tokens)

    def model(self, index: int) -> Model:
        """One of the models, on the CPU, in double precision if they are."""
        model = Model(self.architecture, *self.shape)
        state = {name: p[index].detach().cpu() for name, p in self.parameters.items()}
        model.load_state_dict(state)
        return model

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of letters and of answers."""
        return self.skeleton.embedding.num_embeddings, self.skeleton.head.out_features

    def _one(self, parameters: dict[str, Tensor], tokens: Tensor) -> Tensor:
        return functional_call(self.skeleton, parameters, tokens)
