"""The samples of an epoch: which pairs, how often, with which shifts; and their windows on the device.

The data set stays in memory as base codes, one byte a base. Batches are gathered and shifted by
index and expanded to one-hot on the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.dataset.pairs import TRAIN, Elements, PairDataset
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device


@dataclass(frozen=True)
class Samples:
    """Training samples (M,): each a pair with the shifts of its two windows in bp."""

    pair: NDArray[np.int64]
    enhancer_shift: NDArray[np.int64]
    promoter_shift: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pair)

    def part(self, rows: slice) -> Samples:
        """Some of the samples."""
        return Samples(self.pair[rows], self.enhancer_shift[rows], self.promoter_shift[rows])

    def batches(self, size: int) -> list[Samples]:
        """Batches of nearly equal size, at most `size` samples and at least 2."""
        count = max(1, min(-(-len(self) // size), len(self) // 2))
        part, rest = divmod(len(self), count)
        ends = np.cumsum([part + (number < rest) for number in range(count)]).tolist()
        return [self.part(slice(start, end)) for start, end in zip([0, *ends], ends, strict=False)]


def epoch_samples(
    dataset: PairDataset, members: NDArray[np.int64], settings: TrainingConfig, seed: int, epoch: int
) -> Samples:
    """The samples of one epoch, in random order (Singh et al. 2016, section 2.2.1).

    Each negative occurs once, each positive `settings.copies` times (0: as often as balances the
    classes). Shifts are uniform over
    each element's range, both ends included, drawn anew each epoch unless fixed.
    """
    order = np.random.default_rng([seed, epoch])
    draw = np.random.default_rng([seed, 0, 1]) if settings.fixed_shifts else order
    positive = dataset.label[members] == 1
    repeats = np.where(positive, copies_of_positives(dataset, settings), 1)
    pair = np.repeat(members, repeats)
    shifted = np.full(len(pair), settings.shift == "all")
    if settings.shift == "positives":
        shifted = dataset.label[pair] == 1
    enhancer_shift = _shifts(dataset.enhancers, dataset.enhancer_index[pair], shifted, draw)
    promoter_shift = _shifts(dataset.promoters, dataset.promoter_index[pair], shifted, draw)
    rows = order.permutation(len(pair))
    return Samples(pair[rows], enhancer_shift[rows], promoter_shift[rows])


def copies_of_positives(dataset: PairDataset, settings: TrainingConfig) -> int:
    """How often each positive of the training subset occurs in an epoch."""
    label = dataset.label[dataset.members(TRAIN)]
    return settings.copies or max(1, round(int((label == 0).sum()) / max(int(label.sum()), 1)))


def _shifts(
    elements: Elements, index: NDArray[np.int32], shifted: NDArray[np.bool_], draw: np.random.Generator
) -> NDArray[np.int64]:
    lowest, highest = elements.shift[index].astype(np.int64).T
    return np.where(shifted, draw.integers(lowest, highest, endpoint=True), 0)


class Windows:
    """One side's elements on the device, ready to be cut into windows."""

    def __init__(self, elements: Elements, device: Device) -> None:
        self._codes = device.put(elements.codes()).flatten()
        self._width, self._margin = elements.width, elements.margin
        self._offsets = device.put(np.arange(elements.window))
        self._device = device

    def gather(self, index: NDArray[np.integer], shift: NDArray[np.int64]) -> Tensor:
        """Base codes uint8 (B, window) of elements (B,), with windows shifted by (B,) bp."""
        start = index.astype(np.int64) * self._width + self._margin + shift
        return torch.take(self._codes, self._device.put(start)[:, None] + self._offsets)


class PairWindows:
    """Both sides of a data set on the device."""

    def __init__(self, dataset: PairDataset, device: Device) -> None:
        self.dataset = dataset
        self.enhancers = Windows(dataset.enhancers, device)
        self.promoters = Windows(dataset.promoters, device)
        self._labels = device.put(dataset.label.astype(np.float32))
        self._device = device

    def windows(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Base codes (B, Le) and (B, Lp) of samples."""
        enhancer = self.dataset.enhancer_index[samples.pair]
        promoter = self.dataset.promoter_index[samples.pair]
        return (
            self.enhancers.gather(enhancer, samples.enhancer_shift),
            self.promoters.gather(promoter, samples.promoter_shift),
        )

    def labels(self, samples: Samples) -> Tensor:
        """Labels float32 (B,) of samples."""
        return self._labels[self._device.put(samples.pair)]
