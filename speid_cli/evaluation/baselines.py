"""Baselines without the network, trained on the same training pairs.

Each gives logits of all pairs and uses the labels of the training subset only, for each part of an evaluation.
Distance, GC content and k-mer counts go through gradient-boosted trees (scikit-learn's
`HistGradientBoostingClassifier`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.leakage import element_name_scores
from speid_cli.dataset.pairs import TRAIN, Elements, PairDataset
from speid_cli.genome.intervals import distance_bp

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

KMER_LENGTH = 5
BASE_RATE = "base rate"
_ROWS_AT_A_TIME = 256
Features = NDArray[np.floating]

# From parts (the same pairs, each time with other subsets) and a seed: the logits (N,) of all pairs, for each part.
Baseline = Callable[[Sequence[PairDataset], int], Iterator[NDArray[np.float64]]]


def baseline_logits(
    parts: Sequence[PairDataset],
    seed: int,
    baselines: Mapping[str, Baseline],
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[str, list[NDArray[np.float64]]]]:
    """Name of each baseline in turn, and its logits (N,) for each part.

    Parameters
    ----------
    parts : sequence of PairDataset
        A data set, or what it is for each of its folds.
    baselines : dict of Baseline
        Such as `BASELINES`.
    say : callable
        Is told which is trained.
    """
    for number, (name, baseline) in enumerate(baselines.items(), start=1):
        say(f"baseline {number} of {len(baselines)}: {name}")
        yield name, list(baseline(parts, seed))


def _base_log_odds(dataset: PairDataset) -> NDArray[np.float64]:
    """Log-odds (N,) of the training subset's share of positives."""
    rate = dataset.label[dataset.members(TRAIN)].mean()
    return np.full(len(dataset), np.log(rate) - np.log1p(-rate))


def _base_rate(parts: Sequence[PairDataset], seed: int) -> Iterator[NDArray[np.float64]]:
    return map(_base_log_odds, parts)


def _element_names(parts: Sequence[PairDataset], seed: int) -> Iterator[NDArray[np.float64]]:
    return (element_name_scores(part, part.members(TRAIN)) + _base_log_odds(part) for part in parts)


# From the number of features and a seed.
MakeTrees = Callable[[int, int], "HistGradientBoostingClassifier"]


def default_trees(features: int, seed: int) -> HistGradientBoostingClassifier:
    """Scikit-learn's own settings."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed)


def boosted(features: Callable[[PairDataset], Features], make: MakeTrees = default_trees) -> Baseline:
    """Gradient-boosted trees, made by `make`, on features (N, F) of all pairs."""

    def logits(parts: Sequence[PairDataset], seed: int) -> Iterator[NDArray[np.float64]]:
        """Of all pairs (N,), by trees trained on the training pairs of each part."""
        values = features(parts[0])
        for part in parts:
            members = part.members(TRAIN)
            trees = make(values.shape[1], seed % 2**32).fit(values[members], part.label[members])
            yield trees.decision_function(values)

    return logits


def pair_distances(dataset: PairDataset) -> NDArray[np.float64]:
    """Distance (N,) between the nearest edges of each pair in bp; NaN between chromosomes."""
    enhancer, promoter = (side.interval[index] for _, side, index in dataset.sides)
    distance = distance_bp(*enhancer[:, 1:].T, *promoter[:, 1:].T).astype(np.float64)
    distance[enhancer[:, 0] != promoter[:, 0]] = np.nan
    return distance


def _distance(dataset: PairDataset) -> Features:
    """Logarithm of the distance (N, 1)."""
    return np.log1p(pair_distances(dataset))[:, None].astype(np.float32)


def _of_both(of_elements: Callable[[Elements], Features]) -> Callable[[PairDataset], Features]:
    """Features of both elements, concatenated."""
    return lambda dataset: np.concatenate([of_elements(side)[index] for _, side, index in dataset.sides], axis=1)


def _gc_content(elements: Elements) -> Features:
    """Share of C and G among the known bases of each window (E, 1)."""
    counts = kmer_counts(elements, 1)  # (E, 2): A or T, C or G
    return counts[:, 1:] / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def kmer_counts(elements: Elements, length: int) -> Features:
    """Counts (E, F) of k-mers of `length` bp in the unshifted windows, both strands as one.

    k-mers that hold an N are not counted. Columns are the k-mers that do not sort after their
    reverse complement, with the bases in the order A, T, C, G.
    """
    column, columns = _canonical(length)
    window = elements.window
    counts = np.empty((len(elements), columns), np.float32)
    for start in range(0, len(elements), _ROWS_AT_A_TIME):
        codes = elements.window_codes(slice(start, start + _ROWS_AT_A_TIME)).astype(np.int64)
        kmers = sum(codes[:, i : window - length + 1 + i] * 4 ** (length - 1 - i) for i in range(length))
        unknown = sum((codes[:, i : window - length + 1 + i] > 3).astype(np.int8) for i in range(length))
        places = np.where(unknown, columns, column[np.where(unknown, 0, kmers)])
        flat = places + (columns + 1) * np.arange(len(codes))[:, None]
        found = np.bincount(flat.ravel(), minlength=(columns + 1) * len(codes))
        counts[start : start + len(codes)] = found.reshape(len(codes), columns + 1)[:, :columns]
    return counts


def _canonical(length: int) -> tuple[NDArray[np.int64], int]:
    """Column of each k-mer, which it shares with its reverse complement, and the number of columns."""
    kmers = np.arange(4**length)
    digits = kmers[:, None] // 4 ** np.arange(length) % 4  # last base first
    reverse = ((digits ^ 1) * 4 ** np.arange(length)[::-1]).sum(
        axis=1
    )  # A 0, T 1, C 2, G 3: complements differ in bit 0
    _, column = np.unique(np.minimum(kmers, reverse), return_inverse=True)
    return column, int(column.max()) + 1


BASELINES: dict[str, Baseline] = {
    BASE_RATE: _base_rate,
    "distance": boosted(_distance),
    "element names": _element_names,
    "GC content": boosted(_of_both(_gc_content)),
    f"{KMER_LENGTH}-mer counts": boosted(_of_both(lambda elements: kmer_counts(elements, KMER_LENGTH))),
}
