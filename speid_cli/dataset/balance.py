"""Negatives in which every element appears equally often for each of its positives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.intervals import ElementPair, Interval, bounds_of, distance_bp
from speid_cli.genome.neighbours import Neighbours

_SWAPS_A_PAIR = 40
# A pair exchanges partners with one of the 50 pairs before or after it, in the order of the enhancers: those
# farther away are mostly out of reach.
_BESIDE = 50
Keys = NDArray[np.int64]


def balanced_pairs(
    positives: Sequence[ElementPair],
    enhancers: Sequence[Interval],
    promoters: Sequence[Interval],
    interacting: Keys,
    edges: NDArray[np.int64],
    asked: NDArray[np.int64],
    ratio: int,
    generator: np.random.Generator,
) -> Keys:
    """Keys (enhancer * P + promoter) of negatives among the positives' own elements.

    A maximum flow finds as many as possible that use no element more than `ratio` times as often as
    the positives do. Then pairs exchange partners, so that the distances come nearer to those asked
    for while each element appears as often as before.

    Parameters
    ----------
    edges : int64 (bins + 1,)
        Edges of the bins of distances in bp.
    asked : int64 (bins,)
        Negatives wanted in each.
    """
    nearest, farthest = int(edges[0]), int(edges[-1])
    first, second = Neighbours(enhancers, promoters, farthest).within(nearest, farthest).pairs()
    keys = np.setdiff1d(first * len(promoters) + second, interacting)
    if not len(keys):
        return keys
    limits = [
        np.array([ratio * uses[place] for place in places])
        for places, uses in zip((enhancers, promoters), map(Counter, zip(*positives, strict=True)), strict=True)
    ]
    chosen = _flow(keys, limits[0], limits[1], generator)
    first, second = np.divmod(keys, len(promoters))
    distance = distance_bp(*bounds_of(enhancers)[first].T, *bounds_of(promoters)[second].T)
    bins = np.searchsorted(edges, distance, "right") - 1
    return _exchanged(chosen, dict(zip(keys.tolist(), bins.tolist(), strict=True)), asked, len(promoters), generator)


def _flow(keys: Keys, first: Keys, second: Keys, generator: np.random.Generator) -> Keys:
    """As many keys as possible that use no element more often than `first` (E,) and `second` (P,) allow.

    Elements are shuffled, since a flow algorithm prefers those that come first.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    n, m = len(first), len(second)
    place = np.concatenate([generator.permutation(n), n + generator.permutation(m)])  # of each element among the nodes
    source, sink = n + m, n + m + 1
    rows = np.concatenate([np.full(n, source), place[keys // m], place[n:]])
    columns = np.concatenate([place[:n], place[n + keys % m], np.full(m, sink)])
    limits = np.concatenate([first, np.ones(len(keys), np.int64), second]).astype(np.int32)
    flow = maximum_flow(csr_matrix((limits, (rows, columns)), (n + m + 2, n + m + 2)), source, sink).flow
    used = np.asarray(flow[place[keys // m], place[n + keys % m]]).ravel() > 0
    return keys[used]


def _exchanged(
    chosen: Keys, bin_of: dict[int, int], asked: NDArray[np.int64], width: int, generator: np.random.Generator
) -> Keys:
    """As many pairs, with each element as often as before, in bins nearer to those asked for.

    Two random pairs near each other exchange promoters if both new pairs are candidates and not yet
    chosen, and if the bins then hold no more pairs too many or too few.
    """
    pairs = chosen.tolist()  # in the order of the enhancers, which exchanges keep
    if len(pairs) < 2:
        return chosen
    present = set(pairs)

    def per_bin(keys: Iterable[int]) -> NDArray[np.int64]:
        return np.bincount([bin_of[key] for key in keys], minlength=len(asked))

    excess = per_bin(pairs) - asked * len(pairs) / max(asked.sum(), 1)
    first = generator.integers(0, len(pairs), _SWAPS_A_PAIR * len(pairs))
    second = (first + generator.integers(-_BESIDE, _BESIDE + 1, len(first))).clip(0, len(pairs) - 1)
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        old = pairs[i], pairs[j]
        new = old[0] - old[0] % width + old[1] % width, old[1] - old[1] % width + old[0] % width
        if new[0] not in bin_of or new[1] not in bin_of or new[0] in present or new[1] in present:
            continue
        moved = per_bin(new) - per_bin(old)
        if np.abs(excess + moved).sum() > np.abs(excess).sum():
            continue
        excess += moved
        present.difference_update(old)
        present.update(new)
        pairs[i], pairs[j] = new
    return np.array(pairs, np.int64)
