"""Pairs that do not interact, drawn so that their distances follow the positives'.

Singh et al. 2016, section 3.1: 20 negatives a positive, "under constraints on the genomic distance",
so that distance does not tell the classes apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.balance import balanced_pairs
from speid_cli.genome.intervals import ElementPair, Interval, distance_bp
from speid_cli.genome.neighbours import Neighbours
from speid_cli.genome.overlaps import overlap_both_sides

# Each bin is drawn in this many parts, so that distances also follow the positives' within it.
_PARTS = 10


@dataclass(frozen=True)
class NegativeSettings:
    """How ``speid negatives`` draws.

    Attributes
    ----------
    ratio : int
        Negatives for each positive.
    bins : int
        Quantile bins of the positives' distances.
    balance : {"none", "elements"}
        Whether each element appears `ratio` times as often among the negatives as among the
        positives, so that element names do not tell the classes apart.
    test_chroms : tuple of str
        Chromosomes drawn for separately, so that these and the others both have the ratio.
    """

    ratio: int = 20
    bins: int = 5
    balance: Literal["none", "elements"] = "none"
    test_chroms: tuple[str, ...] = ()
    seed: int = 0


class BinCount(NamedTuple):
    """One bin of distances, `low` to `high` bp: how many negatives were asked for and found."""

    subset: str
    low: int
    high: int
    asked: int
    found: int


def draw_negatives(
    positives: Sequence[ElementPair],
    enhancers: Sequence[Interval],
    promoters: Sequence[Interval],
    settings: NegativeSettings,
) -> tuple[list[ElementPair], list[BinCount]]:
    """Negatives, sorted, and how many each bin of distances holds.

    A candidate is any pair on one chromosome at a distance (of the nearest edges, 0 where they
    touch or overlap) between the positives' lowest and highest; it interacts where its sides
    overlap both sides of one positive.

    Parameters
    ----------
    positives : sequence of ElementPair
        Each on one chromosome.

    Raises
    ------
    OptionError
        bedtools is not installed.
    """
    generator = np.random.default_rng(settings.seed)
    drawn: list[ElementPair] = []
    counts: list[BinCount] = []
    for subset, held_out in (("rest" if settings.test_chroms else "all", False), ("test", True)):
        some = [pair for pair in positives if (pair.enhancer.chrom in settings.test_chroms) == held_out]
        firsts, seconds = (
            [place for place in side if (place.chrom in settings.test_chroms) == held_out]
            for side in (enhancers, promoters)
        )
        if some:
            pairs, bins = _draw(some, firsts, seconds, settings, generator)
            drawn += pairs
            counts += [BinCount(subset, *row) for row in bins]
    return sorted(drawn), counts


def _draw(
    positives: list[ElementPair],
    enhancers: list[Interval],
    promoters: list[Interval],
    settings: NegativeSettings,
    generator: np.random.Generator,
) -> tuple[list[ElementPair], list[tuple[int, int, int, int]]]:
    distance = np.array([pair_distance(pair) for pair in positives])
    edges = quantile_edges(distance, settings.bins)
    asked = _per_bin(distance, edges) * settings.ratio
    if settings.balance == "elements":
        enhancers, promoters = (sorted({pair[side] for pair in positives}) for side in (0, 1))
    interacting = overlap_both_sides(positives, enhancers, promoters)
    if settings.balance == "elements":
        chosen = balanced_pairs(positives, enhancers, promoters, interacting, edges, asked, settings.ratio, generator)
    else:
        parts = quantile_edges(distance, settings.bins * _PARTS)
        neighbours = Neighbours(enhancers, promoters, int(edges[-1]))
        chosen = _by_distance(neighbours, len(promoters), interacting, distance, (edges, parts), settings, generator)
    pairs = [ElementPair(enhancers[key // len(promoters)], promoters[key % len(promoters)]) for key in chosen.tolist()]
    found = _per_bin(np.array([pair_distance(pair) for pair in pairs], np.int64), edges)
    rows = zip(edges[:-1], edges[1:] - 1, asked, found, strict=True)
    return pairs, [(int(low), int(high), int(want), int(have)) for low, high, want, have in rows]


def pair_distance(pair: ElementPair) -> int:
    """Distance between the nearest edges of a pair on one chromosome, in bp."""
    return int(distance_bp(*pair.enhancer[1:], *pair.promoter[1:]))


def quantile_edges(distance: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    """Edges of at most `bins` bins [edge, next edge) with equally many distances (N,)."""
    edges = np.quantile(distance, np.linspace(0, 1, bins + 1), method="lower").astype(np.int64)
    edges[-1] += 1
    return np.unique(edges)


def _per_bin(distance: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many distances each bin [edge, next edge) holds."""
    counts: NDArray[np.int64] = np.diff(np.searchsorted(np.sort(distance), edges))
    return counts


def _by_distance(
    neighbours: Neighbours,
    width: int,
    interacting: NDArray[np.int64],
    distance: NDArray[np.int64],
    edges: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: NegativeSettings,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Keys of negatives, drawn uniformly in each part of a bin; where a part has too few, from the whole bin."""
    bins, parts = edges
    taken = interacting
    for low, high in zip(bins[:-1], bins[1:], strict=True):
        inner = np.unique([low, *parts[(parts > low) & (parts < high)], high])
        quotas = _per_bin(distance, inner) * settings.ratio
        wanted = len(taken) + int(quotas.sum())
        for first, last, quota in zip(inner[:-1], inner[1:], quotas, strict=True):
            found = _uniform(neighbours, width, (int(first), int(last)), int(quota), taken, generator)
            taken = np.append(taken, found)
        rest = _uniform(neighbours, width, (int(low), int(high)), wanted - len(taken), taken, generator)
        taken = np.append(taken, rest)
    return taken[len(interacting) :]


def _uniform(
    neighbours: Neighbours,
    width: int,
    reach: tuple[int, int],
    count: int,
    taken: NDArray[np.int64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """`count` keys, or fewer where there are fewer, drawn from the pairs within reach that are not taken."""
    ranges = neighbours.within(*reach)
    if not count or not len(ranges):
        return np.empty(0, np.int64)
    # All those drawn that are taken already are left out, and one draw is still enough.
    numbers = generator.choice(len(ranges), min(len(ranges), count + len(taken)), replace=False)
    enhancer, promoter = ranges.pairs(numbers)
    keys = enhancer * width + promoter
    return keys[~np.isin(keys, taken)][:count]
