"""The network (Singh et al. 2016, figure 1 and section 2.1).

Shapes: B pairs; Le, Lp windows in bp; K kernels; Te, Tp pooled steps, T = Te + Tp; H LSTM units
each way; D dense units.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from speid_cli.model.config import SpeidConfig
from speid_cli.model.convolution import branch


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own when training."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """`x` with a share of its values at zero and the others scaled up; `x` itself in evaluation."""
        if not self.training or self.share == 0:
            return x
        keep = 1 - self.share
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)


class Speid(nn.Module):
    """Two convolution branches, joined along the sequence, a bidirectional LSTM and a dense layer.

    Batch normalisation stands at the paper's four points: before and after the LSTM, between the
    dense layer and its ReLU, and between the last unit and the sigmoid. Dropout stands where the
    authors' code has it.

    Parameters
    ----------
    config : SpeidConfig
    """

    def __init__(self, config: SpeidConfig) -> None:
        super().__init__()
        self.config = c = config
        self._frozen: tuple[nn.Module, ...] = ()

        def norm(features: int) -> nn.BatchNorm1d:
            return nn.BatchNorm1d(features, eps=c.norm_epsilon, momentum=c.norm_momentum)

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

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of enhancers (B, Le) and promoters (B, Lp), both as base codes uint8."""
        return self.classify(self.recur(self.enhancer_features(enhancer), self.promoter_features(promoter)))

    def enhancer_features(self, codes: Tensor) -> Tensor:
        """Pooled features (B, K, Te) of enhancers' base codes (B, Le)."""
        return branch(self.enhancer_conv, codes, self.config.pool_length)

    def promoter_features(self, codes: Tensor) -> Tensor:
        """Pooled features (B, K, Tp) of promoters' base codes (B, Lp)."""
        return branch(self.promoter_conv, codes, self.config.pool_length)

    def recur(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Sequence features (B, T, 2H), normalised, of branch features (B, K, Te) and (B, K, Tp)."""
        x = torch.cat([enhancer, promoter], 2)  # (B, K, T)
        x = self.feature_dropout(self.feature_norm(x)).transpose(1, 2)  # (B, T, K)
        x, _ = self.lstm(x)  # (B, T, 2H)
        return self.sequence_norm(x.transpose(1, 2)).transpose(1, 2)

    def classify(self, sequence: Tensor) -> Tensor:
        """Logits (B,) of sequence features (B, T, 2H): what fine-tuning trains."""
        x = self.sequence_dropout(sequence).flatten(1)  # (B, T * 2H), step by step
        x = self.dense_dropout(F.relu(self.dense_norm(self.dense(x))))  # (B, D)
        return self.output_norm(self.output(x)).squeeze(1)

    def penalty(self) -> Tensor:
        """L2 penalty of the weights that learn: convolution and dense (section 2.1)."""
        layers = (self.enhancer_conv, self.promoter_conv, self.dense)
        squares = [layer.weight.square().sum() for layer in layers if layer.weight.requires_grad]
        return self.config.l2_penalty * torch.stack(squares).sum()

    def freeze_features(self) -> None:
        """Fix everything before the dense layer (section 2.2.2): weights, and norms in evaluation mode."""
        self._frozen = (
            self.enhancer_conv,
            self.promoter_conv,
            self.feature_norm,
            self.feature_dropout,
            self.lstm,
            self.sequence_norm,
        )
        for module in self._frozen:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Speid:
        """Training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def use_generator(self, generator: Generator) -> None:
        """Draw all dropout from `generator`."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.generator = generator
