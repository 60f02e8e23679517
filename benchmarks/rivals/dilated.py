"""A dilated residual convolutional network, after Basenji's trunk (Kelley et al. 2018), on two branches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .branches import TwoSided, classifier, onehot


class Residual(nn.Module):
    """x + convolution of the normalised x, with holes."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(channels), nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation), nn.Dropout(0.1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """The same shape (B, C, L)."""
        return x + self.body(x)


class DilatedCnn(TwoSided):
    """A convolution, pooling by 16, residual blocks of dilation 1 to 8 and a global maximum a branch."""

    def __init__(self, channels: int = 48, length: int = 20, units: int = 128) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(4, channels, length), nn.MaxPool1d(16), nn.BatchNorm1d(channels), nn.ReLU(),
                *(Residual(channels, 2**step) for step in range(4)),
            )
            for _ in range(2)
        )  # fmt: skip
        self.classify = classifier(2 * channels, units)

    def read(self, side: int, codes: Tensor) -> Tensor:
        """Highest activations (B, C)."""
        return F.adaptive_max_pool1d(F.relu(self.branches[side](onehot(codes))), 1).squeeze(2)

    def join(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,)."""
        return self.classify(torch.cat([enhancer, promoter], 1)).squeeze(1)
