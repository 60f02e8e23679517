"""Elements without the sites of a motif, and without as much other sequence.

U elements with a site, of L bp; D draws; S stretches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speid_cli.explain.occurrences import Occurrences
from speid_cli.explain.pairs import Codes, Rows
from speid_cli.explain.sites import Stretches, matched_controls, replaced

SITES, CONTROLS = range(2)


@dataclass(frozen=True)
class Removed:
    """Elements of one side without the sites of a motif, and without controls of these.

    Attributes
    ----------
    element : int64 (U,)
        Elements in which every site could be replaced and has a control.
    places : tuple of tuple of Stretches (2, D)
        The stretches around the sites, and the controls, in each draw; elements are numbered 0 to U - 1.
    bases : tuple of tuple of uint8 (2, D)
        What they are replaced by, one after the other.
    sites : int64 (S,)
        Sites in each stretch.
    left_out : int
        Other elements with sites: a site has no control, could not be replaced, or is beside one of another motif.
    """

    element: Rows
    places: tuple[list[Stretches], list[Stretches]]
    bases: tuple[list[Codes], list[Codes]]
    sites: Rows
    left_out: int

    @property
    def stretches(self) -> Stretches:
        """The stretches around the sites."""
        return self.places[SITES][0]

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.bases[SITES])

    def all_at_once(self, wild: Codes) -> Codes:
        """Base codes (2, D, U, L) of elements (U, L) with all stretches replaced, and with all controls."""
        codes = np.broadcast_to(wild, (2, self.draws, *wild.shape)).copy()
        for kind, draw in np.ndindex(2, self.draws):
            codes[kind, draw][self.places[kind][draw].bases()] = self.bases[kind][draw]
        return codes

    def one_at_a_time(self, wild: Codes, which: Rows) -> Codes:
        """Elements (U, L) with only one of the stretches `which` (W,), or its control, replaced: (2, D, W, L)."""
        mine = wild[self.stretches.element[which]]
        codes = np.broadcast_to(mine, (2, self.draws, *mine.shape)).copy()
        row = np.full(len(self.stretches), -1)
        row[which] = np.arange(len(which))
        for kind, draw in np.ndindex(2, self.draws):
            places = self.places[kind][draw]
            _, place = places.bases()
            target = np.repeat(row, places.length)
            chosen = target >= 0
            codes[kind, draw][target[chosen], place[chosen]] = self.bases[kind][draw][chosen]
        return codes


def remove(occurrences: Occurrences, motif: int, draws: int, generator: np.random.Generator) -> Removed:
    """Replace all sites of a motif in the elements of a side, and controls of them, several times.

    Where at least half of the elements have no site of another motif beside those of this one, only these
    elements are used, so that what is found is not about the others.
    """
    scanner, (around, sites) = occurrences.scanner, occurrences.stretches(motif)
    others = occurrences.other_sites(motif)
    crowded = np.unique(around.element[around.sums(others) > 0])
    total = len(np.unique(around.element))
    if 2 * len(crowded) <= total:
        alone = ~np.isin(around.element, crowded)
        around, sites = around.take(alone), sites[alone]
    element, row = np.unique(around.element, return_inverse=True)
    wild, stretches = occurrences.elements.codes[element], Stretches(row, around.start, around.length)
    others = others[element]
    places: tuple[list[Stretches], list[Stretches]] = ([], [])
    shuffled: tuple[list[Codes], list[Codes]] = ([], [])
    whole = np.ones(len(stretches), bool)
    for _ in range(draws):
        start = matched_controls(wild, stretches, others, generator)
        whole &= start >= 0
        for kind, chosen in ((SITES, stretches), (CONTROLS, Stretches(row, start.clip(0), stretches.length))):
            found, done = replaced(wild, chosen, scanner, motif, generator)
            whole &= done
            places[kind].append(chosen)
            shuffled[kind].append(found)
    kept = np.bincount(row, ~whole, minlength=len(element)) == 0
    some, number = np.flatnonzero(kept[row]), np.cumsum(kept) - 1

    def left(stretches: Stretches) -> Stretches:
        """Those of the elements that are kept, renumbered."""
        return Stretches(number[row[some]], stretches.start[some], stretches.length[some])

    bases = tuple(
        [found[chosen.take(some).bases()] for chosen, found in zip(*kind, strict=True)]
        for kind in zip(places, shuffled, strict=True)
    )
    return Removed(
        element[kept], ([*map(left, places[SITES])], [*map(left, places[CONTROLS])]), (bases[0], bases[1]), sites[some],
        total - int(kept.sum()),
    )  # fmt: skip
