"""The one training loop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from speid_cli.dataset.pairs import TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.metrics import METRICS, classification_metrics
from speid_cli.training.batches import epoch_samples
from speid_cli.training.inputs import Inputs

HISTORY_COLUMNS = ("epoch", "training_loss", *(f"validation_{name}" for name in METRICS))
Row = dict[str, Any]


class Observer(Protocol):
    """Who wants to know how training goes."""

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """An epoch of `samples` samples begins."""

    def samples_done(self, samples: int) -> None:
        """A batch is through."""

    def epoch_ended(self, row: Row, best: bool) -> None:
        """The epoch's history row; `best` if it is the best so far."""


@dataclass
class Trainer:
    """Trains what is not frozen of a model on the training subset of a data set.

    Parameters
    ----------
    model : Speid
    inputs : Inputs
        What the samples are: windows, or frozen features.
    dataset : PairDataset
    settings : TrainingConfig
    device : Device
    seed : int
    """

    model: Speid
    inputs: Inputs
    dataset: PairDataset
    settings: TrainingConfig
    device: Device
    seed: int

    def __post_init__(self) -> None:
        self._members = self.dataset.members(TRAIN)
        self._validation = self.dataset.members(VALIDATION)
        self._optimiser = self.device.adam(self.model.parameter_groups(), self.settings.learning_rate)
        self.model.use_generator(torch.Generator(self.device.torch).manual_seed(self.seed))

    def run(self, observer: Observer) -> list[Row]:
        """Train for the epochs of the settings; the model keeps the best or the last weights.

        Returns
        -------
        list of dict
            One row an epoch, with `HISTORY_COLUMNS`.
        """
        history: list[Row] = []
        best, best_state, best_epoch = -math.inf, _state(self.model), 0
        for epoch in range(1, self.settings.epochs + 1):
            training_loss = float(self.steps(epoch, observer))
            logits = self.inputs.evaluation_logits(self._validation)
            if not (math.isfinite(training_loss) and np.isfinite(logits).all()):
                raise DataError(f"training diverged in epoch {epoch}: the loss is no number", hint="try a lower --lr")
            figures = classification_metrics(self.dataset.label[self._validation], logits)
            validation = {f"validation_{name}": value for name, value in figures.items()}
            row = {"epoch": epoch, "training_loss": training_loss, **validation}
            history.append(row)
            improved = (quality := _quality(row)) > best
            if improved or not len(self._validation):
                best, best_state, best_epoch = quality, _state(self.model), epoch
            observer.epoch_ended(row, improved)
            if self.settings.patience and epoch - best_epoch >= self.settings.patience:
                break
        if self.settings.keep == "best":
            self.model.load_state_dict(best_state)
        return history

    def steps(self, epoch: int, observer: Observer) -> Tensor:
        """Train one epoch; its mean loss (), still on the device: no step waits for the device."""
        samples = epoch_samples(self.dataset, self._members, self.settings, self.seed, epoch)
        observer.epoch_begins(epoch, self.settings.epochs, len(samples))
        total = torch.zeros((), device=self.device.torch)
        self.model.train()
        for batch in samples.batches(self.settings.batch_size):
            with self.device.autocast():
                logits = self.inputs.training_logits(batch)
            loss = F.binary_cross_entropy_with_logits(logits.float(), self.inputs.labels(batch))
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._optimiser.step()
            total += loss.detach() * len(batch)
            observer.samples_done(len(batch))
        return total / len(samples)


def check_trainable(dataset: PairDataset) -> None:
    """Refuse a training subset that holds nothing to tell apart.

    Raises
    ------
    DataError
        It lacks positives or negatives.
    """
    members = dataset.members(TRAIN)
    positives = int(dataset.label[members].sum())
    if not 0 < positives < len(members):
        raise DataError(
            f"the training subset has {positives} positives and {len(members) - positives} negatives",
            expected="both",
            hint="prepare with another --split",
        )


def _quality(row: Row) -> float:
    """Validation AUPRC; where it is undefined, minus the validation loss."""
    auprc = row["validation_auprc"]
    value = auprc if not math.isnan(auprc) else -row["validation_loss"]
    return -math.inf if math.isnan(value) else float(value)


def _state(model: Speid) -> dict[str, Tensor]:
    return {name: values.detach().clone() for name, values in model.state_dict().items()}
