"""Which intervals overlap or are near which. The only user of pybedtools, and so of bedtools."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError
from speid_cli.genome.bed import read_bed_elements
from speid_cli.genome.intervals import Interval
from speid_cli.genome.reference import ContigNames

# Queries that bedtools is given at a time, so that what it finds of them is a small file.
_QUERIES_AT_A_TIME = 4000
# Name of a last query that meets a last region: pybedtools does not look at the exit status of bedtools, and without
# this line one that was killed, or whose disk was full, would pass for one that found less.
_LAST = -1


def read_bed(path: str, contigs: ContigNames) -> tuple[list[Interval], int]:
    """Intervals of a BED file on the contigs of a reference, and how many lie on others.

    Raises
    ------
    DataError
        A line has fewer than 3 columns or no valid coordinates.
    """
    intervals, elsewhere = [], 0
    for element in read_bed_elements(path):
        chrom, start, end = element.interval
        try:
            contig = contigs.resolve(chrom)
            start, end = (min(position, contigs.lengths[contig]) for position in (start, end))
            if start < end:
                intervals.append(Interval(contig, start, end))
        except DataError:  # an exclusion list may name contigs that this reference leaves out
            elsewhere += 1
    return intervals, elsewhere


def overlapping(queries: Sequence[Interval], regions: Sequence[Interval]) -> NDArray[np.bool_]:
    """Which queries (N,) share at least one base with any region.

    Raises
    ------
    OptionError
        bedtools is not installed.
    """
    hit = np.zeros(len(queries), bool)
    hit[[query for query, _ in meeting(queries, regions)]] = True
    return hit


def meeting(queries: Sequence[Interval], regions: Sequence[Interval]) -> Iterator[tuple[int, list[int]]]:
    """Each query that shares a base with a region, by position, and the positions of those regions.

    Raises
    ------
    DataError
        bedtools fails or does not come to its end.
    OptionError
        bedtools is not installed.
    """
    return _joined(queries, regions, "intersect", wa=True, wb=True)


def near(queries: Sequence[Interval], targets: Sequence[Interval], distance: int) -> Iterator[tuple[int, list[int]]]:
    """Each query with targets at `distance` bp or less between the nearest edges, and those, sorted.

    Both by position, queries in order, in memory that does not grow with their number.

    Raises
    ------
    DataError
        bedtools fails or does not come to its end.
    OptionError
        bedtools is not installed.
    """
    return _joined(queries, targets, "window", w=distance + 1)  # bedtools leaves out what is w bp away


def _joined(
    queries: Sequence[Interval], regions: Sequence[Interval], method: str, **options: Any
) -> Iterator[tuple[int, list[int]]]:
    if not queries or not regions:
        return
    nowhere = max(chrom for chrom, _, _ in chain(queries, regions)) + "."  # no chromosome has this name
    with _bedtools() as (pybedtools, folder):
        second = pybedtools.BedTool(_write_bed(folder / "regions.bed", regions, 0, nowhere))
        for start in range(0, len(queries), _QUERIES_AT_A_TIME):
            block = queries[start : start + _QUERIES_AT_A_TIME]
            first = pybedtools.BedTool(_write_bed(folder / "queries.bed", block, start, nowhere))
            found = folder / "found.bed"
            getattr(first, method)(second, output=str(found), **options)
            _check_complete(found, _last_line(nowhere))
            with found.open() as lines:
                for query, rows in groupby((line.split("\t") for line in lines), key=lambda fields: int(fields[3])):
                    if query != _LAST:
                        yield query, sorted(int(fields[7]) for fields in rows)


def _write_bed(path: Path, intervals: Sequence[Interval], first: int, nowhere: str) -> str:
    """A BED file whose names are positions, counted from `first`, and then a line on a chromosome of its own."""
    with path.open("w") as out:
        for position, (chrom, start, end) in enumerate(intervals, first):
            out.write(f"{chrom}\t{start}\t{end}\t{position}\n")
        out.write(f"{_last_line(nowhere)}\n")
    return str(path)


def _last_line(nowhere: str) -> str:
    return f"{nowhere}\t0\t1\t{_LAST}"


def _check_complete(found: Path, last_line: str) -> None:
    expected = f"{last_line}\t{last_line}\n".encode()
    with found.open("rb") as stream:
        stream.seek(max(0, found.stat().st_size - len(expected)))
        if stream.read() != expected:
            raise DataError(
                "bedtools stopped before the end",
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
