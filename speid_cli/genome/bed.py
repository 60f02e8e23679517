"""BED: tab-separated intervals, one a line, 0-based and half-open.

Columns 1-3 are chromosome, start and end; 4 and 6, which may be missing, are name and strand. Lines
may end in LF or CRLF, and the file may be gzip-compressed. ``#``, ``track`` and ``browser`` lines are
skipped, and so is a first line that names the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from speid_cli.errors import DataError
from speid_cli.genome.bedpe import MISSING, is_column_name, is_comment
from speid_cli.genome.contigs import ContigNames, ReferenceContigs
from speid_cli.genome.intervals import Interval
from speid_cli.kinds import BED, recognised
from speid_cli.text import read_lines

_POSITION = re.compile(r"\d{1,15}", re.ASCII)
_NAME, _STRAND = 3, 5


class BedElement(NamedTuple):
    """An interval with its name and its strand (``.``: unknown)."""

    interval: Interval
    name: str
    strand: str = MISSING


def bed_line(element: BedElement) -> str:
    """BED with 6 columns; the score is ``.``."""
    return "\t".join([*map(str, element.interval), element.name, MISSING, element.strand])


def read_bed(path: str) -> Iterator[tuple[int, BedElement, list[str]]]:
    """Number, element and columns of every line of a BED file (``-``: standard input).

    Raises
    ------
    DataError
        The file cannot be read, a line has fewer than 3 columns or no valid coordinates, or the
        first line with an interval holds two, as in BEDPE.
    """
    header = elements = 0
    for number, text in read_lines(path):
        if is_comment(text):
            continue
        fields = text.split("\t")
        if not header + elements and len(fields) >= 3 and all(map(is_column_name, fields[1:3])):
            header = 1
            continue
        try:
            interval = _interval(fields, first=not elements)
        except DataError as error:
            raise recognised(error.at(path, number), BED) from None
        elements += 1
        yield number, _element(interval, fields), fields


def _interval(fields: list[str], first: bool) -> Interval:
    if first and len(fields) >= 6 and fields[3] == fields[0] and _bounds(fields, 4):
        raise DataError("two intervals on a line", expected="BED, with one; this looks like BEDPE")
    if (bounds := _bounds(fields, 1)) is None:
        text = "\t".join(fields)[:60]
        raise DataError(f"{text!r}", expected="BED: chromosome, start and end, start below end")
    return Interval(fields[0], *bounds)


def _element(interval: Interval, fields: list[str]) -> BedElement:
    name, strand = (fields[column] if len(fields) > column else MISSING for column in (_NAME, _STRAND))
    return BedElement(interval, name or MISSING, strand if strand in ("+", "-") else MISSING)


def _bounds(fields: list[str], column: int) -> tuple[int, int] | None:
    """Start and end in this column and the next; None where they are not valid."""
    numbers = [int(field) for field in fields[column : column + 2] if _POSITION.fullmatch(field)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 and numbers[0] < numbers[1] else None


def place_of(interval: Interval) -> str:
    """``chrom:start-end``, 0-based and half-open as in the file."""
    return f"{interval.chrom}:{interval.start}-{interval.end}"


def read_elements(path: str, contigs: ContigNames) -> tuple[list[BedElement], int]:
    """The elements of a BED file, sorted, each once, and how many lines repeated one.

    Where the file gives no name, it is ``chrom:start-end``.

    Parameters
    ----------
    contigs : ContigNames
        The names to use; new ones are added.

    Raises
    ------
    DataError
        The file holds no element or none on a known contig, or a line is not valid.
    """
    elements = [element for _, element, _ in read_bed(path)]
    if not elements:
        raise DataError("no intervals", expected="at least one BED line", path=path)
    unique: dict[Interval, BedElement] = {}
    intervals = contigs.adopt(path, [element.interval for element in elements])
    for interval, (given, name, strand) in zip(intervals, elements, strict=True):
        unique.setdefault(interval, BedElement(interval, place_of(given) if name == MISSING else name, strand))
    return [unique[interval] for interval in sorted(unique)], len(elements) - len(unique)


def read_regions(path: str, contigs: ReferenceContigs) -> tuple[list[Interval], int]:
    """Intervals of a BED file, ended where their contigs end, and how many lie on contigs of other files.

    Raises
    ------
    DataError
        A line has fewer than 3 columns or no valid coordinates, or no interval is on a known contig.
    """
    intervals = [element.interval for _, element, _ in read_bed(path)]
    known = contigs.find_all(path, intervals)
    length = {name: contigs.lengths[contig] for name, contig in known.items()}
    here = [Interval(known[chrom], start, min(end, length[chrom])) for chrom, start, end in intervals if chrom in known]
    return [region for region in here if region.start < region.end], len(intervals) - len(here)
