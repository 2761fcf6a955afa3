"""An LRNN whose recurrences are those of flash-linear-attention: its operations, or its layers.

Everything but the recurrence is as in `torch_module`: embedding, wiring and output.  A level reads
its state through heads, which all hold the same state and differ in their query q: a head gives one
number, q h, and a decoder finds the codeword by them.

* An operation takes keys as they are, so that q may number the rows of a slot of one-hot codewords.
* A layer normalises its queries and what it gives, of which the sign remains.  So head r of a slot
  of one-hot codewords adds up the rows whose number has bit r; other codewords are told apart by
  the signs of few differences and sums of rows.

Sources: S. Yang, Y. Zhang, flash-linear-attention (https://github.com/fla-org/flash-linear-attention),
version 0.6; Yang et al., arXiv 2406.06484 and 2412.06464; Siems et al., arXiv 2502.10297.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from lrnn_theory.exactness import exact_bits
from lrnn_theory.export.encoding import Spread, SpreadFactor
from lrnn_theory.export.fla_plan import (
    LAYERS,
    MODES,
    OPERATIONS,
    Keys,
    Mode,
    Plan,
    checked_mode,
    distinct_factors,
    key_rows,
    plan_level,
    value_columns,
)
from lrnn_theory.export.readout import Decoder, set_weight
from lrnn_theory.export.torch_module import ExportedLevel, State, TorchLRNN
from lrnn_theory.export.torch_weights import check_dtype, fill, floats, structure_of, trimmed
from lrnn_theory.lrnn import LRNN


class FlaLRNN(TorchLRNN):
    """A network whose levels run in flash-linear-attention; see docs/export.md.

    Args:
        structure: names and sizes; the weights are zero.

    Attributes:
        target: the operation or layer, and its mode.
        is_exact: whether all numbers that arise are short integers or halves, which every kernel
            computes without rounding in any format from bfloat16 on.
    """

    def make_level(self, shape: dict[str, Any]) -> ExportedLevel:
        """An empty level of these sizes.

        Raises:
            ValueError: if there is no such target or mode.
        """
        if shape["target"] not in (*OPERATIONS, *LAYERS):
            raise ValueError(f"there is no target {shape['target']!r:.80}")
        if shape["mode"] not in MODES:
            raise ValueError(f"there is no mode {shape['mode']!r:.80}")
        return OperationLevel(shape) if shape["target"] in OPERATIONS else LayerLevel(shape)

    @property
    def target(self) -> str:
        """The operation or layer that runs it, and its mode."""
        return str(self.structure["target"])

    @property
    def is_exact(self) -> bool:
        """Whether no kernel rounds anything that the state depends on."""
        return bool(self.structure["exact"])


def to_fla(
    lrnn: LRNN,
    target: str = "fused_recurrent_delta_rule",
    *,
    mode: Mode | None = None,
    dtype: torch.dtype = torch.float32,
    keys: Keys = "integer",
) -> FlaLRNN:
    """The network with recurrences of flash-linear-attention.

    Args:
        lrnn: a network of Householder or diagonal layers.
        target: an operation, one of `OPERATIONS`, or a layer, one of `LAYERS`.
        mode: the kernels of a layer, "fused_recurrent" (the default) or "chunk"; operations have it
            in their names.
        dtype: of the parameters.  Chunked kernels take bfloat16 or float16 only.
        keys: of an operation: as they are ("integer"), or divided by their norm as usual ("unit"),
            which is not exact.

    Raises:
        ValueError: if an option is unknown or does not fit the others, or the network does not fit:
            dense matrices, an exclusion tail, more than `MAX_KEY` rows, an input that the delta
            rule cannot write.
        TypeError: if the network or the dtype is none.
        ImportError: if flash-linear-attention is not installed.
    """
    check_dtype(dtype)
    mode = checked_mode(target, mode, keys)
    if mode == "chunk" and dtype not in (torch.bfloat16, torch.float16):
        raise ValueError(f"The chunked kernels of {target} take bfloat16 or float16, not {dtype}.")
    lrnn = trimmed(lrnn)
    plans = [plan_level(level.layer, target, mode, keys) for level in lrnn.levels]
    structure = structure_of(lrnn)
    shapes = iter(plans)
    for head in structure["heads"]:
        for shape in head:
            shape |= next(shapes).shape
    bits = exact_bits(lrnn)
    structure |= {
        "target": f"{target} ({mode})" if target in LAYERS else target,
        "exact": bits is not None and bits <= 8 and all(plan.is_exact for plan in plans),
    }
    module = FlaLRNN(structure)
    fill(module, lrnn)
    for plan, level in zip(plans, module.levels(), strict=True):
        assert isinstance(level, OperationLevel | LayerLevel)
        level.fill(plan)
    return module.to(dtype).eval()


# -------------------------------------------------------------------- levels


class FlaLevel(ExportedLevel):
    """A level that reads whole words: it has no state to continue from.

    Args:
        shape: the sizes.

    Raises:
        ValueError: if heads and decoder do not fit together.
    """

    parts = 0

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__(shape)
        readings = shape["readings"]
        columns = shape["d"] if shape["target"] in OPERATIONS else 1
        if sum(m for _, m in readings) != shape["heads"] * columns:
            raise ValueError("its heads do not give what its decoder reads")
        if [k for k, _ in readings] != [k for k, _ in shape["slots"]]:
            raise ValueError("its decoder does not know its codewords")
        self.decoder = Decoder([(k, m) for k, m in readings])

    def start(self, batch: int) -> State:  # noqa: ARG002
        """No state."""
        return ()

    def read(self, action: Tensor, state: State) -> tuple[Tensor, State]:
        """One-hot actions (batch, time, actions) to codewords."""
        return self.decoder(self.readings(action)), state

    def readings(self, action: Tensor) -> Tensor:
        """What the heads give after every letter, (batch, time, heads, d)."""
        raise NotImplementedError

    def bytes_a_letter(self) -> int:
        """Bytes of keys, queries, values and what is made of them, roughly."""
        shape = self.shape
        numbers = shape["factors"] * shape["heads"] * 4 * (key_rows(shape) + value_columns(shape))
        return numbers * self.action.weight.element_size()

    def fill(self, plan: Plan) -> None:
        """Set all weights of the recurrence and the decoder."""
        for parameter, words in zip(self.decoder.codewords, plan.codewords, strict=True):
            set_weight(parameter, words)


class OperationLevel(FlaLevel):
    """A level that calls an operation with the keys, betas and values of its actions.

    Args:
        shape: the sizes.
    """

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__(shape)
        actions, factors, n = shape["actions"], shape["factors"], shape["rows"]
        self.keys = nn.Parameter(torch.zeros(actions, factors, n))
        self.betas = nn.Parameter(torch.zeros(actions, factors))
        self.values = nn.Parameter(torch.zeros(actions, factors, shape["d"]))
        self.h0 = nn.Parameter(torch.zeros(n, shape["d"]))
        self.queries = nn.Parameter(torch.zeros(shape["heads"], n))

    def readings(self, action: Tensor) -> Tensor:
        """What the heads give after every letter, (batch, time, heads, d)."""
        shape = self.shape
        batch, time, _ = action.shape
        heads, factors, n, d = shape["heads"], shape["factors"], shape["rows"], shape["d"]
        wide, high = (
            (max(d, value_columns(shape)), key_rows(shape)) if shape["mode"] == "chunk" else (d, n)
        )

        def picked(weight: Tensor, size: int, to: int) -> Tensor:
            chosen = (action @ weight.flatten(1)).view(batch, time * factors, 1, size)
            return pad(chosen, (0, to - size)).expand(-1, -1, heads, -1).contiguous()

        k, v = picked(self.keys, n, high), picked(self.values, d, wide)
        beta = picked(self.betas[..., None], 1, 1)[..., 0].contiguous()
        q = pad(self.queries, (0, high - n))
        h0 = pad(self.h0, (0, wide - d, 0, high - n)).float()
        h0 = h0.expand(batch, heads, -1, -1).contiguous()
        if shape["target"] == "chunk_gated_delta_product":
            q = q.expand(batch, time, -1, -1).contiguous()
            out = _operation(shape["target"])(
                q, k, v, None, beta, factors, scale=1.0, initial_state=h0
            )[0]
            return out[..., :d]
        q = q.expand(batch, time * factors, -1, -1).contiguous()
        options: dict[str, Any] = {}
        if "gated" in shape["target"]:
            options = {"g": torch.zeros_like(beta, dtype=torch.float32)}
        out = _operation(shape["target"])(
            q=q, k=k, v=v, beta=beta, scale=1.0, initial_state=h0, **options
        )[0]
        return out[:, factors - 1 :: factors, :, :d]

    def fill(self, plan: Plan) -> None:
        """Set all weights of the recurrence and the decoder."""
        super().fill(plan)
        set_weight(self.queries, plan.queries)
        set_weight(self.h0, plan.h0)
        assert not isinstance(plan.factors, Spread)
        with torch.no_grad():
            for a, factors in enumerate(plan.factors):
                for j, factor in enumerate(factors):
                    key, beta = floats(factor.key), float(factor.beta)
                    value = floats(factor.value)
                    norm = math.sqrt(float(key @ key) or 1.0) if plan.unit else 1.0
                    set_weight(self.keys[a, j], key / norm)
                    set_weight(self.betas[a, j], beta * norm**2)
                    set_weight(self.values[a, j], value / norm)


class LayerLevel(FlaLevel):
    """A level that is one of flash-linear-attention's layers, fed with one-hot tokens.

    A token of DeltaNet and GatedDeltaNet is a factor, and a letter several tokens; a token of
    GatedDeltaProduct is an action.  Tokens before the first letter write H_0.

    Args:
        shape: the sizes.
    """

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__(shape)
        per_letter = 1 if shape["target"] == "GatedDeltaProduct" else shape["factors"]
        self.per_letter = per_letter
        vocabulary = shape["tokens"] + shape["prefix"]
        self.width = max(vocabulary, shape["heads"])
        self.tokens = nn.Linear(shape["actions"], per_letter * self.width, bias=False)
        self.layer = _layer(shape, self.width)

    def readings(self, action: Tensor) -> Tensor:
        """What the heads give after every letter, (batch, time, heads, 1): signs."""
        batch, time, _ = action.shape
        prefix = self.shape["prefix"]
        tokens = self.tokens(action).view(batch, time * self.per_letter, self.width)
        begin = torch.eye(self.width, dtype=tokens.dtype, device=tokens.device)
        begin = begin[self.shape["tokens"] :][:prefix].expand(batch, -1, -1)
        out = self.layer(torch.cat([begin, tokens], 1))[0]
        out = out[:, prefix + self.per_letter - 1 :: self.per_letter, : self.shape["heads"]]
        return out[..., None]

    def fill(self, plan: Plan) -> None:
        """Set all weights of the recurrence and the decoder."""
        super().fill(plan)
        wide, shape, layer = plan.factors, self.shape, self.layer
        assert isinstance(wide, Spread)
        if shape["target"] == "GatedDeltaProduct":
            groups = [*wide.factors, *_groups(wide.start, shape["factors"])]
            index = np.arange(shape["actions"])[:, None]
        else:
            distinct, index = distinct_factors(wide)
            groups = [[f] for f in (*distinct, *wide.start)]
        set_weight(self.tokens.weight, np.eye(self.width)[index].reshape(len(index), -1).T)
        heads, n_h = shape["heads"], 1
        if shape["target"] == "GatedDeltaProduct":
            n_h = shape["factors"]
        keys = np.zeros((self.width, n_h, heads, key_rows(shape)))
        values = np.zeros((self.width, n_h, heads, value_columns(shape)))
        logits = np.full((self.width, n_h, heads), _logit(0))
        for token, group in enumerate(groups):
            for j, f in enumerate(group):
                keys[token, j, :, : len(f.key)] = f.key
                values[token, j, :, 0] = f.value
                logits[token, j] = _logit(f.beta)
        keys[..., 0] = np.where((keys == 0).all(-1), 64, keys[..., 0])  # beta is 0: any key will do
        queries = np.zeros((heads, key_rows(shape)))
        queries[:, : plan.queries.shape[1]] = plan.queries * 64
        set_weight(layer.q_proj.weight, np.tile(queries.ravel()[:, None], self.width))
        set_weight(layer.k_proj.weight, keys.reshape(self.width, -1).T)
        set_weight(layer.v_proj.weight, values.reshape(self.width, -1).T)
        set_weight(layer.b_proj.weight, logits.reshape(self.width, -1).T)
        for name, numbers in self.constants().items():
            set_weight(layer.get_parameter(name), numbers)

    def constants(self) -> dict[str, NDArray[np.float64]]:
        """The weights that are the same for all networks of these sizes.

        The normalised sign of every head is given once; nothing decays.
        """
        heads, columns = self.shape["heads"], value_columns(self.shape)
        out = np.zeros((self.width, heads, columns))
        out[np.arange(heads), np.arange(heads), 0] = 1
        constants = {
            "o_norm.weight": np.full(columns, columns**-0.5),
            "o_proj.weight": out.reshape(self.width, -1),
        }
        if self.shape["target"] == "GatedDeltaNet":  # a decay of exp(-exp(-200) ...) = 1
            constants |= {
                "A_log": np.full(heads, -200.0),
                "dt_bias": np.zeros(heads),
                "a_proj.weight": np.zeros((heads, self.width)),
            }
        return constants


def _logit(beta: float) -> float:
    """The x with 2 sigmoid(x) = beta; the ends are reached."""
    if beta in (0, 2):
        return 60.0 if beta else -180.0
    return math.log(beta / 2) - math.log1p(-beta / 2)


def _groups(factors: list[SpreadFactor], size: int) -> list[list[SpreadFactor]]:
    return [factors[i : i + size] for i in range(0, len(factors), size)]


# -------------------------------------------------------------------- flash-linear-attention itself


def _operation(name: str) -> Any:
    with _imported():
        from fla.ops import delta_rule, gated_delta_product, gated_delta_rule
    homes = (delta_rule, gated_delta_product, gated_delta_rule)
    return next(getattr(home, name) for home in homes if hasattr(home, name))


@contextmanager
def _imported() -> Iterator[None]:
    """Its import, without what it says where there is no GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ImportError as error:
            raise ImportError(
                "Exports to flash-linear-attention need it: pip install 'lrnn-theory[fla]'."
            ) from error


def _layer(shape: dict[str, Any], width: int) -> Any:
    with _imported():
        from fla import layers
    heads, rows, wide = shape["heads"], key_rows(shape), value_columns(shape)
    options: dict[str, Any] = {
        "hidden_size": width,
        "num_heads": heads,
        "mode": shape["mode"],
        "use_short_conv": False,
        "allow_neg_eigval": True,
        "layer_idx": 0,
    }
    if shape["target"] == "DeltaNet":
        options |= {"expand_k": heads * rows / width, "expand_v": heads * wide / width}
        options |= {"qk_activation": "identity", "qk_norm": "l2", "use_gate": False}
    else:
        options |= {"head_dim": rows, "expand_v": wide / rows}
    if shape["target"] == "GatedDeltaNet":
        options |= {"use_gate": False}
    if shape["target"] == "GatedDeltaProduct":
        options |= {"use_output_gate": False, "use_forget_gate": False}
        options |= {"num_householder": shape["factors"]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="ShortConvolution is crucial")
        return getattr(layers, shape["target"])(**options)
