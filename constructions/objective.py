"""What "the cheapest linear RNN" means: costs, the order in which they count, and exactness."""

from __future__ import annotations

from dataclasses import dataclass

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.exactness import computes_exactly
from lrnn_theory.lrnn import LRNN

_COSTS = {
    "layers": lambda lrnn: lrnn.n_layers,
    "state": lambda lrnn: lrnn.state_size,
    "factors": lambda lrnn: lrnn.max_factors if lrnn.max_factors is not None else float("inf"),
}

OBJECTIVES: dict[str, tuple[str, ...]] = {
    "layers": ("layers", "state", "factors"),
    "state": ("state", "layers", "factors"),
    "factors": ("factors", "layers", "state"),
}
"""What is compared, in order, for every objective; "layers" is the default."""

EXACT_IN = "exact-in:"
"""With a number format after it: only what that format computes exactly, then as "layers"."""


@dataclass(frozen=True)
class Objective:
    """What is compared, in order, among which networks.

    Attributes:
        order: names of costs.
        arithmetic: only networks that it computes exactly compete; None if all do.
    """

    order: tuple[str, ...]
    arithmetic: Arithmetic | None = None

    @classmethod
    def parse(cls, text: str | None) -> Objective:
        """Read "layers", "state", "factors" or "exact-in:FORMAT"; None means "layers".

        Raises:
            ValueError: if the text is no objective.
            TypeError: if it is not text.

        Example:
            >>> str(Objective.parse("exact-in:bfloat16"))
            'layers, then state, then factors, exact in bfloat16:wide+acc=float32'
        """
        text = "layers" if text is None else text
        if not isinstance(text, str):
            raise TypeError(f"Argument 'objective' must be a string, not {type(text).__name__}.")
        if text in OBJECTIVES:
            return cls(OBJECTIVES[text])
        names = f"{', '.join(OBJECTIVES)} or {EXACT_IN}FORMAT"
        if not text.startswith(EXACT_IN):
            raise ValueError(f"Argument 'objective' must be one of {names}, not {text[:100]!r}.")
        try:
            return cls(OBJECTIVES["layers"], Arithmetic.parse(text.removeprefix(EXACT_IN)))
        except ValueError as error:
            raise ValueError(f"Argument 'objective' must be {names}: {error}") from None

    def cost(self, lrnn: LRNN) -> tuple[float, ...]:
        """The costs of a network, in order."""
        return tuple(_COSTS[name](lrnn) for name in self.order)

    def admits(self, lrnn: LRNN) -> bool:
        """Whether a network may compete."""
        if self.arithmetic is None:
            return True
        return computes_exactly(lrnn, self.arithmetic)

    def __str__(self) -> str:
        exact = f", exact in {self.arithmetic}" if self.arithmetic else ""
        return ", then ".join(self.order) + exact
