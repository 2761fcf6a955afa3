"""Learning: the architectures of the field as layers, tasks, training, what was learnt.

    layers       Mamba, GLA, DeltaNet, ... as instances of eq. (1); their parallel scans
    tasks        parity, modular arithmetic, groups, any automaton; words drawn on the fly
    training     several seeds side by side, logged and resumable
    curves       accuracy on longer words
    examination  a trained layer as an LRNN: verdict, spectrum, colliding words
    compiled     compiled weights as a start

docs/layers.md and docs/learning.md explain them.  The names below are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrnn_theory.learning.compiled import compiled_start
    from lrnn_theory.learning.curves import Curve, curve, table
    from lrnn_theory.learning.examination import Examination, eigenvalues, examine, to_lrnn
    from lrnn_theory.learning.model import Architecture, Ensemble, Model
    from lrnn_theory.learning.tasks import TASKS, Task, of_automaton
    from lrnn_theory.learning.training import Recipe, Trained, evaluate, train

_HOME = {
    "TASKS": "tasks",
    "Architecture": "model",
    "Curve": "curves",
    "Ensemble": "model",
    "Examination": "examination",
    "Model": "model",
    "Recipe": "training",
    "Task": "tasks",
    "Trained": "training",
    "compiled_start": "compiled",
    "curve": "curves",
    "eigenvalues": "examination",
    "evaluate": "training",
    "examine": "examination",
    "of_automaton": "tasks",
    "table": "curves",
    "to_lrnn": "examination",
    "train": "training",
}

__all__ = [
    "TASKS",
    "Architecture",
    "Curve",
    "Ensemble",
    "Examination",
    "Model",
    "Recipe",
    "Task",
    "Trained",
    "compiled_start",
    "curve",
    "eigenvalues",
    "evaluate",
    "examine",
    "of_automaton",
    "table",
    "to_lrnn",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lrnn_theory.learning' has no attribute {name!r}")
    return getattr(import_module(f"lrnn_theory.learning.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
