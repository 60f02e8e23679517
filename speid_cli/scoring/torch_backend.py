"""The shared-element scorer in PyTorch, for every device.

Shapes as in `shared_backend`; K kernels; L a window in bp.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speid_cli.model.config import ELEMENT_BATCH_SIZE
from speid_cli.model.convolution import TableBranch, branch, expand
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, Slots, equal_batches
from speid_cli.scoring.folding import Pass
from speid_cli.scoring.shared_backend import Part, Rows, SharedBackend

# On a CPU, the features of this many elements stay in its cache.
_CPU_ELEMENTS = 32


class TorchBackend(SharedBackend):
    """See `SharedBackend`.

    Parameters
    ----------
    batch_size : int
        Pairs that go through the LSTM together.
    """

    def __init__(self, model: Speid, device: Device, batch_size: int, keep_first_pass: bool) -> None:
        super().__init__(model, keep_first_pass)
        self._device, self._batch_size = device, batch_size
        self._element_batch_size = _CPU_ELEMENTS if device.torch.type == "cpu" else ELEMENT_BATCH_SIZE
        self._features = self._features_of(model.enhancer_conv), self._features_of(model.promoter_conv)
        self._pair_dense = torch.cat([self.second[1].dense, self.second[0].dense])
        self._batch_logits = device.replaying(self._logits_of_rows)

    def _prepared(self, run: Pass) -> Pass:
        # Gate g (of i, f, g, o) is doubled: tanh(z) = 2 sigmoid(2 z) - 1, so that one function serves all gates.
        factor = torch.tensor([1.0, 1.0, 2.0, 1.0], device=run.bias.device).repeat_interleave(len(run.recurrent))
        gates = (run.projection * factor, run.bias * factor, run.recurrent * factor)
        return Pass(*gates, run.dense.flatten(0, 1), run.backward)

    def empty(self, *shape: int) -> Tensor:
        """See `SharedBackend`."""
        return torch.empty(shape, device=self._device.torch)

    def put(self, rows: Slots) -> Tensor:
        """See `SharedBackend`."""
        return self._device.put(rows)

    def in_parallel(self, work: Callable[[Part], None], parts: Iterable[Part]) -> None:
        """See `SharedBackend`; PyTorch itself uses the threads."""
        for part in parts:
            work(part)

    @torch.no_grad()
    def fill(self, side: int, slots: Slots, codes: Codes) -> None:
        """See `ScoringBackend`."""
        for some, count in equal_batches(len(slots), self._element_batch_size):
            self._fill_some(side, slots[some], codes[some[:count]])

    def _fill_some(self, side: int, slots: Slots, codes: Codes) -> None:
        """Compute elements into slots; slots beyond the codes get the last element again."""
        states, first, second = self._states[side], self.first[side], self.second[side]
        with self._device.autocast():
            rows, features = self._device.put(slots), self.features(side, codes)  # (N, T, K)
            features = torch.cat([features, features[-1:].expand(len(slots) - len(codes), -1, -1)])
            start = torch.zeros(len(rows), self._config.lstm_units, device=self._device.torch)
            reached, hidden, cell = _recur(first, self.gates(first, features), None, start, start)
            states.hidden[rows], states.cell[rows] = hidden, cell
            states.dense_part[rows] = (reached.flatten(1) @ first.dense).float()
            states.gates[rows] = self.gates(second, features)
            if states.first_pass is not None:
                states.first_pass[rows] = reached

    def features(self, side: int, codes: Codes) -> Tensor:
        """See `SharedBackend`."""
        return self._features[side](self._device.put(codes))

    def gates(self, run: Pass, features: Tensor) -> Tensor:
        """See `SharedBackend`."""
        with self._device.autocast():
            return (features @ run.projection + run.bias).float()

    def kernel_gates(self, run: Pass, kernel: int) -> Tensor:
        """See `SharedBackend`."""
        return run.projection[kernel]

    def advance(
        self, run: Pass, gates: Tensor, rows: Slots, hidden: Tensor, cell: Tensor, states: Tensor, cells: Tensor | None
    ) -> None:
        """See `SharedBackend`."""
        with self._device.autocast():
            found = _recur(run._replace(backward=False), gates, self.put(rows), hidden, cell, cells)
        for target, values in zip((states, hidden, cell), found, strict=True):
            target.copy_(values)

    def add_share(self, run: Pass, states: Tensor, first: int, dense: Tensor) -> None:
        """See `SharedBackend`."""
        rows = slice(first, first + states.shape[1])
        if run.backward:  # the weights are in the order of the sequence
            states = states.flip(1)
            steps = len(run.dense) // states.shape[2]
            rows = slice(steps - rows.stop, steps - rows.start)
        units = states.shape[2]
        with self._device.autocast():
            dense += (states.flatten(1) @ run.dense[rows.start * units : rows.stop * units]).float()

    def output(self, dense: Tensor) -> Tensor:
        """See `SharedBackend`."""
        return F.relu_(dense) @ self._network.output + self._network.output_bias

    @torch.no_grad()
    def logits(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """See `ScoringBackend`."""
        parts = [torch.empty(0)]
        for some, count in equal_batches(len(enhancers), self._batch_size):
            rows = self._device.put(enhancers[some]), self._device.put(promoters[some])
            parts.append(self._batch_logits(*rows)[:count].cpu())
        return torch.cat(parts)

    def _logits_of_rows(self, left: Tensor, right: Tensor) -> Tensor:
        """Logits (B,) of pairs of slots (B,)."""
        network, (first, second) = self._network, self._states
        with self._device.autocast():
            forward, backward = self._run(1, right, left), self._run(0, left, right)
            dense = torch.addmm(network.dense_bias, torch.cat([forward, backward], 1).flatten(1), self._pair_dense)
            dense += first.dense_part[left]
            dense += second.dense_part[right]
            return self.output(dense).float()

    @torch.no_grad()
    def _second_pass_states(self, side: int, elements: Slots, partners: Slots) -> Tensor:
        rows = (self._device.put(slots).split(self._batch_size) for slots in (elements, partners))
        with self._device.autocast():
            return torch.cat([self._run(side, *some) for some in zip(*rows, strict=True)])

    def _run(self, side: int, elements: Rows, partners: Rows) -> Tensor:
        """States (N, T, H) of the second pass over elements (N,) of a side."""
        states, _, _ = _recur(self.second[side], *self._second_pass(side, elements, partners))
        return states

    def _features_of(self, convolution: nn.Conv1d) -> Callable[[Tensor], Tensor]:
        """A function from codes (N, L) to features (N, T, K); on a CPU it looks up tables, which is faster."""
        pool = self._config.pool_length
        if self._device.torch.type == "cpu":
            return TableBranch(convolution, pool)
        fixed = copy.deepcopy(convolution)
        return lambda codes: branch(fixed, expand(codes), pool).transpose(1, 2)


def _recur(
    run: Pass, gates: Tensor, rows: Rows | None, hidden: Tensor, cell: Tensor, cells: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a pass over its steps.

    Parameters
    ----------
    gates : (S, T, 4H)
        Gate inputs of the elements.
    rows : int64 (B,), optional
        The element of each row; None: row b is element b.
    hidden, cell : (B, H)
        Where to start.
    cells : (B, T, H), optional
        Filled.

    Returns
    -------
    states (B, T, H), hidden (B, H), cell (B, H)
    """
    steps = range(gates.shape[1])
    states = hidden.new_empty(len(hidden), len(steps), hidden.shape[1])
    for step in reversed(steps) if run.backward else steps:
        inputs = gates[:, step] if rows is None else gates[:, step].index_select(0, torch.as_tensor(rows))
        i, f, g, o = torch.addmm(inputs, hidden, run.recurrent).float().sigmoid_().chunk(4, 1)
        cell = (f * cell).addcmul_(i, g.mul_(2).sub_(1))
        hidden = o * torch.tanh(cell)
        states[:, step] = hidden
        if cells is not None:
            cells[:, step] = cell
    return states, hidden, cell
