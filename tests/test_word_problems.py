"""Word problems of groups, against products that are computed independently."""

import re
from functools import reduce
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory.word_problems import (
    alternating_group,
    cyclic_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)

GROUPS = {
    "s3": symmetric_group(3),
    "s4": symmetric_group(4),
    "s5": symmetric_group(5),
    "s5 adjacent": symmetric_group(5, "adjacent"),
    "s6 two": symmetric_group(6, "two"),
    "a3": alternating_group(3),
    "a4": alternating_group(4),
    "a5 three_cycles": alternating_group(5, "three_cycles"),
    "a6 two": alternating_group(6, "two"),
}


def product_is_identity(word: list[str]) -> bool:
    """Follow every point through the permutations, first letter first."""
    return all(
        reduce(lambda point, letter: letter[int(point) - 1], word, start) == start
        for start in word[0]
    )


@pytest.mark.parametrize("name", GROUPS)
@given(st.data())
def test_permutation_words(name, data):
    group = GROUPS[name]
    word = data.draw(st.lists(st.sampled_from(group.letters), min_size=1, max_size=12))
    assert group.accepts(word) == product_is_identity(word)
    # The state after a word is its product: a letter that undoes it leads back to the identity.
    repeated = word * next(k for k in range(1, 61) if product_is_identity(word * k))
    assert group.accepts(repeated)
    assert not group.accepts([*repeated, next(a for a in group.letters if a != group_one(a))])


def group_one(letter: str) -> str:
    return "".join(sorted(letter))


def test_first_letter_acts_first_on_s3():
    s3 = symmetric_group(3)
    # 1 and 2 change places, then 2 and 3: 1 -> 2 -> 3, 2 -> 1, 3 -> 2.  That is 312; the other
    # order gives 231, its inverse.
    product = s3.run(["213", "132"])
    assert product == s3.run(["312"]) != s3.run(["231"])
    assert s3.run(["132", "213"]) == s3.run(["231"])
    assert s3.accepts(["213", "132", "231"])
    assert not s3.accepts(["132", "213", "231"])


@pytest.mark.parametrize("name", GROUPS)
def test_every_letter_is_its_one_line_notation(name):
    group = GROUPS[name]
    for letter in group.letters:
        assert sorted(letter) == [str(p + 1) for p in range(len(letter))]
    assert len(set(group.letters)) == group.n_letters


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("generators", ["all", "adjacent", "two"])
def test_symmetric_group_orders(n, generators):
    group = symmetric_group(n, generators)
    letters = {"all": factorial(n), "adjacent": n - 1, "two": min(2, n - 1)}[generators]
    assert (group.n_letters, group.trim().n_states) == (letters, factorial(n))


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("generators", ["all", "three_cycles", "two"])
def test_alternating_group_orders(n, generators):
    group = alternating_group(n, generators)
    order = factorial(n) // 2
    letters = {"all": order, "three_cycles": n - 2, "two": 2 if n > 3 else 1}[generators]
    assert (group.n_letters, group.trim().n_states) == (letters, order)


@pytest.mark.parametrize("group", [cyclic_group(7), dihedral_group(6), quaternion_group()])
def test_word_problems_are_minimal(group):
    assert group.minimize().n_states == group.n_states


@given(st.integers(1, 20), st.data())
def test_cyclic_words(m, data):
    word = data.draw(st.lists(st.integers(0, m - 1), max_size=12))
    assert cyclic_group(m).accepts([str(a) for a in word]) == (sum(word) % m == 0)


@given(st.integers(3, 9), st.text("rs", max_size=16))
def test_dihedral_words_move_a_polygon(m, word):
    corners = range(m)
    for letter in word:
        corners = [(c + 1) % m if letter == "r" else -c % m for c in corners]
    assert dihedral_group(m).accepts(word) == (list(corners) == list(range(m)))


def test_small_dihedral_groups():
    assert dihedral_group(1).n_states == 2
    assert dihedral_group(2).accepts("rsrs")
    assert not dihedral_group(2).accepts("rs")


UNITS = {
    "1": np.eye(2),
    "i": np.array([[1j, 0], [0, -1j]]),
    "j": np.array([[0, 1], [-1, 0]]),
    "k": np.array([[0, 1j], [1j, 0]]),
}
MATRICES = {sign + name: (-1) ** len(sign) * u for name, u in UNITS.items() for sign in ("", "-")}


@given(st.lists(st.sampled_from(sorted(MATRICES)), min_size=1, max_size=12))
def test_quaternion_words_are_matrix_products(word):
    product = reduce(np.matmul, (MATRICES[letter] for letter in word))
    assert quaternion_group().accepts(word) == np.array_equal(product, np.eye(2))


@pytest.mark.parametrize(
    ("group", "arguments", "message"),
    [
        (symmetric_group, (10,), "'n' must be between 2 and 9, not 10"),
        (symmetric_group, (8,), "40320 x 40320"),
        (
            symmetric_group,
            (
                3,
                "some",
            ),
            "must be one of all, adjacent, two, not 'some'",
        ),
        (alternating_group, (2,), "'n' must be between 3 and 9, not 2"),
        (alternating_group, (9,), "181440 x 181440"),
        (cyclic_group, (10**6,), "1000000 x 1000000"),
        (cyclic_group, (0,), "'m' must be at least 1, not 0"),
        (dihedral_group, (10**9,), "2 x 2000000000"),
    ],
)
def test_misuse_is_one_line(group, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        group(*arguments)
    assert "\n" not in str(caught.value)
