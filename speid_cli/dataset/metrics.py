"""How good scores are. N pairs; R sets of weights, a row each, so that a bootstrap is one pass over arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
METRICS = ("loss", "precision", "recall", "f1", "auprc", "auroc")


def sigmoid(logit: NDArray[np.floating]) -> Array:
    """Probabilities of logits, without overflow."""
    return np.exp(-np.logaddexp(0, -logit.astype(np.float64)))


def has_both_classes(label: NDArray[np.int8]) -> bool:
    """Whether there are positives and negatives among labels (N,) of 0 and 1."""
    return 0 < int(label.sum()) < len(label)


def classification_metrics(
    label: NDArray[np.int8], logit: NDArray[np.float32], threshold: float = 0.5
) -> dict[str, float]:
    """Figures of `METRICS` for labels (N,) of 0 and 1 and logits (N,).

    ``loss`` is the mean binary cross-entropy; precision, recall and F1 count a pair as interacting
    where its probability is at least `threshold`, and are 0 where there is none. AUPRC and AUROC are
    NaN where they are undefined, and everything is without pairs.
    """
    if not len(label):
        return dict.fromkeys(METRICS, float("nan"))
    logits, weights = logit.astype(np.float64), np.ones((1, len(label)))
    auprc, auroc = ranking(label, logits, weights)
    called = calls(label, sigmoid(logits) >= threshold, weights)
    found = {"loss": np.logaddexp(0, logits) - label * logits, "auprc": auprc, "auroc": auroc}
    found |= {name: np.nan_to_num(called[name]) for name in ("precision", "recall", "f1")}
    return {name: float(found[name].mean()) for name in METRICS}


def ranking(label: NDArray[np.int8], score: Array, weights: Array) -> tuple[Array, Array]:
    """Average precision and the area under the ROC curve (R,); equal scores count as one step."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # last of each run of equal scores
    true = np.cumsum(weights[:, order] * label[order], axis=1)[:, ends]
    called = np.cumsum(weights[:, order], axis=1)[:, ends]
    false = called - true
    gained = np.diff(true, axis=1, prepend=0)
    average_precision = ratio((gained * ratio(true, called, 0)).sum(axis=1), true[:, -1])
    area = (np.diff(false, axis=1, prepend=0) * (true - gained / 2)).sum(axis=1)
    return average_precision, ratio(area, true[:, -1] * false[:, -1])


def calls(label: NDArray[np.int8], called: NDArray[np.bool_], weights: Array, suffix: str = "") -> dict[str, Array]:
    """Precision, recall, F1 and balanced accuracy (R,) of calls (N,), by name."""
    true = weights @ (label * called).astype(np.float64)
    positives, made = weights @ label.astype(np.float64), weights @ called.astype(np.float64)
    negatives = weights.sum(axis=1) - positives
    recall = ratio(true, positives)
    return {
        f"precision{suffix}": ratio(true, made, 0),
        f"recall{suffix}": recall,
        f"f1{suffix}": ratio(2 * true, positives + made),
        f"balanced_accuracy{suffix}": (recall + 1 - ratio(made - true, negatives)) / 2,
    }


def ratio(numerator: Array, denominator: Array, undefined: float = np.nan) -> Array:
    """Numerator by denominator, and `undefined` where that is 0."""
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), float(undefined)), where=denominator > 0)
