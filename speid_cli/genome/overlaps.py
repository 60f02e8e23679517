"""Overlaps between sets of intervals. The only user of pybedtools, and so of bedtools."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError
from speid_cli.files import read_lines
from speid_cli.genome.intervals import Interval
from speid_cli.genome.reference import ContigNames

_POSITION = re.compile(r"\d{1,15}", re.ASCII)


def read_bed(path: str, contigs: ContigNames) -> tuple[list[Interval], int]:
    """Intervals of a BED file on the contigs of a reference, and how many lie on others.

    Raises
    ------
    DataError
        A line has fewer than 3 columns or no valid coordinates.
    """
    intervals, elsewhere = [], 0
    for number, text in read_lines(path):
        if not text.strip() or text.startswith(("#", "track", "browser")):
            continue
        fields = text.split("\t")
        numbers = [int(field) for field in fields[1:3] if _POSITION.fullmatch(field)]
        if len(numbers) != 2 or numbers[0] >= numbers[1]:
            raise DataError(
                f"{text[:60]!r}", expected="BED: chromosome, start and end, start below end", path=path, line=number
            )
        try:
            contig = contigs.resolve(fields[0])
            start, end = (min(number, contigs.lengths[contig]) for number in numbers)
            if start < end:
                intervals.append(Interval(contig, start, end))
        except DataError:  # an exclusion list may name contigs that this reference leaves out
            elsewhere += 1
    return intervals, elsewhere


def overlapping(queries: Sequence[Interval], regions: Sequence[Interval]) -> NDArray[np.bool_]:
    """Which queries share at least one base with any region.

    Returns
    -------
    bool array (len(queries),)

    Raises
    ------
    OptionError
        bedtools is not installed.
    """
    hit = np.zeros(len(queries), bool)
    if not queries or not regions:
        return hit
    if shutil.which("bedtools") is None:
        raise OptionError(
            "bedtools is needed here and not installed; try: apt install bedtools, or: "
            "conda install -c bioconda bedtools"
        )
    import pybedtools

    numbered = ((chrom, start, end, str(index)) for index, (chrom, start, end) in enumerate(queries))
    try:
        found = pybedtools.BedTool(numbered).saveas().intersect(pybedtools.BedTool(iter(regions)).saveas(), u=True)
        hit[[int(feature.name) for feature in found]] = True
    finally:
        pybedtools.cleanup()
    return hit
