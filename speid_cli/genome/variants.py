"""VCF: variants, one a line; the first five columns are contig, position (from 1), identifier, REF and ALT.

Read as text, plain or gzip-compressed (bgzip is gzip), so that every message names its line. Each
alternative allele is a variant of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import NamedTuple

from speid_cli.errors import DataError, counted, located
from speid_cli.kinds import VCF, expecting
from speid_cli.text import read_lines

_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT")
_EXPECTED = "a VCF, with #CHROM POS ID REF ALT"
_ALLELE = re.compile(r"[ACGTN]+")
# Alternatives without a sequence of their own, by what is in them.
_SKIPPED = (
    (re.compile(r"\."), "no alternative allele"),
    (re.compile(r"\*"), "overlapping deletion (*)"),
    (re.compile(r"<.*>"), "symbolic allele"),
    (re.compile(r".*[\[\]].*|\..+|.+\."), "breakend"),
)
_LAST_POSITION = 10**12


class Variant(NamedTuple):
    """One alternative allele, in the letters of the file in upper case; `start` is 0-based, `line` counts from 1."""

    chrom: str
    start: int
    identifier: str
    reference: str
    alternative: str
    line: int

    @property
    def change(self) -> tuple[int, int, str]:
        """Start and end of what is replaced, and what replaces it, without bases that both alleles share.

        The shared end goes first, so that an indel in a repeat is at its left end, as VCF places it.
        """
        last = len(commonprefix([self.reference[::-1], self.alternative[::-1]]))
        reference, alternative = (text[: len(text) - last] for text in (self.reference, self.alternative))
        first = len(commonprefix([reference, alternative]))
        return self.start + first, self.start + len(reference), alternative[first:]

    @property
    def shift(self) -> int:
        """By how many bp it moves what follows to the right; negative: to the left."""
        return len(self.alternative) - len(self.reference)


@dataclass
class Skipped:
    """Counts of alternatives that are not asked about, by reason, and the first line of each."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, line: int) -> None:
        """Count one."""
        self.counts[reason] += 1
        self.first.setdefault(reason, line)

    def describe(self) -> Iterator[str]:
        """One sentence a reason."""
        for reason, count in self.counts.items():
            yield f"{counted(count, 'allele')} skipped: {reason}; the first in line {self.first[reason]:,}"


def read_variants(path: str, skipped: Skipped) -> Iterator[Variant]:
    """The alleles of a file with a sequence, in its order; others are counted in `skipped`.

    Raises
    ------
    DataError
        A line is not valid, or there is no line of column names.
    """
    named = False
    with expecting(VCF):
        for number, text in read_lines(path):
            with located(path, number):
                if text.startswith("#"):
                    named = named or _is_header(text)
                elif text:
                    if not named:
                        raise DataError(f"{text[:60]!r} before the line of column names", expected=_EXPECTED)
                    yield from _alleles(text, number, skipped)
        if not named:
            raise DataError("no line of column names", expected=_EXPECTED, path=path)


def _is_header(text: str) -> bool:
    fields = tuple(text.split("\t")[: len(_COLUMNS)])
    if text.startswith("#CHROM") and fields != _COLUMNS:
        raise DataError(f"columns {' '.join(fields)[:60]!r}", expected=" ".join(_COLUMNS) + ", separated by tabs")
    return fields == _COLUMNS


def _alleles(text: str, number: int, skipped: Skipped) -> Iterator[Variant]:
    fields = text.split("\t", len(_COLUMNS))  # genotypes stay together
    if len(fields) < len(_COLUMNS):
        raise DataError(f"{counted(len(fields), 'column')}", expected="at least 5, separated by tabs")
    chrom, position, identifier, reference, alternatives = fields[:5]
    if not (position.isascii() and position.isdecimal() and int(position[:13]) <= _LAST_POSITION):
        raise DataError(f"position {position[:40]!r}", expected="a whole number")
    if not chrom or not reference:
        raise DataError("an empty contig name or REF", expected="a VCF")
    for alternative in alternatives.split(","):
        reason = _why_skipped(reference.upper(), alternative.upper()) or "position 0, a telomere" * (int(position) == 0)
        if reason:
            skipped.add(reason, number)
        else:
            yield Variant(chrom, int(position) - 1, identifier, reference.upper(), alternative.upper(), number)


def _why_skipped(reference: str, alternative: str) -> str:
    """Why an alternative has no sequence to ask about; empty if it has."""
    for pattern, reason in _SKIPPED:
        if pattern.fullmatch(alternative):
            return reason
    if not (_ALLELE.fullmatch(reference) and _ALLELE.fullmatch(alternative)):
        return "letters other than A, C, G, T and N"
    return "the same as REF" if reference == alternative else ""
