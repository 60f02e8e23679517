"""The exact shared-element scorer: what depends on one element alone is computed once for it.

The forward LSTM meets the enhancer first and the backward LSTM the promoter, so that their states
there, and the dense layer's share of them, belong to one element, like its convolution and its
gate inputs. For a pair remain the forward states over the promoter from the enhancer's last state,
the backward states over the enhancer from the promoter's, and their share of the dense layer.

Shapes: U elements, N pairs, T steps of one side (Te, Tp), K kernels, H LSTM units, D dense units.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from speid_cli.model.config import ScoringConfig
from speid_cli.model.convolution import TableBranch, branch
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.folding import Direction, fold

Codes = NDArray[np.uint8] | Tensor


class ElementStates(NamedTuple):
    """What is kept of the elements of one side.

    Attributes
    ----------
    own : (U, T * H)
        States of the direction that meets this side first.
    hidden, cell : (U, H)
        Where that direction ends, and so where it enters the other side.
    share : (U, D)
        The dense layer's share of `own`.
    gates : (T, U, 4H)
        Gate inputs of the other direction, which waits for a partner.
    """

    own: Tensor
    hidden: Tensor
    cell: Tensor
    share: Tensor
    gates: Tensor


class Scorer:
    """A network as it is now, in evaluation, on a device; later changes of its weights are not seen.

    Parameters
    ----------
    model : Speid
        Moved to the device.
    device : Device
    batch_size : int
        Pairs that go through the LSTM together.
    """

    def __init__(self, model: Speid, device: Device, batch_size: int = ScoringConfig.batch_size) -> None:
        self.config, self.device, self.batch_size = model.config, device, batch_size
        self._network = fold(model.to(device.torch))
        self._enhancer_features = self._features_of(model.enhancer_conv)
        self._promoter_features = self._features_of(model.promoter_conv)

    @property
    def element_bytes(self) -> int:
        """Memory that the states of one enhancer take; those of a promoter take less."""
        c = self.config
        return 4 * (5 * c.lstm_units * max(c.enhancer_steps, c.promoter_steps) + 2 * c.lstm_units + c.dense_units)

    @torch.no_grad()
    def logits(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> NDArray[np.float32]:
        """Logits (N,) of pairs of elements.

        Parameters
        ----------
        enhancers, promoters : uint8 (U, Le), (U, Lp)
            Base codes of the windows.
        enhancer_index, promoter_index : int (N,)
            The elements of each pair.
        """
        network, parts = self._network, []
        with self.device.autocast():
            first, second = self._states(enhancers, promoters)
            for left, right in self._batches(enhancer_index, promoter_index):
                states = torch.cat(self._pair_states(first, second, left, right), 1).flatten(1)
                dense = torch.addmm(network.dense_bias, states, network.pair)
                dense += first.share[left]
                dense += second.share[right]
                logits = F.relu_(dense) @ network.output + network.output_bias
                parts.append(logits.float().cpu().numpy())
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    @torch.no_grad()
    def sequence_features(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> Tensor:
        """What the dense layer is given (N, Te + Tp, 2H), on the device; arguments as for `logits`."""
        network, units, parts = self._network, self.config.lstm_units, []
        with self.device.autocast():
            first, second = self._states(enhancers, promoters)
            for left, right in self._batches(enhancer_index, promoter_index):
                forward, backward = self._pair_states(first, second, left, right)
                early = torch.cat([first.own[left].view(len(left), -1, units), backward], 2)
                late = torch.cat([forward, second.own[right].view(len(right), -1, units)], 2)
                parts.append(torch.cat([early, late], 1) * network.sequence_scale + network.sequence_offset)
        return torch.cat(parts)

    def _features_of(self, convolution: torch.nn.Conv1d) -> Callable[[Tensor], Tensor]:
        """What makes features (U, T, K) of codes (U, L): look-ups where they are faster, on a CPU."""
        pool = self.config.pool_length
        if self.device.torch.type == "cpu":
            return TableBranch(convolution, pool)
        fixed = copy.deepcopy(convolution)
        return lambda codes: branch(fixed, codes, pool).transpose(1, 2)

    def _states(self, enhancers: Codes, promoters: Codes) -> tuple[ElementStates, ElementStates]:
        network = self._network
        forward, backward = network.forward, network.backward
        return (
            self._side(self._enhancer_features, enhancers, forward, backward, network.enhancer_own),
            self._side(self._promoter_features, promoters, backward, forward, network.promoter_own),
        )

    def _side(
        self,
        features_of: Callable[[Tensor], Tensor],
        codes: Codes,
        own: Direction,
        other: Direction,
        dense: Tensor,
    ) -> ElementStates:
        """States of the elements of one side; `own` is the direction that meets it first."""
        parts = []
        for piece in self.device.put(codes).split(self.batch_size):
            features = features_of(piece).transpose(0, 1)  # (T, U, K)
            gates = features @ own.projection + own.bias
            start = torch.zeros(len(piece), self.config.lstm_units, device=self.device.torch)
            states, hidden, cell = _recur(own, gates, None, start, start)
            flat = states.flatten(1)
            waiting = features @ other.projection + other.bias
            parts.append(ElementStates(flat, hidden, cell, flat @ dense, waiting))
        own_states, hiddens, cells, shares, waitings = zip(*parts, strict=True)
        return ElementStates(
            torch.cat(own_states), torch.cat(hiddens), torch.cat(cells), torch.cat(shares), torch.cat(waitings, 1)
        )

    def _pair_states(
        self, first: ElementStates, second: ElementStates, left: Tensor, right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Forward states over the promoter (N, Tp, H), backward states over the enhancer (N, Te, H)."""
        network = self._network
        forward, _, _ = _recur(network.forward, second.gates, right, first.hidden[left], first.cell[left])
        backward, _, _ = _recur(network.backward, first.gates, left, second.hidden[right], second.cell[right])
        return forward, backward

    def _batches(
        self, enhancer_index: NDArray[np.integer], promoter_index: NDArray[np.integer]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(enhancer_index), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield (
                self.device.put(enhancer_index[rows].astype(np.int64)),
                self.device.put(promoter_index[rows].astype(np.int64)),
            )


def _recur(
    direction: Direction, gates: Tensor, rows: Tensor | None, hidden: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction over its steps.

    Parameters
    ----------
    gates : (T, U, 4H)
        Gate inputs of the elements.
    rows : int64 (B,), optional
        The element of each row; None: row b is element b.
    hidden, cell : (B, H)
        Where to start.

    Returns
    -------
    states (B, T, H), hidden (B, H), cell (B, H)
    """
    steps = range(len(gates))
    states = hidden.new_empty(len(hidden), len(gates), hidden.shape[1])
    for step in reversed(steps) if direction.backward else steps:
        inputs = gates[step] if rows is None else gates[step].index_select(0, rows)
        i, f, g, o = torch.addmm(inputs, hidden, direction.recurrent).float().sigmoid_().chunk(4, 1)
        cell = (f * cell).addcmul_(i, g.mul_(2).sub_(1))
        hidden = o * torch.tanh(cell)
        states[:, step] = hidden
    return states, hidden, cell
