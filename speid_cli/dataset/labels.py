"""Labelled pairs: one rule, for every command, on which pairs interact.

The label, 1 (interacting) or 0 (not), is in the column headed ``label``; without one, in column 8,
where that holds only 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

from speid_cli.errors import DataError, OptionError, counted, located
from speid_cli.genome.bedpe import COLUMNS, MISSING, SCORE_COLUMN, BedpeLine
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import ElementPair
from speid_cli.genome.pair_reader import PairReader

LABELS = {"0": 0, "1": 1}
UNLABELLED = -1
_NAME_COLUMN = COLUMNS.index("name")
_BY_OPTION = "name it by --label-column NAME or NUMBER"


class LabelledPair(NamedTuple):
    """One pair of the input with its label and its name (``.``: none)."""

    pair: ElementPair
    label: int
    name: str = MISSING


class Positives(NamedTuple):
    """Interacting pairs, sorted, each once, and how many lines were left out, by reason."""

    pairs: list[ElementPair]
    labelled_0: int
    between_chromosomes: int
    repeated: int


def read_labelled_pairs(
    reader: PairReader, choice: str | None = None, unlabelled: int | None = None
) -> list[tuple[int, LabelledPair]]:
    """Every pair of a BEDPE file with its label, and the number of its line.

    Parameters
    ----------
    choice : str, optional
        The label column's name in the header, or its number, from 1.
    unlabelled : int, optional
        The label of all pairs of a file without a label column; default: that is an error.

    Raises
    ------
    DataError
        A line is not valid, or there is no label column or no pair.
    OptionError
        A column number below 1.
    """
    read = [(line.number, line.fields, pair) for line, pair in reader]
    if not read:
        raise DataError("no pairs", expected="at least one BEDPE line of 6 or more columns", path=reader.path)
    with located(reader.path):
        column = _named_column(choice, reader.header)
        if column is None:
            column = _score_column(((number, fields) for number, fields, _ in read), unlabelled is not None)
    found = []
    for number, fields, pair in read:
        with located(reader.path, number):
            # Where there is neither a column nor `unlabelled`, `_score_column` has raised.
            label = cast(int, unlabelled) if column is None else _label(fields, column)
        name = fields[_NAME_COLUMN] if len(fields) > _NAME_COLUMN else MISSING
        found.append((number, LabelledPair(pair, label, name)))
    return found


def labelled_pairs(reader: PairReader) -> Iterator[tuple[ElementPair, int]]:
    """The pairs of a BEDPE file and their labels one by one, so that memory does not grow with the file.

    Raises
    ------
    DataError
        A line is not valid, or there is no label column.
    """
    column = None
    for line, pair in reader:
        fields = line.fields
        with located(reader.path, line.number):
            if column is None:
                column = _named_column(None, reader.header)
            if column is None:
                _score_column([(line.number, fields)], may_lack=False, hint="head the column of labels 'label'")
                column = SCORE_COLUMN
            label = _label(fields, column)
        yield pair, label


def read_positives(path: str, contigs: ContigNames) -> Positives:
    """Interacting pairs of a BEDPE file; all of its pairs, where it has no label column.

    Parameters
    ----------
    contigs : ContigNames
        The names to use; new ones are added.

    Raises
    ------
    DataError
        A line is not valid, or no positive on one chromosome is left.
    """
    read = [labelled for _, labelled in read_labelled_pairs(PairReader(path), unlabelled=1)]
    sides = contigs.adopt(path, [side for labelled in read for side in labelled.pair])
    pairs = zip(read, sides[::2], sides[1::2], strict=True)
    positive = [ElementPair(enhancer, promoter) for (_, label, _), enhancer, promoter in pairs if label == 1]
    within = [pair for pair in positive if pair.enhancer.chrom == pair.promoter.chrom]
    if not within:
        found = "no positives on one chromosome" if positive else f"label 0 throughout, in {counted(len(read), 'pair')}"
        raise DataError(found, expected="at least one positive", path=path)
    once = sorted(set(within))
    return Positives(once, len(read) - len(positive), len(positive) - len(within), len(within) - len(once))


def _named_column(choice: str | None, header: BedpeLine | None) -> int | None:
    """Index of the column that was chosen, by name or number, or is headed ``label``; None where there is neither."""
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
    return None


def _score_column(lines: Iterable[tuple[int, list[str]]], may_lack: bool, hint: str = _BY_OPTION) -> int | None:
    """Index of column 8, where it holds the labels; where it does not, None or, unless `may_lack`, an error."""
    for number, fields in lines:
        value = fields[SCORE_COLUMN] if len(fields) > SCORE_COLUMN else None
        if value in LABELS:
            continue
        if may_lack:
            return None
        found = "there is no column 8" if value is None else f"column 8 holds {value!r}"
        raise DataError(
            f"no label column: none is headed 'label', and {found}",
            expected="0 or 1 for every pair",
            hint=hint,
            line=number,
        )
    return SCORE_COLUMN


def _label(fields: list[str], column: int) -> int:
    if column >= len(fields):
        raise DataError(f"no column {column + 1} for the label; the line has {len(fields)}")
    if fields[column] not in LABELS:
        raise DataError(
            f"label {fields[column]!r} in column {column + 1}", expected="1 (interacting) or 0 (not interacting)"
        )
    return LABELS[fields[column]]
