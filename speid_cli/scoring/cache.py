"""Which slot of a bounded store holds which element."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


class SlotCache:
    """Slots for elements; where all are taken, the least recently used gives way.

    Parameters
    ----------
    capacity : int
        Slots.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._slots: OrderedDict[Hashable, int] = OrderedDict()

    def place(self, keys: Sequence[Hashable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Slots (N,) of distinct keys, and which of the keys (M,) are new, so that their slots must be filled.

        There may be no more keys than slots: `Scorer.spans` sees to it.
        """
        for key in keys:
            if key in self._slots:
                self._slots.move_to_end(key)
        new = [number for number, key in enumerate(keys) if key not in self._slots]
        for number in new:
            full = len(self._slots) == self.capacity
            self._slots[keys[number]] = self._slots.popitem(last=False)[1] if full else len(self._slots)
        return np.array([self._slots[key] for key in keys], np.int64), np.array(new, np.int64)

    def clear(self) -> None:
        """Forget all."""
        self._slots.clear()
