"""What cascades are tested against: words, configurations and monoids by brute force."""

from collections.abc import Sequence

from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade


def table(*rows: Sequence[int]) -> Automaton:
    return Automaton.from_table(rows, accepting=[0])


def reduced(automaton: Automaton) -> Automaton:
    return automaton.minimize().merge_letters()[1]


def follows(cascade: Cascade, word: Sequence[int]) -> bool:
    """Whether the cascade names the right state before and after every letter of a word."""
    state, coordinates = cascade.automaton.initial, cascade.initial
    for letter in word:
        if cascade.decode(coordinates) != state:
            return False
        coordinates = cascade.step(coordinates, letter)
        state = int(cascade.automaton.delta[letter, state])
    return cascade.decode(coordinates) == state


def simulates(cascade: Cascade, limit: int = 5_000) -> bool:
    """Whether all configurations that words lead to (if at most `limit`) name the right state."""
    start = (cascade.initial, cascade.automaton.initial)
    seen, queue = {start}, [start]
    for coordinates, state in queue:
        try:
            if cascade.decode(coordinates) != state:
                return False
            for letter in range(cascade.automaton.n_letters):
                found = (
                    cascade.step(coordinates, letter),
                    int(cascade.automaton.delta[letter, state]),
                )
                if found not in seen:
                    seen.add(found)
                    queue.append(found)
        except ValueError:
            return False
        if len(seen) > limit:
            break
    return True


def monoid(automaton: Automaton) -> set[tuple[int, ...]]:
    """All transformations of the reachable states by words."""
    letters = [tuple(row) for row in automaton.trim().delta.tolist()]
    seen, queue = set(letters), list(letters)
    for m in queue:
        for a in letters:
            longer = tuple(a[q] for q in m)
            if longer not in seen:
                seen.add(longer)
                queue.append(longer)
    return seen


def group_at(idempotent: tuple[int, ...], elements: set[tuple[int, ...]]) -> int:
    """Order of the maximal subgroup of a monoid around an idempotent."""
    image = sorted(set(idempotent))
    return len(
        {
            m
            for m in elements
            if sorted(set(m)) == image
            and all(m[q] == m[idempotent[q]] for q in range(len(m)))
            and len({m[q] for q in image}) == len(image)
        }
    )


def largest_group(automaton: Automaton) -> int:
    elements = monoid(automaton)
    idempotents = [m for m in elements if all(m[q] == q for q in set(m))]
    return max(group_at(e, elements) for e in idempotents)
