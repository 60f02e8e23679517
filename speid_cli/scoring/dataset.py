"""Scores of the unshifted pairs of a data set. N, M pairs; T steps; H LSTM units each way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError
from speid_cli.model.config import SpeidConfig
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.scorer import Scorer

# Pairs whose sequence features, which are large, are held together.
PAIRS_AT_A_TIME = 512


class DatasetScorer:
    """Scores the pairs of a data set with the current weights of a network, computing each element once.

    Parameters
    ----------
    features : bool
        Whether `sequence_features` will be called.
    """

    def __init__(self, model: Speid, dataset: PairDataset, device: Device, features: bool = False) -> None:
        self._dataset, sides = dataset, (dataset.enhancers, dataset.promoters)
        most = len(sides[0]), len(sides[1])
        read = sides[0].window_codes, sides[1].window_codes
        self._scorer = Scorer[int](model, device, read, most_elements=most, features=features)

    def logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (N,) of pairs (N,) by their position in the data set."""
        return self._scorer.logits(*self._elements(members))

    def sequence_features(self, members: NDArray[np.int64]) -> Iterator[Tensor]:
        """Inputs of the dense layer (M, T, 2H), on the device, of successive parts of the pairs."""
        for start in range(0, len(members), PAIRS_AT_A_TIME):
            yield from self._scorer.sequence_features(*self._elements(members[start : start + PAIRS_AT_A_TIME]))

    def _elements(self, members: NDArray[np.int64]) -> tuple[list[int], list[int]]:
        dataset = self._dataset
        return dataset.enhancer_index[members].tolist(), dataset.promoter_index[members].tolist()


def check_windows(config: SpeidConfig, dataset: PairDataset) -> None:
    """Refuse a data set with other windows than the network's.

    Raises
    ------
    DataError
        Either window differs.
    """
    windows = (dataset.enhancers.window, dataset.promoters.window)
    if windows != (config.enhancer_window, config.promoter_window):
        raise DataError(
            f"windows of {windows[0]} and {windows[1]} bp",
            expected=f"the model's {config.enhancer_window} and {config.promoter_window} bp",
        )
