"""The exact shared-element scorer: what depends on one element alone is computed once for it.

The forward LSTM meets the enhancer first and the backward LSTM the promoter, so that their states
there, and the dense layer's share of them, belong to one element, like its convolution and its
gate inputs. For a pair remain the forward states over the promoter from the enhancer's last state,
the backward states over the enhancer from the promoter's, and their share of the dense layer.

Shapes: U elements, N pairs, T steps of one side (Te, Tp), K kernels, H LSTM units, D dense units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from speid_cli.scoring.folding import Direction, FoldedNetwork, fold

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
    """A network in evaluation, on a device.

    Parameters
    ----------
    model : Speid
        Moved to the device; its mode is left as it is between calls.
    device : Device
    batch_size : int
        Pairs that go through the LSTM together.
    """

    def __init__(self, model: Speid, device: Device, batch_size: int = ScoringConfig.batch_size) -> None:
        self.model = model.to(device.torch)
        self.device, self.batch_size = device, batch_size

    def logits(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> NDArray[np.float32]:
        """Logits (N,) of pairs of elements, by the network's weights as they are now.

        Parameters
        ----------
        enhancers, promoters : uint8 (U, Le), (U, Lp)
            Base codes of the windows.
        enhancer_index, promoter_index : int (N,)
            The elements of each pair.
        """
        with self._evaluating():
            network = fold(self.model)
            first, second = self._states(network, enhancers, promoters)
            parts = []
            for left, right in self._batches(enhancer_index, promoter_index):
                states = torch.cat(self._pair_states(network, first, second, left, right), 1).flatten(1)
                dense = torch.addmm(network.dense_bias, states, network.pair)
                dense += first.share[left]
                dense += second.share[right]
                logits = F.relu_(dense) @ network.output + network.output_bias
                parts.append(logits.float().cpu().numpy())
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def sequence_features(
        self,
        enhancers: Codes,
        promoters: Codes,
        enhancer_index: NDArray[np.integer],
        promoter_index: NDArray[np.integer],
    ) -> Tensor:
        """What the dense layer is given (N, Te + Tp, 2H), on the device; arguments as for `logits`."""
        units = self.model.config.lstm_units
        with self._evaluating():
            network = fold(self.model)
            first, second = self._states(network, enhancers, promoters)
            parts = []
            for left, right in self._batches(enhancer_index, promoter_index):
                forward, backward = self._pair_states(network, first, second, left, right)
                early = torch.cat([first.own[left].view(len(left), -1, units), backward], 2)
                late = torch.cat([forward, second.own[right].view(len(right), -1, units)], 2)
                parts.append(torch.cat([early, late], 1) * network.sequence_scale + network.sequence_offset)
        return torch.cat(parts)

    def classify(self, features: Tensor) -> NDArray[np.float32]:
        """Logits (N,) of sequence features (N, T, 2H)."""
        with self._evaluating():
            logits: NDArray[np.float32] = self.model.classify(features).float().cpu().numpy()
        return logits

    def _states(
        self, network: FoldedNetwork, enhancers: Codes, promoters: Codes
    ) -> tuple[ElementStates, ElementStates]:
        model, forward, backward = self.model, network.forward, network.backward
        return (
            self._side(model.enhancer_conv, enhancers, forward, backward, network.enhancer_own),
            self._side(model.promoter_conv, promoters, backward, forward, network.promoter_own),
        )

    def _side(
        self, convolution: torch.nn.Conv1d, codes: Codes, own: Direction, other: Direction, dense: Tensor
    ) -> ElementStates:
        """States of the elements of one side; `own` is the direction that meets it first."""
        features_of = self._branch(convolution)
        parts = []
        for piece in self.device.put(codes).split(self.batch_size):
            features = features_of(piece).transpose(0, 1)  # (T, U, K)
            gates = features @ own.projection + own.bias
            start = torch.zeros(len(piece), self.model.config.lstm_units, device=self.device.torch)
            states, hidden, cell = _recur(own, gates, None, start, start)
            flat = states.flatten(1)
            waiting = features @ other.projection + other.bias
            parts.append(ElementStates(flat, hidden, cell, flat @ dense, waiting))
        own_states, hiddens, cells, shares, waitings = zip(*parts, strict=True)
        return ElementStates(
            torch.cat(own_states), torch.cat(hiddens), torch.cat(cells), torch.cat(shares), torch.cat(waitings, 1)
        )

    def _branch(self, convolution: torch.nn.Conv1d) -> Callable[[Tensor], Tensor]:
        """What makes features (U, T, K) of codes (U, L): look-ups where they are faster, on a CPU."""
        pool = self.model.config.pool_length
        if self.device.torch.type == "cpu":
            return TableBranch(convolution, pool)
        return lambda codes: branch(convolution, codes, pool).transpose(1, 2)

    def _pair_states(
        self, network: FoldedNetwork, first: ElementStates, second: ElementStates, left: Tensor, right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Forward states over the promoter (N, Tp, H), backward states over the enhancer (N, Te, H)."""
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

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluation mode, no gradients, the device's precision; the model's own mode comes back."""
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), self.device.autocast():
                yield
        finally:
            self.model.train(training)


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
