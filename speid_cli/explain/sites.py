"""Stretches of elements around the sites of a motif, the controls of these stretches, and their replacement.

Sites are taken out of an element by shuffling the 40 bp around each, dinucleotides kept. A control tells
what such a shuffle does by itself: it is a stretch of the same length in the same element, alike in GC
content and in distance to the centre, without a site.

Shapes: E elements of L bp; S stretches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speid_cli.explain.scan import Hits, Integers, Scanner
from speid_cli.explain.shuffle import dinucleotide_shuffle
from speid_cli.genome.onehot import ALPHABET, N_CODE

STRETCH_BP = 40
DISTANCE_BIN_BP = 250
# Shuffles of one stretch before it is left as it is.
TRIES = 50

# A control and its stretch differ by at most one G or C in so many bases.
_BASES_A_DIFFERENCE = 10
# Bases in memory at a time while controls are drawn.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Stretches:
    """Parts of elements.

    Attributes
    ----------
    element, start, length : int64 (S,)
        Row of the element, first base in its window, length in bp.
    """

    element: Integers
    start: Integers
    length: Integers

    def __len__(self) -> int:
        return len(self.element)

    def take(self, which: Integers | NDArray[np.bool_]) -> Stretches:
        """Some of them."""
        return Stretches(self.element[which], self.start[which], self.length[which])

    def bases(self) -> tuple[Integers, Integers]:
        """Element and position of every base in them."""
        first = self.start - (np.cumsum(self.length) - self.length)
        return np.repeat(self.element, self.length), np.repeat(first, self.length) + np.arange(self.length.sum())

    def sums(self, values: NDArray[np.generic]) -> Integers:
        """Sum (S,) of values (E, L) over the bases of each."""
        total = np.append(0, np.cumsum(values[self.bases()], dtype=np.int64))
        last = np.cumsum(self.length)
        return total[last] - total[last - self.length]


def stretches_around(hits: Hits, motif_length: int, window: int) -> tuple[Stretches, Integers]:
    """Stretches around all sites in windows of `window` bp, and how many sites each holds (S,).

    A stretch has 40 bp, or the motif's length where that is more, and the site in its middle, unless
    the window ends before. Stretches that overlap are joined into a longer one, so that every site is
    in exactly one. Sites at one place on both strands count once. Sorted by element and start.
    """
    length = min(max(STRETCH_BP, motif_length), window)
    start = (hits.position - (length - motif_length) // 2).clip(0, window - length)
    first, site = np.ones((2, len(start)), np.bool_)
    first[1:] = (np.diff(hits.sequence) > 0) | (np.diff(start) >= length)
    site[1:] = (np.diff(hits.sequence) > 0) | (np.diff(hits.position) > 0)
    last = np.append(first[1:], True)[: len(start)]
    stretches = Stretches(hits.sequence[first], start[first], start[last] + length - start[first])
    return stretches, np.bincount((np.cumsum(first) - 1)[site])


def distance_bin(start: Integers, length: Integers, window: int) -> Integers:
    """Distance from the centre of each stretch to that of its window, in whole bins of 250 bp."""
    return np.abs(2 * start + length - window) // (2 * DISTANCE_BIN_BP)


def matched_controls(
    codes: NDArray[np.uint8], stretches: Stretches, others: NDArray[np.integer], generator: np.random.Generator
) -> Integers:
    """Start (S,) of a control of each stretch in elements (E, L); -1 where there is none.

    A control has the length of its stretch and, within 10 percentage points, its GC content. It has
    no N, and overlaps no stretch and no other control. It is drawn uniformly from all such places
    that are most like the stretch: first in the number of other motifs' sites, then in `distance_bin`.

    Parameters
    ----------
    stretches : Stretches
        All stretches with a site of the motif (`stretches_around`), so that no control has one.
    others : int (E, L)
        Number of other motifs' sites that have their centre at each base.
    """
    taken = codes == N_CODE
    taken[stretches.bases()] = True
    strong = (codes == ALPHABET.index("C")) | (codes == ALPHABET.index("G"))
    starts = np.full(len(stretches), -1, np.int64)
    rank = np.arange(len(stretches)) - np.searchsorted(stretches.element, stretches.element)
    for turn in range(rank.max(initial=-1) + 1):  # one stretch of each element at a time
        turns = np.flatnonzero(rank == turn)
        for now in np.array_split(turns, 1 + len(turns) * codes.shape[1] // _CHUNK):
            these = stretches.take(now)
            row = these.element
            starts[now] = _drawn(taken[row], strong[row], others[row], these, generator)
            found = starts[now] >= 0
            taken[Stretches(these.element, starts[now], these.length).take(found).bases()] = True
    return starts


def _drawn(
    taken: NDArray[np.bool_],
    strong: NDArray[np.bool_],
    others: NDArray[np.integer],
    stretches: Stretches,
    generator: np.random.Generator,
) -> Integers:
    """Start (S,) of a control of each stretch, from rows (S, L): bases that are taken, G or C, and other sites."""
    window, length, own = taken.shape[1], stretches.length[:, None], stretches.start[:, None]
    start = np.arange(window)
    end = np.minimum(start + length, window)

    def inside(bases: NDArray[np.generic]) -> Integers:
        """Their sum over the stretch that begins at each base (S, L)."""
        before = np.pad(np.cumsum(bases, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
        return np.take_along_axis(before, end, axis=1) - before[:, :-1]

    def steps_away(feature: Integers) -> Integers:
        """How far each stretch is from the given one."""
        return np.abs(feature - np.take_along_axis(feature, own, axis=1))

    alike = steps_away(inside(strong)) * _BASES_A_DIFFERENCE <= length
    allowed = (inside(taken) == 0) & alike & (start + length <= window)
    away = steps_away(inside(others)) * window + steps_away(distance_bin(start, length, window))
    order = np.where(allowed, away + generator.random(allowed.shape), np.inf)
    return np.where(allowed.any(axis=1), order.argmin(axis=1), -1)


def replaced(
    codes: NDArray[np.uint8], stretches: Stretches, scanner: Scanner, motif: int, generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Elements (E, L) with stretches shuffled so that no site of a motif overlaps them, and which are (S,).

    A stretch is replaced by a dinucleotide shuffle of itself, drawn again while a site of the motif
    overlaps it. One that still has a site after 50 shuffles stays as it is.

    Parameters
    ----------
    stretches : Stretches
        None overlaps another.
    motif : int
        Its number in the scanner.
    """
    result, done = codes.copy(), np.ones(len(stretches), np.bool_)
    left = np.arange(len(stretches))
    for _ in range(TRIES):
        _shuffle(codes, stretches.take(left), result, generator)
        left = left[_has_site(result, stretches.take(left), scanner, motif)]
        if not len(left):
            break
    while len(left):  # to leave one as it is may give its neighbour a site
        done[left] = False
        bases = stretches.take(left).bases()
        result[bases] = codes[bases]
        left = np.flatnonzero(done)
        left = left[_has_site(result, stretches.take(left), scanner, motif)]
    return result, done


def _shuffle(
    codes: NDArray[np.uint8], stretches: Stretches, result: NDArray[np.uint8], generator: np.random.Generator
) -> None:
    """Write a shuffle of each stretch into `result`; those of one length go together."""
    for length in np.unique(stretches.length):
        these = stretches.take(stretches.length == length)
        place = these.element[:, None], these.start[:, None] + np.arange(length)
        result[place] = dinucleotide_shuffle(codes[place], generator)


def _has_site(codes: NDArray[np.uint8], stretches: Stretches, scanner: Scanner, motif: int) -> NDArray[np.bool_]:
    """Whether a site of the motif overlaps each stretch (S,)."""
    flank = scanner.motifs[motif].length - 1
    longest = int(stretches.length.max(initial=0))
    padded = np.pad(codes, ((0, 0), (flank, flank + longest)), constant_values=N_CODE)
    columns = stretches.start[:, None] + np.arange(flank + longest + flank)
    (hits,) = scanner.scan(padded[stretches.element[:, None], columns], [motif])
    overlaps = hits.position < flank + stretches.length[hits.sequence]
    found = np.zeros(len(stretches), np.bool_)
    found[hits.sequence[overlaps]] = True
    return found
