"""The interacting pairs of a BEDPE file, for which negatives are drawn."""

from __future__ import annotations

from typing import NamedTuple

from speid_cli.dataset.labels import parse_label
from speid_cli.errors import DataError, located
from speid_cli.genome.bedpe import parse_pair, read_bedpe
from speid_cli.genome.intervals import ElementPair


class Positives(NamedTuple):
    """Interacting pairs, each once and sorted, and how many lines were left out and why."""

    pairs: list[ElementPair]
    labelled_0: int
    between_chromosomes: int


def read_positives(path: str) -> Positives:
    """Pairs of a BEDPE file; where a column is headed ``label``, those with a 1.

    Raises
    ------
    DataError
        A line is at fault, or no pair on one chromosome is left.
    """
    column, pairs, labelled_0, between = None, set(), 0, 0
    for line in read_bedpe(path):
        if line.role == "header":
            column = line.fields.index("label") if "label" in line.fields else None
        elif line.role == "pair":
            with located(path, line.number):
                pair = parse_pair(line.fields)
                positive = column is None or parse_label(line.fields, column) == 1
            if not positive:
                labelled_0 += 1
            elif pair.enhancer.chrom != pair.promoter.chrom:
                between += 1
            else:
                pairs.add(pair)
    if not pairs:
        raise DataError("no positives on one chromosome", expected="at least one", path=path)
    return Positives(sorted(pairs), labelled_0, between)
