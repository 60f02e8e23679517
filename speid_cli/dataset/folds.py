"""Folds: every pair is tested once, in its own fold, and the parts of the genome are divided as in `splits`.

``chrom`` puts whole chromosomes into folds, ``block`` cuts the genome into contiguous blocks, one a fold,
and ``random`` draws pairs uniformly, whatever elements they share. A fold is a number from 1 to K.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, counted

# Of pairs that belong to no fold.
NO_FOLD = 0
# A border between blocks may be this far, in folds, from where it would divide the pairs equally.
_REACH = 0.25
# So many chromosomes are small, and the first placement is even.
_MOST_TO_EXCHANGE = 1000


def fold_of_pairs(
    method: str,
    count: int,
    enhancers: NDArray[np.int64],
    promoters: NDArray[np.int64],
    label: NDArray[np.int8],
    window: int,
    seed: int,
) -> NDArray[np.int8]:
    """Fold (N,) of each pair, 1 to `count`; 0: it lies in two folds or near a border, and is dropped.

    Parameters
    ----------
    method : {"chrom", "block", "random"}
    enhancers, promoters : int64 (N, 3)
        Chromosome index, start and end.
    label : int8 (N,)
    window : int
        The longer of the two windows in bp; with ``block``, no element is nearer to a border.

    Raises
    ------
    DataError
        There are fewer chromosomes or pairs than folds, or no pair lies wholly in one of them.
    """
    if method == "random":
        fold = np.empty(len(label), np.int8)
        fold[np.random.default_rng(seed).permutation(len(label))] = np.arange(len(label)) % count + 1
    elif method == "chrom":
        fold = _by_chromosome(count, enhancers[:, 0], promoters[:, 0], label)
    else:
        fold = _by_block(count, enhancers, promoters, label, window)
    for number in range(1, count + 1):
        if not (fold == number).any():
            raise DataError(f"no pair lies wholly in fold {number} of {count}", hint="use fewer --folds")
    return fold


def _weights(label: NDArray[np.int8]) -> NDArray[np.float64]:
    """What each pair adds to the share of pairs, and to that of positives (N, 2)."""
    counts = np.stack([np.ones(len(label)), label == 1], axis=1)
    return counts / np.maximum(counts.sum(axis=0), 1)


def _by_chromosome(
    count: int, enhancer: NDArray[np.int64], promoter: NDArray[np.int64], label: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Whole chromosomes, so that folds have nearly equal shares of the pairs and of the positives."""
    within = enhancer == promoter
    share = np.zeros((int(max(enhancer.max(), promoter.max())) + 1, 2))
    np.add.at(share, enhancer[within], _weights(label[within]))
    used = np.flatnonzero(share[:, 0])
    if len(used) < count:
        raise DataError(
            f"pairs within {counted(len(used), 'chromosome')} only",
            expected=f"{count} or more for --split chrom --folds {count}",
            hint="use fewer --folds, or --split block, which divides chromosomes",
        )
    fold_of_chrom = np.zeros(len(share), np.int8)
    fold_of_chrom[used] = _balanced(share[used], count) + 1
    first, second = fold_of_chrom[enhancer], fold_of_chrom[promoter]
    return np.where(first == second, first, NO_FOLD).astype(np.int8)


def _balanced(share: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Fold (C,), from 0, of each chromosome, such that no exchange of two lowers the sum of squares of all shares.

    The largest chromosomes are placed first, each where the sum grows least. A chromosome may also
    move alone: each fold has an empty one to exchange. With more than `_MOST_TO_EXCHANGE`, the first placement is kept.
    """
    share = np.concatenate([share, np.zeros((count, 2))])
    fold, taken = np.concatenate([np.zeros(len(share) - count, int), np.arange(count)]), np.zeros((count, 2))
    for chrom in np.argsort(-share[:-count].sum(axis=1), kind="stable"):
        fold[chrom] = (taken @ share[chrom]).argmin()
        taken[fold[chrom]] += share[chrom]
    while len(share) <= _MOST_TO_EXCHANGE:
        gained = share[None] - share[:, None]  # (C, C, 2): what the fold of the first gains
        here = taken[fold]
        growth = (gained * (here[:, None] - here[None] + gained)).sum(axis=2)
        growth[fold[:, None] == fold[None]] = 0
        first, second = np.unravel_index(int(growth.argmin()), growth.shape)
        if growth[first, second] > -1e-12:
            break
        taken[fold[first]] += gained[first, second]
        taken[fold[second]] -= gained[first, second]
        fold[[first, second]] = fold[[second, first]]
    return fold[:-count]


def _by_block(
    count: int, enhancers: NDArray[np.int64], promoters: NDArray[np.int64], label: NDArray[np.int8], window: int
) -> NDArray[np.int8]:
    """Contiguous blocks with nearly equal shares, with borders where the fewest pairs are divided."""
    sides = np.stack([enhancers, promoters])  # (2, N, 3)
    longest = int(sides[:, :, 2].max()) + 2 * window + 1
    first = (sides[:, :, 0] * longest + sides[:, :, 1]).min(axis=0) - window  # chromosomes one after the other
    last = (sides[:, :, 0] * longest + sides[:, :, 2]).max(axis=0) + window
    weight = _weights(label)
    ends = np.sort(last)
    places = np.unique(ends)
    before = _shares(last, weight, places, "right")  # of the pairs that end before each place
    lost = _shares(first, weight, places, "left") - before  # that begin before it and end after it
    reached = before.mean(axis=1) + lost.mean(axis=1) / 2
    borders = []
    for number in range(1, count):
        away = np.abs(reached - number / count)
        near = np.flatnonzero(away <= max(_REACH / count, away.min()))
        borders.append(places[near[np.lexsort((away[near], lost[near].sum(axis=1).round(12)))[0]]])
    block = np.searchsorted(borders, first, "right")
    return np.where(block == np.searchsorted(borders, last, "left"), block + 1, NO_FOLD).astype(np.int8)


def _shares(
    position: NDArray[np.int64], weight: NDArray[np.float64], places: NDArray[np.int64], side: Literal["left", "right"]
) -> NDArray[np.float64]:
    """Shares (G, 2) of the pairs whose position is before (`right`: or at) each of the places (G,)."""
    order = np.argsort(position)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(weight[order], axis=0)])
    return total[np.searchsorted(position[order], places, side)]
