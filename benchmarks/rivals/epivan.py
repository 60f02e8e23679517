"""6-mer embedding, convolution, bidirectional GRU and attention, after EPIVAN (Hong et al. 2020).

The published network starts from 100 pre-trained values a 6-mer; here they are few and learnt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .branches import TwoSided

KMER = 6
UNKNOWN = 4**KMER


def kmers(codes: Tensor) -> Tensor:
    """Index (B, L - 5) of the 6-mer at each position; `UNKNOWN` where it holds an N."""
    windows = codes.long().unfold(1, KMER, 1)  # (B, L - 5, 6)
    index = (windows * 4 ** torch.arange(KMER)).sum(2)
    return torch.where((windows > 3).any(2), UNKNOWN, index)


class EmbeddingGru(TwoSided):
    """Both branches joined along the sequence, read by a GRU each way, and summed by attention."""

    def __init__(self, width: int = 16, kernels: int = 48, length: int = 20, units: int = 50) -> None:
        super().__init__()
        self.embed = nn.ModuleList(nn.Embedding(UNKNOWN + 1, width, padding_idx=UNKNOWN) for _ in range(2))
        self.branches = nn.ModuleList(nn.Conv1d(width, kernels, length) for _ in range(2))
        self.norm, self.drop = nn.BatchNorm1d(kernels), nn.Dropout(0.2)
        self.gru = nn.GRU(kernels, units, batch_first=True, bidirectional=True)
        self.attend = nn.Sequential(nn.Linear(2 * units, units), nn.Tanh(), nn.Linear(units, 1, bias=False))
        self.output = nn.Linear(2 * units, 1)

    def read(self, side: int, codes: Tensor) -> Tensor:
        """Pooled activations (B, K, T)."""
        embedded = self.embed[side](kmers(codes)).transpose(1, 2)  # (B, W, L - 5)
        return F.relu(F.max_pool1d(self.branches[side](embedded), 20))

    def join(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (B,)."""
        x = self.drop(self.norm(torch.cat([enhancer, promoter], 2))).transpose(1, 2)  # (B, T, K)
        states, _ = self.gru(x)  # (B, T, 2H)
        weights = self.attend(states).softmax(1)  # (B, T, 1)
        return self.output((weights * states).sum(1)).squeeze(1)
