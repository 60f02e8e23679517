"""Calls the network batch by batch: works for any network, and the other backends are tested against it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from speid_cli.model.convolution import expand
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, Slots, equal_batches


class PlainBackend:
    """Scores with a copy of a network; its slots hold base codes.

    Parameters
    ----------
    batch_size : int
        Pairs that go through the network together.
    """

    def __init__(self, model: Speid, device: Device, batch_size: int) -> None:
        self._model = type(model).with_weights(model.config, model.state_dict()).to(device.torch)
        self._device, self._batch_size = device, batch_size
        self._windows = model.config.enhancer_window, model.config.promoter_window

    def element_bytes(self, side: int) -> int:
        """See `ScoringBackend`."""
        return self._windows[side]

    def allocate(self, enhancers: int, promoters: int) -> None:
        """See `ScoringBackend`."""
        counts = zip((enhancers, promoters), self._windows, strict=True)
        self._codes = [torch.empty(shape, dtype=torch.uint8, device=self._device.torch) for shape in counts]

    def fill(self, side: int, slots: Slots, codes: Codes) -> None:
        """See `ScoringBackend`."""
        self._codes[side][self._device.put(slots)] = self._device.put(codes)

    def logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """See `ScoringBackend`."""
        return self._in_batches(self._model, enhancers, promoters).float().cpu()

    def sequence_features(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """See `ScoringBackend`."""
        return self._in_batches(self._model.sequence_features, enhancers, promoters).float()

    @torch.no_grad()
    def _in_batches(self, function: Callable[[Tensor, Tensor], Tensor], *slots: Slots) -> Tensor:
        parts = [torch.empty(0, device=self._device.torch)]
        with self._device.autocast():
            for some, count in equal_batches(len(slots[0]), self._batch_size):
                first, second = (
                    expand(codes[self._device.put(rows[some])]) for codes, rows in zip(self._codes, slots, strict=True)
                )
                parts.append(function(first, second)[:count])
        return torch.cat(parts[1:] or parts)
