"""Ways of training that the learning bench compares with the presets' and that the package does not have."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from speid_cli.model.layers import BatchNorm
from speid_cli.training.batches import PairWindows, Samples, epoch_samples
from speid_cli.training.state import TrainingState
from speid_cli.training.trainer import Observer, Trainer

_BATCHES = 40


class Falling(Trainer):
    """The learning rate falls linearly to zero over all epochs."""

    def _step(self, batch: Samples, training_state: TrainingState) -> tuple[Tensor, int]:
        samples = epoch_samples(self.dataset, self._members, self.settings, self.seed, 1)
        steps = self.settings.epochs * len(samples.batches(self.settings.batch_size))
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * (1 - self.position.steps / steps)
        return super()._step(batch, training_state)


class Clipping(Trainer):
    """Gradients are scaled down to a norm of 1 where they are longer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parameters = [values for values in self.model.parameters() if values.requires_grad]
        self._optimiser.register_step_pre_hook(lambda *_: _clip(parameters))


def _clip(parameters: list[nn.Parameter]) -> None:
    nn.utils.clip_grad_norm_(parameters, 1.0)


class Estimating(Trainer):
    """Norms get the mean statistics of 40 training batches at the weights of the epoch's last step."""

    @torch.no_grad()
    def _end_epoch(self, samples: int, observer: Observer) -> None:
        norms = [layer for layer in self.model.modules() if isinstance(layer, BatchNorm) and layer.training]
        momentum = [norm.momentum for norm in norms]
        batches = epoch_samples(self.dataset, self._members, self.settings, self.seed, 0)
        for number, batch in enumerate(batches.batches(self.settings.batch_size)[:_BATCHES], 1):
            for norm in norms:
                norm.momentum = 1 / number
            self.model.place_in_batch(0, len(batch))
            self.inputs.training_logits(batch)
        for norm, value in zip(norms, momentum, strict=True):
            norm.momentum = value
        super()._end_epoch(samples, observer)


class EitherStrand(PairWindows):
    """Windows of either strand, drawn for each sample from its shifts and its pair."""

    def windows(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Base codes (B, Le) and (B, Lp), both windows reverse-complemented or neither."""
        seeds = np.stack([samples.pair, samples.enhancer_shift, samples.promoter_shift], 1) % 2
        reverse = torch.from_numpy(seeds.sum(1) % 2 == 1)[:, None]
        complement = torch.tensor([1, 0, 3, 2, 4], dtype=torch.uint8)  # of A, T, C, G, N
        enhancer, promoter = super().windows(samples)
        return (
            torch.where(reverse, complement[enhancer.long()].flip(1), enhancer),
            torch.where(reverse, complement[promoter.long()].flip(1), promoter),
        )
