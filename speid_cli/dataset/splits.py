"""Which pairs train, validate and test.

``chrom`` holds out whole chromosomes, so that subsets share no element and no window. ``block``
holds out contiguous blocks of each chromosome and drops the pairs across a border or closer to it
than a window. ``random``, as in the paper (Singh et al. 2016, section 2.2.3, step 2), draws pairs
uniformly, whatever elements they share. ``none`` trains on all pairs, ``test`` tests on all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.blocks import DROPPED, block_subsets
from speid_cli.dataset.pairs import SUBSETS, TEST, TRAIN, VALIDATION
from speid_cli.errors import DataError, OptionError, counted

Method = Literal["chrom", "block", "random", "none", "test"]
# The number of choices of held-out chromosomes from which the search starts.
_STARTS = 32


@dataclass(frozen=True)
class SplitSettings:
    """How to divide the pairs; where chromosomes are named, their fraction is ignored.

    With `folds`, the pairs are divided by `folds.fold_of_pairs`, and the fractions are ignored.
    """

    method: Method = "chrom"
    test_fraction: float = 0.1
    validation_fraction: float = 0.1
    test_chroms: tuple[str, ...] = ()
    validation_chroms: tuple[str, ...] = ()
    seed: int = 0
    folds: int | None = None


def split(
    settings: SplitSettings,
    enhancers: NDArray[np.int64],
    promoters: NDArray[np.int64],
    label: NDArray[np.int8],
    chromosomes: tuple[str, ...],
    window: int,
) -> NDArray[np.int8]:
    """Subset (N,) of each pair: 0 train, 1 validation, 2 test, -1 dropped.

    Pairs whose sides are in different subsets are dropped, and, with ``block``, those with an element
    closer to a border than a window.

    Parameters
    ----------
    enhancers, promoters : int64 (N, 3)
        Chromosome (index into `chromosomes`), start and end of both sides.
    window : int
        The longer of the two windows in bp.

    Raises
    ------
    DataError
        ``chrom`` with too few chromosomes, or a subset that was asked for has no pairs.
    OptionError
        A chromosome to hold out has no pair.
    """
    if settings.method in ("none", "test"):
        return np.full(len(label), TRAIN if settings.method == "none" else TEST, np.int8)
    if settings.method != "chrom":
        asked = {TRAIN: 1.0, VALIDATION: settings.validation_fraction, TEST: settings.test_fraction}
        wanted = [part for part, fraction in asked.items() if fraction > 0]
        hint = "choose other fractions, or another --split"
    if settings.method == "random":
        first = second = _random(settings, len(label))
    elif settings.method == "block":
        fractions = settings.test_fraction, settings.validation_fraction
        first, second = block_subsets(enhancers, promoters, label, *fractions, window, settings.seed)
    else:
        within = enhancers[:, 0] == promoters[:, 0]
        subset_of_chrom = _by_chromosome(settings, enhancers[within, 0], label[within], chromosomes)
        first, second = subset_of_chrom[enhancers[:, 0]], subset_of_chrom[promoters[:, 0]]
        wanted = np.unique(first).tolist()
        hint = "choose the chromosomes by --test-chroms and --validation-chroms, or another --split"
    subset = np.where(first == second, first, DROPPED).astype(np.int8)
    for part in wanted:
        if not (subset == part).any():
            raise DataError(f"no pair lies wholly in the {SUBSETS[part]} subset", expected="at least one", hint=hint)
    return subset


def _random(settings: SplitSettings, n_pairs: int) -> NDArray[np.int8]:
    order = np.random.default_rng(settings.seed).permutation(n_pairs)
    n_test = round(n_pairs * settings.test_fraction)
    n_validation = round(n_pairs * settings.validation_fraction)
    subset = np.full(n_pairs, TRAIN, np.int8)
    subset[order[:n_test]] = TEST
    subset[order[n_test : n_test + n_validation]] = VALIDATION
    return subset


def _by_chromosome(
    settings: SplitSettings, pair_chrom: NDArray[np.int64], label: NDArray[np.int8], chromosomes: tuple[str, ...]
) -> NDArray[np.int8]:
    used = np.unique(pair_chrom)
    named = {TEST: settings.test_chroms, VALIDATION: settings.validation_chroms}
    fractions = {TEST: settings.test_fraction, VALIDATION: settings.validation_fraction}
    unnamed = [part for part in named if not named[part] and fractions[part] > 0]
    needed = 1 + len(unnamed) + sum(map(bool, named.values()))
    if unnamed and len(used) < needed:
        raise DataError(
            f"pairs within {counted(len(used), 'chromosome')} only",
            expected=f"{needed} or more for --split chrom",
            hint="use --split block, which divides each chromosome, or --split test, to test a trained model on all",
        )
    counts = np.stack(
        [np.bincount(chroms, minlength=len(chromosomes)) for chroms in (pair_chrom, pair_chrom[label == 1])], axis=1
    )
    subset = np.full(len(chromosomes), TRAIN, np.int8)
    for part, names in named.items():
        subset[[_index_of(name, chromosomes) for name in names]] = part
    for later, part in zip(reversed(range(len(unnamed))), unnamed, strict=True):
        free = sorted((int(i) for i in used if subset[i] == TRAIN), key=lambda i: chromosomes[i])
        subset[_nearest(counts, free, fractions[part], left_over=1 + later)] = part
    if len(used) and not (subset[used] == TRAIN).any():
        raise DataError(
            "no chromosome is left to train on",
            hint="hold out fewer chromosomes, or use --split test, to test a trained model on all",
        )
    return subset


def _index_of(name: str, chromosomes: tuple[str, ...]) -> int:
    if name not in chromosomes:
        raise OptionError(f"no pair lies on {name!r}, which is to be held out; there are {', '.join(chromosomes)}")
    return chromosomes.index(name)


def _nearest(counts: NDArray[np.int64], free: list[int], fraction: float, left_over: int) -> list[int]:
    """Chromosomes whose shares of the pairs and of the positives come nearest `fraction`.

    A local search starts from the best single chromosomes and twos, and adds, removes or exchanges
    the chromosome that helps most until none does; the best result is taken. `free` is sorted by
    name, so that ties go to the first name; at least `left_over` of them are not chosen.
    """
    share = (counts / np.maximum(counts.sum(axis=0), 1))[free]  # (C, 2): pairs, positives
    most = len(free) - left_over
    if most < 1:
        return []

    def distance(total: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far shares (..., 2) of pairs and positives are from the fraction."""
        return np.abs(total - fraction).sum(axis=-1).round(12)

    few = range(min(len(free), 2 * _STARTS))
    starts: list[tuple[int, ...]] = [(place,) for place in few] + (list(combinations(few, 2)) if most > 1 else [])
    starts.sort(key=lambda chosen: float(distance(share[list(chosen)].sum(axis=0))))
    # With many small contigs every search ends near the fraction, and takes longer: one is enough.
    starts = starts[: _STARTS if len(free) <= 2 * _STARTS else 1]
    ends = [_improved(set(start), share, distance, most) for start in starts]
    best = min(ends, key=lambda chosen: float(distance(share[sorted(chosen)].sum(axis=0))))
    return [free[place] for place in sorted(best)]


def _improved(
    chosen: set[int],
    share: NDArray[np.float64],
    distance: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    most: int,
) -> set[int]:
    """The chromosomes after the best additions, removals or exchanges, one by one, until none helps."""
    while True:
        inside = np.array(sorted(chosen))
        outside = np.setdiff1d(np.arange(len(share)), inside)
        total = share[inside].sum(axis=0)
        moves: list[tuple[float, int | None, int | None]] = []
        if len(outside) and len(inside) < most:
            added = distance(total + share[outside])
            moves.append((float(added.min()), None, int(outside[added.argmin()])))
        if len(inside) > 1:
            removed = distance(total - share[inside])
            moves.append((float(removed.min()), int(inside[removed.argmin()]), None))
        if len(outside):
            exchanged = distance(total - share[inside][:, None] + share[outside])
            out, into = np.unravel_index(int(exchanged.argmin()), exchanged.shape)
            moves.append((float(exchanged.min()), int(inside[out]), int(outside[into])))
        better, leaves, joins = min(moves, key=lambda move: move[0], default=(np.inf, None, None))
        if better >= float(distance(total)):
            return chosen
        chosen = (chosen - {leaves}) | ({joins} if joins is not None else set())
