"""Which pairs train, validate and test.

``chrom`` holds out whole chromosomes, so that no element and no window is on both sides. ``block``
holds out contiguous blocks of each chromosome and drops what lies across a border or closer to it
than a window. ``random`` is the paper's (Singh et al. 2016, section 2.2.3, step 2):
uniform over pairs, whatever elements they share. ``none`` trains on everything, ``test`` tests on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.blocks import NOWHERE, block_subsets
from speid_cli.dataset.pairs import SUBSETS, TEST, TRAIN, VALIDATION
from speid_cli.errors import DataError, OptionError, counted

Method = Literal["chrom", "block", "random", "none", "test"]
DROPPED = NOWHERE

# How many choices of held-out chromosomes the search begins from.
_STARTS = 32


@dataclass(frozen=True)
class SplitSettings:
    """How to divide the pairs; chromosomes named here overrule the fractions."""

    method: Method = "chrom"
    test_fraction: float = 0.1
    validation_fraction: float = 0.1
    test_chroms: tuple[str, ...] = ()
    validation_chroms: tuple[str, ...] = ()
    seed: int = 0


def split(
    settings: SplitSettings,
    enhancers: NDArray[np.int64],
    promoters: NDArray[np.int64],
    label: NDArray[np.int8],
    chromosomes: tuple[str, ...],
    window: int,
) -> NDArray[np.int8]:
    """Subset (N,) of each pair: 0 train, 1 validation, 2 test, -1 dropped.

    Dropped are pairs whose two sides fall into different subsets, or, by block, one of whose
    elements is closer to a border than a window.

    Parameters
    ----------
    enhancers, promoters : int64 (N, 3)
        Chromosome (index into `chromosomes`), start and end of both sides.
    window : int
        The longer of the two windows in bp.

    Raises
    ------
    DataError
        ``chrom`` on fewer than 3 chromosomes, or a subset that was asked for is left without pairs.
    OptionError
        A chromosome was named that has no pair.
    """
    if settings.method in ("none", "test"):
        return np.full(len(label), TRAIN if settings.method == "none" else TEST, np.int8)
    if settings.method == "random":
        return _random(settings, len(label))
    if settings.method == "block":
        fractions = settings.test_fraction, settings.validation_fraction
        first, second = block_subsets(enhancers, promoters, label, *fractions, window, settings.seed)
        asked = {TRAIN: 1.0, VALIDATION: settings.validation_fraction, TEST: settings.test_fraction}
        wanted = [part for part, fraction in asked.items() if fraction > 0]
        hint = "choose other fractions, or another --split"
    else:
        within = enhancers[:, 0] == promoters[:, 0]
        subset_of_chrom = _by_chromosome(settings, enhancers[within, 0], label[within], chromosomes)
        first, second = subset_of_chrom[enhancers[:, 0]], subset_of_chrom[promoters[:, 0]]
        wanted = np.unique(first).tolist()
        hint = "choose the chromosomes by --test-chroms and --validation-chroms, or another --split"
    subset = np.where(first == second, first, DROPPED).astype(np.int8)
    for part in wanted:
        if not (subset == part).any():
            raise DataError(
                f"no pair lies wholly in the {SUBSETS[part]} subset",
                expected="at least one",
                hint=hint,
            )
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
        [
            np.bincount(pair_chrom, minlength=len(chromosomes)),
            np.bincount(pair_chrom[label == 1], minlength=len(chromosomes)),
        ],
        axis=1,
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
    """Chromosomes whose pairs and positives together come nearest `fraction` of all.

    From the nearest single chromosomes and couples on, adds, removes or exchanges the one that
    helps most until none does; the best end wins. `free` is sorted by name, so that ties go to the
    first name; at least `left_over` of them are not chosen.
    """
    share = (counts / np.maximum(counts.sum(axis=0), 1))[free]  # (C, 2): pairs, positives
    most = len(free) - left_over
    if most < 1:
        return []

    def distance(total: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far shares (..., 2) of pairs and positives are from what was asked for."""
        return np.abs(total - fraction).sum(axis=-1).round(12)

    few = range(min(len(free), 2 * _STARTS))
    starts: list[tuple[int, ...]] = [(place,) for place in few] + (list(combinations(few, 2)) if most > 1 else [])
    starts.sort(key=lambda chosen: float(distance(share[list(chosen)].sum(axis=0))))
    # Of many small contigs any start ends near the fraction, and the search takes longer.
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
    """Local search: the best single addition, removal or exchange, as long as one helps."""
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
