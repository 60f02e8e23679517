"""The sites of all motifs in the elements of one side. E elements of L bp."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import counted
from speid_cli.explain.pairs import Elements, PairScorer, Rows
from speid_cli.explain.scan import Hits, Scanner, background_of
from speid_cli.explain.settings import KnockoutSettings
from speid_cli.explain.sites import Stretches, stretches_around
from speid_cli.explain.statistics import smallest_p
from speid_cli.explain.subject import Subject
from speid_cli.genome.motif_files import Motif


@dataclass(frozen=True)
class Occurrences:
    """The sites of all motifs in the elements of one side.

    Attributes
    ----------
    side : int
        0 enhancer, 1 promoter.
    hits : list of Hits
        Of each motif.
    centres : uint16 (E, L)
        Number of sites, of any motif, that have their centre at each base.
    """

    side: int
    elements: Elements
    scanner: Scanner
    hits: list[Hits]
    centres: NDArray[np.uint16]

    @classmethod
    def find(cls, side: int, elements: Elements, motifs: Sequence[Motif], p_value: float) -> Occurrences:
        """Scan the elements against their own base composition."""
        scanner = Scanner(motifs, background_of(elements.codes), p_value)
        hits, centres = list(scanner.scan(elements.codes)), np.zeros(elements.codes.shape, np.uint16)
        for motif, found in zip(motifs, hits, strict=True):
            np.add.at(centres, (found.sequence, found.position + motif.length // 2), 1)
        return cls(side, elements, scanner, hits, centres)

    def bases(self, motif: int) -> tuple[Rows, Rows]:
        """Element (M, w) and position (M, w) of the bases of each site of a motif."""
        hits, columns = self.hits[motif], np.arange(self.scanner.motifs[motif].length)
        position = hits.position[:, None] + columns
        return np.broadcast_to(hits.sequence[:, None], position.shape), position

    def other_sites(self, motif: int) -> NDArray[np.uint16]:
        """`centres` without those inside a site of this motif: itself, and motifs that are found at the same places."""
        others = self.centres.copy()
        others[self.bases(motif)] = 0
        return others

    def stretches(self, motif: int) -> tuple[Stretches, Rows]:
        """Stretches around all sites of a motif, and how many sites each holds."""
        return stretches_around(self.hits[motif], self.scanner.motifs[motif].length, self.elements.codes.shape[1])

    def has_site(self, motif: int) -> NDArray[np.bool_]:
        """Whether the element of each pair (M,) has a site of a motif."""
        found = np.zeros(len(self.elements.codes), np.bool_)
        found[self.hits[motif].sequence] = True
        return found[self.elements.of_pair]


@dataclass(frozen=True)
class MotifsInPairs:
    """The sites of motifs in the pairs that a model is asked about, and how they are replaced.

    Attributes
    ----------
    sides : tuple of Occurrences
        In enhancers and in promoters.
    draws : int
        Random replacements of each site, and of its control.
    """

    subject: Subject
    scorer: PairScorer
    sides: tuple[Occurrences, Occurrences]
    draws: int

    @classmethod
    def find(
        cls, subject: Subject, scorer: PairScorer, motifs: Sequence[Motif], replacement: KnockoutSettings
    ) -> MotifsInPairs:
        """Find the sites of motifs, of which there is at least one, in all elements of the pairs."""
        enhancers, promoters = (
            Occurrences.find(side, elements, motifs, replacement.p_value) for side, elements in enumerate(scorer.sides)
        )
        return cls(subject, scorer, (enhancers, promoters), replacement.draws)

    @property
    def motifs(self) -> list[Motif]:
        """The motifs, in the order of `Occurrences.hits`."""
        return list(self.sides[0].scanner.motifs)

    def shortcomings(self) -> Iterator[str]:
        """Sentences on motifs that cannot have sites, and on too few resampling units."""
        if short := self.sides[0].scanner.unreachable:
            names = ", ".join(motif.name for motif in short[:3]) + (", ..." if len(short) > 3 else "")
            yield f"{counted(len(short), 'motif')} ({names}) too short or too vague to have a site at this --p-value"
        lowest = smallest_p(self.subject.units)
        if lowest > 0.001:
            few = f"{self.subject.clusters.unit}, and the pairs have {self.subject.units:,} of these only"
            yield f"p-values cannot be below {lowest:.2g}: they are by {few}"
