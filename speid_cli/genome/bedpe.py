"""BEDPE: tab-separated pairs of intervals, one pair a line, 0-based and half-open.

Columns 1-3 are one side, 4-6 the other, then ``name``, ``score``, two strands and anything else.
Side 1 is the enhancer and side 2 the promoter, unless ``--promoter-first`` is given. Lines may end
in LF or CRLF, the file may be gzip-compressed, and coordinates may be written like ``1.05e+08``.
``#`` comments and ``track`` and ``browser`` lines are skipped. The header, with or without ``#``, is
the first line whose four coordinate columns are words; a file whose header names the columns in
another order is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from speid_cli.errors import DataError, counted, located
from speid_cli.files import read_lines
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.kinds import BEDPE, expecting

COLUMNS = ("chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2")
SCORE_COLUMN = COLUMNS.index("score")
MISSING = "."

_COORDINATES = (1, 2, 4, 5)
_WORD = re.compile(r"[A-Za-z_][\w.]*")
# Words in a header by which a column is recognised; Juicer writes x1, x2, y1 and y2.
_KINDS = {"chrom": ("chr", "seqname"), "start": ("start", "x1", "y1"), "end": ("end", "stop", "x2", "y2")}
_NO_VALUE = ("na", "nan", "null", "none", "inf")
# Each text can match in one way only; otherwise a long field that does not match takes very long.
_SCIENTIFIC = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_LONGEST_NUMBER = 40


class BedpeLine(NamedTuple):
    """One line of a BEDPE file, unchanged."""

    number: int
    role: Literal["pair", "header", "comment"]
    text: str

    @property
    def fields(self) -> list[str]:
        """Columns of a pair or of a header (there without its ``#``)."""
        text = self.text.lstrip("# ") if self.role == "header" else self.text
        return text.split("\t")


class PairReader:
    """The pairs of a BEDPE file (``-``: standard input); all commands read pairs by it.

    Attributes
    ----------
    header : BedpeLine or None
        None until the header has been read.
    """

    def __init__(self, path: str, promoter_first: bool = False) -> None:
        self.path, self._promoter_first = path, promoter_first
        self.header: BedpeLine | None = None

    def lines(self) -> Iterator[BedpeLine]:
        """Every line, marked as pair, header or comment.

        Raises
        ------
        DataError
            The file cannot be read, is not text, or its header names the columns in another order.
        """
        for line in read_bedpe(self.path):
            if line.role == "header":
                self.header = line
                with expecting(BEDPE), located(self.path, line.number):
                    _check_header(line.fields, self._promoter_first)
            yield line

    def pair(self, line: BedpeLine) -> ElementPair:
        """The elements of a line.

        Raises
        ------
        DataError
            The line is not valid; the message gives its number.
        """
        with expecting(BEDPE), located(self.path, line.number):
            return parse_pair(line.fields, self._promoter_first)

    def __iter__(self) -> Iterator[tuple[BedpeLine, ElementPair]]:
        return ((line, self.pair(line)) for line in self.lines() if line.role == "pair")


def read_bedpe(path: str) -> Iterator[BedpeLine]:
    """Every line of a BEDPE file (``-``: standard input), marked as pair, header or comment.

    Raises
    ------
    DataError
        The file cannot be read or is not text.
    """
    header_possible = True
    for number, text in read_lines(path):
        if header_possible and _is_header(text):
            header_possible = False
            yield BedpeLine(number, "header", text)
        elif is_comment(text):
            yield BedpeLine(number, "comment", text)
        else:
            header_possible = False
            yield BedpeLine(number, "pair", text)


def is_comment(text: str) -> bool:
    """Whether a line of BED or BEDPE is empty, a comment, or tells a genome browser what to show."""
    return not text.strip() or text.startswith(("#", "track ", "track\t", "browser ", "browser\t"))


def _is_header(text: str) -> bool:
    fields = text.lstrip("# ").split("\t")
    return len(fields) >= 6 and all(is_column_name(fields[column]) for column in _COORDINATES)


def is_column_name(text: str) -> bool:
    """Whether a field where a coordinate is expected is the name of a column."""
    return _WORD.fullmatch(text) is not None and text.casefold() not in _NO_VALUE


def _check_header(names: list[str], promoter_first: bool) -> None:
    """Refuse a header by which chromosomes, starts, ends or sides are in other columns."""
    for number, (name, wanted) in enumerate(zip(names, COLUMNS[:6], strict=False), start=1):
        kinds = [kind for kind, words in _KINDS.items() if any(word in name.casefold() for word in words)]
        if len(kinds) == 1 and not wanted.startswith(kinds[0]):
            raise DataError(
                f"column {number} is headed {name!r}",
                expected=f"the columns {', '.join(COLUMNS[:6])}, in this order",
                hint="put the columns in order, with cut or awk",
            )
    first, second = (" ".join(names[side : side + 3]).casefold() for side in (0, 3))
    sides = ("promoter" in first or "enhancer" in second, "enhancer" in first or "promoter" in second)
    if sides == ((not promoter_first), promoter_first):
        found, option = ("promoter", "give") if sides[0] else ("enhancer", "leave out")
        raise DataError(f"according to the header, columns 1-3 are the {found}", hint=f"{option} --promoter-first")


def parse_pair(fields: list[str], promoter_first: bool = False) -> ElementPair:
    """The two elements of a BEDPE line.

    Raises
    ------
    DataError
        Fewer than 6 columns, a coordinate that is negative or not a whole number, or a start that is
        not below its end. The caller adds the file and the line.
    """
    if len(fields) < 6:
        hint = "columns are separated by tabs, not spaces" if len(fields) == 1 else ""
        raise DataError(counted(len(fields), "column"), expected="6 or more tab-separated columns", hint=hint)
    first, second = _side(fields, 0), _side(fields, 3)
    return ElementPair(second, first) if promoter_first else ElementPair(first, second)


def _side(fields: list[str], first: int) -> Interval:
    chrom, start, end = fields[first], _coordinate(fields, first + 1), _coordinate(fields, first + 2)
    if start >= end:
        raise DataError(
            f"{COLUMNS[first + 1]} {start} is not below {COLUMNS[first + 2]} {end}",
            expected="0-based, half-open coordinates",
        )
    return Interval(chrom, start, end)


def _coordinate(fields: list[str], column: int) -> int:
    text = fields[column]
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    value = float(text) if len(text) <= _LONGEST_NUMBER and _SCIENTIFIC.fullmatch(text) else None
    if value is None or not value.is_integer() or abs(value) > 1e15:
        raise DataError(f"{COLUMNS[column]} {text!r:.60} is not a whole number", expected="a position in bp")
    if value < 0:
        raise DataError(f"{COLUMNS[column]} {text} is negative", expected="a position of 0 or more")
    return int(value)


def with_probability(fields: list[str], text: str, append: bool, header_columns: int = 0) -> str:
    """A BEDPE line with a value in column 8 (`append`: in a new last column), padded with ``.``.

    The fields are those of a pair, with its probability as text, or of a header, with the column's
    name. A line shorter than the header is padded, so that an appended value is below its name.
    """
    wanted = max(SCORE_COLUMN + 1, header_columns if append else 0)
    columns = list(fields) + [MISSING] * (wanted - len(fields))
    if append:
        columns.append(text)
    else:
        columns[SCORE_COLUMN] = text
    return "\t".join(columns)


def header_with_probability(header: BedpeLine, append: bool) -> str:
    """The header of a scored BEDPE, whose columns match those of its lines."""
    fields = header.fields
    padded = fields + list(COLUMNS[len(fields) : SCORE_COLUMN + 1])
    prefix = header.text[: len(header.text) - len("\t".join(fields))]
    name = "probability" if append else COLUMNS[SCORE_COLUMN]
    return prefix + with_probability(padded, name, append)
