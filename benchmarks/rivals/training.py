"""Trains any rival on the pairs that speid trains on, for as much processor time."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import nn
from torch.nn import functional as F

from speid_cli.dataset.pairs import TRAIN, VALIDATION, PairDataset
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.training.batches import PairWindows, Samples, epoch_samples

EVALUATIONS = 20


def train(
    make: Callable[[], nn.Module],
    dataset: PairDataset,
    settings: TrainingConfig,
    processor_seconds: float,
    seed: int,
) -> NDArray[np.float64]:
    """Logits (N,) of all pairs, unshifted, by the weights with the best validation AUPRC.

    Samples are speid's: copies of the positives, shifted as the settings say. Adam at their rate.
    Time is the processor's, validation included, so that a busy machine does not decide.
    """
    start = time.process_time()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, windows = make(), PairWindows(dataset, Device("cpu"))
        optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
        validation, members = dataset.members(VALIDATION), dataset.members(TRAIN)
        best, best_state, epoch, due = -1.0, model.state_dict(), 0, 0.0
        while time.process_time() - start < processor_seconds:
            epoch += 1
            for batch in epoch_samples(dataset, members, settings, seed, epoch).batches(settings.batch_size):
                model.train()
                loss = F.binary_cross_entropy_with_logits(model(*windows.windows(batch)), windows.labels(batch))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                spent = time.process_time() - start
                if spent >= due:
                    due = spent + processor_seconds / EVALUATIONS
                    quality = average_precision_score(dataset.label[validation], logits_of(model, windows, validation))
                    if quality > best:
                        best = quality
                        best_state = {name: values.clone() for name, values in model.state_dict().items()}
                if spent >= processor_seconds:
                    break
        model.load_state_dict(best_state)
        return logits_of(model, windows, np.arange(len(dataset)))


@torch.no_grad()
def logits_of(model: nn.Module, windows: PairWindows, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logits (N,) of unshifted pairs in evaluation mode."""
    model.eval()
    parts = []
    for rows in np.array_split(pairs, max(1, len(pairs) // 256)):
        still = np.zeros(len(rows), np.int64)
        parts.append(model(*windows.windows(Samples(rows, still, still))).double().numpy())
    return np.concatenate(parts)
