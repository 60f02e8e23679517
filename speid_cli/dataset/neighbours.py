"""Enhancers at given distances from promoters: counted and picked without listing all pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.intervals import Interval

Positions = NDArray[np.int64]


class Neighbours:
    """Pairs of enhancers (E,) and promoters (P,) on one chromosome, by the distance of their nearest edges.

    The enhancers at `low` to `high` bp on one side of a promoter are neighbours in the order of
    their starts, or of their ends; so pairs can be counted, and the n-th one named, by bisection.
    Elements that touch or overlap (distance 0) are no pairs here.
    """

    def __init__(self, enhancers: Sequence[Interval], promoters: Sequence[Interval], farthest: int) -> None:
        rank = {chrom: index for index, chrom in enumerate(sorted({place.chrom for place in (*enhancers, *promoters)}))}
        spacing = max(place.end for place in (*enhancers, *promoters)) + farthest + 2

        def keys(places: Sequence[Interval]) -> tuple[Positions, Positions]:
            lines = [(rank[chrom] * spacing + start, rank[chrom] * spacing + end) for chrom, start, end in places]
            starts, ends = np.array(lines, np.int64).reshape(-1, 2).T
            return starts, ends

        starts, ends = keys(enhancers)
        self._by_start, self._by_end = np.argsort(starts, kind="stable"), np.argsort(ends, kind="stable")
        self._starts, self._ends = starts[self._by_start], ends[self._by_end]
        self._promoter_starts, self._promoter_ends = keys(promoters)

    def within(self, low: int, high: int) -> Ranges:
        """All pairs at `low` (1 or more) to `high` bp, `high` itself left out."""
        after = np.searchsorted(self._starts, [self._promoter_ends + low, self._promoter_ends + high])
        before = np.searchsorted(self._ends, [self._promoter_starts - high, self._promoter_starts - low], "right")
        return Ranges(
            np.concatenate([after[0], before[0] + len(self._starts)]),
            np.concatenate([after[1] - after[0], before[1] - before[0]]).clip(0),
            np.concatenate([self._by_start, self._by_end]),
        )


class Ranges:
    """Pairs as ranges of enhancers, two for each promoter: after it, then before it.

    Parameters
    ----------
    first, count : int64 (2 P,)
        Where each range begins in `enhancer`, and how long it is.
    enhancer : int64 (2 E,)
        Enhancers in the order of their starts, then of their ends.
    """

    def __init__(self, first: Positions, count: Positions, enhancer: Positions) -> None:
        self._first, self._enhancer = first, enhancer
        self._reached = np.cumsum(count)

    def __len__(self) -> int:
        return int(self._reached[-1]) if len(self._reached) else 0

    def pairs(self, number: Positions) -> tuple[Positions, Positions]:
        """Enhancer (M,) and promoter (M,) of the pairs of these numbers (M,), counted from 0."""
        row = np.searchsorted(self._reached, number, "right")
        offset = number - np.append(0, self._reached)[row]
        return self._enhancer[self._first[row] + offset], row % (len(self._reached) // 2)
