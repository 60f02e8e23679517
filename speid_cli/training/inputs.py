"""What the training loop is given for a sample: its windows, or features that no longer change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.engine import Scorer
from speid_cli.training.batches import PairWindows, Samples

# Pairs scored together.
BLOCK_PAIRS = 512


class Inputs(Protocol):
    """A source of logits for the training loop."""

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) with gradients for what learns."""

    def labels(self, samples: Samples) -> Tensor:
        """Labels float32 (B,)."""

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of unshifted pairs (N,) in evaluation; may leave the network in that mode."""


class WholeNetwork:
    """Windows go through the whole network, which learns in all its parts."""

    def __init__(self, model: Speid, dataset: PairDataset, device: Device) -> None:
        self._model, self._device = device.prepare_training(model), device
        self._pairs = PairWindows(dataset, device)
        self.labels = self._pairs.labels

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) of shifted windows."""
        logits: Tensor = self._model(*self._pairs.windows(samples))
        return logits

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of unshifted pairs (N,), each element once."""
        return unshifted_logits(self._model, self._pairs, self._device, members)


class FrozenFeatures:
    """The frozen part has been run; what follows the LSTM learns (Singh et al. 2016, section 2.2.2).

    Frozen layers are in evaluation mode, so the dropout between the convolution and the LSTM is
    off. Elements are computed once, as far as a quarter of the memory holds them. So are the
    features of all pairs where another quarter holds them; else a batch's features are put
    together from its elements: the LSTM over the second element only.
    """

    def __init__(self, model: Speid, dataset: PairDataset, device: Device, members: NDArray[np.int64]) -> None:
        self._model = device.prepare_training(model)
        windows = PairWindows(dataset, device)
        self.labels = windows.labels
        self._device, self._pairs = device, UnshiftedPairs(model, windows, device, features=True)
        self._row = np.full(len(dataset), -1, np.int64)
        config = model.config
        needed = len(members) * config.steps * 2 * config.lstm_units * 4
        self._cache: Tensor | None = None
        if needed <= device.memory_bytes // 4:
            cache = torch.empty(len(members), config.steps, 2 * config.lstm_units, device=device.torch)
            for span in self._pairs.spans(members):
                cache[span] = self._pairs.features(members[span])
            self._row[members] = np.arange(len(members))
            self._cache = cache

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) of the learning part."""
        logits: Tensor = self._model.classify(self._features(samples.pair))
        return logits

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of pairs (N,)."""
        self._model.eval()
        with torch.no_grad(), self._device.autocast():
            blocks = [
                self._model.classify(self._features(members[span])).float().cpu().numpy()
                for span in self._pairs.spans(members)
            ]
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)

    def _features(self, pairs: NDArray[np.int64]) -> Tensor:
        if self._cache is None:
            return torch.cat([self._pairs.features(pairs[span]) for span in self._pairs.spans(pairs)])
        return self._cache[self._device.put(self._row[pairs])]


class UnshiftedPairs:
    """The elements of a data set, each scored once for as long as its weights stay.

    Parameters
    ----------
    features : bool
        Whether the scorer will be asked for sequence features.
    """

    def __init__(self, model: Speid, windows: PairWindows, device: Device, features: bool) -> None:
        self._windows, dataset = windows, windows.dataset
        most = len(dataset.enhancers), len(dataset.promoters)
        self.scorer = Scorer(model, device, BLOCK_PAIRS, most_elements=most, features=features)

    def spans(self, members: NDArray[np.int64]) -> Iterator[slice]:
        """Pairs (N,) cut into spans of `BLOCK_PAIRS` at most whose elements the scorer holds together."""
        dataset = self._windows.dataset
        enhancers, promoters = dataset.enhancer_index[members].tolist(), dataset.promoter_index[members].tolist()
        return self.scorer.spans(enhancers, promoters, BLOCK_PAIRS)

    def logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of pairs (N,) that the scorer holds together."""
        return self.scorer.logits(*self._slots(members))

    def features(self, members: NDArray[np.int64]) -> Tensor:
        """Sequence features of pairs (N,) that the scorer holds together."""
        return self.scorer.sequence_features(*self._slots(members))

    def _slots(self, members: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the scorer keeps the elements of pairs (N,), computed where they are new."""
        dataset = self._windows.dataset
        enhancers, left = np.unique(dataset.enhancer_index[members], return_inverse=True)
        promoters, right = np.unique(dataset.promoter_index[members], return_inverse=True)
        first = self.scorer.enhancers.find(
            enhancers.tolist(), lambda some: self._windows.enhancers.gather(np.array(some))
        )
        second = self.scorer.promoters.find(
            promoters.tolist(), lambda some: self._windows.promoters.gather(np.array(some))
        )
        return first[left], second[right]


def unshifted_logits(
    model: Speid, windows: PairWindows, device: Device, members: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Logits of unshifted pairs (N,) of a data set in evaluation, each element once."""
    pairs = UnshiftedPairs(model, windows, device, features=False)
    blocks = [pairs.logits(members[span]) for span in pairs.spans(members)]
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)
