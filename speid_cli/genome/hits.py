"""Hits: scored pairs with a probability, the strongest of them, or the strongest of each element."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from speid_cli.errors import DataError, located
from speid_cli.genome.bed import place_of
from speid_cli.genome.bedpe import MISSING, SCORE_COLUMN
from speid_cli.genome.candidates import NAME_SEPARATOR
from speid_cli.genome.contigs import ReferenceContigs, canonical
from speid_cli.genome.intervals import ElementPair, Interval, distance_bp
from speid_cli.genome.pair_reader import PairReader

_NAME, _STRANDS = 6, (8, 9)


class Hit(NamedTuple):
    """A pair with its probability.

    Attributes
    ----------
    names, strands : tuple of str
        Of the enhancer and the promoter; ``chrom:start-end`` where there is no name, ``.`` where no strand.
    text, line : str, int
        The line that it comes from, and its number.
    """

    probability: float
    pair: ElementPair
    names: tuple[str, str]
    strands: tuple[str, str]
    text: str
    line: int

    @property
    def distance(self) -> int | None:
        """Distance between the nearest edges in bp; None between chromosomes."""
        enhancer, promoter = self.pair
        return int(distance_bp(*enhancer[1:], *promoter[1:])) if enhancer.chrom == promoter.chrom else None

    def on(self, contigs: ReferenceContigs) -> Hit:
        """The hit with a reference's contig names.

        Raises
        ------
        DataError
            The reference does not have an element.
        """
        return self._replace(pair=ElementPair(*map(contigs.locate, self.pair)))


@dataclass
class HitReader:
    """The hits of a scored BEDPE, in order.

    Attributes
    ----------
    appended : bool
        The probability is in the last column, as ``predict --append`` writes it, not in column 8.
    least : float
        Pairs with a lower probability are left out.
    read, without : int
        Pairs so far, and those without a probability.
    """

    path: str
    promoter_first: bool = False
    appended: bool = False
    least: float = 0.0
    read: int = 0
    without: int = 0

    def __post_init__(self) -> None:
        self.reader = PairReader(self.path, self.promoter_first)

    def __iter__(self) -> Iterator[Hit]:
        for line in self.reader.lines():
            if line.role != "pair":
                continue
            if not self.read:
                self._check_header()
            fields = line.fields
            self.read += 1
            with located(self.path, line.number):
                probability = self._probability(fields)
            if probability is None:  # also of a line that is no pair, which `predict --on-invalid na` marks
                self.without += 1
            elif probability >= self.least:
                pair = _of_one_spelling(self.reader.pair(line))
                yield Hit(probability, pair, self._names(fields, pair), self._strands(fields), line.text, line.number)

    def _check_header(self) -> None:
        """Refuse a last column that is headed as something else."""
        header = self.reader.header
        if self.appended and header is not None and header.fields[-1] != "probability":
            raise DataError(
                f"the last column is headed {header.fields[-1]!r:.60}",
                expected="probability, as predict --append writes it", path=self.path, line=header.number,
            )  # fmt: skip

    def _probability(self, fields: list[str]) -> float | None:
        column = len(fields) - 1 if self.appended else SCORE_COLUMN
        text = fields[column] if len(fields) > column and column >= 6 else None
        if text is None:
            raise DataError(
                f"there is no column {max(column, SCORE_COLUMN) + 1}",
                expected="a probability, as speid predict writes it",
            )
        if text == MISSING:
            return None
        try:
            value = -1.0 if "_" in text else float(text) + 0.0  # of -0, 0
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            where = "the last column" if self.appended else f"column {SCORE_COLUMN + 1}"
            hint = "" if self.appended else "--append, if it is in the last column"
            raise DataError(f"{text!r:.60} in {where}", expected="a probability from 0 to 1", hint=hint)
        return value

    def _names(self, fields: list[str], pair: ElementPair) -> tuple[str, str]:
        """The names of both elements, where they are joined as `candidates` joins them."""
        name = fields[_NAME] if len(fields) > _NAME else ""
        names = [part.replace("%7E", NAME_SEPARATOR) for part in name.split(NAME_SEPARATOR)]
        if len(names) == 2 and all(names):
            return self._in_order(names[0], names[1])
        return place_of(pair.enhancer), place_of(pair.promoter)

    def _strands(self, fields: list[str]) -> tuple[str, str]:
        strands = (fields[column] if len(fields) > column else MISSING for column in _STRANDS)
        return self._in_order(*(strand if strand in ("+", "-") else MISSING for strand in strands))

    def _in_order(self, first: str, second: str) -> tuple[str, str]:
        return (second, first) if self.promoter_first else (first, second)


def _of_one_spelling(pair: ElementPair) -> ElementPair:
    """The pair with the enhancer's name of the contig for both, if both names are of one contig."""
    enhancer, promoter = pair
    is_one = canonical(enhancer.chrom) == canonical(promoter.chrom)
    return pair._replace(promoter=promoter._replace(chrom=enhancer.chrom)) if is_one else pair


def strongest(hits: Iterable[Hit], count: int, of_each: Literal["enhancer", "promoter"] | None = None) -> list[Hit]:
    """The `count` strongest hits, the strongest first; or those of each enhancer or promoter, along the genome.

    Of equal ones, those that come first.
    """
    groups: defaultdict[Interval | None, list[tuple[float, int, Hit]]] = defaultdict(list)
    for order, hit in enumerate(hits):
        group = groups[None if of_each is None else getattr(hit.pair, of_each)]
        entry = hit.probability, -order, hit
        if len(group) < count:
            heapq.heappush(group, entry)
        else:
            heapq.heappushpop(group, entry)
    return [hit for key in sorted(groups) for *_, hit in sorted(groups[key], reverse=True)]  # type: ignore[type-var]
