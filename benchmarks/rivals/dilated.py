"""A dilated residual convolutional network, after Basenji's trunk (Kelley et al. 2018), on two branches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cnn import onehot


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


class DilatedCnn(nn.Module):
    """A convolution, pooling by 8, residual blocks of dilation 1 to 16 and a global maximum a branch."""

    def __init__(self, channels: int = 64, length: int = 20, units: int = 128) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(4, channels, length), nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(8),
                *(Residual(channels, 2**step) for step in range(5)),
            )
            for _ in range(2)
        )  # fmt: skip
        self.classify = nn.Sequential(
            nn.BatchNorm1d(2 * channels),
            nn.Linear(2 * channels, units),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(units, 1),
        )

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,)."""
        codes = zip(self.branches, (enhancer, promoter), strict=True)
        features = [F.relu(branch(onehot(side))).amax(dim=2) for branch, side in codes]  # (B, C) twice
        return self.classify(torch.cat(features, 1)).squeeze(1)
