"""Measures of ranked and called pairs under weights, so that a bootstrap is one pass over arrays.

Names below: N pairs; R sets of weights, a row each. A bootstrap replicate weighs every pair by how
often its cluster was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CALLS = ("precision", "recall", "f1", "balanced_accuracy")
MEASURES = ("auprc", "auprc_gain", "auroc", *CALLS, *(f"{name}_at_0.5" for name in CALLS), "brier", "ece")
MEASURES += ("calibrated_brier", "calibrated_ece")
ECE_BINS = 10

# Weights held at a time.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Predictions:
    """What one model says of N pairs.

    Attributes
    ----------
    label : int8 (N,)
        0 or 1.
    probability, calibrated : float64 (N,)
    threshold : float
        A pair is called interacting where its `probability` is at least this.
    """

    label: NDArray[np.int8]
    probability: Array
    calibrated: Array
    threshold: float


@dataclass(frozen=True)
class Estimate:
    """A measure and its 95% interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


def estimate(predictions: Predictions, cluster: NDArray[np.int64], replicates: int, seed: int) -> dict[str, Estimate]:
    """Every measure of `MEASURES` with its percentile bootstrap interval over clusters (Efron 1979).

    Resampling makes some measures larger, above all the calibration error, so that a percentile
    interval need not hold the measure itself; it is then widened until it does.

    Parameters
    ----------
    cluster : int64 (N,)
        Cluster of each pair, 0 to C - 1; C clusters are drawn with replacement.
    """
    value = weighted_measures(predictions, np.ones((1, len(cluster))))
    generator = np.random.default_rng(seed)
    clusters = int(cluster.max(initial=-1)) + 1
    drawn: dict[str, list[Array]] = {name: [] for name in MEASURES}
    step = max(1, _CHUNK // max(len(cluster), 1))
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        counts = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=rows)
        for name, found in weighted_measures(predictions, counts[:, cluster].astype(np.float64)).items():
            drawn[name].append(found)
    return {name: _estimate(float(value[name][0]), drawn[name]) for name in MEASURES}


def _estimate(value: float, parts: list[Array]) -> Estimate:
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(value, float(np.fmin(low, value)), float(np.fmax(high, value)))


def weighted_measures(predictions: Predictions, weights: Array) -> dict[str, Array]:
    """Every measure of `MEASURES` (R,) under weights (R, N)."""
    label = predictions.label.astype(np.float64)
    auprc, auroc = _ranked(label, predictions.probability, weights)
    base_rate = _ratio(weights @ label, weights.sum(axis=1))  # of each replicate, so that both vary together
    found = {"auprc": auprc, "auprc_gain": auprc - base_rate, "auroc": auroc}
    for suffix, threshold in (("", predictions.threshold), ("_at_0.5", 0.5)):
        called = (predictions.probability >= threshold).astype(np.float64)
        found |= {f"{name}{suffix}": values for name, values in _called(label, called, weights).items()}
    for prefix, probability in (("", predictions.probability), ("calibrated_", predictions.calibrated)):
        found[f"{prefix}brier"] = _ratio(weights @ (probability - label) ** 2, weights.sum(axis=1))
        found[f"{prefix}ece"] = _calibration_error(label, probability, weights)
    return found


def _ranked(label: Array, score: Array, weights: Array) -> tuple[Array, Array]:
    """Average precision and the area under the ROC curve; equal scores count as one step."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # last of each run of equal scores
    true = np.cumsum(weights[:, order] * label[order], axis=1)[:, ends]
    called = np.cumsum(weights[:, order], axis=1)[:, ends]
    false = called - true
    gained = np.diff(true, axis=1, prepend=0)
    average_precision = _ratio((gained * _ratio(true, called, 0)).sum(axis=1), true[:, -1])
    area = (np.diff(false, axis=1, prepend=0) * (true - gained / 2)).sum(axis=1)
    return average_precision, _ratio(area, true[:, -1] * false[:, -1])


def _called(label: Array, called: Array, weights: Array) -> dict[str, Array]:
    true = weights @ (label * called)
    positives, calls = weights @ label, weights @ called
    negatives = weights.sum(axis=1) - positives
    recall = _ratio(true, positives)
    return {
        "precision": _ratio(true, calls, 0),
        "recall": recall,
        "f1": _ratio(2 * true, positives + calls),
        "balanced_accuracy": (recall + 1 - _ratio(calls - true, negatives)) / 2,
    }


def _calibration_error(label: Array, probability: Array, weights: Array) -> Array:
    """Mean over pairs of how far a bin's share of positives is from its mean probability; equal bins."""
    inside = probability_bins(probability)[:, None] == np.arange(ECE_BINS)
    gaps = weights @ np.where(inside, (probability - label)[:, None], 0)
    return _ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def probability_bins(probability: Array) -> NDArray[np.int64]:
    """Bin (N,) of each probability, 0 to `ECE_BINS` - 1, of equal width."""
    return np.minimum((probability * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def _ratio(numerator: Array, denominator: Array, undefined: float = np.nan) -> Array:
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), float(undefined)), where=denominator > 0)


def curve(label: NDArray[np.int8], score: Array, points: int = 400) -> dict[str, Array]:
    """Points of the precision-recall and ROC curves, at most `points` or so and as many as change.

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
    if len(ends) > points:  # evenly along either axis of the ROC curve, so that no corner is lost
        travelled = true / max(positives, 1) + false / max(negatives, 1)
        keep = np.unique(np.searchsorted(travelled, np.linspace(0, travelled[-1], points)).clip(max=len(ends) - 1))
        true, false = true[keep], false[keep]
    return {
        "precision": true / (true + false),
        "recall": true / max(positives, 1),
        "false_positive_rate": false / max(negatives, 1),
    }
