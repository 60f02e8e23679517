"""Pairs that say whether they interact: one rule for every command that reads labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from speid_cli.errors import DataError, OptionError, counted, located
from speid_cli.genome.bedpe import COLUMNS, MISSING, SCORE_COLUMN, BedpeLine, PairReader
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import ElementPair, Interval

LABELS = {"0": 0, "1": 1}
_NAME_COLUMN = COLUMNS.index("name")


class LabelledPair(NamedTuple):
    """One pair of the input, with its label (1 interacting, 0 not) and its name (``.``: none)."""

    pair: ElementPair
    label: int
    name: str = MISSING


class Positives(NamedTuple):
    """Interacting pairs, each once and sorted, and how many lines were left out and why."""

    pairs: list[ElementPair]
    labelled_0: int
    between_chromosomes: int


def read_labelled_pairs(
    reader: PairReader, choice: str | None = None, all_positive: bool = False
) -> list[tuple[int, LabelledPair]]:
    """Every pair of a BEDPE file with its label, and the number of its line.

    Parameters
    ----------
    choice : str, optional
        The label column's name in the header or its number, from 1; default: the column headed
        ``label``, else column 8 where it holds only 0 and 1.
    all_positive : bool
        Where there is no such column: whether all pairs have label 1, instead of an error.

    Raises
    ------
    DataError
        The first line at fault, named, or there is no label column or no pair.
    OptionError
        A column number below 1.
    """
    read = [(line.number, line.fields, pair) for line, pair in reader]
    if not read:
        raise DataError("no pairs", expected="at least one BEDPE line of 6 or more columns", path=reader.path)
    lines = [(number, fields) for number, fields, _ in read]
    column: int | None = None
    try:
        with located(reader.path):
            column = label_column(choice, reader.header, lines)
    except DataError:
        if not all_positive:
            raise
    found = []
    for number, fields, pair in read:
        with located(reader.path, number):
            label = 1 if column is None else parse_label(fields, column)
        name = fields[_NAME_COLUMN] if len(fields) > _NAME_COLUMN else MISSING
        found.append((number, LabelledPair(pair, label, name)))
    return found


def read_positives(path: str, contigs: ContigNames) -> Positives:
    """Interacting pairs of a BEDPE file; all of its pairs, where it has no label column.

    Parameters
    ----------
    contigs : ContigNames
        The names to use; those that are new are added.

    Raises
    ------
    DataError
        A line is at fault, or no positive on one chromosome is left.
    """
    read = [labelled for _, labelled in read_labelled_pairs(PairReader(path), all_positive=True)]
    names = contigs.adopt(path, (side.chrom for labelled in read for side in labelled.pair))
    positive = [
        ElementPair(*(Interval(names[side.chrom], side.start, side.end) for side in labelled.pair))
        for labelled in read
        if labelled.label == 1
    ]
    within = {pair for pair in positive if pair.enhancer.chrom == pair.promoter.chrom}
    if not within:
        found = "no positives on one chromosome" if positive else f"label 0 throughout, in {counted(len(read), 'pair')}"
        raise DataError(found, expected="at least one positive", path=path)
    between = sum(pair.enhancer.chrom != pair.promoter.chrom for pair in positive)
    return Positives(sorted(within), len(read) - len(positive), between)


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
