"""The split by contiguous blocks of each chromosome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION

NOWHERE = -1
# Places of a chromosome where a border may stand, at most.
_BORDERS = 257
# With fewer positives a chromosome cannot give one to each of three subsets.
_FEWEST_TO_SHARE = 3
# Blocks that come this much less near the fractions than the best are drawn from too.
_TOLERANCE = 0.02


class Block(NamedTuple):
    """A stretch of a chromosome: what lies between both borders, in bp."""

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

    Each chromosome has one test and one validation block, drawn among those that come nearest the
    fractions, with the pairs left whole and with the positives among them. Both are counted on from
    chromosome to chromosome, so that small ones add up.

    Parameters
    ----------
    enhancers, promoters : int64 (N, 3)
        Chromosome index, start and end.
    label : int8 (N,)
    window : int
        How near a border an element may not be, in bp.
    """
    generator = np.random.default_rng(seed)
    subsets = np.full((2, len(enhancers)), NOWHERE, np.int8)
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
        Where borders may stand.
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
        after = np.cumsum(table.sum(axis=1)[::-1], axis=0)[::-1]  # pairs that start behind it
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
        """Borders, by position, of a block that comes near a fraction of what was seen and overlaps no other.

        `taken` (2,) pairs and positives are in this subset already, of `seen` (2,).
        """
        reached = taken + self.inside
        lost = self.total - self.inside - self.outside
        distance = (np.abs(reached / np.maximum(seen, 1) - fraction) + lost / np.maximum(seen, 1)).sum(axis=-1)
        if self.total[1] >= _FEWEST_TO_SHARE:
            distance[reached[..., 1] == 0] += 4  # only where no block has a positive
        start, end = np.meshgrid(self.borders, self.borders, indexing="ij")
        distance[start > end] = np.inf
        for other in others:
            distance[(end > other.start) & (start < other.end)] = np.inf
        near = np.flatnonzero(distance <= distance.min() + _TOLERANCE)
        first, last = np.unravel_index(int(generator.choice(near)), distance.shape)
        return int(first), int(last)


def _subset_of(elements: NDArray[np.int64], blocks: dict[int, Block], window: int) -> NDArray[np.int8]:
    """Subset of elements (M, 3) of one chromosome; `NOWHERE` where a border is nearer than a window."""
    first, last = elements[:, 1] - window, elements[:, 2] + window
    subset = np.full(len(elements), TRAIN, np.int8)
    for part, block in blocks.items():
        outside = (last <= block.start) | (first >= block.end)
        inside = (first >= block.start) & (last <= block.end)
        subset[~outside] = np.where(inside, part, NOWHERE)[~outside]
    return subset
