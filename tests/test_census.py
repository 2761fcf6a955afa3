"""The census of small formats: cycles of rounding, replayed."""

import copy
import json
import sys
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from lrnn_theory import (
    Certificate,
    Dense,
    Diagonal,
    Householder,
    Layer,
    Proved,
    census,
    check,
    languages,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.scanning.kernels import make_kernel, runs_natively
from lrnn_theory.verification.certificate import digest


def layer(matrix, b=(0, 0)):
    a = np.array(matrix, object)[None]
    n = a.shape[1]
    zero = np.zeros((n, 1), int)
    b = np.array(b[:n], object).reshape(1, n, 1)
    return Layer(Dense(a), b, zero, (zero[None],), np.zeros((1, 1, 2), int), 1, 0)


QUARTERS = [[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]


@pytest.mark.parametrize(
    ("arithmetic", "states", "periods"),
    [
        ("float8_e5m2:each", 61_009, {1: 35_973, 2: 25_036}),
        ("float8_e5m2:once", 61_009, {1: 61_009}),  # positive semidefinite: no cycle
        ("float8_e4m3:once", 64_009, {1: 64_009}),
    ],
)
def test_positive_eigenvalues_cycle_if_every_operation_is_rounded(arithmetic, states, periods):
    found = census(layer(QUARTERS), 0, arithmetic)
    assert (found.states, found.periods) == (states, periods)
    assert sum(periods.values()) + found.overflow == states


def test_two_factors_cycle_even_if_rounded_once():
    """Eigenvalues 0 and 1/4, and every 8-bit state ends in a cycle of length two."""
    a = [[Fraction(5, 16), Fraction(-5, 16)], [Fraction(1, 16), Fraction(-1, 16)]]
    found = census(layer(a, (0, Fraction(17, 32))), 0, "fixed8.0:once")
    assert found.periods == {2: 65_536}
    assert sorted(found.cycles[2]) == [(0, 0), (0, 1)]


def test_a_nilpotent_matrix_cycles():
    assert sorted(census(layer([[2, -4], [1, -2]]), 0, "{-1,0,1}").cycles[2]) == [(-1, -1), (1, 1)]


numbers = st.fractions(-2, 2, max_denominator=8)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(numbers, min_size=6, max_size=6),
    st.sampled_from(["{-1,0,1}", "fixed3.0", "fixed3.1!wrap:each", "{-2,-1/2,0,1}:each"]),
)
def test_every_state_is_followed_to_its_cycle(entries, arithmetic):
    a, b, c, d, *inputs = entries
    one = layer([[a, b], [c, d]], inputs)
    found = census(one, 0, arithmetic)
    parsed = Arithmetic.parse(arithmetic)
    kernel = make_kernel(one, parsed, torch.device("cpu"))
    native = runs_natively(one, parsed)

    @cache
    def step(h):
        x = np.array(list(map(Fraction, h)), object).reshape(1, 2, 1)
        if native:
            after = kernel.step(torch.tensor(x.astype(float)), torch.tensor([0]))
        else:
            after = kernel.step(x, np.array([0]))
        return tuple(after.ravel().tolist())

    proved = check(found.certificate)
    assert isinstance(proved, Proved)
    assert proved.statistics["periods"] == list(map(list, found.periods.items()))
    values = parsed.format.numbers()
    counts: dict[int, int] = {}
    for h in [(x, y) for x in values for y in values]:
        path = [h]
        while (after := step(path[-1])) not in path:
            path.append(after)
        period = len(path) - path.index(after)
        counts[period] = counts.get(period, 0) + 1
    assert found.periods == counts
    assert found.states == len(values) ** 2
    for period, cycle in found.cycles.items():
        assert len(cycle) == period
        assert [step(h) for h in cycle] == [*cycle[1:], cycle[0]]


@pytest.mark.parametrize("last", range(1, 13))
def test_a_long_way_to_a_cycle(last):
    """0, 1, ..., and then the last number for ever."""
    values = ",".join(map(str, range(last + 1)))
    found = census(layer([[1]], (1,)), 0, f"{{{values}}}")
    assert found.periods == {1: last + 1}
    assert found.cycles == {1: ((last,),)}
    assert found.overflow == 0


def test_overflow_is_counted_apart():
    found = census(layer([[2]]), 0, "float8_e5m2")
    assert found.periods == {1: 1}  # only 0 stays
    assert found.overflow == found.states - 1


def test_a_state_overflows_with_one_of_its_numbers():
    found = census(layer([[2, 0], [0, Fraction(1, 2)]]), 0, "float8_e5m2")
    assert found.periods == {1: 247}
    assert found.overflow == 246 * 247


def test_states_are_stepped_in_parts_by_the_action_that_is_asked_for(monkeypatch):
    swap = layer([[0, 1], [1, 0]])
    both = replace(
        swap,
        transition=Dense(np.array([np.eye(2, dtype=int), [[0, 1], [1, 0]]])),
        b=np.zeros((2, 2, 1), int),
        readout=np.zeros((2, 1, 2), int),
    )
    whole = [census(both, action, "fixed3.0") for action in (0, 1)]
    assert [found.periods for found in whole] == [{1: 64}, {1: 8, 2: 56}]
    monkeypatch.setattr(sys.modules[census.__module__], "_CHUNK", 7)
    assert [census(both, action, "fixed3.0") for action in (0, 1)] == whole


@pytest.mark.parametrize(
    ("arithmetic", "message"),
    [("exact", "rounds"), ("{0,1}:cast", "rounds"), ("float32", "65536"), ("bfloat16", "states"),
     ("float8_e5m2@tree", "letter")],
)  # fmt: skip
def test_what_has_no_census(arithmetic, message):
    with pytest.raises(ValueError, match=message):
        census(layer(QUARTERS), 0, arithmetic)


# -------------------------------------------------------------------- certificates

HALF = Fraction(1, 2)
CERTIFIED = {
    "every operation rounded": (layer(QUARTERS), "float8_e5m2:each"),
    "beyond the numbers": (layer([[2, 0], [0, HALF]]), "float8_e4m3:wide+acc=float32"),
    "a sum in float16": (layer([[HALF]], (HALF,)), "float16:each+fma"),
    "wrapping": (layer([[3]], (1,)), "fixed6.1!wrap:each"),
    "a set": (layer([[2, -4], [1, -2]]), "{-1,-1/2,1/3,1}"),
    "factors": (
        replace(
            layer([[1]]),
            transition=Householder(np.array([[1]]), np.array([2]), np.array([0, 1])),
        ),
        "fixed5.0:each+factored",
    ),
    "a diagonal in factored arithmetic": (
        replace(layer([[1]]), transition=Diagonal([[-1]])),
        "fixed5.0:each+factored",
    ),
    "irrational weights": (
        compile_dfa(languages.mod(5), construction="rotation").levels[0].layer,
        "fixed5.2:once",
    ),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_a_census_is_proved_again(name):
    one, arithmetic = CERTIFIED[name]
    found = census(one, 0, arithmetic)
    proved = check(found.certificate)
    assert (proved.method, proved.arithmetic) == ("census", found.arithmetic)
    assert proved.statistics == {
        "action": 0,
        "states": found.states,
        "periods": list(map(list, found.periods.items())),
        "overflow": found.overflow,
    }


def forged(certificate, change):
    data = copy.deepcopy(certificate.data)
    change(data)
    return data | {"digest": digest(data)}


MOVES = census(layer([[2, 1], [0, 1]]), 0, "float8_e5m2:once").certificate
LIES = {
    "one state more": lambda d: d["periods"][0].__setitem__(1, d["periods"][0][1] + 1),
    "another period": lambda d: d["periods"][0].__setitem__(0, 2),
    "a period that no state has": lambda d: d["periods"].append([9, 0]),
    "no period": lambda d: d.update(periods=[]),
    "overflow": lambda d: d.update(overflow=d["overflow"] - 1),
    "states": lambda d: d.update(states=d["states"] - 1),
    "a weight": lambda d: d["layer"]["actions"][0]["a"][0].__setitem__(1, [1, "0"]),
    "another action": lambda d: d.update(action=1),
    "a claim": lambda d: d.update(claim="proved"),
    "a method": lambda d: d.update(method="census"),
    "a note": lambda d: d.update(note="for all inputs"),
    "a format": lambda d: d.update(arithmetic="float8_e4m3:once"),
    "the cast model": lambda d: d.update(arithmetic="float8_e5m2:cast"),
    "exact numbers": lambda d: d.update(arithmetic="exact"),
    "chunks": lambda d: d.update(arithmetic="float8_e5m2:once@chunk:2"),
    "too many numbers": lambda d: d.update(arithmetic="float32:once"),
    "too many states": lambda d: d.update(arithmetic="float16:once"),
    "no layer": lambda d: d.pop("layer"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_forged_census_is_rejected(name):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - every line names another reason
        check(forged(MOVES, LIES[name]))
    assert "\n" not in str(error.value)


@settings(max_examples=20, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=6), st.lists(numbers, min_size=6, max_size=6))
def test_a_census_of_another_layer_is_accepted_only_if_it_is_true(first, second):
    found, other = (
        census(layer([[a, b], [c, d]], inputs), 0, "fixed3.1:once")
        for a, b, c, d, *inputs in (first, second)
    )
    change = {"layer": other.certificate.data["layer"]}
    lie = Certificate(forged(found.certificate, lambda d: d.update(change)))
    if (found.periods, found.overflow) == (other.periods, other.overflow):
        assert isinstance(check(lie), Proved)
    else:
        with pytest.raises(ValueError, match="other counts"):
            check(lie)


@given(st.integers(0, 10**9))
def test_every_flipped_bit_of_a_census_is_noticed(place):
    text = bytearray(MOVES.text().encode())
    place %= 8 * len(text)
    text[place // 8] ^= 1 << place % 8
    with pytest.raises(ValueError):  # noqa: PT011 - UTF-8, JSON or the digest
        check(json.loads(text.decode()))
