"""Logits of pairs from a trained network: each unique element's convolution once, then the pairs.

Shapes: U unique enhancers, V unique promoters, N pairs, T steps, H LSTM units each way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.model.device import Device
from speid_cli.model.speid import Speid

Codes = NDArray[np.uint8] | Tensor


class Scorer:
    """A network in evaluation, on a device.

    Parameters
    ----------
    model : Speid
        Moved to the device; its mode is left as it is between calls.
    device : Device
    batch_size : int
        Pairs that go through the LSTM together.
    """

    def __init__(self, model: Speid, device: Device, batch_size: int = 100) -> None:
        self.model = model.to(device.torch)
        self.device, self.batch_size = device, batch_size

    def logits(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> NDArray[np.float32]:
        """Logits (N,) of pairs of elements.

        Parameters
        ----------
        enhancers, promoters : uint8 (U, Le), (V, Lp)
            Base codes of the windows.
        enhancer_index, promoter_index : int (N,)
            The elements of each pair.
        """
        batches = self._sequence_features(enhancers, promoters, enhancer_index, promoter_index)
        logits = [self.classify(features) for features in batches]
        return np.concatenate(logits) if logits else np.empty(0, np.float32)

    def sequence_features(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> Tensor:
        """What the dense layer is given (N, T, 2H), on the device; arguments as for `logits`."""
        return torch.cat(list(self._sequence_features(enhancers, promoters, enhancer_index, promoter_index)))

    def classify(self, features: Tensor) -> NDArray[np.float32]:
        """Logits (N,) of sequence features (N, T, 2H)."""
        with _evaluating(self.model), self.device.autocast():
            logits: NDArray[np.float32] = self.model.classify(features).float().cpu().numpy()
        return logits

    def _sequence_features(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> Iterator[Tensor]:
        first = self._branch(self.model.enhancer_features, enhancers)
        second = self._branch(self.model.promoter_features, promoters)
        for start in range(0, len(enhancer_index), self.batch_size):
            rows = slice(start, start + self.batch_size)
            left, right = (self.device.put(index[rows].astype(np.int64)) for index in (enhancer_index, promoter_index))
            with _evaluating(self.model), self.device.autocast():
                features = self.model.recur(first[left], second[right])
            yield features

    def _branch(self, features: Callable[[Tensor], Tensor], codes: Codes) -> Tensor:
        with _evaluating(self.model), self.device.autocast():
            return torch.cat([features(piece) for piece in self.device.put(codes).split(self.batch_size)])


@contextmanager
def _evaluating(model: Speid) -> Iterator[None]:
    """Evaluation mode and no gradients; the model's own mode comes back afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
