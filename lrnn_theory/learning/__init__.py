"""Learning: the architectures of the field as layers, tasks, training, what was learnt.

    layers    Mamba, GLA, DeltaNet, ... as instances of eq. (1); their parallel scans
    tasks     parity, modular arithmetic, groups, any automaton; words drawn on the fly
    training  several seeds side by side, logged and resumable
    curves    accuracy on longer words

docs/layers.md and docs/learning.md explain them.  This package needs torch.
"""

from lrnn_theory.learning.curves import Curve, curve, table
from lrnn_theory.learning.model import Architecture, Ensemble, Model
from lrnn_theory.learning.tasks import TASKS, Task, of_automaton
from lrnn_theory.learning.training import Recipe, Trained, evaluate, train

__all__ = [
    "TASKS",
    "Architecture",
    "Curve",
    "Ensemble",
    "Model",
    "Recipe",
    "Task",
    "Trained",
    "curve",
    "evaluate",
    "of_automaton",
    "table",
    "train",
]
