"""Peaks: intervals with a signal, from narrowPeak, broadPeak and BED files.

The signal is column 7 (``signalValue``) of narrowPeak and broadPeak, and column 5 (``score``) of BED; a line of BED
with fewer than 5 columns has the signal 1. Any finite number is a signal. Lines are read as in BED.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, counted, located
from speid_cli.genome.bed import read_bed
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import Interval

SIGNAL_COLUMNS = {".narrowPeak": 7, ".broadPeak": 7, ".bed": 5}
_OPTIONAL = SIGNAL_COLUMNS[".bed"]


class Peaks(NamedTuple):
    """The peaks of one file on the chromosomes that are asked about.

    Attributes
    ----------
    place : int64 (R, 3)
        Number of the chromosome, start and end.
    signal : float64 (R,)
    first : Interval
        The first peak of the file, as the file has it.
    is_known : bool
        Whether any peak is on a contig that the pairs' file, or the reference, has.
    """

    place: NDArray[np.int64]
    signal: NDArray[np.float64]
    first: Interval
    is_known: bool


def read_peaks(path: str, column: int, contigs: ContigNames, numbers: Mapping[str, int]) -> Peaks:
    """The peaks of a file.

    Parameters
    ----------
    column : int
        The signal's, from 1.
    contigs : ContigNames
        The names to use; with the lengths of a reference, every peak must end within its contig.
    numbers : mapping
        The chromosomes that are asked about, and the number of each; peaks elsewhere are left out.

    Raises
    ------
    DataError
        The file cannot be read or has no peak, or a line is not valid; the message gives its number.
    """
    places, signals, first, is_known = [], [], None, False
    for line, (interval, *_), fields in read_bed(path):
        with located(path, line):
            signal, placed = _signal(fields, column), contigs.place(interval)
        first, is_known = first or interval, is_known or placed is not None
        if placed is not None and placed.chrom in numbers:
            places.append((numbers[placed.chrom], placed.start, placed.end))
            signals.append(signal)
    if first is None:
        raise DataError("no peaks", expected="at least one line with a peak", path=path)
    return Peaks(np.array(places, np.int64).reshape(-1, 3), np.array(signals, np.float64), first, is_known)


def _signal(fields: list[str], column: int) -> float:
    if len(fields) < column:
        if column == _OPTIONAL:
            return 1.0
        raise DataError(counted(len(fields), "column"), expected=f"the signal in column {column}, after a tab")
    try:
        signal = math.nan if "_" in fields[column - 1] else float(fields[column - 1])
    except ValueError:
        signal = math.nan
    if not math.isfinite(signal):
        hint = "cut -f1-3 gives every peak the signal 1" if column == _OPTIONAL else ""
        raise DataError(f"{fields[column - 1]!r:.60} in column {column}", expected="the signal, a number", hint=hint)
    return signal
