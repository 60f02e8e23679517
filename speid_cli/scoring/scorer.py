"""Scores pairs; computes each element once, as long as the cache holds it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from speid_cli.model.config import BATCH_SIZE, ELEMENT_BATCH_SIZE, GPU_BATCH_SIZE
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.backend import Codes, ScoringBackend, Slots
from speid_cli.scoring.native_backend import NativeBackend
from speid_cli.scoring.plain_backend import PlainBackend
from speid_cli.scoring.torch_backend import TorchBackend

Key = TypeVar("Key", bound=Hashable)
# Gives the base codes (N, L) of elements.
Reader = Callable[[list[Key]], Codes]


@dataclass(frozen=True)
class PairSide(Generic[Key]):
    """One side of N pairs.

    Attributes
    ----------
    keys : sequence
        The different elements, in the order of the pairs.
    index : int64 (N,)
        The element of each pair.
    """

    keys: Sequence[Key]
    index: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Sequence[Key]) -> PairSide[Key]:
        """From the element (N,) of each pair."""
        number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        return cls(list(number), np.array([number[key] for key in keys], np.int64))

    def __getitem__(self, span: slice) -> PairSide[Key]:
        part = PairSide.of(self.index[span].tolist())
        return PairSide([self.keys[index] for index in part.keys], part.index)


class ElementCache(Generic[Key]):
    """The elements of one side in the slots of all backends; the least recently used is replaced first.

    Parameters
    ----------
    slots : int
        Elements held at most.
    """

    def __init__(self, backends: Sequence[ScoringBackend], side: int, slots: int, read: Reader[Key]) -> None:
        self.slots = slots
        self._backends, self._side, self._read = backends, side, read
        self._held: OrderedDict[Key, int] = OrderedDict()

    def find(self, elements: PairSide[Key]) -> Slots:
        """Slots (N,) of elements (N,), of which at most `slots` differ; new elements are computed."""
        for key in elements.keys:
            if key in self._held:
                self._held.move_to_end(key)
        new = [key for key in elements.keys if key not in self._held]
        try:
            for start in range(0, len(new), ELEMENT_BATCH_SIZE):
                some = new[start : start + ELEMENT_BATCH_SIZE]
                taken, codes = np.array(list(map(self._take, some)), np.int64), self._read(some)
                for backend in self._backends:
                    backend.fill(self._side, taken, codes)
        except BaseException:
            self.clear()  # a slot may not hold the element that it was taken for
            raise
        return np.array([self._held[key] for key in elements.keys], np.int64)[elements.index]

    def _take(self, key: Key) -> int:
        """A slot for a new element."""
        full = len(self._held) == self.slots
        slot = self._held[key] = self._held.popitem(last=False)[1] if full else len(self._held)
        return slot

    def clear(self) -> None:
        """Forget all elements."""
        self._held.clear()


class Scorer(Generic[Key]):
    """Scores pairs with a network, or several, in evaluation mode; later changes of the weights have no effect.

    Parameters
    ----------
    model : Speid
        Moved to the device.
    read : tuple of callable
        For each side, a function that returns base codes uint8 (N, L) of a list of N elements. Elements
        are identified by any hashable keys.
    batch_size : int, optional
        Pairs that go through the network together, where PyTorch computes it; default: by device.
    cache_bytes : int, optional
        Memory for computed elements; default: a quarter of the device's (on a GPU, of what is free).
    most_elements : tuple of int, optional
        The numbers of enhancers and promoters, where they are known.
    features : bool
        Whether `sequence_features` will be called.
    others : sequence of Speid
        More networks with the same windows, for `all_logits`. Each element is read once for all networks.
    """

    def __init__(
        self,
        model: Speid,
        device: Device,
        read: tuple[Reader[Key], Reader[Key]],
        batch_size: int | None = None,
        cache_bytes: int | None = None,
        most_elements: tuple[int, int] | None = None,
        features: bool = False,
        others: Sequence[Speid] = (),
    ) -> None:
        self._backends = [_backend(each.to(device.torch), device, batch_size, features) for each in (model, *others)]
        slots = _slots(self._backends, cache_bytes or device.memory_bytes // 4, most_elements)
        for backend in self._backends:
            backend.allocate(*slots)
        self.enhancers, self.promoters = (
            ElementCache(self._backends, side, count, read[side]) for side, count in enumerate(slots)
        )

    def logits(self, enhancers: Sequence[Key], promoters: Sequence[Key]) -> NDArray[np.float32]:
        """Logits (N,) of pairs of elements, by the first network."""
        return self.all_logits(PairSide.of(enhancers), PairSide.of(promoters))[0]

    def all_logits(self, enhancers: PairSide[Key], promoters: PairSide[Key]) -> NDArray[np.float32]:
        """Logits (K, N) of pairs of elements, by each of K networks."""
        parts = [
            np.stack([backend.logits(*slots).numpy() for backend in self._backends])
            for slots in self._slots(enhancers, promoters)
        ]
        return np.concatenate([np.empty((len(self._backends), 0), np.float32), *parts], axis=1)

    def sequence_features(self, enhancers: Sequence[Key], promoters: Sequence[Key]) -> Iterator[Tensor]:
        """Inputs of the first network's dense layer (M, T, 2H), on the device, of successive parts of the pairs."""
        pairs = PairSide.of(enhancers), PairSide.of(promoters)
        return (self._backends[0].sequence_features(*slots) for slots in self._slots(*pairs))

    def _slots(self, enhancers: PairSide[Key], promoters: PairSide[Key]) -> Iterator[tuple[Slots, Slots]]:
        parts = iter([(enhancers, promoters)] if len(enhancers.index) else [])
        if len(enhancers.keys) > self.enhancers.slots or len(promoters.keys) > self.promoters.slots:
            parts = ((enhancers[span], promoters[span]) for span in self.spans(enhancers, promoters))
        for left, right in parts:
            yield self.enhancers.find(left), self.promoters.find(right)

    def spans(self, enhancers: PairSide[Key], promoters: PairSide[Key]) -> Iterator[slice]:
        """Split pairs (N,) into spans whose elements fit into the caches together."""
        start, left, right = 0, set[int](), set[int]()
        pairs = zip(enhancers.index.tolist(), promoters.index.tolist(), strict=True)
        for position, (enhancer, promoter) in enumerate(pairs):
            left.add(enhancer)
            right.add(promoter)
            if len(left) > self.enhancers.slots or len(right) > self.promoters.slots:
                yield slice(start, position)
                start, left, right = position, {enhancer}, {promoter}
        if start < len(enhancers.index):
            yield slice(start, len(enhancers.index))


def _backend(model: Speid, device: Device, batch_size: int | None, features: bool) -> ScoringBackend:
    """The plain backend for a changed network, the native one where the device has native kernels, else PyTorch's."""
    if not model.has_fast_paths:
        return PlainBackend(model, device, batch_size or BATCH_SIZE)
    if device.kernels is not None:
        return NativeBackend(model, device.kernels, features)
    usual = BATCH_SIZE if device.torch.type == "cpu" else GPU_BATCH_SIZE
    return TorchBackend(model, device, batch_size or usual, features)


def _slots(backends: Sequence[ScoringBackend], cache_bytes: int, most: tuple[int, int] | None) -> tuple[int, int]:
    """Numbers of slots that fit into memory: one for each element if possible, else equal numbers."""
    enhancer, promoter = (sum(backend.element_bytes(side) for backend in backends) for side in (0, 1))
    each = max(2, cache_bytes // (enhancer + promoter))
    if most is None:
        return each, each
    if most[0] * enhancer + most[1] * promoter <= cache_bytes:
        return max(1, most[0]), max(1, most[1])
    return min(each, max(1, most[0])), min(each, max(1, most[1]))
