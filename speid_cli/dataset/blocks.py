"""The split by contiguous blocks along each chromosome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION

NOWHERE = -1


class Layout(NamedTuple):
    """One chromosome: a block up to `left`, the training block, a block from `right` on.

    `left_subset` and `right_subset` are which held-out subset lies at that end.
    """

    left: float
    right: float
    left_subset: int
    right_subset: int


def block_subsets(
    enhancers: NDArray[np.int64],
    promoters: NDArray[np.int64],
    test_fraction: float,
    validation_fraction: float,
    window: int,
    seed: int,
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Subset of each pair's enhancer (N,) and promoter (N,): 0 train, 1 validation, 2 test, -1 near a border.

    Test and validation lie at opposite ends of each chromosome, which at which is drawn. Borders
    stand where the pairs left whole come nearest the fractions, counted on from chromosome to
    chromosome, so that small ones add up.

    Parameters
    ----------
    enhancers, promoters : int64 (N, 3)
        Chromosome index, start and end.
    window : int
        How near a border an element may not be, in bp.
    """
    generator = np.random.default_rng(seed)
    subsets = np.full((2, len(enhancers)), NOWHERE, np.int8)
    wanted, taken = np.array([test_fraction, validation_fraction]), np.zeros(2, np.int64)
    seen = 0
    sides = np.stack([enhancers, promoters])
    for chrom in np.unique(sides[:, :, 0]):
        whole = (sides[:, :, 0] == chrom).all(axis=0)
        first = sides[:, whole, 1].min(axis=0) - window
        last = sides[:, whole, 2].max(axis=0) + window
        seen += len(first)
        quota = (np.round(wanted * seen).astype(np.int64) - taken).clip(0, len(first))
        taken += quota
        layout = _layout(first, last, int(quota[0]), int(quota[1]), flipped=bool(generator.integers(2)))
        on_chrom = sides[:, :, 0] == chrom
        subsets[on_chrom] = _subset_of(sides[on_chrom], layout, window)
    return subsets[0], subsets[1]


def _layout(first: NDArray[np.int64], last: NDArray[np.int64], test: int, validation: int, flipped: bool) -> Layout:
    """Borders that leave `test` whole pairs at one end and `validation` at the other."""
    left, right = (validation, test) if flipped else (test, validation)
    parts = (VALIDATION, TEST) if flipped else (TEST, VALIDATION)
    border = float(np.sort(last)[left - 1]) if left else -np.inf
    other = float(np.sort(first)[len(first) - right]) if right else np.inf
    return Layout(border, max(border, other), *parts)


def _subset_of(elements: NDArray[np.int64], layout: Layout, window: int) -> NDArray[np.int8]:
    """Subset of elements (M, 3) of one chromosome; `NOWHERE` where a border is nearer than a window."""
    first, last = elements[:, 1] - window, elements[:, 2] + window
    subset = np.full(len(elements), NOWHERE, np.int8)
    subset[(first >= layout.left) & (last <= layout.right)] = TRAIN
    subset[last <= layout.left] = layout.left_subset
    subset[first >= layout.right] = layout.right_subset
    return subset
