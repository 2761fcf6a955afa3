"""Training: schedules, updates, checkpoints; something is learnt; what was learnt is examined."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lrnn_theory import languages, scan
from lrnn_theory.learning import (
    TASKS,
    Architecture,
    Curve,
    Ensemble,
    Model,
    Recipe,
    curve,
    evaluate,
    of_automaton,
    table,
    train,
)
from lrnn_theory.learning.examination import answers_right, eigenvalues, examine, to_lrnn
from lrnn_theory.learning.layers import LAYERS
from lrnn_theory.transition import Dense, Diagonal, Householder
from lrnn_theory.verification import Refuted

SMALL = Architecture("deltanet", "[-1,1]", layers=1, width=8, heads=2, conv_size=0)
SHORT = Recipe(steps=6, batch=4)


@pytest.fixture(scope="module")
def parity():
    """Parity, learnt by one signed layer that sees one letter at a time."""
    recipe = Recipe(steps=300, batch=32, learning_rate=1e-2)
    task = of_automaton(languages.parity(), "parity", lengths=((3, 20), (20, 40)))
    return train(task, replace(SMALL, width=16), recipe, seeds=(0, 1))


@pytest.fixture(scope="module")
def classic():
    """The same with the classic range, which cannot."""
    recipe = Recipe(steps=60, batch=32, learning_rate=1e-2)
    task = of_automaton(languages.parity(), "parity", lengths=((3, 20), (20, 40)))
    architecture = replace(SMALL, width=16, eigenvalue_range="[0,1]")
    return train(task, architecture, recipe, seeds=(0,))


def test_observations_are_part_of_the_log() -> None:
    """They see the models as they are after the update, and change nothing."""

    def observe(step: int, ensemble: Ensemble) -> dict[str, float]:
        return {
            "bias": float(ensemble.parameters["head.bias"].detach().norm()) if step > 4 else 0.0
        }

    task = of_automaton(languages.parity())
    plain = train(task, SMALL, SHORT)
    seen = train(task, SMALL, SHORT, every=2, observe=observe)
    biases = [entry["bias"] for entry in seen.log[1:]]
    bias = seen.ensemble.parameters["head.bias"]
    assert biases == [0.0, 0.0, float(bias.detach().norm())]
    assert torch.equal(bias, plain.ensemble.parameters["head.bias"])


def test_rates_rise_and_fall() -> None:
    recipe = Recipe(steps=100, learning_rate=1.0, least_rate=0.1)
    rates = [recipe.rate(i) for i in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert rates[10] == 1.0
    assert 0.1 <= rates[-1] < 0.11
    assert Recipe(steps=10, warm_up=0).rate(0) == Recipe().learning_rate


def test_an_update_is_that_of_adamw_on_one_model() -> None:
    """Stacking, clipping and weight decay do what torch does to each model alone."""
    task, recipe = TASKS["parity"](), Recipe(steps=3, batch=4, warm_up=0, clip=0.5)
    trained = train(task, SMALL, recipe, seeds=(3, 8))
    words = [replace_words(task, recipe, seed) for seed in (3, 8)]
    for i, seed in enumerate((3, 8)):
        model = Ensemble(SMALL, 2, 2, (seed,)).model(0)
        named = dict(model.named_parameters())
        matrices = [p for n, p in named.items() if p.ndim == 2 and "embedding" not in n]
        others = [p for n, p in named.items() if not (p.ndim == 2 and "embedding" not in n)]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}]
        optimizer = torch.optim.AdamW(groups)
        for step in range(3):
            tokens, labels = (x[4 * step : 4 * step + 4] for x in words[i])
            scores = model(tokens)
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step)
            optimizer.step()
        for name, p in trained.ensemble.model(i).named_parameters():
            torch.testing.assert_close(p, named[name], rtol=1e-3, atol=2e-5)


def replace_words(task, recipe: Recipe, seed: int):
    from lrnn_theory.learning.training import BLOCK, TEST_SEED

    generator = torch.Generator().manual_seed(seed * 1_000_003 % TEST_SEED)
    return task.sample(BLOCK * recipe.batch, task.train, generator)


def test_a_seed_does_not_depend_on_the_others() -> None:
    alone = train(TASKS["parity"](), SMALL, SHORT, seeds=(4,)).ensemble.model(0)
    among = train(TASKS["parity"](), SMALL, SHORT, seeds=(1, 4)).ensemble.model(1)
    for a, b in zip(alone.parameters(), among.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_resuming_changes_nothing(tmp_path: Path) -> None:
    """A run that was interrupted ends where one that was not does, bit for bit."""
    recipe, path = Recipe(steps=24, batch=2), tmp_path / "run.safetensors"
    task = of_automaton(languages.parity(), lengths=((1, 3), (3, 4)))
    tiny = Architecture("gla", "[-1,1]", layers=1, width=4, heads=1, conv_size=0, mlp=False)
    whole = train(task, tiny, recipe, log=tmp_path / "log.jsonl", every=12)

    def stop(entry) -> None:
        if entry["step"] == 22:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(task, tiny, recipe, checkpoint=path, every=22, save_every=20, progress=stop)
    resumed = train(task, tiny, recipe, checkpoint=path)
    assert resumed.log[0]["from"] == 20
    for name, p in whole.ensemble.parameters.items():
        assert torch.equal(p, resumed.ensemble.parameters[name])
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e.get("step") for e in entries] == [None, 12, 24]
    assert entries[0]["architecture"]["name"] == "gla"
    with pytest.raises(ValueError, match="is of another training"):
        train(task, tiny, replace(recipe, learning_rate=0.5), checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="no whole safetensors file"):
        train(task, tiny, recipe, checkpoint=path)


def test_mixed_precision_trains(parity) -> None:
    recipe = Recipe(steps=5, batch=4, precision="bfloat16")
    for name in ("deltanet", "mamba", "gla", "mlstm"):
        trained = train(parity.task, Architecture(name, "[-1,1]", width=8, heads=2), recipe)
        losses = trained.log[-1]["loss"]
        assert np.isfinite(losses).all()
        kinds = {p.dtype for p in trained.ensemble.parameters.values()}
        assert kinds == {torch.float32}


def test_signed_learns_parity_and_classic_does_not(parity, classic) -> None:
    signed, none = curve(parity, words=128), curve(classic, words=128)
    assert signed.means[signed.best] > 0.95
    assert max(none.means) < 0.2
    assert signed.lengths == tuple(range(20, 41))
    again = Curve.from_dict(json.loads(json.dumps(signed.to_dict())))
    assert again == signed
    assert table([signed]).count("\n") == 2


def test_scaled_accuracy_of_guessing_is_zero() -> None:
    trained = train(TASKS["s3"](), replace(SMALL, width=8), Recipe(steps=1, batch=1))
    lengths, accuracy = evaluate(trained, (5, 30), words=1000)
    assert lengths == list(range(5, 31))
    assert accuracy.abs().mean() < 0.05


# -------------------------------------------------------------------- afterwards


def test_the_lrnn_of_a_model_has_its_states(parity) -> None:
    """On words whose states are near codewords, the LRNN answers as the model does."""
    model = parity.ensemble.model(0)
    examined = examine(model, languages.parity(), budget=500, words=64, length=40)
    assert examined.agreement > 0.9
    assert isinstance(examined.lrnn.levels[0].layer.transition, Householder)
    assert examined.horizon.words == "random"
    assert json.dumps(examined.to_dict())
    # What was learnt: the letter 1 has an eigenvalue near -1, and 0 has none.
    _, one = eigenvalues(model).real
    assert one.min() < -0.8


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_becomes_an_lrnn(name: str) -> None:
    """A and B are those of the layer: the LRNN's state is the layer's, in float64."""
    torch.manual_seed(0)
    options = {"factors": 2} if name == "deltaproduct" else {}
    architecture = Architecture(name, "[-1,1]", 1, 8, 2, 0, options=options)
    model = Model(architecture, 2, 2)
    lrnn = to_lrnn(model, languages.parity(), words=20, length=6)
    t = lrnn.levels[0].layer.transition
    expected = {"rwkv7": Dense, "gated_deltanet": Dense, "deltanet": Householder}
    assert isinstance(t, expected.get(name, Householder if options else Diagonal))
    block = model.blocks[0]
    with torch.no_grad():
        f = block.layer.features(block.norm(model.embedding.weight[[0, 1, 1]])[None])
        h = block.layer.states(f)[0, -1].flatten(0, 1).double().numpy()
    mine = np.zeros(lrnn.levels[0].layer.h0.shape)
    for letter in (0, 1, 1):
        a = t.matrix(letter).astype(float)
        mine = a @ mine + lrnn.levels[0].layer.b[letter].astype(float)
    np.testing.assert_allclose(mine, h, rtol=1e-4, atol=1e-5)
    assert scan(lrnn, [[0, 1]], "float32").shape == (1, 2)


def test_a_classic_layer_is_refuted_by_a_word(classic) -> None:
    model = classic.ensemble.model(0)
    examined = examine(model, languages.parity())
    assert isinstance(examined.verdict, Refuted)
    assert examined.collision is not None
    one, other = examined.collision.word, examined.collision.other
    assert other is not None
    accepts = languages.parity().accepts
    assert accepts(one) != accepts(other)
    assert examined.confirmed is not None
    assert not answers_right(model, languages.parity(), examined.confirmed)
    # Read by the layer itself, the two words lead to one state, but for the order of rounding.
    block = model.blocks[0]
    with torch.no_grad():
        ends = []
        for word in (one, other):
            tokens = torch.tensor([[int(letter) for letter in word]])
            f = block.layer.features(block.norm(model.embedding.weight[tokens]))
            ends.append(block.layer.states(f)[0, -1])
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_examined() -> None:
    for changed in ({"conv_size": 4}, {"layers": 2}, {"name": "lstm"}):
        model = Model(replace(SMALL, **changed), 2, 2)
        with pytest.raises(ValueError, match="one recurrent layer and no convolution"):
            to_lrnn(model, languages.parity())
    with pytest.raises(ValueError, match="machine of the training"):
        to_lrnn(Model(SMALL, 3, 2), languages.parity())


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="'steps' must be positive, not 0"):
        Recipe(steps=0)
    with pytest.raises(ValueError, match="'precision' must be float32 or bfloat16"):
        Recipe(precision="float16")
    with pytest.raises(ValueError, match="'seeds' must be distinct"):
        train(TASKS["parity"](), SMALL, SHORT, seeds=(1, 1))
