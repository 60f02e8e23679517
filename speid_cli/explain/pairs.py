"""The sampled pairs with mutated elements.

M pairs of the sample; E different elements of one side, of L bp; n mutants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.perturbed import PerturbedScorer

Codes = NDArray[np.uint8]
Rows = NDArray[np.int64]
# Mutants whose windows are held together.
_AT_A_TIME = 4096


class Elements(NamedTuple):
    """The different elements of one side of the sample: base codes (E, L), and the element (M,) of each pair."""

    codes: Codes
    of_pair: Rows


class Mutated(NamedTuple):
    """Windows of one side: base codes (m, L), and which of them each mutant has (n,)."""

    codes: Codes
    row: Rows


class PairScorer:
    """Scores the sampled pairs with other windows in place of their own.

    Attributes
    ----------
    sides : tuple of Elements
        Enhancers and promoters.
    """

    def __init__(
        self,
        model: Speid,
        dataset: PairDataset,
        members: Rows,
        device: Device,
        cache_bytes: int | None = None,
    ) -> None:
        self._scorer = PerturbedScorer(model, device, cache_bytes)
        used = [np.unique(index[members], return_inverse=True) for _, _, index in dataset.sides]
        sides = zip((dataset.enhancers, dataset.promoters), used, strict=True)
        self.sides = tuple(Elements(side.window_codes(rows.tolist()), of_pair) for side, (rows, of_pair) in sides)
        self._size, self._held = len(members), -1

    def logits(
        self, pair: Rows, enhancers: Mutated | None = None, promoters: Mutated | None = None
    ) -> NDArray[np.float32]:
        """Logits (n,) of mutants.

        Parameters
        ----------
        pair : int64 (n,)
            Position in the sample.
        enhancers, promoters : Mutated, optional
            None: the pair's own.
        """
        logits, order = np.empty(len(pair), np.float32), np.argsort(pair, kind="stable")
        for first in range(0, self._size, self._scorer.capacity):
            start, stop = np.searchsorted(pair[order], [first, first + self._scorer.capacity])
            for begin in range(start, stop, _AT_A_TIME):
                self._hold(first)
                rows = order[begin : min(begin + _AT_A_TIME, stop)]
                windows = [None if side is None else side.codes[side.row[rows]] for side in (enhancers, promoters)]
                logits[rows] = self._scorer.logits(pair[rows] - first, *windows)
        return logits

    def silenced(self, side: int, kernels: Sequence[int]) -> NDArray[np.float32]:
        """Logits (len(kernels), M) of the pairs without each of some kernels in one branch."""
        parts = []
        for first in range(0, self._size, self._scorer.capacity):
            self._hold(first)
            parts.append(self._scorer.silenced(side, kernels))
        return np.concatenate(parts, axis=1)

    def _hold(self, first: int) -> None:
        """Hold the pairs from this one on."""
        if first != self._held:
            rows = slice(first, first + self._scorer.capacity)
            self._scorer.hold(*(side.codes[side.of_pair[rows]] for side in self.sides))
            self._held = first
