"""Which column of a BEDPE file says whether a pair interacts."""

from __future__ import annotations

from collections.abc import Sequence

from speid_cli.errors import DataError, OptionError
from speid_cli.genome.bedpe import SCORE_COLUMN, BedpeLine

LABELS = {"0": 0, "1": 1}


def label_column(choice: str | None, header: BedpeLine | None, pairs: Sequence[tuple[int, list[str]]]) -> int:
    """Index of the label column.

    Parameters
    ----------
    choice : str or None
        A column's name in the header or its number, from 1; None: the column headed ``label``,
        else column 8 where it holds only 0 and 1.
    pairs : sequence of (line number, fields)

    Raises
    ------
    DataError
        There is no such column. Its place is the offending line.
    OptionError
        A column number below 1.
    """
    names = header.fields if header else []
    if choice is not None and choice.isdecimal():
        if not 1 <= int(choice[:9]) <= 1_000_000:
            raise OptionError(f"--label-column {choice}: columns are counted from 1")
        return int(choice) - 1
    wanted = choice or "label"
    if wanted in names:
        return names.index(wanted)
    if choice is not None:
        raise DataError(
            f"no column named {choice!r}",
            expected="one of the header's: " + ", ".join(names) if names else "a header line",
            hint="give the column's number, from 1",
        )
    return _score_column(pairs)


def _score_column(pairs: Sequence[tuple[int, list[str]]]) -> int:
    for number, fields in pairs:
        value = fields[SCORE_COLUMN] if len(fields) > SCORE_COLUMN else None
        if value not in LABELS:
            found = "there is no column 8" if value is None else f"column 8 holds {value!r}"
            raise DataError(
                f"no label column: none is headed 'label', and {found}",
                expected="0 or 1 for every pair",
                hint="name it by --label-column NAME or NUMBER",
                line=number,
            )
    return SCORE_COLUMN


def parse_label(fields: Sequence[str], column: int) -> int:
    """The label of one pair.

    Raises
    ------
    DataError
        The line has no such column, or it holds neither 0 nor 1.
    """
    if column >= len(fields):
        raise DataError(f"no column {column + 1} for the label; the line has {len(fields)}")
    if fields[column] not in LABELS:
        raise DataError(
            f"label {fields[column]!r} in column {column + 1}", expected="1 (interacting) or 0 (not interacting)"
        )
    return LABELS[fields[column]]
