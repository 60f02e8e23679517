"""A network in evaluation mode with its batch norms folded into the adjacent weights.

The forward LSTM reads the enhancer first and the backward LSTM the promoter: of each side there is a
first pass and a second pass. Shapes: K kernels; T steps of a side; H LSTM units each way; D dense units.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from speid_cli.model.speid import Speid


class Pass(NamedTuple):
    """One direction of the LSTM over one side.

    `projection` (K, 4H) and `bias` (4H,) make a step's gates from its features, `recurrent` (H, 4H) adds
    the previous state, and `dense` (T, H, D) is the states' part of the dense layer.
    """

    projection: Tensor
    bias: Tensor
    recurrent: Tensor
    dense: Tensor
    backward: bool


class FoldedNetwork(NamedTuple):
    """The layers after the pooled features: passes over enhancer and promoter, and dense layers (D,), (D,), ()."""

    first: tuple[Pass, Pass]
    second: tuple[Pass, Pass]
    dense_bias: Tensor
    output: Tensor
    output_bias: Tensor


@torch.no_grad()
def fold(model: Speid) -> FoldedNetwork:
    """Fold the current weights of a network."""
    (sequence_scale, sequence_offset), (dense_scale, dense_offset), (output_scale, output_offset) = map(
        affine, (model.sequence_norm, model.dense_norm, model.output_norm)
    )
    config = model.config
    weight = model.dense.weight.view(config.dense_units, config.steps, -1)  # (D, T, 2H)
    bias = model.dense.bias + (weight @ sequence_offset).sum(1)
    weight = (weight * sequence_scale * dense_scale[:, None, None]).permute(1, 2, 0)  # (T, 2H, D)
    sides = weight.split([config.enhancer_steps, config.promoter_steps])
    passes = [[_pass(model, *part) for part in zip(("", "_reverse"), side.chunk(2, 1), strict=True)] for side in sides]
    return FoldedNetwork(
        (passes[0][0], passes[1][1]),
        (passes[0][1], passes[1][0]),
        bias * dense_scale + dense_offset,
        model.output.weight[0] * output_scale,
        (model.output.bias * output_scale + output_offset)[0],
    )


@torch.no_grad()
def affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Scale and offset of a norm in evaluation mode."""
    variance, mean = cast(Tensor, norm.running_var), cast(Tensor, norm.running_mean)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def _pass(model: Speid, suffix: str, dense: Tensor) -> Pass:
    weight, recurrent, *biases = (
        getattr(model.lstm, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    scale, offset = affine(model.feature_norm)
    bias = biases[0] + biases[1] + weight @ offset
    return Pass((weight * scale).T, bias, recurrent.T, dense.contiguous(), suffix != "")
