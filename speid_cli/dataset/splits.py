"""Which pairs train, validate and test.

``chrom`` holds out whole chromosomes, so that no element and no window is on both sides.
``random`` is the paper's (Singh et al. 2016, section 2.2.3, step 2): uniform over pairs, whatever
elements they share. ``none`` trains on everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION
from speid_cli.errors import DataError

Method = Literal["chrom", "random", "none"]
DROPPED = -1

# Where the search for a choice begins; more costs time on assemblies of thousands of contigs.
_STARTS = 64


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
    enhancer_chrom: NDArray[np.int64],
    promoter_chrom: NDArray[np.int64],
    label: NDArray[np.int8],
    chromosomes: tuple[str, ...],
) -> NDArray[np.int8]:
    """Subset (N,) of each pair: 0 train, 1 validation, 2 test, -1 dropped.

    Dropped are pairs whose two sides fall into different subsets.

    Parameters
    ----------
    enhancer_chrom, promoter_chrom : int64 (N,)
        Indices into `chromosomes`.

    Raises
    ------
    DataError
        ``chrom`` on fewer than 3 chromosomes, or a chromosome was named that has no pair.
    """
    if settings.method == "none":
        return np.full(len(label), TRAIN, np.int8)
    if settings.method == "random":
        return _random(settings, len(label))
    subset_of_chrom = _by_chromosome(settings, enhancer_chrom, label, chromosomes)
    subset = subset_of_chrom[enhancer_chrom]
    subset[subset != subset_of_chrom[promoter_chrom]] = DROPPED
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
    if len(used) < 3:
        raise DataError(
            f"pairs on {len(used)} chromosome{'s' * (len(used) != 1)} only",
            expected="3 or more for --split chrom",
            hint="use --split random and mind its leaks, or --split none",
        )
    counts = np.stack(
        [
            np.bincount(pair_chrom, minlength=len(chromosomes)),
            np.bincount(pair_chrom[label == 1], minlength=len(chromosomes)),
        ],
        axis=1,
    )
    subset = np.full(len(chromosomes), TRAIN, np.int8)
    named = {TEST: settings.test_chroms, VALIDATION: settings.validation_chroms}
    fractions = {TEST: settings.test_fraction, VALIDATION: settings.validation_fraction}
    for part, names in named.items():
        subset[[_index_of(name, chromosomes) for name in names]] = part
    for part in (TEST, VALIDATION):
        if not named[part] and fractions[part] > 0:
            free = sorted((i for i in used if subset[i] == TRAIN), key=lambda i: chromosomes[i])
            subset[_nearest(counts, free, fractions[part])] = part
    if not (subset[used] == TRAIN).any():
        raise DataError("no chromosome is left to train on", hint="hold out fewer chromosomes")
    return subset


def _index_of(name: str, chromosomes: tuple[str, ...]) -> int:
    if name not in chromosomes:
        raise DataError(f"no pair lies on {name!r}", expected=f"one of {', '.join(chromosomes)}")
    return chromosomes.index(name)


def _nearest(counts: NDArray[np.int64], free: list[int], fraction: float) -> list[int]:
    """Chromosomes whose pairs and positives together come nearest `fraction` of all.

    From the nearest single chromosomes and couples of them on, adds, removes or exchanges the one
    that helps most until none does; the best end wins. `free` is sorted by name, so that ties go
    to the first name; one chromosome is always left over.
    """
    share = counts / np.maximum(counts.sum(axis=0), 1)  # (C, 2): pairs, positives

    def distance(chosen: tuple[int, ...]) -> float:
        return float(np.abs(share[list(chosen)].sum(axis=0) - fraction).sum().round(12))

    def improved(chosen: tuple[int, ...]) -> tuple[int, ...]:
        while True:
            best = min(_neighbours(chosen, free), key=distance, default=chosen)
            if distance(best) >= distance(chosen):
                return chosen
            chosen = best

    starts: list[tuple[int, ...]] = [(chrom,) for chrom in free]
    starts += combinations(free[:_STARTS], 2)
    ends = [improved(start) for start in sorted(starts, key=distance)[:_STARTS]]
    nearest = min(ends, key=distance, default=())
    return list(nearest)


def _neighbours(chosen: tuple[int, ...], free: list[int]) -> list[tuple[int, ...]]:
    rest = [chrom for chrom in free if chrom not in chosen]
    without = [tuple(chrom for chrom in chosen if chrom != out) for out in chosen]
    added = [(*chosen, chrom) for chrom in rest] if len(rest) > 1 else []
    exchanged = [(*fewer, chrom) for fewer in without for chrom in rest]
    return [*added, *filter(None, without), *exchanged]
