"""A plain convolutional network, after SIMCNN (Zhuang, Shen and Pan 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .branches import TwoSided, classifier, onehot


class PlainCnn(TwoSided):
    """One convolution and a global maximum a branch, then a dense layer on both."""

    def __init__(self, kernels: int = 64, length: int = 24, units: int = 128) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv1d(4, kernels, length) for _ in range(2))
        self.classify = classifier(2 * kernels, units)

    def read(self, side: int, codes: Tensor) -> Tensor:
        """Highest activations (B, K)."""
        return F.relu(F.adaptive_max_pool1d(self.branches[side](onehot(codes)), 1)).squeeze(2)

    def join(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,)."""
        return self.classify(torch.cat([enhancer, promoter], 1)).squeeze(1)
