"""Intervals, and the windows of fixed width that are placed over them.

Coordinates are 0-based and half-open. Positions may be integers or integer arrays.
Singh et al. 2016, sections 2.2.1 and 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# TargetFinder's range of candidates: nearer pairs share sequence, farther ones rarely interact.
MIN_DISTANCE_BP, MAX_DISTANCE_BP = 10_000, 2_000_000


class Interval(NamedTuple):
    """A part of one chromosome, 0-based, half-open."""

    chrom: str
    start: int
    end: int


class ElementPair(NamedTuple):
    """A candidate interaction."""

    enhancer: Interval
    promoter: Interval


def bounds_of(intervals: Iterable[Interval]) -> NDArray[np.int64]:
    """Starts and ends, int64 (N, 2)."""
    return np.array([interval[1:] for interval in intervals], np.int64).reshape(-1, 2)


def window_start(start: Any, end: Any, length: int) -> Any:
    """Start of the window of `length` bp centred on [start, end): floor((start + end - length) / 2).

    It may be negative, and the window may end beyond the chromosome; bases outside are N.
    """
    return (start + end - length) // 2


def shift_range(start: Any, end: Any, length: int) -> tuple[Any, Any]:
    """Lowest and highest shift in bp, both allowed, of an element's window.

    The shifted window holds the whole element; where the element is longer than the window, the
    element holds the whole window. No shift exceeds half the window, ``length // 2``.
    """
    window = window_start(start, end, length)
    left_aligned, right_aligned = start - window, end - length - window
    half = length // 2
    lowest = np.maximum(np.minimum(left_aligned, right_aligned), -half)
    highest = np.minimum(np.maximum(left_aligned, right_aligned), half)
    return lowest, highest


def distance_bp(first_start: Any, first_end: Any, second_start: Any, second_end: Any) -> Any:
    """Distance in bp between the nearest edges of two intervals of one chromosome; 0 where they touch or overlap."""
    return np.maximum(0, np.maximum(second_start - first_end, first_start - second_end))
