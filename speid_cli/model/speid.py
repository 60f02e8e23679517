"""The network (Singh et al. 2016, figure 1 and section 2.1).

Shapes: B pairs; Le, Lp windows in bp; K kernels; Te, Tp pooled steps, T = Te + Tp; H LSTM units
each way; D dense units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from speid_cli.model.config import SpeidConfig
from speid_cli.model.convolution import branch, expand
from speid_cli.model.layers import BatchNorm, Dropout
from speid_cli.model.processes import Processes

FEATURES = ("enhancer_conv", "promoter_conv", "feature_norm", "feature_dropout", "lstm", "sequence_norm")


class Speid(nn.Module):
    """Two convolution branches, joined along the sequence, a bidirectional LSTM and a dense layer.

    Batch normalisation stands at the paper's four points: before and after the LSTM, between the
    dense layer and its ReLU, and between the last unit and the sigmoid. Dropout stands where the
    authors' code has it.

    Attributes
    ----------
    has_fast_paths : bool
        Whether the shared-element scorer and the native kernels, which contain these layers a second
        time, may be used. Set it to False where a layer is changed: `forward` is then used everywhere.
    """

    has_fast_paths: ClassVar[bool] = True

    def __init__(self, config: SpeidConfig) -> None:
        super().__init__()
        self.config = c = config
        self._frozen: tuple[str, ...] = ()

        def norm(features: int) -> BatchNorm:
            return BatchNorm(features, eps=c.norm_epsilon, momentum=c.norm_momentum)

        self.enhancer_conv = nn.Conv1d(4, c.n_kernels, c.kernel_length)
        self.promoter_conv = nn.Conv1d(4, c.n_kernels, c.kernel_length)
        self.feature_norm = norm(c.n_kernels)
        self.feature_dropout = Dropout(c.feature_dropout)
        self.lstm = nn.LSTM(c.n_kernels, c.lstm_units, batch_first=True, bidirectional=True)
        self.sequence_norm = norm(2 * c.lstm_units)
        self.sequence_dropout = Dropout(c.sequence_dropout)
        self.dense = nn.Linear(c.steps * 2 * c.lstm_units, c.dense_units)
        self.dense_norm = norm(c.dense_units)
        self.dense_dropout = Dropout(c.dense_dropout)
        self.output = nn.Linear(c.dense_units, 1)
        self.output_norm = norm(1)

    @classmethod
    def with_weights(cls, config: SpeidConfig, state_dict: Mapping[str, Tensor]) -> Speid:
        """A network with copies of these tensors, in evaluation mode."""
        with torch.device("meta"):
            model = cls(config)
        model.load_state_dict({name: values.detach().clone() for name, values in state_dict.items()}, assign=True)
        return model.eval()

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of one-hot enhancers (B, 4, Le) and promoters (B, 4, Lp); differentiable in both."""
        return self.classify(self.sequence_features(enhancer, promoter))

    def logits_of_codes(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of base codes uint8 (B, Le) and (B, Lp)."""
        return self(expand(enhancer), expand(promoter))

    def sequence_features(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Normalised LSTM states (B, T, 2H) of one-hot (B, 4, Le) and (B, 4, Lp): the part that fine-tuning freezes."""
        pool_length = self.config.pool_length
        enhancer = branch(self.enhancer_conv, enhancer, pool_length)  # (B, K, Te)
        promoter = branch(self.promoter_conv, promoter, pool_length)  # (B, K, Tp)
        x = torch.cat([enhancer, promoter], 2).transpose(1, 2)  # (B, T, K)
        x = self.feature_norm(x.flatten(0, 1)).view(x.shape)
        x, _ = self.lstm(self.feature_dropout(x))  # (B, T, 2H)
        return self.sequence_norm(x.flatten(0, 1)).view(x.shape)

    def classify(self, sequence: Tensor) -> Tensor:
        """Logits (B,) of sequence features (B, T, 2H): the part that fine-tuning trains."""
        x = self.sequence_dropout(sequence.flatten(1))  # (B, T * 2H), step by step
        x = self.dense_dropout(F.relu(self.dense_norm(self.dense(x))))  # (B, D)
        return self.output_norm(self.output(x)).squeeze(1)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trainable parameters for an optimiser that adds `weight_decay` times a weight to its gradient.

        This gives the gradient of the L2 penalty on convolution and dense weights (section 2.1).
        """
        penalised = [layer.weight for layer in (self.enhancer_conv, self.promoter_conv, self.dense)]
        ids = {id(weight) for weight in penalised}
        others = [values for values in self.parameters() if id(values) not in ids]
        groups = ((penalised, 2 * self.config.l2_penalty), (others, 0.0))
        return [
            {"params": [values for values in group if values.requires_grad], "weight_decay": decay}
            for group, decay in groups
        ]

    def freeze_features(self) -> None:
        """Fix everything before the dense layer (section 2.2.2): weights, and norms in evaluation mode."""
        self._frozen = FEATURES
        for name in self._frozen:
            self.get_submodule(name).requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Speid:
        """Training or evaluation mode; frozen layers stay in evaluation mode."""
        super().train(mode)
        for name in self._frozen:
            self.get_submodule(name).eval()
        return self

    def use_generator(self, generator: Generator) -> None:
        """Use `generator` for all dropout."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.generator = generator

    def share_batches(self, processes: Processes) -> None:
        """Normalise with the statistics of all processes."""
        for module in self.modules():
            if isinstance(module, BatchNorm):
                module.processes = processes

    def place_in_batch(self, first: int, batch: int) -> None:
        """Tell dropout that the next windows are the pairs from `first` on of a shared batch of `batch` pairs."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.first, module.batch = first, batch
