"""The torch module of an LRNN: the same outputs, its parameters, gradients, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import networks, with_tails

from constructions import compile_dfa
from lrnn_theory import LRNN, Automaton, Proved, Refuted, languages, scan, verify
from lrnn_theory.export import readout
from lrnn_theory.export.read_back import from_torch
from lrnn_theory.export.readout import Pairs, check_pairs, fill_pairs, units_of
from lrnn_theory.export.torch_module import TorchLRNN
from lrnn_theory.strategies import automata

NAMES = ["parity", "flip_flop", "s3", "s5", "tomita_5", "iso_date", "tls", "mealy_tcp"]


def _machine(name: str) -> LRNN:
    return compile_dfa(languages.BESTIARY[name]())


def _tokens(lrnn: LRNN, batch: int = 9, time: int = 25) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.as_tensor(rng.integers(len(lrnn.letters), size=(batch, time)))


def _stepped(module: TorchLRNN, tokens: torch.Tensor) -> tuple[torch.Tensor, tuple]:
    state, outputs = module.initial_state(len(tokens)), []
    for t in range(tokens.shape[1]):
        out, state = module.step(tokens[:, t], state)
        outputs.append(out)
    return torch.stack(outputs, 1), state


@pytest.mark.parametrize("name", [n for n in NAMES if n in languages.BESTIARY])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_answers_like_the_scan(name, dtype):
    lrnn = _machine(name)
    module, tokens = lrnn.to_torch(dtype), _tokens(lrnn)
    with torch.no_grad():
        outputs, state = module(tokens)
        stepped, reached = _stepped(module, tokens)
    assert torch.equal(module.decode(outputs), scan(lrnn, tokens))
    assert outputs.dtype == dtype
    assert torch.equal(stepped, outputs)
    assert all(map(torch.equal, reached, state))


@given(networks(), st.lists(st.integers(0, 1), min_size=1, max_size=4))
def test_any_network_with_heads_slots_columns_and_shifts(lrnn, word):
    tokens = torch.tensor([word])
    module = lrnn.to_torch(torch.float64)
    expected = scan(lrnn, tokens, "exact")
    with torch.no_grad():
        outputs, _ = module(tokens)
        stepped, _ = _stepped(module, tokens)
    assert torch.equal(module.decode(outputs), expected)
    assert torch.equal(stepped, outputs)
    assert torch.equal(scan(from_torch(module), tokens, "exact"), expected)


@given(automata(max_states=5))
def test_the_way_back_gives_the_same_verdict(automaton):
    lrnn = compile_dfa(automaton)
    back = from_torch(lrnn.to_torch())
    assert isinstance(verify(back, automaton, "bfloat16"), Proved)
    if automaton.kind == "dfa":
        wrong = automaton.from_table(
            automaton.delta,
            accepting=~automaton.accepting,
            initial=automaton.initial,
            letters=automaton.letters,
        )
        verdicts = [verify(x, wrong, "bfloat16") for x in (lrnn, back)]
        assert all(isinstance(v, Refuted) for v in verdicts)
        assert verdicts[0].word == verdicts[1].word


def test_rounding_accumulates_in_the_module_too():
    clock = Automaton.from_table([[(q + 1) % 60 for q in range(60)]], outputs=range(60))
    lrnn = compile_dfa(clock, "rotation")
    tokens = torch.zeros(1, 300, dtype=torch.int64)
    right = scan(lrnn, tokens, "float64")
    answers = {}
    for dtype in (torch.float32, torch.bfloat16):
        module = lrnn.to_torch(dtype)
        with torch.no_grad():
            answers[dtype] = module.decode(module(tokens)[0])
    assert torch.equal(answers[torch.float32], right)
    assert not torch.equal(answers[torch.bfloat16], right)


def test_parameters_are_named_and_make_a_state_dict():
    lrnn = _machine("iso_date")
    module = lrnn.to_torch()
    names = dict(module.named_parameters())
    assert {"embedding.weight", "heads.0.1.cell.keys", "heads.0.1.cell.betas"} <= set(names)
    assert {"heads.0.1.cell.inputs", "heads.0.1.wiring.left.weight", "output.weight"} <= set(names)
    fresh = TorchLRNN(module.structure)
    fresh.load_state_dict(module.state_dict())
    tokens = _tokens(lrnn)
    with torch.no_grad():
        assert torch.equal(fresh(tokens)[0], module(tokens)[0])


def test_it_continues_from_a_state():
    module, tokens = _machine("tls").to_torch(), _tokens(_machine("tls"))
    with torch.no_grad():
        whole, last = module(tokens)
        first, state = module(tokens[:, :10])
        second, end = module(tokens[:, 10:], state)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert all(map(torch.equal, end, last))


def test_it_compiles_as_one_graph():
    lrnn = _machine("iso_date")
    module, tokens = lrnn.to_torch(), _tokens(lrnn, time=3)
    with torch.no_grad():
        compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
        assert torch.equal(compiled(tokens)[0], module(tokens)[0])


def test_gradients_pull_a_wrong_weight_back():
    lrnn = compile_dfa("(0|10*1)*")
    module = lrnn.to_torch(torch.float64)
    with torch.no_grad():
        module.levels()[0].cell.betas.mul_(0.4)  # -1 becomes 0.2: it forgets instead of flipping
    tokens = _tokens(lrnn, 64, 5)
    right = scan(lrnn, tokens)
    optimizer = torch.optim.Adam([module.levels()[0].cell.betas], 0.05)

    def loss() -> torch.Tensor:
        outputs = module(tokens)[0]
        return -outputs.gather(-1, right[..., None]).mean()

    before = loss().item()
    for _ in range(60):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < before
    assert torch.equal(module.decode(module(tokens)[0]), right)
    assert all(p.grad is not None for p in module.levels()[0].cell.parameters() if p.requires_grad)


@given(st.data())
def test_wiring_is_exact_in_every_format(data):
    left, right, out = (data.draw(st.integers(1, 5)) for _ in range(3))
    cells = st.lists(st.integers(0, out - 1), min_size=left * right, max_size=left * right)
    table = np.array(data.draw(cells)).reshape(left, right)
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
    pairs = Pairs(left, right, len(units_of(table)[1]), out)
    fill_pairs(pairs, table)
    assert np.array_equal(pairs.to(dtype).table(), table)


def test_trained_wiring_is_not_read_back():
    module = _machine("iso_date").to_torch()
    with torch.no_grad():
        module.levels()[0].wiring.out.weight.add_(0.25)
    with pytest.raises(ValueError, match="no longer map one-hot"):
        from_torch(module)


def test_what_cannot_be_exported_is_refused(monkeypatch):
    with pytest.raises(TypeError, match="'dtype' must be a floating-point"):
        _machine("parity").to_torch(torch.int64)
    with pytest.raises(ValueError, match="one length"):
        _machine("parity").to_torch().encode(["0", "01"])
    monkeypatch.setattr(readout, "MAX_PARAMETERS", 100)
    with pytest.raises(ValueError, match="wiring of 11 contexts takes"):
        check_pairs(11, 30, 40, 50)


@given(with_tails())
def test_an_exclusion_tail_is_refused(lrnn):
    with pytest.raises(ValueError, match="exclusion tail"):
        lrnn.to_torch()
