"""Star-free languages with the classic range of eigenvalues, [0, 1]."""

from __future__ import annotations

from functools import partial

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade, decompose
from lrnn_theory.construction import Bounds, Construction
from lrnn_theory.divisors import is_aperiodic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.onehot import register_layer
from lrnn_theory.wiring import wire


def _cascade(core: Automaton) -> Cascade:
    """Its actions reset or stay: under this policy an aperiodic monoid permutes nothing."""
    return decompose(core, "strong")


def _obstacles(core: Automaton) -> list[str]:
    match is_aperiodic(core):
        case True:
            return []
        case False:
            return ["the transition monoid of the minimal automaton has a group: not star-free"]
        case None:
            return ["whether the language is star-free was not decided within the budget"]


def _build(core: Automaton, *, shifted: bool) -> LRNN:
    return wire(_cascade(core), shifted=shifted, register=partial(register_layer, halving=True))


def _claims(core: Automaton, *, shifted: bool) -> Bounds:
    sizes = _cascade(core).sizes
    widest = max(sizes, default=0)
    return Bounds(
        layers=len(sizes),
        n=widest if shifted else 2 * widest,
        d=1,
        factors=widest if shifted else 3 * widest,
        spectrum=(0, 0),
    )


STAR_FREE = Construction(
    key="star_free",
    statement=(
        "A star-free language is a cascade of levels that reset or stay: with a register of halves "
        "A is I or [[0, 0], [I/2, 0]], 3n projections, so that no factor leaves [0, 1]."
    ),
    citation="the range of Sarrof et al., arXiv 2405.17394, Theorem 4; docs/regular-languages.md",
    obstacles=_obstacles,
    build=partial(_build, shifted=False),
    claims=partial(_claims, shifted=False),
    automatic=False,
    remark="'regular_language' takes no more layers and fewer factors, with eigenvalues -1",
)

STAR_FREE_SHIFT = Construction(
    key="star_free_shift",
    statement=(
        "As 'star_free' with half the width and transition matrices 0 and I, where a short "
        "convolution delivers to each level the outputs of one step earlier."
    ),
    citation="Sarrof et al., arXiv 2405.17394, Theorem 4",
    obstacles=_obstacles,
    build=partial(_build, shifted=True),
    claims=partial(_claims, shifted=True),
    automatic=False,
    remark="it needs a short convolution beside the recurrence",
)
