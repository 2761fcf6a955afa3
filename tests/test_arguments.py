"""Arguments of public functions that are of a wrong type: one line that names the argument."""

import re

import numpy as np
import pytest

from constructions import compile_dfa
from lrnn_theory import (
    Automaton,
    Budget,
    check,
    extract,
    horizon,
    refute,
    scan,
    trace,
    verify,
)
from lrnn_theory.arguments import brief, positive
from lrnn_theory.campaign import Check, run
from lrnn_theory.distributed import scan_batch, scan_word
from lrnn_theory.exactness import exact_bits
from lrnn_theory.export import export, from_torch, save_module, to_fla, to_onnx, to_torch
from lrnn_theory.impossibility import limit_cycle, period_one_reason
from lrnn_theory.learning import (
    TASKS,
    Architecture,
    Ensemble,
    Model,
    compiled_start,
    curve,
    eigenvalues,
    evaluate,
    examine,
    of_automaton,
    train,
)
from lrnn_theory.plots import plot_automaton, plot_cascade, plot_orbit, plot_spectrum
from lrnn_theory.plots import plot_trajectory as draw_trajectory
from lrnn_theory.streaming import Reader
from lrnn_theory.verification import with_claim

EVEN = "(0|10*1)*"
LRNN = compile_dfa(EVEN)
PROVED = verify(LRNN, EVEN)

TAKERS = {
    "lrnn must be an LRNN": [
        lambda x: verify(x, EVEN),
        lambda x: refute(x, EVEN),
        lambda x: horizon(x, EVEN),
        lambda x: with_claim(x, PROVED, EVEN, EVEN),
        lambda x: scan(x, [[0]]),
        lambda x: trace(x, "0"),
        lambda x: draw_trajectory(x, "0"),
        lambda x: compiled_start(x, Architecture("deltaproduct"), 0),
        lambda x: scan_word(x, [[0]]),
        lambda x: scan_batch(x, [[0]]),
        *(
            exact_bits,
            Reader,
            extract,
            export,
            to_torch,
            to_fla,
            to_onnx,
            plot_orbit,
            plot_spectrum,
        ),
    ],
    "weights must be an LRNN": [lambda x: check(PROVED.certificate, x)],
    "module must be a TorchLRNN": [from_torch, lambda x: save_module(x, "never written")],
    "layer must be a Layer": [
        lambda x: limit_cycle(x, "bfloat16"),
        lambda x: period_one_reason(x, "bfloat16"),
    ],
    "model must be a Model": [eigenvalues, lambda x: examine(x, EVEN)],
    "trained must be a Trained": [evaluate, curve],
    "architecture must be an Architecture": [
        lambda x: train(TASKS["parity"](), x),
        lambda x: Model(x, 2, 2),
        lambda x: Ensemble(x, 2, 2, [0]),
    ],
    "automaton must be an Automaton": [of_automaton, plot_automaton, plot_cascade],
}


@pytest.mark.parametrize("wrong", [0, [], "x", np.zeros((2, 2)), Automaton.from_regex])
@pytest.mark.parametrize(
    ("what", "take"), [(what, take) for what, takers in TAKERS.items() for take in takers]
)
def test_another_type_is_named(what, take, wrong):
    name, rest = what.split(" ", 1)
    message = f"Argument '{name}' {rest}, not {type(wrong).__name__}."
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        take(wrong)


@pytest.mark.parametrize(
    ("name", "take"),
    [
        ("length", lambda x: horizon(LRNN, EVEN, length=x)),
        ("count", lambda x: horizon(LRNN, EVEN, words="random", count=x)),
        ("configurations", Budget),
        ("steps", lambda x: Budget(steps=x)),
        ("words", lambda x: export(LRNN, words=x)),
        ("length", lambda x: export(LRNN, length=x)),
        ("workers", lambda x: run([Check("a", print, 1)], workers=x)),
        ("n", lambda x: positive("n", x)),
    ],
)
def test_a_count_is_a_positive_integer(name, take):
    for wrong in ("3", 1.5, True, float("nan"), np.zeros((2, 2))):
        with pytest.raises(TypeError, match=f"^Argument '{name}' must be an integer, not [^\n]*$"):
            take(wrong)
    for wrong in (0, -1, np.int64(-1)):
        with pytest.raises(ValueError, match=rf"^Argument '{name}' must be positive, not -?\d\.$"):
            take(wrong)
    assert positive(name, np.int8(3)) == 3


def test_what_is_shown_is_short_and_on_one_line():
    for value in (np.zeros((2, 2)), "a\n" * 1000, list(range(1000))):
        assert len(brief(value)) <= 60
        assert "\n" not in brief(value)
    with pytest.raises(TypeError, match=r"^Cannot make an automaton of [^\n]*$"):
        Automaton.coerce(np.zeros((2, 2)))
