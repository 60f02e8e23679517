"""How many elements there are, how long they are, and their GC content.

Promoters of mammals are richer in G and C than the sequence around them. If the promoters of a file
are not, its coordinates are most likely of another genome build; if its enhancers are, the sides are
most likely exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.intervals import Interval, window_start
from speid_cli.genome.onehot import gc_content
from speid_cli.genome.reference import Reference

# Promoters of human chr22 are 0.10 to 0.14 above the sequence near them, other places at most 0.02.
_LEAST_DIFFERENCE = 0.04
# An enhancer window of 3 kb holds more than a promoter, so exchanged sides differ less.
_LEAST_EXCHANGED = 0.02
# GC content along a genome must vary this many times as much as by chance to tell anything.
_LEAST_SPREAD = 1.5
_FEWEST_ELEMENTS = 20
_SAMPLED = 1000
_NEARBY_BP = 20_000, 200_000


class Composition(NamedTuple):
    """The unique elements of one side: their number, their median length in bp, the median GC of their windows."""

    elements: int
    length_bp: float
    gc: float


def composition(length: NDArray[np.int64], gc: NDArray[np.float64]) -> Composition:
    """The composition of elements of these lengths (E,) in bp and GC contents (E,) of windows; NaN is left out."""
    return Composition(len(length), float(np.median(length)), _median_and_spread(gc)[0])


def nearby_gc(reference: Reference, elements: Sequence[Interval], window: int, seed: int) -> tuple[float, float]:
    """Median and standard deviation of GC in windows 20 to 200 kb from at most 1,000 of the elements."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(elements))[:_SAMPLED]
    away = generator.integers(*_NEARBY_BP, len(chosen)) * generator.choice([-1, 1], len(chosen))
    places = [
        (elements[index].chrom, window_start(elements[index].start, elements[index].end, window) + shift)
        for index, shift in zip(chosen, away.tolist(), strict=True)
    ]
    return _median_and_spread(gc_content(reference.codes(places, window)))


def looks_exchanged(enhancers: Composition, promoters: Composition) -> bool:
    """Whether side 1 looks like promoters (few, long, rich in GC) and side 2 like enhancers."""
    alike = promoters.elements < enhancers.elements and promoters.length_bp > enhancers.length_bp
    return _enough(enhancers, promoters) and enhancers.gc - promoters.gc > _LEAST_EXCHANGED and not alike


def looks_like_other_build(promoters: Composition, nearby: tuple[float, float], window: int) -> bool:
    """Whether promoters have the GC content of the sequence near them.

    `nearby` is the median and standard deviation of GC in windows of `window` bp there.
    """
    median, spread = nearby
    varies = spread > _LEAST_SPREAD * 0.5 / window**0.5
    return _enough(promoters) and varies and promoters.gc - median < _LEAST_DIFFERENCE


class ElementSample:
    """The first elements of one side of a stream, 1,000 at most."""

    def __init__(self) -> None:
        self._length: list[int] = []
        self._gc: list[float] = []

    def add(self, elements: Sequence[Interval], codes: NDArray[np.uint8]) -> None:
        """Add elements (E,) with the codes (E, L) of their windows, each element once."""
        room = _SAMPLED - len(self._length)
        self._length += [element.end - element.start for element in elements[:room]]
        self._gc += gc_content(codes[:room]).tolist()

    def composition(self) -> Composition:
        """The composition of the elements added."""
        return composition(np.array(self._length or [0]), np.array(self._gc, float))


def compare(found: tuple[Composition, Composition], known: tuple[Composition, Composition]) -> str:
    """How the GC of enhancers and promoters differs from known ones, as a sentence; empty if it does not."""
    if not _enough(*found, *known):
        return ""
    (enhancers, promoters), (usual_enhancers, usual_promoters) = (
        (side.gc for side in sides) for sides in (found, known)
    )
    straight = abs(enhancers - usual_enhancers) + abs(promoters - usual_promoters)
    exchanged = abs(enhancers - usual_promoters) + abs(promoters - usual_enhancers)
    if straight - exchanged > _LEAST_DIFFERENCE:
        question = "are the sides exchanged? see --promoter-first"
    elif usual_promoters - promoters > _LEAST_DIFFERENCE:
        question = "are the pairs of another genome build?"
    else:
        return ""
    return (
        f"median GC of enhancers and promoters is {enhancers:.2f} and {promoters:.2f}, in the training data "
        f"{usual_enhancers:.2f} and {usual_promoters:.2f}: {question}"
    )


def _median_and_spread(gc: NDArray[np.float64]) -> tuple[float, float]:
    """Median and standard deviation without NaN; 0 where there is nothing else."""
    known = gc[~np.isnan(gc)]
    return (round(float(np.median(known)), 4), round(float(known.std()), 4)) if len(known) else (0.0, 0.0)


def _enough(*sides: Composition) -> bool:
    return min(side.elements for side in sides) >= _FEWEST_ELEMENTS
