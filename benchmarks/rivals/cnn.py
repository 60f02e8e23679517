"""A plain convolutional network, after SIMCNN (Zhuang, Shen and Pan 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def onehot(codes: Tensor) -> Tensor:
    """One-hot (B, 4, L) of base codes (B, L); N is all zeros."""
    return F.one_hot(codes.long(), 5)[..., :4].transpose(1, 2).float()


class PlainCnn(nn.Module):
    """One convolution and a global maximum a branch, then a dense layer on both."""

    def __init__(self, kernels: int = 128, length: int = 24, units: int = 128) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv1d(4, kernels, length) for _ in range(2))
        self.classify = nn.Sequential(
            nn.BatchNorm1d(2 * kernels), nn.Linear(2 * kernels, units), nn.ReLU(), nn.Dropout(0.2), nn.Linear(units, 1)
        )

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,)."""
        codes = zip(self.branches, (enhancer, promoter), strict=True)
        features = [F.relu(branch(onehot(side))).amax(dim=2) for branch, side in codes]  # (B, K) twice
        return self.classify(torch.cat(features, 1)).squeeze(1)
