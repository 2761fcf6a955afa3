"""How a network ends on the words u w^k: from which length on it is periodic, and how."""

from lrnn_theory.eventual.casts import UnsettledError
from lrnn_theory.eventual.lengths import Lengths
from lrnn_theory.eventual.network import Settled, below, settle
from lrnn_theory.eventual.orbits import Orbit, Runner, cycle_of, orbit, runner
from lrnn_theory.eventual.streams import Stream
from lrnn_theory.eventual.unity import multiply, rational_form, square_matrix, to_fmpq, unity_orders

__all__ = [
    "Lengths",
    "Orbit",
    "Runner",
    "Settled",
    "Stream",
    "UnsettledError",
    "below",
    "cycle_of",
    "multiply",
    "orbit",
    "rational_form",
    "runner",
    "settle",
    "square_matrix",
    "to_fmpq",
    "unity_orders",
]
