"""Which intervals overlap, and sums over those that do. The only user of pybedtools, and so of bedtools."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError
from speid_cli.files import os_errors_of
from speid_cli.genome.intervals import ElementPair, Interval

# The last interval of all files given to bedtools, on the last chromosome: a complete output ends with its overlap.
_LAST = (10**9 - 1, 0, 1)
# As many as tell any two doubles apart.
_DIGITS = 17
Places = NDArray[np.int64]


def overlaps(queries: Sequence[Interval], regions: Sequence[Interval]) -> NDArray[np.bool_]:
    """Which queries (N,) share at least one base with any region.

    Raises
    ------
    DataError
        bedtools fails or does not write all of its output.
    OptionError
        bedtools is not installed.
    """
    hit = np.zeros(len(queries), bool)
    hit[list(_overlaps(queries, regions))] = True
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
    DataError, OptionError
        As `overlaps`.
    """
    firsts = _overlaps([pair.enhancer for pair in pairs], enhancers)
    seconds = _overlaps([pair.promoter for pair in pairs], promoters)
    keys = [
        np.add.outer(np.array(firsts[row]) * len(promoters), seconds[row]).ravel() for row in firsts.keys() & seconds
    ]
    return np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)


@contextmanager
def overlap_sums(queries: Places) -> Iterator[Callable[[Places, NDArray[np.float64]], NDArray[np.float64]]]:
    """A function that sums, for each query, the signal of the regions that overlap it.

    It takes places (R, 3) and their signals (R,), and gives sums float64 (Q,): exactly 0 where no region
    shares a base with the query.

    Parameters
    ----------
    queries : int64 (Q, 3)
        Number of the chromosome, start and end, sorted.

    Raises
    ------
    DataError, OptionError
        As `overlaps`.
    """
    with _bedtools() as (pybedtools, folder):
        first = pybedtools.BedTool(_write(folder / "queries.bed", chain(queries.tolist(), [_LAST])))

        def sums(regions: Places, signal: NDArray[np.float64]) -> NDArray[np.float64]:
            order = np.lexsort(regions.T[1::-1])
            rows = zip(*regions[order].T.tolist(), signal[order].tolist(), strict=True)
            second = pybedtools.BedTool(_write(folder / "regions.bed", chain(rows, [(*_LAST, 1)])))
            found = folder / "found.bed"
            first.map(second, c=4, o="sum", prec=_DIGITS, null=0, nonamecheck=True, output=str(found))
            text = found.read_text()
            _check_complete(text, _line([*_LAST, 1]), folder)
            values = [line.rpartition("\t")[2] for line in text.split("\n")[:-2]]
            return np.array(values, np.float64)

        yield sums


def _overlaps(queries: Sequence[Interval], regions: Sequence[Interval]) -> dict[int, list[int]]:
    """The queries that share a base with a region, and those regions, by position."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(place.chrom for place in (*queries, *regions)))}

    def rows(intervals: Sequence[Interval]) -> Iterator[tuple[int, ...]]:
        """Rows for `_write`, each with its position, ended by `_LAST`."""
        places = ((numbers[chrom], start, end) for chrom, start, end in intervals)
        return ((*place, row) for row, place in enumerate(chain(places, [_LAST])))

    with _bedtools() as (pybedtools, folder):
        first = pybedtools.BedTool(_write(folder / "queries.bed", rows(queries)))
        second = pybedtools.BedTool(_write(folder / "regions.bed", rows(regions)))
        first.intersect(second, wa=True, wb=True, nonamecheck=True, output=str(folder / "found.bed"))
        text = (folder / "found.bed").read_text()
    _check_complete(text, f"{_line([*_LAST, len(queries)])}\t{_line([*_LAST, len(regions)])}", folder)
    found: defaultdict[int, list[int]] = defaultdict(list)
    for line in text.split("\n")[:-2]:
        fields = line.split("\t")
        found[int(fields[3])].append(int(fields[7]))
    return found


def _check_complete(text: str, last_line: str, folder: Path) -> None:
    """Refuse bedtools' output unless it ends with this line.

    pybedtools does not look at bedtools' exit status: one that was killed, or whose disk was full, writes less.
    """
    if not text.endswith(f"{last_line}\n"):
        raise DataError(
            "bedtools stopped before the end of its output",
            hint=f"was it killed, or is there no room left in {folder.parent}?",
        )


def _write(path: Path, rows: Iterable[Sequence[float]]) -> str:
    """A BED file: number of the chromosome, start, end and maybe one more column."""
    with os_errors_of(path), path.open("w") as out:
        out.writelines(f"{_line(row)}\n" for row in rows)
    return str(path)


def _line(row: Sequence[float]) -> str:
    """A line of BED. The chromosome's name sorts as its number, and is none that bedtools takes for a header."""
    return "\t".join([f"chr{row[0]:09d}", *map(str, row[1:])])


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
        except (pybedtools.helpers.BEDToolsError, NotImplementedError) as error:  # the second: a program is missing
            raise DataError(f"bedtools failed: {' '.join(str(error.args[-1]).split())}") from error
