"""From the logits of one or more networks to probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid

Logits = NDArray[np.floating]
Distances = NDArray[np.int64]
# Log-odds (N,) of one network's logits (N,) and of the pairs' distances (N,) in bp, None where they are not needed.
LogOdds = Callable[[Logits, Distances | None], NDArray[np.float64]]


@dataclass(frozen=True)
class Scale:
    """Probabilities of the mean of the networks' log-odds.

    Attributes
    ----------
    log_odds : tuple of callable
        One for each network; empty: the logits are the log-odds.
    reach_bp : tuple of float, optional
        Lowest and highest distance that the log-odds were learnt from; None where they do not depend on distance.
    """

    log_odds: tuple[LogOdds, ...] = ()
    reach_bp: tuple[float, float] | None = None

    def probabilities(self, logits: Logits, distance_bp: Distances | None = None) -> NDArray[np.float64]:
        """Probabilities (N,) of logits (K, N) of K networks, and distances (N,) where these are needed."""
        found = logits.astype(np.float64)
        if self.log_odds:
            found = np.stack([convert(row, distance_bp) for convert, row in zip(self.log_odds, logits, strict=True)])
        return sigmoid(found.mean(axis=0))

    def outside(self, distance_bp: Distances) -> int:
        """How many distances (N,) are outside those that the log-odds were learnt from."""
        low, high = self.reach_bp or (0, np.inf)
        return int(((distance_bp < low) | (distance_bp > high)).sum())


PLAIN = Scale()
