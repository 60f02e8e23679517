"""The shared-element scorer on the native kernels.

Shapes as in `shared_backend`; K kernels.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speid_cli.model.native.convolution import Branch, convolve
from speid_cli.model.native.library import Kernels, addresses
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, Slots
from speid_cli.scoring.folding import Direction, fold
from speid_cli.scoring.shared_backend import Rows, SharedBackend

_ELEMENTS = 12  # in one task: two groups of rows in the recurrence
_PAIRS = 192  # in one task: enough to be worth reading the dense weights


class _Pass(NamedTuple):
    """One direction of the LSTM over one side, prepared for the kernels; dense weights in its order of steps."""

    projection: Tensor
    bias: Tensor
    recurrent: Tensor
    dense: Tensor
    backward: bool

    @classmethod
    def of(cls, kernels: Kernels, direction: Direction, dense: Tensor) -> _Pass:
        """From the direction's part (T, H, D) of the dense weights."""
        ordered = dense.flip(0) if direction.backward else dense
        return cls(
            kernels.panels(direction.projection),
            direction.bias,
            kernels.recurrent_panels(direction.recurrent.T.contiguous()),
            kernels.panels(ordered.flatten(0, 1)),
            direction.backward,
        )


class _Side(NamedTuple):
    """The weights for elements of one side."""

    branch: Branch
    first_pass: _Pass
    second_pass: _Pass


class NativeBackend(SharedBackend):
    """See `SharedBackend`; on the CPU.

    Parameters
    ----------
    kernels : Kernels
    """

    def __init__(self, model: Speid, kernels: Kernels, keep_first_pass: bool) -> None:
        super().__init__(model, keep_first_pass)
        self._kernels = kernels
        network = fold(model)
        self._dense_bias, self._output_bias = network.dense_bias, network.output_bias.view(1)
        self._output = kernels.panels(network.output[:, None])

        def side(conv: nn.Conv1d, *passes: tuple[Direction, Tensor]) -> _Side:
            """The weights of one side."""
            branch = Branch.of(kernels, conv.weight, cast(Tensor, conv.bias), model.config.pool_length)
            return _Side(branch, *(_Pass.of(kernels, *each) for each in passes))

        forward, backward = network.forward, network.backward
        self._sides = (
            side(model.enhancer_conv, (forward, network.enhancer_forward), (backward, network.enhancer_backward)),
            side(model.promoter_conv, (backward, network.promoter_backward), (forward, network.promoter_forward)),
        )

    def _empty(self, *shape: int) -> Tensor:
        return torch.from_numpy(np.empty(shape, np.float32))  # NumPy asks for large pages

    @torch.no_grad()
    def fill(self, side: int, slots: Slots, codes: Codes) -> None:
        """See `ScoringBackend`."""
        kernels, states, first_pass = self._kernels, self._states[side], self._sides[side].first_pass
        index = kernels.group_codes(torch.as_tensor(codes))
        reached = kernels.memory.empty(len(slots), self._steps[side], self._config.lstm_units)
        pieces = max(kernels.threads, -(-len(slots) // _ELEMENTS))
        kernels.parallel(
            lambda part: self._fill_some(side, slots[part], index[part], reached[part]),
            kernels.spans(len(slots), 1, pieces),
        )
        share = (self._dense_bias if side == 0 else torch.zeros_like(self._dense_bias)).repeat(len(slots), 1)

        def add_shares(part: slice) -> None:
            """Some of the dense layer's units."""
            dense = first_pass.dense[part.start // kernels.panel :]
            kernels.product(reached.flatten(1), dense, share[:, part], add=True)

        panels = -(-share.shape[1] // kernels.panel)
        kernels.parallel(add_shares, kernels.spans(share.shape[1], kernels.panel, panels))
        states.share[slots] = share
        if states.first_pass is not None:
            states.first_pass[slots] = reached.flip(1) if first_pass.backward else reached

    def _fill_some(self, side: int, slots: Slots, index: Tensor, reached: Tensor) -> None:
        kernels, units, states = self._kernels, self._config.lstm_units, self._states[side]
        branch, first_pass, second_pass = self._sides[side]
        features = kernels.memory.empty(len(slots), self._steps[side], self._config.n_kernels)
        gates = kernels.memory.empty(len(slots), self._steps[side], 4 * units)
        convolve(kernels, branch, index, features)
        kernels.product(features.flatten(0, 1), first_pass.projection, gates.flatten(0, 1), first_pass.bias)
        for row, slot in zip(features, slots.tolist(), strict=True):
            kernels.product(row, second_pass.projection, states.gates[slot], second_pass.bias)
        rows = np.arange(len(slots))
        hidden, cell = torch.zeros(2, len(slots), units)
        self._recur(first_pass, reached, rows, gates, rows, hidden, cell)
        states.hidden[slots], states.cell[slots] = hidden, cell

    @torch.no_grad()
    def logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """See `ScoringBackend`. Pairs are sorted by enhancer, so that pairs that read the same gates run together."""
        kernels, count = self._kernels, len(enhancers)
        order, logits = np.lexsort((promoters, enhancers)), torch.empty(count)

        def score(part: slice) -> None:
            """Logits of some pairs."""
            rows = order[part]
            logits[rows] = self._logits(enhancers[rows], promoters[rows])

        pieces = -(-count // _PAIRS)
        pieces = -(-pieces // kernels.threads) * kernels.threads
        kernels.parallel(score, kernels.spans(count, 6, pieces))
        return logits

    def _logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        first, second = self._states
        dense = first.share[enhancers].add_(second.share[promoters])
        self._add_share(1, promoters, enhancers, np.argsort(promoters, kind="stable"), dense)
        self._add_share(0, enhancers, promoters, np.arange(len(enhancers)), dense)
        logits = torch.empty(len(dense), 1)
        self._kernels.product(F.relu_(dense), self._output, logits, self._output_bias)
        return logits[:, 0]

    def _add_share(self, side: int, elements: Slots, partners: Slots, order: Slots, dense: Tensor) -> None:
        """Add to `dense` (N, D) the share of the second pass over elements (N,), run in the given order."""
        states = self._kernels.memory.empty(len(elements), self._steps[side], self._config.lstm_units)
        second_pass = self._sides[side].second_pass
        self._recur(second_pass, states, order, *self._second_pass(side, elements[order], partners[order]))
        self._kernels.product(states.flatten(1), second_pass.dense, dense, add=True)

    @torch.no_grad()
    def _second_pass_states(self, side: int, elements: Slots, partners: Slots) -> Tensor:
        kernels, second_pass = self._kernels, self._sides[side].second_pass
        out = kernels.memory.empty(len(elements), self._steps[side], self._config.lstm_units)

        def run(part: slice) -> None:
            """The states of some pairs."""
            places = np.arange(part.start, part.stop)
            self._recur(second_pass, out, places, *self._second_pass(side, elements[part], partners[part]))

        kernels.parallel(run, kernels.spans(len(out), 6))
        return out.flip(1) if second_pass.backward else out

    def _recur(
        self, run: _Pass, states: Tensor, places: Slots, gates: Tensor, rows: Rows, hidden: Tensor, cell: Tensor
    ) -> None:
        """Run over gates (S, T, 4H) of rows (B,) into places (B,) of states (N, T, H), in the pass's order of steps.

        It starts from hidden and cell (B, H), which become where the rows end.
        """
        units, steps = hidden.shape[1], gates.shape[1]
        last = (steps - 1) * 4 * units if run.backward else 0
        gate_start = addresses(np.asarray(rows) * (steps * 4 * units) + last)
        state_start = addresses(places * (steps * units))
        self._kernels.recur(
            "recur", slice(0, len(hidden)), units, steps, weights=run.recurrent, gates=gates, gate_start=gate_start,
            gate_step=-4 * units if run.backward else 4 * units, states=states, state_start=state_start,
            state_step=units, hidden=hidden, cell=cell,
        )  # fmt: skip
