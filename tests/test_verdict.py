"""What a verdict is made of: long words in runs, and powers of one letter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.exactness import holds_register_layers
from lrnn_theory.verification.equivalence import power
from lrnn_theory.verification.verdict import Runs


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=6))
def test_runs_are_the_word_that_they_write_out(runs: list[tuple[str, int]]) -> None:
    word, wanted = Runs(runs), [letter for letter, count in runs for _ in range(count)]
    n = len(wanted)
    assert len(word) == n
    assert list(word) == wanted
    assert [word[i] for i in range(-n, n)] == wanted + wanted
    assert list(word[1:-1]) == wanted[1:-1]
    assert list(word[::-2]) == wanted[::-2]
    for outside in (n, -n - 1):
        with pytest.raises(IndexError):
            word[outside]


@given(st.lists(st.integers(0, 6), min_size=7, max_size=7), st.integers(0, 6))
def test_a_power_is_one_step_after_another(row: list[int], state: int) -> None:
    steps = np.array(row, np.int32)
    wanted = state
    for times in range(30):
        assert power(steps, state, times) == wanted
        wanted = row[wanted]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("exact", True),
        ("float8_e4m3", True),
        ("{0,1}:each", True),
        ("{0,1}:each+factored", False),
        ("{-1,0,1}:each+factored", True),
        ("{-1,1}:each", False),
        ("fixed8.7:each", False),
        ("fixed8.0:each", True),
        ("fixed8.-1:each", False),
        ("fixed2.0:once+factored", True),
    ],
)
def test_registers_hold_0_and_1_and_with_factors_minus_1(text: str, holds: bool) -> None:
    assert holds_register_layers(Arithmetic.parse(text)) is holds
