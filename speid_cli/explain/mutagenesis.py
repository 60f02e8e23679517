"""In-silico mutagenesis: what every substitution in the windows of a pair does to its logit.

A substitution changes one window only, also where the windows of a pair overlap. L is the length of a
window in bp; the four bases of a position are in the order of their codes, A, T, C, G.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.labels import LabelledPair, read_labelled_pairs
from speid_cli.dataset.pairs import SIDES
from speid_cli.errors import DataError, located
from speid_cli.explain.record import Record
from speid_cli.explain.settings import Advance, MutagenesisSettings
from speid_cli.genome.intervals import ElementPair, Interval, window_start
from speid_cli.genome.onehot import N_CODE
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.model.config import SpeidConfig
from speid_cli.scoring.perturbed import PerturbedScorer

Codes = NDArray[np.uint8]

MUTANTS_AT_ONCE = 4096  # their codes are held in memory
SUBSTITUTIONS = 3  # of each base


class Effects(NamedTuple):
    """Effects of the substitutions in a pair.

    Attributes
    ----------
    logit : float
        Of the pair itself.
    changes : float32 (Le, 4), (Lp, 4)
        Change of the logit by each base of the enhancer's and the promoter's window; 0 for the base that is
        there, NaN at positions that were not asked about.
    """

    logit: float
    changes: tuple[NDArray[np.float32], NDArray[np.float32]]

    def as_plain(self) -> list[Any]:
        """Plain values."""
        return [self.logit, *(base64.b64encode(side.astype("<f4").tobytes()).decode() for side in self.changes)]

    @classmethod
    def from_plain(cls, value: Sequence[Any]) -> Effects:
        """What `as_plain` gave."""
        logit, *sides = value
        enhancer, promoter = (np.frombuffer(base64.b64decode(side), "<f4").reshape(-1, 4) for side in sides)
        return cls(logit, (enhancer, promoter))


def substitutions(
    scorer: PerturbedScorer,
    codes: tuple[Codes, Codes],
    positions: tuple[NDArray[np.int64], NDArray[np.int64]],
    advance: Advance = lambda mutants: None,
) -> Effects:
    """Effects of all substitutions at some positions of a pair.

    Parameters
    ----------
    scorer : PerturbedScorer
        Holds this pair afterwards.
    codes : uint8 (Le,), (Lp,)
        Base codes of both windows.
    positions : int64
        Positions in each window; those of N have no substitutions.
    advance : callable
        Told of numbers of mutants as they are done.
    """
    logit = scorer.hold(*(side[None] for side in codes))[0]
    enhancer = _changes(partial(_logits, scorer, advance, "enhancers"), logit, codes[0], positions[0])
    promoter = _changes(partial(_logits, scorer, advance, "promoters"), logit, codes[1], positions[1])
    return Effects(float(logit), (enhancer, promoter))


def _logits(scorer: PerturbedScorer, advance: Advance, side: str, mutants: Codes) -> NDArray[np.float32]:
    logits = scorer.logits(np.zeros(len(mutants), np.int64), **{side: mutants})
    advance(len(mutants))
    return logits


def _changes(
    logits_of: Callable[[Codes], NDArray[np.float32]], logit: np.float32, codes: Codes, positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Changes (L, 4) of one side, by a function that gives the logits (M,) of mutants (M, L)."""
    known = positions[codes[positions] != N_CODE]
    changes = np.full((len(codes), 4), np.nan, np.float32)
    changes[known] = 0
    rows, bases = np.nonzero(np.not_equal(codes[known, None], np.arange(4)))
    for start in range(0, len(rows), MUTANTS_AT_ONCE):
        chunk = slice(start, start + MUTANTS_AT_ONCE)
        place, base = known[rows[chunk]], bases[chunk]
        mutants = np.tile(codes, (len(place), 1))
        mutants[np.arange(len(place)), place] = base
        changes[place, base] = logits_of(mutants) - logit
    return changes


def base_values(changes: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each base that is there contributes (L,): minus the mean change of its three substitutions.

    These are the values of a dynseq track; NaN at positions that were not asked about.
    """
    values: NDArray[np.float32] = -changes.sum(axis=1) / np.float32(SUBSTITUTIONS)
    return values


class Window(NamedTuple):
    """The window of one element of a pair.

    Attributes
    ----------
    side : str
    element : Interval
        As it was given.
    start : int
        Position on the contig of the window's first base; may be negative.
    codes : uint8 (L,)
        Base codes; N beyond the ends of the contig.
    asked : int64
        Positions in the window that are substituted.
    contig_length : int
        In bp.
    """

    side: str
    element: Interval
    start: int
    codes: Codes
    asked: NDArray[np.int64]
    contig_length: int

    @property
    def interval(self) -> Interval:
        """The window on the contig."""
        return Interval(self.element.chrom, self.start, self.start + len(self.codes))


class AskedPair(NamedTuple):
    """A pair of the input with a base to substitute; `line` counts from 1."""

    line: int
    labelled: LabelledPair
    mutants: int


class PairEffects(NamedTuple):
    """A pair with its windows and effects."""

    asked: AskedPair
    windows: tuple[Window, Window]
    effects: Effects


@dataclass(frozen=True)
class PairWindows:
    """Windows of the pairs of a file on the reference.

    Attributes
    ----------
    settings : MutagenesisSettings
        Its region has the reference's name of the contig.
    """

    genome: Reference
    config: SpeidConfig
    settings: MutagenesisSettings

    def of(self, pair: ElementPair) -> tuple[Window, Window]:
        """Windows of a pair, by its own names of contigs.

        Raises
        ------
        DataError
            The reference does not have an element.
        """
        lengths = self.config.enhancer_window, self.config.promoter_window
        enhancer, promoter = map(self._window, SIDES, pair, lengths)
        return enhancer, promoter

    def _window(self, side: str, element: Interval, length: int) -> Window:
        here, start = self.genome.contigs.locate(element), window_start(element.start, element.end, length)
        (codes,) = self.genome.codes([(here.chrom, start)], length)
        asked, position = codes != N_CODE, start + np.arange(length)
        for limit in (self.settings.region, here if self.settings.elements else None):
            if limit is not None:
                inside = (limit.start <= position) & (position < limit.end)
                asked = asked & inside & (limit.chrom == here.chrom)
        return Window(side, element, start, codes, np.flatnonzero(asked), self.genome.contigs.lengths[here.chrom])

    def asked(self, reader: PairReader) -> tuple[list[AskedPair], int]:
        """The pairs of a file with a base to substitute, in order, and how many others it has.

        Raises
        ------
        DataError
            A line is not valid or not on the reference, or no pair has a base to substitute.
        """
        found = []
        for line, labelled in read_labelled_pairs(reader, unlabelled=1):
            with located(reader.path, line):
                mutants = SUBSTITUTIONS * sum(len(window.asked) for window in self.of(labelled.pair))
            found.append(AskedPair(line, labelled, mutants))
        asked = [pair for pair in found if pair.mutants]
        if not asked:
            raise self._nothing(found[0]).at(reader.path)
        return asked, len(found) - len(asked)

    def finish(self, asked: Iterable[AskedPair], scorer: PerturbedScorer, record: Record, advance: Advance) -> None:
        """Add the effects of each pair to the record by the number of its line, unless they are there."""
        for pair in asked:
            if (name := str(pair.line)) not in record.parts:
                enhancer, promoter = self.of(pair.labelled.pair)
                codes, positions = (enhancer.codes, promoter.codes), (enhancer.asked, promoter.asked)
                record.add(name, substitutions(scorer, codes, positions, advance).as_plain())

    def finished(self, asked: Iterable[AskedPair], record: Record) -> Iterator[PairEffects]:
        """The pairs with the effects in a record."""
        for pair in asked:
            effects = Effects.from_plain(record.parts[str(pair.line)])
            yield PairEffects(pair, self.of(pair.labelled.pair), effects)

    def _nothing(self, first: AskedPair) -> DataError:
        part = "elements" if self.settings.elements else "windows"
        region = self.settings.region
        if region is None:
            return DataError(f"the {part} of these pairs hold only N", hint="is this the right genome build?")
        window = self.of(first.labelled.pair)[0].interval
        return DataError(
            f"the {part} of these pairs have no base in {shown(region)}",
            expected=f"a region such as {shown(window)}, the enhancer window of line {first.line}",
        )


def shown(interval: Interval) -> str:
    """CHROM:START-END, counted from 1, both ends included; beginning on the contig."""
    return f"{interval.chrom}:{max(interval.start, 0) + 1}-{interval.end}"
