"""Which intervals overlap. The only user of pybedtools, and so of bedtools."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError
from speid_cli.files import os_errors_of
from speid_cli.genome.intervals import ElementPair, Interval

# The last interval of both files given to bedtools: a complete output ends with the overlap of these two.
_LAST = Interval("speid-last", 0, 1)


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


def _overlaps(queries: Sequence[Interval], regions: Sequence[Interval]) -> dict[int, list[int]]:
    """The queries that share a base with a region, and those regions, by position."""
    with _bedtools() as (pybedtools, folder):
        first = pybedtools.BedTool(_write_bed(folder / "queries.bed", queries))
        second = pybedtools.BedTool(_write_bed(folder / "regions.bed", regions))
        first.intersect(second, wa=True, wb=True, nonamecheck=True, output=str(folder / "found.bed"))
        text = (folder / "found.bed").read_text()
    # pybedtools does not look at bedtools' exit status: one that was killed, or whose disk was full, writes less.
    if not text.endswith("\t".join(map(str, (*_LAST, len(queries), *_LAST, len(regions)))) + "\n"):
        raise DataError(
            "bedtools stopped before the end of its output",
            hint=f"was it killed, or is there no room left in {folder.parent}?",
        )
    found: defaultdict[int, list[int]] = defaultdict(list)
    for line in text.split("\n")[:-2]:
        fields = line.split("\t")
        found[int(fields[3])].append(int(fields[7]))
    return found


def _write_bed(path: Path, intervals: Sequence[Interval]) -> str:
    """A BED file whose names are positions, ended by `_LAST`."""
    with os_errors_of(path), path.open("w") as out:
        for position, (chrom, start, end) in enumerate((*intervals, _LAST)):
            out.write(f"{chrom}\t{start}\t{end}\t{position}\n")
    return str(path)


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
