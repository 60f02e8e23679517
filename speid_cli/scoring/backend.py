"""The interface of the three ways to compute scores.

`PlainBackend` calls the network; `TorchBackend` and `NativeBackend` compute the part that depends on one
element only once for each element. Side 0 is the enhancer, side 1 the promoter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Codes = NDArray[np.uint8] | Tensor
Slots = NDArray[np.int64]


class ScoringBackend(Protocol):
    """Computes a network in evaluation mode; all backends give the same logits up to rounding.

    It keeps elements of each side in numbered slots. Shapes: N elements or pairs; L a window in bp; T
    steps; H LSTM units each way.
    """

    def element_bytes(self, side: int) -> int:
        """Memory of one slot."""

    def allocate(self, enhancers: int, promoters: int) -> None:
        """Allocate the slots of each side."""

    def fill(self, side: int, slots: Slots, codes: Codes) -> None:
        """Compute elements with base codes uint8 (N, L) into slots (N,)."""

    def logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """Logits float32 (N,), on the CPU, of pairs of filled slots."""

    def sequence_features(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """Inputs of the dense layer (N, T, 2H), on the device, of pairs of filled slots."""


def equal_batches(count: int, size: int) -> Iterator[tuple[Slots, int]]:
    """Positions 0 to `count` - 1 in batches of equal size, and how many positions of a batch are not padding.

    The last batch is filled up with its last position: the rounding of a matrix product depends on its
    shape, so that with a constant shape a score seldom depends on the other pairs of its batch.
    """
    for start in range(0, count, size):
        yield np.minimum(np.arange(start, start + size), count - 1), min(size, count - start)
