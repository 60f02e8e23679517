"""The network's first weights: random as in Keras, where the paper's was built, and motifs in kernels."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Generator, Tensor, nn

from speid_cli.errors import DataError
from speid_cli.model.kernels import KernelInitialisers
from speid_cli.model.speid import Speid


def initialise(model: Speid, generator: Generator) -> None:
    """Random weights: Glorot uniform, orthogonal LSTM recurrence with forget bias 1, biases 0."""
    for layer in (model.enhancer_conv, model.promoter_conv, model.dense, model.output):
        for values in layer.parameters():
            if values.dim() > 1:
                nn.init.xavier_uniform_(values, generator=generator)
            else:
                nn.init.zeros_(values)
    units = model.config.lstm_units
    for name, values in model.lstm.named_parameters():
        if name.startswith("weight_ih"):
            limit = math.sqrt(6 / (values.shape[1] + values.shape[0]))
            nn.init.uniform_(values, -limit, limit, generator=generator)
        elif name.startswith("weight_hh"):
            for gate in values.data.split(units):
                nn.init.orthogonal_(gate, generator=generator)
        else:
            nn.init.zeros_(values)
            if name.startswith("bias_ih"):
                values.data[units : 2 * units] = 1  # gates i, f, g, o


def place_motifs(model: Speid, kernels: KernelInitialisers) -> None:
    """Write motifs into the kernels of both branches; all other positions keep their start.

    Raises
    ------
    DataError
        The kernels are of another length, or there are fewer of them than the motifs need.
    """
    config = model.config
    if kernels.kernel_length != config.kernel_length:
        raise DataError(
            f"motifs for kernels of {kernels.kernel_length} bp",
            expected=f"{config.kernel_length} bp",
            hint="run speid motifs with this preset or --kernel-length",
        )
    if len(kernels) and max(placed.kernel for placed in kernels.placed) >= config.n_kernels:
        raise DataError(
            f"motifs for more than the model's {config.n_kernels} kernels",
            hint="run speid motifs with this preset or --max-kernels",
        )
    with torch.no_grad():
        for layer in (model.enhancer_conv, model.promoter_conv):
            for placed, matrix, bias in zip(kernels.placed, kernels.matrices, kernels.bias, strict=True):
                columns = slice(placed.offset, placed.offset + placed.length)
                layer.weight[placed.kernel, :, columns] = torch.from_numpy(matrix)
                cast(Tensor, layer.bias)[placed.kernel] = float(bias)
