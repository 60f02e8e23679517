"""Candidate pairs: enhancers and promoters near enough to each other, as BEDPE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError
from speid_cli.genome.bed import BedElement
from speid_cli.genome.bedpe import COLUMNS, MISSING
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import ElementPair, Interval, bounds_of, distance_bp
from speid_cli.genome.neighbours import Neighbours
from speid_cli.genome.overlaps import overlap_both_sides
from speid_cli.genome.pair_reader import PairReader

NAME_SEPARATOR = "~"
# Bounds the memory of `candidates`, also where all promoters of a chromosome are within reach.
_ENHANCERS_AT_A_TIME = 16


@dataclass
class CandidateCounts:
    """Numbers of pairs, of those with label 1, and of elements with a partner."""

    pairs: int = 0
    positives: int = 0
    enhancers: int = 0
    promoters: int = 0


def candidate_header(labelled: bool) -> str:
    """The header of candidate pairs, with or without a label."""
    return "#" + "\t".join((*COLUMNS, "distance", *(["label"] if labelled else [])))


def candidate_line(enhancer: BedElement, promoter: BedElement, distance: int, label: int | None = None) -> str:
    """One pair as BEDPE: the names joined by ``~``, the distance between the nearest edges in bp, the label.

    A ``~`` in a name is written ``%7E``, so that the two names can be separated again.
    """
    return _line(_enhancer_text(enhancer), _promoter_text(promoter), _last_columns(distance, label))


# What a line has of one element, of each of its columns; those of both sides take turns.
_Text = tuple[str, str, str]


def _line(enhancer: _Text, promoter: _Text, last: str) -> str:
    return f"{enhancer[0]}{promoter[0]}{enhancer[1]}{promoter[1]}{enhancer[2]}{promoter[2]}{last}"


def _enhancer_text(element: BedElement) -> _Text:
    place, name = _place_and_name(element)
    return f"{place}\t", f"{name}{NAME_SEPARATOR}", f"\t{MISSING}\t{element.strand}\t"


def _promoter_text(element: BedElement) -> _Text:
    place, name = _place_and_name(element)
    return f"{place}\t", name, f"{element.strand}\t"


def _place_and_name(element: BedElement) -> tuple[str, str]:
    return "\t".join(map(str, element.interval)), element.name.replace(NAME_SEPARATOR, "%7E")


def _last_columns(distance: int, label: int | None) -> str:
    return str(distance) if label is None else f"{distance}\t{label}"


def candidates(
    enhancers: Sequence[BedElement],
    promoters: Sequence[BedElement],
    reach: tuple[int, int],
    joined: NDArray[np.int64] | None,
    counts: CandidateCounts,
) -> Iterator[str]:
    """BEDPE lines of all pairs within a range of distances, sorted by enhancer, then promoter; many in each text.

    Parameters
    ----------
    enhancers (E,), promoters (P,) : sequence of BedElement
        Sorted, each once.
    reach : tuple of int
        Lowest and highest distance between the nearest edges in bp, both allowed.
    joined : int64 (K,), optional
        Sorted keys, enhancer * P + promoter, of the pairs with label 1; the others have 0.
        Default: no labels.
    counts : CandidateCounts
        Filled in; complete once the last line is taken.
    """
    width = len(promoters)
    places = [[element.interval for element in side] for side in (enhancers, promoters)]
    bounds = list(map(bounds_of, places))
    neighbours = Neighbours(places[1], places[0], reach[1])
    promoter_texts = list(map(_promoter_text, promoters))
    paired = np.zeros(width, bool)
    for start in range(0, len(enhancers), _ENHANCERS_AT_A_TIME):
        block = slice(start, start + _ENHANCERS_AT_A_TIME)
        columns, rows = neighbours.within(reach[0], reach[1] + 1, block).pairs()
        keys = np.sort(rows * width + columns)
        rows, columns = np.divmod(keys, width)
        distances = distance_bp(*bounds[0][rows].T, *bounds[1][columns].T).tolist()
        labels = None if joined is None else _counts_of(keys, joined)
        paired[columns] = True
        counts.enhancers += len(np.unique(rows))
        counts.pairs += len(keys)
        counts.positives += 0 if labels is None else int(labels.sum())
        last = map(_last_columns, distances, repeat(None) if labels is None else labels.tolist())
        enhancer_texts = list(map(_enhancer_text, enhancers[block]))
        sides = (
            [enhancer_texts[row] for row in (rows - start).tolist()],
            [promoter_texts[column] for column in columns.tolist()],
        )
        if len(keys):
            yield "\n".join(map(_line, *sides, last))
    counts.promoters = int(paired.sum())


def _counts_of(keys: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many times each key (N,) is among sorted ones."""
    found: NDArray[np.int64] = np.searchsorted(among, keys, "right") - np.searchsorted(among, keys)
    return found


def read_loops(path: str, contigs: ContigNames) -> list[ElementPair]:
    """The anchors of each chromatin loop of a BEDPE file, in both orders: two pairs for each loop.

    Raises
    ------
    DataError
        The file holds no loop or none on a known contig, or a line is not valid.
    """
    anchors = [anchor for _, loop in PairReader(path) for anchor in loop]
    if not anchors:
        raise DataError("no loops", expected="at least one BEDPE line of 6 or more columns", path=path)
    anchors = contigs.adopt(path, anchors)
    firsts, seconds = anchors[::2], anchors[1::2]
    return list(map(ElementPair, firsts + seconds, seconds + firsts))


def joined_by_loops(
    loops: Sequence[ElementPair],
    enhancers: Sequence[BedElement],
    promoters: Sequence[BedElement],
    reach: tuple[int, int],
) -> NDArray[np.int64]:
    """Keys, as `candidates` takes them, of the pairs that lie at opposite anchors of a loop.

    This is how the paper's positives were made (Singh et al. 2016, section 3.1). Only pairs on one
    chromosome, at a distance within reach, are returned.
    """
    firsts, seconds = ([element.interval for element in side] for side in (enhancers, promoters))
    keys = overlap_both_sides(loops, firsts, seconds)
    return keys[[_is_candidate(firsts[key // len(seconds)], seconds[key % len(seconds)], reach) for key in keys]]


def _is_candidate(enhancer: Interval, promoter: Interval, reach: tuple[int, int]) -> bool:
    near = reach[0] <= distance_bp(*enhancer[1:], *promoter[1:]) <= reach[1]
    return enhancer.chrom == promoter.chrom and bool(near)
