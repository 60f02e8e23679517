"""TargetFinder: boosted trees on the signal of assays in and between elements (Whalen, Truty and Pollard 2016)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import PairDataset
from speid_cli.evaluation.baselines import Baseline, boosted
from speid_cli.evaluation.features import Advance, TrackFeatures, check_ends, track_features
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.tracks import Track

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

VARIANTS: dict[str, tuple[str, ...]] = {
    "TargetFinder (E/P)": ("enhancer", "promoter"),
    "TargetFinder (EE/P)": ("extended enhancer", "promoter"),
    "TargetFinder (E/P/W)": ("enhancer", "promoter", "window"),
}
# The variant whose features are joined with the network's scores.
WIDEST = "TargetFinder (E/P/W)"
COMBINED = "speid + TargetFinder"
TREES = 4000


def trees(features: int, seed: int) -> HistGradientBoostingClassifier:
    """Histogram trees with TargetFinder's learning rate, depth and number of features at each split.

    TargetFinder's are exact: each split is sought among all values. These are about as accurate and
    faster (``benchmarks/TREES.md``).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=0.1,
        max_depth=5,
        max_features=math.log2(features) / features,
        early_stopping=False,
        random_state=seed,
    )


def dataset_features(
    dataset: PairDataset,
    path: str,
    tracks: Sequence[Track],
    contigs: ContigNames,
    advance: Advance = lambda files: None,
) -> TrackFeatures:
    """The features of the pairs of a data set, by the names of whose chromosomes `contigs` knows them.

    Raises
    ------
    DataError
        As `check_ends` and `track_features`; `path` is the data set's.
    """
    pairs = list(map(dataset.pair, range(len(dataset))))
    check_ends(tracks, path, [None] * len(pairs), pairs, contigs)
    enhancer, promoter = (elements.interval[index] for _, elements, index in dataset.sides)
    return track_features(tracks, enhancer, promoter, dataset.chromosomes, contigs, advance)


def targetfinder(features: TrackFeatures) -> dict[str, Baseline]:
    """TargetFinder's three variants, by name."""
    return {name: boosted(_of(features, regions), trees) for name, regions in VARIANTS.items()}


def combined(features: TrackFeatures, score: NDArray[np.float64]) -> dict[str, Baseline]:
    """The trees on the features of the widest variant, and the network's score (N,) of each pair."""
    of_tracks = _of(features, VARIANTS[WIDEST])
    return {COMBINED: boosted(lambda dataset: np.column_stack([of_tracks(dataset), score]), trees)}


def _of(features: TrackFeatures, regions: Sequence[str]) -> Callable[[PairDataset], NDArray[np.float64]]:
    return lambda dataset: features.of_pairs(regions=regions)
