"""A network in evaluation with every batch norm folded into the weights beside it.

Shapes: K kernels; Te, Tp steps; H LSTM units each way; D dense units. The dense layer is cut into
the four parts that its inputs come from, since two of them depend on one element alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from speid_cli.model.speid import Speid


class Direction(NamedTuple):
    """One direction of the LSTM; the gate g is doubled, since tanh(z) = 2 sigmoid(2 z) - 1.

    `projection` (K, 4H) and `bias` (4H,) make a step's gates from its features; `recurrent`
    (H, 4H) adds the state before it.
    """

    projection: Tensor
    bias: Tensor
    recurrent: Tensor
    backward: bool


@dataclass(frozen=True)
class FoldedNetwork:
    """What follows the pooled features.

    Attributes
    ----------
    forward, backward : Direction
    enhancer_own, promoter_own : (Te * H, D), (Tp * H, D)
        Dense weights of the forward states over the enhancer, and of the backward states over the
        promoter: the states before the LSTM has met the other element.
    pair : ((Tp + Te) * H, D)
        Dense weights of the forward states over the promoter, then of the backward states over the
        enhancer.
    dense_bias : (D,)
    output : (D,)
    output_bias : ()
    sequence_scale, sequence_offset : (2H,)
        The norm after the LSTM.
    """

    forward: Direction
    backward: Direction
    enhancer_own: Tensor
    promoter_own: Tensor
    pair: Tensor
    dense_bias: Tensor
    output: Tensor
    output_bias: Tensor
    sequence_scale: Tensor
    sequence_offset: Tensor


def fold(model: Speid) -> FoldedNetwork:
    """Fold a network as it is now; later changes of its weights are not seen."""
    with torch.no_grad():
        sequence_scale, sequence_offset = _affine(model.sequence_norm)
        dense_scale, dense_offset = _affine(model.dense_norm)
        output_scale, output_offset = _affine(model.output_norm)
        config = model.config
        weight = model.dense.weight.view(config.dense_units, config.steps, -1)  # (D, T, 2H)
        bias = model.dense.bias + (weight @ sequence_offset).sum(1)
        weight = (weight * sequence_scale * dense_scale[:, None, None]).permute(1, 2, 0)  # (T, 2H, D)
        early, late = weight.split([config.enhancer_steps, config.promoter_steps])
        (early_forward, early_backward), (late_forward, late_backward) = early.chunk(2, 1), late.chunk(2, 1)
        return FoldedNetwork(
            _direction(model, "", False),
            _direction(model, "_reverse", True),
            early_forward.flatten(0, 1),
            late_backward.flatten(0, 1),
            torch.cat([late_forward.flatten(0, 1), early_backward.flatten(0, 1)]),
            bias * dense_scale + dense_offset,
            model.output.weight[0] * output_scale,
            (model.output.bias * output_scale + output_offset)[0],
            sequence_scale,
            sequence_offset,
        )


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Scale and offset of a norm in evaluation."""
    variance, mean = cast(Tensor, norm.running_var), cast(Tensor, norm.running_mean)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def _direction(model: Speid, suffix: str, backward: bool) -> Direction:
    weight, recurrent, *biases = (
        getattr(model.lstm, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    scale, offset = _affine(model.feature_norm)
    doubled = torch.ones(4, model.config.lstm_units, device=weight.device)
    doubled[2] = 2  # gates i, f, g, o
    double = doubled.flatten()
    bias = (biases[0] + biases[1] + weight @ offset) * double
    return Direction((weight * scale).T * double, bias, recurrent.T * double, backward)
