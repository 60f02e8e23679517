"""Random intervals, and the plain rules of distance and overlap."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from speid_cli.genome.intervals import Interval

needs_bedtools = pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")


def random_places(
    count: int, seed: int, chromosomes: int = 3, span: int = 400_000, longest: int = 900
) -> list[Interval]:
    """Sorted intervals, each once."""
    rng = np.random.default_rng(seed)
    places = set()
    for _ in range(count):
        start = int(rng.integers(0, span))
        places.add(Interval(f"chr{rng.integers(1, chromosomes + 1)}", start, start + int(rng.integers(1, longest))))
    return sorted(places)


def gap(first: Interval, second: Interval) -> int:
    """Distance between the nearest edges; 0 where they touch or overlap."""
    return max(0, second.start - first.end, first.start - second.end)


def meets(first: Interval, second: Interval) -> bool:
    """Whether they share a base."""
    return first.chrom == second.chrom and first.start < second.end and second.start < first.end
