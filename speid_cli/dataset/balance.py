"""Negatives in which each element appears as often, against its positives, as every other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.intervals import ElementPair, Interval, distance_bp
from speid_cli.genome.neighbours import Neighbours

_SWAPS_A_PAIR = 40
# Partners are exchanged with one of so many pairs beside, in the order of the enhancers: farther ones are mostly
# out of reach of each other.
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

    As many as a maximum flow finds, none using an element more than `ratio` times as often as the
    positives do; then exchanges of partners, which keep how often each element appears, bring the
    distances nearer to those asked for.

    Parameters
    ----------
    edges : int64 (bins + 1,)
        Edges of the bins of distances in bp.
    asked : int64 (bins,)
        Negatives wanted in each.
    """
    ranges = Neighbours(enhancers, promoters, int(edges[-1])).within(int(edges[0]), int(edges[-1]))
    first, second = ranges.pairs()
    keys = np.setdiff1d(first * len(promoters) + second, interacting)
    if not len(keys):
        return keys
    capacity = [Counter(pair[side] for pair in positives) for side in (0, 1)]
    limits = [
        np.array([ratio * capacity[side][place] for place in places])
        for side, places in enumerate((enhancers, promoters))
    ]
    chosen = _flow(keys, limits[0], limits[1], generator)
    distance = distance_bp(
        *(np.array([places[i] for i in index])[:, column].astype(np.int64)
          for places, index in ((enhancers, keys // len(promoters)), (promoters, keys % len(promoters)))
          for column in (1, 2))
    )  # fmt: skip
    bins = np.searchsorted(edges, distance, "right") - 1
    return _exchanged(chosen, dict(zip(keys.tolist(), bins.tolist(), strict=True)), asked, len(promoters), generator)


def _flow(keys: Keys, first: Keys, second: Keys, generator: np.random.Generator) -> Keys:
    """As many keys as can be, none of the elements used more often than `first` (E,) and `second` (P,) say.

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
    """The same number of pairs, each element as often, their bins nearer to what is asked.

    Two random pairs near each other exchange promoters where both new pairs are candidates, not
    yet chosen, and the bins come no farther from their share of the pairs.
    """
    pairs = chosen.tolist()  # in the order of the enhancers, which exchanges keep
    if len(pairs) < 2:
        return chosen
    present = set(pairs)
    excess = np.bincount([bin_of[key] for key in pairs], minlength=len(asked)) - asked * len(pairs) / max(
        asked.sum(), 1
    )
    first = generator.integers(0, len(pairs), _SWAPS_A_PAIR * len(pairs))
    second = (first + generator.integers(-_BESIDE, _BESIDE + 1, len(first))).clip(0, len(pairs) - 1)
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        old = pairs[i], pairs[j]
        new = old[0] - old[0] % width + old[1] % width, old[1] - old[1] % width + old[0] % width
        if new[0] not in bin_of or new[1] not in bin_of or new[0] in present or new[1] in present:
            continue
        moved = np.zeros(len(asked))
        for key, sign in ((old[0], -1), (old[1], -1), (new[0], 1), (new[1], 1)):
            moved[bin_of[key]] += sign
        if np.abs(excess + moved).sum() > np.abs(excess).sum():
            continue
        excess += moved
        present.difference_update(old)
        present.update(new)
        pairs[i], pairs[j] = new
    return np.array(pairs, np.int64)
