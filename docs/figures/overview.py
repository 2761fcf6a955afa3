"""Draw docs/figures/overview.svg: an automaton, a linear RNN that runs it, the verdicts.

    python docs/figures/overview.py

Counting modulo 7.  Every number in the figure is computed here.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from constructions import compile_dfa
from lrnn_theory import LRNN, Automaton, horizon, languages, scan
from lrnn_theory.plots import COLOURS

BLUE, ORANGE, GREEN = COLOURS[:3]
FORMATS = {
    "fp8 e5m2": "float8_e5m2",
    "fp8 e4m3": "float8_e4m3",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "float32",
}
ROUNDED = "bfloat16"
LETTER = 0  # the only one


def on_circle(i: np.ndarray | int, m: int) -> np.ndarray:
    """Points of the plane at i/m of a turn."""
    turn = 2 * np.pi * np.asarray(i) / m
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1)


def draw_automaton(axes: Axes, m: int) -> None:
    """States on a circle, the accepting one with a double rim."""
    places = on_circle(np.arange(m), m)
    for i in range(m):
        axes.add_patch(
            FancyArrowPatch(
                places[i], places[(i + 1) % m], arrowstyle="-|>", mutation_scale=11,
                shrinkA=12, shrinkB=12, color="0.35", connectionstyle="arc3,rad=0.15",
            )
        )  # fmt: skip
        axes.text(*places[i], str(i), ha="center", va="center", fontsize=10)
    axes.scatter(*places.T, s=420, facecolor="white", edgecolor=BLUE, linewidth=1.5, zorder=0.5)
    axes.scatter(*places[0], s=280, facecolor="white", edgecolor=BLUE, linewidth=1, zorder=0.6)
    axes.text(0, 0, "every letter\nadds one", ha="center", va="center", color="0.35")
    axes.set(title="an automaton: count modulo 7", xlim=(-1.35, 1.35), ylim=(-1.35, 1.35))


def draw_states(axes: Axes, lrnn: LRNN, automaton: Automaton, last: int) -> None:
    """The states of a rounded rotation up to the first that is read wrongly."""
    m, codewords = automaton.n_states, on_circle(np.arange(automaton.n_states), automaton.n_states)
    states, state = [], None
    for _ in range(last):
        _, state = scan(lrnn, [[LETTER]], ROUNDED, initial=state, return_state=True)
        states.append(state.hidden[0].double().numpy().ravel())
    for i in range(m):
        axes.plot(*np.stack([[0, 0], 1.3 * on_circle(i + 0.5, m)]).T, color="0.8", linewidth=0.8)
    path = np.array(states)
    read = int(np.square(codewords - path[-1]).sum(axis=1).argmin())
    axes.scatter(*path.T, c=np.arange(last), cmap="cividis", s=7, zorder=2)
    axes.scatter(*codewords.T, s=90, facecolor="none", edgecolor=BLUE, zorder=3)
    axes.annotate(
        f"letter {last}: state {last % m},\nread as {read}", path[-1],
        xytext=(-0.5, -0.15), color=ORANGE,
        arrowprops={"arrowstyle": "-|>", "color": ORANGE}, fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip
    axes.set(title="a linear RNN: rotations, in bfloat16", xlim=(-1.35, 1.35), ylim=(-1.35, 1.35))


def draw_verdicts(axes: Axes, networks: dict[str, LRNN], automaton: Automaton) -> None:
    """For every format the first wrong length, or a proof that there is none."""
    end = 3000
    for row, name in enumerate(FORMATS.values()):
        for i, (kind, lrnn) in enumerate(networks.items()):
            y, colour = row + 0.2 - 0.4 * i, (ORANGE, GREEN)[i]
            found = horizon(lrnn, automaton, name)  # one letter only, so these are all words
            first = found.minimum
            if first is None and not found.never:
                raise SystemExit(f"{kind} in {name}: undecided")
            label = None if row else kind
            axes.barh(y, first or end, height=0.36, color=colour, label=label)
            text = f" {first}" if first else "never wrong: proved "
            axes.text(
                first or end, y, text, va="center", fontsize=8,
                ha="left" if first else "right", color="black" if first else "white",
            )  # fmt: skip
    axes.set_yticks(range(len(FORMATS)), list(FORMATS))
    axes.set(title="a verdict: first wrong length", xscale="log", xlim=(5, end))
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Draw the figure next to this file."""
    matplotlib.rcParams.update({"svg.hashsalt": "lrnn-theory", "font.size": 9})
    automaton = languages.mod(7)
    rotation = compile_dfa(automaton, construction="rotation")
    last = horizon(rotation, automaton, ROUNDED).minimum
    assert last is not None
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    draw_automaton(left, automaton.n_states)
    draw_states(middle, rotation, automaton, last)
    draw_verdicts(right, {"rotation": rotation, "permutations": compile_dfa(automaton)}, automaton)
    for axes in (left, middle):
        axes.set_aspect("equal")
        axes.set_axis_off()
    figure.savefig(Path(__file__).with_name("overview.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
