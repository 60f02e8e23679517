"""The exact shared-element scorer: what depends on one element alone is computed once for it.

The forward LSTM meets the enhancer first and the backward LSTM the promoter, so that their states
there, and the dense layer's share of them, belong to one element, like its convolution and its
gate inputs. For a pair remain the forward states over the promoter from the enhancer's last state,
the backward states over the enhancer from the promoter's, and their share of the dense layer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.model.config import ScoringConfig
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, ScoringBackend
from speid_cli.scoring.cache import SlotCache
from speid_cli.scoring.folding import affine
from speid_cli.scoring.native_backend import NativeBackend
from speid_cli.scoring.shared_backend import SharedBackend

Key = TypeVar("Key", bound=Hashable)


class ElementStore:
    """The elements of one side that are computed and kept, the least recently used giving way.

    Parameters
    ----------
    route : ScoringBackend
    side : {0, 1}
        Enhancer or promoter.
    slots : int
        Elements kept.
    """

    def __init__(self, route: ScoringBackend, side: int, slots: int) -> None:
        self.slots = slots
        self.states = route.allocate(side, slots)
        self._route, self._side = route, side
        self._cache = SlotCache(slots)

    def find(self, keys: Sequence[Key], read: Callable[[list[Key]], Codes]) -> NDArray[np.int64]:
        """Slots (N,) of distinct elements; `read` gives the base codes (M, L) of those not yet there."""
        slots, new = self._cache.place(keys)
        try:
            for start in range(0, len(new), ScoringConfig.element_batch_size):
                rows = new[start : start + ScoringConfig.element_batch_size]
                self._route.fill(self._side, self.states, slots[rows], read([keys[row] for row in rows]))
        except BaseException:
            self._cache.clear()  # a slot may not hold what it is placed for
            raise
        return slots


class Scorer:
    """A network as it is now, in evaluation, on a device; later changes of its weights are not seen.

    Parameters
    ----------
    model : Speid
        Moved to the device.
    device : Device
    batch_size : int, optional
        Pairs that go through the network together, where PyTorch runs it; default: the device's.
    cache_bytes : int, optional
        Memory for computed elements; default: a quarter of the device's.
    most_elements : tuple of int, optional
        Enhancers and promoters that there are, where that is known.
    features : bool
        Whether `sequence_features` will be asked for.
    """

    def __init__(
        self,
        model: Speid,
        device: Device,
        batch_size: int | None = None,
        cache_bytes: int | None = None,
        most_elements: tuple[int, int] | None = None,
        features: bool = False,
    ) -> None:
        self.config, self.device = model.config, device
        model.to(device.torch)
        usual = ScoringConfig.batch_size if device.torch.type == "cpu" else ScoringConfig.gpu_batch_size
        self._route: ScoringBackend = (
            SharedBackend(model, device, batch_size or usual, features)
            if device.kernels is None
            else NativeBackend(model, device.kernels, features)
        )
        with torch.no_grad():
            self._scale, self._offset = affine(model.sequence_norm)
        slots = _slots(self._route, cache_bytes or device.memory_bytes // 4, most_elements)
        self.enhancers, self.promoters = (ElementStore(self._route, side, count) for side, count in enumerate(slots))

    def spans(
        self, enhancers: Sequence[Hashable], promoters: Sequence[Hashable], most: int | None = None
    ) -> Iterator[slice]:
        """Pairs (N,) cut into spans whose elements the stores hold together, of `most` pairs at most."""
        start, left, right = 0, set[Hashable](), set[Hashable]()
        for position, (enhancer, promoter) in enumerate(zip(enhancers, promoters, strict=True)):
            left.add(enhancer)
            right.add(promoter)
            full = len(left) > self.enhancers.slots or len(right) > self.promoters.slots
            if full or position - start == most:
                yield slice(start, position)
                start, left, right = position, {enhancer}, {promoter}
        if start < len(enhancers):
            yield slice(start, len(enhancers))

    def logits(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (N,) of pairs of an enhancer's slot and a promoter's, as the stores found them."""
        return self._route.logits(self.enhancers.states, self.promoters.states, left, right).numpy()

    def sequence_features(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> Tensor:
        """What the dense layer is given (N, Te + Tp, 2H), on the device, of pairs of slots."""
        first, second = self.enhancers.states, self.promoters.states
        forward, backward = self._route.pair_states(first, second, left, right)
        steps = self.config.enhancer_steps
        features = torch.empty(len(left), self.config.steps, 2, self.config.lstm_units, device=self.device.torch)
        features[:, :steps, 0], features[:, steps:, 1] = first.first_pass[left], second.first_pass[right]  # type: ignore[index]
        features[:, :steps, 1], features[:, steps:, 0] = backward, forward
        return features.flatten(2).mul_(self._scale).add_(self._offset)


def _slots(route: ScoringBackend, cache_bytes: int, most: tuple[int, int] | None) -> tuple[int, int]:
    """Slots for either side that fit the memory together: as many as there are, else equally many."""
    each = max(2, cache_bytes // (route.element_bytes(0) + route.element_bytes(1)))
    if most is None:
        return each, each
    if most[0] * route.element_bytes(0) + most[1] * route.element_bytes(1) <= cache_bytes:
        return max(1, most[0]), max(1, most[1])
    return min(each, max(1, most[0])), min(each, max(1, most[1]))
