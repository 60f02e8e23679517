"""The common part of the two backends that compute each element once.

The forward LSTM reads the enhancer first, and the backward LSTM the promoter. This first pass over an
element, its contribution to the dense layer, its convolution, and the gate inputs of the other direction
depend on that element only. For a pair, the second passes remain: forward over the promoter, starting
from the final state of the first pass over the enhancer, and backward over the enhancer, starting from
that of the promoter.

Shapes: S slots; N pairs; T steps of one side, Te or Tp; H LSTM units each way; D dense units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, Slots
from speid_cli.scoring.folding import Pass, affine, fold


@dataclass(frozen=True)
class ElementStates:
    """Computed elements of one side, one in each slot.

    Attributes
    ----------
    hidden, cell : (S, H)
        Final states of the first pass, from which the second pass over a partner starts.
    dense_part : (S, D)
        Contribution of the first pass to the dense layer.
    gates : (S, T, 4H)
        Gate inputs of the second pass.
    first_pass : (S, T, H), optional
        States of the first pass, where sequence features are needed.
    """

    hidden: Tensor
    cell: Tensor
    dense_part: Tensor
    gates: Tensor
    first_pass: Tensor | None = None


Rows = Slots | Tensor
Part = TypeVar("Part")


class SecondPass(NamedTuple):
    """Rows (N,) of gates (S, T, 4H) to run over, starting from hidden and cell (N, H)."""

    gates: Tensor
    rows: Rows
    hidden: Tensor
    cell: Tensor


class SharedBackend(ABC):
    """A copy of a network in evaluation mode; see `ScoringBackend`.

    Parameters
    ----------
    model : Speid
        On the device.
    keep_first_pass : bool
        Keep the states that `sequence_features` needs.
    """

    def __init__(self, model: Speid, keep_first_pass: bool) -> None:
        self._config, self._keep_first_pass = model.config, keep_first_pass
        self._steps = model.config.enhancer_steps, model.config.promoter_steps
        self._scale, self._offset = affine(model.sequence_norm)
        self._network = network = fold(model)
        self.first, self.second = (list(map(self._prepared, passes)) for passes in (network.first, network.second))

    def element_bytes(self, side: int) -> int:
        """See `ScoringBackend`."""
        units = self._config.lstm_units
        return 4 * ((4 + self._keep_first_pass) * units * self._steps[side] + 2 * units + self._config.dense_units)

    def allocate(self, enhancers: int, promoters: int) -> None:
        """See `ScoringBackend`."""
        self._states = tuple(map(self._allocate_side, (enhancers, promoters), self._steps))

    def _allocate_side(self, slots: int, steps: int) -> ElementStates:
        units, dense = self._config.lstm_units, self._config.dense_units
        first_pass = self.empty(slots, steps, units) if self._keep_first_pass else None
        hidden, cell = self.empty(slots, units), self.empty(slots, units)
        return ElementStates(hidden, cell, self.empty(slots, dense), self.empty(slots, steps, 4 * units), first_pass)

    def _second_pass(self, side: int, elements: Rows, partners: Rows) -> SecondPass:
        """The second pass over elements (N,) of a side, each from its partner (N,) of the other side."""
        waiting, other = self._states[side], self._states[1 - side]
        return SecondPass(waiting.gates, elements, other.hidden[partners], other.cell[partners])

    def sequence_features(self, enhancers: Slots, promoters: Slots) -> Tensor:
        """See `ScoringBackend`."""
        (first, second), steps = self._states, self._steps[0]
        size = len(enhancers), sum(self._steps), 2, self._config.lstm_units
        features = torch.empty(size, device=self._scale.device)
        features[:, :steps, 0], features[:, steps:, 1] = first.first_pass[enhancers], second.first_pass[promoters]  # type: ignore[index]
        features[:, :steps, 1] = self._second_pass_states(0, enhancers, promoters)
        features[:, steps:, 0] = self._second_pass_states(1, promoters, enhancers)
        return features.flatten(2).mul_(self._scale).add_(self._offset)

    @property
    def dense_bias(self) -> Tensor:
        """What the dense layer adds (D,)."""
        return self._network.dense_bias

    @abstractmethod
    def _prepared(self, run: Pass) -> Pass:
        """A pass with its weights as the backend reads them."""

    @abstractmethod
    def empty(self, *shape: int) -> Tensor:
        """Uninitialised float32 memory on the device."""

    @abstractmethod
    def put(self, rows: Slots) -> Rows:
        """Row numbers, to index tensors with."""

    @abstractmethod
    def in_parallel(self, work: Callable[[Part], None], parts: Iterable[Part]) -> None:
        """Do work on each part, on the threads that there are."""

    @abstractmethod
    def features(self, side: int, codes: Codes) -> Tensor:
        """Pooled features (B, T, K) of base codes uint8 (B, L)."""

    @abstractmethod
    def gates(self, run: Pass, features: Tensor) -> Tensor:
        """Gate inputs (..., 4H) of a pass from features (..., K)."""

    @abstractmethod
    def kernel_gates(self, run: Pass, kernel: int) -> Tensor:
        """What a feature of 1 of one kernel adds to the gate inputs of a pass (4H,)."""

    @abstractmethod
    def advance(
        self, run: Pass, gates: Tensor, rows: Slots, hidden: Tensor, cell: Tensor, states: Tensor, cells: Tensor | None
    ) -> None:
        """Run over all steps of gates (S, n, 4H), in their order, of rows (B,).

        Parameters
        ----------
        hidden, cell : (B, H)
            Where to start; they become the final states.
        states, cells : (B, n, H)
            Filled; cells only if they are given.
        """

    @abstractmethod
    def add_share(self, run: Pass, states: Tensor, first: int, dense: Tensor) -> None:
        """Add to dense sums (B, D) the share of states (B, n, H), of which the first is step `first` of the pass."""

    @abstractmethod
    def output(self, dense: Tensor) -> Tensor:
        """Logits (B,) of dense sums (B, D), which are overwritten."""

    @abstractmethod
    def _second_pass_states(self, side: int, elements: Slots, partners: Slots) -> Tensor:
        """States (N, T, H) of the second pass over elements (N,) of a side, in the order of the sequence."""
