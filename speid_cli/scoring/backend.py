"""What a scorer asks of a way to compute the network.

There are three: `PlainBackend` calls the network pair by pair, `TorchBackend` and `NativeBackend` compute
what depends on one element alone once for it. Side 0 is the enhancer, side 1 the promoter.
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
    """One way to compute a network in evaluation; all give the same logits to rounding.

    It keeps elements of each side in numbered slots. Shapes: N elements or pairs; L a window in bp; T
    steps; H LSTM units each way.
    """

    def element_bytes(self, side: int) -> int:
        """Memory of one slot."""

    def allocate(self, enhancers: int, promoters: int) -> None:
        """Make so many slots for each side."""

    def fill(self, side: int, slots: Slots, codes: Codes) -> None:
        """Compute elements with base codes uint8 (N, L) into slots (N,)."""

    def logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """Logits float32 (N,), on the CPU, of pairs of filled slots."""

    def sequence_features(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """What the dense layer is given (N, T, 2H), on the device, of pairs of filled slots."""


def equal_batches(count: int, size: int) -> Iterator[tuple[Slots, int]]:
    """Positions up to `count` in batches of one size, and how many of a batch are new.

    The last batch is filled up with its last position: a matrix product adds up in an order that
    depends on its shape, so that with one shape a score seldom depends on what is computed beside it.
    """
    for start in range(0, count, size):
        yield np.minimum(np.arange(start, start + size), count - 1), min(size, count - start)
