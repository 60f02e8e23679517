"""The shared-element scorer on the native kernels.

Shapes as in `shared_backend`; K kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from speid_cli.model.native.convolution import Branch, convolve
from speid_cli.model.native.library import Kernels, addresses
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, Slots
from speid_cli.scoring.folding import Pass
from speid_cli.scoring.shared_backend import Part, Rows, SharedBackend

_ELEMENTS = 12  # in one task: two groups of rows in the recurrence
_PAIRS = 192  # in one task at least: enough to be worth reading the dense weights
_STATES_BYTES = 1 << 21  # of a task at least: small networks get more pairs


class NativeBackend(SharedBackend):
    """See `SharedBackend`; on the CPU."""

    def __init__(self, model: Speid, kernels: Kernels, keep_first_pass: bool) -> None:
        self._kernels = kernels
        super().__init__(model, keep_first_pass)
        self._output = kernels.panels(self._network.output[:, None])
        self._branches = [
            Branch.of(kernels, layer.weight, cast(Tensor, layer.bias), model.config.pool_length)
            for layer in (model.enhancer_conv, model.promoter_conv)
        ]

    def _prepared(self, run: Pass) -> Pass:
        dense = run.dense.flip(0) if run.backward else run.dense  # in the pass's order of steps
        recurrent = self._kernels.recurrent_panels(run.recurrent.T.contiguous())
        projection, dense = self._kernels.panels(run.projection), self._kernels.panels(dense.flatten(0, 1))
        return Pass(projection, run.bias, recurrent, dense, run.backward)

    def empty(self, *shape: int) -> Tensor:
        """See `SharedBackend`."""
        return torch.from_numpy(np.empty(shape, np.float32))  # NumPy asks for large pages

    @torch.no_grad()
    def fill(self, side: int, slots: Slots, codes: Codes) -> None:
        """See `ScoringBackend`."""
        kernels, states, first = self._kernels, self._states[side], self.first[side]
        index = kernels.group_codes(torch.as_tensor(codes))
        reached = kernels.memory.empty(len(slots), self._steps[side], self._config.lstm_units)
        pieces = max(kernels.threads, -(-len(slots) // _ELEMENTS))
        kernels.parallel(
            lambda part: self._fill_some(side, slots[part], index[part], reached[part]),
            kernels.spans(len(slots), 1, pieces),
        )
        share = (self._network.dense_bias * (side == 0)).repeat(len(slots), 1)

        def add_shares(part: slice) -> None:
            kernels.product(reached.flatten(1), first.dense[part.start // kernels.panel :], share[:, part], add=True)

        panels = -(-share.shape[1] // kernels.panel)
        kernels.parallel(add_shares, kernels.spans(share.shape[1], kernels.panel, panels))
        states.dense_part[slots] = share
        if states.first_pass is not None:
            states.first_pass[slots] = reached.flip(1) if first.backward else reached

    def _fill_some(self, side: int, slots: Slots, index: Tensor, reached: Tensor) -> None:
        kernels, units, states = self._kernels, self._config.lstm_units, self._states[side]
        first, second = self.first[side], self.second[side]
        features = kernels.memory.empty(len(slots), self._steps[side], self._config.n_kernels)
        gates = kernels.memory.empty(len(slots), self._steps[side], 4 * units)
        convolve(kernels, self._branches[side], index, features)
        kernels.product(features.flatten(0, 1), first.projection, gates.flatten(0, 1), first.bias)
        for row, slot in zip(features, slots.tolist(), strict=True):
            kernels.product(row, second.projection, states.gates[slot], second.bias)
        rows = np.arange(len(slots))
        hidden, cell = torch.zeros(2, len(slots), units)
        self._recur(first, reached, rows, gates, rows, hidden, cell)
        states.hidden[slots], states.cell[slots] = hidden, cell

    @torch.no_grad()
    def logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """See `ScoringBackend`. Pairs are sorted by enhancer, so that pairs that read the same gates run together."""
        kernels, count = self._kernels, len(enhancers)
        order, logits = np.lexsort((promoters, enhancers)), torch.empty(count)

        def score(part: slice) -> None:
            rows = order[part]
            logits[rows] = self._logits(enhancers[rows], promoters[rows])

        pair_bytes = 4 * self._config.lstm_units * sum(self._steps)
        pieces = -(-count // max(_PAIRS, _STATES_BYTES // pair_bytes))
        pieces = -(-pieces // kernels.threads) * kernels.threads
        kernels.parallel(score, kernels.spans(count, 6, pieces))
        return logits

    def _logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        first, second = self._states
        dense = first.dense_part[enhancers].add_(second.dense_part[promoters])
        self._add_share(1, promoters, enhancers, np.argsort(promoters, kind="stable"), dense)
        self._add_share(0, enhancers, promoters, np.arange(len(enhancers)), dense)
        return self.output(dense)

    def _add_share(self, side: int, elements: Slots, partners: Slots, order: Slots, dense: Tensor) -> None:
        """Add to `dense` (N, D) the share of the second pass over elements (N,), run in the given order."""
        states = self._kernels.memory.empty(len(elements), self._steps[side], self._config.lstm_units)
        second_pass = self.second[side]
        self._recur(second_pass, states, order, *self._second_pass(side, elements[order], partners[order]))
        self._kernels.product(states.flatten(1), second_pass.dense, dense, add=True)

    @torch.no_grad()
    def _second_pass_states(self, side: int, elements: Slots, partners: Slots) -> Tensor:
        kernels, second_pass = self._kernels, self.second[side]
        out = kernels.memory.empty(len(elements), self._steps[side], self._config.lstm_units)

        def run(part: slice) -> None:
            places = np.arange(part.start, part.stop)
            self._recur(second_pass, out, places, *self._second_pass(side, elements[part], partners[part]))

        kernels.parallel(run, kernels.spans(len(out), 6))
        return out.flip(1) if second_pass.backward else out

    def _recur(
        self, run: Pass, states: Tensor, places: Slots, gates: Tensor, rows: Rows, hidden: Tensor, cell: Tensor
    ) -> None:
        """Run over gates (S, T, 4H) of rows (B,) into places (B,) of states (N, T, H), in the pass's order of steps.

        It starts from hidden and cell (B, H), which are overwritten with the final states.
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

    def put(self, rows: Slots) -> Slots:
        """See `SharedBackend`."""
        return rows

    def in_parallel(self, work: Callable[[Part], None], parts: Iterable[Part]) -> None:
        """See `SharedBackend`."""
        self._kernels.parallel(work, parts)

    def features(self, side: int, codes: Codes) -> Tensor:
        """See `SharedBackend`; on this thread."""
        branch, kernels = self._branches[side], self._kernels
        steps = (codes.shape[1] - branch.kernel_length + 1) // branch.pool_length
        features = kernels.memory.empty(len(codes), steps, self._config.n_kernels)
        convolve(kernels, branch, kernels.group_codes(torch.as_tensor(codes)), features)
        return features

    def gates(self, run: Pass, features: Tensor) -> Tensor:
        """See `SharedBackend`; on this thread."""
        gates = self._kernels.memory.empty(*features.shape[:-1], 4 * self._config.lstm_units)
        self._kernels.product(features.flatten(0, -2), run.projection, gates.flatten(0, -2), run.bias)
        return gates

    def kernel_gates(self, run: Pass, kernel: int) -> Tensor:
        """See `SharedBackend`."""
        return run.projection[:, kernel].flatten()[: 4 * self._config.lstm_units]  # of panels

    def advance(
        self, run: Pass, gates: Tensor, rows: Slots, hidden: Tensor, cell: Tensor, states: Tensor, cells: Tensor | None
    ) -> None:
        """See `SharedBackend`; on this thread."""
        places = np.arange(len(hidden))
        kept = gates if cells is None else gates.clone()  # where cells are kept, gates become activations
        self._kernels.recur(
            "recur", slice(0, len(hidden)), hidden.shape[1], gates.shape[1], weights=run.recurrent, gates=kept,
            gate_start=addresses(rows * kept.stride(0)), gate_step=kept.stride(1), states=states,
            state_start=addresses(places * states.stride(0)), state_step=states.stride(1), hidden=hidden, cell=cell,
            cells=cells,
        )  # fmt: skip

    def add_share(self, run: Pass, states: Tensor, first: int, dense: Tensor) -> None:
        """See `SharedBackend`; on this thread."""
        weights = run.dense[:, first * self._config.lstm_units :]
        self._kernels.product(states.flatten(1), weights, dense, add=True)

    def output(self, dense: Tensor) -> Tensor:
        """See `SharedBackend`; on this thread."""
        logits = torch.empty(len(dense), 1)
        self._kernels.product(F.relu_(dense), self._output, logits, self._network.output_bias.view(1))
        return logits[:, 0]
