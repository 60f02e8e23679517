"""The shared-element scorer in PyTorch: every device, and the oracle of the native one.

Shapes as in `elements`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from speid_cli.model.config import ScoringConfig
from speid_cli.model.convolution import TableBranch, branch
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, ElementStates
from speid_cli.scoring.folding import Direction, fold


class _Side(NamedTuple):
    """How elements of one side are computed; `own` is the direction that meets it first."""

    steps: int
    features: Callable[[Tensor], Tensor]
    own: Direction
    other: Direction
    first_dense: Tensor


class SharedBackend:
    """A network as it is now, in evaluation.

    Parameters
    ----------
    model : Speid
        On the device.
    device : Device
    batch_size : int
        Pairs that go through the LSTM together.
    keep_first_pass : bool
        Keep the states that the pairs' sequence features need.
    """

    def __init__(self, model: Speid, device: Device, batch_size: int, keep_first_pass: bool) -> None:
        self._config, self._device, self._batch_size, self._keep_first_pass = model.config, device, batch_size, keep_first_pass
        self._element_batch_size = 32 if device.torch.type == "cpu" else ScoringConfig.element_batch_size
        self._network = network = fold(model)
        forward, backward = _double(network.forward), _double(network.backward)
        self._sides = (
            _Side(model.config.enhancer_steps, self._features_of(model.enhancer_conv), forward, backward,
                  network.enhancer_forward.flatten(0, 1)),
            _Side(model.config.promoter_steps, self._features_of(model.promoter_conv), backward, forward,
                  network.promoter_backward.flatten(0, 1)),
        )  # fmt: skip
        self._pair_dense = torch.cat([network.promoter_forward.flatten(0, 1), network.enhancer_backward.flatten(0, 1)])

    def element_bytes(self, side: int) -> int:
        """See `ScoringBackend`."""
        units, steps = self._config.lstm_units, self._sides[side].steps
        return 4 * ((4 + self._keep_first_pass) * units * steps + 2 * units + self._config.dense_units)

    def allocate(self, side: int, slots: int) -> ElementStates:
        """See `ScoringBackend`."""
        units, steps = self._config.lstm_units, self._sides[side].steps

        def empty(*shape: int) -> Tensor:
            """Room float32 (slots, ...)."""
            return torch.empty(slots, *shape, device=self._device.torch)

        own = empty(steps, units) if self._keep_first_pass else None
        return ElementStates(empty(units), empty(units), empty(self._config.dense_units), empty(steps, 4 * units), own)

    @torch.no_grad()
    def fill(self, side: int, states: ElementStates, slots: NDArray[np.int64], codes: Codes) -> None:
        """See `ScoringBackend`."""
        for some, count in _equal_batches(len(slots), self._element_batch_size):
            self._fill_some(side, states, slots[some], codes[some[:count]])

    def _fill_some(self, side: int, states: ElementStates, slots: NDArray[np.int64], codes: Codes) -> None:
        """Elements into slots; what has no codes of its own is the last one again."""
        steps, features_of, own, other, dense = self._sides[side]
        with self._device.autocast():
            rows, features = self._device.put(slots), features_of(self._device.put(codes))  # (N, T, K)
            features = torch.cat([features, features[-1:].expand(len(slots) - len(codes), -1, -1)])
            start = torch.zeros(len(rows), self._config.lstm_units, device=self._device.torch)
            gates = features @ own.projection + own.bias
            reached, hidden, cell = _recur(own, gates, None, start, start)
            states.hidden[rows], states.cell[rows] = hidden, cell
            states.share[rows] = (reached.flatten(1) @ dense).float()
            states.gates[rows] = (features @ other.projection + other.bias).float()
            if states.first_pass is not None:
                states.first_pass[rows] = reached

    @torch.no_grad()
    def logits(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> Tensor:
        """See `ScoringBackend`."""
        network, parts = self._network, [torch.empty(0)]
        with self._device.autocast():
            for some, count in _equal_batches(len(left), self._batch_size):
                enhancer, promoter = self._device.put(left[some]), self._device.put(right[some])
                states = torch.cat(self._states(first, second, enhancer, promoter), 1).flatten(1)
                dense = torch.addmm(network.dense_bias, states, self._pair_dense)
                dense += first.share[enhancer]
                dense += second.share[promoter]
                parts.append((F.relu_(dense) @ network.output + network.output_bias)[:count].float().cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def pair_states(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """See `ScoringBackend`."""
        with self._device.autocast():
            parts = [self._states(first, second, *rows) for rows in zip(self._put(left), self._put(right), strict=True)]
        forward, backward = zip(*parts, strict=True)
        return torch.cat(forward), torch.cat(backward)

    def _states(
        self, first: ElementStates, second: ElementStates, left: Tensor, right: Tensor
    ) -> tuple[Tensor, Tensor]:
        enhancer, promoter = self._sides
        forward, _, _ = _recur(enhancer.own, second.gates, right, first.hidden[left], first.cell[left])
        backward, _, _ = _recur(promoter.own, first.gates, left, second.hidden[right], second.cell[right])
        return forward, backward

    def _put(self, slots: NDArray[np.int64]) -> tuple[Tensor, ...]:
        return self._device.put(slots).split(self._batch_size)

    def _features_of(self, convolution: nn.Conv1d) -> Callable[[Tensor], Tensor]:
        """What makes features (U, T, K) of codes (U, L): look-ups where they are faster, on a CPU."""
        pool = self._config.pool_length
        if self._device.torch.type == "cpu":
            return TableBranch(convolution, pool)
        fixed = copy.deepcopy(convolution)
        return lambda codes: branch(fixed, codes, pool).transpose(1, 2)


def _equal_batches(count: int, size: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Positions up to `count` in batches of one size, the last filled up with its last; how many are new.

    A matrix product adds up in an order that depends on its shape: with one shape, what comes of
    a row seldom depends on what is computed beside it.
    """
    for start in range(0, count, size):
        yield np.minimum(np.arange(start, start + size), count - 1), min(size, count - start)


def _double(direction: Direction) -> Direction:
    """The same with the gate g doubled, since tanh(z) = 2 sigmoid(2 z) - 1: one function for all gates."""
    factor = torch.ones(4, len(direction.recurrent), device=direction.bias.device)
    factor[2] = 2  # gates i, f, g, o
    columns = factor.flatten()
    return Direction(
        direction.projection * columns, direction.bias * columns, direction.recurrent * columns, direction.backward
    )


def _recur(
    direction: Direction, gates: Tensor, rows: Tensor | None, hidden: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction over its steps.

    Parameters
    ----------
    gates : (S, T, 4H)
        Gate inputs of the elements.
    rows : int64 (B,), optional
        The element of each row; None: row b is element b.
    hidden, cell : (B, H)
        Where to start.

    Returns
    -------
    states (B, T, H), hidden (B, H), cell (B, H)
    """
    steps = range(gates.shape[1])
    states = hidden.new_empty(len(hidden), len(steps), hidden.shape[1])
    for step in reversed(steps) if direction.backward else steps:
        inputs = gates[:, step] if rows is None else gates[:, step].index_select(0, rows)
        i, f, g, o = torch.addmm(inputs, hidden, direction.recurrent).float().sigmoid_().chunk(4, 1)
        cell = (f * cell).addcmul_(i, g.mul_(2).sub_(1))
        hidden = o * torch.tanh(cell)
        states[:, step] = hidden
    return states, hidden, cell
