"""Random sequences with the dinucleotides of a given one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SYMBOLS = 5  # N is a symbol like the bases


def _trees() -> NDArray[np.int64]:
    """For each symbol as the last one (5,), all ways (125,) in which each symbol's last successor leads on to it."""
    successor = np.indices((_SYMBOLS,) * _SYMBOLS).reshape(_SYMBOLS, -1).T
    reached = successor
    for _ in range(3):  # 2, 4 and 8 steps
        reached = np.take_along_axis(reached, reached, axis=1)
    return np.stack([successor[(reached == last).all(axis=1)] for last in range(_SYMBOLS)])


_TREES = _trees()


def dinucleotide_shuffle(codes: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A random sequence for each of codes (N, L), with its first base, its last base and its dinucleotide counts.

    All such sequences are equally likely (Altschul and Erickson 1985). Each is a random order of the
    successors of each base in which the last successors lead to the last base of the sequence. There
    are only 125 ways to choose the last successors, so one is drawn by its probability, without trial
    and error. Takes some 10 kB of memory a sequence and 50 bytes a base.
    """
    (count, length), row = codes.shape, np.arange(len(codes))
    here, following = codes[:, :-1].astype(np.int64), codes[:, 1:].astype(np.int64)
    steps = (row[:, None] * _SYMBOLS + here) * _SYMBOLS + following
    counts = np.bincount(steps.ravel(), minlength=count * _SYMBOLS**2).reshape(count, _SYMBOLS, _SYMBOLS)
    last = _last_successors(counts, codes[:, -1], generator)
    order = generator.random(here.shape)
    rows, columns = np.nonzero(following == np.take_along_axis(last, here, axis=1))
    chosen = np.unique(rows * _SYMBOLS + here[rows, columns], return_index=True)[1]  # one of each base
    order[rows[chosen], columns[chosen]] = 1
    successors = np.take_along_axis(following, np.argsort(2 * here + order, axis=1), axis=1)  # base by base
    used = np.cumsum(counts.sum(axis=2), axis=1) - counts.sum(axis=2)
    shuffled = codes.copy()
    for column in range(length - 1):
        base = shuffled[:, column]
        shuffled[:, column + 1] = successors[row, used[row, base]]
        used[row, base] += 1
    return shuffled


def _last_successors(
    counts: NDArray[np.int64], end: NDArray[np.uint8], generator: np.random.Generator
) -> NDArray[np.int64]:
    """The last successor (N, 5) of each symbol; -1 for the symbol at the end.

    A choice is as probable as its number of ways: the product of the counts (N, 5, 5) of its dinucleotides.
    """
    row, counts = np.arange(len(end)), counts.copy()
    settled = counts.sum(axis=2) == 0  # symbols without a successor are taken to lead to the end
    settled[row, end] = True
    counts[settled] = end[np.nonzero(settled)[0], None] == np.arange(_SYMBOLS)
    choices = _TREES[end]  # (N, 125, 5)
    ways = np.take_along_axis(counts, choices.transpose(0, 2, 1), axis=2).prod(axis=1).cumsum(axis=1)
    drawn = generator.random((len(end), 1)) * ways[:, -1:]
    last = choices[row, (ways <= drawn).sum(axis=1)]
    last[row, end] = -1
    return last
