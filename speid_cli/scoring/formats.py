"""Output formats of scored candidates."""

from __future__ import annotations

import math
from typing import Protocol

from speid_cli.genome.bedpe import MISSING, header_with_probability, with_probability
from speid_cli.scoring.stream import ScoredLine


class Format(Protocol):
    """A format of scored candidates."""

    def text(self, scored: ScoredLine) -> str:
        """The output for one line of the candidates, with its line endings."""


class ScoredBedpe:
    """BEDPE with the probability, to 6 significant digits, as score; comments as they are.

    Parameters
    ----------
    append : bool
        The probability goes into a new last column instead of column 8.

    Attributes
    ----------
    columns : set of int
        The numbers of the columns that were added.
    """

    def __init__(self, append: bool = False) -> None:
        self._append = append
        self.columns: set[int] = set()

    def text(self, scored: ScoredLine) -> str:
        """See `Format`."""
        line, probability, header_columns = scored
        if line.role == "header":
            return header_with_probability(line, self._append) + "\n"
        if probability is None:
            return line.text + "\n"
        value = MISSING if math.isnan(probability) else f"{probability:.6g}"
        output = with_probability(line.fields, value, self._append, header_columns)
        if self._append:
            self.columns.add(output.count("\t") + 1)
        return output + "\n"
