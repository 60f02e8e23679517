"""Baselines without the network, trained on the same training pairs.

Each gives logits of all pairs and uses the labels of the training subset only. Distance, GC content and
k-mer counts go through gradient-boosted trees (scikit-learn's `HistGradientBoostingClassifier`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.leakage import element_name_scores
from speid_cli.dataset.pairs import TRAIN, Elements, PairDataset
from speid_cli.genome.intervals import distance_bp

KMER_LENGTH = 5
BASE_RATE = "base rate"
_ROWS_AT_A_TIME = 256
_TREES, _TREES_AT_A_TIME = 100, 25
Features = NDArray[np.float32]


# Is told how many more trees are trained.
Advance = Callable[[int], object]
Watch = Callable[[str, int], AbstractContextManager[Advance]]
Baseline = Callable[[PairDataset, int, Advance], NDArray[np.float64]]


def unwatched(title: str, trees: int) -> AbstractContextManager[Advance]:
    """Shows nothing."""
    return nullcontext(lambda amount: None)


def baseline_logits(
    dataset: PairDataset, seed: int, names: tuple[str, ...] | None = None, watch: Watch = unwatched
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name and logits (N,) of each baseline in turn.

    Parameters
    ----------
    names : tuple of str, optional
        Which of `BASELINES`; default: all.
    watch : callable
        From a title and a number of trees, a context manager that gives an `Advance`.
    """
    names = names or tuple(BASELINES)
    for number, name in enumerate(names, start=1):
        title = f"baseline {number} of {len(names)}: {name}"
        with watch(title, _TREES) as advance:
            logits = BASELINES[name](dataset, seed, advance)
        yield name, logits


def _base_rate(dataset: PairDataset, seed: int, advance: Advance) -> NDArray[np.float64]:
    rate = dataset.label[dataset.members(TRAIN)].mean()
    return np.full(len(dataset), np.log(rate) - np.log1p(-rate))


def _element_names(dataset: PairDataset, seed: int, advance: Advance) -> NDArray[np.float64]:
    members = dataset.members(TRAIN)
    rate = dataset.label[members].mean()
    return element_name_scores(dataset, members) + np.log(rate) - np.log1p(-rate)


def _boosted(features: Callable[[PairDataset], Features]) -> Baseline:
    """Gradient-boosted trees on features (N, F) of all pairs."""

    def logits(dataset: PairDataset, seed: int, advance: Advance) -> NDArray[np.float64]:
        from sklearn.ensemble import HistGradientBoostingClassifier

        members, values = dataset.members(TRAIN), features(dataset)
        trees = HistGradientBoostingClassifier(random_state=seed % 2**32, warm_start=True)
        for count in range(_TREES_AT_A_TIME, _TREES + 1, _TREES_AT_A_TIME):  # gives the same trees as one fit of all
            trees.set_params(max_iter=count).fit(values[members], dataset.label[members])
            advance(_TREES_AT_A_TIME)
            if trees.n_iter_ < count:
                break
        return trees.decision_function(values)

    return logits


def _distance(dataset: PairDataset) -> Features:
    """Logarithm of the distance between the nearest edges (N, 1); NaN between chromosomes."""
    enhancer, promoter = (side.interval[index] for _, side, index in dataset.sides)
    distance = np.log1p(distance_bp(*enhancer[:, 1:].T, *promoter[:, 1:].T))
    distance[enhancer[:, 0] != promoter[:, 0]] = np.nan
    return distance[:, None].astype(np.float32)


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
    "distance": _boosted(_distance),
    "element names": _element_names,
    "GC content": _boosted(_of_both(_gc_content)),
    f"{KMER_LENGTH}-mer counts": _boosted(_of_both(lambda elements: kmer_counts(elements, KMER_LENGTH))),
}
