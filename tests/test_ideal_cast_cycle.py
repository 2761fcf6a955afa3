"""The cast model under a cycle of letters agrees with its step-by-step definition."""

from itertools import islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from ideal_cast_reference import SETS, SMALL, Q

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.formats import parse_format
from lrnn_theory.ideal_cast import EventualCast, cycle_values, eventual_cast, eventual_cycle
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.cast import CastKernel
from lrnn_theory.transition import Dense

ENTRIES = st.sampled_from([Q(0), Q(0), Q(1), Q(1, 2), Q(1, 4), Q(-1, 3)])


def filled(draw, numbers, *shape):
    size = int(np.prod(shape))
    out = np.empty(size, object)
    out[:] = draw(st.lists(numbers, min_size=size, max_size=size))
    return out.reshape(shape)


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.sampled_from(SETS), st.data())
def test_a_cycle_after_any_word(n, d, q, name, data):
    a, b = filled(data.draw, ENTRIES, q, n, n), filled(data.draw, SMALL, q, n, d)
    layer = Layer(
        Dense(a),
        b,
        filled(data.draw, SMALL, n, d),
        (np.zeros((1, n, d), int),),
        np.zeros((q, 1, 2), int),
        1,
        0,
    )
    kernel = CastKernel(layer, Arithmetic.parse(f"{name}:cast"))
    h = kernel.start(1)
    for action in data.draw(st.lists(st.integers(0, q - 1), max_size=3)):
        h = kernel.step(h, np.array([action]))
    terms = [(np.array(t, object).reshape(n, d), count) for t, count in h[0, 0, 0]]
    steps, form = list(zip(a, b, strict=True)), parse_format(name)
    stepped = []
    for i in range(40):
        stepped.append([[Q(x) for x in row] for row in kernel.seen(h[0, 0, 0]).tolist()])
        h = kernel.step(h, np.array([i % q]))
    assert [x.tolist() for x in islice(cycle_values(steps, terms, form), 40)] == stepped
    found = eventual_cycle(steps, terms, form)
    if isinstance(found, EventualCast):
        for k in range(found.preperiod, 40):
            assert found.at(k).tolist() == stepped[k]


@given(st.integers(1, 3), st.sampled_from(SETS), st.data())
def test_a_cycle_of_one_letter_is_that_letter(n, name, data):
    a, b = filled(data.draw, ENTRIES, n, n), filled(data.draw, SMALL, n, 1)
    h, form = filled(data.draw, SMALL, n, 1), parse_format(name)
    alone, cycle = eventual_cast(a, b, h, form), eventual_cycle([(a, b)], [(h, 1)], form)
    assert isinstance(alone, EventualCast) == isinstance(cycle, EventualCast)
    if isinstance(alone, EventualCast):
        later = max(alone.preperiod, cycle.preperiod)
        assert alone.period == cycle.period
        assert alone.at(later).tolist() == cycle.at(later).tolist()
