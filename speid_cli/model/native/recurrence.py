"""Both directions of the LSTM over a batch, for training.

Shapes: B pairs; T steps; H units each way. Gates are (B, T, 8H), states and cells (B, T, 2H), the
forward direction's first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from speid_cli.model.native.library import Kernels, addresses

_ROWS = 6  # of one task
Task = Callable[[], None]


class Direction(Enum):
    """One direction; its value is its place among gates and states."""

    FORWARD = 0
    BACKWARD = 1

    def starts(self, tensor: Tensor, width: int) -> tuple[Tensor, int]:
        """Offset of each row's first step in a tensor (B, T, ...), and the stride to the next step."""
        pairs, steps = tensor.shape[:2]
        first = self.value * width + (steps - 1 if self is Direction.BACKWARD else 0) * tensor.stride(1)
        step = -tensor.stride(1) if self is Direction.BACKWARD else tensor.stride(1)
        return addresses(np.arange(pairs) * tensor.stride(0) + first), step

    def before(self, states: Tensor) -> Tensor:
        """The states (B, T, H) that each step of this direction came from."""
        if self is Direction.FORWARD:
            return F.pad(states[:, :-1, : states.shape[2] // 2], (0, 0, 1, 0))
        return F.pad(states[:, 1:, states.shape[2] // 2 :], (0, 0, 0, 1))


def recur(
    kernels: Kernels, direction: Direction, recurrent: Tensor, gates: Tensor, states: Tensor, cells: Tensor
) -> list[Task]:
    """Tasks that run a direction from zero: gate inputs become activations, states and cells are kept.

    Parameters
    ----------
    recurrent : (4H, H)
    """
    start = torch.zeros(2, len(gates), recurrent.shape[1])
    panels = kernels.recurrent_panels(recurrent.detach())
    return _tasks(kernels, "recur", direction, panels, gates, states, cells, start)


def recur_backward(
    kernels: Kernels, direction: Direction, recurrent: Tensor, gates: Tensor, gradient: Tensor, cells: Tensor
) -> list[Task]:
    """Tasks that replace the activations in `gates` by the gradients of the gate inputs.

    Parameters
    ----------
    gradient : (B, T, 2H)
        Of the states.
    """
    panels = kernels.panels(recurrent.detach())
    return _tasks(kernels, "recur_backward", direction, panels, gates, gradient, cells, None)


def _tasks(
    kernels: Kernels,
    name: str,
    direction: Direction,
    panels: Tensor,
    gates: Tensor,
    states: Tensor,
    cells: Tensor,
    start: Tensor | None,
) -> list[Task]:
    pairs, steps, width = states.shape
    units = width // 2
    gate_start, gate_step = direction.starts(gates, 4 * units)
    state_start, state_step = direction.starts(states, units)
    hidden, cell = (None, None) if start is None else start

    def task(part: slice) -> None:
        kernels.recur(name, part, units, steps, weights=panels, gates=gates, gate_start=gate_start, gate_step=gate_step,
                      states=states, state_start=state_start, state_step=state_step, cells=cells, hidden=hidden,
                      cell=cell)  # fmt: skip

    parts = kernels.spans(pairs, 1, max(kernels.threads, -(-pairs // _ROWS)))
    return [partial(task, part) for part in parts]
