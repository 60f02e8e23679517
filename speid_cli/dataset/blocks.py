"""The split by contiguous blocks of each chromosome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION

DROPPED = -1
# The most places of a chromosome where a border may be.
_BORDERS = 257
# A chromosome with fewer positives cannot have one in each of three subsets.
_FEWEST_TO_SHARE = 3
# A block is drawn among those at most this much farther from the fractions than the best.
_TOLERANCE = 0.02


class Block(NamedTuple):
    """The part of a chromosome between two borders, in bp."""

    start: int
    end: int


def block_subsets(
    enhancers: NDArray[np.int64],
    promoters: NDArray[np.int64],
    label: NDArray[np.int8],
    test_fraction: float,
    validation_fraction: float,
    window: int,
    seed: int,
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Subset of each pair's enhancer (N,) and promoter (N,): 0 train, 1 validation, 2 test, -1 near a border.

    Each chromosome gets one test and one validation block, drawn among those whose shares of undivided
    pairs and of positives come nearest to the fractions. Shares are of all chromosomes so far, so that
    small chromosomes add up to the fractions.

    Parameters
    ----------
    enhancers, promoters : int64 (N, 3)
        Chromosome index, start and end.
    label : int8 (N,)
    window : int
        Elements nearer to a border than this, in bp, are in no subset.
    """
    generator = np.random.default_rng(seed)
    subsets = np.full((2, len(enhancers)), DROPPED, np.int8)
    fractions = {TEST: test_fraction, VALIDATION: validation_fraction}
    taken, seen = {part: np.zeros(2) for part in fractions}, np.zeros(2)
    sides = np.stack([enhancers, promoters])
    for chrom in np.unique(sides[:, :, 0]):
        whole = (sides[:, :, 0] == chrom).all(axis=0)
        counts = np.stack([np.ones(whole.sum()), label[whole] == 1], axis=1)  # (n, 2): pairs, positives
        seen += counts.sum(axis=0)
        table = _Table(sides[:, whole, 1].min(axis=0) - window, sides[:, whole, 2].max(axis=0) + window, counts)
        blocks: dict[int, Block] = {}
        for part in (part for part, fraction in fractions.items() if fraction and len(counts)):
            start, end = table.choose(fractions[part], seen, taken[part], list(blocks.values()), generator)
            taken[part] += table.inside[start, end]
            blocks[part] = Block(int(table.borders[start]), int(table.borders[end]))
        on_chrom = sides[:, :, 0] == chrom
        subsets[on_chrom] = _subset_of(sides[on_chrom], blocks, window)
    return subsets[0], subsets[1]


class _Table:
    """How many pairs and positives each possible block of a chromosome holds.

    Attributes
    ----------
    borders : int64 (G,)
        Where borders may be.
    inside, outside : float64 (G, G, 2)
        Pairs, and positives, that lie wholly inside or outside the block between two borders.
    """

    def __init__(self, first: NDArray[np.int64], last: NDArray[np.int64], counts: NDArray[np.float64]) -> None:
        places = np.append(first, last)
        shares = np.linspace(0, 1, _BORDERS) if len(places) else np.empty(0)
        self.borders = np.unique(np.quantile(places, shares, method="nearest")) if len(places) else places
        starts = np.searchsorted(self.borders, first, "right") - 1  # the last border before a pair
        ends = np.searchsorted(self.borders, last)  # the first border after it
        size = len(self.borders)
        table = np.zeros((size, size, 2))
        np.add.at(table, (starts, ends), counts)
        self.inside = np.cumsum(np.cumsum(table[::-1], axis=0)[::-1], axis=1)
        before = np.cumsum(table.sum(axis=0), axis=0)  # pairs that end before a border
        after = np.cumsum(table.sum(axis=1)[::-1], axis=0)[::-1]  # pairs that start after it
        self.outside = before[:, None] + after[None, :]
        self.total = counts.sum(axis=0)

    def choose(
        self,
        fraction: float,
        seen: NDArray[np.float64],
        taken: NDArray[np.float64],
        others: list[Block],
        generator: np.random.Generator,
    ) -> tuple[int, int]:
        """Indices of the borders of a block that brings the subset near its fraction and overlaps no other block.

        `taken` (2,) pairs and positives of `seen` (2,) are in this subset already.
        """
        reached = taken + self.inside
        lost = self.total - self.inside - self.outside
        distance = (np.abs(reached / np.maximum(seen, 1) - fraction) + lost / np.maximum(seen, 1)).sum(axis=-1)
        if self.total[1] >= _FEWEST_TO_SHARE:
            distance[reached[..., 1] == 0] += 4  # chosen only where no block has a positive
        start, end = np.meshgrid(self.borders, self.borders, indexing="ij")
        distance[start > end] = np.inf
        for other in others:
            distance[(end > other.start) & (start < other.end)] = np.inf
        near = np.flatnonzero(distance <= distance.min() + _TOLERANCE)
        first, last = np.unravel_index(int(generator.choice(near)), distance.shape)
        return int(first), int(last)


def _subset_of(elements: NDArray[np.int64], blocks: dict[int, Block], window: int) -> NDArray[np.int8]:
    """Subset of elements (M, 3) of one chromosome; `DROPPED` where a border is nearer than a window."""
    first, last = elements[:, 1] - window, elements[:, 2] + window
    subset = np.full(len(elements), TRAIN, np.int8)
    for part, block in blocks.items():
        outside = (last <= block.start) | (first >= block.end)
        inside = (first >= block.start) & (last <= block.end)
        subset[~outside] = np.where(inside, part, DROPPED)[~outside]
    return subset
