"""Candidate pairs: enhancers and promoters near enough to each other, as BEDPE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from speid_cli.errors import DataError
from speid_cli.genome.bed import BedElement
from speid_cli.genome.bedpe import COLUMNS, MISSING, parse_pair, read_bedpe
from speid_cli.genome.intervals import Interval, distance_bp
from speid_cli.genome.overlaps import meeting, near


@dataclass
class CandidateCounts:
    """Pairs, those with label 1, and elements with a partner; complete once the last line is taken."""

    pairs: int = 0
    positives: int = 0
    enhancers: int = 0
    promoters: int = 0


def candidate_header(labelled: bool) -> str:
    """The header of candidate pairs, with or without a label."""
    return "#" + "\t".join((*COLUMNS, "distance", *(["label"] if labelled else [])))


def candidate_line(enhancer: BedElement, promoter: BedElement, distance: int, label: int | None = None) -> str:
    """One pair as BEDPE: names joined by a colon, the distance between the nearest edges in bp, the label."""
    (chrom, start, end), first, strand = enhancer
    (other, other_start, other_end), second, other_strand = promoter
    line = (
        f"{chrom}\t{start}\t{end}\t{other}\t{other_start}\t{other_end}\t{first}:{second}\t{MISSING}"
        f"\t{strand}\t{other_strand}\t{distance}"
    )
    return line if label is None else f"{line}\t{label}"


def candidates(
    enhancers: Sequence[BedElement],
    promoters: Sequence[BedElement],
    reach: tuple[int, int],
    loops: str | None,
    counts: CandidateCounts,
) -> Iterator[str]:
    """BEDPE lines of all pairs within a range of distances, sorted by enhancer, then promoter.

    Parameters
    ----------
    enhancers, promoters : sequence of BedElement
        Sorted, each once.
    reach : tuple of int
        Lowest and highest distance between the nearest edges in bp, both allowed.
    loops : str, optional
        BEDPE of chromatin loops: label 1 where the enhancer meets one anchor and the promoter the
        other (Singh et al. 2016, section 3.1).
    counts : CandidateCounts
        Kept up to date as lines are taken.

    Raises
    ------
    DataError
        The loops are at fault.
    OptionError
        bedtools is not installed.
    """
    lowest, highest = reach
    firsts, seconds = ([element.interval for element in side] for side in (enhancers, promoters))
    anchors = Anchors(loops, firsts, seconds) if loops is not None else None
    starts, ends = (np.array([interval[end] for interval in seconds]) for end in (1, 2))
    paired = np.zeros(len(seconds), bool)
    for row, found in near(firsts, seconds, highest):
        partners = np.array(found)
        distances = distance_bp(*firsts[row][1:], starts[partners], ends[partners])
        partners, distances = partners[distances >= lowest], distances[distances >= lowest]
        paired[partners] = True
        counts.enhancers += len(partners) > 0
        for column, distance in zip(partners.tolist(), distances.tolist(), strict=True):
            label = anchors.label(row, column) if anchors else None
            counts.pairs += 1
            counts.positives += label or 0
            yield candidate_line(enhancers[row], promoters[column], distance, label)
    counts.promoters = int(paired.sum())


class Anchors:
    """Which elements meet which end of which loop.

    Raises
    ------
    DataError
        The file holds no loop, or a line is at fault.
    """

    def __init__(self, loops: str, enhancers: Sequence[Interval], promoters: Sequence[Interval]) -> None:
        ends: list[Interval] = []  # loop i has ends 2 i and 2 i + 1
        for line in read_bedpe(loops):
            if line.role == "pair":
                try:
                    ends += parse_pair(line.fields)
                except DataError as error:
                    raise error.at(loops, line.number) from None
        if not ends:
            raise DataError("no loops", expected="at least one BEDPE line of 6 or more columns", path=loops)
        self._met = [{row: set(found) for row, found in meeting(side, ends)} for side in (enhancers, promoters)]

    def label(self, enhancer: int, promoter: int) -> int:
        """1 where both are at opposite ends of one loop, else 0; elements by position."""
        first, second = (met.get(row) for met, row in zip(self._met, (enhancer, promoter), strict=True))
        return int(bool(first and second and any(end ^ 1 in second for end in first)))
