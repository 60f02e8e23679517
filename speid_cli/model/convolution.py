"""One-hot convolution and pooling of one branch.

Shapes: B sequences; L window in bp; K kernels; T pooled steps.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Activations of one piece, in values: they stay inside a CPU's cache between convolution and
# pooling, and do not fill a GPU's memory.
_PIECE, _GPU_PIECE = 1 << 21, 1 << 28
_TABLE_PIECE = 1 << 19
_SYMBOLS = 5  # A, T, C, G and everything else
_GROUP = 4  # bases looked up together


def expand(codes: Tensor) -> Tensor:
    """One-hot float32 (B, 4, L) of base codes uint8 (B, L), on the device of the codes."""
    channels = torch.arange(4, dtype=torch.uint8, device=codes.device)
    return (codes.unsqueeze(1) == channels[:, None]).float()


def branch(convolution: nn.Conv1d, onehot: Tensor, pool_length: int) -> Tensor:
    """Pooled features (B, K, T) of one-hot (B, 4, L): convolution, ReLU, max-pool.

    The batch goes through in pieces, since the activations before pooling are 20 times larger
    than the result. ReLU commutes with the maximum and comes after it.
    """
    values = _PIECE if onehot.device.type == "cpu" else _GPU_PIECE
    size = max(1, values // (convolution.out_channels * onehot.shape[2]))
    pooled = pooled_product if onehot.is_cuda else pooled_convolution
    return F.relu(torch.cat([pooled(convolution, piece, pool_length) for piece in onehot.split(size)]))


def pooled_convolution(convolution: nn.Conv1d, onehot: Tensor, pool_length: int) -> Tensor:
    """Maxima (B, K, T) of the convolution of one-hot (B, 4, L), by PyTorch's convolution."""
    return F.max_pool1d(convolution(onehot), pool_length)


def pooled_product(convolution: nn.Conv1d, onehot: Tensor, pool_length: int) -> Tensor:
    """The same as one matrix product of all windows with all kernels.

    On a GPU this is faster than a convolution of 4 channels. Of the activations before pooling, only the place
    of each maximum is kept for the gradient.
    """
    kernels, channels, length = convolution.weight.shape
    steps = (onehot.shape[2] - length + 1) // pool_length
    windows = onehot.transpose(1, 2).flatten(1).unfold(1, channels * length, channels)[:, : steps * pool_length]
    products = windows @ convolution.weight.transpose(1, 2).reshape(kernels, -1).T  # (B, T * pool_length, K)
    maxima = products.unflatten(1, (steps, pool_length)).max(2).values + cast(Tensor, convolution.bias)
    return maxima.transpose(1, 2)


class TableBranch:
    """The same as `branch`, without gradients, by looking up four bases at a time.

    A one-hot convolution is a sum of one weight a base. Tables hold the sums of all groups of four
    bases, so that a kernel of 40 costs 10 additions a position instead of 160 products.

    Parameters
    ----------
    convolution : nn.Conv1d
        Its weights are copied.
    """

    def __init__(self, convolution: nn.Conv1d, pool_length: int) -> None:
        weight = convolution.weight.detach()  # (K, 4, length)
        self._kernels, _, self._length = weight.shape
        self._groups = -(-self._length // _GROUP)
        self._pool_length = pool_length
        padded = F.pad(weight, (0, self._groups * _GROUP - self._length, 0, _SYMBOLS - 4))
        bases = padded.view(self._kernels, _SYMBOLS, self._groups, _GROUP).permute(2, 3, 1, 0)
        table = bases[:, 0]  # (groups, symbols so far, K)
        for position in range(1, _GROUP):
            table = (table[:, :, None] + bases[:, position, None]).flatten(1, 2)
        self._table = table.flatten(0, 1).contiguous()  # (groups * 625, K)
        self._bias = cast(Tensor, convolution.bias).detach().clone()
        self._offsets = torch.arange(self._groups) * _GROUP
        self._rows = torch.arange(self._groups) * _SYMBOLS**_GROUP

    def __call__(self, codes: Tensor) -> Tensor:
        """Pooled features (B, T, K) of base codes uint8 (B, L)."""
        steps = (codes.shape[1] - self._length + 1) // self._pool_length
        out = torch.empty(len(codes), steps, self._kernels)
        size = max(1, _TABLE_PIECE // (self._pool_length * self._kernels))
        for row, groups in zip(out, self._group_codes(codes), strict=True):
            for first in range(0, steps, size):
                pooled = row[first : first + size]
                positions = torch.arange(len(pooled) * self._pool_length) + first * self._pool_length
                index = groups[positions[:, None] + self._offsets].add_(self._rows)
                sums = F.embedding_bag(index, self._table, mode="sum")
                torch.amax(sums.view(len(pooled), self._pool_length, -1), 1, out=pooled)
        return out.add_(self._bias).relu_()

    def _group_codes(self, codes: Tensor) -> Tensor:
        """Index into a group's table of the four bases from each position on: int64 (B, >= L)."""
        padding = self._groups * _GROUP - self._length + _GROUP - 1
        padded = F.pad(codes, (0, padding), value=_SYMBOLS - 1).long()
        length = padded.shape[1] - _GROUP + 1
        index = padded[:, :length]
        for position in range(1, _GROUP):
            index = index * _SYMBOLS + padded[:, position : position + length]
        return index
