"""Inputs of the training loop: windows, or the features of frozen layers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.dataset import PAIRS_AT_A_TIME, DatasetScorer
from speid_cli.training.batches import PairWindows, Samples


class Inputs(Protocol):
    """A source of logits for the training loop."""

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) with gradients for the trainable parameters."""

    def labels(self, samples: Samples) -> Tensor:
        """Labels float32 (B,)."""

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of unshifted pairs (N,) in evaluation; may leave the network in that mode."""


class WholeNetwork:
    """Windows; the whole network is trained."""

    def __init__(self, model: Speid, dataset: PairDataset, device: Device) -> None:
        self._network, self._model, self._dataset, self._device = device.prepare_training(model), model, dataset, device
        self._pairs = PairWindows(dataset, device)
        self.labels = self._pairs.labels

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) of shifted windows."""
        return self._network.logits_of_codes(*self._pairs.windows(samples))

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of unshifted pairs (N,), each element computed once."""
        return DatasetScorer(self._model, self._dataset, self._device).logits(members)


class FrozenFeatures:
    """Features of the frozen layers; the layers after the LSTM are trained (Singh et al. 2016, section 2.2.2).

    Frozen layers are in evaluation mode, so the dropout between the convolution and the LSTM is
    off. Elements are computed once, as far as they fit into a quarter of the memory. The features
    of all pairs are computed once if they fit into another quarter; otherwise those of a batch are
    computed from its elements each time.
    """

    def __init__(self, model: Speid, dataset: PairDataset, device: Device, members: NDArray[np.int64]) -> None:
        self._network, self._model, self._device = device.prepare_training(model), model, device
        self._scorer = DatasetScorer(model, dataset, device, features=True)
        self._labels = device.put(dataset.label.astype(np.float32))
        self._row = np.full(len(dataset), -1, np.int64)
        config = model.config
        needed = len(members) * config.steps * 2 * config.lstm_units * 4
        self._cache: Tensor | None = None
        if len(members) and needed <= device.memory_bytes // 4:
            self._row[members] = np.arange(len(members))
            cache, done = torch.empty(len(members), config.steps, 2 * config.lstm_units, device=device.torch), 0
            for features in self._scorer.sequence_features(members):
                cache[done : done + len(features)] = features
                done += len(features)
            self._cache = cache

    def labels(self, samples: Samples) -> Tensor:
        """Labels float32 (B,) of samples."""
        return self._labels[self._device.put(samples.pair)]

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) of the trained layers."""
        return self._network.classify(self._features(samples.pair))

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of pairs (N,)."""
        self._model.eval()
        parts = [np.empty(0, np.float32)]
        with torch.no_grad(), self._device.autocast():
            for start in range(0, len(members), PAIRS_AT_A_TIME):
                features = self._features(members[start : start + PAIRS_AT_A_TIME])
                parts.append(self._model.classify(features).float().cpu().numpy())
        return np.concatenate(parts)

    def _features(self, pairs: NDArray[np.int64]) -> Tensor:
        if self._cache is None:
            return torch.cat(list(self._scorer.sequence_features(pairs)))
        return self._cache[self._device.put(self._row[pairs])]
