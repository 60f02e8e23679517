"""Pairs of intervals at given distances from each other, counted and picked without listing all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.intervals import Interval

Positions = NDArray[np.int64]


class Neighbours:
    """Targets (T,) and queries (Q,) on one chromosome, paired by the distance between their nearest edges.

    The targets at `low` to `high` bp on one side of a query follow one another in the order of
    their starts, or of their ends; so bisection counts the pairs and finds the n-th. The pairs that
    touch or overlap (distance 0) are few, and are listed.

    Parameters
    ----------
    farthest : int
        The longest distance in bp that `within` will be asked for.
    """

    def __init__(self, targets: Sequence[Interval], queries: Sequence[Interval], farthest: int) -> None:
        rank = {chrom: index for index, chrom in enumerate(sorted({place.chrom for place in (*targets, *queries)}))}
        spacing = max((place.end for place in (*targets, *queries)), default=0) + farthest + 2

        def keys(places: Sequence[Interval]) -> tuple[Positions, Positions]:
            """Starts and ends, with each chromosome placed after the one before it."""
            lines = [(rank[chrom] * spacing + start, rank[chrom] * spacing + end) for chrom, start, end in places]
            starts, ends = np.array(lines, np.int64).reshape(-1, 2).T
            return starts, ends

        starts, ends = keys(targets)
        self._by_start, by_end = np.argsort(starts, kind="stable"), np.argsort(ends, kind="stable")
        self._by_either = np.concatenate([self._by_start, by_end])
        self._starts, self._ends = starts[self._by_start], ends[by_end]
        self._end_of, self._longest = ends, int((ends - starts).max(initial=0))
        self._query_starts, self._query_ends = keys(queries)

    def within(self, low: int, high: int, queries: slice = slice(None)) -> Ranges:
        """The pairs of some queries at `low` to `high` bp, `high` itself left out."""
        query_starts, query_ends = self._query_starts[queries], self._query_ends[queries]
        apart, query = max(low, 1), np.arange(*queries.indices(len(self._query_starts)))
        after = np.searchsorted(self._starts, [query_ends + apart, query_ends + high])
        before = np.searchsorted(self._ends, [query_starts - high, query_starts - apart], "right")
        touching, touched = self._touching(query) if low < 1 else (query[:0], query[:0])
        return Ranges(
            np.concatenate([after[0], before[0] + len(self._starts), np.arange(len(touching)) + len(self._by_either)]),
            np.concatenate([after[1] - after[0], before[1] - before[0], np.ones_like(touching)]).clip(0),
            np.concatenate([self._by_either, touching]) if len(touching) else self._by_either,
            np.concatenate([query, query, touched]),
        )

    def _touching(self, query: Positions) -> tuple[Positions, Positions]:
        """Target (M,) and query (M,) of the pairs at distance 0."""
        first = np.searchsorted(self._starts, self._query_starts[query] - self._longest)
        last = np.searchsorted(self._starts, self._query_ends[query], "right")
        target, near = Ranges(first, last - first, self._by_start, query).pairs()
        touches = self._end_of[target] >= self._query_starts[near]
        return target[touches], near[touches]


class Ranges:
    """Pairs as ranges of targets, each the partners of one query.

    Parameters
    ----------
    first, count : int64 (R,)
        Where each range begins in `target`, and how long it is.
    target : int64 (M,)
        Targets in an order in which the partners of a query follow one another.
    query : int64 (R,)
        Whose partners each range holds.
    """

    def __init__(self, first: Positions, count: Positions, target: Positions, query: Positions) -> None:
        self._first, self._target, self._query = first, target, query
        self._reached = np.cumsum(count)

    def __len__(self) -> int:
        return int(self._reached[-1]) if len(self._reached) else 0

    def pairs(self, number: Positions | None = None) -> tuple[Positions, Positions]:
        """Target (M,) and query (M,) of the pairs of these numbers (M,), counted from 0; default: of all."""
        number = np.arange(len(self)) if number is None else number
        row = np.searchsorted(self._reached, number, "right")
        offset = number - np.append(0, self._reached)[row]
        return self._target[self._first[row] + offset], self._query[row]
