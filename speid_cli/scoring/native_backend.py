"""The shared-element scorer on the native kernels.

Shapes as in `elements`; K kernels.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from speid_cli.model.native.convolution import Branch, convolve
from speid_cli.model.native.library import Kernels, addresses
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, ElementStates
from speid_cli.scoring.folding import Direction, fold

_ELEMENTS = 12  # of one task: two groups of rows in the recurrence
_PAIRS = 192  # of one task: enough to read the dense weights for


class _Flow(NamedTuple):
    """A direction over one side: how its gates, states and dense share are computed, in its own order."""

    projection: Tensor
    bias: Tensor
    recurrent: Tensor
    dense: Tensor
    backward: bool

    @classmethod
    def of(cls, kernels: Kernels, direction: Direction, dense: Tensor) -> _Flow:
        """Of dense weights (T, H, D)."""
        ordered = dense.flip(0) if direction.backward else dense
        return cls(
            kernels.panels(direction.projection),
            direction.bias,
            kernels.recurrent_panels(direction.recurrent.T.contiguous()),
            kernels.panels(ordered.flatten(0, 1)),
            direction.backward,
        )


class _Side(NamedTuple):
    """How elements of one side are computed; `own` is the direction that meets it first."""

    steps: int
    branch: Branch
    own: _Flow
    other: _Flow


class NativeBackend:
    """A network as it is now, in evaluation, on the CPU.

    Parameters
    ----------
    model : Speid
    kernels : Kernels
    keep_first_pass : bool
        Keep the states that the pairs' sequence features need.
    """

    def __init__(self, model: Speid, kernels: Kernels, keep_first_pass: bool) -> None:
        self._config, self._kernels, self._keep_first_pass = model.config, kernels, keep_first_pass
        network = fold(model)
        self._dense_bias, self._output_bias = network.dense_bias, network.output_bias.view(1)
        self._output = kernels.panels(network.output[:, None])

        def side(conv: nn.Conv1d, own: Direction, first_dense: Tensor, other: Direction, second_dense: Tensor) -> _Side:
            """What one side's elements are computed with."""
            branch = Branch.of(kernels, conv.weight, cast(Tensor, conv.bias), model.config.pool_length)
            first_flow, second_flow = _Flow.of(kernels, own, first_dense), _Flow.of(kernels, other, second_dense)
            return _Side(len(first_dense), branch, first_flow, second_flow)

        forward, backward = network.forward, network.backward
        self._sides = (
            side(model.enhancer_conv, forward, network.enhancer_forward, backward, network.enhancer_backward),
            side(model.promoter_conv, backward, network.promoter_backward, forward, network.promoter_forward),
        )

    def element_bytes(self, side: int) -> int:
        """See `ScoringBackend`."""
        units, steps = self._config.lstm_units, self._sides[side].steps
        return 4 * ((4 + self._keep_first_pass) * units * steps + 2 * units + self._config.dense_units)

    def allocate(self, side: int, slots: int) -> ElementStates:
        """See `ScoringBackend`."""
        units, steps = self._config.lstm_units, self._sides[side].steps

        def empty(*shape: int) -> Tensor:
            """Room float32 (slots, ...)."""
            return torch.from_numpy(np.empty((slots, *shape), np.float32))  # NumPy asks for large pages

        own = empty(steps, units) if self._keep_first_pass else None
        hidden, cell, share = empty(units), empty(units), empty(self._config.dense_units)
        return ElementStates(hidden, cell, share, empty(steps, 4 * units), own)

    @torch.no_grad()
    def fill(self, side: int, states: ElementStates, slots: NDArray[np.int64], codes: Codes) -> None:
        """See `ScoringBackend`."""
        kernels, (steps, _, own, _) = self._kernels, self._sides[side]
        index = kernels.group_codes(torch.as_tensor(codes))
        reached = kernels.memory.empty(len(slots), steps, self._config.lstm_units)
        pieces = max(kernels.threads, -(-len(slots) // _ELEMENTS))
        kernels.parallel(
            lambda part: self._fill_some(side, states, slots[part], index[part], reached[part]),
            kernels.spans(len(slots), 1, pieces),
        )
        share = (self._dense_bias if side == 0 else torch.zeros_like(self._dense_bias)).repeat(len(slots), 1)

        def add_shares(part: slice) -> None:
            """Some of the dense layer's units."""
            kernels.product(reached.flatten(1), own.dense[part.start // kernels.panel :], share[:, part], add=True)

        panels = -(-share.shape[1] // kernels.panel)
        kernels.parallel(add_shares, kernels.spans(share.shape[1], kernels.panel, panels))
        states.share[slots] = share
        if states.first_pass is not None:
            states.first_pass[slots] = reached.flip(1) if own.backward else reached

    def _fill_some(
        self, side: int, states: ElementStates, slots: NDArray[np.int64], index: Tensor, reached: Tensor
    ) -> None:
        kernels, units, (steps, branch, own, other) = self._kernels, self._config.lstm_units, self._sides[side]
        features = kernels.memory.empty(len(slots), steps, self._config.n_kernels)
        gates = kernels.memory.empty(len(slots), steps, 4 * units)
        convolve(kernels, branch, index, features)
        kernels.product(features.flatten(0, 1), own.projection, gates.flatten(0, 1), own.bias)
        for row, slot in zip(features, slots.tolist(), strict=True):
            kernels.product(row, other.projection, states.gates[slot], other.bias)
        rows = np.arange(len(slots))
        hidden, cell = torch.zeros(2, len(slots), units)
        self._recur(own, gates, rows, reached, rows, hidden, cell)
        states.hidden[slots], states.cell[slots] = hidden, cell

    @torch.no_grad()
    def logits(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> Tensor:
        """See `ScoringBackend`. Pairs go by enhancer, so that those that read the same gates are together."""
        kernels, count = self._kernels, len(left)
        order, logits = np.lexsort((right, left)), torch.empty(count)

        def score(part: slice) -> None:
            """Logits of some pairs."""
            rows = order[part]
            logits[rows] = self._logits(first, second, left[rows], right[rows])

        pieces = -(-count // _PAIRS)
        pieces = -(-pieces // kernels.threads) * kernels.threads
        kernels.parallel(score, kernels.spans(count, 6, pieces))
        return logits

    def _logits(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> Tensor:
        dense = first.share[left].add_(second.share[right])
        by_promoter = np.argsort(right, kind="stable")
        self._add_share(self._sides[1].other, second, right, first, left, by_promoter, dense)
        self._add_share(self._sides[0].other, first, left, second, right, np.arange(len(left)), dense)
        logits = torch.empty(len(dense), 1)
        self._kernels.product(F.relu_(dense), self._output, logits, self._output_bias)
        return logits[:, 0]

    def _add_share(
        self,
        flow: _Flow,
        waiting: ElementStates,
        element: NDArray[np.int64],
        partner: ElementStates,
        partner_element: NDArray[np.int64],
        order: NDArray[np.int64],
        dense: Tensor,
    ) -> None:
        """Add to `dense` (N, D) the share of the waiting elements' states, which start from their partners'."""
        start = partner_element[order]
        states = self._kernels.memory.empty(len(element), waiting.gates.shape[1], self._config.lstm_units)
        self._recur(flow, waiting.gates, element[order], states, order, partner.hidden[start], partner.cell[start])
        self._kernels.product(states.flatten(1), flow.dense, dense, add=True)

    def pair_states(
        self, first: ElementStates, second: ElementStates, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """See `ScoringBackend`."""
        forward = self._pair_states(self._sides[1].other, second, right, first, left)
        return forward, self._pair_states(self._sides[0].other, first, left, second, right)

    @torch.no_grad()
    def _pair_states(
        self,
        flow: _Flow,
        waiting: ElementStates,
        element: NDArray[np.int64],
        partner: ElementStates,
        partner_element: NDArray[np.int64],
    ) -> Tensor:
        kernels = self._kernels
        out = kernels.memory.empty(len(element), waiting.gates.shape[1], self._config.lstm_units)

        def run(part: slice) -> None:
            """The states of some pairs."""
            start, rows = partner_element[part], np.arange(part.start, part.stop)
            self._recur(flow, waiting.gates, element[part], out, rows, partner.hidden[start], partner.cell[start])

        kernels.parallel(run, kernels.spans(len(out), 6))
        return out.flip(1) if flow.backward else out

    def _recur(
        self,
        flow: _Flow,
        gates: Tensor,
        element: NDArray[np.int64],
        states: Tensor,
        places: NDArray[np.int64],
        hidden: Tensor,
        cell: Tensor,
    ) -> None:
        """Run rows over the gates (S, T, 4H) of elements (B,) into places (B,) of states (N, T, H).

        From hidden and cell (B, H), which are replaced by where the rows end. States are in the
        flow's own order of steps.
        """
        units, steps = hidden.shape[1], gates.shape[1]
        last = (steps - 1) * 4 * units if flow.backward else 0
        gate_start = addresses(element * (steps * 4 * units) + last)
        state_start = addresses(places * (steps * units))
        self._kernels.recur(
            "recur", slice(0, len(element)), units, steps, weights=flow.recurrent, gates=gates, gate_start=gate_start,
            gate_step=-4 * units if flow.backward else 4 * units, states=states, state_start=state_start,
            state_step=units, hidden=hidden, cell=cell,
        )  # fmt: skip
