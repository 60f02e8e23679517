"""Output formats of scored candidates."""

from __future__ import annotations

import math
from typing import Protocol

from speid_cli.genome.bedpe import MISSING, header_with_probability, with_probability
from speid_cli.scoring.stream import ScoredBlock


class Format(Protocol):
    """A format of scored candidates."""

    def text(self, scored: ScoredBlock) -> str:
        """The output for lines of the candidates, with its line endings."""


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

    def text(self, scored: ScoredBlock) -> str:
        """See `Format`."""
        block, probabilities = scored
        lines = [
            text if value is None else with_probability(text, _format(value), self._append, block.header_columns)
            for text, value in zip(block.texts, probabilities, strict=True)
        ]
        if self._append:
            pairs = (line for line, value in zip(lines, probabilities, strict=True) if value is not None)
            self.columns.update(line.count("\t") + 1 for line in pairs)
        for index, line in enumerate(block.head):
            if line.role == "header":
                lines[index] = header_with_probability(line, self._append)
        return "\n".join([*lines, ""])


def _format(probability: float) -> str:
    return MISSING if math.isnan(probability) else f"{probability:.6g}"
