"""Layers are eq. (1): parallel scans against single steps, and public implementations."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory.learning.layers import ARCHITECTURES, LAYERS, RANGES, RecurrentLayer, make_layer
from lrnn_theory.learning.model import Architecture, Ensemble
from lrnn_theory.learning.scans import (
    delta_scan,
    linear_scan,
    segment_products,
    unit_lower_inverse,
)

EVERY = [
    *((name, r, {}) for name in LAYERS for r in RANGES if (name, r) != ("rwkv7", "[0,1]")),
    ("deltaproduct", "[-1,1]", {"factors": 3}),
    ("gated_deltanet", "[-1,1]", {"factors": 2}),
]


def layer_of(name: str, r: Any, options: dict[str, Any], seed: int = 0, **more: Any):
    """A layer in double precision, its parameters spread out."""
    torch.manual_seed(seed)
    layer = make_layer(name, 8, 2, r, **options, **more).double()
    assert isinstance(layer, RecurrentLayer)
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return layer


@pytest.mark.parametrize(("name", "r", "options"), EVERY)
@pytest.mark.parametrize("time", [1, 40, 70])
def test_forward_is_eq_1(name: str, r: str, options: dict[str, Any], time: int) -> None:
    layer = layer_of(name, r, options)
    x = torch.randn(2, time, 8, dtype=torch.float64, requires_grad=True)
    fast, slow = layer(x), layer.recur(x)
    assert fast.shape == (2, time, 8)
    # RWKV-6 divides by a decay to undo its last step, which loses digits.
    exact = {"rtol": 1e-6, "atol": 1e-8} if name == "rwkv6" else {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(fast, slow, **exact)
    inputs = [x, *layer.parameters()]
    mine = torch.autograd.grad(fast.square().sum(), inputs)
    theirs = torch.autograd.grad(slow.square().sum(), inputs)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "r", "options"), EVERY)
def test_layers_are_causal(name: str, r: str, options: dict[str, Any]) -> None:
    layer = layer_of(name, r, options)
    x = torch.randn(1, 20, 8, dtype=torch.float64)
    changed = x.clone()
    changed[:, 12:] += 1
    torch.testing.assert_close(layer(x)[:, :12], layer(changed)[:, :12])
    assert not torch.allclose(layer(x)[:, 12], layer(changed)[:, 12])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_ensemble_is_its_models(name: str) -> None:
    ensemble = Ensemble(Architecture(name, "[-1,1]", width=16, heads=2), 3, 4, (5, 6))
    tokens = torch.randint(3, (2, 3, 17))
    scores = ensemble(tokens)
    assert scores.shape == (2, 3, 17, 4)
    assert not torch.allclose(scores[0], scores[1])
    for i in range(2):
        torch.testing.assert_close(ensemble.model(i)(tokens[i]), scores[i], rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------------- scans


@given(
    time=st.integers(1, 50),
    chunk=st.integers(1, 20),
    zeros=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_linear_scan(time: int, chunk: int, zeros: bool, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    a = 2 * torch.rand(2, time, 3, dtype=torch.float64, generator=g) - 1
    a = torch.where(a.abs() < 0.3, 0.0, a) if zeros else a
    b = torch.randn(2, time, 3, dtype=torch.float64, generator=g)
    a, b = a.requires_grad_(), b.requires_grad_()
    h, states = torch.zeros(2, 3, dtype=torch.float64), []
    for t in range(time):
        h = a[:, t] * h + b[:, t]
        states.append(h)
    expected, found = torch.stack(states, 1), linear_scan(a, b, chunk)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(found.shape, dtype=torch.float64, generator=g)
    mine = torch.autograd.grad((weights * found).sum(), [a, b])
    for x, y in zip(mine, torch.autograd.grad((weights * expected).sum(), [a, b]), strict=True):
        torch.testing.assert_close(x, y)


@given(time=st.integers(1, 40), chunk=st.integers(1, 40), gated=st.booleans(), beta=st.booleans())
def test_delta_scan(time: int, chunk: int, gated: bool, beta: bool) -> None:
    g = torch.Generator().manual_seed(time)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(2, time, 3, *shape, dtype=torch.float64, generator=g)

    q, k, v = draw(4), torch.nn.functional.normalize(draw(4), dim=-1), draw(5)
    strength, gate = 2 * torch.sigmoid(draw()), torch.tanh(draw())
    state, outputs = torch.zeros(2, 3, 4, 5, dtype=torch.float64), []
    for t in range(time):
        state = gate[:, t, :, None, None] * state if gated else state
        written = v[:, t]
        if beta:
            seen = (k[:, t, :, None] @ state)[..., 0, :]
            written = strength[:, t, :, None] * (written - seen)
        state = state + k[:, t, :, :, None] * written[:, :, None]
        outputs.append((q[:, t, :, None] @ state)[..., 0, :])
    found = delta_scan(q, k, v, strength if beta else None, gate if gated else None, chunk)
    torch.testing.assert_close(found, torch.stack(outputs, 1), rtol=1e-8, atol=1e-9)


@given(size=st.integers(1, 40), scale=st.floats(0.1, 2.0))
def test_unit_lower_inverse(size: int, scale: float) -> None:
    g = torch.Generator().manual_seed(size)
    lower = (scale * torch.randn(3, size, size, dtype=torch.float64, generator=g)).tril(-1)
    inverse = unit_lower_inverse(lower)
    whole = torch.eye(size, dtype=torch.float64) + lower
    eye = torch.eye(size, dtype=torch.float64).expand_as(lower)
    exact = torch.linalg.solve_triangular(whole, eye, upper=False, unitriangular=True)
    assert (inverse - exact).abs().max() <= 1e-10 * exact.abs().max()
    assert (inverse.triu(1) == 0).all()


@settings(max_examples=20)
@given(st.lists(st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 0.9, -2.0]), max_size=12))
def test_segment_products(gates: list[float]) -> None:
    gates = [1.0, *gates]
    found = segment_products(torch.tensor(gates, dtype=torch.float64))
    for t in range(len(gates)):
        for s in range(len(gates)):
            product = torch.tensor(gates[s + 1 : t + 1], dtype=torch.float64).prod()
            expected = float(product) if s <= t else 0.0
            assert abs(float(found[t, s]) - expected) <= 1e-9


# -------------------------------------------------------------------- public implementations


def peer(path: str) -> Any:
    """A file of flash-linear-attention, without the package, which would want a GPU."""
    spec = importlib.util.find_spec("fla")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("flash-linear-attention is not installed (extra 'fla')")
    pytest.importorskip("einops", reason="einops is not installed (extra 'fla')")
    file = Path(spec.submodule_search_locations[0]) / path
    name = "peer_" + path.replace("/", "_").removesuffix(".py")
    found = importlib.util.spec_from_file_location(name, file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def features_of(name: str, r: str, options: dict[str, Any] | None = None):
    layer = layer_of(name, r, options or {}).float()
    x = torch.randn(2, 37, 8)
    features = layer.features(x)
    return layer, features, layer.states(features)


def close(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("r", RANGES)
def test_deltanet_is_that_of_fla(r: str) -> None:
    naive = peer("ops/delta_rule/naive.py")
    layer, f, states = features_of("deltanet", r)
    q = f["q"] * layer.n**0.5  # undo the scale of the peer
    parts = (x.transpose(1, 2) for x in (q, f["k"][:, :, 0], f["v"][:, :, 0], f["β"][:, :, 0]))
    theirs, last = naive.delta_rule_recurrence(*parts)
    mine = delta_scan(f["q"], f["k"][:, :, 0], f["v"][:, :, 0], f["β"][:, :, 0])
    close(mine, theirs.transpose(1, 2))
    close(states[:, -1], last)


@pytest.mark.parametrize("factors", [1, 2, 3])
def test_gated_deltaproduct_is_that_of_fla(factors: int) -> None:
    naive = peer("ops/gated_delta_product/naive.py")
    layer, f, states = features_of("gated_deltanet", "[-1,1]", {"factors": factors})
    k, v, beta = (f[name].flatten(1, 2) for name in ("k", "v", "β"))
    theirs, last = naive.naive_recurrent_gated_delta_product(
        f["q"], k, v, f["α"].log(), beta, 1.0, output_final_state=True, num_householder=factors
    )
    close((states.mT @ f["q"][..., None])[..., 0], theirs)
    close(states[:, -1], last)
    assert layer.factors == factors


def test_gla_is_that_of_fla() -> None:
    naive = peer("ops/gla/naive.py")
    layer, f, states = features_of("gla", "[0,1]")
    q = f["q"] * layer.n**0.5
    theirs, last = naive.naive_recurrent_gla(
        q, f["k"], f["v"], f["α"].log(), output_final_state=True
    )
    close((states.mT @ f["q"][..., None])[..., 0], theirs)
    close(states[:, -1], last)


def test_mamba2_and_mlstm_are_those_of_fla() -> None:
    naive = peer("ops/simple_gla/naive.py")
    layer, f, states = features_of("mamba2", "[0,1]")
    gate = -f["Δ"] * layer.w.exp()
    shape = (*gate.shape, layer.n)
    q, k = (f[x][:, :, None].expand(shape) for x in "CB")
    theirs, last = naive.naive_recurrent_simple_gla(
        q, k, f["Δ"][..., None] * f["u"], gate, scale=1.0
    )
    close((states.mT @ q[..., None])[..., 0], theirs)
    close(states[:, -1], last)
    layer, f, states = features_of("mlstm", "[0,1]")
    values = f["i"][..., None] * f["v"]
    theirs, last = naive.naive_recurrent_simple_gla(f["q"], f["k"], values, f["f"].log(), scale=1.0)
    close((states.mT @ f["q"][..., None])[..., 0], theirs)
    close(states[:, -1], last)


def test_rwkv6_is_that_of_fla() -> None:
    naive = peer("ops/rwkv6/recurrent_naive.py")
    layer, f, states = features_of("rwkv6", "[0,1]")
    parts = (x.transpose(1, 2) for x in (f["r"], f["k"], f["v"], f["w"].log()))
    theirs, last = naive.naive_recurrent_rwkv6(
        *parts, layer.bonus, scale=1.0, output_final_state=True
    )
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
    seen = before + layer.bonus[..., None] * layer.input(f)
    close((seen.mT @ f["r"][..., None])[..., 0], theirs.transpose(1, 2))
    close(states[:, -1], last)


def test_rwkv7_is_that_of_fla() -> None:
    """Its layer calls this recurrence with alpha = -κ and beta = a κ."""
    naive = peer("ops/generalized_delta_rule/dplr/naive.py")
    layer, f, states = features_of("rwkv7", "[-1,1]")
    r = f["r"] * layer.n**0.5  # undo the scale of the peer
    parts = (r, f["k"], f["v"], -f["κ"], f["a"] * f["κ"], f["w"].log())
    theirs, last = naive.dplr_recurrence(*(x.transpose(1, 2) for x in parts))
    close((states.mT @ f["r"][..., None])[..., 0], theirs.transpose(1, 2))
    close(states[:, -1], last)


@pytest.mark.filterwarnings("ignore")
def test_mamba_is_that_of_transformers() -> None:
    pytest.importorskip("transformers", reason="transformers is not installed (extra 'fla')")
    from transformers import MambaConfig
    from transformers.models.mamba.modeling_mamba import MambaMixer

    torch.manual_seed(0)
    config = MambaConfig(hidden_size=16, state_size=8, num_hidden_layers=1, vocab_size=4)
    theirs = MambaMixer(config, layer_idx=0).eval()
    mine = make_layer("mamba", 16, state_size=8)
    assert isinstance(mine, RecurrentLayer)
    names = {
        "project.weight": "in_proj.weight",
        "conv.bias": "conv1d.bias",
        "select.weight": "x_proj.weight",
        "step.weight": "dt_proj.weight",
        "step.bias": "dt_proj.bias",
        "w": "A_log",
        "skip": "D",
        "out.weight": "out_proj.weight",
    }
    state = theirs.state_dict()
    weights = {name: state[other] for name, other in names.items()}
    weights["conv.weight"] = state["conv1d.weight"][:, 0].T
    with torch.no_grad():
        for p in weights.values():
            p.add_(0.2 * torch.randn_like(p))
    mine.load_state_dict({name: w.clone() for name, w in weights.items()})
    x = torch.randn(2, 30, 16)
    with torch.no_grad():
        torch.testing.assert_close(mine(x), theirs(x), rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------------- misuse


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "mambo"}, "'architecture' must be one of mamba"),
        ({"eigenvalue_range": "[0,2]"}, r"'eigenvalue_range' must be one of \[0,1\], \[-1,1\]"),
        ({"width": 9}, "'width' must be a multiple of 2 heads, not 9"),
        ({"conv_size": -1}, "'conv_size' must not be negative"),
        ({"architecture": "deltaproduct", "factors": 0}, "'factors' must be positive"),
        ({"architecture": "rwkv7"}, "of RWKV-7 must be"),
        ({"architecture": "transformer", "width": 6}, "multiple of 4"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    given = {"architecture": "deltanet", "width": 8, "heads": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        make_layer(**given)
