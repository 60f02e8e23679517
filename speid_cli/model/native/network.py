"""The whole network for training on the native kernels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from speid_cli.model.native.layers import NativeLayers
from speid_cli.model.native.library import Kernels
from speid_cli.model.speid import Speid


class NativeNetwork:
    """What `Speid` computes in training mode, with gradients for the same parameters.

    Parameters
    ----------
    model : Speid
        With `has_fast_paths`, on the CPU.
    kernels : Kernels
    """

    def __init__(self, model: Speid, kernels: Kernels) -> None:
        self._model, self._layers = model, NativeLayers(kernels)

    def logits_of_codes(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of base codes uint8 (B, Le) and (B, Lp)."""
        model, layers = self._model, self._layers
        codes, pool_length = (enhancer, promoter), model.config.pool_length
        x = layers.features(model.enhancer_conv, model.promoter_conv, codes, pool_length)  # (B, T, K)
        x = layers.normalise(model.feature_norm, model.feature_dropout, x)
        x = layers.recur(model.lstm, x)  # (B, T, 2H)
        return self.classify(layers.normalise(model.sequence_norm, None, x))

    def classify(self, sequence: Tensor) -> Tensor:
        """Logits (B,) of sequence features (B, T, 2H)."""
        model = self._model
        x = self._layers.drop(model.sequence_dropout, sequence.flatten(1))  # (B, T * 2H)
        x = self._layers.linear(model.dense, x)
        x = model.dense_dropout(F.relu(model.dense_norm(x)))  # (B, D)
        return model.output_norm(model.output(x)).squeeze(1)
