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
from typing import Literal, NamedTuple

from speid_cli.errors import DataError, counted
from speid_cli.genome.intervals import ElementPair, Interval

COLUMNS = ("chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2")
SCORE_COLUMN = COLUMNS.index("score")
MISSING = "."

_COORDINATES = (1, 2, 4, 5)
_WORD = re.compile(r"#?[A-Za-z_][\w.]*")
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


def is_comment(text: str) -> bool:
    """Whether a line of BED or BEDPE is empty, a comment, or tells a genome browser what to show."""
    return not text.strip() or text.startswith(("#", "track ", "track\t", "browser ", "browser\t"))


def is_header(text: str) -> bool:
    """Whether the coordinate columns of a line hold words, the names of columns."""
    fields = text.lstrip("# ").split("\t")
    return len(fields) >= 6 and all(is_column_name(fields[column]) for column in _COORDINATES)


def is_column_name(text: str) -> bool:
    """Whether a field where a coordinate is expected is the name of a column."""
    return _WORD.fullmatch(text) is not None and text.casefold() not in _NO_VALUE


def check_header(names: list[str], promoter_first: bool) -> None:
    """Refuse a header by which chromosomes, starts, ends or sides are in other columns."""
    for number, (name, wanted) in enumerate(zip(names, COLUMNS[:6], strict=False), start=1):
        kinds = [kind for kind, words in _KINDS.items() if any(word in name.casefold() for word in words)]
        if len(kinds) == 1 and not wanted.startswith(kinds[0]):
            raise DataError(
                f"column {number} is headed {name!r}",
                expected=f"the columns {', '.join(COLUMNS[:6])}, in this order",
                hint="put the columns in order, with cut or awk",
            )
    if [name[-1:] for name in names[:6]] == [*"222111"]:
        raise DataError(
            "according to the header, columns 1-3 are the second element",
            expected=f"the columns {', '.join(COLUMNS[:6])}, in this order",
            hint="put the columns in order, with awk",
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


def with_probability(line: str, value: str, append: bool, header_columns: int = 0) -> str:
    """A BEDPE line with a value in column 8 (`append`: in a new last column), padded with ``.``.

    The value is the probability of a pair, or the name of its column in a header. A line shorter than
    the header is padded, so that an appended value is below its name.
    """
    columns = line.count("\t") + 1
    wanted = max(SCORE_COLUMN + 1, header_columns) if append else SCORE_COLUMN
    if append or columns <= SCORE_COLUMN:
        missing = "\t." * (wanted - columns)
        return f"{line}{missing}\t{value}"
    fields = line.split("\t", SCORE_COLUMN + 1)
    fields[SCORE_COLUMN] = value
    return "\t".join(fields)


def header_with_probability(header: BedpeLine, append: bool) -> str:
    """The header of a scored BEDPE, whose columns match those of its lines."""
    padded = "\t".join([header.text, *COLUMNS[len(header.fields) : SCORE_COLUMN + 1]])
    return with_probability(padded, "probability" if append else COLUMNS[SCORE_COLUMN], append)
