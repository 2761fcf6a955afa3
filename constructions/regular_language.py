"""Any regular language: a cascade of permutation-reset levels (Theorem 4, repaired).

The construction as published feeds a level the coordinates of the levels above *before* the
letter, but a layer of eq. (1) outputs what it holds *after* it, and a reset destroys the
difference.  Three repairs: a pre-state register of n more rows in every level whose previous
coordinate is needed (`REGISTER`, the default), an input shift, the short convolution that real
layers have (`SHIFT`), or a register in the mean of the n rows (`OFFSET`), as narrow as published.
"""

from __future__ import annotations

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade, decompose, remembered
from lrnn_theory.construction import Bounds, Construction, core_of, empty_output, group_obstacles
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.onehot import is_permutation, offset_layer, plain_layer
from lrnn_theory.wiring import wire

MAX_OFFSETS = 64
"""Most coordinates of a level with an offset register: there is a codeword for every pair."""


_cascade = remembered(decompose)
"""The cascade of an automaton, which several constructions share."""


def published(automaton: Automaton) -> LRNN:
    """The construction as published: no register, so a level sees coordinates after the letter.

    It is wrong where a reset hides the coordinate before the letter that a level below needs; kept
    to be refuted (docs/regular-languages.md).  A context is a context of the cascade, which wants
    the coordinates before the letter, with the coordinates passed so far.
    """
    core = core_of(automaton)[1]
    cascade = _cascade(core)
    if core.kind == "mealy" or cascade.tail is not None:
        raise ValueError("Argument 'automaton' must be a DFA or Moore machine without a tail.")
    contexts: list[tuple[int, tuple[int, ...]]] = [(a, ()) for a in range(core.n_letters)]
    levels = []
    for level, initial in zip(cascade.levels, cascade.initial, strict=True):
        below: dict[tuple[int, tuple[int, ...]], int] = {}
        rows = [
            [
                below.setdefault((int(level.next[c, p]), (*above, p)), len(below))
                for p in range(level.size)
            ]
            for c, above in contexts
        ]
        action = level.action[[c for c, _ in contexts]]
        levels.append(Level(plain_layer(level.maps, initial), action, np.array(rows), "current"))
        contexts = list(below)
    output = [_response(core, cascade, coordinates) for _, coordinates in contexts]
    return LRNN(
        letters=core.letters,
        letter_class=np.arange(core.n_letters),
        heads=(tuple(levels),),
        output=np.array(output),
        empty_output=empty_output(core),
        kind=core.kind,
        output_symbols=core.output_symbols,
    )


def _response(core: Automaton, cascade: Cascade, coordinates: tuple[int, ...]) -> int:
    """The response of the state that coordinates name; 0 if no word of the cascade leads there."""
    try:
        return int(core.response[cascade.decode(coordinates)])
    except ValueError:
        return 0


def _offset_obstacles(core: Automaton) -> list[str]:
    if not group_obstacles(core):
        return []  # one level of permutations, or none
    cascade = _cascade(core)
    if cascade.tail is not None:
        return ["the tables of its cascade are too large, and an exclusion tail has registers"]
    sizes = [x.size for x in cascade.levels if not all(map(is_permutation, x.maps))]
    if max(sizes, default=0) > MAX_OFFSETS:
        return [f"a level of its cascade has {max(sizes)} coordinates, more than {MAX_OFFSETS}"]
    return []


def _claims(core: Automaton, width: int) -> Bounds:
    q = core.n_states
    return Bounds(layers=max(q - 1, 0), n=width * q, d=1, factors=width * q, spectrum=(-1, 0))


REGISTER = Construction(
    key="regular_language",
    statement=(
        "Any regular language: at most |Q| - 1 layers, level l of width at most 2(|Q| - l + 1), "
        "d = 1, transition matrices products of integer Householder factors with eigenvalues "
        "-1 and 0."
    ),
    citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 4, repaired with a register",
    obstacles=lambda _: [],
    build=lambda core: wire(_cascade(core), shifted=False),
    claims=lambda core: _claims(core, 2),
)

SHIFT = Construction(
    key="input_shift",
    statement=(
        "Any regular language: as 'regular_language' with width |Q| - l + 1, where a short "
        "convolution delivers to each level the outputs of one step earlier."
    ),
    citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 4, repaired with an input shift",
    obstacles=lambda _: [],
    build=lambda core: wire(_cascade(core), shifted=True),
    claims=lambda core: _claims(core, 1),
    automatic=False,
    remark="it needs a short convolution beside the recurrence",
)

OFFSET = Construction(
    key="offset_register",
    statement=(
        "Any regular language with a tabulated cascade: at most |Q| - 1 layers, level l of width "
        "n <= |Q| - l + 1, d = 1, A a product of at most n Householder factors with eigenvalues "
        "in [-1, 0], B of natural numbers: the parameters published for Theorem 4."
    ),
    citation="Grazzi, Siems et al., arXiv 2411.12537, Theorem 4, repaired with an offset",
    obstacles=_offset_obstacles,
    build=lambda core: wire(_cascade(core), shifted=False, register=offset_layer),
    claims=lambda core: _claims(core, 1),
    automatic=False,
    remark="its offsets are fractions that take more bits the wider a level is; choose it by name",
)
