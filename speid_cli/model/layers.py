"""Batch normalisation and dropout over a batch that several processes may share. R rows; C columns."""

from __future__ import annotations

from typing import cast

import torch
from torch import Generator, Tensor, nn

from speid_cli.model.processes import SINGLE_PROCESS, Processes, sum_with_gradient


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (R, C) with the statistics of the rows of all processes."""

    processes: Processes = SINGLE_PROCESS

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.BatchNorm1d`; gradients of weight and bias are of this process's rows only."""
        if not self.training or self.processes.count == 1:
            return super().forward(x)
        x = x.float()
        rows = int(self.processes.sum(torch.tensor(len(x))))
        mean = sum_with_gradient(self.processes, x.sum(0)) / rows
        centred = x - mean
        variance = sum_with_gradient(self.processes, centred.square().sum(0)) / rows
        self.update_statistics(mean, variance, rows)
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias

    @torch.no_grad()
    def update_statistics(self, mean: Tensor, variance: Tensor, rows: int) -> None:
        """Update the running statistics with those (C,) of a batch of `rows` rows."""
        running = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        for average, value in zip(running, (mean, variance * rows / (rows - 1)), strict=True):
            average.lerp_(value.float(), cast(float, self.momentum))
        cast(Tensor, self.num_batches_tracked).add_(1)


class Dropout(nn.Module):
    """Dropout with its own generator.

    It draws a mask for the whole batch, of which this process has the pairs from `first` on, so that
    the result does not depend on the number of processes.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: Generator | None = None
        self.first, self.batch = 0, 0

    @property
    def drops(self) -> bool:
        """Whether `forward` drops values now."""
        return self.training and self.share > 0

    def forward(self, x: Tensor) -> Tensor:
        """`x` with a share of its values at zero and the others scaled up; `x` itself in evaluation."""
        if not self.drops:
            return x
        keep = 1 - self.share
        drawn = x.new_empty(max(self.batch, len(x)), *x.shape[1:]).bernoulli_(keep, generator=self.generator)
        return x * drawn[self.first : self.first + len(x)].div_(keep)
