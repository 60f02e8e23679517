"""Figures against their definitions; AUPRC and AUROC are compared with scikit-learn in `test_measures`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.dataset.metrics import METRICS, classification_metrics, sigmoid


@given(st.lists(st.tuples(st.booleans(), st.floats(-30, 30, width=32)), min_size=2, max_size=40), st.floats(0.1, 0.9))
def test_figures_are_their_definitions(pairs: list[tuple[bool, float]], threshold: float) -> None:
    label = np.array([truth for truth, _ in pairs], np.int8)
    logit = np.array([value for _, value in pairs], np.float32)
    found = classification_metrics(label, logit, threshold)
    probability = 1 / (1 + np.exp(-logit.astype(float)))
    called = sigmoid(logit) >= threshold
    hits = int((called & (label == 1)).sum())
    precision = hits / called.sum() if called.any() else 0.0
    recall = hits / label.sum() if label.any() else 0.0
    assert found["precision"] == pytest.approx(precision)
    assert found["recall"] == pytest.approx(recall)
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall) if precision + recall else 0)
    likelihood = np.where(label == 1, probability, 1 / (1 + np.exp(logit.astype(float))))
    assert found["loss"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-6, abs=1e-9)


def test_what_is_undefined_is_nan() -> None:
    only_negatives = classification_metrics(np.zeros(3, np.int8), np.zeros(3, np.float32))
    assert np.isnan([only_negatives["auprc"], only_negatives["auroc"]]).all()
    assert only_negatives["loss"] == pytest.approx(np.log(2))
    nothing = classification_metrics(np.zeros(0, np.int8), np.zeros(0, np.float32))
    assert list(nothing) == list(METRICS)
    assert np.isnan(list(nothing.values())).all()


def test_sigmoid_does_not_overflow() -> None:
    values = sigmoid(np.array([-1000, 0, 1000], np.float32))
    assert values.tolist() == [0, 0.5, 1]
