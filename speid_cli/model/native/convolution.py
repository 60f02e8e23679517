"""Convolution and pooling of one branch as table look-ups on the native kernels.

Shapes: B sequences of L bp; K kernels; T pooled steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from speid_cli.model.native.library import Kernels

_GROUP, _GROUP_SYMBOLS = 4, 625  # as in kernels.c
_SEQUENCES = 24  # of one task: they share a block of the table
Task = Callable[[], None]


class Branch(NamedTuple):
    """A convolution's tables: the sums of its weights over all groups of four bases."""

    table: Tensor
    bias: Tensor
    kernel_length: int
    pool_length: int

    @classmethod
    def of(cls, kernels: Kernels, weight: Tensor, bias: Tensor, pool_length: int) -> Branch:
        """Tables of weight (K, 4, length) and a copy of bias (K,), as they are now."""
        weight = weight.detach().contiguous()
        count, _, length = weight.shape
        width = -(-count // kernels.panel) * kernels.panel
        table = kernels.memory.empty(width * -(-length // _GROUP) * _GROUP_SYMBOLS)
        kernels.call("convolution_table", weight, count, length, table)
        return cls(table, bias.detach().clone(), length, pool_length)


def convolve(kernels: Kernels, branch: Branch, index: Tensor, out: Tensor, where: Tensor | None = None) -> None:
    """Fill `out` (B, T, K), and `where` (B, T, K) with the position of each maximum, on this thread.

    Parameters
    ----------
    index : uint16 (B, L)
        From `Kernels.group_codes`.
    """
    kernels.call("convolve", index, len(index), index.shape[1], branch.table, branch.bias, out.shape[2],
                 -(-branch.kernel_length // _GROUP), out.shape[1], branch.pool_length, out, where,
                 out.stride(0))  # fmt: skip


def convolve_tasks(kernels: Kernels, branch: Branch, index: Tensor, out: Tensor, where: Tensor) -> list[Task]:
    """`convolve` cut into tasks for the threads."""
    parts = kernels.spans(len(index), 1, max(kernels.threads, -(-len(index) // _SEQUENCES)))
    return [partial(convolve, kernels, branch, index[part], out[part], where[part]) for part in parts]


def branch_gradients(
    kernels: Kernels, kernel_length: int, pool_length: int, index: Tensor, out: Tensor, gradient: Tensor, where: Tensor
) -> tuple[Tensor, Tensor, list[Task]]:
    """Gradients of weight (K, 4, length) and bias (K,), and the tasks that fill them.

    `out`, `gradient` and `where` are (B, T, K) with one stride between sequences.
    """
    sequences, steps, count = out.shape
    weight, bias = torch.empty(count, 4, kernel_length), torch.empty(count)

    def task(part: slice) -> None:
        kernels.call("convolve_backward", index, sequences, index.shape[1], out, gradient, where, out.stride(0), count,
                     -(-kernel_length // _GROUP), steps, pool_length, kernel_length, part.start, part.stop, weight,
                     bias)  # fmt: skip

    parts = kernels.spans(count, kernels.lanes, 4 * kernels.threads)
    return weight, bias, [partial(task, part) for part in parts]
