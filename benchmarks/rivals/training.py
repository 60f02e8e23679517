"""Trains any rival on the pairs that speid trains on, for as much processor time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch.nn import functional as F

from speid_cli.dataset.pairs import TRAIN, VALIDATION, PairDataset
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.training.batches import PairWindows, Samples, epoch_samples

from .branches import TwoSided

VALIDATIONS = 20
_BLOCK = 256


class Trained(NamedTuple):
    """Logits (N,) of all pairs, undefined for training pairs; epochs trained; the best validation AUPRC."""

    logits: NDArray[np.float64]
    epochs: float
    auprc: float


def train(
    make: Callable[[], TwoSided],
    dataset: PairDataset,
    settings: TrainingConfig,
    processor_seconds: float,
    seed: int,
) -> Trained:
    """A rival trained for `processor_seconds`, at the weights that validate best.

    Samples are speid's: copies of the positives, shifted as the settings say. Adam at their rate.
    Time is the processor's, so that a busy machine does not decide; validation is not counted.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, windows = make(), PairWindows(dataset, Device("cpu"))
        optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
        validation, members = dataset.members(VALIDATION), dataset.members(TRAIN)
        best, best_state, spent, trained = -1.0, model.state_dict(), 0.0, 0
        due = [processor_seconds * (number + 1) / VALIDATIONS for number in range(VALIDATIONS)]
        batches = _batches(dataset, members, settings, seed)
        while due:
            batch, start = next(batches), time.process_time()
            model.train()
            loss = F.binary_cross_entropy_with_logits(model(*windows.windows(batch)), windows.labels(batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            spent += time.process_time() - start
            trained += len(batch)
            if spent < due[0]:
                continue
            due = [other for other in due if other > spent]
            quality = average_precision_score(dataset.label[validation], logits_of(model, windows, validation))
            if quality > best:
                best, best_state = quality, {name: values.clone() for name, values in model.state_dict().items()}
        model.load_state_dict(best_state)
        epochs = trained / len(epoch_samples(dataset, members, settings, seed, 1))
        logits, held_out = np.full(len(dataset), np.nan), np.flatnonzero(dataset.subset != TRAIN)
        logits[held_out] = logits_of(model, windows, held_out)
        return Trained(logits, epochs, best)


def _batches(
    dataset: PairDataset, members: NDArray[np.int64], settings: TrainingConfig, seed: int
) -> Iterator[Samples]:
    for epoch in itertools.count(1):
        yield from epoch_samples(dataset, members, settings, seed, epoch).batches(settings.batch_size)


@torch.no_grad()
def logits_of(model: TwoSided, windows: PairWindows, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logits (N,) of unshifted pairs in evaluation mode; each element is read once, as by speid."""
    model.eval()
    dataset, features, slots = windows.dataset, [], []
    sides = ((dataset.enhancers, dataset.enhancer_index), (dataset.promoters, dataset.promoter_index))
    for side, (elements, index) in enumerate(sides):
        used, slot = np.unique(index[pairs], return_inverse=True)
        blocks = np.array_split(used, -(-len(used) // _BLOCK))
        codes = (torch.from_numpy(elements.window_codes(block.tolist())) for block in blocks)
        features.append(torch.cat([model.read(side, block) for block in codes]))
        slots.append(slot)
    parts = [
        model.join(features[0][slots[0][rows]], features[1][slots[1][rows]]).double().numpy()
        for rows in np.array_split(np.arange(len(pairs)), -(-len(pairs) // _BLOCK))
    ]
    return np.concatenate(parts)
