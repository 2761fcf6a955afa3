r"""The bestiary: named languages and machines, from parity to protocol servers.

Every function returns a minimal automaton whose states are all reachable.  `BESTIARY` holds one
call a name, for tests and demonstrations; `REGEXES` the regular expressions among them.

Sources: M. Tomita, *Dynamic construction of finite automata from examples using hill-climbing*
(1982), for the seven Tomita languages; Grazzi et al., arXiv 2411.12537, for modular arithmetic and
the group word problems as state-tracking tasks; Liu et al., arXiv 2210.10749, for the flip-flop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import resources
from typing import Any

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.table import check_size
from lrnn_theory.word_problems import (
    alternating_group,
    check_integer,
    cyclic_group,
    dihedral_group,
    quaternion_group,
    symmetric_group,
)

_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_DIGITS = "0123456789"
_WORDS = "abcdefghijklmnopqrstuvwxyz" + _DIGITS

REGEXES: dict[str, tuple[str, str]] = {
    "iso_date": (_DATE, _DIGITS + "-"),
    "iso_datetime": (_DATE + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ?", _DIGITS + "-:TZ"),
    "ipv4": (rf"{_OCTET}(\.{_OCTET}){{3}}", _DIGITS + "."),
    "uuid": (r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", _DIGITS + "abcdef-"),
    "email": (r"[a-z\d]+([._+-][a-z\d]+)*@([a-z\d]+(-+[a-z\d]+)*\.)+[a-z]{2,3}", _WORDS + "@._+-"),
    "quoted_string": (r'"([^"\\]|\\.)*"', "\"\\ '" + _WORDS),
}
"""Regular expressions in Python's syntax by name: `(pattern, alphabet)`."""

PROTOCOLS = ("bluetooth_pairing", "dtls_server", "mqtt_broker", "smtp", "tcp", "tcp_server", "tls")
"""Names of the protocol machines shipped with the package."""


# ---------------------------------------------------------------- counters and registers


def parity() -> Automaton:
    """Words over 0, 1 with an odd number of 1's: 2 states.

    Example:
        >>> parity().accepts("0111")
        True
    """
    return mod(2, "10", accept=1).with_letters("01")


def mod(m: int, letters: Iterable[str] = "a", accept: int = 0) -> Automaton:
    """Words whose number of first letters is `accept` modulo m: m states.

    Args:
        m: the modulus, at least 1.
        letters: the letter that counts, then any letters that do not.
        accept: the accepted residue.

    Example:
        >>> mod(3).accepts("aaaaaa"), mod(3, "ab", accept=1).accepts("bab")
        (True, True)
    """
    names = tuple(letters)
    check_integer("m", m, 1)
    check_integer("accept", accept, 0, m - 1)
    check_size(len(names), m)
    q = np.arange(m)
    return Automaton.from_table(
        [(q + 1) % m, *[q] * (len(names) - 1)], accepting=[accept], letters=names
    )


def at_least(n: int) -> Automaton:
    """Words over a, b with at least n a's: n + 1 states; aperiodic.

    Example:
        >>> at_least(2).accepts("abba")
        True
    """
    check_integer("n", n, 0)
    check_size(2, n + 1)
    q = np.arange(n + 1)
    return Automaton.from_table([np.minimum(q + 1, n), q], accepting=[n], letters="ab")


def flip_flop() -> Automaton:
    """One bit that is written or left alone: a Moore machine of 2 states that outputs the bit.

    Example:
        >>> flip_flop().transduce([1, 2, 0]).tolist()  # write1, ignore, write0
        [1, 1, 0]
    """
    letters = ("write0", "write1", "ignore")
    return Automaton.from_table([[0, 0], [1, 1], [0, 1]], letters=letters, outputs=[0, 1])


def nth_from_last(k: int) -> Automaton:
    """Words over a, b whose k-th letter from the end is a: 2^k states; definite, hence aperiodic.

    Example:
        >>> nth_from_last(3).accepts("babb")
        True
    """
    check_integer("k", k, 1)
    n = 2 ** min(k, 62)  # enough to be refused, and still short to print
    check_size(2, n)
    q = np.arange(n)
    return Automaton.from_table([(2 * q + 1) % n, 2 * q % n], accepting=q >= n // 2, letters="ab")


def last_letter_and_parity_of_ab() -> Automaton:
    """Words over a, b with an odd number of factors ab: 4 states.

    The state is the last letter and the parity.  On the word ab, cascades that see only the
    updated states above them forget which letter came before.

    Example:
        >>> last_letter_and_parity_of_ab().accepts("aabba")
        True
    """
    # States 0, 1: even, last letter b or none, a.  States 2, 3: odd, last letter a, b.
    return Automaton.from_table([[1, 1, 2, 2], [0, 3, 0, 3]], accepting=[2, 3], letters="ab")


# ---------------------------------------------------------------- formal languages


def tomita(number: int) -> Automaton:
    """The Tomita language 1, ..., 7 over 0, 1; minimal sizes 2, 3, 5, 4, 4, 3, 5.

    1: 1*. 2: (10)*. 3: no odd run of 1's directly before an odd run of 0's. 4: no factor 000.
    5: even numbers of 0's and of 1's. 6: as many 0's as 1's modulo 3. 7: 0*1*0*1*.

    Example:
        >>> tomita(4).accepts("001001"), tomita(4).accepts("10001")
        (True, False)
    """
    check_integer("number", number, 1, 7)
    delta, accepting = {
        1: ([[1, 1], [0, 1]], [0]),
        2: ([[2, 0, 2], [1, 2, 2]], [0]),
        3: ([[0, 2, 3, 2, 4], [1, 0, 4, 1, 4]], [0, 1, 3]),
        4: ([[1, 2, 3, 3], [0, 0, 0, 3]], [0, 1, 2]),
        5: ([[1, 0, 3, 2], [2, 3, 0, 1]], [0]),
        6: ([[1, 2, 0], [2, 0, 1]], [0]),
        7: ([[0, 2, 2, 4, 4], [1, 1, 3, 3, 4]], [0, 1, 2, 3]),
    }[number]
    return Automaton.from_table(delta, accepting=accepting, letters="01")


def contains(word: Sequence[str], letters: Iterable[str] | None = None) -> Automaton:
    """Words with the factor `word`: len(word) + 1 states (Knuth, Morris and Pratt).

    Args:
        word: the factor, not empty.
        letters: the alphabet; the letters of `word` in order of appearance if not given.

    Example:
        >>> contains("abc").accepts("babcc")
        True
    """
    names = tuple(dict.fromkeys(word)) if letters is None else tuple(letters)
    if not word or not set(word) <= set(names):
        raise ValueError(f"Argument 'word' must be a word over {names!r}, not {word!r}.")
    n = len(word)
    check_size(len(names), n + 1)
    delta = np.zeros((len(names), n + 1), np.int32)
    border = 0  # the state after word[1:i]
    for i, letter in enumerate(word):
        a = names.index(letter)
        if i:
            delta[:, i] = delta[:, border]
            border = delta[a, border]
        delta[a, i] = i + 1
    delta[:, n] = n
    return Automaton.from_table(delta, accepting=[n], letters=names)


def bounded_dyck(depth: int, kinds: int = 1) -> Automaton:
    """Balanced words of brackets of some kinds, nested at most `depth` deep; aperiodic.

    1 + kinds + ... + kinds^depth states (the open brackets) and a rejecting sink.

    Args:
        depth: the largest depth, at least 0.
        kinds: how many kinds of brackets there are, 1 to 4: `()`, `[]`, `{}`, `<>`.

    Example:
        >>> bounded_dyck(2, kinds=2).accepts("([])[]"), bounded_dyck(2).accepts("((()))")
        (True, False)
    """
    check_integer("depth", depth, 0)
    check_integer("kinds", kinds, 1, 4)
    # 40 levels of two kinds are refused anyway; the bound keeps the message short.
    n = depth + 1 if kinds == 1 else sum(kinds**i for i in range(min(depth, 40) + 1))
    check_size(2 * kinds, n + 1)
    # The stacks are the nodes of a tree: a push goes from node s to its child kinds s + 1 + kind.
    stack = np.arange(n)
    delta = np.full((2 * kinds, n + 1), n)
    for kind in range(kinds):
        child = kinds * stack + 1 + kind
        delta[2 * kind, :n] = np.minimum(child, n)
        delta[2 * kind + 1, child[child < n]] = stack[child < n]
    letters = "()[]{}<>"[: 2 * kinds]
    return Automaton.from_table(delta, accepting=[0], letters=letters)


def modular_arithmetic(m: int) -> Automaton:
    """Calculator input without brackets whose value is 0 modulo m: 2 m^2 + 1 states.

    Letters: the digits 0, ..., m-1; `+`, `-`, `*` with the usual precedence; `C`, which clears
    all that came before; and `_`, which does nothing.  A state is (sum, term) modulo m, where an
    operator or an operand is due next; input that is not well formed waits for `C` in a rejecting
    state.  With m = 5: 10 letters and 51 states.

    Args:
        m: the modulus, 1 to 10, so that residues are digits.

    Example:
        >>> modular_arithmetic(5).accepts("2+4*2"), modular_arithmetic(5).accepts("2+C4*2")
        (True, False)
    """
    check_integer("m", m, 1, 10)
    sums, terms = (x.ravel() for x in np.divmod(np.arange(m * m), m))
    value, malformed = (sums + terms) % m, 2 * m * m

    def operand_due(total: Any, factor: Any) -> Any:
        return m * m + total * m + factor % m

    # Columns: operator due (m^2), operand due (m^2), malformed.
    bad = np.full(m * m, malformed)
    rows = [(bad, sums * m + terms * digit % m) for digit in range(m)]
    rows += [(operand_due(value, 1), bad), (operand_due(value, -1), bad)]
    rows += [(operand_due(sums, terms), bad)]
    delta = [np.concatenate([*row, [malformed]]) for row in rows]
    start, everything = operand_due(0, 1), np.arange(malformed + 1)
    return Automaton.from_table(
        [*delta, np.full_like(everything, start), everything],
        initial=start,
        accepting=np.flatnonzero(value == 0),
        letters=(*map(str, range(m)), *"+-*C_"),
    )


# ---------------------------------------------------------------- monoids


def full_transformation_monoid(n: int) -> Automaton:
    """Words over generators of the full transformation monoid T_n that keep point 0: n states.

    Letters: cycle (every point to the next one), swap (points 0 and 1), merge (point 1 to 0).
    They generate all n^n maps.

    Args:
        n: number of points, at least 2.

    Example:
        >>> full_transformation_monoid(3).run(["cycle", "merge"])
        0
    """
    check_integer("n", n, 2)
    check_size(3, n)
    q = np.arange(n)
    swap, merge = q.copy(), q.copy()
    swap[:2], merge[1] = (1, 0), 0
    return Automaton.from_table(
        [(q + 1) % n, swap, merge], accepting=[0], letters=("cycle", "swap", "merge")
    )


# ---------------------------------------------------------------- random, regex, protocol


def random_automaton(n: int, letters: Iterable[str] = "ab", seed: int = 0) -> Automaton:
    """The minimal automaton of a random table of n states, from `numpy.random.default_rng(seed)`.

    The table is `rng.integers(n, size=(letters, n))`, then acceptance is `rng.random(n) < 0.5`;
    state 0 is initial.

    Example:
        >>> random_automaton(10, seed=1).n_states <= 10
        True
    """
    names = tuple(letters)
    check_integer("n", n, 1)
    check_size(len(names), n)
    rng = np.random.default_rng(seed)
    delta = rng.integers(n, size=(len(names), n))
    return Automaton.from_table(delta, accepting=rng.random(n) < 0.5, letters=names).minimize()


def regex(name: str) -> Automaton:
    """The automaton of a regular expression of `REGEXES`.

    Example:
        >>> regex("iso_date").accepts("2024-02-30"), regex("iso_date").accepts("2024-13-01")
        (True, False)
    """
    if name not in REGEXES:
        raise ValueError(f"Argument 'name' must be one of {', '.join(REGEXES)}, not {name!r}.")
    return Automaton.from_regex(*REGEXES[name])


def protocol(name: str) -> Automaton:
    """A Mealy machine of `PROTOCOLS`: what a server or a device answers to each message.

    Example:
        >>> tcp = protocol("tcp")
        >>> tcp.output_symbols[tcp.transduce(tcp.encode(["PASSIVE_OPEN", "SYN"]))[-1]]
        'SYN+ACK'
    """
    if name not in PROTOCOLS:
        raise ValueError(f"Argument 'name' must be one of {', '.join(PROTOCOLS)}, not {name!r}.")
    file = resources.files("lrnn_theory") / "protocols" / f"{name}.dot"
    with resources.as_file(file) as path:
        return Automaton.from_dot(path)


BESTIARY: dict[str, Callable[[], Automaton]] = {
    "parity": parity,
    "flip_flop": flip_flop,
    "last_letter_and_parity_of_ab": last_letter_and_parity_of_ab,
    **{f"mod_{m}": partial(mod, m) for m in (1, 3, 5, 60)},
    "mod_4_of_a": partial(mod, 4, "ab"),
    **{f"tomita_{i}": partial(tomita, i) for i in range(1, 8)},
    "contains_abc": partial(contains, "abc"),
    "contains_aabaa": partial(contains, "aabaa"),
    "third_from_last": partial(nth_from_last, 3),
    "seventh_from_last": partial(nth_from_last, 7),
    "at_least_5": partial(at_least, 5),
    "dyck_5": partial(bounded_dyck, 5),
    "dyck_10": partial(bounded_dyck, 10),
    "dyck_3_of_two_kinds": partial(bounded_dyck, 3, 2),
    "modular_arithmetic_5": partial(modular_arithmetic, 5),
    "s3": partial(symmetric_group, 3),
    "s4_two_generators": partial(symmetric_group, 4, "two"),
    "s5": partial(symmetric_group, 5),
    "s5_adjacent": partial(symmetric_group, 5, "adjacent"),
    "a4": partial(alternating_group, 4),
    "a5_two_generators": partial(alternating_group, 5, "two"),
    "z6": partial(cyclic_group, 6),
    "d4": partial(dihedral_group, 4),
    "d5": partial(dihedral_group, 5),
    "q8": quaternion_group,
    **{f"t{n}": partial(full_transformation_monoid, n) for n in (3, 4, 5)},
    **{f"random_{n}": partial(random_automaton, n, seed=n) for n in (10, 20, 50)},
    **{name: partial(regex, name) for name in REGEXES},
    **{name: partial(protocol, name) for name in PROTOCOLS},
}
"""Every named machine, by name."""
