"""Any regular language: a cascade of permutation-reset levels (Theorem 4, repaired).

The construction as published feeds a level the coordinates of the levels above *before* the
letter, but a layer of eq. (1) outputs what it holds *after* it, and a reset destroys the
difference.  Two repairs: a pre-state register of n more rows in every level whose previous
coordinate is needed (`REGISTER`, the default), or an input shift, the short convolution that real
layers have (`SHIFT`).
"""

from __future__ import annotations

import numpy as np

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade, decompose
from lrnn_theory.construction import Bounds, Construction, core_of, empty_output
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.onehot import plain_layer
from lrnn_theory.wiring import wire


def published(automaton: Automaton) -> LRNN:
    """The construction as published: no register, so a level sees coordinates after the letter.

    It is wrong where a reset hides the coordinate before the letter that a level below needs; kept
    to be refuted (docs/regular-languages.md).  A context is a context of the cascade, which wants
    the coordinates before the letter, with the coordinates passed so far.
    """
    core = core_of(automaton)[1]
    cascade = decompose(core)
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
    build=lambda core: wire(decompose(core), shifted=False),
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
    build=lambda core: wire(decompose(core), shifted=True),
    claims=lambda core: _claims(core, 1),
    automatic=False,
    remark="it needs a short convolution beside the recurrence",
)
