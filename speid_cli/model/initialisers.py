"""First weights of the network: random as in Keras, which the paper used, and motifs in kernels."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Generator, Tensor, nn

from speid_cli.errors import DataError, counted
from speid_cli.model.config import SpeidConfig
from speid_cli.model.motif_kernels import KernelInitialisers
from speid_cli.model.speid import Speid

# Of `init_lstm_from_motifs`: motifs that an LSTM unit reads; scale of the recurrent weights, 1 for orthogonal; scale,
# after the norm, of kernels that are not motifs.
MOTIFS_PER_UNIT, RECURRENCE, OTHER_KERNELS = 3, 0.3, 0.1


def new_network(config: SpeidConfig, generator: Generator) -> Speid:
    """A network with random weights that depend on the generator alone."""
    with torch.random.fork_rng(devices=[]):  # for layers that `initialise` does not initialise
        torch.manual_seed(generator.initial_seed())
        model = Speid(config)
    initialise(model, generator)
    return model


def initialise(model: nn.Module, generator: Generator) -> None:
    """Random weights: Glorot uniform, orthogonal LSTM recurrence with forget bias 1, biases 0."""
    layers = list(model.modules())
    for layer in layers:
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in layers:
        if isinstance(layer, nn.LSTM):
            _initialise_lstm(layer, generator)


def _initialise_lstm(lstm: nn.LSTM, generator: Generator) -> None:
    units = lstm.hidden_size
    for name, values in lstm.named_parameters():
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


def init_position_invariant(model: Speid, generator: Generator) -> None:
    """Make a motif count the same wherever it lies in an element.

    LSTM units start with memories of all lengths, from one step to the whole sequence: forget biases
    are log U(1, T - 1) for T steps, input biases their negatives (Tallec and Ollivier 2018, "Can
    recurrent neural networks warp time?"). The dense layer starts with
    the same weights at all steps of the enhancer, and at all steps of the promoter.
    """
    config = model.config
    units, border = config.lstm_units, config.enhancer_steps
    with torch.no_grad():
        for bias in _each_way(model, "bias_ih"):
            steps = torch.rand(units, generator=generator) * (config.steps - 2) + 1
            bias[units : 2 * units] = steps.log()  # gates i, f, g, o
            bias[:units] = -steps.log()
        by_step = model.dense.weight.view(config.dense_units, config.steps, 2 * units)
        for steps_of_side in (by_step[:, :border], by_step[:, border:]):
            steps_of_side.copy_(steps_of_side[:, :1].clone())


def init_lstm_from_motifs(model: Speid, kernels: KernelInitialisers, generator: Generator) -> None:
    """Connect each LSTM unit to a few of the kernels that are motifs, and to no other kernel.

    All motifs are connected about equally often. The few weights of a unit are scaled up to the
    variance of a fully connected unit, recurrent weights are scaled down, and the norm scales down
    kernels that are not motifs.
    """
    if not len(kernels):
        return
    config, each = model.config, MOTIFS_PER_UNIT
    motifs = torch.tensor([placed.kernel for placed in kernels.placed])
    turns = -(-config.lstm_units * each // len(motifs))
    with torch.no_grad():
        for weight in _each_way(model, "weight_ih"):
            order = torch.cat([motifs[torch.randperm(len(motifs), generator=generator)] for _ in range(turns)])
            read = order[: config.lstm_units * each].view(config.lstm_units, each)
            strength = torch.zeros(config.lstm_units, config.n_kernels)
            strength.scatter_(1, read, math.sqrt(config.n_kernels / each))
            weight.mul_(strength.repeat(4, 1))  # all four gates of a unit
        for weight in _each_way(model, "weight_hh"):
            weight.mul_(RECURRENCE)
        scale = torch.full((config.n_kernels,), OTHER_KERNELS).index_fill_(0, motifs, 1.0)
        model.feature_norm.weight.mul_(scale)


def place_motifs(model: Speid, kernels: KernelInitialisers) -> None:
    """Write motifs into the kernels of both branches; all other positions keep their random weights.

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
            path=kernels.path,
        )
    wanted = max((placed.kernel + 1 for placed in kernels.placed), default=0)
    if wanted > config.n_kernels:
        raise DataError(
            f"motifs for {counted(wanted, 'kernel')}",
            expected=f"at most {config.n_kernels}, as many as the network has",
            hint="run speid motifs with this preset or --max-kernels",
            path=kernels.path,
        )
    with torch.no_grad():
        for layer in (model.enhancer_conv, model.promoter_conv):
            for placed, weight, bias in zip(kernels.placed, kernels.weight, kernels.bias, strict=True):
                layer.weight[placed.kernel, :, placed.columns] = torch.from_numpy(weight[:, placed.columns])
                cast(Tensor, layer.bias)[placed.kernel] = float(bias)


def _each_way(model: Speid, name: str) -> list[Tensor]:
    """A parameter of both directions of the LSTM's first layer."""
    return [values for key, values in model.lstm.named_parameters() if key.startswith(f"{name}_l0")]
