"""Weighted measures of predictions, so that bootstrap replicates are computed together as arrays.

Shapes: N pairs; R replicates. A bootstrap replicate weights each pair by the number of times that
its cluster was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import Array, calls, ranking, ratio

ECE_BINS = 10

# Weights in memory at a time.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model for N pairs.

    Attributes
    ----------
    label : int8 (N,)
        0 or 1.
    probability, calibrated : float64 (N,)
    threshold : float, or float64 (N,)
        A pair is called interacting where its `probability` is at least this.
    fold : int64 (N,), optional
        Which part's model made each prediction, where there are several.
    """

    label: NDArray[np.int8]
    probability: Array
    calibrated: Array
    threshold: float | Array
    fold: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Estimate:
    """A measure and its 95% interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


def beats_chance(estimates: Mapping[str, Estimate], ending: str = "") -> bool:
    """Whether a ranking is better than a random one: both intervals say so, that of AUPRC minus base rate and of AUROC.

    AUPRC alone does not tell. Where positives are few, random rankings have on average more than the base
    rate: 10 positives among 200 pairs have 0.073, not 0.05.
    """
    return estimates[f"auprc{ending}_gain"].low > 0 and estimates[f"auroc{ending}"].low > 0.5


def estimate(predictions: Predictions, cluster: NDArray[np.int64], replicates: int, seed: int) -> dict[str, Estimate]:
    """Every measure of `MEASURES` with its interval, by `bootstrap`."""
    return bootstrap(partial(weighted_measures, predictions), cluster, replicates, seed)


def difference(
    first: Predictions, second: Predictions, cluster: NDArray[np.int64], replicates: int, seed: int
) -> dict[str, Estimate]:
    """AUPRC and AUROC of the first minus those of the second, of the same pairs, with intervals by `bootstrap`.

    Both are computed in each replicate (a paired bootstrap), so that what is common to both cancels out.
    """

    def of_both(weights: Array) -> dict[str, Array]:
        """The differences (R,) under weights (R, N)."""
        one, other = (_rankings(found, weights) for found in (first, second))
        return {name: one[name] - other[name] for name in ("auprc", "auroc")}

    return bootstrap(of_both, cluster, replicates, seed)


def bootstrap(
    measures: Callable[[Array], dict[str, Array]], cluster: NDArray[np.int64], replicates: int, seed: int
) -> dict[str, Estimate]:
    """Measures with their percentile bootstrap intervals over clusters (Efron 1979).

    Resampling makes some measures larger, above all the calibration error, so that a percentile
    interval may not contain the measure itself; it is then widened to include it.

    Parameters
    ----------
    measures : callable
        From weights (R, N) to measures (R,) by name.
    cluster : int64 (N,)
        Cluster of each pair, 0 to C - 1; C clusters are drawn with replacement.
    """
    value = measures(np.ones((1, len(cluster))))
    generator = np.random.default_rng(seed)
    clusters = int(cluster.max(initial=-1)) + 1
    drawn: dict[str, list[Array]] = {name: [] for name in value}
    step = max(1, _CHUNK // max(len(cluster), 1))
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        counts = cluster_counts(clusters, rows, generator)
        for name, found in measures(counts[:, cluster]).items():
            drawn[name].append(found)
    return {name: _estimate(float(value[name][0]), drawn[name]) for name in value}


def cluster_counts(clusters: int, replicates: int, generator: np.random.Generator) -> Array:
    """How often each cluster is drawn (R, C) in bootstrap replicates, which draw as many as there are."""
    return generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=replicates).astype(np.float64)


def _estimate(value: float, parts: list[Array]) -> Estimate:
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(value, float(np.fmin(low, value)), float(np.fmax(high, value)))


def _rankings(found: Predictions, weights: Array) -> dict[str, Array]:
    auprc, auroc = ranking(found.label, found.probability, weights)
    base_rate = ratio(weights @ found.label, weights.sum(axis=1))  # of each replicate, so that both vary together
    return {"auprc": auprc, "auprc_gain": auprc - base_rate, "auroc": auroc}


def _within_folds(found: Predictions, weights: Array) -> dict[str, Array]:
    """AUPRC and AUROC among pairs of the same fold: AUPRC averaged over positives, AUROC over pairs of both classes.

    Pooled predictions are ranked too low, even those of the base rate: where a fold has many positives, the
    model tested on it has been trained on few, and predicts lower probabilities.
    """
    if found.fold is None:
        return {}
    of_folds = []
    for fold in np.unique(found.fold):
        here = np.flatnonzero(found.fold == fold)
        label, weight = found.label[here], weights[:, here]
        auprc, auroc = map(np.nan_to_num, ranking(label, found.probability[here], weight))
        pairs, positives = weight.sum(axis=1), weight @ label
        couples = positives * (pairs - positives)
        of_folds.append(
            (positives, positives * auprc, positives * ratio(positives, pairs, 0), couples, couples * auroc)
        )
    positives, auprc, base_rate, couples, auroc = np.sum(of_folds, axis=0)  # (R,) each
    return {
        "auprc_within_folds": ratio(auprc, positives),
        "auprc_within_folds_gain": ratio(auprc - base_rate, positives),
        "auroc_within_folds": ratio(auroc, couples),
    }


def _errors(label: NDArray[np.int8], probability: Array, weights: Array, prefix: str) -> dict[str, Array]:
    """Brier score, and the mean over pairs of how far a bin's share of positives is from its mean probability."""
    inside, total = probability_bins(probability)[:, None] == np.arange(ECE_BINS), weights.sum(axis=1)
    gaps = weights @ np.where(inside, (probability - label)[:, None], 0)
    return {
        f"{prefix}brier": ratio(weights @ (probability - label) ** 2, total),
        f"{prefix}ece": ratio(np.abs(gaps).sum(axis=1), total),
    }


# Each gives some measures (R,), by name, of predictions under weights (R, N).
MEASURES: list[Callable[[Predictions, Array], dict[str, Array]]] = [
    _rankings,
    _within_folds,
    lambda found, weights: calls(found.label, found.probability >= found.threshold, weights),
    lambda found, weights: calls(found.label, found.probability >= 0.5, weights, "_at_0.5"),
    lambda found, weights: _errors(found.label, found.probability, weights, ""),
    lambda found, weights: _errors(found.label, found.calibrated, weights, "calibrated_"),
]


def weighted_measures(predictions: Predictions, weights: Array) -> dict[str, Array]:
    """All `MEASURES` (R,), by name, for weights (R, N)."""
    found: dict[str, Array] = {}
    for measures in MEASURES:
        found |= measures(predictions, weights)
    return found


def probability_bins(probability: Array) -> NDArray[np.int64]:
    """Bin (N,) of each probability, 0 to `ECE_BINS` - 1, of equal width."""
    return np.minimum((probability * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def curve(label: NDArray[np.int8], score: Array, points: int = 400) -> dict[str, Array]:
    """Points of the precision-recall and ROC curves, thinned to about `points`.

    Returns
    -------
    dict
        ``precision``, ``recall`` (the true positive rate) and ``false_positive_rate``.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = np.cumsum(label[order], dtype=np.float64)[ends]
    false = ends + 1 - true
    positives, negatives = true[-1], false[-1]
    if len(ends) > points:  # evenly spaced along the ROC curve, so that its corners stay
        travelled = true / max(positives, 1) + false / max(negatives, 1)
        keep = np.unique(np.searchsorted(travelled, np.linspace(0, travelled[-1], points)).clip(max=len(ends) - 1))
        true, false = true[keep], false[keep]
    return {
        "precision": true / (true + false),
        "recall": true / max(positives, 1),
        "false_positive_rate": false / max(negatives, 1),
    }
