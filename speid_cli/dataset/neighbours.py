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
    Those that touch or overlap it (distance 0) are not, and are listed: there are few.
    """

    def __init__(self, enhancers: Sequence[Interval], promoters: Sequence[Interval], farthest: int) -> None:
        rank = {chrom: index for index, chrom in enumerate(sorted({place.chrom for place in (*enhancers, *promoters)}))}
        spacing = max(place.end for place in (*enhancers, *promoters)) + farthest + 2

        def keys(places: Sequence[Interval]) -> tuple[Positions, Positions]:
            """Starts and ends, chromosome after chromosome."""
            lines = [(rank[chrom] * spacing + start, rank[chrom] * spacing + end) for chrom, start, end in places]
            starts, ends = np.array(lines, np.int64).reshape(-1, 2).T
            return starts, ends

        starts, ends = keys(enhancers)
        self._by_start, self._by_end = np.argsort(starts, kind="stable"), np.argsort(ends, kind="stable")
        self._starts, self._ends = starts[self._by_start], ends[self._by_end]
        self._end_of, self._longest = ends, int((ends - starts).max(initial=0))
        self._promoter_starts, self._promoter_ends = keys(promoters)

    def within(self, low: int, high: int) -> Ranges:
        """All pairs at `low` to `high` bp, `high` itself left out."""
        apart, everyone = max(low, 1), np.arange(len(self._promoter_starts))
        after = np.searchsorted(self._starts, [self._promoter_ends + apart, self._promoter_ends + high])
        before = np.searchsorted(self._ends, [self._promoter_starts - high, self._promoter_starts - apart], "right")
        enhancer, promoter = self._touching() if low < 1 else (everyone[:0], everyone[:0])
        return Ranges(
            np.concatenate([after[0], before[0] + len(self._starts), np.arange(len(enhancer)) + 2 * len(self._starts)]),
            np.concatenate([after[1] - after[0], before[1] - before[0], np.ones_like(enhancer)]).clip(0),
            np.concatenate([self._by_start, self._by_end, enhancer]),
            np.concatenate([everyone, everyone, promoter]),
        )

    def _touching(self) -> tuple[Positions, Positions]:
        """Enhancer (M,) and promoter (M,) of the pairs at distance 0."""
        first = np.searchsorted(self._starts, self._promoter_starts - self._longest)
        last = np.searchsorted(self._starts, self._promoter_ends, "right")
        near = Ranges(first, last - first, self._by_start, np.arange(len(first)))
        enhancer, promoter = near.pairs(np.arange(len(near)))
        meets = self._end_of[enhancer] >= self._promoter_starts[promoter]
        return enhancer[meets], promoter[meets]


class Ranges:
    """Pairs as ranges of enhancers, each the partners of one promoter.

    Parameters
    ----------
    first, count : int64 (R,)
        Where each range begins in `enhancer`, and how long it is.
    enhancer : int64 (M,)
        Enhancers in an order that makes ranges of partners.
    promoter : int64 (R,)
        Whose partners each range holds.
    """

    def __init__(self, first: Positions, count: Positions, enhancer: Positions, promoter: Positions) -> None:
        self._first, self._enhancer, self._promoter = first, enhancer, promoter
        self._reached = np.cumsum(count)

    def __len__(self) -> int:
        return int(self._reached[-1]) if len(self._reached) else 0

    def pairs(self, number: Positions) -> tuple[Positions, Positions]:
        """Enhancer (M,) and promoter (M,) of the pairs of these numbers (M,), counted from 0."""
        row = np.searchsorted(self._reached, number, "right")
        offset = number - np.append(0, self._reached)[row]
        return self._enhancer[self._first[row] + offset], self._promoter[row]
