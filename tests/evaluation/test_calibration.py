"""Threshold and calibration: the best there is on the pairs fitted on, and never a changed order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.dataset.metrics import sigmoid
from speid_cli.errors import DataError
from speid_cli.evaluation.calibration import Calibration, fit_calibration, fit_threshold


@given(st.integers(0, 10_000))
def test_no_threshold_gives_a_better_f1(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = (rng.random(40) < 0.3).astype(np.int8)
    probability = np.round(rng.random(40), 1)
    threshold = fit_threshold(label, probability)
    if not label.any():
        assert threshold == 0.5
        return

    def f1(called: np.ndarray) -> float:  # type: ignore[type-arg]
        return 2 * (called & (label == 1)).sum() / (called.sum() + label.sum())

    assert f1(probability >= threshold) == pytest.approx(max(f1(probability >= other) for other in probability))


def test_platt_scaling_finds_the_line_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 60_000)
    label = (rng.random(60_000) < sigmoid(0.5 * logit - 2)).astype(np.int8)
    found = fit_calibration(label, logit)
    assert found is not None
    assert (found.slope, found.intercept) == (pytest.approx(0.5, abs=0.03), pytest.approx(-2, abs=0.05))
    assert found.probabilities(logit).mean() == pytest.approx(label.mean(), abs=1e-3)
    assert Calibration.from_plain(found.as_plain()) == found
    residual = found.probabilities(logit) - label  # at the maximum of the likelihood, the slopes of it are 0
    assert max(abs(residual.mean()), abs((residual * logit).mean())) < 1e-7


@pytest.mark.parametrize(
    "logit",
    [np.zeros(100), np.linspace(1, -1, 100), np.full(100, -2.2), np.random.default_rng(0).normal(size=100)],
    ids=["zeros", "the wrong way round", "constant", "chance"],
)
def test_scores_that_do_not_rank_are_not_calibrated(logit: np.ndarray) -> None:  # type: ignore[type-arg]
    assert fit_calibration((np.arange(100) >= 85).astype(np.int8), logit) is None


@pytest.mark.parametrize(
    ("positives", "pairs", "supported"), [(10, 20, True), (9, 100, False), (91, 100, False), (0, 0, False)]
)
def test_ten_pairs_of_either_class_are_needed(positives: int, pairs: int, supported: bool) -> None:
    label = (np.arange(pairs) < positives).astype(np.int8)
    logit = label + np.random.default_rng(0).normal(size=pairs)
    assert (fit_calibration(label, logit) is not None) == supported


def test_classes_that_scores_part_are_calibrated() -> None:
    label = (np.arange(40) < 12).astype(np.int8)
    found = fit_calibration(label, 8.0 * label - 4)
    assert found is not None and found.slope > 1


def test_another_prevalence_exchanges_the_prior_odds() -> None:
    calibration, logit = Calibration(1.5, -1.0, 0.1), np.linspace(-3, 3, 7)
    before, after = calibration.probabilities(logit), calibration.probabilities(logit, 0.01)
    ratio = (after / (1 - after)) / (before / (1 - before))
    assert ratio == pytest.approx((0.01 / 0.99) / (0.1 / 0.9))
    assert calibration.probabilities(logit, 0.1) == pytest.approx(before)


@pytest.mark.parametrize(
    "values",
    [
        {}, {"slope": 0.0, "intercept": 0.0, "prevalence": 0.1}, {"slope": 1.0}, {"slope": -1.0, "intercept": 0.0, "prevalence": 0.1},
        {"slope": "1", "intercept": 0.0, "prevalence": 0.1}, {"slope": 1.0, "intercept": float("nan"), "prevalence": 0.1},
        {"slope": 1.0, "intercept": 0.0, "prevalence": 1.0}, {"slope": 1.0, "intercept": 0.0, "prevalence": 0.1, "method": "x"},
        {"slope": 1.0, "intercept": 0.0, "prevalence": 0.1, "other": 1},
    ],
)  # fmt: skip
def test_a_calibration_from_elsewhere_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="a calibration that speid did not write; fit it again: speid evaluate --fit"):
        Calibration.from_plain(values)
