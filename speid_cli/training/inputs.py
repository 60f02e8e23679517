"""What the training loop is given for a sample: its windows, or features that no longer change."""

from __future__ import annotations

import os
from pathlib import Path
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

# Pairs scored together: their unique elements' features are held at once.
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
        self._model, self._device = model.to(device.torch), device
        self._pairs = PairWindows(dataset, device)
        self.labels = self._pairs.labels

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) of shifted windows."""
        logits: Tensor = self._model(*self._pairs.windows(samples))
        return logits

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of unshifted pairs (N,), each element once a block."""
        scorer = Scorer(self._model, self._device)
        blocks = [scorer.logits(*_block(self._pairs, rows)) for rows in _blocks(members)]
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


class FrozenFeatures:
    """The frozen part has been run; what follows the LSTM learns (Singh et al. 2016, section 2.2.2).

    Frozen layers are in evaluation mode, so the dropout between the convolution and the LSTM is
    off. Features are computed once where those of all pairs fit into a quarter of the memory, and
    else for each batch.
    """

    def __init__(self, model: Speid, dataset: PairDataset, device: Device, members: NDArray[np.int64]) -> None:
        self._model, self._scorer = model, Scorer(model, device)
        self._pairs = PairWindows(dataset, device)
        self.labels = self._pairs.labels
        self._row = np.full(len(dataset), -1, np.int64)
        config = model.config
        needed = len(members) * config.steps * 2 * config.lstm_units * 4
        self._cache: Tensor | None = None
        if needed <= _memory_bytes() // 4:
            self._cache = torch.empty(len(members), config.steps, 2 * config.lstm_units)
            self._row[members] = np.arange(len(members))
            for rows in _blocks(np.arange(len(members))):
                self._cache[rows] = self._compute(members[rows]).float().cpu()

    def training_logits(self, samples: Samples) -> Tensor:
        """Logits (B,) of the learning part."""
        logits: Tensor = self._model.classify(self._features(samples.pair))
        return logits

    def evaluation_logits(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of pairs (N,)."""
        self._model.eval()
        with torch.no_grad(), self._scorer.device.autocast():
            blocks = [self._model.classify(self._features(rows)).float().cpu().numpy() for rows in _blocks(members)]
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)

    def _features(self, pairs: NDArray[np.int64]) -> Tensor:
        if self._cache is None:
            return self._compute(pairs)
        return self._scorer.device.put(self._cache[self._row[pairs]])

    def _compute(self, pairs: NDArray[np.int64]) -> Tensor:
        return self._scorer.sequence_features(*_block(self._pairs, pairs))


def _blocks(members: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [members[start : start + BLOCK_PAIRS] for start in range(0, len(members), BLOCK_PAIRS)]


def _block(
    pairs: PairWindows, members: NDArray[np.int64]
) -> tuple[Tensor, Tensor, NDArray[np.int64], NDArray[np.int64]]:
    """Unique windows of some pairs and where each pair finds its own."""
    enhancers, enhancer_index = np.unique(pairs.dataset.enhancer_index[members], return_inverse=True)
    promoters, promoter_index = np.unique(pairs.dataset.promoter_index[members], return_inverse=True)
    return pairs.enhancers.gather(enhancers), pairs.promoters.gather(promoters), enhancer_index, promoter_index


def _memory_bytes() -> int:
    """Memory of the machine, or of the container that this runs in."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdecimal() else physical
