"""The one training loop."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from speid_cli.dataset.metrics import METRICS, classification_metrics
from speid_cli.dataset.pairs import TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError, OptionError, Terminated
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.model.processes import Processes
from speid_cli.model.speid import Speid
from speid_cli.training.batches import Samples, epoch_samples
from speid_cli.training.inputs import Inputs
from speid_cli.training.state import TrainingState

HISTORY_COLUMNS = ("epoch", "training_loss", *(f"validation_{name}" for name in METRICS))
Row = dict[str, Any]


class Observer(Protocol):
    """Is told of the progress of training."""

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """An epoch of `samples` samples begins."""

    def samples_done(self, samples: int) -> None:
        """A batch of `samples` samples is done."""

    def epoch_ended(self, row: Row, best: bool) -> None:
        """An epoch ended with this history row; `best` if it is the best so far."""


@dataclass
class TrainingProgress:
    """The progress of training.

    Attributes
    ----------
    epoch, batches, steps : int
        The current epoch, from 1, how many of its batches are done, and all steps so far.
    loss : Tensor ()
        Sum of the losses of the samples of these batches.
    history : list of dict
        One row for each finished epoch.
    average : dict of Tensor
        The moving average of the model's tensors; empty where there is none.
    best, best_epoch, best_state
        The best validation so far, its epoch and its weights.
    start : float
        Validation of the first weights; NaN where they were not validated.
    """

    loss: Tensor
    best_state: dict[str, Tensor]
    epoch: int = 1
    batches: int = 0
    steps: int = 0
    average: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    best: float = -math.inf
    best_epoch: int = 0
    start: float = math.nan


@dataclass
class Trainer:
    """Trains what is not frozen of a model on the training subset of a data set.

    Several processes share each batch: each takes a part, norms use the statistics of the whole batch,
    and gradients are added up.

    With `settings.averaging`, the weights of an epoch are a moving average over the steps, of all tensors
    alike: those that are trained and the running statistics of norms (Polyak and Juditsky 1992; Shamir and
    Zhang 2013, "polynomial decay"). Training itself goes on from the last step.

    Parameters
    ----------
    inputs : Inputs
        Windows of the samples, or their frozen features.
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
        self._processes = self.device.processes
        self._optimiser = self.device.adam(self.model.parameter_groups(), self.settings.learning_rate)
        self._generator = torch.Generator(self.device.torch).manual_seed(self.seed)
        self.model.use_generator(self._generator)
        self.position = TrainingProgress(torch.zeros((), device=self.device.torch), _state(self.model))

    def run(self, observer: Observer, training_state: TrainingState | None = None) -> list[Row]:
        """Train to the last epoch; the model then has the best or the last weights.

        Returns
        -------
        list of dict
            One row an epoch, with `HISTORY_COLUMNS`.

        Raises
        ------
        Terminated
            A signal asked to end the run; the batch was finished and the state saved.
        """
        training_state = training_state or TrainingState()
        with training_state.deferring_signals():
            while not self._is_over():
                self._end_epoch(self.steps(observer, training_state), observer)
                training_state.save(self.state())
                self._stop_if_signalled(training_state)
        position = self.position
        self.model.load_state_dict(position.best_state if self.settings.keep == "best" else self._epoch_state())
        return position.history

    def validate_start(self) -> None:
        """Count the first weights as epoch 0, which may be the best."""
        if len(self._validation):
            figures = classification_metrics(self.dataset.label[self._validation], self._validation_logits())
            quality = _quality({f"validation_{name}": value for name, value in figures.items()})
            self.position.start = self.position.best = quality

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights the model has after `run`, from 1; 0 for the first weights."""
        position = self.position
        return position.best_epoch if self.settings.keep == "best" else len(position.history)

    def steps(self, observer: Observer, training_state: TrainingState) -> int:
        """Train the rest of the current epoch and return its number of samples.

        With a single process, no step waits for the device.
        """
        position, processes = self.position, self._processes
        samples = epoch_samples(self.dataset, self._members, self.settings, self.seed, position.epoch)
        batches = samples.batches(self.settings.batch_size)
        check_shares(batches, processes)
        observer.epoch_begins(position.epoch, self.settings.epochs, len(samples))
        observer.samples_done(sum(map(len, batches[: position.batches])))
        self.model.train()
        for batch in batches[position.batches :]:
            loss, asked = self._step(batch, training_state)
            position.loss += loss * len(batch)
            position.batches, position.steps = position.batches + 1, position.steps + 1
            self._average()
            observer.samples_done(len(batch))
            self._stop_if_signalled(training_state, asked)
            if training_state.due():
                training_state.save(self.state())
        return len(samples)

    def _step(self, batch: Samples, training_state: TrainingState) -> tuple[Tensor, int]:
        """One step on a batch: its loss (), and the signal that any of several processes has noted."""
        rows = self._processes.local_slice(batch)
        part = batch.part(rows)
        self.model.place_in_batch(rows.start, len(batch))
        with self.device.autocast():
            logits = self.inputs.training_logits(part)
        labels = self.inputs.labels(part)
        loss = F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="sum") / len(batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        loss, asked = self._of_all_processes(loss.detach(), training_state.signal)
        self._optimiser.step()
        return loss, asked

    def _of_all_processes(self, loss: Tensor, signal_number: int) -> tuple[Tensor, int]:
        """Add up gradients and loss of all processes; also whether any was asked to end."""
        if self._processes.count == 1:
            return loss, 0
        gradients = [values.grad for values in self.model.parameters() if values.grad is not None]
        asked = loss.new_tensor(float(signal_number > 0))
        flat = self._processes.sum(torch.cat([values.flatten() for values in (*gradients, loss, asked)]))
        *parts, loss, asked = flat.split([*(values.numel() for values in gradients), 1, 1])
        for gradient, values in zip(gradients, parts, strict=True):
            gradient.copy_(values.view_as(gradient))
        return loss[0], signal_number or (signal.SIGTERM if asked > 0 else 0)

    def _average(self) -> None:
        """Move the average towards the weights of this step, whose share falls with the number of steps."""
        position = self.position
        if not self.settings.averaging:
            return
        position.average = position.average or _state(self.model)
        share = 1 / (1 + self.settings.averaging * (position.steps - 1))
        for name, values in self.model.state_dict().items():
            if values.is_floating_point():
                position.average[name].lerp_(values, share)
            else:
                position.average[name].copy_(values)

    def _epoch_state(self) -> dict[str, Tensor]:
        """The weights that count for the current epoch: the average, where there is one."""
        return self.position.average or _state(self.model)

    def _end_epoch(self, samples: int, observer: Observer) -> None:
        """Validate the weights of the epoch, and append its row to the history."""
        position, last = self.position, _state(self.model)
        self.model.load_state_dict(self._epoch_state())
        training_loss, logits = float(position.loss / samples), self._validation_logits()
        if not (math.isfinite(training_loss) and np.isfinite(logits).all()):
            raise DataError(
                f"training diverged in epoch {position.epoch}: the loss is not finite", hint="try a lower --lr"
            )
        figures = classification_metrics(self.dataset.label[self._validation], logits)
        validation = {f"validation_{name}": value for name, value in figures.items()}
        row = {"epoch": position.epoch, "training_loss": training_loss, **validation}
        improved = (quality := _quality(row)) > position.best
        if improved or not len(self._validation):
            position.best, position.best_state, position.best_epoch = quality, _state(self.model), position.epoch
        position.history.append(row)
        position.epoch, position.batches, position.loss = position.epoch + 1, 0, torch.zeros_like(position.loss)
        self.model.load_state_dict(last)
        observer.epoch_ended(row, improved)

    def _validation_logits(self) -> NDArray[np.float32]:
        """Logits of the validation pairs; each process computes its part."""
        logits, part = torch.zeros(len(self._validation)), self._processes.local_slice(self._validation)
        logits[part] = torch.from_numpy(self.inputs.evaluation_logits(self._validation[part]))
        return self._processes.sum(logits).numpy()

    def _is_over(self) -> bool:
        position, patience = self.position, self.settings.patience
        waited = position.epoch - 1 - position.best_epoch
        return position.epoch > self.settings.epochs or bool(patience and position.history and waited >= patience)

    def _stop_if_signalled(self, training_state: TrainingState, asked: int = 0) -> None:
        """End the run on a signal; several processes end at the same step."""
        if signal_number := training_state.signal if self._processes.count == 1 else asked:
            training_state.save(self.state())
            raise Terminated(signal_number)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "generator": self._generator.get_state(),
            "position": vars(self.position),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned.

        Raises
        ------
        DataError
            It is not the state of this training.
        """
        try:
            self.model.load_state_dict(state["model"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._generator.set_state(state["generator"])
            self.position = position = TrainingProgress(**state["position"])
            position.loss = position.loss.to(self.device.torch)
            position.average = {name: values.to(self.device.torch) for name, values in position.average.items()}
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise DataError(
                f"not the state of this training ({str(error).splitlines()[:1]})",
                hint="--force without --resume starts again",
            ) from error


def check_shares(batches: list[Samples], processes: Processes) -> None:
    """Refuse batches with fewer pairs than processes.

    Raises
    ------
    OptionError
        A process would get no pair of a batch.
    """
    if (smallest := min(map(len, batches))) < processes.count:
        raise OptionError(
            f"batches of {smallest} pairs are too small for {processes.count} processes; raise --batch-size"
        )


def _quality(row: Row) -> float:
    """Validation AUPRC; where it is undefined, minus the validation loss."""
    auprc = row["validation_auprc"]
    value = auprc if not math.isnan(auprc) else -row["validation_loss"]
    return -math.inf if math.isnan(value) else float(value)


def _state(model: Speid) -> dict[str, Tensor]:
    return {name: values.detach().clone() for name, values in model.state_dict().items()}
