"""Where motifs occur in sequences, at an exact p-value.

The score of a site is the sum of its log-odds, in bits, against the background. Log-odds are rounded
to whole thousandths of a bit, so that the distribution of scores can be tabulated exactly (Staden
1989) and the scan adds up the same whole numbers.

Shapes: N sequences of L bp; w bp of a motif; M hits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.motif_files import COMPLEMENT, Motif
from speid_cli.genome.onehot import N_CODE

BITS = 1000  # a score of 1 bit
P_VALUE = 1e-4
PSEUDOCOUNT = 0.1  # for each letter

_WORD = 8

Integers = NDArray[np.int64]


class Hits(NamedTuple):
    """Sites of one motif, in the order of sequence, position and strand (+ first).

    Attributes
    ----------
    sequence, position : int64 (M,)
        The row of the sequence, and the leftmost base of the site on the forward strand.
    strand : int8 (M,)
        1, or -1 where the reverse complement is the site.
    score : int64 (M,)
        In thousandths of a bit.
    """

    sequence: Integers
    position: Integers
    strand: NDArray[np.int8]
    score: Integers


class Scanner:
    """Finds the sites of motifs on both strands.

    Parameters
    ----------
    background : float64 (4,)
        Probability of A, T, C, G, each above 0.
    p_value : float
        A site is a stretch whose score random sequence reaches with at most this probability.
    pseudocount : float
        Added to each letter's count; above 0.

    Attributes
    ----------
    motifs : tuple of Motif
    thresholds : tuple of int
        The lowest score of a site of each motif, in thousandths of a bit.
    unreachable : tuple of Motif
        Motifs that have no sites, because even their highest score is more probable than `p_value`.
    """

    def __init__(
        self,
        motifs: Sequence[Motif],
        background: NDArray[np.float64],
        p_value: float = P_VALUE,
        pseudocount: float = PSEUDOCOUNT,
    ) -> None:
        self.motifs = tuple(motifs)
        self._scores = [log_odds(motif, background, pseudocount) for motif in motifs]
        self.thresholds = tuple(threshold(scores, background, p_value) for scores in self._scores)
        highest = [int(scores.max(axis=1).sum()) for scores in self._scores]
        limits = zip(motifs, self.thresholds, highest, strict=True)
        self.unreachable = tuple(motif for motif, lowest, most in limits if lowest > most)

    def scan(self, codes: NDArray[np.uint8], motifs: Sequence[int] | None = None) -> Iterator[Hits]:
        """The sites of each motif in sequences (N, L), or only of the motifs with these numbers.

        A stretch with an N is no site. Takes some 20 bytes of memory a base.
        """
        longest = max((len(scores) for scores in self._scores), default=0)
        words = _Words(codes, longest + _WORD)
        for number in range(len(self._scores)) if motifs is None else motifs:
            scores, lowest = self._scores[number], self.thresholds[number]
            strands = [words.sites(scores, lowest), words.sites(scores[::-1, COMPLEMENT], lowest)]
            start, score = (np.concatenate(parts) for parts in zip(*strands, strict=True))
            strand = np.repeat(np.array([1, -1], np.int8), [len(found) for found, _ in strands])
            order = np.argsort(start, kind="stable")
            sequence, position = np.divmod(start[order], words.width)
            yield Hits(sequence, position, strand[order], score[order])


def background_of(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of A, T, C, G (4,) among known bases and their complements, each counted once more than it occurs."""
    counts = np.bincount(codes.ravel(), minlength=5)[:4] + 1
    return (counts + counts[COMPLEMENT]) / (2 * counts.sum())


def log_odds(motif: Motif, background: NDArray[np.float64], pseudocount: float = PSEUDOCOUNT) -> Integers:
    """Position weight matrix (w, 4) in thousandths of a bit, columns A, T, C, G."""
    return np.rint(BITS * np.log2(motif.ppm(pseudocount) / background)).astype(np.int64)


def threshold(scores: Integers, background: NDArray[np.float64], p_value: float) -> int:
    """The lowest score of a matrix (w, 4) that a random stretch reaches with a probability of at most `p_value`.

    It is above the highest score of the matrix where no score is so rare.
    """
    lowest = scores.min(axis=1, keepdims=True)
    probability = np.ones(1)  # of each score, from the lowest
    for added in scores - lowest:
        longer = np.zeros(len(probability) + added.max())
        for share, more in zip(background, added, strict=True):
            longer[more : more + len(probability)] += share * probability
        probability = longer
    reached = np.cumsum(probability[::-1])
    return int(lowest.sum()) + int(np.count_nonzero(reached > p_value))


class _Words:
    """Sequences with an index of their words of 8 bases.

    The sequences stand one behind the other, each with an N behind it. As many N as the longest site
    may reach stand at the end, and so before the start too: as indices below 0.
    """

    def __init__(self, codes: NDArray[np.uint8], longest: int) -> None:
        self.width = codes.shape[1] + 1
        self._flat = np.full(len(codes) * self.width + longest, N_CODE, np.uint8)
        self._flat[: len(codes) * self.width].reshape(-1, self.width)[:, :-1] = codes
        places = len(codes) * self.width
        word = np.zeros(places, np.uint16)
        for column in range(_WORD):
            word = (word << 2) | (self._flat[column : column + places] & 3)  # an N as if it were A
        self._by_word = np.argsort(word, kind="stable")
        self._before = np.append(0, np.cumsum(np.bincount(word, minlength=4**_WORD)))

    def sites(self, scores: Integers, lowest: int) -> tuple[Integers, Integers]:
        """Starts (M,) and scores (M,) of the stretches that score at least `lowest` on one strand.

        The 8 columns that tell most decide at which words a site is possible; the others are added only there.
        """
        gain = np.append(0, np.cumsum(scores.max(axis=1) - scores.mean(axis=1)))
        first = int(np.argmax(gain[_WORD:] - gain[:-_WORD])) if len(scores) > _WORD else 0
        others = np.delete(np.arange(len(scores)), slice(first, first + _WORD))
        padded = np.pad(scores, ((0, _WORD), (0, 1)))  # columns behind the end, and N, add 0
        word_scores = np.zeros(1, np.int64)
        for column in padded[first : first + _WORD, :4]:
            word_scores = (word_scores[:, None] + column).ravel()
        possible = np.flatnonzero(word_scores + scores[others].max(axis=1).sum() >= lowest)
        place, count = self._places(possible)
        start, score = place - first, np.repeat(word_scores[possible], count)
        for other in others:
            score += padded[other][self._flat[start + other]]
        found = np.flatnonzero(score >= lowest)
        letters = self._flat[start[found, None] + np.arange(len(scores))]
        found = found[(letters != N_CODE).all(axis=1)]
        return start[found], score[found]

    def _places(self, words: Integers) -> tuple[Integers, Integers]:
        """Where these words begin (M,), and how often each occurs."""
        first, count = self._before[words], self._before[words + 1] - self._before[words]
        skipped = first - np.append(0, np.cumsum(count)[:-1])
        return self._by_word[np.repeat(skipped, count) + np.arange(count.sum())], count
