"""The usual lines of BEDPE, parsed many at a time by operations on arrays of bytes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.distinct import Numbers, distinct
from speid_cli.text import LONGEST_LINE_BYTES

_TAB, _LINE_END, _ZERO = b"\t\n0"
_NAMES, _POSITIONS = (0, 3), [1, 2, 4, 5]  # columns
_MOST_DIGITS = 15
_LONGEST_NAME = 64
_COMMENTS = ("#", "track ", "browser ")  # and names that are equal to the words

Bytes = NDArray[np.uint8]


class PairColumns(NamedTuple):
    """N pairs.

    Attributes
    ----------
    names : list of str
        Names of contigs.
    sides : tuple of int64 (N, 3)
        Of columns 1-3 and of columns 4-6: number in `names`, start, end.
    """

    names: list[str]
    sides: tuple[Numbers, Numbers]


def parse_columns(text: bytes) -> PairColumns | None:
    """The pairs of whole lines; None where any line is not a valid pair, or not written in the usual way.

    Usual are ASCII, line endings of LF, and positions of digits only. Whatever is returned is what
    `parse_pair` finds line by line.
    """
    if not text.isascii() or b"\r" in text or b"\0" in text:
        return None
    letters = np.frombuffer(text if text.endswith(b"\n") else text + b"\n", np.uint8)
    separators = np.flatnonzero((letters == _TAB) | (letters == _LINE_END))
    ends = np.flatnonzero(letters[separators] == _LINE_END)
    firsts = np.append(0, ends[:-1] + 1)  # of the separators of each line
    if (ends - firsts).min() < 5 or np.diff(separators[ends], prepend=-1).max() > LONGEST_LINE_BYTES:
        return None
    stop = separators[firsts[:, None] + np.arange(6)]
    start = np.column_stack([np.append(0, separators[ends[:-1]] + 1), stop[:, :5] + 1])
    positions = _integers(letters, start[:, _POSITIONS], stop[:, _POSITIONS])
    if positions is None or (positions[:, ::2] >= positions[:, 1::2]).any():
        return None
    begin, width = (side[:, _NAMES].T.ravel() for side in (start, stop - start))
    if width.max() > _LONGEST_NAME:
        return None
    first, number = distinct(_words(letters, begin, width))
    names = [text[at : at + size].decode() for at, size in zip(begin[first], width[first], strict=True)]
    if any(name.startswith(_COMMENTS) or name in ("track", "browser") for name in names):
        return None
    count = len(ends)
    return PairColumns(
        names,
        (
            np.column_stack([number[:count], positions[:, :2]]),
            np.column_stack([number[count:], positions[:, 2:]]),
        ),
    )


def _integers(letters: Bytes, start: Numbers, stop: Numbers) -> Numbers | None:
    """The integers in these fields; None if any has something else than digits, or none, or too many."""
    width = stop - start
    if width.min() < 1 or width.max() > _MOST_DIGITS:
        return None
    value = np.zeros_like(start)
    for place in range(int(width.max())):
        inside = place < width
        digit = letters[np.where(inside, start + place, start)] - np.uint8(_ZERO)
        if (digit > 9).any():
            return None
        value = np.where(inside, value * 10 + digit, value)
    return value


def _words(letters: Bytes, begin: Numbers, width: Numbers) -> Numbers:
    """Fields of bytes (N,) as rows of integers that are equal where the fields are."""
    columns = []
    for place in range(0, int(width.max()), 7):
        word = np.zeros_like(begin)
        for offset in range(place, place + 7):
            inside = offset < width
            word = word * 256 + np.where(inside, letters[np.where(inside, begin + offset, begin)], 0)
        columns.append(word)
    return np.column_stack([width, *columns])
