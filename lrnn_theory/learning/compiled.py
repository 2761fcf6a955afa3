"""Compiled weights as initialisation: a layer that tracks a group before it is trained.

A torch layer starts from H = 0, a compiled group layer from H_0 with B = 0.  With H' = H - H_0 a
factor C = I - beta k k^T acts as H' <- C H' + beta k v^T for v = -H_0^T k: the delta rule itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrnn_theory.arguments import check_type
from lrnn_theory.learning.layers.deltaproduct import DeltaProduct
from lrnn_theory.learning.model import Architecture, Model
from lrnn_theory.lrnn import LRNN
from lrnn_theory.transition import Householder

SCALE = 0.1
"""Size of the numbers to be stored: SiLU takes the value -0.1, but none below -0.278."""
SATURATED = 20.0
"""The logit of a strength of 2; in float32 a sigmoid of 20 is 1."""


@torch.no_grad()
def compiled_start(lrnn: LRNN, architecture: Architecture, classes: int) -> dict[str, Tensor]:
    """Parameters with which head 0 of a signed DeltaNet or DeltaProduct is a compiled layer.

    Args:
        lrnn: of one level without inputs, whose factors are reflections, such as
            `compile_dfa(..., "permutation")` builds for groups.
        architecture: deltanet or deltaproduct with range [-1, 1], one layer and no convolution,
            with enough factors, and heads that are wide enough.
        classes: number of answers.

    Returns:
        Some of the parameters of the model, by name, for `train(..., start=...)`; the other heads
        and all that reads the state are left as they are.

    Raises:
        ValueError: if one does not fit the other.
    """
    check_type("lrnn", lrnn, LRNN)
    letters = len(lrnn.letters)
    model = Model(architecture, letters, classes)
    block: Any = model.blocks[0]
    layer: DeltaProduct = block.layer
    level = lrnn.levels[0]
    t = level.layer.transition
    fits = (
        len(lrnn.levels) == len(model.blocks) == 1
        and type(layer).__name__ in ("DeltaNet", "DeltaProduct")
        and layer.signed
        and not layer.conv_size
        and isinstance(t, Householder)
        and not level.layer.b.any()
    )
    if not fits or not isinstance(t, Householder):
        raise ValueError(
            "Argument 'lrnn' must be one level of reflections without inputs, and 'architecture' "
            "one signed layer of deltanet or deltaproduct without convolution."
        )
    d = level.layer.d
    if t.n > layer.n or d > layer.d or t.factors.max() > layer.factors or letters > layer.width:
        raise ValueError(
            f"Argument 'architecture' must have heads of {max(t.n, d)}, {t.factors.max()} factors "
            f"and a width of {letters}, not {layer.n}, {layer.factors} and {layer.width}."
        )
    h0 = level.layer.h0.astype(float)
    keys = np.zeros((letters, layer.factors, layer.n))
    values = np.zeros((letters, layer.factors, layer.d))
    logits = np.full((letters, layer.factors), -SATURATED)
    for letter in range(letters):
        product = t.product(int(level.action[lrnn.letter_class[letter]]))
        for j, key in enumerate(product.keys[::-1].astype(float)):  # the last acts first
            key = key / np.linalg.norm(key)
            keys[letter, j, : t.n] = SCALE * key
            values[letter, j, :d] = -SCALE * (h0.T @ key)
            logits[letter, j] = SATURATED
        keys[letter, product.keys.shape[0] :, 0] = SCALE  # any key, with strength 0
    root = layer.width**0.5
    embedding = torch.zeros(letters, layer.width)
    embedding[:, :letters] = root * torch.eye(letters)
    seen = block.norm(embedding).diagonal()  # what the layer sees of its letter
    project, beta = layer.project.weight, layer.beta.weight
    for j in range(layer.factors):
        for offset, rows in ((1 + j, keys), (1 + layer.factors + j, values)):
            start = offset * layer.width
            wanted = _inverse_silu(torch.from_numpy(rows[:, j])).float()
            project[start : start + layer.n, :letters] = wanted.T / seen
        beta[j * layer.heads, :letters] = torch.from_numpy(logits[:, j]).float() / seen
        layer.beta.bias[j * layer.heads] = 0.0
    return {
        "embedding.weight": embedding,
        "blocks.0.layer.project.weight": project,
        "blocks.0.layer.beta.weight": beta,
        "blocks.0.layer.beta.bias": layer.beta.bias,
    }


def _inverse_silu(y: Tensor) -> Tensor:
    """The larger x with SiLU(x) = y, for y above -0.27, by Newton's method."""
    x = y.clone()
    for _ in range(50):
        share = torch.sigmoid(x)
        x = x - (x * share - y) / (share * (1 + x * (1 - share)))
    return x
