"""The ideal cast on unary words, decided for all lengths; docs/ideal-cast.md has the proofs."""

from lrnn_theory.ideal_cast.cycle import cycle_values, eventual_cycle, eventual_period
from lrnn_theory.ideal_cast.ranges import Box, Ranges, cycle_ranges, cycle_turns
from lrnn_theory.ideal_cast.unary import (
    EventualCast,
    Unresolved,
    cast_value,
    eventual_cast,
    eventual_power,
)

__all__ = [
    "Box",
    "EventualCast",
    "Ranges",
    "Unresolved",
    "cast_value",
    "cycle_ranges",
    "cycle_turns",
    "cycle_values",
    "eventual_cast",
    "eventual_cycle",
    "eventual_period",
    "eventual_power",
]
