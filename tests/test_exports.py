"""Round trips of every format, and the commands `export` and `diff`."""

from __future__ import annotations

import importlib.util
import json

import pytest
import torch
from command_line import lrnn as command
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from constructions.cli.exchange import TEXTS
from lrnn_theory import Automaton, Proved, Refuted, extract, languages, scan, verify
from lrnn_theory.export import (
    Agrees,
    FlaLRNN,
    export,
    from_huggingface,
    from_torch,
    load_module,
    to_fla,
)
from lrnn_theory.export.fla_plan import LAYERS
from lrnn_theory.export.trial import trial_words
from lrnn_theory.strategies import automata

FLA = ("--to", "fla")
EXTRA = {"onnx": "onnxruntime", "huggingface": "transformers", "fla": "fla"}


def has(target):
    return target not in EXTRA or importlib.util.find_spec(EXTRA[target]) is not None


def needs(target):
    return pytest.mark.skipif(not has(target), reason=f"needs the extra {target}")


def spoilt(automaton):
    """A machine that differs."""
    if automaton.kind == "dfa":
        return Automaton.from_table(
            automaton.delta,
            accepting=~automaton.accepting,
            initial=automaton.initial,
            letters=automaton.letters,
        )
    return Automaton.from_table(
        automaton.delta,
        initial=automaton.initial,
        letters=automaton.letters,
        outputs=(automaton.outputs + 1) % len(automaton.output_symbols),
        output_symbols=automaton.output_symbols,
    )


@pytest.mark.parametrize("to", ["torch", pytest.param("huggingface", marks=needs("huggingface"))])
@settings(max_examples=20)
@given(automaton=automata(max_states=5))
def test_a_module_comes_back_with_the_same_verdicts(tmp_path_factory, automaton, to):
    path = tmp_path_factory.mktemp("export") / "x"
    lrnn = compile_dfa(automaton)
    made = export(lrnn, path, to, automaton=automaton, words=20, length=20)
    assert isinstance(made.verdict, Agrees)
    module = load_module(path) if to == "torch" else from_huggingface(path).network
    back = from_torch(module)
    assert isinstance(verify(back, automaton, "bfloat16"), Proved)
    verdicts = [verify(x, spoilt(automaton), "bfloat16") for x in (lrnn, back)]
    assert all(isinstance(v, Refuted) for v in verdicts)
    assert verdicts[0].word == verdicts[1].word


@given(automata(max_states=5), st.sampled_from(["dot", "jff", "att", "json"]))
def test_an_automaton_comes_back_with_the_same_verdict(tmp_path_factory, automaton, to):
    if to == "att" and automaton.kind == "moore":
        return
    path = tmp_path_factory.mktemp("export") / f"x.{to}"
    lrnn = compile_dfa(automaton)
    getattr(extract(lrnn, "exact"), f"to_{to}")(path)
    back = getattr(Automaton, f"from_{to}")(path)
    assert isinstance(verify(lrnn, back, "bfloat16"), Proved)
    assert isinstance(verify(lrnn, spoilt(automaton), "bfloat16"), Refuted)


@needs("onnx")
@given(automata(max_states=5))
def test_an_onnx_model_is_tried(automaton):
    lrnn = compile_dfa(automaton)
    good = export(lrnn, to="onnx", automaton=automaton, words=8, length=20)
    bad = export(lrnn, to="onnx", automaton=spoilt(automaton), words=8, length=20)
    assert isinstance(good.verdict, Agrees)
    assert not isinstance(bad.verdict, Agrees)


TARGETS = [
    *((target, mode) for target in LAYERS for mode in ("fused_recurrent", "chunk")),
    ("fused_recurrent_delta_rule", "fused_recurrent"),
    ("chunk_gated_delta_product", "chunk"),
]


@needs("fla")
@given(automata(max_states=5), st.sampled_from(TARGETS), st.sampled_from(["float32", "bfloat16"]))
def test_a_module_of_flash_linear_attention_comes_back(tmp_path_factory, automaton, target, dtype):
    path = tmp_path_factory.mktemp("export") / "x"
    options = {"target": target[0], "mode": target[1]}
    options["dtype"] = torch.bfloat16 if target[1] == "chunk" else getattr(torch, dtype)
    lrnn = compile_dfa(automaton)
    made = export(lrnn, path, "fla", verify=False, **options)
    module = load_module(path)
    assert module.target == made.made.target
    assert module.is_exact
    tensors = module.state_dict()
    for name, tensor in made.made.state_dict().items():
        assert torch.equal(tensors[name], tensor), name
    back = from_torch(module)
    assert isinstance(verify(back, automaton, "bfloat16"), Proved)
    verdicts = [verify(x, spoilt(automaton), "bfloat16") for x in (lrnn, back)]
    assert all(isinstance(v, Refuted) for v in verdicts)
    assert verdicts[0].word == verdicts[1].word


@needs("fla")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["mod_3", "s3", "s5", "flip_flop", "iso_date", "tls"])
def test_machines_in_flash_linear_attention_come_back(name, target):
    automaton = languages.BESTIARY[name]()
    kind, mode = target
    module = to_fla(compile_dfa(automaton), kind, mode=mode, dtype=torch.bfloat16)
    assert isinstance(verify(from_torch(module), automaton, "bfloat16"), Proved)


@needs("fla")
def test_an_operation_of_irrational_keys_comes_back_as_it_is():
    """Two reflections a letter, rounded to float32: it may hold in float32, but not exactly."""
    automaton = languages.mod(5)
    lrnn = compile_dfa(automaton, "rotation")
    back, plain = (from_torch(m) for m in (to_fla(lrnn), lrnn.to_torch()))
    assert [x.layer.n for x in back.levels] == [x.layer.n for x in plain.levels]
    tokens = torch.as_tensor(trial_words(automaton, 20, 200))
    assert torch.equal(scan(back, tokens, "float64"), scan(plain, tokens, "float64"))
    with pytest.raises(ValueError, match="only if no kernel rounds its numbers"):
        from_torch(to_fla(lrnn, "DeltaNet"))
    with pytest.raises(ValueError, match="only if no kernel rounds its numbers"):
        from_torch(to_fla(compile_dfa(languages.mod(3, "ab")), keys="unit"))


def _first(module):
    return module.levels()[0]


@needs("fla")
@pytest.mark.parametrize(
    ("target", "name", "message"),
    [
        ("GatedDeltaNet", "layer.A_log", "no longer those of one state"),
        ("GatedDeltaNet", "layer.a_proj.weight", "no longer those of one state"),
        ("DeltaNet", "layer.o_proj.weight", "no longer those of one state"),
        ("DeltaNet", "layer.q_proj.weight", "no longer those of one state"),
        ("GatedDeltaProduct", "layer.o_norm.weight", "no longer those of one state"),
        ("GatedDeltaProduct", "layer.k_proj.weight", "no longer those of one state"),
        ("GatedDeltaProduct", "tokens.weight", "no longer map one-hot"),
        ("fused_recurrent_delta_rule", "keys", "only if no kernel rounds"),
    ],
)
def test_edited_weights_are_not_taken_for_what_they_were(target, name, message):
    module = to_fla(compile_dfa(languages.mod(3, "ab")), target)
    with torch.no_grad():
        parameter = _first(module).get_parameter(name)
        parameter.view(-1)[0] += 0.375 if name == "keys" else 1
        parameter.view(-1)[-1] *= 1.01
        parameter.view(-1)[-1] += 0.01
    with pytest.raises(ValueError, match=message):
        from_torch(module)


@needs("fla")
@pytest.mark.parametrize("target", ["DeltaNet", "GatedDeltaProduct", "chunk_delta_rule"])
def test_edited_weights_that_are_still_exact_are_what_they_say(target):
    """Two letters act alike: so they do in what comes back, and it is refuted."""
    automaton = languages.symmetric_group(3)
    module = to_fla(compile_dfa(automaton), target, mode="chunk", dtype=torch.bfloat16)
    with torch.no_grad():
        module.embedding.weight[0] = module.embedding.weight[1]
    back = from_torch(module)
    delta = automaton.delta.copy()
    delta[0] = delta[1]
    alike = Automaton.from_table(
        delta, accepting=automaton.accepting, initial=automaton.initial, letters=automaton.letters
    )
    assert isinstance(verify(back, alike, "bfloat16"), Proved)
    assert isinstance(verify(back, automaton, "bfloat16"), Refuted)


def test_a_clock_of_sixty_hours_differs_in_bfloat16():
    clock = Automaton.from_table([[(q + 1) % 60 for q in range(60)]], outputs=range(60))
    lrnn = compile_dfa(clock, "rotation")
    verdict = export(lrnn, automaton=clock, dtype=torch.bfloat16, words=8).verdict
    assert type(verdict).__name__ == "Differs"
    assert set(verdict.word) == {"a"}
    assert verdict.answered != verdict.expected


def test_misuse_is_one_line(monkeypatch):
    even = compile_dfa("(0|10*1)*")
    with pytest.raises(ValueError, match="'to' must be one of"):
        export(even, to="bert")
    with pytest.raises(ValueError, match="Cannot compare a dfa network with a mealy"):
        export(even, automaton=Automaton.from_table([[0], [0]], letters="01", outputs=[[0], [0]]))
    if has("fla") and not torch.cuda.is_available():
        monkeypatch.delenv("TRITON_INTERPRET", raising=False)
        with pytest.raises(ValueError, match="needs a CUDA device"):
            export(even, to="fla")


# -------------------------------------------------------------------- commands


@pytest.fixture
def even(tmp_path):
    path = tmp_path / "even.safetensors"
    compile_dfa("(0|10*1)*").save(path)
    return str(path)


@pytest.mark.parametrize("to", ["torch", "onnx", "huggingface", "dot", "jff", "att", "json"])
def test_export_writes_and_tries(even, tmp_path, to):
    if not has(to):
        pytest.skip(f"needs the extra {to}")
    path = str(tmp_path / (f"x.{to}" if to != "torch" else "x.safetensors"))
    few = () if to in TEXTS else ("--words", "8", "--length", "9")
    ran = command("export", even, "-o", path, "--to", to, *few, "--json")
    assert ran.code == 0, ran.err
    facts = json.loads(ran.out)
    assert facts["to"] == to
    if to in ("torch", "onnx", "huggingface"):
        assert facts["trial"]["verdict"] == "agrees"
        assert facts["trial"]["words"] == 8
    else:
        assert command("verify", even, path).code == 0
    if to == "torch":
        assert command("verify", path, "(0|10*1)*", "-a", "bfloat16").code == 0
        assert command("verify", path, "1*", "-a", "bfloat16").code == 1
        assert command("diff", path, even).code == 0


@needs("fla")
@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ("chunk_delta_rule", "chunk_delta_rule"),
        ("chunk_delta_rule --mode chunk", "chunk_delta_rule"),
        ("GatedDeltaProduct", "GatedDeltaProduct (fused_recurrent)"),
        ("GatedDeltaProduct --mode chunk", "GatedDeltaProduct (chunk)"),
        ("DeltaNet:chunk", "DeltaNet (chunk)"),
    ],
)
def test_a_module_of_flash_linear_attention_is_verified(even, tmp_path, options, runs):
    path = str(tmp_path / "x.safetensors")
    options = f"--to fla --dtype bfloat16 --no-trial --target {options}".split()
    ran = command("export", even, "-o", path, *options)
    assert ran.code == 0, ran.err
    module = load_module(path)
    assert isinstance(module, FlaLRNN)
    assert module.target == runs
    assert command("verify", path, "(0|10*1)*", "-a", "bfloat16").code == 0
    assert command("verify", path, "1*", "-a", "bfloat16").code == 1
    assert command("diff", path, even).code == 0


def test_export_differs_with_code_one(tmp_path):
    path, out = str(tmp_path / "clock.safetensors"), str(tmp_path / "x")
    clock = Automaton.from_table([[(q + 1) % 60 for q in range(60)]], outputs=range(60))
    compile_dfa(clock, "rotation").save(path)
    ran = command("export", path, "-o", out, "--dtype", "bfloat16")
    assert ran.code == 1
    assert "differs after the word" in ran.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "bert"), "'--to' must be one of"),
        (("--target", "DeltaNet"), "'--target' is for '--to fla'"),
        (("--to", "dot", "--dtype", "float32"), "'--dtype' is for modules"),
        (("--dtype", "int8"), "'--dtype' must be one of"),
        (("--to", "onnx", "--dtype", "float16"), "must be one of float32, float64, not 'float16'"),
        (("--mode", "chunk"), "'--mode' is for '--to fla', not for '--to torch'"),
        (("--to", "dot", "--words", "3"), "'--words' is for modules, not for '--to dot'"),
        (("--to", "dot", "--no-trial"), "'--no-trial' is for modules"),
        (("-a", "exact"), "'--arithmetic' is for automata, not for '--to torch'"),
        (("--no-trial", "--length", "3"), "'--length' is about the trial"),
        (("--words", "9999999999"), "A trial may have 67108864 letters, not"),
        (("--device", "tpu"), "'--device' must be auto or one of cpu"),
        *(
            ((*FLA, "--no-trial", *options), message)
            for options, message in (
                (("--mode", "chunky"), "'mode' must be one of fused_recurrent, chunk, not"),
                (("--target", "Mamba"), "'target' must be one of fused_recurrent_delta_rule"),
                (("--mode", "chunk"), "must be 'fused_recurrent' for fused_recurrent_delta_rule"),
                (("--target", "DeltaNet:fast"), "not 'fast'"),
                (("--target", "DeltaNet:chunk", "--mode", "chunk"), "'--mode' is there twice"),
                (("--target", "DeltaNet", "--mode", "chunk"), "bfloat16 or float16"),
            )
        ),
        (("--words", "0"), "positive"),
    ],
)
def test_misuse_of_export(even, tmp_path, options, message):
    ran = command("export", even, "-o", str(tmp_path / "x"), *options)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err
    assert [p.name for p in tmp_path.iterdir()] == ["even.safetensors"]


def test_diff_finds_a_shortest_word(even, tmp_path):
    ran = command("diff", even, "(00|1)*")
    assert (ran.code, ran.out) == (
        1, f"the word '0': accepted in {even}, rejected in (00|1)*\n",
    )  # fmt: skip
    assert json.loads(command("diff", "a*", "(aa)*", "--json").out) == {
        "equal": False, "word": ["a"], "answers": ["accepted", "rejected"],
    }  # fmt: skip
    assert command("diff", "a|b", "b|a").out == "no word: they answer alike\n"
    machine = tmp_path / "m.dot"
    languages.protocol("tls").to_dot(machine)
    assert command("diff", "@tls", str(machine)).code == 0
    assert command("diff", "@tls", "@tcp").code == 2


def test_diff_sends_missing_transitions_to_a_sink(tmp_path):
    path = tmp_path / "a.dot"
    path.write_text('digraph { s [shape=doublecircle]; __start0 -> s; s -> t [label=a];'
                    't -> s [label=b] }')  # fmt: skip
    assert "total" in command("diff", path, "(ab)*").err
    assert command("diff", path, "(ab)*", "--sink").code == 0
    assert command("diff", "(ab)*", path, "--sink").code == 0
    assert command("diff", path, "(ab)*a", "--sink").code == 1
    ran = command("diff", "(ab)*", "(ba)*", "--sink")
    assert (ran.code, "--sink" in ran.err) == (2, True)


def test_diff_in_an_arithmetic(tmp_path):
    path = str(tmp_path / "clock.safetensors")
    compile_dfa(languages.mod(60), "rotation").save(path)
    assert command("diff", path, "@mod(60)", "-a", "float32").code == 0
    assert command("diff", path, "@mod(60)", "-a", "float8_e4m3").code == 1
