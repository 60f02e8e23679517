"""Scores mutants of pairs: substitutions, variants, knocked-out motifs.

A change in one place leaves most of the network's work as it is: the convolution elsewhere, the
forward LSTM's states before it and the backward LSTM's behind it. Only changed steps are convolved,
each direction runs from the first step that can differ, and the dense layer is given differences of
states. This is exact up to rounding.

Each direction of the LSTM sees a pair as one sequence of T steps in the order in which it reads
them: forward the enhancer's, then the promoter's; backward the promoter's from its end, then the
enhancer's. All arrays by step are in that order.

Shapes: N wild-type pairs; M mutants; B a batch of mutants; Le, Lp windows in bp; K kernels; H LSTM
units each way; D dense units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.model.config import BATCH_SIZE
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import equal_batches
from speid_cli.scoring.folding import Pass
from speid_cli.scoring.native_backend import NativeBackend
from speid_cli.scoring.shared_backend import SharedBackend
from speid_cli.scoring.torch_backend import TorchBackend

Codes = NDArray[np.uint8]
Rows = NDArray[np.int64]
# Wild-type pairs computed together, and mutants: enough to be worth reading the dense weights.
_PAIRS, _MUTANTS, _GPU_MUTANTS = 64, 192, 2048


class PerturbedScorer:
    """Scores mutants of wild-type pairs with a network in evaluation mode.

    Parameters
    ----------
    model : Speid
        Moved to the device. Its weights are copied.
    cache_bytes : int, optional
        Memory for wild-type pairs; default: a quarter of the device's (on a GPU, of what is free).

    Attributes
    ----------
    capacity : int
        Wild-type pairs that can be held.
    """

    def __init__(self, model: Speid, device: Device, cache_bytes: int | None = None) -> None:
        self._backend = _backend(model.to(device.torch), device)
        self.capacity = max(1, (cache_bytes or device.memory_bytes // 4) // self._backend.pair_bytes)

    def hold(self, enhancers: Codes, promoters: Codes) -> NDArray[np.float32]:
        """Take wild-type pairs, at most `capacity`, instead of those held before; their logits (N,).

        Parameters
        ----------
        enhancers, promoters : uint8 (N, Le), (N, Lp)
            Base codes of the windows.
        """
        return self._backend.hold((enhancers, promoters))

    def logits(self, pair: Rows, enhancers: Codes | None = None, promoters: Codes | None = None) -> NDArray[np.float32]:
        """Logits (M,) of mutants.

        Parameters
        ----------
        pair : int64 (M,)
            The held pair of each mutant.
        enhancers, promoters : uint8 (M, Le), (M, Lp), optional
            Base codes of the mutated windows; None: those of the wild type.
        """
        return self._backend.logits(pair, (enhancers, promoters))

    def silenced(self, side: int, kernels: Sequence[int]) -> NDArray[np.float32]:
        """Logits (len(kernels), N) of the held pairs without each of some kernels in one branch.

        A silenced kernel has its running mean everywhere, which the norm makes 0.
        """
        return self._backend.silenced(side, kernels)


def silence(model: Speid, side: int, kernel: int) -> Speid:
    """A copy of a network in which a kernel of one branch is silenced."""
    copy = type(model).with_weights(model.config, model.state_dict())
    convolution = copy.promoter_conv if side else copy.enhancer_conv
    with torch.no_grad():
        convolution.weight[kernel] = 0
        cast(Tensor, convolution.bias)[kernel] = cast(Tensor, copy.feature_norm.running_mean)[kernel]
    return copy


class _Backend(Protocol):
    """What `PerturbedScorer` does, in one of two ways."""

    pair_bytes: int

    def hold(self, wild: tuple[Codes, Codes]) -> NDArray[np.float32]: ...

    def logits(self, pair: Rows, mutated: tuple[Codes | None, Codes | None]) -> NDArray[np.float32]: ...

    def silenced(self, side: int, kernels: Sequence[int]) -> NDArray[np.float32]: ...


def _backend(model: Speid, device: Device) -> _Backend:
    if not model.has_fast_paths:
        return _Plain(model, device)
    if device.kernels is not None:
        return _Shared(model, NativeBackend(model, device.kernels, False), _MUTANTS)
    size = _MUTANTS if device.torch.type == "cpu" else _GPU_MUTANTS
    return _Shared(model, TorchBackend(model, device, size, False), size)


class _Plain:
    """Calls the network on each mutant."""

    def __init__(self, model: Speid, device: Device) -> None:
        self._model = type(model).with_weights(model.config, model.state_dict()).to(device.torch)
        self._device = device
        self.pair_bytes = model.config.enhancer_window + model.config.promoter_window

    def hold(self, wild: tuple[Codes, Codes]) -> NDArray[np.float32]:
        self._wild = wild
        return self.logits(np.arange(len(wild[0])), (None, None))

    def logits(self, pair: Rows, mutated: tuple[Codes | None, Codes | None]) -> NDArray[np.float32]:
        return self._logits(self._model, pair, mutated)

    def silenced(self, side: int, kernels: Sequence[int]) -> NDArray[np.float32]:
        pair = np.arange(len(self._wild[0]))
        return np.stack([self._logits(silence(self._model, side, kernel), pair, (None, None)) for kernel in kernels])

    @torch.no_grad()
    def _logits(self, model: Speid, pair: Rows, mutated: tuple[Codes | None, Codes | None]) -> NDArray[np.float32]:
        parts = [torch.empty(0)]
        with self._device.autocast():
            for some, count in equal_batches(len(pair), BATCH_SIZE):
                sides = [
                    self._device.put(wild[pair[some]] if codes is None else codes[some])
                    for wild, codes in zip(self._wild, mutated, strict=True)
                ]
                parts.append(model.logits_of_codes(*sides)[:count].float().cpu())
        return torch.cat(parts).numpy()


class _Direction(NamedTuple):
    """One direction of the LSTM: in its order, the sides, their first steps, and their passes."""

    sides: tuple[int, int]
    starts: tuple[int, int]
    passes: tuple[Pass, Pass]


class _Wild(NamedTuple):
    """Wild-type pairs: gate inputs (N, T, 4H), states and cells (N, T, H) of each direction; dense sums (N, D)."""

    gates: tuple[Tensor, Tensor]
    states: tuple[Tensor, Tensor]
    cells: tuple[Tensor, Tensor]
    dense: Tensor


class _Changes(NamedTuple):
    """Which mutants (B,) go through the network together, and their first and last changed step, forwards."""

    rows: Rows
    first: int
    stop: int


class _Features(NamedTuple):
    """Features (C, K) of steps of one side: the row of the batch, and the step."""

    row: Rows
    step: Rows
    features: Tensor


class _Shared:
    """Computes what a mutation changes, on the passes of a backend that shares elements."""

    def __init__(self, model: Speid, backend: SharedBackend, size: int) -> None:
        config = self._config = model.config
        self._backend, self._size = backend, size
        (enhancer, promoter), (last_enhancer, last_promoter) = backend.first, backend.second
        self._total = config.steps
        self._directions = (
            _Direction((0, 1), (0, config.enhancer_steps), (enhancer, last_promoter)),
            _Direction((1, 0), (0, config.promoter_steps), (promoter, last_enhancer)),
        )
        self._steps = config.enhancer_steps, config.promoter_steps
        self._mean = cast(Tensor, model.feature_norm.running_mean).clone()
        self.pair_bytes = 4 * (12 * config.steps * config.lstm_units + config.dense_units)

    @torch.no_grad()
    def hold(self, wild: tuple[Codes, Codes]) -> NDArray[np.float32]:
        backend, config, count = self._backend, self._config, len(wild[0])
        self._codes = wild

        def room(width: int) -> tuple[Tensor, Tensor]:
            """Memory by step for both directions."""
            return backend.empty(count, config.steps, width), backend.empty(count, config.steps, width)

        units = config.lstm_units
        self._wild = _Wild(room(4 * units), room(units), room(units), backend.empty(count, config.dense_units))
        backend.in_parallel(self._compute, self._parts())
        self._logits = backend.output(self._wild.dense.clone()).float().cpu().numpy()
        return self._logits

    def _parts(self) -> list[slice]:
        """The held pairs in parts that are computed together."""
        return [slice(start, start + _PAIRS) for start in range(0, len(self._codes[0]), _PAIRS)]

    def _compute(self, part: slice) -> None:
        """Compute some of the wild-type pairs."""
        backend, wild = self._backend, self._wild
        features = [backend.features(side, self._codes[side][part]) for side in (0, 1)]
        wild.dense[part] = backend.dense_bias
        for number, direction in enumerate(self._directions):
            gates, states, cells = (arrays[number][part] for arrays in (wild.gates, wild.states, wild.cells))
            for side, start, run in zip(*direction, strict=True):
                ordered = features[side].flip(1) if number else features[side]
                gates[:, start : start + self._steps[side]] = backend.gates(run, ordered)
            hidden, cell = states.new_zeros(2, len(states), states.shape[2])
            backend.advance(direction.passes[0], gates, np.arange(len(gates)), hidden, cell, states, cells)
            self._add_shares(direction, 0, states, wild.dense[part])

    def _add_shares(self, direction: _Direction, start: int, states: Tensor, dense: Tensor) -> None:
        """Add to dense sums (B, D) the share of states (B, n, H) from a step on to the end."""
        border = max(direction.starts[1] - start, 0)
        for run, begins, part in zip(
            direction.passes, direction.starts, (states[:, :border], states[:, border:]), strict=True
        ):
            if part.shape[1]:
                self._backend.add_share(run, part, max(start - begins, 0), dense)

    @torch.no_grad()
    def silenced(self, side: int, kernels: Sequence[int]) -> NDArray[np.float32]:
        found = np.empty((len(kernels), len(self._logits)), np.float32)

        def compute(part: slice) -> None:
            """Fill in the logits of some pairs."""
            features = self._backend.features(side, self._codes[side][part])
            for row, kernel in zip(found, kernels, strict=True):
                row[part] = self._without(part, side, kernel, self._mean[kernel] - features[..., kernel])

        self._backend.in_parallel(compute, self._parts())
        return found

    def _without(self, part: slice, side: int, kernel: int, change: Tensor) -> NDArray[np.float32]:
        """Logits (B,) of some held pairs, a kernel's features of one side changed by (B, T of the side)."""
        backend, dense = self._backend, self._backend.dense_bias.repeat(len(change), 1)
        for number, direction in enumerate(self._directions):
            gates = self._wild.gates[number][part].clone()
            place = direction.sides.index(side)
            steps = slice(direction.starts[place], direction.starts[place] + self._steps[side])
            ordered = change.flip(1) if number else change
            gates[:, steps] += ordered[..., None] * backend.kernel_gates(direction.passes[place], kernel)
            states = backend.empty(len(gates), self._total, gates.shape[2] // 4)
            hidden, cell = states.new_zeros(2, len(states), states.shape[2])
            backend.advance(direction.passes[0], gates, np.arange(len(gates)), hidden, cell, states, None)
            self._add_shares(direction, 0, states, dense)
        return backend.output(dense).float().cpu().numpy()

    @torch.no_grad()
    def logits(self, pair: Rows, mutated: tuple[Codes | None, Codes | None]) -> NDArray[np.float32]:
        logits = self._logits[pair]
        changed = np.concatenate([self._changed(side, pair, mutated[side]) for side in (0, 1)], axis=1)  # (M, T)

        def score(batch: _Changes) -> None:
            """Fill in the logits of a batch."""
            codes = [None if side is None else side[batch.rows] for side in mutated]
            logits[batch.rows] = self._score(pair[batch.rows], codes, changed[batch.rows], batch)

        self._backend.in_parallel(score, self._batches(changed))
        return logits

    def _changed(self, side: int, pair: Rows, codes: Codes | None) -> NDArray[np.bool_]:
        """Which steps (M, T of the side) see a changed base."""
        config, steps = self._config, self._steps[side]
        if codes is None:
            return np.zeros((len(pair), steps), bool)
        before = np.zeros((len(pair), codes.shape[1] + 1), np.int32)  # changed bases before each position
        np.cumsum(codes != self._codes[side][pair], axis=1, out=before[:, 1:])
        first = np.arange(steps) * config.pool_length
        found: NDArray[np.bool_] = before[:, first + self._reach] > before[:, first]
        return found

    @property
    def _reach(self) -> int:
        """Bases that a step sees."""
        return self._config.pool_length + self._config.kernel_length - 1

    def _batches(self, changed: NDArray[np.bool_]) -> Iterator[_Changes]:
        """Mutants that change something, together with those that change steps near theirs."""
        first, stop = changed.argmax(axis=1), changed.shape[1] - changed[:, ::-1].argmax(axis=1)
        width = np.log2(stop - first).astype(np.int64)  # wide changes apart from narrow ones
        order = np.lexsort((first, width))
        order = order[changed[order, first[order]]]
        for start in range(0, len(order), self._size):
            rows = order[start : start + self._size]
            yield _Changes(rows, int(first[rows].min()), int(stop[rows].max()))

    def _score(
        self, pair: Rows, codes: list[Codes | None], changed: NDArray[np.bool_], batch: _Changes
    ) -> NDArray[np.float32]:
        """Logits (B,) of a batch."""
        backend, rows = self._backend, self._backend.put(pair)
        parts = np.split(changed, self._steps[:1], axis=1)
        features = [self._changed_features(side, codes[side], parts[side]) for side in (0, 1)]
        dense = self._wild.dense[rows]
        for number, direction in enumerate(self._directions):
            gates, states, cells = (arrays[number] for arrays in self._wild[:3])
            first, stop = (
                (batch.first, batch.stop) if number == 0 else (self._total - batch.stop, self._total - batch.first)
            )
            own = gates[rows, first:stop]
            for side, start, run in zip(*direction, strict=True):
                if (found := features[side]) is not None:
                    step = found.step if number == 0 else self._steps[side] - 1 - found.step
                    own[backend.put(found.row), backend.put(start + step - first)] = backend.gates(run, found.features)
            hidden, cell = (
                values[rows, first - 1] if first else values.new_zeros(len(pair), values.shape[2])
                for values in (states, cells)
            )
            reached = backend.empty(len(pair), self._total - first, states.shape[2])
            run, border = direction.passes[0], stop - first
            backend.advance(run, own, np.arange(len(pair)), hidden, cell, reached[:, :border], None)
            backend.advance(run, gates[:, stop:], pair, hidden, cell, reached[:, border:], None)
            self._add_shares(direction, first, reached.sub_(states[rows, first:]), dense)
        return backend.output(dense).float().cpu().numpy()

    def _changed_features(self, side: int, codes: Codes | None, changed: NDArray[np.bool_]) -> _Features | None:
        """Features of the changed steps (B, T of the side)."""
        row, step = np.nonzero(changed)
        if codes is None or not len(row):
            return None
        windows = codes[row[:, None], step[:, None] * self._config.pool_length + np.arange(self._reach)]
        return _Features(row, step, self._backend.features(side, windows)[:, 0])
