"""A network in evaluation mode with its batch norms folded into the adjacent weights.

Shapes: K kernels; Te, Tp steps; H LSTM units each way; D dense units. The dense weights are split
into four parts, one for each direction and side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from speid_cli.model.speid import Speid


class Direction(NamedTuple):
    """One direction of the LSTM.

    `projection` (K, 4H) and `bias` (4H,) make a step's gates from its features; `recurrent`
    (H, 4H) adds the state before it.
    """

    projection: Tensor
    bias: Tensor
    recurrent: Tensor
    backward: bool


@dataclass(frozen=True)
class FoldedNetwork:
    """The network after the pooled features.

    Attributes
    ----------
    forward, backward : Direction
    enhancer_forward, enhancer_backward : (Te, H, D)
        Dense weights of the states over the enhancer.
    promoter_forward, promoter_backward : (Tp, H, D)
        The same over the promoter.
    dense_bias : (D,)
    output : (D,)
    output_bias : ()
    """

    forward: Direction
    backward: Direction
    enhancer_forward: Tensor
    enhancer_backward: Tensor
    promoter_forward: Tensor
    promoter_backward: Tensor
    dense_bias: Tensor
    output: Tensor
    output_bias: Tensor


def fold(model: Speid) -> FoldedNetwork:
    """Fold the current weights of a network."""
    with torch.no_grad():
        sequence_scale, sequence_offset = affine(model.sequence_norm)
        dense_scale, dense_offset = affine(model.dense_norm)
        output_scale, output_offset = affine(model.output_norm)
        config = model.config
        weight = model.dense.weight.view(config.dense_units, config.steps, -1)  # (D, T, 2H)
        bias = model.dense.bias + (weight @ sequence_offset).sum(1)
        weight = (weight * sequence_scale * dense_scale[:, None, None]).permute(1, 2, 0)  # (T, 2H, D)
        early, late = weight.split([config.enhancer_steps, config.promoter_steps])
        early_forward, early_backward = early.chunk(2, 1)
        late_forward, late_backward = late.chunk(2, 1)
        return FoldedNetwork(
            _direction(model, "", False),
            _direction(model, "_reverse", True),
            early_forward.contiguous(),
            early_backward.contiguous(),
            late_forward.contiguous(),
            late_backward.contiguous(),
            bias * dense_scale + dense_offset,
            model.output.weight[0] * output_scale,
            (model.output.bias * output_scale + output_offset)[0],
        )


def affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Scale and offset of a norm in evaluation mode."""
    variance, mean = cast(Tensor, norm.running_var), cast(Tensor, norm.running_mean)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def _direction(model: Speid, suffix: str, backward: bool) -> Direction:
    weight, recurrent, *biases = (
        getattr(model.lstm, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    scale, offset = affine(model.feature_norm)
    return Direction((weight * scale).T, biases[0] + biases[1] + weight @ offset, recurrent.T, backward)
