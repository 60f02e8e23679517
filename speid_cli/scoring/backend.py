"""What the scorer keeps of single elements, and what a route of computing it has to do.

Shapes: S slots, N pairs, T steps of one side (Te, Tp), H LSTM units, D dense units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Codes = NDArray[np.uint8] | Tensor


@dataclass(frozen=True)
class ElementStates:
    """States of the elements of one side, each in a slot.

    Attributes
    ----------
    hidden, cell : (S, H)
        Where the direction that meets this side first ends, and so where it enters the other side.
    share : (S, D)
        The dense layer's share of what depends on this element alone.
    gates : (S, T, 4H)
        Gate inputs of the other direction, which waits for a partner.
    first_pass : (S, T, H), optional
        States of the direction that meets this side first, where they are asked for.
    """

    hidden: Tensor
    cell: Tensor
    share: Tensor
    gates: Tensor
    first_pass: Tensor | None = None


class ScoringBackend(Protocol):
    """One way to compute; all give the same to rounding. Side 0 is the enhancer, side 1 the promoter."""

    def element_bytes(self, side: int) -> int:
        """Memory of one slot."""

    def allocate(self, side: int, slots: int) -> ElementStates:
        """Empty slots."""

    def fill(self, side: int, states: ElementStates, slots: NDArray[np.int64], codes: Codes) -> None:
        """Compute the elements with base codes (N, L) into slots (N,)."""

    def logits(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> Tensor:
        """Logits (N,), on the CPU, of pairs of an enhancer's slot and a promoter's."""

    def pair_states(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Forward states over the promoter (N, Tp, H), backward states over the enhancer (N, Te, H)."""
