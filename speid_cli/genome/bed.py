"""BED: tab-separated intervals, one a line, 0-based and half-open.

Columns 1-3 are chromosome, start and end; 4 is a name, 6 a strand, where there are any. Read are
LF and CRLF, gzip, and ``#``, ``track`` and ``browser`` lines, which are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from speid_cli.errors import DataError
from speid_cli.files import read_lines
from speid_cli.genome.bedpe import MISSING
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
    for number, text in read_lines(path):
        if not text.strip() or text.startswith(("#", "track ", "track\t", "browser ", "browser\t")):
            continue
        fields = text.split("\t")
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


def read_elements(path: str) -> tuple[list[BedElement], int]:
    """The elements of a BED file, sorted, each once, and how many lines repeated one.

    Raises
    ------
    DataError
        The file holds no element, or a line is at fault.
    """
    unique: dict[Interval, BedElement] = {}
    count = 0
    for element in read_bed_elements(path):
        count += 1
        unique.setdefault(element.interval, element)
    if not unique:
        raise DataError("no intervals", expected="at least one BED line", path=path)
    return [unique[interval] for interval in sorted(unique)], count - len(unique)
