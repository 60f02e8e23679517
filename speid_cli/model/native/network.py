"""The whole network for training on the native kernels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from speid_cli.model.layers import BatchNorm, Dropout
from speid_cli.model.native.layers import Drop, Features, Linear, Normalise, Recur
from speid_cli.model.native.library import Kernels
from speid_cli.model.speid import Speid


class NativeNetwork:
    """What `Speid` computes in training mode, with gradients for the same parameters.

    Parameters
    ----------
    model : Speid
        With `has_fast_paths`, on the CPU.
    """

    def __init__(self, model: Speid, kernels: Kernels) -> None:
        self._model, self._kernels = model, kernels

    def logits_of_codes(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of base codes uint8 (B, Le) and (B, Lp)."""
        model, sides = self._model, (self._model.enhancer_conv, self._model.promoter_conv)
        weights = [values for side in sides for values in (side.weight, side.bias)]
        x = Features.apply(self._kernels, (enhancer, promoter), model.config.pool_length, *weights)  # (B, T, K)
        x = self._normalise(model.feature_norm, model.feature_dropout, x)
        x = Recur.apply(self._kernels, x, *model.lstm.all_weights[0], *model.lstm.all_weights[1])  # (B, T, 2H)
        return self.classify(self._normalise(model.sequence_norm, None, x))

    def classify(self, sequence: Tensor) -> Tensor:
        """Logits (B,) of sequence features (B, T, 2H)."""
        model = self._model
        x = Drop.apply(self._kernels, model.sequence_dropout, sequence.flatten(1))  # (B, T * 2H)
        x = Linear.apply(self._kernels, x, model.dense.weight, model.dense.bias)
        x = model.dense_dropout(F.relu(model.dense_norm(x)))  # (B, D)
        return model.output_norm(model.output(x)).squeeze(1)

    def _normalise(self, norm: BatchNorm, dropout: Dropout | None, x: Tensor) -> Tensor:
        return Normalise.apply(self._kernels, norm, dropout, x, norm.weight, norm.bias)
