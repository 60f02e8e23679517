"""How good probabilities are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METRICS = ("loss", "precision", "recall", "f1", "auprc", "auroc")


def classification_metrics(
    label: NDArray[np.int8], logit: NDArray[np.float32], threshold: float = 0.5
) -> dict[str, float]:
    """Figures of `METRICS` for labels (N,) of 0 and 1 and logits (N,).

    ``loss`` is the mean binary cross-entropy; precision, recall and F1 count a pair as interacting
    where its probability is at least `threshold`. Where a figure is undefined (one class only) it
    is NaN.
    """
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

    logits = logit.astype(np.float64)
    if not len(label):
        return dict.fromkeys(METRICS, float("nan"))
    called = sigmoid(logits) >= threshold
    precision, recall, f1, _ = precision_recall_fscore_support(label, called, average="binary", zero_division=0)
    both = 0 < label.sum() < len(label)
    return {
        "loss": float((np.logaddexp(0, logits) - label * logits).mean()),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "auprc": float(average_precision_score(label, logits)) if label.any() else float("nan"),
        "auroc": float(roc_auc_score(label, logits)) if both else float("nan"),
    }


def sigmoid(logit: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of logits, without overflow."""
    return np.exp(-np.logaddexp(0, -logit.astype(np.float64)))
