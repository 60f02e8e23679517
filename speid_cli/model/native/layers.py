"""The network's layers for training on the native kernels; dropout draws other masks than PyTorch's.

Shapes: B pairs; T steps, Te of them the enhancer's; K kernels; H LSTM units each way; R rows; C
columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from speid_cli.model.layers import BatchNorm, Dropout
from speid_cli.model.native.convolution import Branch, branch_gradients, convolve_tasks
from speid_cli.model.native.library import Dropped, Kernels
from speid_cli.model.native.recurrence import Direction, recur, recur_backward
from speid_cli.model.processes import Processes

Gradients = tuple[Tensor | None, ...]
LONGEST_POOL = 2**16  # where a maximum was found is kept in 16 bits


class Features(Function):
    """Pooled features (B, T, K) of base codes (B, Le) and (B, Lp): convolution, ReLU, max-pool."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, codes: tuple[Tensor, Tensor], pool_length: int, *weights: Tensor) -> Tensor:
        """The layer's output; keeps what its gradient needs."""
        pairs, kernel_length = len(codes[0]), weights[0].shape[2]
        steps = [(side.shape[1] - kernel_length + 1) // pool_length for side in codes]
        out = kernels.memory.empty(pairs, sum(steps), len(weights[0]))
        ctx.kernels, ctx.branches, tasks = kernels, [], []
        ctx.where = kernels.memory.empty(*out.shape, dtype=torch.uint16)
        for side, first, count in zip((0, 1), (0, steps[0]), steps, strict=True):
            part = slice(first, first + count)
            branch = Branch.of(kernels, weights[2 * side], weights[2 * side + 1], pool_length)
            index = kernels.group_codes(codes[side])
            ctx.branches.append((branch.kernel_length, pool_length, index, part))
            tasks += convolve_tasks(kernels, branch, index, out[:, part], ctx.where[:, part])
        kernels.run(tasks)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Gradients of what `forward` was given; None where there is none."""
        (out,) = ctx.saved_tensors
        gradient, tasks, results = gradient.contiguous(), [], []
        for kernel_length, pool_length, index, part in ctx.branches:
            weight, bias, some = branch_gradients(
                ctx.kernels, kernel_length, pool_length, index, out[:, part], gradient[:, part], ctx.where[:, part]
            )
            tasks += some
            results += [weight, bias]
        ctx.kernels.run(tasks)
        return (None, None, None, *results)


class Normalise(Function):
    """Batch normalisation of x (..., C) in training, over all but its last dimension, then dropout."""

    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, norm: BatchNorm, dropout: Dropout | None, x: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """The layer's output; keeps what its gradient needs."""
        flat = x.flatten(0, -2).contiguous()
        rows = len(flat)
        shift = flat[0].clone()
        first, second = _moments(kernels, flat, shift) / rows
        rows, mean, variance = _of_all(norm.processes, rows, first + shift, second - first * first)
        norm.update_statistics(mean, variance, rows)
        ctx.inverse = torch.rsqrt(variance + norm.eps)
        ctx.dropping = dropping = _Dropping.of(dropout, len(flat) // len(x))
        ctx.kernels, ctx.mean, ctx.rows, ctx.processes = kernels, mean.float(), rows, norm.processes
        scale = weight * ctx.inverse / dropping.keep
        ctx.save_for_backward(flat, weight)
        offset = bias / dropping.keep - mean * scale
        return _affine(kernels, flat, scale.float(), offset.float(), dropping).view(x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Gradients of what `forward` was given; None where there is none."""
        flat, weight = ctx.saved_tensors
        kernels, dropping, (rows, columns) = ctx.kernels, ctx.dropping, flat.shape
        shape, gradient = gradient.shape, gradient.reshape(flat.shape)
        kept = kernels.memory.empty(rows, columns)

        def moments(part: slice) -> Tensor:
            sums = torch.zeros(2, columns, dtype=torch.float64)
            kernels.call("normalise_moments", gradient[part], flat[part], dropping.first_row + part.start,
                         part.stop - part.start, columns, ctx.mean, dropping.dropped, kept[part], sums)  # fmt: skip
            return sums

        parts = kernels.spans(rows, 64)
        own = torch.stack(kernels.parallel(moments, parts)).sum(0) / dropping.keep
        total, product = ctx.processes.sum(own.clone())
        scale = weight * ctx.inverse
        constant, slope = scale * total / ctx.rows, scale * ctx.inverse**2 * product / ctx.rows
        fixed = [value.float() for value in (ctx.mean, scale / dropping.keep, constant, slope)]

        def combine(part: slice) -> None:
            kernels.call("normalise_backward", kept[part], flat[part], part.stop - part.start, columns, *fixed)

        kernels.parallel(combine, parts)
        return None, None, None, kept.view(shape), (own[1] * ctx.inverse).float(), own[0].float()


class Drop(Function):
    """Dropout of x (B, C)."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, dropout: Dropout, x: Tensor) -> Tensor:
        """The layer's output; keeps what its gradient needs."""
        ctx.kernels, ctx.dropping = kernels, _Dropping.of(dropout, 1)
        return _scaled(kernels, x, ctx.dropping) if dropout.drops else x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Gradients of what `forward` was given; None where there is none."""
        return None, None, _scaled(ctx.kernels, gradient, ctx.dropping) if ctx.dropping.keep < 1 else gradient


class Recur(Function):
    """States (B, T, 2H) of both directions of an LSTM over x (B, T, K)."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, *weights: Tensor) -> Tensor:
        """The layer's output; keeps what its gradient needs."""
        pairs, steps, features = x.shape
        units = weights[1].shape[1]
        x = x.contiguous()
        projection = torch.cat([weights[0], weights[4]])  # (8H, K)
        bias = torch.cat([weights[2] + weights[3], weights[6] + weights[7]])
        gates = kernels.memory.empty(pairs, steps, 8 * units)
        panels, flat, inputs = kernels.panels(projection.T), x.view(-1, features), gates.view(-1, 8 * units)
        kernels.product_by_rows(flat, panels, inputs, bias)
        ctx.kernels, ctx.gates, ctx.cells = kernels, gates, kernels.memory.empty(pairs, steps, 2 * units)
        states = kernels.memory.empty(pairs, steps, 2 * units)
        kernels.run(
            task
            for direction, recurrent in ((Direction.FORWARD, weights[1]), (Direction.BACKWARD, weights[5]))
            for task in recur(kernels, direction, recurrent, gates, states, ctx.cells)
        )
        ctx.save_for_backward(x, projection, weights[1], weights[5], states)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Gradients of what `forward` was given; None where there is none."""
        x, projection, *recurrent, states = ctx.saved_tensors
        kernels, units, features = ctx.kernels, recurrent[0].shape[1], x.shape[2]
        gates, ctx.gates = ctx.gates, None  # their memory becomes the gradients'
        gradient = gradient.contiguous()
        kernels.run(
            task
            for direction, weight in zip(Direction, recurrent, strict=True)
            for task in recur_backward(kernels, direction, weight, gates, gradient, ctx.cells)
        )
        flat, inputs = gates.view(-1, 8 * units), x.view(-1, features)
        panels, passed = kernels.panels(projection), kernels.memory.empty(*inputs.shape)
        kernels.product_by_rows(flat, panels, passed)
        weight = kernels.memory.empty(8 * units, features)
        kernels.product_of(flat.T, inputs, weight)
        bias = _moments(kernels, flat, torch.zeros(8 * units))[0].float()
        results = []
        for direction in Direction:
            before = direction.before(states).reshape(-1, units)
            part = slice(4 * units * direction.value, 4 * units * (direction.value + 1))
            carried = torch.empty(units, 4 * units)
            kernels.product_of(before.T, flat[:, part], carried)
            results += [weight[part], carried.T.contiguous(), bias[part], bias[part].clone()]
        return None, passed.view(x.shape), *results


class Linear(Function):
    """A dense layer (B, D) on x (B, C)."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The layer's output; keeps what its gradient needs."""
        ctx.kernels = kernels
        ctx.save_for_backward(x, weight)
        out = torch.empty(len(x), len(weight))
        kernels.product_of(x, weight.T, out, bias)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        """Gradients of what `forward` was given; None where there is none."""
        x, weight = ctx.saved_tensors
        kernels, gradient = ctx.kernels, gradient.contiguous()
        passed = None
        if ctx.needs_input_grad[1]:
            passed = kernels.memory.empty(*x.shape)
            kernels.product_of(gradient, weight, passed)
        changes = kernels.memory.empty(*weight.shape)
        kernels.product_of(gradient.T, x, changes)
        return None, passed, changes, gradient.sum(0)


class _Dropping(NamedTuple):
    """The share that a dropout keeps now, what it drops, and which of the batch's rows is the first here."""

    keep: float
    dropped: Dropped
    first_row: int

    @classmethod
    def of(cls, dropout: Dropout | None, rows: int) -> _Dropping:
        """Drawn anew each time, from the dropout's generator; a pair has `rows` rows."""
        if dropout is None or not dropout.drops:
            return cls(1.0, Dropped(0, 0), 0)
        seed = int(torch.randint(2**63 - 1, (), generator=dropout.generator))
        return cls(1 - dropout.share, Dropped.share(dropout.share, seed), dropout.first * rows)


def _of_all(processes: Processes, rows: int, mean: Tensor, variance: Tensor) -> tuple[int, Tensor, Tensor]:
    """Combine the row counts, means and variances float64 (C,) of all processes."""
    if processes.count == 1:
        return rows, mean, variance
    one = torch.ones_like(mean)
    count, first, second = processes.sum(rows * torch.stack([one, mean, variance + mean * mean]))
    return int(count[0]), first / count, second / count - (first / count) ** 2


def _moments(kernels: Kernels, x: Tensor, shift: Tensor) -> Tensor:
    """Column sums float64 (2, C) of x - shift and of (x - shift)^2, of x (R, C) and shift (C,)."""

    def task(part: slice) -> Tensor:
        sums = torch.zeros(2, x.shape[1], dtype=torch.float64)
        kernels.call("column_moments", x[part], part.stop - part.start, x.shape[1], shift, sums)
        return sums

    return torch.stack(kernels.parallel(task, kernels.spans(len(x), 64))).sum(0)


def _affine(kernels: Kernels, x: Tensor, scale: Tensor, offset: Tensor, dropping: _Dropping) -> Tensor:
    """x * scale + offset of x (R, C), zero where dropped."""
    out = kernels.memory.empty(*x.shape)

    def task(part: slice) -> None:
        kernels.call("normalise", x[part], dropping.first_row + part.start, part.stop - part.start, x.shape[1],
                     scale, offset, dropping.dropped, out[part])  # fmt: skip

    kernels.parallel(task, kernels.spans(len(x)))
    return out


def _scaled(kernels: Kernels, x: Tensor, dropping: _Dropping) -> Tensor:
    scale = torch.full((x.shape[1],), 1 / dropping.keep)
    return _affine(kernels, x.contiguous(), scale, torch.zeros(x.shape[1]), dropping)
