"""The type of a construction: a theorem that builds an LRNN from an automaton."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from lrnn_theory import householder as gh
from lrnn_theory.actions import smallest_action
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.onehot import stack
from lrnn_theory.tracking import Tracking
from lrnn_theory.transition import Transition


@dataclass(frozen=True)
class Bounds:
    """What a construction promises about the LRNN that it builds.

    Attributes:
        layers: at most so many layers.
        n: at most so many rows in the state of a layer.
        d: at most so many columns.
        factors: at most so many generalized Householder factors in a transition matrix; None
            where the matrices are not such products.
        spectrum: the range of the factors' eigenvalues 1 - beta |k|^2; None likewise.
    """

    layers: int
    n: int
    d: int
    factors: int | None
    spectrum: tuple[int, int] | None


@dataclass(frozen=True)
class Construction:
    """An explicit construction.

    Its functions take the *core* of an automaton: minimal, trimmed, letters that act alike merged.

    Attributes:
        key: its name, as in `compile_dfa(..., construction=key)`.
        statement: what it proves.
        citation: whose theorem it is.
        obstacles: the reasons why an automaton is outside its reach; none if it applies.
        build: the LRNN of a core without obstacles.
        claims: the bounds that the theorem claims for a core without obstacles.
        automatic: whether it may be picked without being named.
        automatic_for: objectives for which it may be, too, if not; see `compile_dfa`.
        remark: why not, if not.
    """

    key: str
    statement: str
    citation: str
    obstacles: Callable[[Automaton], list[str]]
    build: Callable[[Automaton], LRNN]
    claims: Callable[[Automaton], Bounds]
    automatic: bool = True
    automatic_for: tuple[str, ...] = ()
    remark: str = ""

    def __call__(self, automaton: Automaton) -> LRNN:
        """Build for any automaton: minimise, merge letters, build, and give the letters back.

        Raises:
            ValueError: if the construction does not apply; the message gives every reason.
        """
        letter_class, core = core_of(automaton)
        if reasons := self.obstacles(core):
            raise ValueError(f"Construction '{self.key}' does not apply: {'; '.join(reasons)}.")
        return replace(
            self.build(core),
            letters=automaton.letters,
            letter_class=letter_class,
            construction=self.key,
            kind=automaton.kind,
            output_symbols=automaton.output_symbols,
        )


def core_of(automaton: Automaton) -> tuple[np.ndarray, Automaton]:
    """The minimal automaton with merged letters, and the class of every letter."""
    return automaton.minimize().merge_letters()


def group_obstacles(core: Automaton) -> list[str]:
    """Reasons why the letters of a core do not generate a group."""
    n = core.n_states
    lossy = [a for a, row in zip(core.letters, core.delta, strict=True) if len(np.unique(row)) < n]
    if not lossy:
        return []
    return [f"letter {lossy[0]!r} is not a permutation of the {n} states of the minimal automaton"]


def one_layer(core: Automaton, layer: Layer) -> LRNN:
    """The LRNN of one layer whose coordinates are the states of `core`, one action a letter."""
    if core.kind == "mealy":
        reads, answer = "previous", core.response
    else:
        reads, answer = "current", np.tile(core.response, (core.n_letters, 1))
    level = Level(layer, np.arange(core.n_letters), answer, reads)
    return LRNN(
        letters=core.letters,
        letter_class=np.arange(core.n_letters),
        heads=((level,),),
        output=np.arange(len(core.output_symbols)),
        empty_output=empty_output(core),
        kind=core.kind,
        output_symbols=core.output_symbols,
    )


def empty_output(core: Automaton) -> int:
    """The response to the empty word; -1 for a Mealy machine."""
    return -1 if core.kind == "mealy" else int(core.response[core.initial])


def orbit_layer(
    core: Automaton,
    transition: Transition,
    h0: np.ndarray,
    vectors: list[np.ndarray],
    states: ArrayLike | None = None,
) -> Layer:
    """The layer of a group automaton with a codeword (n,) for every state; no input B.

    Both coordinates are read: a letter is a bijection, so the previous state follows from the
    current one.

    Args:
        core: the automaton.
        transition: one action a letter.
        h0: the initial codeword.
        vectors: the codewords.
        states: the state of every codeword, if there may be several for one; otherwise codeword q
            is that of state q.
    """
    n_letters, n_states = core.delta.shape
    current = np.arange(n_states) if states is None else np.asarray(states)
    readout = np.zeros((n_letters, len(vectors), 2), np.int32)
    readout[:, :, 1] = current
    readout[:, :, 0] = np.argsort(core.delta, axis=1)[:, current]
    words = np.stack(vectors)[:, :, None]
    b = np.zeros((n_letters, len(h0), 1), np.int64)
    return Layer(transition, b, h0[:, None], (words,), readout, n_states, core.initial)


def tracking_layer(core: Automaton, found: Tracking) -> Layer:
    """The layer of a group automaton by orthogonal matrices, as few reflections as they are."""
    products = [gh.orthogonal(matrix) for matrix in found.matrices]
    transition = stack(products, found.choice.n)
    start = found.vectors[found.start]
    return orbit_layer(core, transition, start, list(found.vectors), found.states)


def points_layer(core: Automaton) -> Layer:
    """The layer of a group automaton by permutations of as few points as are found."""
    action = smallest_action(core)
    products = [gh.permutation(image) for image in action.points.tolist()]
    vectors = list(action.vectors)
    transition = stack(products, action.points.shape[1])
    return orbit_layer(core, transition, vectors[core.initial], vectors)
