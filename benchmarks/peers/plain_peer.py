"""The network as a plain port to PyTorch has it: modules on whole batches. Needs no speid.

usage: plain_peer.py WORK.npz
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from serve import Work, serve
from torch import Tensor, nn
from torch.nn import functional as F

BATCH = 100


class Plain(nn.Module):
    """Convolution, ReLU, max-pool, norm, dropout, LSTM, norm, dropout, dense, norm, ReLU, dropout, output, norm."""

    def __init__(self) -> None:
        super().__init__()
        self.enhancer, self.promoter = nn.Conv1d(4, 1024, 40), nn.Conv1d(4, 1024, 40)
        self.norms = nn.ModuleList([nn.BatchNorm1d(n) for n in (1024, 200, 925, 1)])
        self.lstm = nn.LSTM(1024, 100, batch_first=True, bidirectional=True)
        self.dense, self.output = nn.Linear(49200, 925), nn.Linear(925, 1)

    def forward(self, enhancer: Tensor, promoter: Tensor) -> Tensor:
        """Logits (N,) of one-hot windows (N, 4, L)."""
        sides = ((self.enhancer, enhancer), (self.promoter, promoter))
        x = torch.cat([F.max_pool1d(F.relu(conv(side)), 20) for conv, side in sides], 2)
        x = F.dropout(self.norms[0](x), 0.25, self.training)
        x = self.lstm(x.transpose(1, 2))[0]
        x = F.dropout(self.norms[1](x.transpose(1, 2)), 0.5, self.training).transpose(1, 2)
        x = F.dropout(F.relu(self.norms[2](self.dense(x.flatten(1)))), 0.5, self.training)
        return self.norms[3](self.output(x)).squeeze(1)


def main() -> None:
    """Serve scoring and training."""
    with np.load(sys.argv[1]) as data:
        sides = [onehot(data[name][:BATCH]) for name in ("enhancers", "promoters")]
        labels = torch.from_numpy(data["labels"][:BATCH].astype(np.float32))

    def scoring() -> Work:
        model = Plain().eval()

        @torch.no_grad()
        def work() -> Tensor:
            return model(*sides)

        return work

    def training() -> Work:
        model = Plain()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-5)

        def work() -> None:
            loss = F.binary_cross_entropy_with_logits(model(*sides), labels)
            for layer in (model.enhancer, model.promoter, model.dense):
                loss = loss + 1e-5 * layer.weight.square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        return work

    serve({"score": scoring, "train": training}, {"PyTorch": torch.__version__})


def onehot(codes: np.ndarray) -> Tensor:
    """One-hot float32 (N, 4, L)."""
    return torch.from_numpy(np.eye(5, 4, dtype=np.float32)[codes]).transpose(1, 2).contiguous()


if __name__ == "__main__":
    main()
