"""BED: tab-separated intervals, one a line, 0-based and half-open.

Columns 1-3 are chromosome, start and end; 4 is a name, 6 a strand, where there are any. Read are
LF and CRLF and gzip; skipped are ``#``, ``track`` and ``browser`` lines, and a first line that names
the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from speid_cli.errors import DataError
from speid_cli.files import read_lines
from speid_cli.genome.bedpe import MISSING, is_column_name
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import Interval

_POSITION = re.compile(r"\d{1,15}", re.ASCII)
_NAME, _STRAND = 3, 5


class BedElement(NamedTuple):
    """An interval with its name (its place, where the file gives none) and its strand (``.``: unknown)."""

    interval: Interval
    name: str
    strand: str = MISSING


def read_bed_elements(path: str) -> Iterator[BedElement]:
    """Every interval of a BED file (``-``: standard input).

    Raises
    ------
    DataError
        The file cannot be read, or a line has fewer than 3 columns or no valid coordinates.
    """
    header_possible = True
    for number, text in read_lines(path):
        if not text.strip() or text.startswith(("#", "track ", "track\t", "browser ", "browser\t")):
            continue
        fields = text.split("\t")
        if header_possible and len(fields) >= 3 and all(map(is_column_name, fields[1:3])):
            header_possible = False
            continue
        header_possible = False
        numbers = [int(field) for field in fields[1:3] if _POSITION.fullmatch(field)]
        if len(numbers) != 2 or numbers[0] >= numbers[1]:
            raise DataError(
                f"{text[:60]!r}", expected="BED: chromosome, start and end, start below end", path=path, line=number
            )
        interval = Interval(fields[0], *numbers)
        name = fields[_NAME] if len(fields) > _NAME and fields[_NAME] not in ("", MISSING) else place_of(interval)
        strand = fields[_STRAND] if len(fields) > _STRAND and fields[_STRAND] in ("+", "-") else MISSING
        yield BedElement(interval, name, strand)


def place_of(interval: Interval) -> str:
    """``chrom:start-end``, as the file has it: 0-based, half-open."""
    return f"{interval.chrom}:{interval.start}-{interval.end}"


def read_elements(path: str, contigs: ContigNames) -> tuple[list[BedElement], int]:
    """The elements of a BED file, sorted, each once, and how many lines repeated one.

    Parameters
    ----------
    contigs : ContigNames
        The names to use; those that are new are added.

    Raises
    ------
    DataError
        The file holds no element or none on a known contig, or a line is at fault.
    """
    elements = list(read_bed_elements(path))
    if not elements:
        raise DataError("no intervals", expected="at least one BED line", path=path)
    names = contigs.adopt(path, (element.interval.chrom for element in elements))
    unique: dict[Interval, BedElement] = {}
    for (chrom, start, end), name, strand in elements:
        interval = Interval(names[chrom], start, end)
        unique.setdefault(interval, BedElement(interval, name, strand))
    return [unique[interval] for interval in sorted(unique)], len(elements) - len(unique)
