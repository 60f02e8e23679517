"""Which intervals overlap or are near which. The only user of pybedtools, and so of bedtools."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError
from speid_cli.files import blamed_on
from speid_cli.genome.bed import read_bed_elements
from speid_cli.genome.contigs import ReferenceContigs
from speid_cli.genome.intervals import ElementPair, Interval

# Queries that bedtools is given at a time, so that what it finds of them is a small file.
_QUERIES_AT_A_TIME = 4000


def read_bed(path: str, contigs: ReferenceContigs) -> tuple[list[Interval], int]:
    """Intervals of a BED file on the contigs of a reference, and how many lie on others.

    Raises
    ------
    DataError
        A line has fewer than 3 columns or no valid coordinates, or all lie on other contigs.
    """
    intervals, elsewhere = [], []
    for element in read_bed_elements(path):
        chrom, start, end = element.interval
        if (contig := contigs.find(chrom)) is None:  # an exclusion list may name contigs that this reference leaves out
            elsewhere.append(chrom)
            continue
        start, end = (min(position, contigs.lengths[contig]) for position in (start, end))
        if start < end:
            intervals.append(Interval(contig, start, end))
    if elsewhere and not intervals:
        raise DataError(
            f"none of its contigs, such as {elsewhere[0]!r}, is in {contigs.path}, which has {min(contigs.lengths)!r}",
            expected="regions of the same genome build",
            path=path,
        )
    return intervals, len(elsewhere)


def overlaps(queries: Sequence[Interval], regions: Sequence[Interval]) -> NDArray[np.bool_]:
    """Which queries (N,) share at least one base with any region.

    Raises
    ------
    DataError
        bedtools fails or does not come to its end.
    OptionError
        bedtools is not installed.
    """
    hit = np.zeros(len(queries), bool)
    hit[[query for query, _ in _overlaps(queries, regions)]] = True
    return hit


def overlap_both_sides(
    pairs: Sequence[ElementPair], enhancers: Sequence[Interval], promoters: Sequence[Interval]
) -> NDArray[np.int64]:
    """Which enhancers (E,) and promoters (P,) overlap both sides of one of the pairs, as keys.

    Returns
    -------
    int64 (K,)
        enhancer * P + promoter, by position, sorted, each once.

    Raises
    ------
    DataError
        bedtools fails or does not come to its end.
    OptionError
        bedtools is not installed.
    """
    firsts = dict(_overlaps([pair.enhancer for pair in pairs], enhancers))
    seconds = dict(_overlaps([pair.promoter for pair in pairs], promoters))
    keys = [
        np.add.outer(np.array(firsts[row]) * len(promoters), seconds[row]).ravel()
        for row in sorted(firsts.keys() & seconds.keys())
    ]
    return np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)


def _overlaps(queries: Sequence[Interval], regions: Sequence[Interval]) -> Iterator[tuple[int, list[int]]]:
    """Each query that shares a base with a region, by position, and the positions of those regions."""
    return _joined(queries, regions, "intersect", 0, wa=True, wb=True, nonamecheck=True)


def within_distance(
    queries: Sequence[Interval], targets: Sequence[Interval], distance: int
) -> Iterator[tuple[int, list[int]]]:
    """Each query with targets at `distance` bp or less between the nearest edges, and those, sorted.

    Both by position, queries in order, in memory that does not grow with their number.

    Raises
    ------
    DataError
        bedtools fails or does not come to its end.
    OptionError
        bedtools is not installed.
    """
    margin = distance + 1  # bedtools leaves out what is that far away
    return _joined(queries, targets, "window", margin, w=margin)


def _joined(
    queries: Sequence[Interval], regions: Sequence[Interval], method: str, margin: int, **options: Any
) -> Iterator[tuple[int, list[int]]]:
    """Queries and the regions nearer than `margin` bp, or those that overlap where it is 0."""
    if not queries or not regions:
        return
    count = _Counter(regions, margin)
    with _bedtools() as (pybedtools, folder):
        second = pybedtools.BedTool(_write_bed(folder / "regions.bed", regions, 0))
        for start in range(0, len(queries), _QUERIES_AT_A_TIME):
            block = queries[start : start + _QUERIES_AT_A_TIME]
            first = pybedtools.BedTool(_write_bed(folder / "queries.bed", block, start))
            found = folder / "found.bed"
            getattr(first, method)(second, output=str(found), **options)
            _check_complete(found, count(block))
            with found.open() as lines:
                for query, rows in groupby((line.split("\t") for line in lines), key=lambda fields: int(fields[3])):
                    yield query, sorted(int(fields[7]) for fields in rows)


def _write_bed(path: Path, intervals: Sequence[Interval], first: int) -> str:
    """A BED file whose names are positions, counted from `first`."""
    with blamed_on(path), path.open("w") as out:
        for position, (chrom, start, end) in enumerate(intervals, first):
            out.write(f"{chrom}\t{start}\t{end}\t{position}\n")
    return str(path)


class _Counter:
    """How many pairs of a query and a region there are, from sorted arrays.

    pybedtools does not look at the exit status of bedtools, so that one that was killed, or whose
    disk was full, would pass for one that found less.
    """

    def __init__(self, regions: Sequence[Interval], margin: int) -> None:
        self._margin = margin
        self._starts, self._ends = (
            {chrom: np.sort(places) for chrom, places in _by_chrom(regions, end).items()} for end in (1, 2)
        )

    def __call__(self, queries: Sequence[Interval]) -> int:
        starts, ends = (_by_chrom(queries, end) for end in (1, 2))
        return sum(
            int(np.searchsorted(self._starts[chrom], ends[chrom] + self._margin).sum())
            - int(np.searchsorted(self._ends[chrom], starts[chrom] - self._margin, "right").sum())
            for chrom in starts.keys() & self._starts.keys()
        )


def _by_chrom(intervals: Sequence[Interval], end: int) -> dict[str, NDArray[np.int64]]:
    """Starts (`end` 1) or ends (2) of the intervals of each chromosome."""
    places: dict[str, list[int]] = defaultdict(list)
    for interval in intervals:
        places[interval.chrom].append(interval[end])  # type: ignore[arg-type]
    return {chrom: np.array(values, np.int64) for chrom, values in places.items()}


def _check_complete(found: Path, expected: int) -> None:
    """Refuse an output of bedtools that has not as many whole lines as there are pairs."""
    with found.open("rb") as stream:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))
    if lines != expected:
        raise DataError(
            f"bedtools stopped before the end: it wrote {lines:,} of {expected:,} lines",
            hint=f"was it killed, or is there no room left in {found.parent.parent}?",
        )


@contextmanager
def _bedtools() -> Iterator[tuple[Any, Path]]:
    """pybedtools and a folder for its files, which goes away."""
    if shutil.which("bedtools") is None:
        raise OptionError(
            "bedtools is needed here and not installed; try: apt install bedtools, or: "
            "conda install -c bioconda bedtools"
        )
    import pybedtools

    with tempfile.TemporaryDirectory(prefix="speid-") as folder:
        try:
            yield pybedtools, Path(folder)
        except pybedtools.helpers.BEDToolsError as error:
            raise DataError(f"bedtools failed: {' '.join(str(error.args[-1]).split())}") from error
