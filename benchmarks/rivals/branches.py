"""What the rivals share: a part that reads one side and a part that joins both."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TwoSided(nn.Module):
    """A network whose sides meet late, so that an element in many pairs can be read once."""

    def read(self, side: int, codes: Tensor) -> Tensor:
        """Features (B, ...) of base codes (B, L) of enhancers (side 0) or promoters (side 1)."""
        raise NotImplementedError

    def join(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of both sides' features."""
        raise NotImplementedError

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,) of base codes."""
        return self.join(self.read(0, enhancer), self.read(1, promoter))


def onehot(codes: Tensor) -> Tensor:
    """One-hot (B, 4, L) of base codes (B, L); N is all zeros."""
    return (codes[:, None] == torch.arange(4, dtype=codes.dtype)[:, None]).float()


def classifier(features: int, units: int) -> nn.Sequential:
    """Norm, a dense layer and one unit."""
    return nn.Sequential(
        nn.BatchNorm1d(features), nn.Linear(features, units), nn.ReLU(), nn.Dropout(0.2), nn.Linear(units, 1)
    )
